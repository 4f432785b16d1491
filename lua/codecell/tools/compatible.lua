--- The sets of tools that others have documented: the twelve actions, and the two of a coding
--- agent.
local arguments = require "codecell.tools.arguments"
local fields = require "codecell.actions.fields"
local json = require "codecell.json"

local compatible = {}

local TYPES = { name = "string", text = "string", data = "string", minutes = "integer",
  count = "integer", port = "integer", flag = "boolean", envs = "object", names = "array" }

-- All fields of all actions, each once.
local function action_fields()
  local list, seen = { { name = "action", type = "string", is_required = true,
    enum = fields.names, description = "what to do; help explains each" } }, {}
  for _, action in ipairs(fields.actions) do
    for _, field in ipairs(action.fields) do
      if not seen[field.name] then
        seen[field.name] = true
        list[#list + 1] = { name = field.name, type = TYPES[field.type],
          description = field.help, may_be_empty = true, is_data = true }
      end
    end
  end
  return list
end

local REPLY = { type = "object" }

local function of_reply(name, reply)
  local text = assert(json.encode(reply))
  local is_error = type(reply.success) == "boolean" and not reply.success
  return { name = name, is_error = is_error, word = is_error and reply.kind or nil, text = text,
    parts = { { type = "text", text = text }, { type = "json", value = reply } }, outputs = {},
    structured = json.is_list(reply) and { sandboxes = reply } or reply }
end

-- What these take they check themselves, and answer as documented.
compatible.actions = { read = arguments.decode }

--- One tool for all actions.
---@return codecell.ToolDefinition[]
function compatible.actions.definitions()
  return { { name = "e2b_code", title = "Sandbox", is_open = true, output = REPLY,
    description = "Run code and commands in sandboxes, and read and write their files. `action` "
      .. "chooses what is done: begin with create, and keep the sessionId; help explains the "
      .. "actions.", fields = action_fields() } }
end

--- Call it.
---@param kit codecell.Kit
---@param definition codecell.ToolDefinition
---@param given table
---@return codecell.ToolResult
function compatible.actions.call(kit, definition, given)
  local reply = require("codecell.actions").call(given, { service = kit.given.service,
    user = kit.given.user, session = kit.given.session })
  return of_reply(definition.name, reply)
end

compatible.cortex = { read = arguments.decode }

--- The two tools of a coding agent.
---@return codecell.ToolDefinition[]
function compatible.cortex.definitions()
  return require("codecell.tools.cortex").definitions
end

--- Call one.
---@param kit codecell.Kit
---@param definition codecell.ToolDefinition
---@param given table
---@return codecell.ToolResult
function compatible.cortex.call(kit, definition, given)
  local cortex = require "codecell.tools.cortex"
  local reply = cortex[definition.name](given, { service = kit.given.service,
    user = kit.given.user, session = kit.given.session })
  return of_reply(definition.name, reply)
end

return compatible
