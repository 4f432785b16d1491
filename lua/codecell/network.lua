--- What a sandbox may reach: the shape of `network`, and what is said of what was refused.
local core = require "codecell.core"
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local task = require "codecell.task"
local wait = require "codecell.wait"

local KEPT = 1000 -- refusals of a sandbox that its executions can still tell

local network = {}

---@class codecell.Network
---@field allow string[]? "name", "*.name" (any depth below), an address or a range of them, each
---with ":port" or without: then 80 and 443
---@field deny string[]? the same, without a port for every one; it wins

---@class codecell.Refusal
---@field what string "api.example.com:443"
---@field why string
---@field times integer how often
---@field allow string? what would allow it, as it stands in create; nil: nothing that is safe

local FIELDS = {
  allow = { type = "strings" },
  deny = { type = "strings" },
}

--- The rule of the option, for `options.check`.
network.rule = {
  type = "either", expected = "string or table",
  rules = {
    string = { type = "choice", choices = { "none", "open" } },
    table = { type = "table", fields = FIELDS },
  },
}

local function kind_of(given)
  if type(given) == "table" then
    return "named"
  end
  return given or "none"
end

--- The policy that was given, as the engine decides by it.
---@param verb string for messages
---@param given string|table? checked by the rule
---@param level integer stack level to blame for an entry that is none, as `error` counts
---@return userdata policy
function network.policy(verb, given, level)
  local lists = type(given) == "table" and given or {}
  local policy, err = core.policy(kind_of(given), lists.allow or {}, lists.deny or {})
  if not policy then
    error(("%s: network: %s"):format(verb, err.message), level + 1)
  end
  return policy
end

--- What asks the name servers; loaded by the first sandbox with a network.
---@return lightuserdata? names
---@return codecell.Error? err kind "unsupported"
function network.names()
  local ok, names = pcall(require, "codecell.names")
  if ok then
    return names
  end
  return nil, errors.unsupported("create: a network", "local",
    "the module codecell.names cannot be loaded: install c-ares (Debian: libc-ares2)")
end

--- A copy of what was given, which its owner may change.
---@param given string|table?
---@return string|table
function network.copy(given)
  if type(given) ~= "table" then
    return given or "none"
  end
  local copy = {}
  for name, list in pairs(given) do
    copy[name] = {}
    for i = 1, #list do
      copy[name][i] = list[i]
    end
  end
  return copy
end

-- "name" or "name:port" as an entry of `allow`; 80 and 443 need no port.
local function entry(host, port)
  if host:find(":", 1, true) then
    host = "[" .. host .. "]"
  end
  if port == 0 or port == 80 or port == 443 then
    return host
  end
  return host .. ":" .. port
end

local function what(record)
  local host = record.host
  if record.port == 0 then
    return host
  end
  return (host:find(":", 1, true) and "[" .. host .. "]" or host) .. ":" .. record.port
end

local REASONS = {
  not_allowed = "it is not in the allow list of `network`",
  port = "its name is allowed for other ports alone",
  denied = "it is in the deny list of `network`",
  address = "its name leads to an address that must be named: %s",
  server_name = "the request is for another name: %s",
  protocol = "%s",
}

--- What is told of a refusal of the engine.
---@param sandbox codecell.Sandbox
---@param record {why: string, host: string, port: integer, detail: string, times: integer}
---@return codecell.Refusal
local function tell(sandbox, record)
  local refusal = { what = what(record), why = REASONS[record.why]:format(record.detail),
    times = record.times }
  if record.why == "not_allowed" or record.why == "port" then
    refusal.allow = ("network = {allow = {%q}}"):format(entry(record.host, record.port))
  elseif record.why == "address" then
    local address = record.detail:match("^[^,]+")
    refusal.allow = ("network = {allow = {%q, %q}}"):format(entry(record.host, record.port),
      entry(address, record.port))
  elseif record.why == "server_name" then
    refusal.allow = ("network = {allow = {%q}}"):format(entry(record.detail, record.port))
  end
  return secrets.hide_all(sandbox._mask, refusal)
