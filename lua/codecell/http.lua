--- Requests by HTTP, for the library's own needs: no cookie, password or setting of the machine's
--- is looked at, variables for proxies and certificates only where that is asked for, and TLS is
--- always verified.
local core = require "codecell.core"
local environment = require "codecell.http.environment"
local errors = require "codecell.errors"
local fields = require "codecell.http.fields"
local libraries = require "codecell.libraries"
local network = require "codecell.network"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local targets = require "codecell.http.target"
local task = require "codecell.task"
local wait = require "codecell.wait"
local whole = require "codecell.http.whole"

local http = {}

---@class codecell.HttpSettings
---@field public boolean? refuse every address that is not the public internet's; default false
---@field policy userdata? what may be reached (`network.policy`)
---@field name_servers string? "127.0.0.1:53,..." instead of the system's
---@field ca_file string? whom to trust instead of the system's authorities
---@field environment boolean? by the proxies that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY
---name, trusting whom SSL_CERT_FILE, SSL_CERT_DIR and CURL_CA_BUNDLE do; default false; not with
---`public` or `policy`, which a proxy would get around
---@field socket string? path of the socket that all of it goes to, for a URL with an address

---@class codecell.HttpClient
---@field package made userdata
---@field package settings table
local Client = {}
Client.__index = Client

---@class codecell.HttpResponse
---@field status integer
---@field headers codecell.Fields
---@field url string without its query
---@field package exchange userdata
local Response = {}
Response.__index = Response

local TIMEOUT, IDLE = 60, 60
local REST_MOST = 65536 -- bytes after all that matters

local CLIENT = {
  policy = { type = "userdata" },
  public = { type = "boolean" },
  environment = { type = "boolean" },
  name_servers = { type = "name" },
  ca_file = { type = "text" },
  socket = { type = "text" },
}

-- ---- a client ----

local function load_libraries()
  local curl, err = libraries.load("curl", "HTTP", "libcurl (Debian: libcurl4)")
  local names
  if curl then
    names, err = network.names()
  end
  if not names then
    return nil, err
  end
  return curl, names
end

--- Whether requests can be made here.
---@return true? ok
---@return codecell.Error? err kind "unsupported"
function http.prepare()
  local library, err = load_libraries()
  if not library then
    return nil, err
  end
  return true
end

local function make(settings)
  local loop, err = reactor.get()
  if not loop then
    return nil, err
  end
  local library, names = load_libraries()
  if not library then
    return nil, names
  end
  local policy = settings.policy or settings.public and core.policy("open", {}, {}) or nil
  return core.client(loop, library, names, settings.name_servers or "", policy)
end

--- What makes requests: it keeps its connections for later ones, and shares nothing with others.
---@param settings? codecell.HttpSettings
---@return codecell.HttpClient? client
---@return codecell.Error? err kind "unsupported": libcurl is not installed; "out_of_memory"
function http.client(settings)
  settings = options.check("client", settings, CLIENT)
  if settings.environment and (settings.public or settings.policy) then
    error("client: environment: a proxy would get around public and policy", 2)
  end
  local made, err = make(settings)
  if not made then
    return nil, err
  end
  return setmetatable({ made = made, settings = settings }, Client)
end

--- End every request of it, and close its connections. Idempotent.
function Client:close()
  self.made:close()
end

-- ---- a request ----

local function explain(err, target)
  local text = ("%s %s: %s"):format(target.method, target.origin, err.message)
  local found = errors.new(err.kind, text, err.hint)
  found.errno, found.stage = err.errno, err.stage
  return found
end

-- One piece, as the server takes it. False: nobody wants more of it.
local function send_piece(exchange, piece, outcome)
  local at = 0
  while true do
    if exchange:_closed() or exchange:_outcome() ~= false then
      return false
    end
    local went_to = exchange:try_write(piece, at)
    if went_to == #piece then
      outcome.moved_at = reactor.now()
      return true
    end
    if went_to > at or not outcome.deadline then
      outcome.deadline, outcome.moved_at = wait.deadline(outcome.idle), reactor.now()
    end
    at = went_to
    if not wait.wait(exchange, outcome.deadline) then
      outcome.err = wait.failure("send", outcome.idle, "the server takes nothing")
      return false
    end
  end
end

