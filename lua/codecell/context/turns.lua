--- Turns: the cells of a context run one at a time, in the order in which they were asked for.
local changes = require "codecell.context.changes"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local usage = require "codecell.sandbox.usage"
local wait = require "codecell.wait"

local turns = {}

local function leave_line(self, turn)
  for i = #self.line, 1, -1 do
    if self.line[i] == turn then
      table.remove(self.line, i)
    end
  end
end

-- Who has to wait is given the time back for which the sandbox is paused.
local function wait_in_line(self, verb, turn, deadline, job)
  local clock, has_time = pause.clock(self.sandbox, deadline, job)
  while self.owner or self.line[1] ~= turn do
    local over = job.is_awaited and pause.over(self.sandbox, verb)
    if over or not wait.key(self, clock()) and not has_time() then
      leave_line(self, turn)
      reactor.wake(self)
      return nil, over or wait.failure(verb .. ": waiting for the context", job.timeout)
    end
  end
  return clock()
end

-- The deadline as it is when it is our turn; or nil, err.
local function take(self, verb, deadline, job)
  local me, task = coroutine.running() or "main", wait.task()
  if self.owner == me or task and self.owner_task == task then
    return nil, errors.new("invalid_argument",
      verb .. ": a callback cannot do that in the context of its own cell; use another context")
  end
  local turn = {}
  self.line[#self.line + 1] = turn
  if self.owner or self.line[1] ~= turn then
    local err
    deadline, err = wait_in_line(self, verb, turn, deadline, job)
    if not deadline then
      return nil, err
    end
  end
  leave_line(self, turn)
  self.owner, self.owner_task = me, task
  return deadline
end

local function give_back(self)
  self.owner, self.owner_task = nil, nil
  reactor.wake(self)
end

--- Run a cell when it is its turn.
---@param self table what runs the cells of a context: `sandbox`, `context`, `line`, which starts
---empty, `count` of the last cell, and `is_removed` once the context is
---@param job table code, timeout, `call` (how callbacks are called), `is_awaited` by a verb, and
---the options of run_code
---@param body function of self, job, the time when the cell was asked for, its deadline: an
---execution or nil, err; besides an execution, a table that holds what a callback raised. It sets
---`job.changes` by `changes.begin` before the code runs, and lets `job.measure` look while it does
---@return codecell.Execution? execution
---@return codecell.Error? err
function turns.execute(self, job, body)
  local began = reactor.now()
  local deadline = wait.deadline(job.timeout)
  local refusal = wait.refusal("run_code")
  if refusal then
    return nil, refusal
  end
  pause.clock(self.sandbox, deadline, job) -- from now on it can be extended
  local taken, err = take(self, "run_code", deadline, job)
  if not taken then
    return nil, err
  end
  local done
  if self.sandbox:_closed() then -- while this one waited
    err = errors.new("cancelled", "run_code: the sandbox was closed")
  elseif self.is_removed then
    err = errors.new("cancelled", "run_code: the context was removed")
  elseif not job.code:find("%S") then -- nothing runs, and nothing is counted
    done = execution.new(self.context.language, self.context.id)
    done.execution_count = (self.count or 0) + 1
  else
    job.measure = usage.begin(self.sandbox)
    done, err = body(self, job, began, job.clock())
    changes.finish(job.changes, done)
    if done then
      done.usage = job.measure:finish()
    else
      job.measure:forget()
    end
  end
  give_back(self)
  if done and err then
    error(err[1], 0) -- what the user's callback raised
  end
  return done, err
end

--- Do something to a context while none of its cells runs.
---@param self table as of `execute`
---@param verb string
---@param timeout number seconds that the cells before may take
---@param body fun(): any, codecell.Error?
---@return any what `body` returns
---@return codecell.Error? err
function turns.hold(self, verb, timeout, body)
  local deadline = wait.deadline(timeout)
  local err = wait.refusal(verb)
  if err then
    return nil, err
  end
  local ok
  ok, err = take(self, verb, deadline, { timeout = timeout, is_awaited = true })
  if not ok then
    return nil, err
  end
  local value
  if self.sandbox:_closed() then -- while this one waited
    err = errors.new("cancelled", verb .. ": the sandbox was closed")
  elseif self.is_removed then
    err = errors.new("cancelled", verb .. ": the context was removed")
  else
    value, err = body()
  end
  give_back(self)
  return value, err
end

--- Send a signal to the process of what runs now, and to those that it has started.
---@param self codecell.Kernel|codecell.Program
---@param number integer
---@return boolean sent
function turns.signal(self, number)
  local request = self.process and self.process:_signal(number, true)
  if request then
    self.sandbox:_forget(request) -- what becomes of the run is the answer
  end
  return request ~= nil
end

return turns
