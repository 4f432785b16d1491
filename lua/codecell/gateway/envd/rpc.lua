--- Remote calls to envd: the Connect protocol with JSON, one answer or a stream of them.
local answer = require "codecell.gateway.answer"
local base64 = require "codecell.base64"
local core = require "codecell.core"
local envelope = require "codecell.e2b.envelope"
local errors = require "codecell.errors"
local holding = require "codecell.gateway.holding"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local task = require "codecell.task"
local wait = require "codecell.wait"

local rpc = {}

local BODY_MOST = 33554432 -- bytes
local VALUES_MOST = 65536 -- of JSON
local PING = 90 -- seconds
local STREAM = "application/connect+json"

local CODES = {
  already_exists = "already_exists",
  denied_by_policy = "permission_denied", invalid_argument = "invalid_argument",
  limit_exceeded = "resource_exhausted", no_space = "resource_exhausted", not_found = "not_found",
  permission_denied = "permission_denied", rate_limited = "resource_exhausted",
  timeout = "deadline_exceeded", unauthenticated = "unauthenticated",
  unavailable = "unavailable", unsupported = "unimplemented",
}

local STATUS = {
  already_exists = 409, deadline_exceeded = 504, failed_precondition = 400,
  invalid_argument = 400,
  not_found = 404, permission_denied = 403, resource_exhausted = 429, unauthenticated = 401,
  unavailable = 503, unimplemented = 501,
}

---@class codecell.GatewayMethod
---@field call fun(one: codecell.GatewayRecord, body: table): table?, codecell.Error? of a call with
---one answer
---@field stream fun(one: codecell.GatewayRecord, body: table): codecell.GatewayStream?,
---codecell.Error? of one with many
---@field take fun(one: codecell.GatewayRecord, following: fun(): table?, codecell.Error?): table?,
---codecell.Error? of one that is asked by many messages; `following` gives the next, nil at the end

---@class codecell.GatewayStream
---@field feed codecell.GatewayFeed of envelopes
---@field alive string an envelope that says nothing
---@field late fun()? the time that the client has given is over
---@field is_over (fun(): boolean)? whether there is nothing left that could be late
---@field source any? woken once that is so
---@field left fun()? the client listens no more

local function code_of(err)
  if err.errno == core.errno.ELOOP then
    return "failed_precondition"
  end
  return CODES[err.kind] or "internal"
end

local function refuse(one, request, err, is_stream)
  if answer.is_gone(err) then
    return answer.gone(request, one.id)
  end
  local told = { code = code_of(err), message = err.message }
  if is_stream then
    request:reply(200, answer.headers(STREAM),
      envelope.encode(errors.assert(json.encode({ error = told })), true))
  else
    answer.json(request, STATUS[told.code] or 500, told)
  end
end

-- Everything in a sandbox runs as one user.
local function check_user(one, request)
  local given = (request.headers.authorization or ""):match("^[Bb]asic%s+(%S+)$")
  local name = given and (base64.decode(given) or ""):match("^([^:]*)")
  if name and name ~= "" and name ~= one.sandbox._user then
    return errors.new("unauthenticated", ("invalid username: '%s': everything runs as '%s' here")
      :format(shape.text(name) or "", one.sandbox._user))
  end
end

-- What gives the messages of a request, one after the other; nil at the end of its body. None
-- is longer than an envelope may be, and one that is cut off is none.
local function messages_of(request)
  local reader = envelope.reader("the request", VALUES_MOST)
  return function()
    while true do
      local message, last = reader:next()
      if message then
        holding.done(request)
        return message
      elseif message == nil then
        return nil, errors.new("invalid_argument", last.message)
      end
      local chunk, err = holding.read(request)
      if not chunk then
        return nil, err
      end
      reader:add(chunk)
    end
  end
end

local function read_message(request)
  local message, err = messages_of(request)()
  return message, not message
    and (err or errors.new("invalid_argument", "the request has no whole message")) or nil
end

