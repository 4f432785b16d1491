-- wait_until.lua -- step the reactor until something is so, within a bound that nothing here takes.
local codecell = require "codecell"

local LONG = 60 -- seconds

---@param what fun(): boolean
return function(what)
  local deadline = codecell.reactor():now() + LONG
  while not what() do
    assert(codecell.reactor():now() < deadline, "waited in vain")
    codecell.step(0.02)
  end
end
