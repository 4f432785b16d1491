--- The configuration: what a call says, else the program, else the environment, else the defaults.
---
--- It is read anew by each call, so a variable that has changed counts from then on.
local core = require "codecell.core"
local dotenv = require "codecell.config.dotenv"
local errors = require "codecell.errors"
local nearest = require "codecell.nearest"
local read = require "codecell.config.read"
local secret = require "codecell.config.secret"
local settings = require "codecell.config.settings"

local config = {}

--- The backends of the modes. Of "local" it is the one of this machine, whatever
--- local_use_docker says, as long as there is none for containers.
config.backends = { docker = "docker", e2b = "e2b", kernel = "local", ["local"] = "local",
  mock = "mock", podman = "docker", production = "e2b" }

local DOTENV_MOST = 1024 * 1024
local SECRET_LEAST = 4 -- bytes; less would be masked everywhere

-- What the program has said, and the file that it wanted to be read.
local program, provider, file = {}, nil, {}

---@class codecell.Config
---@field mode string "mock", "local", "production", or a backend's name
---@field backend string that the mode leads to
---@field is_chosen boolean whether anybody has asked for the mode
---@field api_key codecell.Secret?
---@field warnings string[]
---@field sources table<string, string> of each setting: "argument", "setup", "environment", ...

local function canonical(name)
  if type(name) ~= "string" or settings.by_name[name] then
    return name
  end
  local snake = name:gsub("(%l)(%u)", "%1_%2"):lower()
  return settings.by_name[snake] and snake or name
end

local function unknown(name)
  local near = type(name) == "string" and nearest(name, settings.names)
  return ("unknown setting %s%s"):format(tostring(name),
    near and ("; did you mean %s?"):format(near) or "; 'codecell config' lists them")
end

