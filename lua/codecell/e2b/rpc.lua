--- Remote calls to envd: the Connect protocol with JSON, one answer or a stream of them.
local envelope = require "codecell.e2b.envelope"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local plane = require "codecell.e2b.plane"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"

local rpc = {}

local PING = 50 -- seconds after which envd says that it is still there
local SOON = 0.05 -- seconds in which an answer ends after the last message
local ENVD = plane.ENVD

local function headers_of(there, user, more)
  local list = { { "Connect-Protocol-Version", "1" }, there:basic(user) }
  for i = 1, #more do
    list[#list + 1] = more[i]
  end
  return list
end

--- A call with one answer.
---@param there codecell.E2bPlane
---@param what string begins the message of an error
---@param method string "process.Process/List"
---@param body table
---@param given {user: string?, is_safe: boolean?}?
---@return table? answer
---@return codecell.Error? err
function rpc.call(there, what, method, body, given)
  given = given or {}
  local answer, err = there:json(what, ENVD, {
    method = "POST", path = "/" .. method, body = transport.body(body), is_safe = given.is_safe,
    headers = headers_of(there, given.user, { { "Content-Type", "application/json" } }),
  })
  if answer == nil then
    return nil, err
  end
  return shape.table(answer) or {}
end

---@class codecell.E2bStream
---@field package response codecell.HttpResponse
---@field package envelopes codecell.E2bEnvelopes
---@field package there codecell.E2bPlane
---@field package what string
local Stream = {}
Stream.__index = Stream

--- A call that is answered by a stream.
---@param there codecell.E2bPlane
---@param what string
---@param method string
---@param body table
---@param given {user: string?, deadline: number?, timeout: number?} deadline: seconds after which
---the server ends it, a process included; timeout: until the head of the answer
---@return codecell.E2bStream? stream
---@return codecell.Error? err
function rpc.open(there, what, method, body, given)
  local more = {
    { "Content-Type", "application/connect+json" },
    { "Keepalive-Ping-Interval", tostring(PING) },
  }
  if given.deadline then
    more[3] = { "Connect-Timeout-Ms", ("%d"):format(math.ceil(given.deadline * 1000)) }
  end
  local response, err = there:open(what, ENVD, {
    method = "POST", path = "/" .. method, body = envelope.encode(transport.body(body)),
    headers = headers_of(there, given.user, more), timeout = given.timeout,
  })
  if not response then
    return nil, err
  end
  return setmetatable({ response = response, envelopes = envelope.reader(what), there = there,
    what = what }, Stream)
end

local function cut(self, err)
  local kind = err and err.kind or "unavailable"
  if kind == "cancelled" then
    return errors.new("cancelled", self.what .. ": it was let go")
  end
  local lost = errors.new(kind == "protocol" and kind or "unavailable", ("%s: the connection to "
    .. "the sandbox broke off%s"):format(self.what, err and ": " .. err.message or ""))
  lost.stage = "cut"
  return self.there:explain(lost, self.what, ENVD)
end

--- The next message.
---@return table? message nil at the end of the stream, and on failure
---@return codecell.Error? err
function Stream:next()
  while not self.is_over do
    local message, last = self.envelopes:next()
    if message == nil then
      self:close()
      return nil, last
    elseif message and last then
      self:rest()
      if message.error ~= nil then
        return nil, failure.of_error(self.what, message.error, self.there:hidden())
      end
    elseif message then
      return message
    else
      local chunk, err = self.response:read()
      if not chunk then
        self:close()
        return nil, cut(self, err)
      end
      self.envelopes:add(chunk)
    end
  end
  return nil
end

--- All that matters was heard.
function Stream:rest()
  self.is_over = true
  self.response:rest(SOON)
end

--- Listen no longer; what runs goes on. Idempotent.
function Stream:close()
  self.is_over = true
  self.response:close()
end

return rpc
