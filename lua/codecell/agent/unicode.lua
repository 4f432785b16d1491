--- UTF-8 in strings of bytes that may be anything, for every Lua.
local unicode = {}

local byte, find = string.byte, string.find

-- Bytes that should follow a lead byte; nil for what leads nothing.
local function followers(lead)
  if lead < 0xC2 or lead > 0xF4 then
    return nil
  elseif lead < 0xE0 then
    return 1
  elseif lead < 0xF0 then
    return 2
  end
  return 3
end

-- Whether the second byte is one that this lead allows (no surrogates, no longer forms).
local function allowed_second(lead, second)
  if lead == 0xE0 then
    return second >= 0xA0
  elseif lead == 0xED then
    return second < 0xA0
  elseif lead == 0xF0 then
    return second >= 0x90
  elseif lead == 0xF4 then
    return second < 0x90
  end
  return true
end

--- How many bytes at the end of a text are the beginning of a character that is not all there.
---@param text string
---@return integer count 0 to 3
function unicode.incomplete(text)
  for back = 1, math.min(3, #text) do
    local value = byte(text, -back)
    if value >= 0xC0 then
      local more = followers(value)
      return more and more >= back and back or 0
    elseif value < 0x80 then
      return 0
    end
  end
  return 0
end

--- The length of the character at a position.
---@param text string
---@param at integer
---@return integer? size in bytes; nil when the bytes there are not UTF-8
function unicode.size(text, at)
  local lead, second, third, fourth = byte(text, at, at + 3)
  if lead < 0x80 then
    return 1
  end
  local more = followers(lead)
  if not more or not second or second < 0x80 or second > 0xBF
    or not allowed_second(lead, second) then
    return nil
  end
  if more >= 2 and (not third or third < 0x80 or third > 0xBF) then
    return nil
  end
  if more == 3 and (not fourth or fourth < 0x80 or fourth > 0xBF) then
    return nil
  end
  return more + 1
end

--- The first byte that is not part of valid UTF-8.
---@param text string
---@param at integer? where to begin (1)
---@return integer? position nil when all of it is valid
function unicode.invalid(text, at)
  at = find(text, "[\128-\255]", at or 1)
  while at do
    local size = unicode.size(text, at)
    if not size then
      return at
    end
    at = find(text, "[\128-\255]", at + size)
  end
  return nil
end

--- The text with every byte that is not UTF-8 replaced by U+FFFD.
---@param text string
---@return string
function unicode.repair(text)
  local bad = unicode.invalid(text)
  if not bad then
    return text
  end
  local parts, from = {}, 1
  while bad do
    parts[#parts + 1] = text:sub(from, bad - 1)
    parts[#parts + 1] = "\239\191\189"
    from = bad + 1
    bad = unicode.invalid(text, from)
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

--- The number of characters in valid UTF-8.
---@param text string
---@return integer
function unicode.length(text)
  if not find(text, "[\128-\191]") then
    return #text
  end
  local _, continuing = text:gsub("[\128-\191]", "")
  return #text - continuing
end

--- The longest beginning of a valid text that has at most `count` characters.
---@param text string
---@param count integer
---@return string
function unicode.head(text, count)
  if #text <= count then
    return text
  end
  local at = 1
  while count > 0 and at <= #text do
    -- Whole stretches of ASCII at a time.
    local next_wide = find(text, "[\192-\255]", at) or #text + 1
    if next_wide - at >= count then
      return text:sub(1, at + count - 1)
    end
    count = count - (next_wide - at)
    at = next_wide
    if at <= #text then
      at = at + (unicode.size(text, at) or 1)
      count = count - 1
    end
  end
  return text:sub(1, at - 1)
end

--- The longest end of a valid text that has at most `count` characters.
---@param text string
---@param count integer
---@return string
function unicode.tail(text, count)
  local at = #text + 1
  while count > 0 and at > 1 do
    at = at - 1
    local value = byte(text, at)
    if value < 0x80 or value >= 0xC0 then
      count = count - 1
    end
  end
  return text:sub(at)
end

return unicode
