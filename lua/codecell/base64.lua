--- Base64 (RFC 4648) of bytes, for pictures in JSON and in terminals, and for what E2B sends.
local core = require "codecell.core"

local base64 = {}

--- Encode bytes, with padding and without line breaks.
---@param bytes string
---@return string
function base64.encode(bytes)
  return core.base64_encode(bytes)
end

--- Decode a text; padding may be left out, line breaks are passed over.
---@param text string
---@return string? bytes nil: it is no base64
function base64.decode(text)
  return core.base64_decode(text)
end

return base64
