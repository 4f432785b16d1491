--- in_language.lua -- code of one language in a sandbox, for the tests of what holds in each.
local codecell = require "codecell"

--- `run` and `start` as run_code and start_code have it, in that language unless options name a
--- context, and `output`, what a run prints; each fails the test where the call does.
---@param name string
---@param sandbox fun(): codecell.Sandbox
---@return {run: function, start: function, output: function}
return function(name, sandbox)
  local self = {}

  local function with(options)
    options = options or {}
    options.language = not options.context and name or nil
    return options
  end

  function self.run(code, options)
    return codecell.assert(sandbox():run_code(code, with(options)))
  end

  function self.start(code, options)
    return codecell.assert(sandbox():start_code(code, with(options)))
  end

  function self.output(code, options)
    return table.concat(self.run(code, options).logs.stdout)
  end

  return self
end
