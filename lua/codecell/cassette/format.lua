--- The text of a cassette: one JSON object a record, laid out for people and for diffs.
---
--- A record is an object over several lines, and an empty line ends it. Text of several lines is
--- {"$lines": [...]}, bytes that are no UTF-8 are {"$base64": "..."}; a name that begins with "$"
--- gets another one.
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local json = require "codecell.json"
local sorted = require "codecell.sorted"

local format = {}

local BYTES, LINES = "$base64", "$lines"
local DEEP = 5 -- levels of an object that get lines of their own

local function lines_of(text)
  local list = json.list()
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    list[#list + 1] = line
  end
  return list
end

local function pack_text(text, mask)
  text = mask and mask:hide(text) or text
  if json.repair(text) ~= text then
    return { [BYTES] = base64.encode(text) }
  elseif text:find("\n", 1, true) then
    return { [LINES] = lines_of(text) }
  end
  return text
end

--- A value as it stands in a cassette.
---@param value any
---@param mask userdata? what hides secrets
---@return any packed a copy
function format.pack(value, mask)
  if type(value) == "string" then
    return pack_text(value, mask)
  elseif type(value) ~= "table" or value == json.null then
    return value
  end
  local is_list = json.is_list(value)
  local packed = is_list and json.list() or {}
  for key, item in pairs(value) do
    if is_list then
      packed[key] = format.pack(item, mask)
    elseif type(key) == "string" or type(key) == "number" then
      key = mask and mask:hide(tostring(key)) or tostring(key)
      packed[key:gsub("^%$", "$$")] = format.pack(item, mask)
    end
  end
  return packed
end

--- What was packed.
---@param value any
---@return any
function format.unpack(value)
  if type(value) ~= "table" or value == json.null then
    return value
  elseif type(value[BYTES]) == "string" then
    return base64.decode(value[BYTES]) or ""
  elseif type(value[LINES]) == "table" then
    local lines = {}
    for i, line in ipairs(value[LINES]) do
      lines[i] = tostring(line)
    end
    return table.concat(lines, "\n")
  end
  local is_list = json.is_list(value)
  local unpacked = is_list and json.list() or {}
  for key, item in pairs(value) do
    key = type(key) == "string" and key:gsub("^%$%$", "$") or key
    unpacked[key] = format.unpack(item)
  end
  return unpacked
end

local function encode(value)
  return errors.assert(json.encode(value))
end

local function layout(value, margin)
  if type(value) ~= "table" or value == json.null or next(value) == nil or #margin >= DEEP then
    return encode(value)
  end
  local within, pieces = margin .. " ", {}
  if json.is_list(value) then
    for i = 1, #value do
      pieces[i] = within .. layout(value[i], within)
    end
    return "[\n" .. table.concat(pieces, ",\n") .. "]"
  end
  for i, name in ipairs(sorted(value)) do
    pieces[i] = within .. encode(name) .. ": " .. layout(value[name], within)
  end
  return "{\n" .. table.concat(pieces, ",\n") .. "}"
end

--- The text of a record, with the empty line that ends it.
---@param packed table
---@return string
function format.text(packed)
  return layout(packed, "") .. "\n\n"
end

--- The records of a file, one after the other.
---@param file file*
---@return fun(): table|false|nil, integer? next nil at the end; false: what is none; and its line
function format.records(file)
  local number = 0
  return function()
    local lines, first = {}, number + 1
    local line = file:read "*l"
    while line and line ~= "" do
      number, lines[#lines + 1] = number + 1, line
      line = file:read "*l"
    end
    number = number + 1
    if #lines == 0 and not line then
      return nil
    end
    local record = json.decode(table.concat(lines, "\n"))
    return type(record) == "table" and record ~= json.null and record or false, first
  end
end

--- A value in one line of a message.
---@param packed any
---@param most integer bytes
---@return string
function format.brief(packed, most)
  local text = encode(packed)
  if #text > most then
    text = json.repair(text:sub(1, most - 3)) .. "..."
  end
  return text
end

return format
