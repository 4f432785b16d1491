--- How many columns of a terminal characters take.
local unicode = require "codecell.agent.unicode"

local width = {}

-- Pairs of first and last code point, in order.
local NONE = { 0x300, 0x36F, 0x483, 0x489, 0x591, 0x5BD, 0x610, 0x61A, 0x64B, 0x65F, 0x200B, 0x200F,
  0x20D0, 0x20FF, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0xFEFF, 0xFEFF, 0x1F3FB, 0x1F3FF, 0xE0100,
  0xE01EF }
local TWO = { 0x1100, 0x115F, 0x231A, 0x231B, 0x23E9, 0x23EC, 0x2614, 0x2615, 0x26A1, 0x26A1,
  0x2705, 0x2705, 0x274C, 0x274C, 0x2E80, 0x303E, 0x3041, 0xA4CF, 0xA960, 0xA97F, 0xAC00, 0xD7A3,
  0xF900, 0xFAFF, 0xFE30, 0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F, 0x1F680,
  0x1F6FF, 0x1F900, 0x1F9FF, 0x20000, 0x3FFFD }

local function is_in(list, code)
  for i = 1, #list, 2 do
    if code < list[i] then
      return false
    elseif code <= list[i + 1] then
      return true
    end
  end
  return false
end

local function code_of(char)
  local first, second, third, fourth = char:byte(1, 4)
  if #char == 1 then
    return first
  elseif #char == 2 then
    return (first - 0xC0) * 64 + second - 0x80
  elseif #char == 3 then
    return ((first - 0xE0) * 64 + second - 0x80) * 64 + third - 0x80
  end
  return (((first - 0xF0) * 64 + second - 0x80) * 64 + third - 0x80) * 64 + fourth - 0x80
end

--- Of one character of valid UTF-8.
---@param char string
---@return integer columns 0, 1 or 2
function width.of(char)
  if #char == 1 then
    return 1
  end
  local code = code_of(char)
  return is_in(NONE, code) and 0 or is_in(TWO, code) and 2 or 1
end

--- Each character of a text of valid UTF-8.
---@param text string
---@return fun(): integer?, string? next place and character
function width.each(text)
  local at = 1
  return function()
    if at > #text then
      return nil
    end
    local from = at
    at = at + (unicode.size(text, from) or 1)
    return from, text:sub(from, at - 1)
  end
end

return width
