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

--- The bytes of an encoded text.
---@param text string
---@return string? bytes nil: it is none
function base64.decode(text)
  local digits = text:gsub("=+$", "")
  if digits:find("[^%w+/]") or #digits % 4 == 1 then
    return nil
  end
  local out, value, count = {}, 0, 0
  for i = 1, #digits do
    value = value * 64 + ALPHABET:find(digits:sub(i, i), 1, true) - 1
    count = count + 6
    if count >= 8 then
      count = count - 8
      out[#out + 1] = string.char(math.floor(value / 2 ^ count))
      value = value % 2 ^ count
    end
  end
  return table.concat(out)
end

return base64
