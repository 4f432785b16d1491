--- resources/*: files of the sandbox, and what was cut out of outputs.
local address = require "codecell.mcp.address"
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local json = require "codecell.json"
local kind = require "codecell.files.kind"
local masked = require "codecell.files.masked"
local message = require "codecell.mcp.message"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local terminal = require "codecell.agent.terminal"
local unpack = require "codecell.unpack"

local resources = {}

local TOOL = "resources" -- what a policy knows it by
local DEPTH = 4 -- of what is listed
local PAGE = 200 -- resources
local READ_MOST = 8 * 1024 * 1024 -- bytes
local SUBSCRIPTIONS_MOST = 128
local OUTPUTS_MOST = 32
local TOGETHER = 0.2 -- seconds: what changes within is told as one
local HIDDEN = { "/%.", "/__pycache__/", "/node_modules/" }

-- ---- lists ----

local function is_hidden(path)
  for _, pattern in ipairs(HIDDEN) do
    if (path .. "/"):find(pattern) then
      return true
    end
  end
  return false
end

-- In one line: people and models are shown it as it is.
local function name_of(path)
  return (terminal.visible(path:gsub("^/home/user/", "")):gsub("%c", " "))
end

--- What a result says of a file that it is about.
---@param path string absolute
---@param size integer?
---@return table content
function resources.link(path, size)
  return { type = "resource_link", uri = address.of_file(path), name = name_of(path),
    mimeType = kind.of(path), size = size }
end

-- The policy of the tools holds here too: these are read by the same client.
local function files_of(session, sandbox)
  local entries, err = sandbox.files:list(".", { depth = DEPTH })
  if err and err.kind == "limit_exceeded" then
    entries, err = sandbox.files:list(".")
  end
  if not entries then
    return nil, err
  end
  local list = {}
  for _, entry in ipairs(entries) do
    if entry.type == "file" and not is_hidden(entry.path)
      and session.kit:_is_allowed(TOOL, { verb = "read", path = entry.path }) then
      list[#list + 1] = { uri = address.of_file(entry.path), name = name_of(entry.path),
        mimeType = kind.of(entry.path), size = entry.size }
    end
  end
  return list
end

local function outputs_of(session, list)
  for _, output in ipairs(session.outputs) do
    list[#list + 1] = { uri = address.of_output(output.id), name = "output " .. output.id,
      mimeType = "text/plain", size = output.bytes,
      description = "all of an output of which a result shows a part" }
  end
  return list
end

-- Behind the one that the page before has ended with.
local function page_of(list, cursor)
  local first = 1
  while cursor and list[first] and list[first].uri <= cursor do
    first = first + 1
  end
  local page = json.list({ unpack(list, first, first + PAGE - 1) })
  return page, list[first + PAGE] and page[#page].uri or nil
end

local function list_all(session, request)
  local cursor = request.params.cursor
  if cursor ~= nil and type(cursor) ~= "string" then
    return nil, message.problem("params", "cursor: a string expected")
  end
  local sandbox = session.box:peek()
  local list, err = {}, nil
  if sandbox then
    list, err = files_of(session, sandbox)
  end
  if not list then
    return nil, message.problem("internal", err.message)
  end
  resources.watch(session)
  outputs_of(session, list)
  table.sort(list, function(one, other) return one.uri < other.uri end)
  local page, last = page_of(list, cursor)
  return { resources = page, nextCursor = last }
end

local function templates()
  return { resourceTemplates = json.list({
    { uriTemplate = address.file_template, name = "file", title = "File of the sandbox",
      description = "a file of the sandbox by its absolute path, as /home/user/plot.png; of a "
        .. "directory what it holds" },
    { uriTemplate = address.output_template, name = "output", title = "Whole output",
      mimeType = "text/plain",
      description = "an output of which a result shows a part, from a byte on" },
  }) }
end

-- ---- reading ----

local function missing(uri)
  return message.problem("resource", "there is no resource " .. json.repair(uri:sub(1, 300)),
    { uri = uri })
end

local function folder(sandbox, path)
  local entries, err = sandbox.files:list(path)
  if not entries then
    return nil, err
  end
  local lines = {}
  for i, entry in ipairs(entries) do
    lines[i] = entry.type == "dir" and entry.name .. "/"
      or ("%s\t%d bytes"):format(entry.name, entry.size)
  end
  return { mimeType = "inode/directory", text = json.repair(table.concat(lines, "\n")) }
end

local function content_of(path, bytes)
  local type_of = kind.of(path)
  if bytes:find("%z") or json.repair(bytes) ~= bytes then
    return { mimeType = type_of, blob = base64.encode(bytes) }
  end
  return { mimeType = type_of == kind.unknown and "text/plain" or type_of, text = bytes }
end

local function file(session, sandbox, path)
  local allowed, refusal = session.kit:_permit(TOOL, { verb = "read", path = path })
  if not allowed then
    return nil, refusal
  end
  local entry, err = sandbox.files:get_info(path)
  if entry and entry.type == "dir" then
    return folder(sandbox, path)
  elseif entry and entry.size > READ_MOST then
    return nil, errors.new("limit_exceeded", ("%s has %d bytes, more than %d that can be read at "
      .. "once: read a part of it by code"):format(path, entry.size, READ_MOST))
  end
  local bytes
  if entry then
    bytes, err = masked(sandbox, path, 0, READ_MOST)
  end
  if not bytes then
    return nil, err
  end
  return content_of(path, bytes)
end

local function read(session, request)
  local uri = request.params.uri
  if type(uri) ~= "string" then
    return nil, message.problem("params", "uri: a string expected")
  end
  local wanted = address.read(uri)
  local sandbox = wanted and wanted.path and session.box:peek()
  local found, err
  if sandbox then
    found, err = file(session, sandbox, wanted.path)
  elseif wanted and wanted.output then
    local text
    text, err = session.kit:read_output(wanted.output, wanted.offset)
    found = text and { mimeType = "text/plain", text = text }
  end
  if found then
    found.uri = uri
    return { contents = json.list({ found }) }
  elseif not err or err.kind == "not_found" then
    return nil, missing(uri)
  end
  return nil, message.problem("internal", json.repair(tostring(err)))
end

-- ---- news ----

local function note(session, changes, event)
  local path = "/home/user/" .. event.name
  local uri = address.of_file(path)
  if session:wants(uri) then
    changes.updated[uri] = true
  end
  if event.type ~= "write" and event.type ~= "chmod" and not is_hidden(path) then
    changes.list = true
  end
end

local function tell(session, changes)
  for uri in pairs(changes.updated) do
    session:notify("notifications/resources/updated", { uri = uri })
  end
  if changes.list then
    session:notify("notifications/resources/list_changed", nil)
  end
end

-- What happens within a moment, as far as it can be known.
local function gather(session, watcher, changes)
  local until_then = reactor.now() + TOGETHER
  while true do
    local event, err = watcher:read(math.max(until_then - reactor.now(), 0))
    if event then
      note(session, changes, event)
    elseif err and err.kind == "limit_exceeded" then
      changes.list = true
    else
      return err and err.kind == "timeout"
    end
  end
end

local function listen(session, sandbox)
  local watcher, problem = sandbox.files:watch_dir(".", { recursive = true })
  if not watcher then
    session.watched = session.watched ~= sandbox and session.watched or nil
    return session:log("warning", "codecell", problem.message)
  end
  local goes_on = true
  while goes_on do
    local changes = { updated = {} }
    local event, err = watcher:read()
    if event then
      note(session, changes, event)
    elseif err and err.kind == "limit_exceeded" then
      changes.list = true
    else
      break
    end
    goes_on = gather(session, watcher, changes)
    tell(session, changes)
  end
  watcher:close()
  if session.watched == sandbox then -- else another one is listened to by now
    session.watched = nil
  end
end

--- Listen to what changes, from the time on at which the client shows that it cares.
---@param session codecell.McpSession
function resources.watch(session)
  session.cares = true
  local sandbox = session.box:peek()
  if sandbox and session.watched ~= sandbox and sandbox:supports("watch") then
    session.watched = sandbox
    task.background(listen, session, sandbox)
  end
end

--- What a call has left behind.
---@param session codecell.McpSession
---@param result codecell.ToolResult
function resources.add(session, result)
  for _, output in ipairs(result.outputs or {}) do
    table.insert(session.outputs, output)
    if #session.outputs > OUTPUTS_MOST then
      table.remove(session.outputs, 1)
    end
  end
  if session.cares then
    resources.watch(session)
  end
end

local function subscribe(session, request)
  local uri = request.params.uri
  if type(uri) ~= "string" or not address.read(uri) then
    return nil, message.problem("params", "uri: one of a resource expected")
  elseif not session.subscriptions[uri] then
    if session.subscribed >= SUBSCRIPTIONS_MOST then
      return nil, message.problem("params", ("at most %d resources can be subscribed to"):format(
        SUBSCRIPTIONS_MOST))
    end
    session.subscriptions[uri], session.subscribed = true, session.subscribed + 1
  end
  resources.watch(session)
  return {}
end

local function unsubscribe(session, request)
  local uri = request.params.uri
  if type(uri) == "string" and session.subscriptions[uri] then
    session.subscriptions[uri], session.subscribed = nil, session.subscribed - 1
  end
  return {}
end

--- Answers by their methods.
resources.methods = {
  ["resources/list"] = list_all,
  ["resources/read"] = read,
  ["resources/subscribe"] = subscribe,
  ["resources/templates/list"] = templates,
  ["resources/unsubscribe"] = unsubscribe,
}

return resources
