--- The reactor of this Lua state, and who waits for what it brings.
---
--- A parked task is found by the key that it waits for: the token of a C object, or any Lua value
--- that another task wakes. Everything runs inside `step`; nothing runs by itself.
local core = require "codecell.core"

-- Who waits is known in one place a Lua state, as the methods of its C objects are: where the
-- library is loaded again, as editors do with plugins, what was made before still waits.
local Reactor = core.Reactor
local once = Reactor._once or {}
if once.reactor then
  return once.reactor
end

local reactor = { once = once } -- modules that are loaded once, by name
Reactor._once, once.reactor = once, reactor
local current          -- the C object, made at first use
local parked = {}      -- key -> { task, ... }
local ready = {}       -- tasks to resume in the next step, in order
local ready_count = 0
local alarms = {}      -- binary heap of { at = deadline, task =, serial = }
local alarm_count = 0
local ALARMS_LEAST = 64
local alarms_most = ALARMS_LEAST -- how many there may be until the stale ones are looked for
local armed            -- deadline that the C object will ring at
local parked_count = 0 -- tasks that have not been resumed yet, without those of the background
local watcher          -- of the attached host
local told             -- what the watcher knows
local listeners = {}   -- token -> functions called in the step that brings news
local failures = {}    -- what ended coroutines that nobody else hears of

-- A forked copy of the host inherits tables that speak of the original's sandboxes.
local function forget_everything()
  parked, ready, ready_count, alarms, alarm_count, armed = {}, {}, 0, {}, 0, nil
  parked_count, listeners = 0, {}
end

local function tell_watcher()
  local busy = parked_count > 0
  if watcher and busy ~= told then
    told = busy
    watcher(busy)
  end
end

--- Have a host told whether anybody is parked: its loop must go on while somebody is.
---@param called? fun(busy: boolean) called at once with the present state, then at each change
function reactor.watch(called)
  watcher, told = called, nil
  tell_watcher()
end

--- The state's reactor; a forked copy of the process gets a new one.
---@return codecell.Reactor? reactor
---@return codecell.Error? err kind "system"
function reactor.get()
  if current and current:_owned() then
    return current
  end
  if current then
    forget_everything()
    current:close()
    current = nil
  end
  local made, err = core.reactor()
  if not made then
    return nil, err
  end
  current = made
  return made
end

---@return number seconds of the clock that deadlines are of
function reactor.now()
  return current:now()
end

local push_alarm

-- Those of tasks that have gone on stay in the heap. When they may be most of it they are let go,
-- and with them all that such tasks hold.
local function let_go_of_stale()
  local old, count = alarms, alarm_count
  alarms, alarm_count, alarms_most = {}, 0, math.huge
  for i = 1, count do
    if old[i].serial == old[i].task.serial then
      push_alarm(old[i])
    end
  end
  alarms_most = math.max(ALARMS_LEAST, 2 * alarm_count)
end

function push_alarm(entry)
  if alarm_count >= alarms_most then
    let_go_of_stale()
  end
  alarm_count = alarm_count + 1
  local i = alarm_count
  while i > 1 do
    local above = (i - i % 2) / 2
    if alarms[above].at <= entry.at then
      break
    end
    alarms[i], i = alarms[above], above
  end
  alarms[i] = entry
end

local function pop_alarm()
  local top, last = alarms[1], alarms[alarm_count]
  alarms[alarm_count] = nil
  alarm_count = alarm_count - 1
  local i = 1
  while alarm_count > 0 do
    local below = 2 * i
    if below < alarm_count and alarms[below + 1].at < alarms[below].at then
      below = below + 1
    end
    if below > alarm_count or last.at <= alarms[below].at then
      break
    end
    alarms[i], i = alarms[below], below
  end
  if alarm_count > 0 then
    alarms[i] = last
  end
  return top
end

-- The pollable descriptor must ring for what only Lua knows of.
local function set_alarm()
  while alarm_count > 0 and alarms[1].serial ~= alarms[1].task.serial do
    pop_alarm()
  end
  local at = ready_count > 0 and 0 or alarm_count > 0 and alarms[1].at or nil
  if at ~= armed then
    armed = at
    if current:_owned() then -- else it was closed: nobody steps it any more
      current:alarm(at)
    end
  end
