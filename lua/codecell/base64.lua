--- Base64 (RFC 4648) of bytes, for pictures in JSON and in terminals.
local base64 = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- Pairs of letters for each value of 12 bits, made at first use: half the work.
local pairs_of_letters

local function prepare()
  pairs_of_letters = {}
  for value = 0, 4095 do
    local high, low = math.floor(value / 64) + 1, value % 64 + 1
    pairs_of_letters[value] = ALPHABET:sub(high, high) .. ALPHABET:sub(low, low)
  end
end

--- Encode bytes, with padding and without line breaks.
---@param bytes string
---@return string
function base64.encode(bytes)
  if not pairs_of_letters then
    prepare()
  end
  local out, floor, byte = {}, math.floor, string.byte
  local whole = #bytes - #bytes % 3
  for i = 1, whole, 3 do
    local first, second, third = byte(bytes, i, i + 2)
    out[#out + 1] = pairs_of_letters[first * 16 + floor(second / 16)]
    out[#out + 1] = pairs_of_letters[second % 16 * 256 + third]
  end
  local first, second = byte(bytes, whole + 1, whole + 2)
  if second then
    local low = second % 16 * 4 + 1
    out[#out + 1] = pairs_of_letters[first * 16 + floor(second / 16)]
    out[#out + 1] = ALPHABET:sub(low, low) .. "="
  elseif first then
    out[#out + 1] = pairs_of_letters[first * 16] .. "=="
  end
  return table.concat(out)
end

return base64
