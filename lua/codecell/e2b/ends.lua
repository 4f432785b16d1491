--- What is sent when an object is collected: one request, which nobody waits for.
---
--- A finalizer may run in the middle of anything, so it only begins the request; the reactor brings
--- it to its end. When the Lua state ends nobody steps any more: the last finalizer then gives all
--- that are on their way a moment.
local core = require "codecell.core"
local http = require "codecell.http"
local reactor = require "codecell.reactor"

local ends = {}

local WAITING_MOST = 64 -- requests that are on their way at a time
local QUEUE_MOST = 4096 -- of those that wait for their turn; what is more ends by its own time
local TIME = 30 -- seconds that one has where others wait for its place
local LAST = 1 -- second that they have when the state ends

local started, count = {}, 0 -- those on their way
local queue = {}

-- Before Lua 5.2 tables have no finalizers.
local new_proxy = newproxy -- luacheck: ignore

local function with_finalizer(called)
  if not new_proxy then
    return setmetatable({}, { __gc = called })
  end
  local proxy = new_proxy(true)
  getmetatable(proxy).__gc = called
  return proxy
end

local send

local function forget(one)
  local guard = started[one]
  if guard then
    guard.is_over = true
    started[one] = nil
    count = count - 1
    one:close()
    if #queue > 0 then
      send(table.remove(queue, 1))
    end
  end
end

--- Give what is on its way a second: nobody steps any more, since the program is about to end.
function ends.hurry()
  local loop = reactor.get()
  local till = loop and reactor.now() + LAST
  while loop and count > 0 and reactor.now() < till do
    loop:try_step(till - reactor.now())
    repeat until not loop:take()
    for one in pairs(started) do
      if one:is_over() then
        forget(one)
        break
      end
    end
  end
  queue = {}
end

-- One that nobody answers does not keep the others waiting for ever.
local function make_place()
  local now = reactor.now()
  for one, guard in pairs(started) do
    if now - guard.since >= TIME then
      forget(one)
      return
    end
  end
end

-- Held as long as the request is on its way, and made after it: when the state ends this is
-- finalized before it.
local function new_guard()
  local guard = { since = reactor.now() }
  guard.proxy = with_finalizer(function()
    if not guard.is_over then
      ends.hurry()
    end
  end)
  return guard
end

function send(request)
  if count >= WAITING_MOST then
    if #queue < QUEUE_MOST then
      queue[#queue + 1] = request
    end
    make_place()
    return
  end
  local one = http.start({ url = request.url, method = request.method, headers = request.headers,
    body = request.body, environment = true })
  local token = one and one:token()
  if not token then
    return
  end
  started[one], count = new_guard(), count + 1
  reactor.listen(token, function()
    if one:is_over() then
      forget(one)
      return false
    end
    return true
  end)
end

-- Made before the first object that it waits for, and so finalized after it.
local last

---@class codecell.E2bEnd
---@field package proxy any
---@field package called fun(): codecell.E2bRequest?
local End = {}
End.__index = End

--- Have a request sent when what holds this is collected.
---@param called fun(): codecell.E2bRequest? must not hold the object, nor wait; nil: none is sent
---@return codecell.E2bEnd
function ends.watch(called)
  last = last or with_finalizer(ends.hurry)
  local self = setmetatable({ called = called, owner = core.getpid() }, End)
  self.proxy = with_finalizer(function() self:fire() end)
  return self
end

--- Send it now. Idempotent; a forked copy of the process has nothing to end.
function End:fire()
  local called = self.called
  self.called = nil
  local request = called and core.getpid() == self.owner and called()
  if request then
    send(request)
  end
end

--- Nothing is to be sent.
function End:cancel()
  self.called = nil
end

return ends
