--- The ports of a sandbox that its code listens at: requests go through, and their answers back.
local answer = require "codecell.gateway.answer"
local fields = require "codecell.http.fields"
local http = require "codecell.http"

local ports = {}

local SILENCE = 610 -- seconds that an answer may take to begin, and then be silent
-- Of the gateway itself, or set anew.
local OURS = { host = true, ["content-length"] = true, ["e2b-sandbox-id"] = true,
  ["e2b-sandbox-port"] = true, ["e2b-traffic-access-token"] = true, expect = true }

local function is_open(one, port)
  local connection = one.sandbox._backend.ask(one.sandbox, "dial", "dial", port)
  if connection then
    connection:close()
  end
  return connection ~= nil
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

--- Answer a request to a port.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param port integer
function ports.answer(one, request, port)
  if request.headers.upgrade then
    return answer.failure(request, 501, "codecell serve passes no upgrades on")
  elseif not is_open(one, port) then
    return answer.failure(request, 502, "The sandbox is running but port is not open",
      { sandboxId = one.id, port = port })
  end
  local host, err = one.sandbox:get_host(port)
  local response
  if host then
    local body, length = body_of(request)
    response, err = http.request({ method = request.method, url = "http://" .. host
      .. target_of(request), headers = headers_of(request), host = host_of(one, request, port),
      body = body, length = length, timeout = SILENCE, idle = SILENCE })
  end
  if not response then
    return answer.failure(request, 502, err.message, { sandboxId = one.id, port = port })
  end
  send_back(request, response)
  response:close()
end

return ports
