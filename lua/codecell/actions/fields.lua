--- The fields of each action, as the documents name them, and how a request is read by them.
local home = require "codecell.home"
local nearest = require "codecell.nearest"

local fields = {}

local MINUTES_MOST = 1440
local WARNINGS_MOST, NAME_MOST = 10, 60 -- of fields that there are none of
local LANGUAGES = "python, javascript, typescript, shell"

local SESSION = { name = "sessionId", type = "name", required = true, label = "sessionId",
  help = "a name of your choice for the sandbox; use the same one in every call" }
local ENVS = { name = "envs", type = "envs", help = "environment variables, name to text" }
local LANGUAGE = { name = "language", type = "name",
  help = LANGUAGES .. " or another that is installed; default python" }

---@class codecell.Action
---@field name string
---@field purpose string
---@field fields table[]
---@field is_extra boolean? beyond the twelve

--- In the order of the documents; the extras behind them.
---@type codecell.Action[]
fields.actions = {
  { name = "create", purpose = "make a sandbox", fields = { SESSION,
    { name = "timeout", type = "minutes", help = "minutes that it lives; default 60" }, ENVS,
    { name = "template", type = "name", help = "what it is made from; see list_templates" } } },
  { name = "list_sandboxes", purpose = "list the sandboxes there are", fields = {} },
  { name = "set_timeout", purpose = "let a sandbox live longer, or shorter", fields = { SESSION,
    { name = "timeout", type = "minutes", required = true, label = "Timeout",
      help = "minutes from now" } } },
  { name = "kill", purpose = "end a sandbox", fields = { SESSION } },
  { name = "execute", purpose = "run code; its variables stay. For shell commands use shell",
    fields = { SESSION, { name = "code", type = "data", required = true, label = "Code",
      help = "the code" }, LANGUAGE, ENVS } },
  { name = "shell", purpose = "run a shell command. For Python and others use execute",
    fields = { SESSION, { name = "command", type = "command", required = true, label = "Command",
      aliases = { "cmd" }, help = "the command" },
      { name = "background", type = "flag", help = "return at once, with a commandId" },
      { name = "cwd", type = "text", help = "the folder to run in; default /home/user" }, ENVS } },
  { name = "kill_command", purpose = "end a command of the background", fields = { SESSION,
    { name = "commandId", type = "name", required = true, label = "Command ID",
      help = "as shell gave it" } } },
  { name = "write_file", purpose = "write a file", fields = { SESSION,
    { name = "filePath", type = "text", required = true, label = "File path",
      aliases = { "path" }, help = "where" },
    { name = "fileContent", type = "data", required = true, may_be_empty = true,
      label = "File content", aliases = { "content" }, help = "what; may be empty" },
    { name = "encoding", type = "name", help = "base64 if fileContent is that" } } },
  { name = "read_file", purpose = "read a file", fields = { SESSION,
    { name = "filePath", type = "text", required = true, label = "File path",
      aliases = { "path" }, help = "which" },
    { name = "offset", type = "count", help = "bytes to leave out at the beginning" },
    { name = "limit", type = "count", help = "the most bytes to read" } } },
  { name = "install", purpose = "install packages", fields = { SESSION,
    { name = "code", type = "data", label = "Code", help = "the name of the package" },
    { name = "packages", type = "names", help = "or several names" }, LANGUAGE, ENVS } },
  { name = "get_file_downloadurl", purpose = "get a URL of a file for the user",
    fields = { SESSION, { name = "filePath", type = "text", required = true,
      label = "File path", aliases = { "path" }, help = "which" } } },
  { name = "get_host", purpose = "get the address of a server that runs in the sandbox",
    fields = { SESSION, { name = "port", type = "port", required = true, label = "Port",
      help = "at which it listens" } } },
  { name = "help", is_extra = true, purpose = "explain the actions, or one of them",
    fields = { { name = "topic", type = "name", help = "the name of an action" } } },
  { name = "start_server", is_extra = true,
    purpose = "run a server in the background, wait for its port, and get its address",
    fields = { SESSION, { name = "command", type = "command", required = true, label = "Command",
      aliases = { "cmd" }, help = "what starts it" },
      { name = "port", type = "port", required = true, label = "Port",
        help = "at which it will listen" },
      { name = "logFile", type = "text", help = "a file for its output" },
      { name = "cwd", type = "text", help = "the folder to run in" }, ENVS } },
  { name = "command_list", is_extra = true, purpose = "list the commands of the background",
    fields = { SESSION } },
  { name = "command_logs", is_extra = true, purpose = "what such a command has printed",
    fields = { SESSION, { name = "commandId", type = "name", required = true,
      label = "Command ID", help = "as shell gave it" } } },
  { name = "processinfo", is_extra = true, purpose = "list the processes of the sandbox",
    fields = { SESSION } },
  { name = "list_templates", is_extra = true, purpose = "list what sandboxes are made from",
    fields = {} },
}

