--- How what goes on in the background calls the user's functions.
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local WAITING_MOST = 64 -- callbacks of one run that have not ended
local PATIENCE = 1 -- seconds that they may keep it from going on

local callbacks = {}

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

-- The run stops at its next look, also when it waits for its process.
local function note(job, problem)
  job.raised = job.raised or { problem }
  local process = job.process
  if process and not process:_closed() then
    reactor.wake(process:_token())
  end
end

--- What calls the callbacks of one run: each in a coroutine of its own, so that it may wait.
---@param job table `process`: what runs it now; `raised` is set to hold what one of them has raised
---@return fun(called: function, ...: any): boolean, any call returns false and what was raised
function callbacks.caller(job)
  local waiting = {}
  return function(called, ...)
    if job.is_starting then
      wait.key(job)
    end
    make_room(waiting)
    local started, err = task.async(function(...)
      local ok, problem = wait.call(called, ...)
      if not ok then
        note(job, problem)
      end
    end, ...)
    if not started or job.raised then
      return false, not started and err or job.raised[1]
    end
    if not started.done then
      waiting[#waiting + 1] = started
    end
    return true
  end
end

--- Start a run. None of its callbacks is called before this has returned.
---@param job table as of `callbacks.caller`
---@param called function
---@param ... any its arguments
---@return codecell.Task? task
---@return codecell.Error? err kind "system"
function callbacks.start(job, called, ...)
  job.is_starting = true
  local started, err = task.async(called, ...)
  job.is_starting = nil
  reactor.wake(job)
  return started, err
end

return callbacks
