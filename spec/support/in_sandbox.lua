-- in_sandbox.lua -- a sandbox for one test, closed after it whatever happens.
local codecell = require "codecell"

--- Create it with these options, and call `body` with it.
return function(options, body)
  local sandbox = codecell.assert(codecell.create(options))
  local ok, problem = pcall(body, sandbox)
  sandbox:close()
  if not ok then
    error(problem, 0)
  end
end