-- The time that a client gives a program is kept, also when the client waits for it no more.
local function end_later(stream, deadline)
  while not stream.is_over() do
    if not wait.key(stream.source, deadline) then
      return stream.late()
    end
  end
end

local function follow(request, stream, given)
  local headers = answer.headers(STREAM)
  local every = tonumber((request.headers["keepalive-ping-interval"] or ""):match("^%d+$") or PING)
  local deadline = given.milliseconds and given.began + given.milliseconds / 1000
  request:end_with_client()
  local outcome = stream.feed:send(request, { headers = headers, alive = stream.alive,
    every = math.max(every, 1), deadline = deadline })
  if outcome == "late" then
    if stream.late then
      stream.late()
    end
    if request.has_started or request:start(200, headers) then
      request:write(envelope.encode(errors.assert(json.encode({ error = {
        code = "deadline_exceeded", message = "the time of the request is over" } })), true))
      request:finish()
    end
  elseif outcome == "broken" and given.one.is_stopped and request.has_started then
    request:write(rpc.failed(errors.new("unavailable", "the gateway has ended, and the sandbox")))
    request:finish()
  elseif outcome == "broken" then
    request:abort()
  elseif outcome == "left" and deadline and stream.late then
    task.background(end_later, stream, deadline)
  end
  if stream.left then
    stream.left()
  end
end

-- The time that a client gives, in milliseconds; nil: all.
local function time_of(request)
  local text = request.headers["connect-timeout-ms"]
  if text and not (text:find("^%d+$") and #text <= 10) then
    return nil, errors.new("invalid_argument", "Connect-Timeout-Ms: at most 10 digits expected")
  end
  return text and tonumber(text)
end

local function answer_stream(one, request, method)
  local began = reactor.now()
  local body, err = read_message(request)
  local milliseconds, stream
  err = err or check_user(one, request)
  if not err then
    milliseconds, err = time_of(request)
  end
  if body and not err then
    stream, err = method.stream(one, body)
  end
  if not stream then
    return refuse(one, request, err, true)
  end
  return follow(request, stream, { began = began, one = one, milliseconds = milliseconds })
end

local function answer_taken(one, request, method)
  local value
  local err = check_user(one, request)
  if not err then
    value, err = method.take(one, messages_of(request))
  end
  if request:is_left() then
    return
  elseif not value then
    return refuse(one, request, err, true)
  end
  request:reply(200, answer.headers(STREAM), rpc.message(value) .. rpc.last)
end

local function answer_once(one, request, method)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local err = check_user(one, request)
  local value
  if not err then
    value, err = method.call(one, body)
  end
  if not value then
    return refuse(one, request, err)
  elseif method.encode then
    return request:reply(200, answer.headers("application/json"), method.encode(value))
  end
  answer.json(request, 200, value)
end

--- Answer a call.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param method codecell.GatewayMethod? nil: there is none of that name
function rpc.answer(one, request, method)
  local kind = (request.headers["content-type"] or ""):match("^[^;%s]*"):lower()
  if not method then
    return answer.failure(request, 404, "no such method", { path = request.path })
  elseif request.method ~= "POST" then
    return answer.empty(request, 405, { { "Allow", "POST" } })
  elseif kind ~= (method.call and "application/json" or STREAM) then
    return answer.empty(request, 415)
  elseif method.stream then
    return answer_stream(one, request, method)
  elseif method.take then
    return answer_taken(one, request, method)
  end
  return answer_once(one, request, method)
end

--- A message as a stream sends it.
---@param value table
---@return string envelope
function rpc.message(value)
  return envelope.encode(errors.assert(json.encode(value)))
end

--- The end of a stream that went well.
rpc.last = envelope.encode("{}", true)

--- The end of one that did not.
---@param err codecell.Error
---@return string envelope
function rpc.failed(err)
  return envelope.encode(errors.assert(json.encode({
    error = { code = code_of(err), message = err.message } })), true)
end

return rpc
