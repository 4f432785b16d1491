--- The arguments of a call, as a model has given them, read by the definition of the tool. What is
--- wrong is told so that the model can mend it; nothing raises.
local errors = require "codecell.errors"
local json = require "codecell.json"
local nearest = require "codecell.nearest"

local arguments = {}

local TEXT_MOST = 16777216 -- bytes of an argument
local VALUES_MOST = 1000000 -- as `json.decode` counts them
local LIST_MOST = 200
local SHOWN = 60 -- bytes of what a model has made up

local function shown(value)
  if type(value) == "string" then
    local text = json.repair(value:sub(1, SHOWN)):gsub("%c", "?")
    return '"' .. text .. (#value > SHOWN and '..."' or '"')
  elseif type(value) == "table" and value ~= json.null then
    return json.is_list(value) and "a list" or "an object"
  end
  return tostring(value)
end

local function is_text(value)
  return type(value) == "string" and #value <= TEXT_MOST
end

local read = {}

function read.string(value, field)
  if type(value) == "number" then
    value = ("%.14g"):format(value)
  end
  if not is_text(value) then
    return nil, type(value) == "string" and ("a text of at most %d bytes"):format(TEXT_MOST)
      or "a text"
  elseif not field.is_data and value:find("%z") then
    return nil, "a text without NUL"
  elseif field.is_required and not field.may_be_empty and value == "" then
    return nil, "a text that is not empty"
  end
  return value
end

function read.integer(value)
  value = type(value) == "string" and #value < SHOWN and tonumber(value) or value
  if type(value) ~= "number" or value % 1 ~= 0 or value < 0 or value > 2 ^ 53 then
    return nil, "a whole number of at least 0"
  end
  return value
end

local FLAGS = { ["true"] = true, ["false"] = false }

function read.boolean(value)
  if FLAGS[value] ~= nil then
    value = FLAGS[value]
  end
  if type(value) ~= "boolean" then
    return nil, "true or false"
  end
  return value
end

function read.array(value, field)
  if is_text(value) then
    value = { value }
  end
  local list, count = {}, type(value) == "table" and #value or 0
  for i = 1, count do
    list[i] = is_text(value[i]) and not value[i]:find("%z") and value[i] or nil
  end
  if type(value) ~= "table" or count > LIST_MOST or #list < count
    or (field.is_required and count == 0) or (count == 0 and next(value) ~= nil) then
    return nil, ("a list of %s%d texts"):format(field.is_required and "1 to " or "at most ",
      LIST_MOST)
  end
  return list
end

function read.object(value)
  local object = {}
  for name, text in pairs(type(value) == "table" and value or {}) do
    if type(name) ~= "string" or not is_text(text) then
      return nil, "an object of names and texts"
    end
    object[name] = text
  end
  return type(value) == "table" and object or nil, "an object of names and texts"
end

local function wrong(definition, problem)
  local names = {}
  for i, field in ipairs(definition.fields) do
    names[i] = field.name .. (field.is_required and "" or "?")
  end
  return nil, errors.new("invalid_argument", ("%s: %s; nothing was done; it takes {%s}"):format(
    definition.name, problem, table.concat(names, ", ")))
end

--- The arguments as an object, whatever is in it.
---@param definition codecell.ToolDefinition
---@param given any a table, or JSON
---@return table? arguments
---@return codecell.Error? err kind "invalid_argument"
function arguments.decode(definition, given)
  if given == nil or given == json.null or given == "" then
    return {}
  elseif type(given) == "string" then
    if #given > 2 * TEXT_MOST then
      return wrong(definition, ("the arguments have %d bytes, which are too many"):format(#given))
    end
    local value, err = json.decode(given, VALUES_MOST)
    if err then
      return wrong(definition, "the arguments are no JSON: " .. err.message:gsub("^.-: ", "", 1))
    end
    given = value == json.null and {} or value
  end
  if type(given) ~= "table" or given[1] ~= nil then
    return wrong(definition, "an object of arguments expected, got " .. shown(given))
  end
  return given
end

-- The value as its enumeration spells it.
local function choose(value, field)
  for _, known in ipairs(field.enum) do
    if known == value then
      return known
    end
  end
  local alias = field.alias and field.alias(value)
  if alias then
    return alias
  end
  local near = nearest(value:lower():sub(1, SHOWN), field.enum)
  return nil, "one of " .. table.concat(field.enum, ", ")
    .. (near and (" (did you mean %s?)"):format(near) or "")
end

local function check_names(definition, given)
  local known, names = {}, {}
  for i, field in ipairs(definition.fields) do
    known[field.name], names[i] = field, field.name
  end
  for name in pairs(given) do
    if not known[name] then
      local near = type(name) == "string" and nearest(name:sub(1, SHOWN), names)
      return wrong(definition, ("there is no argument %s%s"):format(shown(name),
        near and ("; did you mean %s?"):format(near) or ""))
    end
  end
  return true
end

--- Read the arguments of a call.
---@param definition codecell.ToolDefinition
---@param given any a table, or JSON
---@return table? arguments by name, those that were given
---@return codecell.Error? err kind "invalid_argument": what is wrong, and what is expected
function arguments.read(definition, given)
  local decoded, err = arguments.decode(definition, given)
  local ok
  if decoded then
    ok, err = check_names(definition, decoded)
  end
  if not ok then
    return nil, err
  end
  local all = {}
  for _, field in ipairs(definition.fields) do
    local value = decoded[field.name]
    if value == json.null then
      value = nil
    end
    if value == nil and field.is_required then
      return wrong(definition, ("%s is required"):format(field.name))
    elseif value ~= nil then
      local good, expected = read[field.type](value, field)
      if good ~= nil and field.enum then
        good, expected = choose(good, field)
      end
      if good == nil then
        return wrong(definition, ("%s: %s expected, got %s"):format(field.name, expected,
          shown(value)))
      end
      all[field.name] = good
    end
  end
  return all
end

-- LuaJIT 2.1.0-beta3 makes wrong code of hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(check_names)
  jit.off(read.object)
end

return arguments
