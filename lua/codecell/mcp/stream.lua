--- Messages on their way to one answer of HTTP: an event each, or the last one alone.
---
--- Events are numbered and kept for a while, so that a client whose connection breaks can have
--- those that it has missed by another one.
local message = require "codecell.mcp.message"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local stream = {}

local WAITING_MOST = 1024 * 1024 -- bytes before who speaks waits
local KEPT_MOST = 1024 * 1024 -- bytes that can be had again; the last message whatever it has
local EVENTS_AFTER = 1 -- seconds after which an answer that has not come becomes one of events
local HEARTBEAT = 15 -- seconds

---@class codecell.McpStream
---@field number integer? in its session, once it is one of events
---@field is_complete boolean? it has its last message, or was closed
---@field bytes integer that it holds
---@field store codecell.McpStreams? from which it can be read again
---@field package is_lost boolean? nobody can read it any more
---@field package events {text: string?, is_last: boolean}[] by their numbers, `first` to `last`
---@field package first integer
---@field package last integer
---@field package sent integer number of the last one that its reader was sent
---@field package waiting integer bytes of what is behind that
---@field package reader table? the answer that it goes to
local Stream = {}
Stream.__index = Stream

local EVENTS = { { "Content-Type", "text/event-stream" }, { "Cache-Control", "no-cache" },
  { "X-Accel-Buffering", "no" } }
local JSON = { { "Content-Type", "application/json" } }

--- One that is read from the beginning.
---@return codecell.McpStream
function stream.new()
  local self = setmetatable({ events = {}, first = 1, last = 0, sent = 0, bytes = 0, waiting = 0,
    room = {} }, Stream)
  self.reader = self -- until it is known what becomes of it
  return self
end

local function size_of(event)
  return event.text and #event.text or 0
end

-- What was sent goes first; where nobody reads, what is no last message goes as well.
local function trim(self)
  while self.bytes > KEPT_MOST and self.first < self.last
    and (self.first <= self.sent or not self.reader) do
    local event = self.events[self.first]
    self.events[self.first] = nil
    self.bytes = self.bytes - size_of(event)
    if self.first > self.sent then
      self.sent, self.waiting = self.first, self.waiting - size_of(event)
    end
    self.first = self.first + 1
  end
end

--- Put a message behind the others. Waits while the client takes nothing.
---@param value table?
---@param is_last boolean
function Stream:put(value, is_last)
  while self.waiting > WAITING_MOST and self.reader do
    if not wait.key(self.room) then
      break
    end
  end
  if self.is_complete or self.is_lost then
    return
  end
  local event = { text = value and message.encode(value) or nil, is_last = is_last }
  self.last = self.last + 1
  self.events[self.last] = event
  self.bytes, self.waiting = self.bytes + size_of(event), self.waiting + size_of(event)
  self.is_complete = is_last or nil
  trim(self)
  if is_last and self.store then
    self.store:make_room()
  end
  reactor.wake(self)
end

-- The next one for whoever reads now, waiting for it; nil when its time is over, or there is none.
local function next_event(self, request, reader, seconds)
  local deadline = reactor.now() + seconds
  while self.sent >= self.last and not self.is_complete and self.reader == reader
    and not request:is_left() do
    if not wait.key(self, deadline) then
      break
    end
  end
  return self.reader == reader and self.events[self.sent + 1] or nil
end

local function mark_sent(self)
  self.sent = self.sent + 1
  self.waiting = self.waiting - size_of(self.events[self.sent])
  reactor.wake(self.room)
  trim(self)
end

-- Nobody reads it any more: events wait for somebody else, and what are none are lost.
local function leave(self, reader)
  if self.reader == reader then
    self.reader = nil
    self.is_lost = self.number == nil
    trim(self)
    reactor.wake(self.room)
  end
end

--- No more comes: whoever writes it ends it.
function Stream:close()
  self.is_complete = true
  reactor.wake(self)
  reactor.wake(self.room)
end

local function with(fields, more)
  local list = {}
  for _, pair in ipairs(fields) do
    list[#list + 1] = pair
  end
  for _, pair in ipairs(more) do
    list[#list + 1] = pair
  end
  return list
end

local function is_at_end(self)
  return self.is_complete and self.sent >= self.last
end

local function write_event(self, request, event)
  if not event.text then
    return true
  end
  return request:write(("id: %d-%d\nevent: message\ndata: "):format(self.number, self.sent + 1)
    .. event.text .. "\n\n")
end

-- Until the end, or until somebody else reads; false: the client has gone.
local function write_all(self, request, reader)
  while self.reader == reader and not is_at_end(self) do
    local event = next_event(self, request, reader, HEARTBEAT)
    if event and not write_event(self, request, event)
      or not event and not request:write(":\n\n") or request:is_left() then
      return false
    elseif event and self.reader == reader then
      mark_sent(self)
    end
  end
  return true
end

--- Whether events after a number can be had again, as far as it was ever told.
---@param number integer
---@return boolean
function Stream:reaches(number)
  return number <= self.last
end

--- Answer by events, until the last or until it is closed. Who has read it before reads no more.
---@param request codecell.IncomingRequest
---@param more string[][] fields of the answer
---@param about {after: integer?, is_primed: boolean?} after: the number of an event, those behind
---which are told; is_primed: an event without a message tells first how to come back
function Stream:write_events(request, more, about)
  local reader = {}
  self.reader = reader
  if about.after then
    self.sent, self.waiting = math.max(about.after, self.first - 1), 0
    for number = self.sent + 1, self.last do
      self.waiting = self.waiting + size_of(self.events[number])
    end
  end
  reactor.wake(self)
  reactor.wake(self.room)
  local ok = request:start(200, with(EVENTS, more))
  ok = ok and request:write(about.is_primed and ("id: %d-%d\ndata:\n\n"):format(self.number,
    self.sent) or ":\n\n") -- so that the head is on its way
  ok = ok and write_all(self, request, reader)
  leave(self, reader)
  if ok then
    request:finish()
  else
    request:abort()
  end
end

-- What comes before the last is not told.
local function write_last(self, request, more)
  local event
  while not is_at_end(self) and not request:is_left() do
    event = next_event(self, request, self, HEARTBEAT)
    if event then
      mark_sent(self)
    end
  end
  leave(self, self)
  if event and event.is_last and event.text then
    request:reply(200, with(JSON, more), event.text)
  else
    request:reply(202, more)
  end
end

--- Answer a request: by one message where it is there at once, or the client knows no events, else
--- by events.
---@param request codecell.IncomingRequest
---@param more string[][] fields of the answer
---@param events codecell.McpStreams? that it becomes one of; nil: the client knows none
---@param is_primed boolean?
function Stream:write(request, more, events, is_primed)
  if not events then
    return write_last(self, request, more)
  end
  local event = next_event(self, request, self, EVENTS_AFTER)
  if event and event.is_last and event.text then
    leave(self, self)
    return request:reply(200, with(JSON, more), event.text)
  end
  events:add(self)
  self:write_events(request, more, { is_primed = is_primed })
end

return stream
