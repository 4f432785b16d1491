--- Answering requests by HTTP: for connections that others have accepted, and where it listens
--- itself; by TLS too.
local core = require "codecell.core"
local errors = require "codecell.errors"
local fields = require "codecell.http.fields"
local libraries = require "codecell.libraries"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"
local whole = require "codecell.http.whole"

local server = {}

---@class codecell.HttpServer
---@field package made userdata
---@field package abouts table<integer, any>
local Server = {}
Server.__index = Server

---@class codecell.HttpServerOptions
---@field connections integer? how many at a time; default 1024
---@field idle integer? seconds that a client may be silent; default 60
---@field first integer? seconds that it may take from its connection to its first request; default
---30
---@field head integer? bytes that the head of a request has at most; a connection that waits costs
---about twice as many; default 65536
---@field certificate string? in PEM, followed by what has signed it: it speaks TLS alone
---@field key string? of the certificate, in PEM

---@class codecell.IncomingRequest
---@field method string
---@field target string as sent: "/path?query"
---@field path string
---@field query string? what follows "?", as sent
---@field headers codecell.Fields
---@field about any what `adopt` was given
---@field status integer? of its answer, once that was started
---@field is_broken_off boolean? by `abort`
---@field received integer bytes of its body that were read
---@field sent integer bytes of its answer's body that were taken
---@field package call userdata
---@field package idle number
local Request = {}
Request.__index = Request

local OPTIONS = {
  connections = { type = "integer", above = 0, most = 65536 },
  idle = { type = "integer", above = 0, most = 86400 },
  head = { type = "integer", least = 4096, most = 65536 },
  first = { type = "integer", above = 0, most = 86400 },
  certificate = { type = "text" },
  key = { type = "text" },
}
local CONNECTIONS, IDLE, FIRST, HEAD = 1024, 60, 30, 65536
local WHOLE_MOST = 262144 -- bytes of a body that are given at once

-- ---- a request ----

local function gone(self, verb)
  return errors.new("unavailable", ("%s: the client of %s %s has gone"):format(verb, self.method,
    self.path))
end

local function check_open(self, verb)
  if self.call:_closed() then
    error(verb .. ": the request has ended", 3)
  end
end

--- Whether the client has gone: one that ends its side waits for no answer.
---@return boolean
function Request:is_left()
  return self.call:_closed() or self.call:_state() == "broken"
end

--- Have every wait of the handler, from now on, end with the error "cancelled" once the client has
--- gone.
function Request:end_with_client()
  check_open(self, "end_with_client")
  local running, call = wait.task(), self.call
  local function look()
    if not call:_closed() and call:_state() == "broken" then
      running:cancel()
      return false
    end
    return not call:_closed()
  end
  if running and look() then
    reactor.listen(call:_token(), look)
  end
end

--- The next piece of the body, as it comes; the client waits while nobody reads. Once the answer
--- was started nothing of it can be read any more.
---@param timeout number? seconds; default: `idle` of the server
---@return string? chunk nil at the end of the body, and on failure
---@return codecell.Error? err kind "timeout", "unavailable" (the client has gone), "cancelled" (the
---answer was started)
function Request:read(timeout)
  check_open(self, "read")
  timeout = timeout or self.idle
  local deadline = wait.deadline(timeout)
  while true do
    if self.has_started and not self.is_upgraded then
      return nil, errors.new("cancelled", "read: the answer has been started")
    elseif self.call:_closed() then
      return nil, errors.new("cancelled", "read: the request has ended")
    end
    local chunk = self.call:try_read()
    if chunk then
      self.received = self.received + #chunk
      return chunk
    elseif chunk == nil then
      if self.call:_has_all() then
        return nil
      end
      return nil, gone(self, "read")
    elseif not wait.wait(self.call, deadline) then
      return nil, wait.failure("read", timeout)
    end
  end
end

--- The whole body, as one string.
---@param limit integer bytes; a longer one is refused
---@return string? body
---@return codecell.Error? err kind "limit_exceeded", and as of `read`
function Request:all(limit)
  return whole(self, function(_, size)
    if size > limit then
      return errors.new("limit_exceeded", ("read: the request is longer than %d bytes"):format(
        limit))
    end
  end)
end

-- What the library decides by the length of the body.
local OURS = { ["content-length"] = true, ["transfer-encoding"] = true }

