--- codecell.async: functions that run beside each other in one Lua state.
local coroutines = require "codecell.coroutines"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

---@class codecell.Task
---@field package thread thread
---@field package serial integer raised at each resume: old alarms are then ignored
local Task = {}
Task.__index = Task

local task = {}

local function pack(...)
  return { n = select("#", ...), ... }
end

local unpack = require "codecell.unpack"

local function settle(self, ok, ...)
  if coroutines.status(self.thread) ~= "dead" then
    return
  end
  self.done = true
  wait.claim(self.thread, nil)
  if ok then
    self.values = pack(...)
  else
    self.failure = { (...) }
  end
  reactor.wake(self)
end

--- Go on until the next wait. The loop calls this; nobody else does.
---@param ... any what the function is started with
function Task:resume(...)
  if self.done or coroutines.status(self.thread) ~= "suspended" then
    return
  end
  self.serial = self.serial + 1
  settle(self, coroutines.resume(self.thread, ...))
end

local function results(self)
  if self.failure then
    error(self.failure[1], 0)
  end
  return unpack(self.values, 1, self.values.n)
end

--- Wait for the end of the function.
---@param timeout number? seconds; default: as long as it takes
---@return any ... what the function returned; its error is raised again
---@return codecell.Error? err after nil: kind "timeout" or "cancelled"
function Task:wait(timeout)
  options.timeout("wait", timeout, 3)
  local deadline = wait.deadline(timeout)
  while not self.done do
    if not wait.key(self, deadline) then
      return nil, wait.failure("wait", timeout)
    end
  end
  return results(self)
end

--- What the function returned, without waiting.
---@return any ... false as long as it runs
function Task:poll()
  if not self.done then
    return false
  end
  return results(self)
end

--- Every wait of the function, the present one and those that follow, ends with the error
--- "cancelled".
---@return boolean cancelled false if it had ended
function Task:cancel()
  if self.done then
    return false
  end
  self.cancelled = true
  reactor.make_ready(self)
  return true
end

local function start(self, called, ...)
  local loop, err = reactor.get()
  if not loop then
    return nil, err
  end
  self.thread = coroutines.create(called)
  setmetatable(self, Task)
  wait.claim(self.thread, self)
  self:resume(...)
  return self
end

--- Start a function that may wait while others run.
---@param called function runs now, until its first wait
---@param ... any its arguments
---@return codecell.Task? task
---@return codecell.Error? err kind "system"
function task.async(called, ...)
  if type(called) ~= "function" then
    error(("async: function expected, got %s"):format(type(called)), 2)
  end
  return start({ serial = 0 }, called, ...)
end

--- Start a function whose waits keep no program and no loop alive.
---@param called function as of `async`
---@param ... any its arguments
---@return codecell.Task? task
---@return codecell.Error? err kind "system"
function task.background(called, ...)
  return start({ serial = 0, is_background = true }, called, ...)
end

return task
