--- JSON without surprises: null is a value, lists stay lists when they are empty, whole numbers
--- stay whole, text is always valid UTF-8, and nothing nests without bound.
local core = require "codecell.core"
local errors = require "codecell.errors"

local json = {}

local plain = core.plain

local DEPTH_MAX = 200
-- What a table and a key of an object take, in memory, of what a plain value in a list does.
local TABLE_COST, KEY_COST = 8, 4
local LONG = 256 -- bytes
local PIECES_MAX = 1024 -- small texts in a row before they are joined

--- The value of null. It counts as true: compare with `value == codecell.json.null`.
json.null = setmetatable({}, {
  __tostring = function() return "null" end,
  __newindex = function() error("codecell.json.null cannot be changed", 2) end,
})

local list_type = { __name = "codecell.json.list" }

--- Mark a table as a list, so that it is `[]` even when it is empty.
---@generic T
---@param value T[]? default: a new one
---@return T[]
function json.list(value)
  return setmetatable(value or {}, list_type)
end

--- Whether a table is a list: marked as one, or with elements from 1 on.
---@param value any
---@return boolean
function json.is_list(value)
  return type(value) == "table" and value ~= json.null
    and (getmetatable(value) == list_type or value[1] ~= nil)
end

-- ---- text ----

local REPLACEMENT = "\239\191\189"

--- Valid UTF-8, with U+FFFD for each byte that was not.
---@param text string
---@return string
function json.repair(text)
  if #text < LONG and not text:find("[\128-\255]") then
    return text
  end
  return core.repair(text) -- looks at long ones more quickly than a pattern does
end

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t",
}

local function escape(letter)
  return escapes[letter] or ("\\u%04x"):format(letter:byte())
end

local function quote(text)
  if #text < LONG and not text:find('[%c"\\\127-\255]') then
    return '"' .. text .. '"' -- most are
  end
  return '"' .. json.repair(text):gsub('[%c"\\]', escape) .. '"'
end

-- ---- numbers: as if the locale were C, whatever the host has set ----

local function point()
  return ("%.1f"):format(0.5):sub(2, 2)
end

local whole_type = math.type -- luacheck: ignore

local function number(value)
  if value ~= value then
    return '"NaN"'
  elseif value == math.huge then
    return '"Infinity"'
  elseif value == -math.huge then
    return '"-Infinity"'
  elseif whole_type and whole_type(value) == "integer" then
    return ("%d"):format(value)
  elseif value % 1 == 0 and value > -1e15 and value < 1e15 then
    return ("%.0f"):format(value)
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if digits == 17 or tonumber(text) == value then
      return (text:gsub("[^%d%-+e]", "."))
    end
  end
end

local function to_number(text)
  return tonumber(text) or tonumber((text:gsub("%.", point())))
end

-- ---- encode ----

local encode_value

local function by_text(one, other)
  return tostring(one) < tostring(other)
end

