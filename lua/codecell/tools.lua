--- codecell.tools: functions that a model calls.
local tools = {
  cortex = require "codecell.tools.cortex",
}

return tools
