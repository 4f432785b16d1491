--- The ports of a sandbox that its code listens at: requests go through, and their answers back.
local answer = require "codecell.gateway.answer"
local errors = require "codecell.errors"
local fields = require "codecell.http.fields"
local http = require "codecell.http"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local ports = {}

local SILENCE = 610 -- seconds that an answer may take to begin, and then be silent
local DAY = 86400 -- what no silence of another protocol is longer than
local GRACE = 1 -- seconds to hear what a server says to a client that has ended its side
-- Of the gateway itself, or set anew.
local OURS = { host = true, ["content-length"] = true, ["e2b-sandbox-id"] = true,
  ["e2b-sandbox-port"] = true, ["e2b-traffic-access-token"] = true, expect = true }

-- Ports of one sandbox that are tried unseen. Each takes one of its few ways in, so that whoever
-- asks for all ports must not have them.
local UNSEEN_MOST = 64

local function is_open(one, port)
  local connection = one.sandbox._backend.ask(one.sandbox, "dial", "dial", port)
  if connection then
    connection:close()
  end
  return connection ~= nil
end

-- Not to be seen by what listens: some servers take one connection, and end.
local function may_try(one, port)
  local tried = one.tried
  if not tried[port] and tried.count < UNSEEN_MOST then
    tried[port], tried.count = true, tried.count + 1
  end
  return tried[port] or is_open(one, port)
end

local function not_open(one, request, port)
  answer.failure(request, 502, "The sandbox is running but port is not open",
    { sandboxId = one.id, port = port })
end

local function too_many(message)
  return #message.headers > fields.passed_most and ("%d header fields are more than the %d that "
    .. "are passed on"):format(#message.headers, fields.passed_most)
end

local function headers_of(request)
  local list = {}
  for _, pair in ipairs(fields.end_to_end(request.headers)) do
    if not OURS[pair[1]:lower()] then
      list[#list + 1] = pair
    end
  end
  return list
end

-- The host that the code inside is told.
local function host_of(one, request, port)
  local mask = one.given.mask
  local host = mask and mask:gsub("%${PORT}", tostring(port)) or request.headers.host
  return host and fields.is_value(host) and host ~= "" and host or nil
end

-- A client may send what belongs in percent signs as it is.
local function target_of(request)
  return (request.target:gsub("[%c\127-\255 #]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end))
end

-- A body as it comes; nil: there is none.
local function body_of(request)
  local headers = request.headers
  local length = tonumber((headers["content-length"] or ""):match("^%d+$") or "")
  if length == 0 or not length and not headers["transfer-encoding"] then
    return nil
  end
  return function() return request:read(SILENCE) end, length
end

local function send_back(request, response)
  local list = {}
  for _, pair in ipairs(fields.end_to_end(response.headers)) do
    if pair[1]:lower() ~= "content-length" then
      list[#list + 1] = pair
    end
  end
  local length = tonumber((response.headers["content-length"] or ""):match("^%d+$") or "")
  local ok = request:start(response.status, list, request.method ~= "HEAD" and length or nil)
  while ok do
    local chunk, err = response:read()
    if not chunk then
      return err and request:abort() or request:finish()
    end
    ok = request:write(chunk)
  end
end

-- The protocol that a request wants to go on in.
local function upgrade_of(request)
  local connection = (request.headers.connection or ""):lower()
  return ("," .. connection:gsub("%s", "") .. ","):find(",upgrade,", 1, true)
    and request.headers.upgrade or nil
end

-- What the client says once the server has agreed, as the body of the request. libcurl does not
-- tell a server that this is over: so the connection is closed.
local function sayer(request, talk)
  return function()
    while talk.is_open == nil do
      if not wait.key(talk) then
        return nil
      end
    end
    local chunk = talk.is_open and request:read(DAY)
    if chunk then
      return chunk
    end
    local patience = reactor.now() + GRACE
    repeat
      local again = talk.is_open and wait.key(talk, patience)
    until not again
    if talk.is_open then
      talk.response:close()
    end
  end
end

-- Both speak another protocol from now on, until one of them ends.
local function join(request, response, talk)
  local list = {}
  for _, pair in ipairs(fields.end_to_end(response.headers)) do
    list[#list + 1] = pair
  end
  fields.add(list, "Upgrade", response.headers.upgrade or request.headers.upgrade)
  talk.response, talk.is_open = response, request:upgrade(list) == true
  reactor.wake(talk)
  local chunk, err, ok
  repeat
    ok = true
    chunk, err = response:read(DAY)
    if chunk then
      ok = request:write(chunk, SILENCE)
    end
  until not chunk or not ok
  talk.is_open = false
  reactor.wake(talk)
  return (err or chunk) and request:abort() or request:finish()
end

--- Answer a request to a port.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param port integer
function ports.answer(one, request, port)
  local problem = too_many(request)
  if problem then
    return answer.failure(request, 431, problem)
  elseif not may_try(one, port) then
    return not_open(one, request, port)
  end
  local host, err = one.sandbox:get_host(port)
  local response
  local upgrade, talk = upgrade_of(request), {}
  if not upgrade then
    request:end_with_client() -- what answers late, or never, is not waited for without one
  end
  if host then
    local body, length = body_of(request)
    if upgrade then
      body, length = sayer(request, talk), nil
    end
    response, err = http.request({ method = request.method, url = "http://" .. host
      .. target_of(request), headers = headers_of(request), host = host_of(one, request, port),
      body = body, length = length, upgrade = upgrade, timeout = SILENCE, idle = SILENCE })
  end
  problem = response and too_many(response)
  if problem then
    response:close()
    response, err = nil, errors.new("protocol", "what listens answers with too much: " .. problem)
  end
  if not response then
    talk.is_open = false
    reactor.wake(talk)
  end
  if not response and request:is_left() then
    return
  elseif not response and not is_open(one, port) then
    return not_open(one, request, port)
  elseif not response then
    return answer.failure(request, 502, err.message, { sandboxId = one.id, port = port })
  end
  if response.status == 101 then
    join(request, response, talk)
  else
    talk.is_open = false
    reactor.wake(talk)
    send_back(request, response)
  end
  response:close()
end

return ports
