--- codecell.agent_config: what a coding agent may do, as people configure it: schema, defaults,
--- validation, and forms.
---
---     local config = codecell.agent_config.validate { defaultPackages = { "pandas" } }
---     local form = codecell.agent_config.form { initial = config, on_save = save }
local json = require "codecell.json"
local names = require "codecell.packages.names"
local nearest = require "codecell.nearest"

local agent_config = {}

local DAY = 86400

---@class codecell.AgentConfig
---@field name string
---@field description string
---@field system_prompt string
---@field timeout number seconds that a sandbox lives
---@field default_packages string[] installed before the first code
---@field allowed_packages string[] all that may be installed; empty: any
---@field max_execution_time number seconds that one execution may take
---@field enable_file_system boolean
---@field enable_network boolean
---@field enable_gpu boolean

--- In the order of the form.
agent_config.fields = {
  { name = "name", camel = "name", type = "string", default = "Coding Agent", most = 200,
    label = "Name", help = "How the agent is called." },
  { name = "description", camel = "description", type = "string", default = "", most = 10000,
    label = "Description", help = "What it is for." },
  { name = "system_prompt", camel = "systemPrompt", type = "text", default = "", most = 200000,
    label = "System prompt", help = "How it behaves; what it can do is added by itself." },
  { name = "timeout", camel = "timeout", type = "number", default = 300, most = DAY,
    label = "Sandbox timeout", unit = "seconds", help = "How long a sandbox lives." },
  { name = "max_execution_time", camel = "maxExecutionTime", type = "number", default = 300,
    most = DAY, label = "Longest execution", unit = "seconds",
    help = "What takes longer is stopped." },
  { name = "default_packages", camel = "defaultPackages", type = "packages", default = {},
    label = "Default packages", help = "Installed before the first code." },
  { name = "allowed_packages", camel = "allowedPackages", type = "packages", default = {},
    label = "Allowed packages", help = "All that may be installed; empty: any." },
  { name = "enable_file_system", camel = "enableFileSystem", type = "boolean", default = true,
    label = "File system",
    help = "Off: code writes to memory alone, and there are no file tools." },
  { name = "enable_network", camel = "enableNetwork", type = "boolean", default = false,
    label = "Network", help = "Off: code reaches nothing." },
  { name = "enable_gpu", camel = "enableGPU", type = "boolean", default = false, label = "GPU",
    help = "Give code the graphics processors of this machine." },
}

local by_name, spellings = {}, {}
for _, field in ipairs(agent_config.fields) do
  by_name[field.name], by_name[field.camel] = field, field
  spellings[#spellings + 1] = field.camel
end

local checks = {}

function checks.string(value, field)
  return type(value) == "string" and #value <= field.most and not value:find("[%z\1-\8\11-\31]"),
    ("a text of at most %d characters expected"):format(field.most)
end

checks.text = function(value, field)
  return type(value) == "string" and #value <= field.most and not value:find("%z"),
    ("a text of at most %d characters expected"):format(field.most)
end

function checks.number(value, field)
  return type(value) == "number" and value > 0 and value <= field.most,
    ("%s above 0 and at most %d expected"):format(field.unit, field.most)
end

function checks.boolean(value)
  return type(value) == "boolean", "true or false expected"
end

function checks.packages(value)
  if type(value) ~= "table" or #value > 1000 then
    return false, "a list of names of packages expected"
  end
  for key, name in pairs(value) do
    if type(key) ~= "number" or type(name) ~= "string" then
      return false, "a list of names of packages expected"
    elseif not names.python(name) then
      return false, ("%q is no name of a package"):format(name:sub(1, 80))
    end
  end
  return true
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local list = {}
  for i, item in ipairs(value) do
    list[i] = item
  end
  return list
end

--- A configuration with nothing but defaults.
---@return codecell.AgentConfig
function agent_config.defaults()
  local config = {}
  for _, field in ipairs(agent_config.fields) do
    config[field.name] = copy(field.default)
  end
  return config
end

-- What two fields say of each other.
local function check_together(config, problems)
  if not config.allowed_packages[1] then
    return
  end
  local allowed = {}
  for _, name in ipairs(config.allowed_packages) do
    allowed[names.python(name).name] = true
  end
  for _, name in ipairs(config.default_packages) do
    if not allowed[names.python(name).name] then
      problems[#problems + 1] = ("defaultPackages: %s is not among the allowedPackages"):format(
        name)
    end
  end
end

--- Complete a configuration by the defaults, and check it.
---@param given table fields in camelCase, as documented, or in snake_case
---@return codecell.AgentConfig? config in snake_case
---@return string[]? problems all of them
function agent_config.validate(given)
  if type(given) ~= "table" then
    return nil, { "an object expected, got " .. type(given) }
  end
  local config, problems = agent_config.defaults(), {}
  for name, value in pairs(given) do
    local field = by_name[name]
    if not field then
      local near = type(name) == "string" and nearest(name, spellings)
      problems[#problems + 1] = ("there is no field %s%s"):format(tostring(name):sub(1, 60),
        near and ("; did you mean %s?"):format(near) or "")
    elseif value ~= json.null then
      local ok, problem = checks[field.type](value, field)
      if ok then
        config[field.name] = copy(value)
      else
        problems[#problems + 1] = ("%s: %s"):format(field.camel, problem)
      end
    end
  end
  if not problems[1] then
    check_together(config, problems)
  end
  if problems[1] then
    table.sort(problems)
    return nil, problems
  end
  return config
end

--- A configuration in the spelling of the documents.
---@param config codecell.AgentConfig
---@return table
function agent_config.camel(config)
  local told = {}
  for _, field in ipairs(agent_config.fields) do
    local value = config[field.name]
    told[field.camel] = field.type == "packages" and json.list(copy(value)) or value
  end
  return told
end

local KINDS = { text = "string", packages = "array" }

--- JSON Schema of a configuration.
---@return table
function agent_config.schema()
  local properties = {}
  for _, field in ipairs(agent_config.fields) do
    local one = { type = KINDS[field.type] or field.type, title = field.label,
      description = field.help,
      default = field.type == "packages" and json.list(copy(field.default)) or field.default }
    if field.type == "number" then
      one.exclusiveMinimum, one.maximum = 0, field.most
    elseif field.type == "packages" then
      one.items = { type = "string" }
    elseif field.most then
      one.maxLength = field.most
    end
    properties[field.camel] = one
  end
  return { ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
    title = "CodingAgentConfig", type = "object", properties = properties,
    required = json.list({ "name" }), additionalProperties = false }
end

--- A form.
---@param given {initial: table?, on_save: fun(config: codecell.AgentConfig)?}?
---@return codecell.AgentForm? form `html()`, `save(text)`, `ask(read, write)`
---@return string[]? problems with the initial values
function agent_config.form(given)
  local form, problems = require("codecell.agent_config.form").new(given or {})
  return form, problems
end

return agent_config
