--- Messages on their way to one answer of HTTP: an event each, or the last one alone.
local message = require "codecell.mcp.message"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local stream = {}

local WAITING_MOST = 1024 * 1024 -- bytes before who speaks waits
local EVENTS_AFTER = 1 -- seconds after which an answer that has not come becomes one of events
local HEARTBEAT = 15 -- seconds

---@class codecell.McpStream
---@field is_left boolean? nobody reads any more
---@field package queue table[]
local Stream = {}
Stream.__index = Stream

local EVENTS = { { "Content-Type", "text/event-stream" }, { "Cache-Control", "no-cache" },
  { "X-Accel-Buffering", "no" } }

---@return codecell.McpStream
function stream.new()
  return setmetatable({ queue = {}, waiting = 0 }, Stream)
end

--- Put a message behind the others. Waits while the client takes nothing.
---@param value table?
---@param is_last boolean
function Stream:put(value, is_last)
  while self.waiting > WAITING_MOST and not self.is_left do
    if not wait.key(self.queue) then
      break
    end
  end
  if not self.is_left then
    local text = value and message.encode(value)
    self.queue[#self.queue + 1] = { text = text, is_last = is_last }
    self.waiting = self.waiting + (text and #text or 0)
    reactor.wake(self)
  end
end

local function take(self)
  local item = table.remove(self.queue, 1)
  if item then
    self.waiting = self.waiting - (item.text and #item.text or 0)
    reactor.wake(self.queue)
  end
  return item
end

-- The next one, waiting for it; nil when its time is over, or nobody reads any more.
local function next_item(self, request, seconds)
  local deadline = reactor.now() + seconds
  local item = take(self)
  while not item and not request:is_left() and not self.is_over do
    if not wait.key(self, deadline) then
      break
    end
    item = take(self)
  end
  return item
end

--- No more comes: whoever writes it ends it.
function Stream:close()
  self.is_over = true
  reactor.wake(self)
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

--- Answer by events until the last, or until it is closed.
---@param request codecell.IncomingRequest
---@param more string[][] fields of the answer
---@param item table? that was taken already
function Stream:write_events(request, more, item)
  local ok = request:start(200, with(EVENTS, more))
  ok = ok and request:write(":\n\n") -- so that the head is on its way
  while ok and not (item and item.is_last) and not (self.is_over and not item) do
    if item and item.text then
      ok = request:write("event: message\ndata: " .. item.text .. "\n\n")
    elseif item == nil then
      ok = request:write(":\n\n")
    end
    item = ok and next_item(self, request, HEARTBEAT) or nil
    ok = ok and not request:is_left()
  end
  if ok and item and item.text then
    ok = request:write("event: message\ndata: " .. item.text .. "\n\n")
  end
  self.is_left = true
  reactor.wake(self.queue)
  if ok then
    request:finish()
  else
    request:abort()
  end
end

-- What comes before the last is not told.
local function write_last(self, request, more)
  local item
  repeat
    item = next_item(self, request, HEARTBEAT)
  until item and item.is_last or request:is_left() or self.is_over and not item
  self.is_left = true
  reactor.wake(self.queue)
  if item and item.text then
    request:reply(200, with({ { "Content-Type", "application/json" } }, more), item.text)
  else
    request:reply(202, more)
  end
end

--- Answer a request: by one message where it is there at once, or the client knows no events, else
--- by events.
---@param request codecell.IncomingRequest
---@param more string[][] fields of the answer
---@param takes_events boolean
function Stream:write(request, more, takes_events)
  if not takes_events then
    return write_last(self, request, more)
  end
  local item = next_item(self, request, EVENTS_AFTER)
  if item and item.is_last and item.text then
    self.is_left = true
    return request:reply(200, with({ { "Content-Type", "application/json" } }, more), item.text)
  end
  self:write_events(request, more, item)
end

return stream
