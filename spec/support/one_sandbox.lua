-- one_sandbox.lua -- a sandbox for all tests of a block, made at its first use, ended after them.
local codecell = require "codecell"

--- Call inside `describe` with busted's `teardown`: answers a function that gives the sandbox.
return function(teardown, options)
  local sandbox
  teardown(function()
    if sandbox then
      sandbox:close()
      sandbox = nil
    end
  end)
  return function()
    if not sandbox then
      sandbox = codecell.assert(codecell.create(options))
    end
    return sandbox
  end
end