local function sorted_keys(value)
  local keys, are_strings = {}, true
  for key in pairs(value) do
    local kind = type(key)
    if kind ~= "string" and kind ~= "number" then
      error({ problem = "a key is a " .. kind })
    end
    are_strings = are_strings and kind == "string"
    keys[#keys + 1] = key
  end
  table.sort(keys, not are_strings and by_text or nil)
  return keys
end

-- A list alone: one that has other keys too is an object, or they would be lost.
local function is_list_alone(value)
  if getmetatable(value) == list_type then
    return true
  elseif value[1] == nil then
    return false
  end
  local length = #value
  for key in pairs(value) do
    if type(key) ~= "number" or key < 1 or key > length or key % 1 ~= 0 then
      return false
    end
  end
  return true
end

-- LuaJIT 2.1.0-beta3 makes wrong code of hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(is_list_alone)
end

local function encode_table(value, pieces, depth)
  if depth >= DEPTH_MAX then
    error({ problem = "nested deeper than " .. DEPTH_MAX .. ", or in itself" })
  end
  if is_list_alone(value) then
    pieces[#pieces + 1] = "["
    for i = 1, #value do
      pieces[#pieces + 1] = i > 1 and "," or nil
      encode_value(value[i], pieces, depth + 1)
    end
    pieces[#pieces + 1] = "]"
    return
  end
  pieces[#pieces + 1] = "{"
  for i, key in ipairs(sorted_keys(value)) do
    pieces[#pieces + 1] = (i > 1 and "," or "") .. quote(tostring(key)) .. ":"
    encode_value(value[key], pieces, depth + 1)
  end
  pieces[#pieces + 1] = "}"
end

function encode_value(value, pieces, depth)
  local kind = type(value)
  if value == nil or value == json.null then
    pieces[#pieces + 1] = "null"
  elseif kind == "string" then
    pieces[#pieces + 1] = quote(value)
  elseif kind == "number" then
    pieces[#pieces + 1] = number(value)
  elseif kind == "boolean" then
    pieces[#pieces + 1] = tostring(value)
  elseif kind == "table" then
    encode_table(value, pieces, depth)
  else
    error({ problem = "a " .. kind .. " has no JSON" })
  end
end

--- JSON of a value. Keys are sorted; NaN and infinities become strings; invalid UTF-8 is repaired.
---@param value any
---@return string? text
---@return codecell.Error? err kind "invalid_argument": a function, a cycle, too deep
function json.encode(value)
  local pieces = {}
  local ok, problem = pcall(encode_value, value, pieces, 0)
  if not ok then
    if type(problem) ~= "table" then
      error(problem, 0)
    end
    return nil, errors.new("invalid_argument", "json.encode: " .. problem.problem)
  end
  return table.concat(pieces)
end

-- ---- decode ----

local unescapes = {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
}

local function utf8_of(code)
  local char, floor = string.char, math.floor
  if code < 128 then
    return char(code)
  elseif code < 2048 then
    return char(192 + floor(code / 64), 128 + code % 64)
  elseif code < 65536 then
    return char(224 + floor(code / 4096), 128 + floor(code / 64) % 64, 128 + code % 64)
  end
  return char(240 + floor(code / 262144), 128 + floor(code / 4096) % 64,
    128 + floor(code / 64) % 64, 128 + code % 64)
end

local function wrong(at, problem)
  error({ problem = ("%s at byte %d"):format(problem, at) })
end

-- Of the four digits at `at`; half a pair stands alone as U+FFFD.
local function unicode(text, at)
  local digits = text:match("^%x%x%x%x", at)
  if not digits then
    wrong(at, "four digits expected")
  end
  local code = tonumber(digits, 16)
  if code < 0xD800 or code > 0xDFFF then
    return utf8_of(code), at + 4
  end
  local low = text:match("^\\u(%x%x%x%x)", at + 4)
  low = low and tonumber(low, 16)
  if code < 0xDC00 and low and low >= 0xDC00 and low <= 0xDFFF then
    return utf8_of(0x10000 + (code - 0xD800) * 1024 + low - 0xDC00), at + 10
  end
  return REPLACEMENT, at + 4
end

local decode_value
local budget -- what may still be decoded; reading does not wait, so one is enough

local function spend(at, cost)
  budget = budget - cost
  if budget < 0 then
    error({ problem = ("too many values at byte %d"):format(at), kind = "limit_exceeded" })
  end
end

local function decode_string(text, at)
  local simple, stop = plain(text, at + 1)
  if simple then
    return simple, stop + 1
  end
  stop = text:find('["\\%z\1-\31]', at + 1)
  local pieces, start = {}, at + 1
  local joined = {} -- a piece for each escape would take many times the text
  while true do
    if not stop or text:byte(stop) < 32 then
      wrong(stop or #text, "text without an end")
    end
    pieces[#pieces + 1] = text:sub(start, stop - 1)
    if text:byte(stop) == 34 then
      joined[#joined + 1] = table.concat(pieces)
      return json.repair(table.concat(joined)), stop + 1
    end
    spend(stop, 1)
    local escaped = text:sub(stop + 1, stop + 1)
    if escaped == "u" then
      pieces[#pieces + 1], start = unicode(text, stop + 2)
    else
      pieces[#pieces + 1] = unescapes[escaped] or wrong(stop, "unknown escape")
      start = stop + 2
    end
    if #pieces >= PIECES_MAX then
      joined[#joined + 1], pieces = table.concat(pieces), {}
    end
    stop = text:find('["\\%z\1-\31]', start)
  end
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function decode_list(text, at, depth)
  local list, count = json.list(), 0
  at = skip(text, at + 1)
  if text:byte(at) == 93 then
    return list, at + 1
  end
  while true do
    count = count + 1
    list[count], at = decode_value(text, at, depth + 1)
    at = skip(text, at)
    local byte = text:byte(at)
    if byte == 93 then
      return list, at + 1
    elseif byte ~= 44 then
      wrong(at, "',' or ']' expected")
    end
    at = skip(text, at + 1)
  end
end

local function decode_object(text, at, depth)
  local object = {}
  at = skip(text, at + 1)
  if text:byte(at) == 125 then
    return object, at + 1
  end
  while true do
    if text:byte(at) ~= 34 then
      wrong(at, "a name expected")
    end
    local key
    spend(at, KEY_COST)
    key, at = decode_string(text, at)
    at = skip(text, at)
    if text:byte(at) ~= 58 then
      wrong(at, "':' expected")
    end
    object[key], at = decode_value(text, skip(text, at + 1), depth + 1)
    at = skip(text, at)
    local byte = text:byte(at)
    if byte == 125 then
      return object, at + 1
    elseif byte ~= 44 then
      wrong(at, "',' or '}' expected")
    end
    at = skip(text, at + 1)
  end
end

local words = { ["true"] = true, ["false"] = false, null = json.null }

local function decode_word(text, at)
  local word = text:match("^%a+", at)
  local value = word and words[word]
  if value == nil then
    wrong(at, "a value expected")
  end
  return value, at + #word
end

function decode_value(text, at, depth)
  if depth > DEPTH_MAX then
    wrong(at, "nested deeper than " .. DEPTH_MAX)
  end
  local byte = text:byte(at)
  spend(at, (byte == 123 or byte == 91) and TABLE_COST or 1)
  if byte == 34 then
    return decode_string(text, at)
  elseif byte == 123 then
    return decode_object(text, at, depth)
  elseif byte == 91 then
    return decode_list(text, at, depth)
  elseif byte and (byte == 45 or byte >= 48 and byte <= 57) then
    local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
    local value = digits and not digits:find("^-?0%d") and not digits:find("%.$")
      and not digits:find("%.[eE]") and to_number(digits)
    return value or wrong(at, "malformed number"), at + #digits
  end
  return decode_word(text, at)
end

--- The value of a JSON text. Lists are marked as such, null is `json.null`, whole numbers are whole
--- where this Lua has them, and text is valid UTF-8.
---@param text string
---@param most integer? values: a table counts as 8, a key of an object as 4, an escape in a text
---as 1; default any
---@return any value
---@return codecell.Error? err after nil, kind "invalid_argument": where and what is wrong; kind
---"limit_exceeded": more values than `most`
function json.decode(text, most)
  if type(text) ~= "string" then
    error(("json.decode: string expected, got %s"):format(type(text)), 2)
  end
  budget = most or math.huge
  local ok, value, at = pcall(decode_value, text, skip(text, 1), 0)
  if ok and skip(text, at) <= #text then
    ok, value = false, { problem = ("more after the value at byte %d"):format(at) }
  end
  if ok then
    return value
  elseif type(value) ~= "table" then
    error(value, 0)
  end
  return nil, errors.new(value.kind or "invalid_argument", "json.decode: " .. value.problem)
end

--- As `json.decode`, for texts that share a bound.
---@param text string
---@param allowance {values: integer} that may still be decoded; what this text had is taken off it
---@return any value
---@return codecell.Error? err
function json.decode_within(text, allowance)
  local value, err = json.decode(text, allowance.values)
  allowance.values = math.max(budget, 0)
  return value, err
end

return json
