--- Waiting in a program that draws frames, such as a game: `codecell.step(0)` in each.
local host = require "codecell.host"
local reactor = require "codecell.reactor"

local frame = {}

--- From now on a verb that waits in a coroutine yields, and `codecell.step(0)`, called in each
--- frame, resumes the coroutine. A step handles a bounded batch: what is left comes in the next
--- frames. Call this where the loop is: if that is itself a coroutine, it is never parked, and a
--- verb in it waits by itself.
---@return true
function frame.attach()
  return host.attach("frame", function()
    host.set_home()
    return {
      adopt = function(thread)
        return host.guest(thread, reactor.fail)
      end,
    }
  end)
end

--- Coroutines that wait are served to their end; later ones are left alone.
---@return boolean detached false if it was not attached
function frame.detach()
  return host.detach("frame")
end

return frame