-- Values that a program gives, by their right names; what is wrong with them goes to the problems.
local function check_given(given, problems)
  local found = {}
  for name, value in pairs(given) do
    local setting = settings.by_name[canonical(name)]
    local ok, problem = false, nil
    if setting then
      ok, problem = read.check(setting, value)
    end
    if not ok then
      problems[#problems + 1] = setting and ("%s: %s"):format(name, problem) or unknown(name)
    else
      found[setting.name] = value
    end
  end
  table.sort(problems)
  return found
end

-- The first variable of a setting that says anything, and what is wrong with it or the others.
local function from_variables(setting, ask, problems, warnings)
  local value, from, text
  for _, variable in ipairs(setting.variables) do
    local said = ask(variable)
    if said and said ~= "" then
      local one, problem = read.variable(setting, said)
      if problem then
        problems[#problems + 1] = ("%s: %s, got %s"):format(variable, problem,
          setting.type == "secret" and "***" or ("%q"):format(said))
      elseif from == nil then
        value, from, text = one, variable, said
      elseif text ~= said then
        warnings[#warnings + 1] = ("%s and %s say different things; %s counts"):format(from,
          variable, from)
      end
    end
  end
  return value, from
end

local function from_provider(setting, problems)
  local value = provider(setting.name)
  if value == nil then
    return nil
  end
  local ok, problem = read.check(setting, value)
  if not ok then
    problems[#problems + 1] = ("%s, as the settings function has it: %s"):format(setting.name,
      problem)
    return nil
  end
  return value
end

local function default_of(setting, profile)
  local value = setting[profile]
  if value == nil then
    value = setting.default
  end
  return value
end

-- From the strongest source to the weakest.
local function find(setting, given, problems, warnings)
  local name = setting.name
  if given[name] ~= nil then
    return given[name], "argument"
  end
  local asked = provider and from_provider(setting, problems)
  if provider and asked ~= nil then
    return asked, "setup"
  elseif program[name] ~= nil then
    return program[name], "setup"
  end
  local value, variable = from_variables(setting, os.getenv, problems, warnings)
  if value ~= nil then
    return value, "environment", variable
  end
  value, variable = from_variables(setting, function(one) return file[one] end, problems,
    warnings)
  if value ~= nil then
    return value, "dotenv", variable
  end
  return nil, "default"
end

-- The commonest mistake: another document's unit.
local function doubt_unit(setting, value, variable, warnings)
  if setting.unit ~= "s" or type(value) ~= "number" then
    return
  elseif variable and value < 0.1 then
    warnings[#warnings + 1] = ("%s is in milliseconds: %g of them; did you mean %g?"):format(
      variable, value / setting.scale, value / setting.scale * 1000)
  elseif not variable and value >= 10000 then
    warnings[#warnings + 1] = ("%s is in seconds: %g of them; did you mean %g?"):format(
      setting.name, value, value / 1000)
  end
end

-- As it counts: keys hidden, and tables of its own, so that nobody changes them afterwards.
local function settled(setting, value)
  if setting.type == "secret" and value ~= nil and not secret.is(value) then
    return secret.new(value)
  elseif type(value) == "table" and not secret.is(value) then
    local own = {}
    for key, item in pairs(value) do
      own[key] = item
    end
    return own
  end
  return value
end

local function resolve_mode(values, sources)
  if values.mode == nil then
    values.mode = values.api_key and "production" or "mock"
  end
  values.is_chosen = sources.mode ~= "default"
  values.backend = config.backends[values.mode]
end

local function resolve(given)
  local problems, warnings = {}, {}
  local checked = check_given(given or {}, problems)
  local values, sources, variables = {}, {}, {}
  for _, setting in ipairs(settings.list) do
    local name = setting.name
    local value
    value, sources[name], variables[name] = find(setting, checked, problems, warnings)
    doubt_unit(setting, value, variables[name], warnings)
    values[name] = value
  end
  local profile = values.environment or settings.by_name.environment.default
  for _, setting in ipairs(settings.list) do
    if values[setting.name] == nil then
      values[setting.name] = default_of(setting, profile)
    end
    values[setting.name] = settled(setting, values[setting.name])
  end
  resolve_mode(values, sources)
  values.warnings, values.sources = warnings, sources
  return values, problems, variables
end

local function problem_of(problems)
  return errors.new("invalid_argument", "config: " .. table.concat(problems, "; ")
    .. (#problems > 1 and (" (%d problems)"):format(#problems) or ""))
end

local function read_only()
  error("codecell.config: what it gives is read only; codecell.setup changes it", 2)
end

-- A view, so that what is read once stays as it was.
local function view(values)
  return setmetatable({}, { __index = values, __newindex = read_only,
    __pairs = function() return next, values, nil end })
end

--- The configuration that counts now.
---@param overrides table? settings by their names, in snake_case or camelCase; they win
---@return codecell.Config? config read only
---@return codecell.Error? err kind "invalid_argument": every problem, with the names of variables
function config.get(overrides)
  if overrides ~= nil and type(overrides) ~= "table" then
    error("codecell.config: a table of settings expected, got " .. type(overrides), 3)
  end
  local values, problems = resolve(overrides)
  if problems[1] then
    return nil, problem_of(problems)
  end
  return view(values)
end

--- Whether these settings are right, and the environment with them.
---@param given table?
---@return boolean? ok true
---@return string[]? problems all of them, a line each
function config.validate(given)
  local _, problems = resolve(given)
  if problems[1] then
    return nil, problems
  end
  return true
end

--- Every setting with its value, and who says it.
---@param overrides table?
---@return table[] list `name value source variable variables default unit help`; keys are hidden
---@return string[] problems
---@return string[] warnings
function config.describe(overrides)
  local values, problems, variables = resolve(overrides)
  local list = {}
  for i, setting in ipairs(settings.list) do
    local name = setting.name
    list[i] = { name = name, value = values[name], source = values.sources[name],
      variable = variables[name], variables = setting.variables, type = setting.type,
      default = default_of(setting, values.environment), unit = setting.unit,
      variable_unit = setting.variable_unit, choices = setting.choices, help = setting.help }
  end
  return list, problems, values.warnings
end

--- Read a file of variables. They count where neither the program nor the environment says
--- anything; a file that is read later replaces it. None is read unless this is called.
---@param path string
---@return boolean? ok true
---@return codecell.Error? err kinds "not_found", "permission_denied", "invalid_argument"
function config.dotenv(path)
  if type(path) ~= "string" then
    error("codecell.config.dotenv: path: string expected, got " .. type(path), 2)
  end
  local stream, err = core.host_file(path)
  local text
  if stream then
    if stream:size() > DOTENV_MOST then
      err = errors.new("invalid_argument", ("%s: it is larger than %d bytes"):format(path,
        DOTENV_MOST))
    else
      text, err = stream:read(DOTENV_MOST + 1)
    end
    stream:close()
  end
  if not text and err then
    return nil, err
  end
  local values, problem = dotenv.parse(text or "")
  if not values then
    return nil, errors.new("invalid_argument", ("%s: %s"):format(path, problem))
  end
  file = values
  return true
end

--- Keep what the program says, for all later calls; `setup` calls it.
---@param given table settings by their names; a function under `settings` is asked for each first
function config.keep(given)
  local problems = {}
  local ask = given.settings
  local rest = {}
  for name, value in pairs(given) do
    if name ~= "settings" then
      rest[name] = value
    end
  end
  local checked = check_given(rest, problems)
  if ask ~= nil and type(ask) ~= "function" then
    problems[#problems + 1] = "settings: function expected, got " .. type(ask)
  end
  if problems[1] then
    error("setup: " .. table.concat(problems, "; "), 3)
  end
  provider = ask or provider
  for name, value in pairs(checked) do
    program[name] = settled(settings.by_name[name], value)
  end
end

--- Variables of this program that are for the code, and hidden in what it prints.
---@param found codecell.Config
---@return table<string, string> hidden
---@return table<string, string> plain those too short to be told apart, which are no secrets
function config.hidden(found)
  local prefix, hidden, plain = found.hidden_env_prefix, {}, {}
  if prefix == "" then
    return hidden, plain -- else every variable of this program would be for the code
  end
  local function take(name, value)
    local short = name:sub(1, #prefix) == prefix and name:sub(#prefix + 1)
    if short and short ~= "" and value ~= "" then
      hidden[short], plain[short] = nil, nil
      local kind = #value >= SECRET_LEAST and hidden or plain
      kind[short] = value
    end
  end
  for name, value in pairs(file) do
    take(name, value)
  end
  for name, value in pairs(core.environment()) do
    take(name, value)
  end
  return hidden, plain
end

return setmetatable(config, {
  __call = function(_, overrides)
    local found, err = config.get(overrides) -- no tail call: mistakes are told of the caller
    return found, err
  end,
})
