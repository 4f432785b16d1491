--- JSON made short where it is long, so that it is JSON still: the heads of lists, objects and
--- texts, and what is missing in words. What stays is what it was, to the last digit.
local json = require "codecell.json"
local unicode = require "codecell.agent.unicode"

local TEXT_MOST = 1048576 -- bytes; longer ones are cut as text
local VALUES_MOST = 2000000 -- as `json.decode` counts them

-- From generous to strict: how many elements, how many bytes of a text, how deep.
local LIMITS = {
  { items = 100, text = 2000, depth = 20 }, { items = 40, text = 1000, depth = 12 },
  { items = 15, text = 400, depth = 8 }, { items = 8, text = 200, depth = 6 },
  { items = 4, text = 100, depth = 4 }, { items = 2, text = 50, depth = 3 },
  { items = 1, text = 20, depth = 2 }, { items = 0, text = 20, depth = 1 },
}

local MORE = "\226\128\166 " -- an ellipsis

local function string_end(text, at)
  at = text:find('["\\]', at + 1)
  while text:byte(at) == 92 do
    at = text:find('["\\]', at + 2)
  end
  return at
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

-- The beginning of what stands between quotes, without half an escape or half a character.
local function head_of(inner, count)
  local head = inner:sub(1, count)
  head = head:sub(1, #head - unicode.incomplete(head))
  local slashes = head:match("(\\+)$")
  if slashes and #slashes % 2 == 1 then
    return head:sub(1, -2)
  end
  local before, digits = head:match("^(.-\\*)\\u(%x?%x?%x?)$")
  if digits and #before:match("\\*$") % 2 == 0 then
    return before
  end
  return head
end

---@class codecell.format.Shortening
---@field text string
---@field limits table
---@field out string[]
---@field size integer
---@field budget integer

local function put(self, piece)
  self.out[#self.out + 1] = piece
  self.size = self.size + #piece
end

-- Where a value ends, that nobody reads.
local function past(text, at)
  local byte = text:byte(at)
  if byte == 34 then
    return string_end(text, at) + 1
  elseif byte ~= 123 and byte ~= 91 then
    return text:find("[^%w%+%-%.]", at) or #text + 1
  end
  local depth = 0
  repeat
    at = text:find('["%[%]{}]', at)
    byte = text:byte(at)
    if byte == 34 then
      at = string_end(text, at)
    else
      depth = depth + ((byte == 123 or byte == 91) and 1 or -1)
    end
    at = at + 1
  until depth == 0
  return at
end

local value

-- A list or an object: its first elements, and how many more there are.
local function elements(self, at, depth)
  local text, is_object = self.text, self.text:byte(at) == 123
  local closing = is_object and 125 or 93
  local most = depth > self.limits.depth and 0 or self.limits.items
  local count = 0
  put(self, is_object and "{" or "[")
  at = skip(text, at + 1)
  while text:byte(at) ~= closing and self.size <= self.budget do
    count = count + 1
    local is_kept = count <= most
    if is_kept and count > 1 then
      put(self, ", ")
    end
    if is_object then
      local stop = string_end(text, at)
      if is_kept then
        put(self, text:sub(at, stop) .. ": ")
      end
      at = skip(text, skip(text, stop + 1) + 1)
    end
    at = skip(text, is_kept and value(self, at, depth + 1) or past(text, at))
    at = text:byte(at) == 44 and skip(text, at + 1) or at
  end
  if count > most then
    put(self, ('%s"%s%s%d %s"'):format(most > 0 and ", " or "", MORE, is_object and '": "' or "",
      count - most, most > 0 and "more" or is_object and "keys" or "elements"))
  end
  put(self, is_object and "}" or "]")
  return at + 1
end

function value(self, at, depth)
  local text, byte = self.text, self.text:byte(at)
  if byte == 123 or byte == 91 then
    return elements(self, at, depth)
  end
  local stop = past(text, at)
  local piece = text:sub(at, stop - 1)
  if byte == 34 and #piece > self.limits.text + 20 then
    local inner = piece:sub(2, -2)
    local head = head_of(inner, self.limits.text)
    piece = ('"%s%s%d bytes more"'):format(head, MORE, #inner - #head)
  end
  put(self, piece)
  return stop
end

--- Shorten a JSON text.
---@param text string
---@param budget integer characters
---@return string? short nil: it is no list or object of JSON, or cannot be made as short
return function(text, budget)
  if not text:find("^%s*[%[{]") or #text > TEXT_MOST then
    return nil
  end
  local _, err = json.decode(text, VALUES_MOST)
  if err or unicode.invalid(text) then
    return nil
  end
  for _, limits in ipairs(LIMITS) do
    local self = { text = text, limits = limits, out = {}, size = 0, budget = budget * 4 }
    value(self, skip(text, 1), 1)
    local short = table.concat(self.out)
    if self.size <= self.budget and unicode.length(short) <= budget then
      return short
    end
  end
  return nil
end
