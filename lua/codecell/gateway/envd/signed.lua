--- Signed URLs of files: who has one needs no token.
local answer = require "codecell.gateway.answer"
local plane = require "codecell.e2b.plane"
local signature = require "codecell.e2b.signature"

local signed = {}

local OPERATIONS = { GET = "read", HEAD = "read", POST = "write" }

local function is_of(one, request, query, expires)
  local operation = OPERATIONS[request.method]
  return one.token ~= nil and operation ~= nil and answer.is_same(query.signature,
    signature.of(query.path or "", operation, query.username, one.token, expires))
end

local function expiry(query)
  local text = query.signature_expiration
  if text == nil then
    return nil
  end
  return text:find("^%d+$") and #text <= 15 and tonumber(text) or false
end

--- Whether a request for a file may be answered.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param query table<string, string>
---@return boolean ok
---@return string? problem
function signed.check(one, request, query)
  local given = request.headers["x-access-token"]
  if not one.token then
    return true
  elseif given then
    return answer.is_same(given, one.token), "access token present in header but does not match"
  elseif not query.signature then
    return false, "missing signature query parameter"
  end
  local expires = expiry(query)
  if expires == false or not is_of(one, request, query, expires) then
    return false, "invalid signature"
  elseif expires and expires < os.time() then
    return false, "signature is already expired"
  end
  return true
end

--- Where a signed URL of a shared host leads: only the sandbox can have signed it.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
---@return {id: string, port: integer}? place
---@return codecell.GatewayRefusal? refusal after nil: too many have asked in vain
function signed.find(gateway, request)
  local query = request.path == "/files" and answer.form(request.query)
  if not query or not query.signature then
    return nil
  end
  local expires, refusal = expiry(query), gateway.quota:search()
  if refusal then
    return nil, refusal
  end
  for id, one in pairs(expires ~= false and gateway:living() or {}) do
    if is_of(one, request, query, expires or nil) then
      return { id = id, port = plane.ENVD }
    end
  end
  gateway.quota:found_nobody()
end

return signed
