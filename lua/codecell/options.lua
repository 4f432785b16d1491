--- Checks of arguments. What is wrong with them is a bug of the caller: it raises, and blames the
--- line that called the verb.
local nearest = require "codecell.nearest"
local one_line = require "codecell.one_line"
local sorted = require "codecell.sorted"

local options = {}

local HUGE = math.huge

-- Level 1 is this function; the check that called it, and the verb that called that, come before
-- the caller.
local function fail(level, text, ...)
  error(one_line(text:format(...)), level + 1)
end

local function named(value)
  return type(value) == "string" and ("%q"):format(value) or tostring(value)
end

local function check_type(what, value, wanted, level)
  if type(value) ~= wanted then
    fail(level + 1, "%s: %s expected, got %s", what, wanted, type(value))
  end
end

local function check_number(what, value, rule, level)
  check_type(what, value, "number", level + 1)
  local least, most = rule.least or 0, rule.most or HUGE
  local low = rule.above and value <= rule.above
  if value ~= value or value < least or value > most or low or value == HUGE then
    local range = rule.above and ("more than %.15g"):format(rule.above)
      or ("at least %.15g"):format(least)
    fail(level + 1, "%s: %s%s expected, got %g", what, range,
      most < HUGE and (" and at most %.15g"):format(most) or ", finite", value)
  end
  if rule.type == "integer" and value % 1 ~= 0 then
    fail(level + 1, "%s: whole number expected, got %g", what, value)
  end
end

local function check_text(what, value, level, forbidden, names)
  check_type(what, value, "string", level + 1)
  if value:find(forbidden) then
    fail(level + 1, "%s: %s not allowed in %s", what, names, named(value))
  end
end

local function check_pairs(what, value, level, check)
  check_type(what, value, "table", level + 1)
  for key, item in pairs(value) do
    if type(key) ~= "string" then
      fail(level + 1, "%s: names are strings, got %s", what, type(key))
    end
    check(key, item)
  end
end

local checks = {}

function checks.number(what, value, rule, level)
  check_number(what, value, rule, level + 1)
end

checks.integer = checks.number

-- What somebody else checks.
function checks.anything()
end

function checks.boolean(what, value, _, level)
  check_type(what, value, "boolean", level + 1)
end

function checks.userdata(what, value, _, level)
  check_type(what, value, "userdata", level + 1)
end

checks["function"] = function(what, value, _, level)
  if type(value) ~= "function" then
    local meta = type(value) == "table" and getmetatable(value)
    if not (meta and type(meta) == "table" and meta.__call) then
      check_type(what, value, "function", level + 1)
    end
  end
end

-- Bytes of any kind.
function checks.data(what, value, _, level)
  check_type(what, value, "string", level + 1)
end

-- A path or a command: anything but NUL.
function checks.text(what, value, _, level)
  check_text(what, value, level + 1, "%z", "NUL is")
end

-- A name that stands in one line.
function checks.name(what, value, _, level)
  check_text(what, value, level + 1, "[%z\r\n]", "NUL, CR and LF are")
end

-- A context that code runs in, or its id.
function checks.context(what, value, _, level)
  local id = type(value) == "table" and value.id or value
  if type(id) ~= "string" then
    fail(level + 1, "%s: context or its id expected, got %s", what,
      type(value) == "table" and "a table that is none" or type(value))
  end
  check_text(what, id, level + 1, "[%z\r\n]", "NUL, CR and LF are")
end

function checks.choice(what, value, rule, level)
  check_type(what, value, "string", level + 1)
  for _, choice in ipairs(rule.choices) do
    if choice == value then
      return
    end
  end
  fail(level + 1, "%s: one of %s expected, got %s", what, table.concat(rule.choices, ", "),
    named(value))
end

