--- Waiting in Neovim: the screen never freezes.
---
--- A verb in a coroutine lets the editor go on; outside of one it waits as `vim.wait` does, while
--- the editor handles its events, and Ctrl-C cancels it.
local host = require "codecell.host"
local poll = require "codecell.host.poll"
local reactor = require "codecell.reactor"

local vim = _G.vim

local neovim = {}

local LOOK = 200 -- milliseconds between looks for Ctrl-C: before 0.8 it ends no vim.wait at once

-- Shown as the error of any other callback.
local function fail(message)
  vim.schedule(function()
    error(message, 0)
  end)
end

---@class codecell.MainGuest the program outside of coroutines, seen as a task
local Main = {}
Main.__index = Main

local main -- the guest of what runs now

-- While the program waits, a callback that it is interrupted by may wait as well.
local function main_guest()
  if not main or main.is_paused then
    main = setmetatable({ serial = 0 }, Main)
  end
  return main
end

function Main:pause()
  self.is_paused, self.is_resumed = true, false
  local function is_resumed()
    return self.is_resumed
  end
  repeat
    local _, why = vim.wait(LOOK, is_resumed, LOOK)
    if why == -2 then -- interrupted: what this call of the user waits for is cancelled
      self.cancelled = true
      vim.schedule(function()
        self.cancelled = nil
      end)
    end
  until self.is_resumed or self.cancelled
  main, self.is_paused = self, false
  self.serial = self.serial + 1
  reactor.unpark(self)
end

function Main:resume()
  self.is_resumed = true
end

-- The handle's callback runs while Neovim waits for keys, where its API is forbidden: the step is
-- made by the main loop. Until then the handle is stopped, for its news would ring on and on.
local function watch_reactor(uv)
  local handle
  local function step()
    handle:start() -- first: what is resumed may wait in vim.wait
    poll.step()
  end
  handle = poll.new(uv, function()
    handle:stop()
    vim.schedule(step)
  end)
  return handle
end

-- What people have to know; the rest would only cover what they edit.
local function tell(level, message)
  local severity = vim.log.levels[level == "warning" and "WARN" or level:upper()]
  if severity >= vim.log.levels.WARN then
    vim.schedule(function() vim.notify("codecell: " .. message, severity) end)
  end
end

--- From now on a verb that waits in a coroutine yields, and the main loop resumes the coroutine,
--- where the whole API may be used. Outside of a coroutine a verb waits by `vim.wait`, and raises
--- in fast events, which cannot wait.
---@return true
function neovim.attach()
  if not vim then
    error("attach: this program is not Neovim", 2)
  end
  return host.attach("neovim", function()
    local handle = watch_reactor(vim.uv or vim.loop)
    return {
      adopt = function(thread)
        if thread then
          return host.guest(thread, fail)
        elseif vim.in_fast_event() then
          error("codecell: nothing can wait in a fast event; use vim.schedule", 0)
        end
        return main_guest()
      end,
      watch = function(busy)
        handle:keep_alive(busy)
      end,
      close = function()
        handle:close()
      end,
      log = tell,
    }
  end)
end

--- Coroutines that wait are served to their end; later ones are left alone.
---@return boolean detached false if it was not attached
function neovim.detach()
  return host.detach("neovim")
end

return neovim
