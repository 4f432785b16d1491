--- The sets of tools that others have documented: the twelve actions, and the two of a coding
--- agent.
local arguments = require "codecell.tools.arguments"
local fields = require "codecell.actions.fields"
local json = require "codecell.json"
local result = require "codecell.tools.result"
local sorted = require "codecell.sorted"

local compatible = {}

-- ---- what the policy is asked ----

-- By action or tool, of fields as the verb itself reads them: the requests, of which the first may
-- be about code, and the field that holds it.
local asks = {}

-- Variables that are given with it, where there are any.
local function with_envs(given, ...)
  local names, list = sorted(given.envs), { (...) }
  list[#list + 1] = names[1] and { verb = "env", env = names } or nil
  return list
end

function asks.create(given)
  return with_envs(given)
end

function asks.execute(given)
  return with_envs(given, { verb = "run", code = given.code,
    language = given.language or "python" }), "code"
end

function asks.shell(given)
  return with_envs(given, { verb = "shell", code = given.command, language = "bash" }), "command"
end

function asks.start_server(given)
  local list, file = asks.shell(given), fields.log_file(given)
  list[#list + 1] = file and { verb = "write", path = file } or nil
  return list, "command"
end

function asks.read_file(given)
  return { { verb = "read", path = given.filePath } }
end

asks.get_file_downloadurl = asks.read_file

function asks.write_file(given)
  return { { verb = "write", path = given.filePath } }
end

function asks.install(given)
  local packages = fields.packages(given)
  return with_envs(given, packages[1] and { verb = "install", package = packages,
    language = given.language or "python" } or nil)
end

function asks.execute_python_code(given)
  local list, packages = { { verb = "run", code = given.code, language = "python" } },
    given.install_packages
  list[2] = packages and packages ~= json.null and packages[1] and { verb = "install",
    package = packages, language = "python" } or nil
  return list, "code"
end

-- Whether it may be done; `read` are its fields as the verb reads them. What the policy has made
-- of its code is put into the arguments.
local function permit(kit, tool, read, given)
  if not kit.given.policy or not asks[tool] then
    return true
  end
  local requests, field = asks[tool](read)
  for _, request in ipairs(requests) do
    local allowed, err = kit:_permit(tool, request)
    if not allowed then
      return nil, err
    elseif allowed.code then
      given[field] = allowed.code
    end
  end
  return true
end

-- ---- the sets ----

local TYPES = { name = "string", text = "string", data = "string", command = "string",
  minutes = "integer",
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
  local action = fields.by_name[given.action]
  local read = action and fields.read(action, given, { sessionId = kit.given.session }, json.null)
  local allowed, err = true, nil
  if read then -- what cannot be read is refused by the verb, which reads it in the same way
    allowed, err = permit(kit, given.action, read, given)
  end
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
  local cortex = require "codecell.tools.cortex"
  local allowed, err = true, nil
  if not cortex.check(given) then
    allowed, err = permit(kit, definition.name, given, given)
  end
  if not allowed then
    return result.of_error(definition.name, err)
  end
  local reply = cortex[definition.name](given, { service = kit.given.service,
    user = kit.given.user, session = kit.given.session })
  return of_reply(definition.name, reply)
end

return compatible
