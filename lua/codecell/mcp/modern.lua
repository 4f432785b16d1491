--- The revision 2026-07-28: no `initialize`, each request names its revision, and what a client
--- wants to be told is a request of its own.
local about = require "codecell.mcp.about"
local address = require "codecell.mcp.address"
local json = require "codecell.json"
local levels = require "codecell.mcp.levels"
local message = require "codecell.mcp.message"
local resources = require "codecell.mcp.resources"
local version = require "codecell.mcp.version"
local wait = require "codecell.wait"

local modern = {}

local PREFIX = "io.modelcontextprotocol/"
local LISTENERS_MOST = 8
local URIS_MOST = 128
-- What became something else.
local GONE = { initialize = true, ping = true, ["logging/setLevel"] = true,
  ["resources/subscribe"] = true, ["resources/unsubscribe"] = true }
local CACHEABLE = { ["server/discover"] = true, ["tools/list"] = true, ["prompts/list"] = true,
  ["resources/list"] = true, ["resources/read"] = true, ["resources/templates/list"] = true }

local function all_versions()
  local list = json.list({ version.modern })
  for _, known in ipairs(version.known) do
    list[#list + 1] = known
  end
  return list
end

local function discover(session)
  return { supportedVersions = all_versions(), capabilities = about.capabilities(),
    instructions = about.instructions(session) }
end

-- ---- what a client wants to be told ----

local function filter_of(given)
  local uris = json.list()
  for _, uri in ipairs(type(given.resourceSubscriptions) == "table"
    and given.resourceSubscriptions or {}) do
    if type(uri) == "string" and address.read(uri) and #uris < URIS_MOST then
      uris[#uris + 1] = uri
    end
  end
  return { resourcesListChanged = given.resourcesListChanged == true or nil,
    resourceSubscriptions = uris[1] and uris or nil }
end

-- Until the client gives it up, or the session ends.
local function listen(session, wanted)
  local given = wanted.params.notifications
  if not message.is_object(given) then
    return nil, message.problem("params", "notifications: an object expected")
  elseif #session.listeners >= LISTENERS_MOST then
    return nil, message.problem("busy", ("at most %d requests can listen"):format(LISTENERS_MOST))
  end
  wanted.filter = filter_of(given)
  table.insert(session.listeners, wanted)
  local meta = { [PREFIX .. "subscriptionId"] = wanted.id }
  wanted:notify("notifications/subscriptions/acknowledged",
    { _meta = meta, notifications = wanted.filter })
  resources.watch(session)
  while wait.key(wanted) do -- luacheck: ignore 542
  end
  for i = #session.listeners, 1, -1 do
    if session.listeners[i] == wanted then
      table.remove(session.listeners, i)
    end
  end
  return { _meta = meta }
end

local function wants_uri(wanted, uri)
  for _, known in ipairs(wanted.filter.resourceSubscriptions or {}) do
    if known == uri then
      return true
    end
  end
  return false
end

--- Whether somebody listens to what becomes of a resource.
---@param session codecell.McpSession
---@param uri string
---@return boolean
function modern.wants(session, uri)
  for _, wanted in ipairs(session.listeners) do
    if wants_uri(wanted, uri) then
      return true
    end
  end
  return false
end

local LISTENS = {
  ["notifications/resources/list_changed"] = function(wanted)
    return wanted.filter.resourcesListChanged
  end,
  ["notifications/resources/updated"] = function(wanted, params)
    return wants_uri(wanted, params.uri)
  end,
}

--- Tell those who listen.
---@param session codecell.McpSession
---@param method string
---@param params table?
function modern.tell(session, method, params)
  local listens, told = LISTENS[method], {}
  for _, wanted in ipairs(listens and session.listeners or {}) do
    told[#told + 1] = listens(wanted, params) and wanted or nil
  end
  for _, wanted in ipairs(told) do -- which waits: who listens may change meanwhile
    wanted:notify(method, { _meta = { [PREFIX .. "subscriptionId"] = wanted.id },
      uri = params and params.uri })
  end
end

-- ---- requests and answers ----

local METHODS = { ["server/discover"] = discover, ["subscriptions/listen"] = listen }

local function version_problem(session, named)
  local supported = session.is_modern and all_versions() or json.list(version.known)
  return message.problem("version", "this revision of the protocol is not spoken here",
    { requested = type(named) == "string" and named:sub(1, 40) or "", supported = supported })
end

--- Who answers a request that names its revision.
---@param session codecell.McpSession
---@param wanted codecell.McpRequest
---@param methods table<string, function> of all revisions
---@return function? handler nil: it names none, or there is a problem
---@return codecell.RpcError? problem
function modern.find(session, wanted, methods)
  local named = wanted.meta[PREFIX .. "protocolVersion"]
  if named == nil then
    return nil
  elseif named ~= version.modern or not session.is_modern then
    return nil, version_problem(session, named)
  elseif not message.is_object(wanted.meta[PREFIX .. "clientCapabilities"]) then
    return nil, message.problem("params", "_meta: clientCapabilities: an object expected")
  end
  local level = wanted.meta[PREFIX .. "logLevel"]
  wanted.version, wanted.log_level = version.modern, levels.is_known(level) and level or nil
  local handler = METHODS[wanted.method] or not GONE[wanted.method] and methods[wanted.method]
  if not handler then
    return nil, message.problem("method", "there is no method " .. json.repair(
      wanted.method:sub(1, 80)))
  end
  return handler
end

--- A result as the revision of its request has it.
---@param wanted codecell.McpRequest
---@param result table
---@return table result
function modern.result(wanted, result)
  if wanted.version == version.modern then
    result.resultType = "complete"
    result._meta = result._meta or {}
    result._meta[PREFIX .. "serverInfo"] = about.server()
    if CACHEABLE[wanted.method] then
      result.ttlMs, result.cacheScope = 0, "private"
    end
  end
  return result
end

return modern
