--- What a sandbox may reach: the control plane's lists of addresses and names, as our `network`.
local cap = require "codecell.gateway.control.cap"
local codecell = require "codecell"
local core = require "codecell.core"
local errors = require "codecell.errors"
local lists = require "codecell.e2b.network"
local shape = require "codecell.e2b.shape"
local sorted = require "codecell.sorted"
local wait = require "codecell.wait"

local reach = {}

local EVERYTHING = { ["0.0.0.0/0"] = true, ["::/0"] = true }
-- Of one sandbox, and of one of its rules.
local HOSTS_MOST, HOST_MOST, HEADERS_MOST, NAME_MOST = 10, 128, 20, 64
reach.VALUE_MOST = 2048 -- bytes of a header

-- Lists that would do nothing here, and why.
local MISSING = {
  dnsServers = "names are resolved by this machine",
  httpsPorts = "what listens in a sandbox is asked by plain HTTP",
}

local function wrong(message, ...)
  return nil, errors.new("invalid_argument", message:format(...))
end

-- ---- reading ----

local function strings(value)
  local list = {}
  for i, one in ipairs(shape.table(value) or {}) do
    if type(one) ~= "string" then
      return nil
    end
    list[i] = one
  end
  return list
end

local function headers_of(host, given)
  local list = shape.table(given) or {}
  local headers = shape.texts((shape.table((shape.table(list[1]) or {}).transform) or {}).headers)
  local count = 0
  for name, value in pairs(headers) do
    count = count + 1
    if #name > NAME_MOST or #value > reach.VALUE_MOST then
      return wrong("network.rules: %s: a header has a name of at most %d characters and a value of "
        .. "at most %d", host, NAME_MOST, reach.VALUE_MOST)
    elseif value:find("${e2b.", 1, true) then -- what is left is filled in by nobody
      return wrong("network.rules: there are no identity tokens here; secrets are "
        .. "${e2b.secrets.NAME}")
    end
  end
  if #list > 1 or count > HEADERS_MOST then
    return wrong("network.rules: %s: one transform with at most %d headers was expected", host,
      HEADERS_MOST)
  end
  return headers
end

local function rules_of(given)
  local rules, count = {}, 0
  for host, rule in pairs(shape.table(given) or {}) do
    count = count + 1
    if type(host) ~= "string" or #host > HOST_MOST or count > HOSTS_MOST then
      return wrong("network.rules: at most %d hosts of at most %d characters were expected",
        HOSTS_MOST, HOST_MOST)
    end
    local headers, err = headers_of(host, rule)
    if not headers then
      return nil, err
    elseif next(headers) then
      rules[host] = { headers = headers }
    end
  end
  return rules
end

local function is_everything(list)
  for _, one in ipairs(list) do
    if EVERYTHING[one] then
      return true
    end
  end
  return false
end

-- There allow wins, here deny does: what is in both can be said with everything denied alone.
local function contradiction(allow, deny)
  local policy, err = core.policy("open", {}, deny, {})
  if not policy then
    return "denyOut: " .. err.message
  end
  for _, one in ipairs(allow) do
    local place = (one:find(":", 1, true) and "[" .. one .. "]" or one) .. ":80"
    if one:find("/", 1, true) or not policy:_allows(place) then
      return ("%s is allowed within what is denied: deny 0.0.0.0/0 then"):format(one)
    end
  end
end

local function list_of(allow, rules)
  local list, known = {}, {}
  for _, one in ipairs(allow) do
    list[#list + 1], known[one] = one, true
  end
  for host in pairs(rules) do
    list[#list + 1] = not known[host] and host or nil
  end
  return list
end

local function missing_of(given)
  for _, name in ipairs(sorted(MISSING)) do
    if next(shape.table(given[name]) or {}) ~= nil then
      return name
    end
  end
end

--- What may be reached.
---@param internet any allow_internet_access
---@param given table with `allowOut`, `denyOut` and `rules`
---@return string|table|nil network
---@return codecell.Error? err kind "invalid_argument"
function reach.read(internet, given)
  local allow, deny = strings(given.allowOut), strings(given.denyOut)
  local rules, err = rules_of(given.rules)
  if not allow or not deny then
    return wrong("network: lists of addresses and names were expected")
  elseif not rules then
    return nil, err
  elseif shape.table(given.egressProxy) then
    return wrong("network.egressProxy is not supported here")
  end
  local missing = missing_of(given)
  if missing then
    return wrong("network.%s is not supported here: %s; leave it out", missing, MISSING[missing])
  end
  local has_name = false
  for _, one in ipairs(deny) do
    if not lists.is_address(one) then
      return wrong("network.denyOut: %s is neither an address nor a range of them", one)
    end
  end
  for _, one in ipairs(allow) do
    has_name = has_name or not lists.is_address(one)
  end
  local is_closed = internet == false or is_everything(deny)
  if has_name and not is_closed then
    return wrong("network.allowOut: names need a denyOut with 0.0.0.0/0")
  end
  local problem = not is_closed and contradiction(allow, deny)
  if problem then
    return wrong("network: %s", problem)
  elseif not is_closed and #deny == 0 and not next(rules) then
    return "open"
  end
  return { allow = is_closed and list_of(allow, rules) or "open",
    deny = not is_closed and deny or nil, rules = rules }
end

-- ---- sandboxes ----

--- Let a sandbox reach that from now on, as far as the gateway allows it.
---@param sandbox codecell.Sandbox
---@param network string|table
---@param most string|table|nil as of `cap.within`
---@return true? done
---@return codecell.Error? err
function reach.set(sandbox, network, most)
  if most == "none" then
    return true -- nothing can be narrower
  end
  local within, problem = cap.within(most, network)
  if not within then
    return nil, problem
  end
  local ok, done, err = wait.call(sandbox.update_network, sandbox, within)
  if ok then
    return done, err
  end
  return wrong("%s", (tostring(done):gsub("^[^:%s]+:%d+: ", "")))
end

--- Make a sandbox. It can be told later to reach more than it is to reach first: it is made open,
--- and narrowed before anything runs.
---@param options table of codecell.create, with the `network` that is wanted
---@param most string|table|nil what no sandbox gets more than
---@return codecell.Sandbox?
---@return codecell.Error? err
function reach.create(options, most)
  local wanted = options.network
  options.network = most or "open"
  local sandbox, err = codecell.create(options)
  if not sandbox or wanted == "open" then
    return sandbox, err
  end
  local ok
  ok, err = reach.set(sandbox, wanted, most)
  if not ok then
    sandbox:close()
    return nil, err
  end
  return sandbox
end

return reach