end

--- Have `codecell.step` raise an error, after it has done its work.
---@param message string
function reactor.fail(message)
  failures[#failures + 1] = message
end

---@return string? message the oldest that has not been raised
function reactor.take_failure()
  return table.remove(failures, 1)
end

--- Remember a task that is about to yield.
---@param task table has `serial`, raised at each resume, and `resume`; with `is_background` no loop
---goes on for its sake
---@param key any token or value to wait for; nil: only the deadline
---@param deadline number? of `reactor.now`
function reactor.park(task, key, deadline)
  task.parked_at = key
  if not task.is_parked then
    task.is_parked = true
    parked_count = parked_count + (task.is_background and 0 or 1)
  end
  if key ~= nil then
    local list = parked[key]
    if list then
      list[#list + 1] = task
    else
      parked[key] = { task }
    end
  end
  if deadline then
    push_alarm({ at = deadline, task = task, serial = task.serial })
  end
  set_alarm()
  tell_watcher()
end

--- Have a function called whenever a token brings news, whoever waits for it.
---@param token integer
---@param called fun(): boolean false: no more; it must not wait
function reactor.listen(token, called)
  local list = listeners[token] or {}
  list[#list + 1] = called
  listeners[token] = list
end

local function tell_listeners(token)
  local list = listeners[token]
  for i = list and #list or 0, 1, -1 do
    if not list[i]() then
      table.remove(list, i)
    end
  end
  if list and #list == 0 then
    listeners[token] = nil
  end
end

--- Have a parked task resumed in the next step.
---@param task table
function reactor.make_ready(task)
  if task.is_ready then
    return
  end
  task.is_ready = true
  ready_count = ready_count + 1
  ready[ready_count] = task
  set_alarm()
end

--- Wake everyone who waits for that key.
---@param key any
function reactor.wake(key)
  local list = parked[key]
  if list then
    parked[key] = nil
    for i = 1, #list do
      local task = list[i]
      if task.parked_at == key then
        task.parked_at = nil
        reactor.make_ready(task)
      end
    end
  end
end

--- Forget that a task is parked. One that its deadline woke still stands in the list of its key.
---@param task table
function reactor.unpark(task)
  if task.is_parked then
    task.is_parked = nil
    parked_count = parked_count - (task.is_background and 0 or 1)
  end
  local key = task.parked_at
  local list = key ~= nil and parked[key]
  task.parked_at = nil
  if not list then
    return
  end
  for i = #list, 1, -1 do
    if list[i] == task then
      table.remove(list, i)
    end
  end
  if #list == 0 then
    parked[key] = nil
  end
end

local function wake_due()
  local now = alarm_count > 0 and current:now()
  while alarm_count > 0 and alarms[1].at <= now do
    local entry = pop_alarm()
    if entry.serial == entry.task.serial then
      reactor.make_ready(entry.task)
    end
  end
end

-- Only those that are ready now: a task that wakes another does not keep the step from returning.
local function resume_ready()
  local tasks, count = ready, ready_count
  ready, ready_count = {}, 0
  for i = 1, count do
    local task = tasks[i]
    task.is_ready = false
    reactor.unpark(task)
    task:resume()
  end
  return count
end

local function take_news(self)
  local token = self:take()
  while token do
    if parked[token] then
      reactor.wake(token)
    end
    tell_listeners(token)
    token = self:take()
  end
end

--- Wait for the first event, handle a bounded batch, resume parked coroutines and run callbacks.
---@param timeout number? seconds; 0 only looks, nil waits for the first event however long it takes
---@return boolean? happened whether anything was done
---@return codecell.Error? err kind "system"
function Reactor:step(timeout)
  take_news(self) -- of verbs that were called since: who is parked has not seen it
  if ready_count > 0 then
    timeout = 0
  end
  local count, err = self:try_step(timeout)
  if not count then
    return nil, err
  end
  take_news(self)
  if alarm_count > 0 then
    wake_due()
  end
  if ready_count > 0 then
    count = count + resume_ready()
  end
  if armed or alarm_count > 0 then
    set_alarm()
  end
  tell_watcher()
  return count > 0
end

return reactor
