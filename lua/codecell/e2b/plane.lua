--- What a sandbox of E2B answers itself: envd, the code interpreter, and the ports of its user.
local base64 = require "codecell.base64"
local control = require "codecell.e2b.control"
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local settings = require "codecell.e2b.settings"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"

local plane = {}

plane.ENVD, plane.CODE = 49983, 49999 -- ports

local USERS = "0.4.0" -- of envd, from which on the server knows who is meant by nobody
local SILENCE = 120 -- seconds without a byte, not even a keepalive: the connection is gone

---@class codecell.E2bPlane one sandbox, as requests see it; it keeps no object of its user alive
---@field id string
---@field settings codecell.E2bSettings
---@field record codecell.E2bRecord
---@field default_user string? who is meant where no user is named
---@field mask userdata? what hides the secrets that it was given
---@field ends_at number? of `reactor.now`, when its time is over, as far as is known here
local Plane = {}
Plane.__index = Plane

---@param found codecell.E2bSettings
---@param record codecell.E2bRecord
---@param timeout number? seconds that it lives from now on
---@return codecell.E2bPlane
function plane.new(found, record, timeout)
  return setmetatable({ id = record.id, settings = found, record = record,
    open_ones = setmetatable({}, { __mode = "k" }),
    ends_at = timeout and reactor.now() + timeout }, Plane)
end

--- Whether envd is of that version, or of a later one.
---@param version string
---@return boolean
function Plane:has(version)
  return shape.version(self.record.version) >= shape.version(version)
end

--- The user as a request names it: only one that was asked for, but to an old envd always.
---@param user string?
---@return string?
function Plane:user(user)
  return user or self.default_user or not self:has(USERS) and "user" or nil
end

--- The base URL of a port.
---@param port integer
---@return string
function Plane:url(port)
  local find = port == plane.ENVD and settings.envd or settings.url
  return find(self.settings, self.id, self.record.domain, port)
end

