--- Pausing: the code of a sandbox stands still, and the time that it was given with it.
---
--- Every process that the code has started is stopped and goes on by signals; the sandbox itself
--- still answers for its files, and ends at its own deadline, which goes on. With `on_timeout =
--- "pause"` it is paused at its deadline, by itself, and has no deadline until it is resumed. Who
--- waits for it then is told so: nobody else may be there to resume it.
local core = require "codecell.core"
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local STOP, CONTINUE = 19, 18
local ESRCH = core.errno.ESRCH -- nothing runs that could be stopped
local EBUSY = core.errno.EBUSY -- its processes wake each other up
local LEAST = 1 -- seconds: how often a wait looks again meanwhile

local pause = {}

-- Seconds that it has stood still in all.
local function stood(state)
  return state.total + (state.since and reactor.now() - state.since or 0)
end

--- What `pause.clock` and the others of this file ask a sandbox for.
---@return table state `waiting` has processes, and tasks of runs
function pause.new()
  return { total = 0, holders = 0, waiting = setmetatable({}, { __mode = "k" }) }
end

local function wake_process(process)
  if not process:_closed() then
    reactor.wake(process:_token())
  end
end

-- Who waits for one that stands still learns it, or that it goes on.
local function wake_all(sandbox)
  for _, runner in pairs(sandbox._contexts.kernels) do
    reactor.wake(runner)
    if runner.process then
      wake_process(runner.process)
    end
  end
  for key in pairs(sandbox._pause.waiting) do
    if type(key) == "userdata" then
      wake_process(key)
    else
      reactor.wake(key)
    end
  end
end

-- Told in a coroutine of its own; what it raises is raised by the next codecell.step.
local function tell_user(sandbox)
  local called = sandbox._on_event
  if called then
    task.async(function()
      local ok, problem = wait.call(called, { type = "paused", sandbox = sandbox.id })
      if not ok then
        reactor.fail(tostring(problem))
      end
    end)
  end
end

--- Whether it has been paused by its deadline, as far as the reactor knows.
---@param sandbox codecell.Sandbox
---@return boolean
function pause.is_over(sandbox)
  local state = sandbox._pause
  if not state.by_deadline or state.is_over or not sandbox:_paused() then
    return state.is_over == true
  end
  state.is_over, state.since = true, state.since or reactor.now()
  wake_all(sandbox)
  tell_user(sandbox)
  return true
end

--- Why a wait that has a time of its own is given up: the deadline of the sandbox has paused it.
---@param sandbox codecell.Sandbox
---@param verb string
---@return codecell.Error? err kind "timeout"; nil: it has not
function pause.over(sandbox, verb)
  if pause.is_over(sandbox) then
    return errors.new("timeout",
      verb .. ": the sandbox reached its deadline and is paused; resume gives it time again")
  end
end

--- Let a new sandbox be paused at its deadline, if it is to be, instead of ended.
---@param sandbox codecell.Sandbox
---@param given table checked options of create
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err it has ended already
function pause.begin(sandbox, given)
  if given.on_timeout ~= "pause" then
    return sandbox
  end
  local ok, err = sandbox:_deadline(given.timeout, true)
  if not ok then
    sandbox:close()
    return nil, err
  end
  sandbox._pause.by_deadline = true
  local weak = setmetatable({ sandbox }, { __mode = "v" })
  reactor.listen(sandbox:_token(), function()
    local known = weak[1]
    if not known or known:_closed() then
      return false
    end
    pause.is_over(known)
    return true
  end)
  return sandbox
end

--- Let it end, or pause, so many seconds from now. One that is paused stays so.
---@param sandbox codecell.Sandbox
---@param seconds number
---@return true? done
---@return codecell.Error? err
function pause.put_off(sandbox, seconds)
  local state = sandbox._pause
  local ok, err = sandbox:_deadline(seconds, state.by_deadline == true)
  if ok then
    state.is_over = nil
  end
  return ok, err
end

---@param sandbox codecell.Sandbox
---@return boolean
function pause.is_paused(sandbox)
  local loop = sandbox._pause.by_deadline and reactor.get()
  if loop then
    loop:try_step(0) -- it may have come while nobody stepped
  end
  return pause.is_over(sandbox) or sandbox._pause.since ~= nil
end

