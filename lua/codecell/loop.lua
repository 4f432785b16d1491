--- The event loop of this Lua state, for programs that have one of their own.
local options = require "codecell.options"
local reactor = require "codecell.reactor"

local loop = {}

--- The reactor of this Lua state: `pollfd() events() timeout() step(t)`.
---@return codecell.Reactor? reactor
---@return codecell.Error? err kind "system"
function loop.reactor()
  return reactor.get()
end

--- Step the reactor: handle what has come, resume coroutines, run callbacks. Raises the error that
--- ended a coroutine of an attached frame loop.
---@param timeout number? seconds to wait for the first event; 0 only looks
---@return boolean? happened
---@return codecell.Error? err kind "system"
function loop.step(timeout)
  options.timeout("step", timeout, 3)
  local current, err = reactor.get()
  if not current then
    return nil, err
  end
  local happened
  happened, err = current:step(timeout)
  local failure = reactor.take_failure()
  if failure then
    error(failure, 0)
  end
  return happened, err
end

return loop
