--- One definition of a tool, written as each provider wants it.
local json = require "codecell.json"
local unpack = require "codecell.unpack"

local dialect = {}

--- What `kit:schemas`, `kit:handle` and `tools.encode` know.
---@alias codecell.Dialect "openai"|"openai_responses"|"anthropic"|"gemini"|"mcp"
dialect.names = { "openai", "openai_responses", "anthropic", "gemini", "mcp" }

---@class codecell.ToolDefinition
---@field name string
---@field title string for people
---@field description string for the model
---@field fields codecell.ToolField[] in the order in which they are told
---@field output table JSON Schema of `structured`
---@field is_read_only boolean? it changes nothing, in the sandbox either
---@field is_open boolean? it reaches beyond the sandbox: there is a network

---@class codecell.ToolField
---@field name string
---@field type "string"|"integer"|"boolean"|"array"|"object" an array is one of strings
---@field description string
---@field enum string[]? all values there are
---@field is_required boolean?

local function plain_schema(field)
  local schema = { type = field.type, description = field.description }
  if field.enum then
    schema.enum = json.list({ unpack(field.enum) })
  end
  if field.type == "array" then
    schema.items = { type = "string" }
  elseif field.type == "object" then
    schema.additionalProperties = { type = "string" }
  end
  return schema
end

-- Only what must be given is required.
local function open_parameters(definition)
  local properties, required = {}, json.list({})
  for _, field in ipairs(definition.fields) do
    properties[field.name] = plain_schema(field)
    required[#required + 1] = field.is_required and field.name or nil
  end
  return { type = "object", properties = properties, required = required,
    additionalProperties = false }
end

-- Everything is required, and what may be left out may be null. There is no form for an object with
-- names of the model's choice.
local function strict_parameters(definition)
  local properties, required = {}, json.list({})
  for _, field in ipairs(definition.fields) do
    local schema = plain_schema(field)
    if not field.is_required then
      schema.type = json.list({ schema.type, "null" })
      if schema.enum then
        schema.enum[#schema.enum + 1] = json.null
      end
    end
    properties[field.name], required[#required + 1] = schema, field.name
  end
  return { type = "object", properties = properties, required = required,
    additionalProperties = false }
end

local function can_be_strict(definition)
  for _, field in ipairs(definition.fields) do
    if field.type == "object" then
      return false
    end
  end
  return true
end

local function openai_function(definition)
  local is_strict = can_be_strict(definition)
  return { name = definition.name, description = definition.description, strict = is_strict,
    parameters = is_strict and strict_parameters(definition) or open_parameters(definition) }
end

local write = {}

function write.openai(definition)
  return { type = "function", ["function"] = openai_function(definition) }
end

function write.openai_responses(definition)
  local tool = openai_function(definition)
  tool.type = "function"
  return tool
end

function write.anthropic(definition)
  return { name = definition.name, description = definition.description,
    input_schema = open_parameters(definition) }
end

-- Of OpenAPI's schemas Gemini takes a part: types in capitals, no additionalProperties.
function write.gemini(definition)
  local parameters = open_parameters(definition)
  local order = json.list({})
  for i, field in ipairs(definition.fields) do
    local schema = parameters.properties[field.name]
    schema.type, schema.additionalProperties = field.type:upper(), nil
    if schema.items then
      schema.items = { type = "STRING" }
    end
    schema.nullable = not field.is_required or nil
    order[i] = field.name
  end
  local tool = { name = definition.name, description = definition.description }
  if order[1] then -- an object without properties is refused
    tool.parameters = { type = "OBJECT", properties = parameters.properties,
      required = parameters.required[1] and parameters.required or nil, propertyOrdering = order }
  end
  return tool
end

function write.mcp(definition)
  return { name = definition.name, title = definition.title, description = definition.description,
    inputSchema = open_parameters(definition), outputSchema = definition.output,
    annotations = { title = definition.title, readOnlyHint = definition.is_read_only == true,
      destructiveHint = not definition.is_read_only,
      idempotentHint = definition.is_read_only == true,
      openWorldHint = definition.is_open == true } }
end

--- The tools of a request in a dialect: what its field `tools` takes.
---@param name codecell.Dialect
---@param definitions codecell.ToolDefinition[]
---@return table[] list for "gemini" of one element, with `functionDeclarations`
function dialect.write(name, definitions)
  local list = json.list({})
  for i, definition in ipairs(definitions) do
    list[i] = write[name](definition)
  end
  if name == "gemini" then
    return json.list({ list[1] and { functionDeclarations = list } or nil })
  end
  return list
end

return dialect
