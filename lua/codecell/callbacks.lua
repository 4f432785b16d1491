--- How what goes on in the background calls the user's functions.
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local WAITING_MOST = 64 -- callbacks of one run that have not ended
local PATIENCE = 1 -- seconds that they may keep it from going on

-- Code may print faster than the callbacks take it: what is not read is kept by the stream, which
-- has a bound, and not by coroutines, which have none.
local function make_room(waiting)
  for i = #waiting, 1, -1 do
    if waiting[i].done then
      table.remove(waiting, i)
    end
  end
  if #waiting >= WAITING_MOST then
    wait.key(waiting[1], reactor.now() + PATIENCE)
  end
end

--- What calls the callbacks of one run: each in a coroutine of its own, so that it may wait.
---@return fun(called: function, ...: any): boolean, any call returns false and what it raised, if
---that was before it waited
return function()
  local waiting = {}
  return function(called, ...)
    make_room(waiting)
    local started = task.async(function(...) return called(...) end, ...)
    if not started or started.failure then
      return not started, started and started.failure[1]
    end
    if not started.done then
      waiting[#waiting + 1] = started
    end
    return true
  end
end
