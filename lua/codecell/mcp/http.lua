--- Sessions by streamable HTTP: a message is a POST, what is unasked comes by a GET.
local answer = require "codecell.gateway.answer"
local holding = require "codecell.gateway.holding"
local json = require "codecell.json"
local mcp = require "codecell.mcp"
local merged = require "codecell.merged"
local message = require "codecell.mcp.message"
local origin = require "codecell.gateway.origin"
local reactor = require "codecell.reactor"
local stream = require "codecell.mcp.stream"
local version = require "codecell.mcp.version"
local wait = require "codecell.wait"

local http = {}

local SESSIONS_MOST = 64

---@class codecell.McpHttpOptions
---@field session table options of `codecell.mcp.session`, `problem` among them, without `emit`
---@field keys codecell.GatewayKeys? nil: nobody needs one
---@field names string[]? of this server, besides addresses and localhost
---@field idle number? seconds after which a session that nobody uses ends (3600)
---@field sessions integer? at a time (64)

---@class codecell.McpHttp
---@field package given codecell.McpHttpOptions
---@field package sessions table<string, table>
---@field count integer of sessions
local Http = {}
Http.__index = Http

--- No session yet.
---@param given codecell.McpHttpOptions
---@return codecell.McpHttp
function http.new(given)
  return setmetatable({ given = given, sessions = {}, count = 0, idle = given.idle or 3600,
    most = given.sessions or SESSIONS_MOST }, Http)
end

-- ---- refusals ----

-- A problem, as JSON-RPC says it: of the request as a whole, or of the message of that id.
local function say_problem(request, status, problem, id, more)
  local fields = { { "Content-Type", "application/json" } }
  for i, pair in ipairs(more or {}) do
    fields[i + 1] = pair
  end
  request:reply(status, fields, message.encode(message.answer(id, nil, problem)))
end

local function refuse(request, status, name, text, more)
  say_problem(request, status, message.problem(name, text), nil, more)
end

local function key_of(headers)
  return (headers.authorization or ""):match("^[Bb]earer%s+(%S+)%s*$") or headers["x-api-key"]
end

-- Whose a request is; nil once it was refused.
local function admit(self, request)
  local foreign, name = origin.foreign(request.headers, self.given.names or {})
  if foreign == "host" then
    return refuse(request, 403, "request", ("Host: this server is not known as %s; --domain "
      .. "gives it another name"):format(name))
  elseif foreign then
    return refuse(request, 403, "request", "Origin: pages of other places are not answered")
  elseif request.path ~= "/mcp" then
    return refuse(request, 404, "request", "what is here is at /mcp")
  elseif not self.given.keys then
    return "1"
  end
  local owner = self.given.keys:owner(key_of(request.headers))
  if not owner then
    return refuse(request, 401, "request", "a key is needed: Authorization: Bearer KEY",
      { { "WWW-Authenticate", "Bearer" } })
  end
  return owner
end

-- ---- sessions ----

-- What nobody has asked for goes to whoever listens.
local function emit(found, value)
  if found.listener then
    found.listener:put(value, false)
  end
end

local function begin(self, owner)
  local found = { id = answer.secret(), owner = owner, seen = reactor.now(), open = 0 }
  local err
  found.session, err = mcp.session(merged(self.given.session, {
    emit = function(value) emit(found, value) end }))
  if not found.session then
    return nil, err
  end
  self.sessions[found.id], self.count = found, self.count + 1
  return found
end

local function finish(self, found)
  if self.sessions[found.id] then
    self.sessions[found.id], self.count = nil, self.count - 1
    found.session:close()
    if found.listener then
      found.listener:close()
    end
  end
end

-- The session of a request; nil once it was refused.
local function find(self, request, owner)
  local id = request.headers["mcp-session-id"]
  if not id then
    return refuse(request, 400, "request",
      "Mcp-Session-Id: the one that initialize was answered with expected")
  end
  local found = self.sessions[id]
  if not found or found.owner ~= owner then
    return refuse(request, 404, "request", "there is no such session, or it has ended: "
      .. "initialize begins one")
  end
  local named = request.headers["mcp-protocol-version"]
  if named and not version.is_known(named) then
    return refuse(request, 400, "request", "MCP-Protocol-Version: "
      .. "this revision of the protocol is not spoken here")
  end
  found.seen = reactor.now()
  return found
end

-- ---- requests ----

local function accepts(request, kind)
  local wanted = request.headers.accept or "*/*"
  return wanted:find(kind, 1, true) ~= nil or wanted:find("*/*", 1, true) ~= nil
end

