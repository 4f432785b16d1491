--- codecell.Run: code that runs while the program goes on.
local callbacks = require "codecell.callbacks"
local errors = require "codecell.errors"
local history = require "codecell.sandbox.history"
local options = require "codecell.options"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local signals = require "codecell.process.signals"
local wait = require "codecell.wait"

local run = {}

local LIFETIME = { above = 0, most = 86400 }

---@class codecell.Run
---@field package task codecell.Task
---@field package kernel codecell.Kernel
---@field package sandbox codecell.Sandbox
local Run = {}
Run.__index = Run

--- Start a cell.
---@param sandbox codecell.Sandbox
---@param kernel codecell.Kernel
---@param job table as of `Kernel:execute`, without `call`; and `on_exit`
---@return codecell.Run
function run.start(sandbox, kernel, job)
  local self = setmetatable({ kernel = kernel, job = job }, Run)
  job.parent = sandbox._witness and sandbox._witness.here()
  job.call = callbacks.caller(job) -- one that raises ends the run
  self.sandbox = sandbox
  self.task = callbacks.start(job, function()
    local done, err = history.execute(sandbox, kernel, job)
    self.is_over = true
    if job.on_exit then
      job.call(job.on_exit, done, err)
    end
    return done, err
  end)
  sandbox._pause.waiting[self.task] = true
  return self
end

--- Wait for the end of the code.
---@param timeout number? seconds; default: as long as it may run
---@return codecell.Execution? execution; what a callback has raised is raised here
---@return codecell.Error? err kind "timeout" when it still runs, or its sandbox was paused at its
---deadline, and those of run_code
function Run:wait(timeout)
  options.timeout("wait", timeout, 3)
  local deadline = wait.deadline(timeout)
  while not self.task.done do
    local over = pause.over(self.sandbox, "wait")
    if over or not wait.key(self.task, deadline) then
      return nil, over or wait.failure("wait", timeout)
    end
  end
  return self:poll()
end

--- The execution, without waiting.
---@return codecell.Execution|false|nil execution false as long as it runs
---@return codecell.Error? err after nil
function Run:poll()
  if self.task.done and self.job.raised then -- perhaps since the code has ended
    error(self.job.raised[1], 0)
  end
  return self.task:poll()
end

--- Let it take so many seconds from now, instead of the rest of its time.
---@param seconds number above 0, at most 86 400
---@return boolean? done false if it had ended
---@return codecell.Error? err kind "unsupported": not on this backend
function Run:set_timeout(seconds)
  options.argument("set_timeout", "seconds", seconds, "number", LIFETIME)
  if self.task.done then
    return false
  elseif not self.job.clock then
    return nil, errors.unsupported("set_timeout of a run", self.sandbox.backend,
      "give start_code a longer timeout")
  end
  pause.extend(self.sandbox, self.job, seconds)
  return true
end

--- Send a signal to its interpreter; code that still waits for its turn is cancelled.
---@param signal string|integer|nil "sigterm", "SIGTERM", 15; default SIGKILL
---@return boolean sent false if it had ended
function Run:kill(signal)
  local number = signals.number("kill", signal, 2)
  if self.task.done then
    return false
  end
  if self.sandbox._witness then
    self.sandbox._witness.tell(self.sandbox, "signal", { context = self.kernel.context.id,
      signal = number })
  end
  local sent = self.kernel:signal(self.job, number)
  if sent == nil then
    return self.task:cancel()
  end
  return sent
end

--- Whether it has ended, or is about to.
---@return boolean
function Run:is_closing()
  reactor.get():step(0)
  return self.task.done == true
end

return run