-- The whole body. An error of the function's is that of the request, unless its answer has come.
local function send(exchange, body, outcome)
  local piece, err = body()
  while piece do
    if not send_piece(exchange, piece, outcome) then
      break
    end
    outcome.deadline = nil
    piece, err = body()
  end
  outcome.err = outcome.err or err
  if exchange:_closed() or outcome.err and exchange:_head() then
    return
  elseif outcome.err then
    exchange:close()
    reactor.wake(outcome.token)
  elseif not piece then
    exchange:finish()
  end
end

local function once(text)
  local given = false
  return function()
    local piece = not given and text or nil
    given = true
    return piece
  end
end

local function start_sending(exchange, target, outcome)
  outcome.token = exchange:_token()
  local body = target.body
  if body == nil then
    return
  elseif type(body) == "string" then
    local taken = exchange:try_write(body, 0)
    if taken == #body then
      exchange:finish()
      return
    end
    body = once(body:sub(taken + 1))
  end
  task.background(function()
    local ok, problem = wait.call(send, exchange, body, outcome)
    if not ok then
      outcome.problem = problem
      exchange:close()
      reactor.wake(outcome.token)
    end
  end)
end

local function wait_for_head(exchange, target, outcome, timeout)
  wait.deadline(timeout)
  outcome.moved_at = outcome.moved_at or reactor.now()
  while true do
    if exchange:_closed() then
      if outcome.problem then
        error(outcome.problem, 0)
      end
      return nil, outcome.err or errors.new("cancelled", "the request was given up")
    end
    local status, text = exchange:_head()
    if status then
      return status, fields.parse(text)
    end
    local done, err = exchange:_outcome()
    if done == nil then
      return nil, explain(err, target)
    elseif not wait.wait(exchange, wait.earlier(outcome.moved_at + timeout, outcome.till)) then
      err = wait.failure(("%s %s"):format(target.method, target.origin), timeout)
      if err.kind ~= "timeout" or reactor.now() >= wait.earlier(outcome.moved_at + timeout,
        outcome.till) then
        exchange:close()
        return nil, err
      end
    end
  end
end

local function begin(client, target)
  local settings = client.settings
  local order = {
    tls = target.tls, authority = target.authority, path = target.path, method = target.method,
    headers = target.lines, length = target.length, ca_file = settings.ca_file,
    socket = settings.socket, upgrade = target.upgrade, share = target.share,
  }
  if settings.environment then
    local proxy, problem = environment.proxy(target.tls, target.authority)
    if problem then
      return nil, errors.new("invalid_argument", problem)
    end
    if proxy then
      order.proxy, order.proxy_authority = proxy.url, proxy.authority
    end
    if not order.ca_file then
      order.ca_file, order.ca_path = environment.authorities()
    end
  end
  local exchange, err = client.made:_begin(order)
  if not exchange then
    return nil, explain(err, target)
  end
  return exchange
end

local function ask(client, target, given)
  local refusal = wait.refusal("request")
  if refusal then
    return nil, refusal
  end
  local exchange, err = begin(client, target)
  if not exchange then
    return nil, err
  end
  if given.begun then
    given.begun(exchange)
  end
  local idle = given.idle or IDLE
  local till = wait.deadline(given.whole)
  local outcome = { idle = idle, till = till }
  start_sending(exchange, target, outcome)
  local status, headers = wait_for_head(exchange, target, outcome, given.timeout or TIMEOUT)
  if not status then
    return nil, headers
  end
  return setmetatable({ status = status, headers = headers, exchange = exchange,
    target = { method = target.method, origin = target.origin }, -- and no header: keys are in them
    url = target.origin .. target.path:match("^[^?]*"), idle = idle, till = till,
    whole = given.whole }, Response)
end

-- level: 1 is this function.
local function request(client, given, level)
  local target = targets.prepare(given, level + 1)
  local left = given.redirects or 0
  local response, err = ask(client, target, given)
  while response and left > 0 do
    local next_target = targets.follow(target, response)
    if not next_target then
      break
    end
    response:close()
    target, left = next_target, left - 1
    response, err = ask(client, target, given)
  end
  return response, err
end

