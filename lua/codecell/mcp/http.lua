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
local streams = require "codecell.mcp.streams"
local version = require "codecell.mcp.version"
local wait = require "codecell.wait"

local http = {}

local SESSIONS_MOST = 64
local HELD_MOST = 128 * 1024 * 1024 -- bytes of messages, of all clients
local HELD_LEAST = 64 * 1024 * 1024 -- of one key: the longest message fits
local UNUSED = 60 -- seconds
local LARGE = 8 * 1024 * 1024 -- bytes of a message whose memory is given back at once
local REQUESTS_MOST, REQUESTS_LEAST = 512, 64 -- that are open, of all keys and of one

---@class codecell.McpHttpOptions
---@field session table options of `codecell.mcp.session`, `problem` among them, without `emit`
---@field keys codecell.GatewayKeys? nil: nobody needs one
---@field names string[]? of this server, besides addresses and localhost
---@field idle number? seconds after which a session that nobody uses ends (3600)
---@field sessions integer? at a time (64)
---@field sessions_of_one integer? of one key; default: an equal share of those
---@field held integer? bytes of messages in memory (128 MiB)

---@class codecell.McpOwner what one key has at a time
---@field name string
---@field share codecell.HoldingShare
---@field sessions integer
---@field requests integer

---@class codecell.McpHttp
---@field package given codecell.McpHttpOptions
---@field package sessions table<string, table>
---@field package owners table<string, codecell.McpOwner>
---@field count integer of sessions
local Http = {}
Http.__index = Http

--- No session yet.
---@param given codecell.McpHttpOptions
---@return codecell.McpHttp
function http.new(given)
  local keys = given.keys and given.keys:count() or 1
  local most, held = given.sessions or SESSIONS_MOST, given.held or HELD_MOST
  holding.set(held)
  return setmetatable({ given = given, sessions = {}, owners = {}, count = 0,
    idle = given.idle or 3600, most = most,
    most_of_one = given.sessions_of_one or math.max(math.floor(most / keys), 1),
    held_of_one = math.max(math.floor(held / keys), math.min(held, HELD_LEAST)),
    requests_of_one = math.max(math.floor(REQUESTS_MOST / keys), REQUESTS_LEAST) }, Http)
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

local function owner_of(self, name)
  local owner = self.owners[name]
  if not owner then
    owner = { name = name, share = holding.share(self.held_of_one), sessions = 0, requests = 0 }
    self.owners[name] = owner
  end
  return owner
end

-- Whose a request is; nil once it was refused. Who has no key is not to keep a connection.
local function admit(self, request)
  local foreign, host = origin.foreign(request.headers, self.given.names or {})
  if foreign == "host" then
    return refuse(request, 403, "request", ("Host: this server is not known as %s; --domain "
      .. "gives it another name"):format(host))
  elseif foreign then
    return refuse(request, 403, "request", "Origin: pages of other places are not answered")
  elseif request.path ~= "/mcp" then
    return refuse(request, 404, "request", "what is here is at /mcp")
  end
  local name = self.given.keys and self.given.keys:owner(key_of(request.headers))
  if self.given.keys and not name then
    return refuse(request, 401, "request", "a key is needed: Authorization: Bearer KEY",
      { { "WWW-Authenticate", "Bearer" }, { "Connection", "close" } })
  end
  local owner = owner_of(self, name or "1")
  if owner.requests >= self.requests_of_one then
    return refuse(request, 429, "busy", ("%d requests of your key are open: wait for one of them")
      :format(owner.requests))
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
  local found = { id = answer.secret(), owner = owner, seen = reactor.now(), open = 0,
    streams = streams.new() }
  local err
  found.session, err = mcp.session(merged(self.given.session, { share = owner.share,
    emit = function(value) emit(found, value) end }))
  if not found.session then
    return nil, err
  end
  self.sessions[found.id], self.count = found, self.count + 1
  owner.sessions = owner.sessions + 1
  return found
end

local function finish(self, found)
  if self.sessions[found.id] then
    self.sessions[found.id], self.count = nil, self.count - 1
    found.owner.sessions = found.owner.sessions - 1
    found.session:close()
    found.streams:close()
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

