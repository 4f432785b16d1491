--- What a kernel has not finished: a cell that was interrupted, or that nobody waits for any more.
--- The next one waits until it has ended.
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local INTERRUPT = 2 -- SIGINT
local GRACE = 1 -- seconds from the interrupt to the end of the process
local AGAIN, BETWEEN = 0.7, 0.1 -- seconds until it is sent once more, and then again

local unfinished = {}

--- Ask the running cell to stop.
---@param self codecell.Kernel
function unfinished.interrupt(self)
  local run = self.run
  if run and self.process and not self.unfinished then
    run.is_stopping = true
    local request = self.process:_signal(INTERRUPT, true)
    self.unfinished = { run = run, request = request, deadline = wait.deadline(GRACE),
      again = wait.deadline(AGAIN) }
  end
end

--- Let the running cell go on without anybody who waits for it.
---@param self codecell.Kernel
---@param run codecell.Cell
function unfinished.leave(self, run)
  self.unfinished = { run = run, is_left = true }
end

-- An interrupt may come when nobody hears it: when a shell has just seen a program end, or in a
-- finalizer, whose errors are dropped.
local function interrupt_again(self, rest)
  if rest.request then
    self.sandbox:_forget(rest.request) -- what comes later is answered later
  end
  rest.request = self.process:_signal(INTERRUPT, true)
  rest.again = wait.deadline(BETWEEN)
end

-- Wait for a cell that its sandbox's deadline has paused, and that nobody waits for any more:
-- "done", "dead", "paused" once more, or "late", when it has been interrupted.
local function settle_left(self, deadline)
  local process, run = self.process, self.unfinished.run
  run.callbacks, run.is_stopping, run.deadline = { call = run.callbacks.call }, true, deadline
  while true do
    local ended = run:receive(process)
    if ended == "done" or ended == "dead" then
      self.unfinished = nil
      return ended
    elseif pause.is_over(self.sandbox) then
      return "paused"
    elseif ended == "more" and reactor.now() < deadline then
      wait.turn(deadline)
    elseif ended == "more" or not wait.wait(process, deadline) then
      self.run, self.unfinished = run, nil
      unfinished.interrupt(self)
      return "late"
    end
    if self.process ~= process then
      return "dead"
    end
  end
end

--- Wait until it has ended. The answer to a signal is awaited too: it must not hit the next cell.
---@param self codecell.Kernel
---@param till number? until when one that was left may take; default: no longer than others
---@return "done"|"dead"|"stuck"|"paused" outcome stuck: after the grace; paused: it stands still
function unfinished.settle(self, till)
  if self.unfinished and self.unfinished.is_left then
    local outcome = settle_left(self, till or wait.deadline(GRACE))
    if outcome ~= "late" then
      return outcome
    end
  end
  local rest = self.unfinished
  if not rest then
    return "done"
  end
  local process, sandbox = self.process, self.sandbox
  local deadline = math.max(rest.deadline, reactor.now() + 0.1)
  rest.run.deadline = deadline
  local ended, delivered = false, not rest.request
  while not (ended and delivered) do
    if self.process ~= process then
      return "stuck"
    end
    ended = ended or rest.run:receive(process)
    if ended == "dead" then
      return ended
    elseif ended == "more" then
      ended = false
      wait.turn(deadline)
      if reactor.now() >= deadline then
        return "stuck"
      end
    end
    if not ended and rest.again and reactor.now() >= rest.again then
      interrupt_again(self, rest)
      delivered = not rest.request
    end
    delivered = delivered or sandbox:_answer(rest.request, "signal") ~= false
    if not (ended and delivered) then
      local again = not ended and rest.again
      local waited = wait.key(ended and sandbox:_token() or process:_token(),
        again and math.min(again, deadline) or deadline)
      if not waited and not (again and reactor.now() >= again) then
        return "stuck"
      end
    end
  end
  self.unfinished = nil
  return "done"
end

return unfinished