end

-- ---- of one sandbox ----

-- What it raises is raised by the next codecell.step: there is no verb to end.
local function tell_user(called, event)
  local ok, problem = wait.call(called, event)
  if not ok then
    reactor.fail(tostring(problem))
  end
end

-- Take what the engine has; each is told to on_event, in a coroutine of its own.
local function collect(sandbox)
  local kept = sandbox._refused
  local records = sandbox:_refusals()
  for i = 1, records and #records or 0 do
    local refusal = tell(sandbox, records[i])
    kept.count = kept.count + 1
    kept[kept.count] = refusal
    kept[kept.count - KEPT] = nil
    if sandbox._on_event then
      task.async(tell_user, sandbox._on_event, { type = "refused", sandbox = sandbox.id,
        what = refusal.what, why = refusal.why, allow = refusal.allow, times = refusal.times })
    end
  end
  return kept
end

--- Begin to listen: `on_event` hears refusals as they happen.
---@param sandbox codecell.Sandbox
---@param on_event function?
function network.attach(sandbox, on_event)
  sandbox._refused = { count = 0 }
  sandbox._on_event = on_event
  if not on_event then
    return
  end
  local weak = setmetatable({ sandbox }, { __mode = "v" })
  reactor.listen(sandbox:_token(), function()
    if not weak[1] then
      return false
    end
    collect(weak[1])
    return true
  end)
end

--- Where the refusals of a run begin.
---@param sandbox codecell.Sandbox
---@return integer mark
function network.mark(sandbox)
  return collect(sandbox).count
end

-- What programs say of a name or an address where there is no network at all. Theirs are the
-- texts: nothing is decided by them.
local WITHOUT = {
  "[Tt]emporary failure in name resolution", "Name or service not known",
  "[Cc]ould not resolve host", "Network is unreachable", "ENOTFOUND", "EAI_AGAIN",
  "ENETUNREACH", "unable to resolve host", "no such host",
}
local HOSTS = {
  "[Cc]ould not resolve host:%s*([%w%.%-]+)", "getaddrinfo %u[%u_]+ ([%w%.%-]+)",
  "host='([%w%.%-]+)'", "unable to resolve host address .([%w%.%-]+)",
  "lookup ([%w%.%-]+) on", "https?://([%w%.%-]+)",
}

-- What a run of a sandbox without a network was refused, as far as its own words tell.
local function guess(execution)
  local text = table.concat(execution.logs.stderr):sub(-65536)
  if execution.error then
    text = text .. "\n" .. execution.error.value .. "\n" .. execution.error.traceback
  end
  for _, pattern in ipairs(WITHOUT) do
    if text:find(pattern) then
      local host
      for _, where in ipairs(HOSTS) do
        host = host or text:match(where)
      end
      return { { what = host or "the network", why = "network is none", times = 1,
        allow = ("network = {allow = {%q}}"):format(host or "api.example.com") } }
    end
  end
  return {}
end

--- What a run was refused, which began there.
---@param sandbox codecell.Sandbox
---@param mark integer
---@param execution codecell.Execution
---@return codecell.Refusal[]
function network.since(sandbox, mark, execution)
  local kept, list, seen = collect(sandbox), {}, {}
  for i = math.max(mark + 1, kept.count - KEPT + 1), kept.count do
    local refusal = kept[i]
    local key = refusal.what .. "\n" .. refusal.why
    if not seen[key] then
      seen[key] = { what = refusal.what, why = refusal.why, allow = refusal.allow, times = 0 }
      list[#list + 1] = seen[key]
    end
    seen[key].times = seen[key].times + refusal.times
  end
  if #list == 0 and sandbox._about.network == "none" then
    return guess(execution)
  end
  return list
end

return network
