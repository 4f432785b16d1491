--- URLs of files that whoever has them may use: signed with the token of envd, which they do not
--- show.
local base64 = require "codecell.base64"
local core = require "codecell.core"
local errors = require "codecell.errors"
local plane = require "codecell.e2b.plane"
local settings = require "codecell.e2b.settings"
local transport = require "codecell.e2b.transport"

local signature = {}

local function bytes_of(digits)
  return (digits:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

--- The signature of version 1.
---@param path string as it is, not encoded
---@param operation "read"|"write"
---@param user string? as the URL names it
---@param token string of envd
---@param expires integer? seconds since 1970
---@return string
function signature.of(path, operation, user, token, expires)
  local text = table.concat({ path, operation, user or "", token }, ":")
  if expires then
    text = ("%s:%d"):format(text, expires)
  end
  local digest = bytes_of(core.digest("sha256"):update(text):finish())
  return "v1_" .. base64.encode(digest):gsub("=+$", "")
end

--- A URL to read or write a file by.
---@param there codecell.E2bPlane
---@param verb string
---@param path string
---@param operation "read"|"write"
---@param given {user: string?, expiration: number?} expiration: seconds from now
---@return string? url
---@return codecell.Error? err kind "invalid_argument": an expiration without a token to sign with
function signature.url(there, verb, path, operation, given)
  local token, user = there.record.token(), there:user(given.user)
  if given.expiration and not token then
    return nil, errors.new("invalid_argument", verb .. ": nothing can expire in a sandbox "
      .. "without a token; create it with secure = true")
  end
  local expires = given.expiration and math.floor(os.time() + given.expiration) or nil
  return settings.url(there.settings, there.id, there.record.domain, plane.ENVD) .. "/files"
    .. transport.query({ n = 8, "username", user, "path", path,
      "signature", token and signature.of(path, operation, user, token, expires) or nil,
      "signature_expiration", expires and ("%d"):format(expires) or nil })
end

return signature
