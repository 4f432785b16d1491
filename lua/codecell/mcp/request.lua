--- A request of a client that is being answered: what it is told meanwhile, and how it is given up.
local json = require "codecell.json"
local last_line = require "codecell.last_line"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local request = {}

---@class codecell.McpRequest
---@field id string|number
---@field method string
---@field version string of the protocol that it is made in
---@field is_over boolean? it was answered, or given up
---@field is_cancelled boolean? by the client: nothing answers it
---@field log_level string? what is logged for it; nil: as the session says
---@field task codecell.Task? in which it is answered
---@field held codecell.Held? what it came in
---@field package session codecell.McpSession
---@field package reply fun(value: table?, is_last: boolean)
local Request = {}
Request.__index = Request

local EVERY = 1 -- seconds between two messages of progress
local LINE_MOST = 200 -- bytes of what they show

--- One that has come.
---@param session codecell.McpSession
---@param value table the message
---@param reply fun(value: table?, is_last: boolean) tells the client
---@param held codecell.Held? what it came in
---@return codecell.McpRequest
function request.new(session, value, reply, held)
  local params = value.params or {}
  local meta = type(params._meta) == "table" and params._meta or {}
  local token = meta.progressToken
  return setmetatable({ id = value.id, method = value.method, params = params, meta = meta,
    token = (type(token) == "string" or type(token) == "number") and token or nil,
    session = session, reply = reply, held = held, started_at = reactor.now() }, Request)
end

--- Tell the client something that belongs to this request. Waits while it takes nothing.
---@param method string
---@param params table
function Request:notify(method, params)
  if not self.is_over then
    self.reply({ jsonrpc = "2.0", method = method, params = params }, false)
  end
end

--- Something was printed: it is a part of the next message of progress.
---@param text string
function Request:printed(text)
  if self.token and text:find("%S") then
    self.line = json.repair((last_line(text) or ""):sub(-LINE_MOST):gsub("%c", ""))
  end
end

local function tell_progress(self)
  local last = 0
  while true do
    wait.key(self, reactor.now() + EVERY)
    if self.is_over then
      return
    end
    local seconds = reactor.now() - self.started_at
    if seconds > last then
      last = seconds
      self:notify("notifications/progress", { progressToken = self.token,
        progress = math.floor(seconds * 1000) / 1000,
        message = self.line or ("running for %.0f s"):format(seconds) })
    end
  end
end

--- From now on tell the client every second how it goes, if it has asked to be told.
function Request:tell_progress()
  if self.token then
    task.background(tell_progress, self)
  end
end

--- It is answered by this, or by nothing where it was given up meanwhile.
---@param value table?
function Request:finish(value)
  if self.is_over then
    return
  end
  self.is_over = true
  reactor.wake(self)
  self.reply(not self.is_cancelled and value or nil, true)
end

--- Give it up: what it waits for ends at once, and nothing answers it.
function Request:cancel()
  self.is_cancelled = true
  if self.task then
    self.task:cancel()
  end
end

return request