fields.by_name, fields.names, fields.documented = {}, {}, {}
for i, action in ipairs(fields.actions) do
  fields.by_name[action.name] = action
  fields.names[i] = action.name
  if not action.is_extra then
    fields.documented[#fields.documented + 1] = action.name
  end
end

local function is_line(value)
  return type(value) == "string" and #value <= 1000 and not value:find("%c")
end

local read = {}

function read.name(value)
  if type(value) == "number" then
    value = ("%.14g"):format(value)
  end
  if not is_line(value) or #value > 200 then
    return nil, "a text of at most 200 characters in one line expected"
  end
  return value
end

function read.text(value)
  if type(value) ~= "string" or #value > 4096 or value:find("%z") then
    return nil, "a text expected"
  end
  return value
end

--- The sessionId of a request, if it can be one.
---@param request table
---@return string?
function fields.session(request)
  local value = request.sessionId
  return value ~= "" and (read.name(value)) or nil
end

function read.data(value)
  if type(value) ~= "string" then
    return nil, "a text expected, got " .. type(value)
  end
  return value
end

function read.command(value)
  if type(value) ~= "string" or value:find("%z") then
    return nil, "a text without NUL expected"
  end
  return value
end

local WORDS = { ["true"] = true, ["false"] = false }

function read.flag(value)
  if type(value) == "string" and WORDS[value:lower()] ~= nil then
    value = WORDS[value:lower()]
  end
  if type(value) ~= "boolean" then
    return nil, "true or false expected"
  end
  return value
end

local function number(value, least, most)
  value = type(value) == "string" and value:find("^%d+%.?%d*$") and tonumber(value) or value
  return type(value) == "number" and value == value and value >= least and value <= most
    and value or nil
end

function read.minutes(value)
  local minutes = number(value, 0, MINUTES_MOST)
  if not minutes or minutes == 0 then
    return nil, ("minutes above 0 and at most %d expected, got %s"):format(MINUTES_MOST,
      tostring(value):sub(1, 40))
  end
  return minutes
end

function read.count(value)
  local count = number(value, 0, 2 ^ 53)
  if not count or count % 1 ~= 0 then
    return nil, "a whole number of at least 0 expected"
  end
  return count
end

function read.port(value)
  local port = number(value, 1, 65535)
  if not port or port % 1 ~= 0 then
    return nil, "a whole number from 1 to 65535 expected"
  end
  return port
end

function read.envs(value)
  if type(value) ~= "table" then
    return nil, "an object of names and texts expected"
  end
  local envs = {}
  for name, text in pairs(value) do
    if type(text) == "number" or type(text) == "boolean" then
      text = tostring(text)
    end
    if type(name) ~= "string" or name == "" or name:find("[=%z\r\n]")
      or type(text) ~= "string" or text:find("%z") then
      return nil, "an object of names and texts expected"
    end
    envs[name] = text
  end
  return envs
end

function read.names(value)
  if type(value) ~= "table" or not value[1] or #value > 100 then
    return nil, "a list of names expected"
  end
  local names = {}
  for i, name in ipairs(value) do
    if not is_line(name) then
      return nil, "a list of names expected"
    end
    names[i] = name
  end
  return names
end

-- "sessionId" for session_id, "sessionID" and the like.
local function plain(name)
  return (name:gsub("_", ""):lower())
end

local function spellings(action)
  local known, names = { action = "action" }, { "action" }
  for _, field in ipairs(action.fields) do
    known[plain(field.name)] = field
    names[#names + 1] = field.name
    for _, alias in ipairs(field.aliases or {}) do
      known[plain(alias)] = field
    end
  end
  return known, names
end

local function missing(action, field)
  return ("%s is required for `%s` action."):format(field.label, action.name)
end

local function is_missing(value, field)
  return value == nil or value == "" and field.required and not field.may_be_empty
end

-- The names of a request's fields, so that two spellings of one always have the same outcome.
local function in_order(request)
  local names = {}
  for name in pairs(request) do
    names[#names + 1] = type(name) == "string" and name or nil
  end
  table.sort(names)
  return names
end

--- Read a request.
---@param action codecell.Action
---@param request table
---@param bound table<string, any> fields that the host has said, whatever the request says
---@param null any what stands for a value that is not there
---@return table? given by the names of the fields
---@return string? problem
---@return string[] warnings about fields that there are none of
function fields.read(action, request, bound, null)
  local known, names = spellings(action)
  local given, warnings = {}, {}
  for _, name in ipairs(in_order(request)) do
    local field, value = known[plain(name)], request[name]
    if not field and #warnings < WARNINGS_MOST then
      local near = nearest(name:sub(1, NAME_MOST), names)
      warnings[#warnings + 1] = ("`%s` has no field %s; it was ignored%s"):format(action.name,
        name:sub(1, NAME_MOST), near and "; did you mean " .. near .. "?" or "")
    elseif field and field ~= "action" and value ~= null
      and (given[field.name] == nil or name == field.name) then
      given[field.name] = value
    end
  end
  for _, field in ipairs(action.fields) do
    local value = given[field.name]
    if bound[field.name] ~= nil then
      value = bound[field.name]
    end
    if is_missing(value, field) then
      if field.required then
        return nil, missing(action, field), warnings
      end
      given[field.name] = nil
    else
      local good, problem = read[field.type](value)
      if good == nil then
        return nil, ("%s of `%s`: %s."):format(field.name, action.name, problem), warnings
      end
      given[field.name] = good
    end
  end
  return given, nil, warnings
end

--- The packages that an `install` names, in either of its fields.
---@param given table as `fields.read` gives it
---@return string[]
function fields.packages(given)
  local list = {}
  for _, name in ipairs(given.packages or {}) do
    list[#list + 1] = name
  end
  for name in (given.code or ""):gmatch("[^%s,]+") do
    list[#list + 1] = name
  end
  return list
end

--- The file that the output of a `start_server` goes to: as a shell would find it in its folder.
---@param given table as `fields.read` gives it
---@return string? path from the root
function fields.log_file(given)
  local file = given.logFile
  if not file or file:find("^[/~]") then
    return file and home.absolute(file)
  end
  return home.absolute(given.cwd or "~") .. "/" .. file
end

return fields
