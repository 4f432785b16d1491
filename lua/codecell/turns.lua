--- Turns: the cells of a context run one at a time, in the order in which they were asked for.
local changes = require "codecell.changes"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local turns = {}

local function leave_line(self, turn)
  for i = #self.line, 1, -1 do
    if self.line[i] == turn then
      table.remove(self.line, i)
    end
  end
end

local function take(self, deadline, timeout)
  local me, task = coroutine.running() or "main", wait.task()
  if self.owner == me or task and self.owner_task == task then
    return nil, errors.new("invalid_argument",
      "run_code: a callback cannot run code in the context of its own cell; use another context")
  end
  local turn = {}
  self.line[#self.line + 1] = turn
  while self.owner or self.line[1] ~= turn do
    if not wait.key(self, deadline) then
      leave_line(self, turn)
      reactor.wake(self)
      return nil, wait.failure("run_code: waiting for the context", timeout)
    end
  end
  leave_line(self, turn)
  self.owner, self.owner_task = me, task
  return true
end

local function give_back(self)
  self.owner, self.owner_task = nil, nil
  reactor.wake(self)
end

--- Run a cell when it is its turn.
---@param self table what runs the cells of a context: `sandbox`, `context`, `line`, which starts
---empty, `count` of the last cell, and `is_removed` once the context is
---@param job table code, timeout, `call` (how callbacks are called), and the options of run_code
---@param body function of self, job, the time when the cell was asked for, its deadline: an
---execution or nil, err; besides an execution, a table that holds what a callback raised. It sets
---`job.changes` by `changes.begin` before the code runs
---@return codecell.Execution? execution
---@return codecell.Error? err
function turns.execute(self, job, body)
  local began = reactor.now()
  local deadline = wait.deadline(job.timeout)
  local refusal = wait.refusal("run_code")
  if refusal then
    return nil, refusal
  end
  local taken, err = take(self, deadline, job.timeout)
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
    done, err = body(self, job, began, deadline)
    changes.finish(job.changes, done)
  end
  give_back(self)
  if done and err then
    error(err[1], 0) -- what the user's callback raised
  end
  return done, err
end

return turns
