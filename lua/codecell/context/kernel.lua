--- A kernel: the process that keeps the variables of one context.
---
--- It is started by the first cell, runs one cell at a time, and is replaced when it dies or does
--- not stop: its variables are then lost, which the execution says.
local cell = require "codecell.context.cell"
local changes = require "codecell.context.changes"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local languages = require "codecell.languages"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local turns = require "codecell.context.turns"
local unfinished = require "codecell.context.unfinished"
local wait = require "codecell.wait"

local ENV = 3 -- src/wire/protocol.h
local GRACE = 1 -- seconds until it is known why a process has ended
local VERSION_MOST = 64 -- bytes
local BUSY_MOST = 8 -- rounds in a row that found something

---@class codecell.Kernel
local Kernel = {}
Kernel.__index = Kernel

local kernel = {}

--- A kernel that has not been started yet.
---@param sandbox codecell.Sandbox
---@param context codecell.Context
---@return codecell.Kernel
function kernel.new(sandbox, context)
  return setmetatable({ sandbox = sandbox, context = context, cwd = context.cwd, line = {} },
    Kernel)
end

-- Why a process that was just started takes nothing: most often it could not be started.
local function why_not_started(process, err)
  local deadline = wait.deadline(GRACE)
  local state, reason = process:_state()
  while state == "starting" and wait.wait(process, deadline) do
    if process:_closed() then
      return err
    end
    state, reason = process:_state()
  end
  return state == "failed" and reason or err
end

--- Start the process, without waiting for it: what is sent to it meanwhile is read in order.
---@return boolean? started
---@return codecell.Error? err
function Kernel:start()
  local way, err = languages.way(self.context.language, true, self.sandbox._root)
  if not way or not way.arguments then -- its Jupyter kernel was taken away
    return nil, err or errors.new("unsupported",
      ("%s: it has no kernel any more; make a new context"):format(self.context.language))
  end
  local sandbox = self.sandbox
  if sandbox:_closed() then -- while the cell waited for the end of another
    return nil, errors.new("cancelled", "run_code: the sandbox was closed")
  end
  local is_session = sandbox._zygote == self.context.language
  sandbox._zygote = nil -- it serves once, and before anything else runs
  local process
  process, err = sandbox:_spawn({
    kind = "kernel",
    is_session = is_session,
    argv = way.arguments(way.program),
    envs = sandbox._environment:list(),
    cwd = self.cwd,
    output = sandbox._limits.output,
  })
  if not process then
    return nil, sandbox._backend.reason(sandbox, "run_code") or err
  end
  local sent
  sent, err = secrets.cover(sandbox, process)
  if not sent then
    return nil, err
  elseif way.parts and not is_session then
    sent, err = process:_send_program(way.parts)
  end
  if not sent then
    err = why_not_started(process, err)
    process:close()
    return nil, sandbox._backend.reason(sandbox, "run_code") or err
  end
  -- A session has the environment of its zygote: what was added comes with the first cell.
  self.process, self.version = process, is_session and 0 or sandbox._environment.version
  self.ready, self.prepare, self.is_session = false, way.language.prepare, is_session
  return true
end

--- Whether its process is there to take a cell.
---@return boolean
function Kernel:is_alive()
  local state = self.process and self.process:_state()
  return state == "running" or state == "starting"
end

--- End the process and forget its variables.
function Kernel:stop()
  local process, rest = self.process, self.unfinished
  self.process, self.unfinished, self.count, self.copy = nil, nil, nil, nil
  if rest and rest.request then
    self.sandbox:_forget(rest.request)
  end
  if process then
    process:close()
  end
end

-- What a kernel says before its first cell: its version, or why it cannot run any. What comes later
-- in its name was made up by code.
local function greet(self, parts)
  if self.ready then
    return nil
  end
  self.ready = true
  local refusal
  for i = 1, #parts, 2 do
    local name, value = parts[i], parts[i + 1]
    if name == "unsupported" then
      refusal = secrets.hide(self.sandbox, value):gsub("%c+", " ")
    elseif name == "version" and not self.sandbox._root and #value <= VERSION_MOST
      and value:find("^[%w.+~_-]+$") then
      languages.note_version(self.context.language, value)
    end
  end
  return refusal
end

-- ---- interruption ----

--- Ask the running cell to stop. The next one waits until it has.
function Kernel:interrupt()
  unfinished.interrupt(self)
end