-- With both routing headers, always: hosts may be shared.
function Plane:headers(port, more)
  local list = {
    { "User-Agent", control.agent }, { "E2b-Sandbox-Id", self.id },
    { "E2b-Sandbox-Port", tostring(port) },
  }
  local token, traffic = self.record.token(), self.record.traffic()
  if token and port ~= plane.CODE then
    list[#list + 1] = { "X-Access-Token", token }
  end
  if traffic and port ~= plane.ENVD then
    list[#list + 1] = { "E2B-Traffic-Access-Token", traffic }
  end
  for i = 1, #(more or {}) do
    list[#list + 1] = more[i]
  end
  return list
end

--- The header by which an RPC names a user.
---@param user string?
---@return string[]? header
function Plane:basic(user)
  user = self:user(user)
  return user and { "Authorization", "Basic " .. base64.encode(user .. ":") } or nil
end

-- ---- what a failure means ----

local function gone(self, what)
  local late = self.ends_at and reactor.now() >= self.ends_at
  return errors.new("sandbox_gone", ("%s: the sandbox %s %s"):format(what, self.id,
    late and "has ended: its time was over; set_timeout gives it more"
    or "does not exist any more: it was killed, or its time was over"))
end

local function closed_port(self, what, port)
  if port == plane.CODE then
    return errors.unsupported(what, "e2b", ("the template %s has no code interpreter: use one "
      .. "made from code-interpreter-v1"):format(self.record.template or "of the sandbox"))
  end
  return errors.new("unavailable", ("%s: nothing listens on port %d of the sandbox"):format(what,
    port))
end

--- What an error of this sandbox comes to: a lost connection, and 502, say less than what the
--- control plane knows of its state.
---@param err codecell.Error
---@param what string
---@param port integer
---@return codecell.Error err
function Plane:explain(err, what, port)
  if err.kind ~= "unavailable" or self.settings.debug or self.is_let_go then
    return err
  end
  local found, problem = control.get(self.settings, what, self.id)
  if not found then
    return problem.kind == "not_found" and gone(self, what) or err
  elseif found.state == "paused" then
    return errors.new("unavailable", what .. ": the sandbox is paused; call resume first")
  elseif err.message:find("port is not open", 1, true) then
    return closed_port(self, what, port)
  end
  return err
end

--- An error of the control plane about this sandbox: one that it does not know has ended.
---@param what string
---@param err codecell.Error
---@return codecell.Error err
function Plane:without(what, err)
  return err.kind == "not_found" and gone(self, what) or err
end

--- Why nothing can be asked of it, found before code is sent whose fate nobody would know.
---@param what string
---@return codecell.Error? err kind "sandbox_gone"
function Plane:refusal(what)
  if self.is_killed then
    return errors.new("sandbox_gone", what .. ": the sandbox was killed")
  elseif not self.ends_at or reactor.now() < self.ends_at then
    return nil
  end
  local found, problem = control.get(self.settings, what, self.id)
  if found then -- somebody else has given it more time
    local ends, now = shape.time(found.endAt), os.time()
    self.ends_at = ends and ends > now and reactor.now() + ends - now or nil
  elseif problem.kind == "not_found" then
    return gone(self, what)
  end
end

-- ---- requests ----

--- What no message of it may show, as of `failure.hide`.
---@return table
function Plane:hidden()
  local token, traffic = self.record.token(), self.record.traffic()
  return { token or traffic, token and traffic, mask = self.mask }
end

---@param what string
---@param port integer
---@param given table `method path headers body length is_safe timeout idle`
---@return codecell.E2bRequest
function Plane:request(what, port, given)
  return {
    what = what, method = given.method, url = self:url(port) .. given.path,
    headers = self:headers(port, given.headers), body = given.body, length = given.length,
    timeout = given.timeout or self.settings.request_timeout, idle = given.idle or SILENCE,
    retries = self.settings.max_retries, is_safe = given.is_safe,
    scope = self, hidden = self:hidden(), on_request = self.settings.on_request,
  }
end

--- Ask, and wait for the head of an answer that is a success.
---@param what string begins the message of an error
---@param port integer
---@param given table as of `request`
---@return codecell.HttpResponse? response
---@return codecell.Error? err
function Plane:open(what, port, given)
  local err = self:refusal(what)
  local response
  if not err then
    response, err = transport.open(self:request(what, port, given))
  end
  if not response then
    return nil, err.kind == "sandbox_gone" and err or self:explain(err, what, port)
  end
  return response
end

--- An exchange with the sandbox has begun, which ends with it.
---@param exchange userdata
function Plane:hold(exchange)
  self.open_ones[exchange] = true
end

--- End all that is open: who waits for it is cancelled.
function Plane:let_go()
  self.is_let_go = true
  local open = self.open_ones
  self.open_ones = setmetatable({}, { __mode = "k" })
  for exchange in pairs(open) do
    if not exchange:_closed() then
      local token = exchange:_token()
      exchange:close()
      reactor.wake(token)
    end
  end
  reactor.wake(self)
end

--- Ask for JSON.
---@param what string
---@param port integer
---@param given table as of `request`
---@return any value true where the answer is empty
---@return codecell.HttpResponse|codecell.Error response or err
function Plane:json(what, port, given)
  local err = self:refusal(what)
  local value, response
  if not err then
    value, response = transport.json(self:request(what, port, given))
    err = response
  end
  if value == nil then
    return nil, err.kind == "sandbox_gone" and err or self:explain(err, what, port)
  end
  return value, response
end

--- Whether envd answers.
---@param what string
---@return boolean? answers
---@return codecell.Error? err
function Plane:is_healthy(what)
  local response, err = transport.open(self:request(what, plane.ENVD,
    { method = "GET", path = "/health", is_safe = true }))
  if response then
    response:close()
    return true
  elseif err.status == 502 then
    return false
  end
  return nil, err
end

return plane