--- Why nothing can be started.
---@param sandbox codecell.Sandbox
---@param verb string
---@return codecell.Error? err kind "unavailable"; nil: it is not paused
function pause.refusal(sandbox, verb)
  if sandbox._frozen then
    return errors.new("unavailable", verb .. ": the sandbox is frozen; unfreeze it first")
  elseif pause.is_paused(sandbox) then
    return errors.new("unavailable", verb .. ": the sandbox is paused; call resume first")
  end
end

--- A deadline that moves on while the sandbox is paused.
---@param sandbox codecell.Sandbox
---@param deadline number?
---@param job table? whose time may be made longer meanwhile: see `pause.extend`
---@return fun(): number? now where it is at the moment
---@return fun(): boolean has_time whether it has not come, nor was who waits for it cancelled
function pause.clock(sandbox, deadline, job)
  local state = sandbox._pause
  local before, added = stood(state), job and job.added or 0
  local function now()
    if not deadline then
      return nil
    end
    local moved = deadline + stood(state) - before + (job and job.added or 0) - added
    return state.since and math.max(moved, reactor.now() + LEAST) or moved
  end
  if job then
    job.clock = now
  end
  return now, function()
    local waiting = wait.task()
    return not (waiting and waiting.cancelled) and (not deadline or reactor.now() < now())
  end
end

--- Let a job take so many seconds from now.
---@param sandbox codecell.Sandbox
---@param job table that runs or waits for its turn
---@param seconds number
function pause.extend(sandbox, job, seconds)
  local by = reactor.now() + seconds - job.clock()
  job.added, job.timeout = (job.added or 0) + by, job.timeout + by
  wake_all(sandbox)
end

local function signal(sandbox, verb, number)
  local done, err = sandbox._backend.ask(sandbox, verb, "signal", 0, number, false)
  if not done and err.errno == EBUSY then
    return nil, errors.new("unavailable", verb .. ": the code keeps itself from being stopped",
      "kill the sandbox")
  elseif not done and err.errno ~= ESRCH then
    return nil, err
  end
  return true
end

-- One that its deadline has paused is given as much time again.
local function go_on(sandbox)
  local state = sandbox._pause
  local ok, err = true, nil
  if pause.is_paused(sandbox) and pause.is_over(sandbox) then
    ok, err = sandbox:set_timeout(sandbox._about.lifetime)
  end
  if ok then
    ok, err = signal(sandbox, "resume", CONTINUE)
  end
  if not ok and err.kind ~= "cancelled" then
    return nil, err
  end
  if state.since then -- who was cancelled has told it all the same
    state.total, state.since = stood(state), nil
  end
  wake_all(sandbox) -- the deadlines are nearer now
  return ok, err
end

local function stop(sandbox)
  local state = sandbox._pause
  if state.since then
    return true
  end
  state.since = reactor.now() -- first: nothing may start meanwhile
  local ok, err = signal(sandbox, "pause", STOP)
  if not ok then -- who was cancelled has stopped it all the same
    go_on(sandbox)
    state.since = nil
  end
  return ok, err
end

--- Stop everything that runs.
---@param sandbox codecell.Sandbox
---@return true? paused
---@return codecell.Error? err
function pause.pause(sandbox)
  sandbox._pause.goes_on = nil
  return stop(sandbox)
end

--- Let everything go on, at once, or when what holds it is done.
---@param sandbox codecell.Sandbox
---@return true? running
---@return codecell.Error? err kind "sandbox_gone": it has ended meanwhile
function pause.resume(sandbox)
  local state = sandbox._pause
  if state.holders > 0 then
    state.goes_on = true
    return true
  end
  return go_on(sandbox)
end

--- Stop it for as long as something is done with its files, until `release`. Several may hold it.
---@param sandbox codecell.Sandbox
---@return true? held
---@return codecell.Error? err
function pause.hold(sandbox)
  local state = sandbox._pause
  state.goes_on = state.goes_on or not pause.is_paused(sandbox)
  state.holders = state.holders + 1 -- first: it is not to be resumed meanwhile
  local ok, err = stop(sandbox)
  if not ok then
    pause.release(sandbox)
  end
  return ok, err
end

--- Let it go on if nobody else holds it, and it was not paused before or since.
---@param sandbox codecell.Sandbox
---@return true? done
---@return codecell.Error? err
function pause.release(sandbox)
  local state = sandbox._pause
  state.holders = state.holders - 1
  if state.holders > 0 or not state.goes_on or sandbox:_closed() then
    return true
  end
  state.goes_on = nil
  return go_on(sandbox)
end

return pause
