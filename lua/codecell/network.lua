--- What a sandbox may reach: the shape of `network`, and what is said of what was refused.
local core = require "codecell.core"
local libraries = require "codecell.libraries"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local task = require "codecell.task"
local wait = require "codecell.wait"

local KEPT = 1000 -- refusals of a sandbox that its executions can still tell
local TOLD = 100 -- by one execution
-- Code may be large, and made to be searched for long.
local SEARCHED = 65536 -- bytes of a text
local LOOKS = 100 -- places of a name in it

local network = {}

---@class codecell.Network
---@field allow string[]|"open"|nil "name", "*.name" (any depth below), an address or a range of
---them, each with ":port" or without: then 80 and 443; "open": everything that `deny` does not name
---@field deny string[]? the same, without a port for every one; it wins
---@field rules table<string, codecell.Rule>? by "name" or "name:port", each allowed: what code asks
---of http://name goes on to https://name with the headers of its rule, which never enter; name only
---servers that show nobody what they are sent

---@class codecell.Rule
---@field headers table<string, string> what each request for the name gets: {Authorization = key}
---@field ca_file string? whom to trust instead of the system's authorities

---@class codecell.Refusal
---@field message string one line: what was refused, why, and what would allow it
---@field what string "api.example.com:443"; without a port where only the name was asked for
---@field why string
---@field times integer how often
---@field allow string? what would allow it, as it stands in create; nil: nothing that is safe

