--- How what goes on in the background calls the user's functions.
local task = require "codecell.task"

--- Call a function, or what can be called like one, in a coroutine of its own: it may wait, and
--- nobody waits for it.
---@param called function
---@param ... any its arguments
---@return boolean ok
---@return any problem what it raised, if that was before it waited
return function(called, ...)
  local started = task.async(function(...) return called(...) end, ...)
  local failure = started and started.failure
  return not failure, failure and failure[1]
end
