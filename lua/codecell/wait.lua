--- Waiting: the only place of the library that does.
---
--- A verb is a loop around a `try_` verb and `wait`. In the main program waiting steps the reactor;
--- in a coroutine made by `codecell.async`, or adopted by an attached host, it parks that one.
local coroutines = require "codecell.coroutines"
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"

if reactor.once.wait then
  return reactor.once.wait
end
local wait = {}
reactor.once.wait = wait

local running, yield = coroutine.running, coroutines.yield
-- Of each coroutine that may be parked; a coroutine that nobody holds takes its task along.
local tasks = setmetatable({}, { __mode = "k" })
local adopt -- of the attached host

--- Have a host give tasks to coroutines that have none, and to the main program.
---@param called? fun(thread: thread?): table? nil: no task; may raise where nobody may wait
function wait.adopt_by(called)
  adopt = called
end

--- The task that runs now, if it is one that can be parked.
---@return codecell.Task?
function wait.task()
  local coroutine_now, is_main = running()
  local task = coroutine_now and tasks[coroutine_now]
  if not task and adopt then
    task = adopt(not is_main and coroutine_now or nil)
  end
  return task
end

--- Let a coroutine park as that task. Before Lua 5.2 a weak key whose value leads back to it is
--- never collected: take the claim back when the coroutine has ended.
---@param thread thread
---@param task codecell.Task? nil: take it back
function wait.claim(thread, task)
  tasks[thread] = task
end

--- A timeout becomes a deadline once, at the entry of a verb: where an attached host forbids to
--- wait this raises, before anything was started.
---@param timeout number? seconds; nil: none
---@return number? deadline
function wait.deadline(timeout)
  if adopt then
    wait.task()
  end
  return timeout and reactor.now() + timeout
end

--- The earlier one of two deadlines.
---@param one number?
---@param other number?
---@return number?
function wait.earlier(one, other)
  if one and other then
    return one < other and one or other
  end
  return one or other
end

--- Wait for news about a key: once true is returned, try again.
---@param key any the token of a C object, or a value that `reactor.wake` is called with
---@param deadline number?
---@return boolean again false: the deadline has passed, or the task was cancelled
function wait.key(key, deadline)
  local task = wait.task()
  if task and task.cancelled then
    return false
  end
  local left
  if deadline then
    left = deadline - reactor.now()
    if left <= 0 then
      return false
    end
  end
  if task then
    reactor.park(task, key, deadline)
    if task.pause then
      task:pause()
    else
      yield()
    end
    return not task.cancelled
  end
  local happened, err = reactor.get():step(left)
  if happened == nil then
    error(tostring(err), 0) -- the reactor itself is broken: nothing can go on
  end
  return true
end

local TURN = 0.0005 -- seconds

--- Let everything else go on for a moment, although there is more to do here.
---@param deadline number?
function wait.turn(deadline)
  wait.key(nil, wait.earlier(reactor.now() + TURN, deadline))
end

--- Wait for news about an object of C.
---@param object codecell.Sandbox|codecell.Process
---@param deadline number?
---@return boolean again as of `wait.key`
function wait.wait(object, deadline)
  return wait.key(object:_token(), deadline)
end

--- Why a wait ended without success.
---@param verb string
---@param timeout number? seconds that were allowed
---@param advice string? what to do; default: to pass a longer timeout
---@return codecell.Error err kind "timeout", "cancelled" or "unsupported"
function wait.failure(verb, timeout, advice)
  local task = wait.task()
  if task and task.refusal then
    return task.refusal(verb)
  elseif task and task.cancelled then
    return errors.new("cancelled", verb .. " was cancelled")
  end
  return errors.timeout(verb, timeout, advice)
end

--- Why nothing can wait here, to be asked before anything is started that must be waited for.
---@param verb string
---@return codecell.Error? err kind "cancelled", or "unsupported" where the host forbids it
function wait.refusal(verb)
  local task = wait.task()
  return task and task.cancelled and wait.failure(verb) or nil
end

-- PUC Lua 5.1 cannot yield across pcall: a task is then run in a coroutine of its own, and its
-- yields are passed on, with what the host's loop yields and is resumed with.
local yields_across_pcall = coroutine.wrap(function()
  return pcall(coroutine.yield, true)
end)()

local function pass_on(thread, ok, ...)
  if ok and coroutine.status(thread) ~= "dead" then
    return pass_on(thread, coroutine.resume(thread, yield(...)))
  end
  wait.claim(thread, nil)
  return ok, ...
end

--- Call a user's function that may wait, and may raise.
---@param called function
---@param ... any
---@return boolean ok
---@return any ... its values, or the error
function wait.call(called, ...)
  local task = not yields_across_pcall and wait.task()
  if not task then
    return pcall(called, ...)
  end
  local thread = coroutine.create(function(...) -- Lua 5.1 takes no C function, and no table
    return called(...)
  end)
  wait.claim(thread, task)
  return pass_on(thread, coroutine.resume(thread, ...))
end

return wait