local FIELDS = {
  allow = {
    type = "either", expected = "list of strings or \"open\"",
    rules = { string = { type = "choice", choices = { "open" } }, table = { type = "strings" } },
  },
  deny = { type = "strings" },
  rules = { type = "table" },
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
    return given.allow == "open" and "open" or "named"
  end
  return given or "none"
end

--- The policy that was given, as the engine decides by it.
---@param verb string for messages
---@param given string|table? checked by the rule
---@param level integer stack level to blame for an entry that is none, as `error` counts
---@param kept table<string, table>? rules that stay, as far as they may, unless others are given
---@return userdata policy
---@return table<string, table>? rules compiled; nil: there are none
function network.policy(verb, given, level, kept)
  local lists = type(given) == "table" and given or {}
  local compiled = kept or {}
  if lists.rules then
    compiled = require("codecell.network.rules").compile(verb, lists.rules, level + 1)
  end
  local names = {}
  for place in pairs(compiled) do
    names[#names + 1] = place
  end
  local allow = lists.allow ~= "open" and lists.allow or {}
  local policy, err = core.policy(kind_of(given), allow, lists.deny or {}, names)
  if not policy then
    error(("%s: network: %s"):format(verb, err.message), level + 1)
  end
  local used = {}
  for place, rule in pairs(compiled) do
    local missing = require("codecell.network.rules").missing(rule, policy)
    if not missing then
      used[place] = rule
    elseif lists.rules then
      error(("%s: network: rules: %s: %s is not in the allow list"):format(verb, rule.key, missing),
        level + 1)
    end
  end
  return policy, next(used) and used
end

--- What asks the name servers; loaded by the first sandbox with a network.
---@return lightuserdata? names
---@return codecell.Error? err kind "unsupported"
function network.names()
  return libraries.load("names", "create: a network", "c-ares (Debian: libc-ares2)")
end

local function copy_all(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[key] = copy_all(item)
  end
  return copy
end

--- A copy of what was given, which its owner may change.
---@param given string|table?
---@return string|table
function network.copy(given)
  if type(given) ~= "table" then
    return given or "none"
  end
  return copy_all(given)
end

--- What stands for another one from now on, with the rules that have stayed.
---@param given string|table
---@param before string|table
---@param rules table<string, table>? compiled
---@return string|table
function network.updated(given, before, rules)
  local copy = network.copy(given)
  if type(copy) == "table" and not copy.rules and rules then
    copy.rules = {}
    for _, rule in pairs(rules) do
      copy.rules[rule.key] = copy_all(before.rules[rule.key])
    end
  elseif type(copy) == "table" and not rules then
    copy.rules = nil
  end
  return copy
end

--- What of it is shown: no value of a header.
---@param given string|table
---@return string|table
function network.shown(given)
  local copy = network.copy(given)
  if type(copy) == "table" and copy.rules then
    copy.rules = require("codecell.network.rules").shown(copy.rules)
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
  if record.why == "package" then
    return "package " .. host
  end
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
  literal = "it is an address that must be named: %s",
  metadata = "it leads to a metadata address: %s",
  server_name = "the request is for another name: %s",
  protocol = "%s",
  no_network = "network is none",
  limit = "limits.traffic is used up; raise it at create",
  package = "%s",
}

-- What installers ask for, who are better served by a gateway.
local INDEXES = { ["files.pythonhosted.org"] = true, ["pypi.org"] = true,
  ["registry.npmjs.org"] = true }

---@class codecell.RefusalRecord a refusal as the engine tells it
---@field why string
---@field host string a name or an address
---@field port integer 0: only the name was asked for
---@field detail string
---@field times integer
---@field allow string? of a package: what would allow it
---@field is_unknown boolean? the host is a word for it

-- What is told of it.
---@param sandbox codecell.Sandbox
---@param record codecell.RefusalRecord
---@return codecell.Refusal
local function tell(sandbox, record)
  local why, address = record.why, record.detail:match("^[^,]+")
  if why == "not_allowed" and sandbox._about.network == "none" then
    why = "no_network"
  elseif why == "address" then
    why = record.detail:find(", metadata$") and "metadata"
      or record.host == address and "literal" or why
  end
  local refusal = { what = what(record), why = REASONS[why]:format(record.detail),
    times = record.times }
  if record.is_unknown then
    refusal.allow = nil
  elseif INDEXES[record.host] and (why == "not_allowed" or why == "no_network") then
    refusal.allow = "packages = true"
  elseif why == "not_allowed" or why == "port" or why == "no_network" or why == "literal" then
    refusal.allow = ("network = {allow = {%q}}"):format(entry(record.host, record.port))
  elseif why == "address" then
    refusal.allow = ("network = {allow = {%q, %q}}"):format(entry(record.host, record.port),
      entry(address, record.port))
  elseif why == "server_name" then
    refusal.allow = ("network = {allow = {%q}}"):format(entry(record.detail, record.port))
  else
    refusal.allow = record.allow
  end
  refusal.message = refusal.what .. " refused: " .. refusal.why
    .. (refusal.allow and "; allow it with " .. refusal.allow or "")
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

--- Tell `on_event`, in a coroutine of its own.
---@param sandbox codecell.Sandbox
---@param event table with `type`
function network.event(sandbox, event)
  if sandbox._on_event then
    event.sandbox = sandbox.id
    task.async(tell_user, sandbox._on_event, event)
  end
end

--- Keep a refusal for the executions of the sandbox, and tell it.
---@param sandbox codecell.Sandbox
---@param record codecell.RefusalRecord
function network.refuse(sandbox, record)
  local kept = sandbox._refused
  kept.count = kept.count + 1
  kept[kept.count] = record
  kept[kept.count - KEPT] = nil
  if sandbox._on_event then
    local event = tell(sandbox, record)
    event.type, event.class = "refused", "security"
    event.sort = record.why == "package" and "package" or "connect"
    network.event(sandbox, event)
  end
end

-- Take what the engine has.
local function collect(sandbox)
  local records = sandbox:_refusals()
  for i = 1, records and #records or 0 do
    network.refuse(sandbox, records[i])
  end
  return sandbox._refused
end

-- Whoever is to hear of refusals, or to answer what is handed over, does as it happens.
local function listen(sandbox)
  if sandbox._listens then
    return
  end
  sandbox._listens = true
  local weak = setmetatable({ sandbox }, { __mode = "v" })
  reactor.listen(sandbox:_token(), function()
    local living = weak[1]
    if not living then
      return false
    end
    if living._on_event then
      collect(living)
    end
    if living._rules or living._gateway then
      require("codecell.network.handover").take(living)
    end
    return true
  end)
end

--- Begin to listen: `on_event` hears refusals as they happen, and what is handed over is answered.
---@param sandbox codecell.Sandbox
---@param on_event function?
function network.attach(sandbox, on_event)
  sandbox._refused = { count = 0 }
  sandbox._on_event = on_event
  if on_event or sandbox._rules or sandbox._gateway then
    listen(sandbox)
  end
end

--- Let the rules of a sandbox be others from now on.
---@param sandbox codecell.Sandbox
---@param policy userdata
---@param rules table<string, table>?
function network.set_rules(sandbox, policy, rules)
  sandbox._policy, sandbox._rules = policy, rules
  if rules then
    listen(sandbox)
  end
end

--- Whether rules can be kept here.
---@param rules table<string, table>?
---@return true? ok
---@return codecell.Error? err kind "unsupported"
function network.prepare(rules)
  if rules then
    return require("codecell.network.handover").prepare()
  end
  return true
end

--- Where the refusals of a run begin.
---@param sandbox codecell.Sandbox
---@return integer mark
function network.mark(sandbox)
  return collect(sandbox).count
end

-- The port that a name was asked for, as far as the code and what it said tell: a question for a
-- name has none.
local function port_of(host, texts)
  local after = { "^:(%d+)", "^['\"]?%]?,%s*port=(%d+)", "^['\"],%s*(%d+)" }
  for _, text in ipairs(texts) do
    local last = 0
    for _ = 1, LOOKS do
      local first
      first, last = text:find(host, last + 1, true)
      if not first then
        break
      end
      local rest = text:sub(last + 1, last + 32)
      local scheme = text:sub(math.max(1, first - 8), first - 1):match("(%a+)://$")
      local port = tonumber(rest:match(after[1]) or rest:match(after[2]) or rest:match(after[3])
        or scheme == "https" and 443 or scheme == "http" and 80)
      if port and port > 0 and port <= 65535 then
        return port
      end
    end
  end
  return nil
end

-- An address where there is no network at all: its own kernel says so to the code.
local UNREACHABLE = { "Network is unreachable", "ENETUNREACH" }

-- The one that was meant, as far as the code and what it said tell.
local function address_of(texts)
  for i = #texts, 1, -1 do
    local address = texts[i]:match("%f[%w.](%d+%.%d+%.%d+%.%d+)%f[^%w.]")
    if address and address ~= "127.0.0.1" and address ~= "0.0.0.0" then
      return address
    end
  end
  return nil
end

local function unreachable(sandbox, texts)
  for i = 2, #texts do
    for _, pattern in ipairs(UNREACHABLE) do
      if texts[i]:find(pattern, 1, true) then
        local address = address_of(texts)
        return { tell(sandbox, { why = "no_network", host = address or "an address", detail = "",
          port = address and port_of(address, texts) or 0, times = 1, is_unknown = not address }) }
      end
    end
  end
  return {}
end

--- What a run was refused, which began there.
---@param sandbox codecell.Sandbox
---@param mark integer
---@param execution codecell.Execution
---@param code string that was run
---@return codecell.Refusal[]
function network.since(sandbox, mark, execution, code)
  local is_none = sandbox._about.network == "none"
  if is_none then
    sandbox:_hear()
  end
  local kept, list, seen = collect(sandbox), {}, {}
  local failure, said = execution.error, execution.logs.stderr
  if kept.count == mark and not (is_none and (failure or #said > 0)) then
    return list
  end
  local texts = { code:sub(1, SEARCHED), table.concat(said):sub(-SEARCHED),
    failure and (failure.value .. "\n" .. failure.traceback):sub(-SEARCHED) or "" }
  for i = math.max(mark + 1, kept.count - KEPT + 1), kept.count do
    local record = kept[i]
    local port = record.port ~= 0 and record.port
      or record.why ~= "package" and port_of(record.host, texts) or 0
    local key = ("%s %d %s"):format(record.host, port, record.why)
    if not seen[key] and #list < TOLD then
      seen[key] = { why = record.why, host = record.host, port = port, detail = record.detail,
        allow = record.allow, times = 0 }
      list[#list + 1] = seen[key]
    end
    if seen[key] then
      seen[key].times = seen[key].times + record.times
    end
  end
  for i = 1, #list do
    list[i] = tell(sandbox, list[i])
  end
  if #list == 0 and is_none then
    return unreachable(sandbox, texts)
  end
  return list
end

return network