-- What was sent, and what it has in memory; nil once it was refused.
local function read(request, owner)
  if not (request.headers["content-type"] or ""):lower():find("^application/json") then
    return refuse(request, 415, "request", "Content-Type: application/json expected")
  elseif not accepts(request, "application/json") and not accepts(request, "text/event-stream") then
    return refuse(request, 406, "request",
      "Accept: application/json and text/event-stream expected")
  end
  holding.of(request, owner.share)
  local text, status, why = holding.all(request, message.most)
  holding.done(request)
  if request.received > LARGE then
    collectgarbage() -- else its pieces would stay until as much again has come
  end
  if not text then
    return status and refuse(request, status, status == 429 and "busy" or "request", why
      or status == 413 and ("a message has at most %d bytes"):format(message.most)
      or "the message does not come")
  end
  local value, problem, bytes = message.read(text)
  if problem then
    return say_problem(request, 400, problem)
  end
  local held, err = holding.hold(owner.share, bytes)
  if not held then
    return say_problem(request, 429, message.problem("busy", err.message), message.id_of(value))
  end
  return value, held
end

-- Events without a message are for clients that know of them.
local function is_primed(found)
  local known = found.session.version
  return known ~= nil and version.is_at_least(known, "2025-11-25")
end

local function receive(found, request, value, held, more)
  local out = stream.new()
  found.open = found.open + 1
  local is_answered = found.session:receive(value, function(said, is_last)
    out:put(said, is_last)
  end, held)
  if is_answered then
    out:write(request, more, accepts(request, "text/event-stream") and found.streams or nil,
      is_primed(found))
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

-- Clients that crash leave sessions behind. One that has no sandbox, and that nobody has used for a
-- while, is nothing that could be lost: its client, if there is one, is told to begin another.
local function make_room(self, owner)
  local oldest
  for _, found in pairs(self.sessions) do
    if found.owner == owner and found.open == 0 and not found.session:has_something()
      and reactor.now() - found.seen > UNUSED and (not oldest or found.seen < oldest.seen) then
      oldest = found
    end
  end
  if oldest then
    finish(self, oldest)
  end
end

-- Why there can be no further session; nil: there can.
local function is_full(self, owner)
  if owner.sessions >= self.most_of_one or self.count >= self.most then
    make_room(self, owner)
  end
  if owner.sessions >= self.most_of_one then
    return 429, ("your key has %d sessions already: end one by DELETE; --sessions-per-key allows "
      .. "more"):format(owner.sessions)
  elseif self.count >= self.most then
    return 503, ("there are %d sessions already; --sessions allows more"):format(self.count)
  end
end

local function begin_with(self, request, owner, value, held)
  local status, why = is_full(self, owner)
  if status then
    held:leave()
    return say_problem(request, status, message.problem("busy", why), value.id)
  end
  local found, err = begin(self, owner)
  if not found then
    held:leave()
    return refuse(request, answer.status(err), "internal", err.message)
  end
  receive(found, request, value, held, { { "Mcp-Session-Id", found.id } })
  if not found.session.version then -- what was asked was wrong
    finish(self, found)
  end
end

local function post(self, request, owner)
  local value, held = read(request, owner)
  if not held then
    return
  end
  local has_session = request.headers["mcp-session-id"] ~= nil
  if not has_session and message.is_object(value) then
    if is_modern(value) then
      held:leave()
      return refuse_modern(request, value)
    elseif value.method == "initialize" and value.id ~= nil then
      return begin_with(self, request, owner, value, held)
    end
  end
  local found = find(self, request, owner)
  if found then
    receive(found, request, value, held, {})
  else
    held:leave()
  end
end

-- The stream that goes on behind an event that the client has had.
local function missed(found, request)
  local out, number = found.streams:find(request.headers["last-event-id"])
  if not out then
    refuse(request, 410, "request", "Last-Event-ID: what came behind it is not kept any more")
  end
  return out, number
end

-- One listens at a time: a client that comes again has lost the stream before.
local function new_listener(found)
  if found.listener then
    found.streams:remove(found.listener)
  end
  found.listener = stream.new()
  found.streams:add(found.listener)
  return found.listener
end

local function get(self, request, owner)
  if not (request.headers.accept or ""):find("text/event-stream", 1, true) then
    return refuse(request, 406, "request", "Accept: text/event-stream expected")
  end
  local found = find(self, request, owner)
  if not found then
    return
  end
  local out, number
  if request.headers["last-event-id"] then
    out, number = missed(found, request)
  else
    out = new_listener(found)
  end
  if out then
    found.open = found.open + 1
    out:write_events(request, {}, { after = number, is_primed = is_primed(found) })
    found.open, found.seen = found.open - 1, reactor.now()
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
    owner.requests, request.owner = owner.requests + 1, owner
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
  if request.owner then
    request.owner.requests = request.owner.requests - 1
  end
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
