--- A call written as JSON in plain text: {"language": "python", "code": "print(1)"}.
---
--- Some models write this instead of a fence, sometimes with a function's name around it. Only
--- objects are read, within bounds of depth and size; numbers are kept as their text.
local call = {}

local DEPTH_MAX = 16

--- Whether a line may begin a call: an object, also as the argument of a function.
---@param line string
---@return integer? position of the opening brace
function call.start(line)
  local at = line:match("^%s*()")
  local brace = line:match("^[%a_][%w_.]*%(%s*()", at) or at
  if line:byte(brace) ~= 123 then
    return nil
  end
  local after = line:match("^%s*()", brace + 1)
  return (after > #line or line:byte(after) == 34) and brace or nil
end

---@class codecell.blocks.Braces
---@field depth integer
---@field quoted boolean

--- Count braces up to the end of the object.
---@param state codecell.blocks.Braces {depth = 0, quoted = false} at first
---@param line string
---@param at integer
---@return integer? position of the closing brace
function call.finish(state, line, at)
  while true do
    at = line:find(state.quoted and '[\\"]' or '["{}]', at)
    if not at then
      return nil
    end
    local mark = line:sub(at, at)
    if mark == '"' then
      state.quoted = not state.quoted
    elseif mark == "\\" then
      at = at + 1
    elseif mark == "{" then
      state.depth = state.depth + 1
    else
      state.depth = state.depth - 1
      if state.depth == 0 then
        return at
      end
    end
    at = at + 1
  end
end

local ESCAPES = {
  b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/",
}

-- UTF-8 of a code point.
local function encode(point)
  local floor, char = math.floor, string.char
  if point < 0x80 then
    return char(point)
  elseif point < 0x800 then
    return char(0xC0 + floor(point / 0x40), 0x80 + point % 0x40)
  elseif point < 0x10000 then
    return char(0xE0 + floor(point / 0x1000), 0x80 + floor(point / 0x40) % 0x40,
      0x80 + point % 0x40)
  end
  return char(0xF0 + floor(point / 0x40000), 0x80 + floor(point / 0x1000) % 0x40,
    0x80 + floor(point / 0x40) % 0x40, 0x80 + point % 0x40)
end

-- The escape after a backslash at `at`: its text and the position after it, or nil.
local function read_escape(text, at)
  local mark = text:sub(at, at)
  if mark ~= "u" then
    return ESCAPES[mark], at + 1
  end
  local high = tonumber(text:match("^%x%x%x%x", at + 1) or "", 16)
  if not high then
    return nil
  elseif high >= 0xD800 and high < 0xDC00 then
    local low = tonumber(text:match("^\\u(%x%x%x%x)", at + 5) or "", 16)
    if low and low >= 0xDC00 and low < 0xE000 then
      return encode(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00), at + 11
    end
  end
  if high >= 0xD800 and high < 0xE000 then
    return "\239\191\189", at + 5
  end
  return encode(high), at + 5
end

-- A string whose quote is at `at`. Raw line ends are let through: models write them.
local function read_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('[\\"]', from)
    if not stop then
      return nil
    end
    parts[#parts + 1] = text:sub(from, stop - 1)
    if text:byte(stop) == 34 then
      return table.concat(parts), stop + 1
    end
    local piece, past = read_escape(text, stop + 1)
    if not piece then
      return nil
    end
    parts[#parts + 1], from = piece, past
  end
end

local read_value

local function read_members(text, at, depth, closing)
  local object, count = {}, 0
  at = text:match("^%s*()", at)
  if text:sub(at, at) == closing then
    return object, at + 1
  end
  while true do
    local key, value
    count = count + 1
    if closing == "}" then
      if text:byte(at) ~= 34 then
        return nil
      end
      key, at = read_string(text, at)
      at = at and text:match("^%s*:%s*()", at)
      if not at then
        return nil
      end
    end
    value, at = read_value(text, at, depth)
    if value == nil then
      return nil
    end
    object[key or count] = value
    local mark, past = text:match("^%s*([,}%]])%s*()", at)
    if mark == closing then
      return object, text:find(closing, at, true) + 1
    elseif mark ~= "," then
      return nil
    end
    at = past
  end
end

function read_value(text, at, depth)
  local mark = text:sub(at, at)
  if mark == '"' then
    return read_string(text, at)
  elseif mark == "{" or mark == "[" then
    if depth >= DEPTH_MAX then
      return nil
    end
    return read_members(text, at + 1, depth + 1, mark == "{" and "}" or "]")
  end
  return text:match("^([%w.+-]+)()", at)
end

-- Code and language among the members of an object, or of its `arguments`.
local function recognize(object)
  local code = object.code or object.source or object.script
  local word = object.language or object.lang
  if type(code) == "string" and type(word) == "string" then
    return word, code
  end
  local inner = object.arguments or object.parameters or object.input or object["function"]
  if type(inner) == "string" then
    inner = read_value(inner, inner:match("^%s*()"), 0)
  end
  if type(inner) == "table" then
    return recognize(inner)
  end
  return nil
end

--- Read a call.
---@param text string one JSON object
---@return string? language as written; nil when this is not a call
---@return string? code
function call.read(text)
  local at = text:match("^%s*(){")
  local object = at and read_value(text, at, 0)
  if type(object) ~= "table" then
    return nil
  end
  return recognize(object)
end

return call