-- level: 1 is this function.
local function check_fields(self, verb, headers, level)
  if self.has_started then
    error(verb .. ": the answer has been started", level + 1)
  end
  local names, values = {}, {}
  local list = fields.check(verb .. ": headers", headers, level + 1)
  for i = 1, #list do
    local name, value = list[i][1], list[i][2]
    if OURS[name:lower()] then
      error(("%s: headers: %s is set by the library"):format(verb, name), level + 1)
    elseif value:find("%S") then -- the C library takes no empty ones, and no tabs
      names[#names + 1], values[#values + 1] = name, (value:gsub("\t", " "))
    end
  end
  return names, values
end

-- level: 1 is this function.
local function begin(self, verb, status, headers, length, body, level)
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 999 then
    error(verb .. ": status: a whole number from 200 to 999 expected", level + 1)
  end
  local names, values = check_fields(self, verb, headers, level + 1)
  self.has_started, self.status = true, status
  reactor.wake(self.call:_token()) -- who still reads the body
  if self.call:_state() ~= "open" then
    return nil, gone(self, verb)
  end
  self.sent = body and self.method ~= "HEAD" and #body or 0
  return self.call:_answer(status, names, values, length, body)
end

--- Begin the answer. Its length is said when it is known: then exactly that many bytes must follow.
---@param status integer
---@param headers (string[][]|table<string, string>)? {{name, value}, ...} or by name, without
---Content-Length and Transfer-Encoding
---@param length integer? bytes of the body; default: not known
---@return true? ok
---@return codecell.Error? err kind "unavailable": the client has gone
function Request:start(status, headers, length)
  check_open(self, "start")
  local ok, err = begin(self, "start", status, headers, length or -1, nil, 2)
  return ok, err
end

--- Have the connection go on in another protocol, as the request has asked: the answer is 101, and
--- `read`, `write`, `finish` and `abort` are of whatever the two speak from then on.
---@param headers (string[][]|table<string, string>)? as of `start`; Upgrade is one of them
---@return true? ok
---@return codecell.Error? err kind "unavailable": the client has gone
function Request:upgrade(headers)
  check_open(self, "upgrade")
  local names, values = check_fields(self, "upgrade", headers, 2)
  self.has_started, self.status = true, 101
  local ok, err = self.call:_upgrade(names, values)
  while ok and not self.call:_is_upgraded() do
    if self.call:_state() ~= "open" then
      return nil, gone(self, "upgrade")
    elseif not wait.wait(self.call) then
      return nil, wait.failure("upgrade", self.idle)
    end
  end
  self.is_upgraded = ok
  return ok, err
end

--- Send a piece of the answer's body; waits while the client does not take it.
---@param chunk string
---@param timeout number? seconds; default: `idle` of the server
---@return true? ok
---@return codecell.Error? err kind "unavailable" (the client has gone), "timeout", "cancelled"
function Request:write(chunk, timeout)
  check_open(self, "write")
  if not self.has_started or self.has_finished then
    error("write: the answer has not been started, or was finished", 2)
  end
  options.argument("write", "chunk", chunk, "data")
  timeout = timeout or self.idle
  local deadline, at = wait.deadline(timeout), 0
  while true do
    if self.call:_state() ~= "open" then
      return nil, gone(self, "write")
    end
    local went_to = self.call:try_write(chunk, at)
    self.sent = self.sent + went_to - at
    if went_to == #chunk then
      return true
    elseif went_to > at then
      deadline = wait.deadline(timeout)
    end
    at = went_to
    if not wait.wait(self.call, deadline) then
      return nil, wait.failure("write", timeout, "the client takes nothing")
    end
  end
end

--- That was all of the answer.
---@return true ok
function Request:finish()
  check_open(self, "finish")
  if not self.has_started then
    error("finish: the answer has not been started", 2)
  end
  self.has_finished = true
  self.call:finish()
  local deadline = wait.deadline(self.idle)
  while self.is_upgraded and self.call:_state() == "finished" do -- what waits goes out first
    if not wait.wait(self.call, deadline) then
      break
    end
  end
  return true
end

--- Break the answer off: the client sees that something is missing.
function Request:abort()
  self.has_started, self.has_finished, self.is_broken_off = true, true, true
  if not self.call:_closed() then
    self.call:abort()
  end
end

--- Answer at once.
---@param status integer
---@param headers (string[][]|table<string, string>)? as of `start`
---@param body string? default ""
---@return true? ok
---@return codecell.Error? err as of `write`
function Request:reply(status, headers, body)
  check_open(self, "reply")
  body = body or ""
  if #body <= WHOLE_MOST then
    local ok, err = begin(self, "reply", status, headers, nil, body, 2)
    self.has_finished = true
    return ok, err
  end
  local ok, err = begin(self, "reply", status, headers, #body, nil, 2)
  if ok and self.method ~= "HEAD" then
    ok, err = self:write(body)
  end
  if ok then
    self:finish()
  end
  return ok, err
end

-- ---- a server ----

local function new_request(self, call)
  local method, target, text, about = call:_head()
  local path, query = target:match("^([^?]*)%??(.*)$")
  return setmetatable({
    method = method, target = target, path = path,
    query = target:find("?", 1, true) and query or nil,
    headers = fields.parse(text), about = self.abouts[about], call = call, idle = self.idle,
    received = 0, sent = 0,
  }, Request)
end

local function serve(handler, request)
  local ok, problem = wait.call(handler, request)
  if not ok then
    reactor.fail(tostring(problem))
  end
  if request.call:_closed() then
    return
  end
  if not request.has_started then
    request:reply(500, { { "Content-Type", "text/plain" } }, "The handler gave no answer.\n")
  elseif not request.has_finished then
    request:abort()
  end
  local token = request.call:_token()
  reactor.listen(token, nil)
  request.call:close()
  reactor.wake(token) -- who still waits for it
end

-- Each call in a coroutine of its own; inside a step, so nothing waits here.
local function look(self)
  local made = self.made
  if made:_closed() then
    return false
  end
  local call = made:_next()
  while call do
    task.background(serve, self.handler, new_request(self, call))
    if not call:_closed() then -- it is not answered yet
      call:_watch()
    end
    if made:_closed() then -- by a handler
      return false
    end
    call = made:_next()
  end
  local about = made:_left()
  while about do
    self.abouts[about] = nil
    about = made:_left()
  end
  return true
end

local function load_library()
  return libraries.load("microhttpd", "a server of HTTP",
    "libmicrohttpd (Debian: libmicrohttpd12)")
end

--- Whether servers can be made here.
---@return true? ok
---@return codecell.Error? err kind "unsupported"
function server.prepare()
  local library, err = load_library()
  return library and true, err
end

--- A server that has no connection yet.
---@param handler fun(request: codecell.IncomingRequest) called in a coroutine of its own for each
---request; what it does not answer is answered with 500, what it does not finish breaks off
---@param given? codecell.HttpServerOptions
---@return codecell.HttpServer? server closed when it is collected
---@return codecell.Error? err kind "unsupported": libmicrohttpd is not installed; "system";
---"invalid_argument": certificate and key are none, or not of each other
function server.new(handler, given)
  options.argument("server", "handler", handler, "function")
  given = options.check("server", given, OPTIONS)
  if (given.certificate ~= nil) ~= (given.key ~= nil) then
    error("server: a certificate and its key belong together", 2)
  end
  local loop, err = reactor.get()
  if not loop then
    return nil, err
  end
  local library, made
  library, err = load_library()
  if not library then
    return nil, err
  end
  local idle = given.idle or IDLE
  made, err = core.server(loop, library, given.connections or CONNECTIONS, idle,
    given.first or FIRST, given.head or HEAD, given.certificate, given.key)
  if not made then
    return nil, err
  end
  local self = setmetatable({ made = made, handler = handler, idle = idle, abouts = {},
    serial = 0 }, Server)
  local weak = setmetatable({ self }, { __mode = "v" })
  reactor.listen(made:_token(), function()
    return weak[1] ~= nil and look(weak[1])
  end)
  return self
end

--- Answer what comes by a connection that somebody else has accepted.
---@param descriptor codecell.Descriptor taken, also on failure
---@param about any? told with each of its requests
---@return true? ok
---@return codecell.Error? err kind "limit_exceeded", "cancelled"
function Server:adopt(descriptor, about)
  local number = 0
  if about ~= nil then
    repeat
      self.serial = self.serial % 0xffffffff + 1
    until self.abouts[self.serial] == nil
    number = self.serial
    self.abouts[number] = about
  end
  local ok, err = self.made:_adopt(descriptor, number)
  if not ok then
    self.abouts[number] = nil
  end
  return ok, err
end

local LISTEN = {
  host = { type = "name" },
  port = { type = "integer", most = 65535 },
  unix = { type = "text" },
}

--- Accept connections, at a port or at a socket of the file system.
---@param given? {host: string?, port: integer?, unix: string?} an address ("127.0.0.1") and a port
---(0: any that is free), or the path of a socket that its owner alone may use, or "@" and a name:
---the same without a file (an abstract socket)
---@return {host: string?, port: integer?, unix: string?}? place where it is
---@return codecell.Error? err kind "already_exists", "permission_denied", "limit_exceeded",
---"invalid_argument" (the host is no address, the path is longer than one of a socket), "system"
function Server:listen(given)
  given = options.check("listen", given, LISTEN)
  if given.unix then
    local ok, err = self.made:_listen_below(given.unix)
    if not ok then
      return nil, err
    end
    return { unix = given.unix }
  end
  local host = given.host or "127.0.0.1"
  local port, err = self.made:_listen_at(host, given.port or 0)
  if not port then
    return nil, err
  end
  return { host = host, port = port }
end

--- Accept connections by a socket that listens already, as one that a sandbox has passed out.
---@param descriptor codecell.Descriptor taken, also on failure
---@return integer? port its own
---@return codecell.Error? err kind "limit_exceeded", "system"
function Server:listen_with(descriptor)
  local port, err = self.made:_listen_with(descriptor)
  return port, err
end

--- How many clients are connected.
---@return integer
function Server:connections()
  return self.made:_closed() and 0 or self.made:_connections()
end

--- Accept nobody any more; whoever is connected stays.
function Server:stop_listening()
  if not self.made:_closed() then
    self.made:_stop_listening()
  end
end

---@return boolean also true in a forked copy of the host
function Server:is_closed()
  return self.made:_closed()
end

--- Break off whatever is open, and listen no more. Idempotent.
function Server:close()
  self.made:close()
end

return server
