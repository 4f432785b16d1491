-- printed.lua -- what a command that must succeed prints in a sandbox.
local codecell = require "codecell"
local assert = require "luassert"

return function(sandbox, command)
  local result = codecell.assert(sandbox.commands:run(command))
  assert.equal(0, result.exit_code, result.stderr)
  return result.stdout
end