-- Of values that have a least size, since less would be masked everywhere, and a most in all.
function checks.envs(what, value, rule, level)
  local size = 0
  check_pairs(what, value, level + 1, function(name, text)
    if name == "" or name:find("[=%z\r\n]") then
      fail(level + 3, "%s: %s cannot be the name of a variable: no '=', NUL, CR or LF", what,
        named(name))
    end
    check_text(("%s.%s"):format(what, name), text, level + 3, "%z", "NUL is")
    size = size + #text
    if rule.least and #text < rule.least then
      fail(level + 3, "%s.%s: at least %d bytes expected: less would be masked everywhere", what,
        name, rule.least)
    elseif rule.most and size > rule.most then
      fail(level + 3, "%s: at most %d bytes of values expected", what, rule.most)
    end
  end)
end

function checks.metadata(what, value, _, level)
  check_pairs(what, value, level + 1, function(name, text)
    check_text(what, name, level + 3, "[%z\r\n]", "NUL, CR and LF are")
    check_text(("%s.%s"):format(what, name), text, level + 3, "[%z\r\n]",
      "NUL, CR and LF are")
  end)
end

checks["table"] = function(what, value, rule, level)
  if rule.fields then
    options.check(what, value, rule.fields, level + 2)
  else
    check_type(what, value, "table", level + 1)
  end
end

-- A list of strings without NUL, at least `least` of them.
function checks.strings(what, value, rule, level)
  check_type(what, value, "table", level + 1)
  if #value < (rule.least or 0) then
    fail(level + 1, "%s: at least %d expected", what, rule.least)
  end
  for i = 1, #value do
    check_text(("%s[%d]"):format(what, i), value[i], level + 1, "%z", "NUL is")
  end
end

-- A list of names of Python modules, which are made into code.
function checks.modules(what, value, rule, level)
  checks.strings(what, value, rule, level + 1)
  for i = 1, #value do
    for part in (value[i] .. "."):gmatch("([^.]*)%.") do
      if not part:find("^[%a_][%w_]*$") then
        fail(level + 1, "%s[%d]: name of a Python module expected, got %s", what, i,
          named(value[i]))
      end
    end
  end
end

-- Whatever one of several rules takes.
function checks.either(what, value, rule, level)
  local one = rule.rules[type(value)]
  if not one then
    fail(level + 1, "%s: %s expected, got %s", what, rule.expected, type(value))
  end
  checks[one.type](what, value, one, level + 1)
end

local function unknown(verb, key, schema, level)
  if type(key) ~= "string" then
    fail(level + 1, "%s: options have names, got a %s as key", verb, type(key))
  end
  local names = sorted(schema)
  local near = nearest(key, names)
  fail(level + 1, "%s: unknown option %s%s", verb, named(key),
    near and ("; did you mean %q?"):format(near)
    or #names == 0 and "; there are none" or "; options are " .. table.concat(names, " "))
end

--- Check a table of options against what is known of each.
---@param verb string for messages
---@param given table? nil is an empty one
---@param schema table<string, table> rule of each option: `type`, `least`, `most`, ...
---@param level integer? stack level to blame, as `error` counts from here; default: the caller's
---caller
---@return table given
function options.check(verb, given, schema, level)
  level = level or 3
  if given == nil then
    return {}
  end
  if type(given) ~= "table" then
    fail(level, "%s: a table of options expected, got %s", verb, type(given))
  end
  for key, value in pairs(given) do
    local rule = schema[key]
    if not rule then
      unknown(verb, key, schema, level)
    end
    checks[rule.type](("%s: %s"):format(verb, key), value, rule, level)
  end
  return given
end

--- Check one argument.
---@param verb string
---@param name string of the argument
---@param value any
---@param kind string a type as in a rule: "data", "text", "name", "number", ...
---@param rule table? more of the rule
---@param level integer? as of `check`
function options.argument(verb, name, value, kind, rule, level)
  checks[kind](("%s: %s"):format(verb, name), value, rule or {}, level or 3)
end

local TIMEOUT = { least = 0 }

--- Check a timeout that may be left out.
---@param verb string
---@param value any
---@param level integer? as of `check`
function options.timeout(verb, value, level)
  if value ~= nil then
    check_number(verb .. ": timeout", value, TIMEOUT, level or 3)
  end
end

-- LuaJIT 2.1.0-beta3, which Debian has, makes wrong code of hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(options.check)
end

return options
