--- What the adapters of host loops share: at most one is attached, and its guests are the
--- program's own coroutines that wait in its loop.
local log = require "codecell.log"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

if reactor.once.host then
  return reactor.once.host
end
local host = {}
reactor.once.host = host

local running, yield = coroutine.running, coroutine.yield

---@class codecell.HostAdapter
---@field name string
---@field adopt fun(thread: thread?): table? as of `wait.adopt_by`
---@field watch? fun(busy: boolean) as of `reactor.watch`
---@field close? fun() lets go of the loop; nobody waits by then
---@field log? fun(level: string, message: string) its own log
local current -- the adapter that is attached, or whose guests still wait
local leaving -- it is detached, and ends when nobody waits
local home    -- the coroutine that the loop runs in, where that is not the main one

local function end_adapter()
  local adapter = current
  current, leaving = nil, false
  reactor.watch(nil)
  log.adopt(nil)
  if adapter.close then
    adapter.close()
  end
end

local function watch(busy)
  if current.watch then
    current.watch(busy)
  end
  if leaving and not busy then
    end_adapter()
  end
end

--- Attach an adapter. One of that name that is attached already is kept, with its handles: a module
--- may be loaded again.
---@param name string
---@param make fun(): codecell.HostAdapter
---@return true
function host.attach(name, make)
  if current and current.name ~= name then
    error(("attach: %s is attached; detach it first"):format(current.name), 3)
  end
  leaving = false
  if not current then
    current = make()
    current.name = name
    reactor.watch(watch)
    log.adopt(current.log)
  end
  wait.adopt_by(current.adopt)
  return true
end

--- Detach an adapter. Coroutines that wait in its loop are served until they have what they wait
--- for.
---@param name string
---@return boolean detached false if it was not attached
function host.detach(name)
  if not current or current.name ~= name or leaving then
    return false
  end
  wait.adopt_by(nil)
  leaving = true
  reactor.watch(watch)
  return true
end

--- Say that the loop runs in this coroutine, if in any: guests are resumed from there, and it is
--- none itself.
function host.set_home()
  local thread, is_main = running()
  home = not is_main and thread or nil
end

-- ---- guests ----

---@class codecell.Guest a coroutine of the program, seen as a task
---@field package serial integer as of `reactor.park`
---@field package thread? thread as long as it is paused
local Guest = {}
Guest.__index = Guest

-- Neither keeps the other: what is paused is held by the reactor.
local guests = setmetatable({}, { __mode = "kv" })  -- by thread
local threads = setmetatable({}, { __mode = "kv" }) -- by guest

--- Yield until the loop resumes it. Whoever else does so wakes it early, which is allowed.
function Guest:pause()
  self.thread, self.is_resumed = threads[self], false
  yield()
  self.thread = nil
  if not self.is_resumed then
    self.serial = self.serial + 1
    reactor.unpark(self)
  end
end

--- Resume the coroutine from the loop's top level; from within another coroutine, wait for the next
--- step. The loop calls this; nobody else does.
function Guest:resume()
  local thread = self.thread
  if not thread or coroutine.status(thread) ~= "suspended" then
    return
  end
  local inside, is_main = running()
  if inside and not is_main and inside ~= home then
    reactor.make_ready(self)
    return
  end
  self.serial, self.is_resumed = self.serial + 1, true
  local ok, err = coroutine.resume(thread)
  if not ok then
    self.fail(debug.traceback(thread, tostring(err)))
  end
end

--- The guest of a coroutine.
---@param thread thread? nil: the main program
---@param fail fun(message: string) hands an error that ended it to the host
---@return codecell.Guest? guest nil for the program or coroutine that the loop runs in
function host.guest(thread, fail)
  if not thread or thread == home then
    return nil
  end
  local guest = guests[thread]
  if not guest then
    guest = setmetatable({ serial = 0, fail = fail }, Guest)
    guests[thread], threads[guest] = guest, thread
  end
  return guest
end

return host