--- Send a signal to the process, if it runs the cell of that job now.
---@param job table
---@param number integer
---@return boolean? sent nil: the cell still waits for its turn; false: it is about to end
function Kernel:signal(job, number)
  if not self.run or self.run.callbacks ~= job then
    return nil
  end
  return turns.signal(self, number)
end

-- ---- ends ----

local function replaced()
  return errors.new("cancelled", "run_code: the context was restarted or removed")
end

-- Who asks for too much at once is refused it, and an interpreter may take that for its own end.
local function gave_up(self, done)
  local language = languages.find(self.context.language)
  local printed = table.concat(done.logs.stderr)
  for _, words in ipairs(language and language.out_of_memory or {}) do
    if printed:find(words, 1, true) then
      return true
    end
  end
  return false
end

local function say_death(self, run)
  local process, sandbox = self.process, self.sandbox
  local deadline = wait.deadline(GRACE)
  local status = process:_exit()
  while not status and sandbox:_state() == "running" and wait.wait(process, deadline) do
    if self.process ~= process then
      return nil, replaced()
    end
    status = process:_exit()
  end
  local done, gone = run.execution, sandbox._backend.reason(sandbox, "run_code")
  if gone and gone.kind ~= "out_of_memory" then
    return nil, gone
  end
  done.state_lost, self.lost = true, true
  done.out_of_memory = gone ~= nil or status and (status.out_of_memory or gave_up(self, done))
    or false
  if done.out_of_memory then
    run:fail(execution.hog())
  else
    local how = "closed its connection"
    if status and status.signal ~= 0 then
      how = "was ended by " .. require("codecell.process.signals").name(status.signal)
    elseif status then
      how = ("exited with status %d"):format(status.code)
    end
    local died = execution.mishap("KernelDiedError",
      ("the interpreter %s; its variables are lost"):format(how))
    died.exit_code = status and status.signal == 0 and status.code or nil
    run:fail(died)
  end
  return true
end

-- Stop a cell that must not go on; all that it printed is kept.
local function stop_cell(self, run)
  self:interrupt()
  local outcome = unfinished.settle(self)
  if outcome ~= "done" and self.process then
    self.process:_drain() -- an end that was announced has done it
  end
  if self.process then
    run:finish(self.process)
  end
  if outcome ~= "done" then
    self:stop()
    run.execution.state_lost, self.lost = true, true
  end
end

local function say_timeout(self, run, timeout)
  stop_cell(self, run)
  run.execution.timed_out = true
  run:fail(execution.late(timeout))
end

-- Wait for the end of the cell: "done", "dead", "late", "problem", or nil, err.
local function follow(self, run, job)
  local process, busy = self.process, 0
  local clock, has_time = pause.clock(self.sandbox, job.clock(), job)
  while true do
    if self.process ~= process then
      return nil, replaced()
    end
    job.measure:look()
    local deadline = clock()
    run.deadline = deadline
    local ended = run:receive(process)
    local more = ended == "more"
    ended = not more and ended
    local called = not ended and run:hand_over(process)
    run.problem = run.problem or run.callbacks.raised
    if run.problem or ended and ended ~= "dead" then
      return run.problem and "problem" or ended
    end
    if self.process ~= process then -- a callback has restarted the context
      return nil, replaced()
    end
    if not ended and run.callbacks.is_awaited and pause.is_over(self.sandbox) then
      return "paused"
    end
    local state, err = process:_state()
    if state == "failed" then
      return nil, err
    elseif ended then
      return ended
    elseif state == "exited" and not more then
      ended = run:receive(process)
      more = ended == "more"
      if not more then
        return ended or "dead"
      end
    end
    busy = (called or more) and busy + 1 or 0
    if more or busy > BUSY_MOST then
      wait.turn(deadline)
    end
    if busy == 0 and not wait.wait(process, wait.earlier(deadline, job.measure.due))
      or busy > 0 and reactor.now() >= deadline then
      if not has_time() then
        local task = wait.task()
        return task and task.cancelled and "cancelled" or "late"
      end
    end
  end
end

