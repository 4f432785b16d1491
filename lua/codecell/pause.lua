--- Pausing: the code of a sandbox stands still, and the time that it was given with it.
---
--- Every process that the code has started is stopped and goes on by signals; the sandbox itself
--- still answers for its files, and ends at its own deadline, which goes on.
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local STOP, CONTINUE = 19, 18
local ESRCH = 3 -- nothing runs that could be stopped
local LEAST = 1 -- seconds: how often a wait looks again meanwhile

local pause = {}

-- Seconds that it has stood still in all.
local function stood(state)
  return state.total + (state.since and reactor.now() - state.since or 0)
end

--- What `pause.clock` and the others of this file ask a sandbox for.
---@return table
function pause.new()
  return { total = 0 }
end

---@param sandbox codecell.Sandbox
---@return boolean
function pause.is_paused(sandbox)
  return sandbox._pause.since ~= nil
end

--- Why nothing can be started.
---@param sandbox codecell.Sandbox
---@param verb string
---@return codecell.Error? err kind "unavailable"; nil: it is not paused
function pause.refusal(sandbox, verb)
  if sandbox._pause.since then
    return errors.new("unavailable", verb .. ": the sandbox is paused; call resume first")
  end
end

--- A deadline that moves on while the sandbox is paused.
---@param sandbox codecell.Sandbox
---@param deadline number?
---@return fun(): number? now where it is at the moment
---@return fun(): boolean has_time whether it has not come, nor was who waits for it cancelled
function pause.clock(sandbox, deadline)
  local state = sandbox._pause
  local before = stood(state)
  local function now()
    if not deadline or not state.since and state.total == before then
      return deadline
    end
    local moved = deadline + stood(state) - before
    return state.since and math.max(moved, reactor.now() + LEAST) or moved
  end
  return now, function()
    local task = wait.task()
    return not (task and task.cancelled) and (not deadline or reactor.now() < now())
  end
end

local function signal(sandbox, verb, number)
  local done, err = sandbox._backend.ask(sandbox, verb, "signal", 0, number, false)
  if not done and err.errno ~= ESRCH then
    return nil, err
  end
  return true
end

--- Stop everything that runs.
---@param sandbox codecell.Sandbox
---@return true? paused
---@return codecell.Error? err
function pause.pause(sandbox)
  local state = sandbox._pause
  if state.since then
    return true
  end
  state.since = reactor.now() -- first: nothing may start meanwhile
  local ok, err = signal(sandbox, "pause", STOP)
  if not ok then -- who was cancelled has stopped it all the same
    pause.resume(sandbox)
    state.since = nil
  end
  return ok, err
end

local function wake(process)
  if process and not process:_closed() then
    reactor.wake(process:_token()) -- its deadline is nearer now
  end
end

--- Let everything go on.
---@param sandbox codecell.Sandbox
---@return true? running
---@return codecell.Error? err kind "sandbox_gone": it has ended meanwhile
function pause.resume(sandbox)
  local state = sandbox._pause
  local ok, err = signal(sandbox, "resume", CONTINUE)
  if not ok and err.kind ~= "cancelled" then
    return nil, err
  end
  if state.since then -- who was cancelled has told it all the same
    state.total, state.since = stood(state), nil
  end
  for _, runner in pairs(sandbox._contexts.kernels) do
    wake(runner.process)
  end
  for process in pairs(sandbox._processes) do
    wake(process)
  end
  return ok, err
end

return pause