--- Make a request, and wait for the head of its answer. Whatever its status is, it is an answer.
---@param given codecell.HttpRequest
---@return codecell.HttpResponse? response
---@return codecell.Error? err kind "timeout", "unavailable" (no such name, nobody there, it broke
---off), "denied_by_policy", "protocol" (its certificate or what it says is wrong), "cancelled",
---"limit_exceeded", "invalid_argument" (a host that cannot be one); `stage` is "connect" where
---nothing was sent
function Client:request(given)
  local response, err = request(self, given, 2)
  return response, err
end

local shared = {} -- the clients of those who bring none; made again in a forked copy of the host

local function shared_client(given)
  local settings = { environment = given.environment or nil }
  local kind = settings.environment and "environment" or "plain"
  if not shared[kind] or shared[kind].made:_closed() then
    local err
    shared[kind], err = http.client(settings)
    if not shared[kind] then
      return nil, err
    end
  end
  return shared[kind]
end

--- Make a request by a client that all share who bring none.
---@param given codecell.HttpRequest
---@return codecell.HttpResponse? response
---@return codecell.Error? err as of `Client:request`
function http.request(given)
  local client, err = shared_client(given)
  if not client then
    return nil, err
  end
  local response
  response, err = request(client, given, 2)
  return response, err
end

---@class codecell.HttpStarted
---@field package exchange userdata
local Started = {}
Started.__index = Started

--- Begin a request whose answer nobody waits for: this never waits, so that a finalizer may call
--- it. It goes on while the reactor is stepped.
---@param given codecell.HttpRequest without a body, or with a short string
---@return codecell.HttpStarted? started let it be collected, and the request is given up
---@return codecell.Error? err
function http.start(given)
  local target = targets.prepare(given, 2)
  local client, err = shared_client(given)
  local exchange
  if client then
    exchange, err = begin(client, target)
  end
  if not exchange then
    return nil, err
  elseif target.body then
    exchange:try_write(target.body, 0)
    exchange:finish()
  end
  return setmetatable({ exchange = exchange }, Started)
end

--- What is woken when there is news of it.
---@return integer? token nil: it was closed
function Started:token()
  return not self.exchange:_closed() and self.exchange:_token() or nil
end

--- Whether its answer has begun, or it has failed.
---@return boolean
function Started:is_over()
  return self.exchange:_closed() or self.exchange:_head() ~= nil
    or self.exchange:_outcome() ~= false
end

--- Give it up, or forget it. Idempotent.
function Started:close()
  self.exchange:close()
end

-- ---- a response ----

--- The next piece of the body, as it comes; the server waits while nobody reads.
---@param timeout number? seconds; default: `idle` of the request
---@return string? chunk nil at the end of the body, and on failure
---@return codecell.Error? err kind "timeout", "unavailable" (it broke off), "protocol", "cancelled"
function Response:read(timeout)
  timeout = timeout or self.idle
  local deadline = wait.earlier(wait.deadline(timeout), self.till)
  while not self.is_over do
    if self.exchange:_closed() then
      return nil, errors.new("cancelled", "read: the response was closed")
    end
    local chunk, err = self.exchange:try_read()
    if chunk then
      return chunk
    elseif err then
      return nil, explain(err, self.target)
    elseif chunk == nil then
      self.is_over = true
      self.exchange:close()
    elseif not wait.wait(self.exchange, deadline) then
      return nil, wait.failure(("read from %s"):format(self.target.origin),
        deadline == self.till and self.whole or timeout)
    end
  end
  return nil
end

--- The rest of the body, as one string.
---@param limit integer bytes; a longer one is refused
---@return string? body
---@return codecell.Error? err kind "limit_exceeded", and as of `read`
function Response:all(limit)
  return whole(self, function(_, size)
    if size > limit then
      self:close()
      return errors.new("limit_exceeded", ("%s: the answer is longer than %d bytes"):format(
        self.target.origin, limit))
    end
  end)
end

--- All that matters has come. A connection whose answer ends soon can be used again: that end is
--- waited for, and no more.
---@param timeout number seconds
function Response:rest(timeout)
  local deadline, left = wait.deadline(timeout), REST_MOST
  while left > 0 and not self.is_over do
    local chunk = self:read(math.max(deadline - reactor.now(), 0))
    left = chunk and left - #chunk or 0
  end
  self:close()
end

--- Not interested in the rest. Idempotent.
function Response:close()
  if not self.exchange:_closed() then
    local token = self.exchange:_token()
    self.exchange:close()
    reactor.wake(token)
  end
end

return http
