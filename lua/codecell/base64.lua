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
