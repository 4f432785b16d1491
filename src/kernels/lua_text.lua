-- Text of the Lua kernel (lua.lua): UTF-8 whatever the code made, bounded, and JSON.
local kernel = {}
debug.getregistry().codecell = kernel

local error, tonumber, tostring, type = error, tonumber, tostring, type
local next, rawget = next, rawget
local byte, find, format, gsub, match, sub = string.byte, string.find, string.format, string.gsub,
  string.match, string.sub
local concat, sort = table.concat, table.sort
local huge = math.huge
local getmetatable = debug.getmetatable
local number_type = math.type -- none before 5.3
-- Only the one of 5.4 knows what a surrogate is.
local utf8_length = _VERSION == "Lua 5.4" and utf8.len or nil

local TEXT_MAX, JSON_MAX = 4194304, 16777216 -- bytes
local DEPTH_MAX = 100 -- of JSON

-- What follows the first byte of a character in UTF-8, without surrogates and what is longer than
-- it need be.
local FOLLOWING = {}
for _, rule in next, { { 194, 223, "[\128-\191]" }, { 224, 224, "[\160-\191][\128-\191]" },
  { 225, 239, "[\128-\191][\128-\191]" }, { 237, 237, "[\128-\159][\128-\191]" },
  { 240, 240, "[\144-\191][\128-\191][\128-\191]" },
  { 241, 243, "[\128-\191][\128-\191][\128-\191]" },
  { 244, 244, "[\128-\143][\128-\191][\128-\191]" } } do
  for lead = rule[1], rule[2] do
    FOLLOWING[lead] = "^" .. rule[3]
  end
end

-- What is not UTF-8 becomes replacement characters; what comes after so many bytes may be left out.
local function clean(text, most)
  local at = find(text, "[\128-\255]")
  if not at or utf8_length and utf8_length(text) then
    return text
  end
  local pieces, size, from = {}, 0, 1
  while at and size < most do
    local pattern, stop = FOLLOWING[byte(text, at)], nil
    if pattern then
      local _, last = find(text, pattern, at + 1)
      stop = last
    end
    if not stop then
      local piece = sub(text, from, at - 1) .. "\239\191\189"
      pieces[#pieces + 1], size = piece, size + #piece
      from, stop = at + 1, at
    end
    at = find(text, "[\128-\255]", stop + 1)
  end
  return concat(pieces) .. (at and "" or sub(text, from))
end

-- Without the character at the end that is cut in two.
local function head(text, size)
  local last = "[\192-\255][\128-\191]?[\128-\191]?[\128-\191]?$"
  return (gsub(sub(text, 1, size), last, ""))
end

function kernel.bounded(text)
  local size = #text
  if size > TEXT_MAX then
    text = head(text, TEXT_MAX)
  end
  local kept = clean(text, TEXT_MAX)
  if size <= TEXT_MAX and #kept <= TEXT_MAX then
    return kept
  elseif #kept > TEXT_MAX then
    kept = head(kept, TEXT_MAX)
  end
  kernel.truncated = true
  return kept .. format("\n... [cut: the rest of %d bytes is left out]", size)
end

-- As clients expect it: one pair of quotes around a text goes.
function kernel.unquote(text)
  local quote = #text > 1 and match(text, "^[\"']")
  return quote and sub(text, -1) == quote and sub(text, 2, -2) or text
end

-- ---- JSON ----

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(letter)
  return ESCAPES[letter] or format("\\u%04x", byte(letter))
end

local function quoted(text)
  return '"' .. gsub(clean(text, JSON_MAX), '[%c"\\]', escape) .. '"'
end

-- JSON has no NaN and no infinities: they are strings.
local function number_text(number)
  if number ~= number then
    return '"NaN"'
  elseif number == huge or number == -huge then
    return number > 0 and '"Infinity"' or '"-Infinity"'
  elseif number_type and number_type(number) == "integer" then
    return format("%d", number)
  end
  local text = format("%.14g", number)
  if tonumber(text) ~= number then
    text = format("%.17g", number)
  end
  return (gsub(text, ",", ".")) -- of a locale
end

-- The keys of an object in order, or nil and the length of a list.
local function keys_of(value)
  local keys, most, is_list = {}, 0, true
  for key in next, value do
    if type(key) == "number" and key >= 1 and key % 1 == 0 then
      most = key > most and key or most
    else
      is_list = false
    end
    keys[#keys + 1] = key
  end
  local metatable = getmetatable(value)
  local wanted = metatable and rawget(metatable, "__jsontype")
  if is_list and most == #keys and not (wanted == "object" and most == 0) then
    return nil, most
  end
  sort(keys, function(a, b)
    if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then
      return a < b
    end
    return type(a) < type(b)
  end)
  return keys
end

local encode

local function put(out, text)
  out.size = out.size + #text
  if out.size > JSON_MAX then
    error("the JSON is longer than 16 MiB", 0)
  end
  out[#out + 1] = text
end

local function encode_table(out, value, depth)
  if out.open[value] then
    error("a table that contains itself has no JSON", 0)
  elseif depth == DEPTH_MAX then
    error("tables nested deeper than 100 have no JSON", 0)
  end
  out.open[value] = true
  local keys, most = keys_of(value)
  put(out, keys and "{" or "[")
  for i = 1, keys and #keys or most do
    local key = keys and keys[i] or i
    if i > 1 then
      put(out, ",")
    end
    if keys then
      put(out, quoted(tostring(key)) .. ":")
    end
    encode(out, rawget(value, key), depth + 1)
  end
  put(out, keys and "}" or "]")
  out.open[value] = nil
end

function encode(out, value, depth)
  local kind = type(value)
  if kind == "table" then
    encode_table(out, value, depth)
  elseif kind == "number" then
    put(out, number_text(value))
  elseif kind == "boolean" or kind == "nil" then
    put(out, kind == "nil" and "null" or value and "true" or "false")
  else
    put(out, quoted(tostring(value)))
  end
end

function kernel.json(value)
  local out = { size = 0, open = {} }
  encode(out, value, 0)
  return concat(out)
end
