--- Reading the value of a setting: from the text of a variable, or as a program gave it.
local json = require "codecell.json"
local secret = require "codecell.config.secret"

local read = {}

local YES = { ["true"] = true, ["1"] = true, yes = true, on = true }
local NO = { ["false"] = true, ["0"] = true, no = true, off = true }

local function is_text(value)
  return type(value) == "string" and not value:find("[%z\r\n]")
end

local function one_of(value, choices)
  for _, choice in ipairs(choices) do
    if value == choice then
      return true
    end
  end
end

local function range_of(setting)
  local unit = setting.unit and " " .. setting.unit or ""
  local low = setting.above and ("more than %.15g"):format(setting.above)
    or ("at least %.15g"):format(setting.least)
  return ("%s and at most %.15g%s"):format(low, setting.most, unit)
end

local checks = {}

function checks.text(value)
  return is_text(value), "a text of one line expected"
end

function checks.secret(value)
  return secret.is(value) or is_text(value), "a text of one line expected"
end

function checks.flag(value)
  return type(value) == "boolean", "true or false expected"
end

function checks.number(value, setting)
  return type(value) == "number" and value == value and value >= (setting.least or -math.huge)
    and value > (setting.above or -math.huge) and value <= setting.most,
    range_of(setting) .. " expected"
end

function checks.integer(value, setting)
  local ok, problem = checks.number(value, setting)
  return ok and value % 1 == 0, "a whole number, " .. problem
end

function checks.choice(value, setting)
  return one_of(value, setting.choices),
    "one of " .. table.concat(setting.choices, ", ") .. " expected"
end

function checks.object(value)
  local problem = "an object of names and texts expected"
  if type(value) ~= "table" then
    return false, problem
  end
  for name, text in pairs(value) do
    if not is_text(name) or not is_text(text) then
      return false, problem
    end
  end
  return true
end

function checks.list(value, setting)
  local problem = "a list expected" .. (setting.choices
    and " of " .. table.concat(setting.choices, ", ") or "")
  if type(value) ~= "table" then
    return false, problem
  end
  for _, item in ipairs(value) do
    if not is_text(item) or setting.choices and not one_of(item, setting.choices) then
      return false, problem
    end
  end
  return true
end

local function is_template(value)
  if type(value) ~= "table" then
    return false
  end
  for name in pairs(value) do
    if name ~= "image" and name ~= "packages" then
      return false
    end
  end
  return (value.image == nil or is_text(value.image) and value.image ~= "")
    and (value.packages == nil or checks.list(value.packages, {}))
end

function checks.templates(value)
  local problem = "templates by their names expected, each with image (a text) or packages (a list)"
  if type(value) ~= "table" then
    return false, problem
  end
  for name, one in pairs(value) do
    if not is_text(name) or not is_template(one) then
      return false, problem
    end
  end
  return true
end

function checks.amounts(value, setting)
  local problem = "an object expected of amounts of at least 0: "
    .. table.concat(setting.names, ", ")
  if type(value) ~= "table" then
    return false, problem
  end
  for name, amount in pairs(value) do
    if not one_of(name, setting.names) or type(amount) ~= "number"
      or not (amount >= 0 and amount < math.huge) then
      return false, problem
    end
  end
  return true
end

--- Check a value in our unit.
---@param setting codecell.Setting
---@param value any
---@return boolean ok
---@return string? problem "whole number expected", ...
function read.check(setting, value)
  local ok, problem = checks[setting.type](value, setting)
  return ok and true or false, not ok and problem or nil
end

local parse = {}

function parse.text(text)
  return text
end

parse.secret, parse.choice = parse.text, function(text) return text:lower() end

function parse.flag(text)
  local word = text:lower()
  if NO[word] then
    return false
  end
  return YES[word]
end

function parse.number(text, setting)
  local number = text:find("^[+-]?[%d.]+$") and tonumber(text)
  return number and number * (setting.scale or 1) or nil
end

parse.integer = parse.number

function parse.list(text)
  local list = {}
  for item in text:gmatch("[^,%s]+") do
    list[#list + 1] = item
  end
  return list
end

function parse.object(text)
  local value = json.decode(text)
  return type(value) == "table" and value or nil
end

parse.amounts = parse.object

-- What a variable must look like, in its own unit.
local function expected(setting)
  if setting.type == "flag" then
    return "true or false expected"
  elseif setting.type == "object" then
    return 'an object of JSON expected, such as {"team": "a"}'
  elseif setting.scale then
    local least = (setting.above or setting.least) / setting.scale
    return ("%s %.15g and at most %.15g %s expected"):format(
      setting.above and "more than" or "at least", least, setting.most / setting.scale,
      setting.variable_unit)
  end
  local _, problem = checks[setting.type](nil, setting)
  return problem
end

--- Read the text of a variable.
---@param setting codecell.Setting
---@param text string
---@return any value in our unit; nil: it is none
---@return string? problem what was expected
function read.variable(setting, text)
  local value = parse[setting.type](text, setting)
  if value == nil or not read.check(setting, value) then
    return nil, expected(setting)
  end
  return value
end

return read
