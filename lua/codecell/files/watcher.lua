--- codecell.Watcher: what happens in a directory of a sandbox, as it happens.
local core = require "codecell.core"
local errors = require "codecell.errors"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local receiver = require "codecell.receiver"
local wait = require "codecell.wait"

local START = 60 -- seconds that the sandbox may take to look at all directories
local EAGAIN, E2BIG, EUSERS = 11, 7, 87

local watcher = {}

local Watcher = core.Watcher
Watcher._release = Watcher._release or Watcher.close -- of C

local function was_closed(verb)
  return errors.new("cancelled", verb .. ": the watcher was closed")
end

-- ---- start ----

local LIMITS = {
  [EAGAIN] = "the sandbox has 64 watchers; close one",
  [E2BIG] = "there are more directories than can be watched; watch a smaller part",
  [EUSERS] = "the machine gives no more watches; raise fs.inotify.max_user_instances and "
    .. "fs.inotify.max_user_watches",
}

local function explain(sandbox, what, err)
  if LIMITS[err.errno] then
    local limit = errors.new("limit_exceeded", what .. ": " .. LIMITS[err.errno])
    limit.errno = err.errno
    return limit
  end
  return sandbox._backend.state(sandbox) ~= "running"
    and sandbox._backend.reason(sandbox, what) or err
end

--- Watch a directory.
---@param sandbox codecell.Sandbox
---@param path string
---@param recursive boolean
---@return codecell.Watcher? watcher
---@return codecell.Error? err
function watcher.start(sandbox, path, recursive)
  local what = "watch_dir " .. path
  local self, err = sandbox:_watch(path, recursive)
  if not self then
    return nil, explain(sandbox, what, err)
  end
  self._events, self._first = {}, 1
  local deadline = wait.deadline(START)
  repeat
    local started
    started, err = sandbox:_answer(self:_number(), what)
    if started then
      return self
    elseif started == nil then
      self:close()
      return nil, explain(sandbox, what, err)
    end
  until not wait.wait(sandbox, deadline)
  self:close()
  return nil, wait.failure(what, START, "the sandbox does not answer: close it")
end

-- ---- events ----

local check_open = receiver.watcher

-- Why nothing comes any more.
local function gone(self, err)
  local sandbox = self._sandbox
  local state, why = sandbox:_state()
  err = why or err
  if sandbox._killed then
    return errors.new("sandbox_gone", "read: the sandbox was killed")
  elseif state == "running" or err.kind == "cancelled" or err.kind == "out_of_memory" then
    return err
  end
  return errors.new("sandbox_gone", "read: " .. err.message, err.hint)
end

local function take_kept(self)
  local event = self._events[self._first]
  if event then
    self._events[self._first] = nil
    self._first = self._first + 1
  end
  return event
end

--- The next event, without waiting.
---@return codecell.FileEvent|false|nil event false: not yet; nil: the directory is gone
---@return codecell.Error? err after nil: "limit_exceeded" when events were lost, once, and then
---reading goes on; "sandbox_gone", "cancelled"
function Watcher:try_read()
  check_open(self, "try_read")
  local event = take_kept(self)
  if event then
    return event
  elseif self._ended then
    return nil
  end
  local request, err = self:_next()
  local answer
  if request then
    answer, err = self._sandbox:_answer(request, "read")
  end
  if answer == false then
    return false
  elseif request then
    self:_taken()
  end
  if not answer then
    return nil, gone(self, err)
  end
  self._events, self._first, self._ended = answer, 1, answer.ended
  if answer.lost then
    return nil, errors.new("limit_exceeded",
      "read: events were lost, because more happened than was read; list the directory to see "
      .. "how it is, and read on")
  end
  return take_kept(self)
end

--- Wait for the next event.
---@param timeout number? seconds; default: as long as the directory is there
---@return codecell.FileEvent? event nil when the directory was removed or moved away
---@return codecell.Error? err kinds "timeout"; "limit_exceeded" when events were lost, once, and
---then reading goes on; "sandbox_gone", "cancelled"
function Watcher:read(timeout)
  options.timeout("read", timeout, 3)
  check_open(self, "read")
  local deadline = wait.deadline(timeout)
  repeat
    if self:_closed() then
      return nil, was_closed("read")
    end
    local event, err = self:try_read()
    if event then
      return event
    elseif event == nil then
      return nil, err
    end
  until not wait.wait(self, deadline)
  return nil, wait.failure("read", timeout)
end

--- Watch no longer. Idempotent, never raises.
function Watcher:close()
  local token = self:_token()
  self:_release()
  if token then
    reactor.wake(token) -- who waits for it learns that there is nothing to wait for
  end
end

return watcher