local function send(self, run)
  local process, environment = self.process, self.sandbox._environment
  if self.version ~= environment.version then
    local parts = {}
    for name, value in pairs(environment.added) do
      parts[#parts + 1] = "env"
      parts[#parts + 1] = name .. "=" .. value
    end
    process:_send(ENV, 0, parts)
    self.version = environment.version
  end
  process:_restart()
  run.callbacks.process = process
  return run:send(process)
end

-- What the end of a cell amounts to: true, or nil, err when nobody can know.
local function conclude(self, run, ended, timeout)
  local process = self.process
  if ended == "done" then
    run:finish(process)
    if self.process ~= process then -- a callback has restarted the context
      return nil, replaced()
    end
  elseif ended == "problem" then
    stop_cell(self, run)
  elseif ended == "late" then
    say_timeout(self, run, timeout)
  elseif ended == "cancelled" then
    self:interrupt()
    return nil, wait.failure("run_code")
  elseif ended == "paused" then
    unfinished.leave(self, run)
    return nil, pause.over(self.sandbox, "run_code")
  elseif ended == "refused" then
    self:stop()
    return nil, errors.new("unsupported",
      ("%s: %s"):format(self.context.language, run.refusal), run.refusal)
  else
    if self.process then
      self.process:_drain()
      run:finish(self.process)
    end
    if not self.process then -- a callback has restarted the context
      return nil, replaced()
    end
    local ok, err = say_death(self, run)
    self:stop()
    return ok, err
  end
  return true
end

-- A process that takes cells, whatever the last one left behind.
local function ensure(self, deadline)
  local outcome = unfinished.settle(self, deadline)
  if outcome == "paused" then
    return nil, pause.over(self.sandbox, "run_code")
  elseif outcome ~= "done" or self.process and self.process:_state() == "exited" then
    self:stop()
    self.lost = true
  end
  if self.process then
    return true
  end
  return self:start()
end

-- Another process for a cell that the last one did not take any more.
local function replace(self, run)
  self:stop()
  self.lost = true
  local gone = self.sandbox._backend.reason(self.sandbox, "run_code")
  if gone then
    return nil, gone
  end
  local ok, err = self:start()
  if not ok then
    return nil, err
  end
  ok, err = send(self, run)
  if not ok then
    return nil, why_not_started(self.process, err)
  end
  return true
end

--- Wait until an interrupted cell is over, or replace the process that it holds.
---@return boolean? there
---@return codecell.Error? err
function Kernel:settle()
  return ensure(self)
end

-- Its zygote has ended just before: it never was.
local function was_not_forked(self)
  return self.is_session and self.process ~= nil and self.process:_state() == "failed"
    and self.sandbox:_state() == "running"
end

local function run_cell(self, job, began, deadline)
  local locked = reactor.now()
  local ok, err = ensure(self, deadline)
  if not ok then
    return nil, err
  end
  local run = cell.new(self.context, job, self.sandbox._limits.output, deadline)
  run.prepare, run.mask = self.prepare, self.sandbox._mask
  run.greeted = self.ready ~= true and function(parts) return greet(self, parts) end
  local created = reactor.now()
  local process = self.process
  job.changes = changes.begin(self.sandbox)
  if self.process ~= process then -- while that waited
    return nil, replaced()
  end
  ok, err = send(self, run)
  if not ok and err.kind == "unavailable" then -- it ended since; nothing has begun to run
    ok, err = replace(self, run)
  end
  if not ok then
    return nil, err
  end
  run.execution.state_lost, self.lost = self.lost == true, nil
  self.run = run
  local ended
  ended, err = follow(self, run, job)
  if not ended and not job.sort and was_not_forked(self) then
    ok, err = replace(self, run)
    self.lost = nil -- there was nothing yet
    if ok then
      ended, err = follow(self, run, job)
    end
  end
  if not ended then
    self:stop()
    return nil, err
  end
  ok, err = conclude(self, run, ended, job.timeout)
  if not ok then
    return nil, err
  end
  local done, now = run.execution, reactor.now()
  if job.sort ~= "completion" then
    self.count = self.process and not job.sort and done.execution_count or nil
  end
  local timings = done.timings
  timings.queue, timings.create, timings.run = locked - began, created - locked, now - created
  done.seconds = now - began
  return done, run.problem
end

--- Run a cell.
---@param job table code, timeout, `call` (how callbacks are called), and the options of run_code;
---`sort`: "rehearsal" or "completion", where it is no cell of the user's
---@return codecell.Execution? execution
---@return codecell.Error? err
function Kernel:execute(job)
  return turns.execute(self, job, function(...)
    local done, err = run_cell(...)
    self.run = self.unfinished and self.run or nil
    return done, err
  end)
end

return kernel
