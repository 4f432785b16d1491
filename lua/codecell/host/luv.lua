--- Waiting in the loop of luv: a verb in a coroutine lets the loop run on.
local host = require "codecell.host"
local poll = require "codecell.host.poll"

local luv = {}

-- An error of a callback is shown by luv and ends the program, as any other there.
local function fail_in(uv)
  return function(message)
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      timer:close()
      error(message, 0)
    end)
  end
end

--- From now on a verb that waits in a coroutine yields, and the loop resumes the coroutine. In the
--- main program a verb still waits by itself, and the loop stands still.
---@param uv table? the module; default: require "luv"
---@return true
function luv.attach(uv)
  return host.attach("luv", function()
    uv = uv or require "luv"
    local handle = poll.new(uv, poll.step)
    local fail = fail_in(uv)
    return {
      adopt = function(thread)
        return host.guest(thread, fail)
      end,
      watch = function(busy)
        handle:keep_alive(busy)
      end,
      close = function()
        handle:close()
      end,
    }
  end)
end

--- Coroutines that wait are served to their end; later ones are left alone.
---@return boolean detached false if it was not attached
function luv.detach()
  return host.detach("luv")
end

return luv
