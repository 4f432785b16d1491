--- codecell.tools: functions that a model calls, in the form that its provider wants.
---
---     local kit = codecell.tools.kit {}
---     local request = { tools = kit:schemas("openai"), messages = messages }
---     for _, message in ipairs(kit:handle("openai", answer)) do
---       table.insert(messages, message)
---     end
---
--- What a model may say is in the schemas, and nothing there widens the sandbox: network, limits,
--- times and whose sandbox it is are said by the host, in the options of `kit`.
local tools = {
  cortex = require "codecell.tools.cortex",
  dialects = require("codecell.tools.dialect").names,
  encode = require("codecell.tools.encode").encode,
  kit = require("codecell.tools.kit").kit,
}

return tools
