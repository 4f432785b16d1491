--- The sets of tools that others have documented: the twelve actions, and the two of a coding
--- agent.
local arguments = require "codecell.tools.arguments"
local fields = require "codecell.actions.fields"
local json = require "codecell.json"
local result = require "codecell.tools.result"

local compatible = {}

-- ---- what the policy is asked ----

local function list_of(value)
  return type(value) == "table" and value or { value }
end

-- By action or tool: the request, and the argument that holds its code.
local asks = {}

function asks.execute(given)
  return { verb = "run", code = given.code, language = given.language or "python" }, "code"
end

function asks.shell(given)
  local field = given.command ~= nil and "command" or "cmd"
  return { verb = "shell", code = given[field] }, field
end

asks.start_server = asks.shell

local function path_of(given)
  return given.filePath or given.file_path or given.path
end

function asks.read_file(given)
  return { verb = "read", path = path_of(given) }
end

asks.get_file_downloadurl = asks.read_file

function asks.write_file(given)
  return { verb = "write", path = path_of(given) }
end

function asks.install(given)
  return { verb = "install", package = list_of(given.packages or given.code),
    language = given.language or "python" }
end

function asks.execute_python_code(given)
  return { verb = "run", code = given.code, language = "python" }, "code"
end

local function is_text(value)
  return type(value) == "string"
end

local function is_plain(request)
  for _, name in ipairs({ "code", "language", "path" }) do
    if request[name] ~= nil and not is_text(request[name]) then
      return false
    end
  end
  for _, name in ipairs(request.package or {}) do
    if not is_text(name) then
      return false
    end
  end
  return true
end

-- Whether it may be done; what is no request at all is refused by the verb itself. What the policy
-- has changed is put into the arguments.
local function permit(kit, tool, request, given, field)
  if not request or not is_plain(request) then
    return true
  end
  local allowed, err = kit:_permit(tool, request)
  if allowed and allowed.code and field then
    given[field] = allowed.code
  end
  return allowed, err
end

local function permit_all(kit, tool, given)
  local ask = asks[tool]
  if not kit.given.policy or not ask then
    return true
  end
  local request, field = ask(given)
  local allowed, err = permit(kit, tool, request, given, field)
  local packages = tool == "execute_python_code" and given.install_packages
  if allowed and packages and packages ~= json.null and type(packages) == "table" then
    return permit(kit, tool, { verb = "install", package = packages, language = "python" }, given)
  end
  return allowed, err
end

-- ---- the sets ----

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
  local allowed, err = permit_all(kit, given.action, given)
  if not allowed then
    return result.of_error(definition.name, err)
  end
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
  local allowed, err = permit_all(kit, definition.name, given)
  if not allowed then
    return result.of_error(definition.name, err)
  end
  local cortex = require "codecell.tools.cortex"
  local reply = cortex[definition.name](given, { service = kit.given.service,
    user = kit.given.user, session = kit.given.session })
  return of_reply(definition.name, reply)
end

return compatible