-- What was sent; nil once it was refused.
local function read(request)
  if not (request.headers["content-type"] or ""):lower():find("^application/json") then
    return refuse(request, 415, "request", "Content-Type: application/json expected")
  elseif not accepts(request, "application/json") and not accepts(request, "text/event-stream") then
    return refuse(request, 406, "request",
      "Accept: application/json and text/event-stream expected")
  end
  local text, status = holding.all(request, message.most)
  holding.done(request)
  if not text then
    return status and refuse(request, status, "request", status == 413
      and ("a message has at most %d bytes"):format(message.most) or "the message does not come")
  end
  local value, problem = message.read(text)
  if problem then
    say_problem(request, 400, problem)
  end
  return value
end

local function receive(found, request, value, more)
  local out = stream.new()
  found.open = found.open + 1
  local is_answered = found.session:receive(value, function(said, is_last)
    out:put(said, is_last)
  end)
  if is_answered then
    out:write(request, more, accepts(request, "text/event-stream"))
  else
    request:reply(202, more)
  end
  found.open, found.seen = found.open - 1, reactor.now()
end

-- A revision that knows no sessions would have no sandbox from one request to the next.
local function is_modern(value)
  local params = type(value.params) == "table" and value.params or {}
  return type(params._meta) == "table"
    and params._meta["io.modelcontextprotocol/protocolVersion"] ~= nil
end

local function refuse_modern(request, value)
  local problem = message.problem("version",
    "by HTTP, revisions of the protocol with sessions are spoken alone",
    { supported = json.list(version.known), requested = version.modern })
  say_problem(request, 400, problem, message.id_of(value))
end

local function post(self, request, owner)
  local value = read(request)
  if value == nil then
    return
  end
  local is_object = message.is_object(value)
  if is_object and is_modern(value) and not request.headers["mcp-session-id"] then
    return refuse_modern(request, value)
  elseif is_object and value.method == "initialize" and value.id ~= nil
    and not request.headers["mcp-session-id"] then
    if self.count >= self.most then
      return refuse(request, 503, "busy", ("there are %d sessions already; --sessions allows more")
        :format(self.count))
    end
    local found, err = begin(self, owner)
    if not found then
      return refuse(request, answer.status(err), "internal", err.message)
    end
    receive(found, request, value, { { "Mcp-Session-Id", found.id } })
    if not found.session.version then -- what was asked was wrong
      finish(self, found)
    end
    return
  end
  local found = find(self, request, owner)
  if found then
    receive(found, request, value, {})
  end
end

-- One listens at a time: a client that comes again has lost the stream before.
local function get(self, request, owner)
  if not (request.headers.accept or ""):find("text/event-stream", 1, true) then
    return refuse(request, 406, "request", "Accept: text/event-stream expected")
  end
  local found = find(self, request, owner)
  if not found then
    return
  end
  if found.listener then
    found.listener:close()
  end
  local out = stream.new()
  found.listener, found.open = out, found.open + 1
  out:write_events(request, {})
  found.open, found.seen = found.open - 1, reactor.now()
  if found.listener == out then
    found.listener = nil
  end
end

local function delete(self, request, owner)
  local found = find(self, request, owner)
  if found then
    finish(self, found)
    request:reply(204)
  end
end

local METHODS = { POST = post, GET = get, DELETE = delete }

local function respond(self, request)
  local owner = admit(self, request)
  local handler = owner and METHODS[request.method]
  if handler then
    handler(self, request, owner)
  elseif owner then
    refuse(request, 405, "request", "POST, GET or DELETE expected",
      { { "Allow", "GET, POST, DELETE" } })
  end
end

--- Answer a request, in a coroutine of its own. What is wrong with one ends no other.
---@param request codecell.IncomingRequest
function Http:answer(request)
  local ok, problem = wait.call(respond, self, request)
  holding.done(request)
  if not ok then
    self.given.session.problem(tostring(problem))
    if not request.has_started and not request:is_left() then
      refuse(request, 500, "internal", "this could not be answered")
    end
  end
end

-- Ending one may wait, and others come and go meanwhile.
local function all_of(self)
  local list = {}
  for _, found in pairs(self.sessions) do
    list[#list + 1] = found
  end
  return list
end

--- End the sessions that nobody uses any more.
function Http:tidy()
  local now = reactor.now()
  for _, found in ipairs(all_of(self)) do
    if found.open == 0 and not found.session:is_busy() and now - found.seen > self.idle then
      finish(self, found)
    end
  end
end

--- End all sessions.
function Http:close()
  for _, found in ipairs(all_of(self)) do
    finish(self, found)
  end
end

return http
