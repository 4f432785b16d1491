--- What a client wants of a new sandbox, in the words of `codecell.create`.
local create = require "codecell.create"
local errors = require "codecell.errors"
local json = require "codecell.json"
local naming = require "codecell.gateway.naming"
local options = require "codecell.options"
local shape = require "codecell.e2b.shape"

local wishes = {}

local EVERYTHING = "0.0.0.0/0"
local LEAST, MOST = 15, 86400 -- seconds

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

--- Check values as the library does; what it would raise is an error.
---@param verb string
---@param given table
---@param rules table
---@return table? given
---@return codecell.Error? err kind "invalid_argument"
function wishes.check(verb, given, rules)
  local ok, problem = pcall(options.check, verb, given, rules)
  if ok then
    return given
  end
  return wrong((tostring(problem):gsub("^[^:%s]+:%d+: ", "")))
end

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

local function headers_of(rule)
  local first = shape.table((shape.table(rule) or {})[1]) or {}
  return shape.texts((shape.table(first.transform) or {}).headers)
end

-- `${e2b...}` is filled in by nobody here, and goes out to nobody.
local function rules_of(given)
  local rules = {}
  for host, rule in pairs(shape.table(given) or {}) do
    rules[host] = { headers = headers_of(rule) }
    for _, value in pairs(rules[host].headers) do
      if value:find("${e2b.", 1, true) then
        return wrong("network.rules: secrets and identity tokens are not kept here")
      end
    end
  end
  return rules
end

local function has(list, wanted)
  for _, one in ipairs(list) do
    if one == wanted then
      return true
    end
  end
  return false
end

--- What may be reached, as our `network`.
---@param internet any
---@param given table
---@return string|table|nil network
---@return codecell.Error? err kind "invalid_argument"
function wishes.network(internet, given)
  local allow, deny = strings(given.allowOut), strings(given.denyOut)
  local rules, err = rules_of(given.rules)
  if not allow or not deny then
    return wrong("network: lists of addresses and names were expected")
  elseif not rules then
    return nil, err
  elseif shape.table(given.egressProxy) then
    return wrong("network.egressProxy is not supported here")
  end
  for _, one in ipairs(deny) do
    if not one:find("^[%d.]+/?%d*$") and not one:find(":", 1, true) then
      return wrong(("network.denyOut: %s is no address"):format(one))
    end
  end
  local closed = internet == false or has(deny, EVERYTHING)
  if not closed and #deny == 0 then
    return next(rules) and wrong("network.rules need allowOut here") or "open"
  elseif not closed then
    return wrong("network.denyOut: only 0.0.0.0/0 is supported here")
  end
  for host in pairs(rules) do
    if not has(allow, host) then
      allow[#allow + 1] = host
    end
  end
  local wanted = { allow = allow, rules = next(rules) and rules or nil }
  return wishes.check("network", { network = wanted }, { network = create.options.network })
    and wanted
end

--- A number of seconds.
---@param value any
---@param default number?
---@return number? seconds
---@return codecell.Error? err kind "invalid_argument"
function wishes.timeout(value, default)
  if value == nil or value == json.null then
    value = default
  end
  local seconds = shape.number(value)
  if not seconds or seconds <= 0 then
    return wrong("timeout: a number of seconds above 0 was expected")
  elseif seconds > MOST then
    return wrong(("timeout cannot be greater than %d hours"):format(MOST / 3600))
  end
  return seconds
end

-- `mcp` is nothing for us to do: its client runs the program by itself.
local UNKNOWN = { "iam" }

local function check_combination(body, network)
  if body.autoPauseMemory == false and body.autoPause ~= true then
    return wrong("autoPauseMemory: false needs autoPause")
  elseif network.allowPublicTraffic == false and body.secure ~= true then
    return wrong("network.allowPublicTraffic: false needs secure")
  elseif #(shape.table(body.volumeMounts) or {}) > 0 then
    return wrong("volumeMounts: volumes are not kept here")
  end
  for _, name in ipairs(UNKNOWN) do
    if shape.table(body[name]) then
      return wrong(name .. " is not supported here")
    end
  end
  return true
end

--- All that a request to create one wants.
---@param body table
---@param lifetime number? seconds, where it names none; default 15
---@return table? given for the record
---@return table|codecell.Error options of create; or err
function wishes.read(body, lifetime)
  local template, err = naming.find(body.templateID)
  local timeout, network, ok
  local lists = shape.table(body.network) or {}
  if template then
    timeout, err = wishes.timeout(body.timeout, lifetime or LEAST)
  end
  if timeout then
    ok, err = check_combination(body, lists)
  end
  if ok then
    network, err = wishes.network(body.allow_internet_access, lists)
  end
  if not network then
    return nil, err
  end
  local resume = shape.table(body.autoResume) or {}
  local wanted = { timeout = timeout, network = network, template = template.stored,
    envs = shape.texts(body.envVars), metadata = shape.texts(body.metadata),
    on_timeout = body.autoPause == true and "pause" or nil }
  ok, err = wishes.check("create", wanted, create.options)
  if not ok then
    return nil, err
  end
  local about = template.about or {}
  wanted.limits = about.memory and { memory = about.memory }
  return { template = template.id, alias = template.name, start = about.start,
    ready = about.ready, timeout = timeout, envs = wanted.envs,
    metadata = wanted.metadata, secure = body.secure == true,
    auto_pause = body.autoPause == true, auto_resume = resume.enabled == true,
    is_public = lists.allowPublicTraffic ~= false, network = shape.table(body.network),
    mask = shape.text(lists.maskRequestHost),
    internet = body.allow_internet_access ~= false }, wanted
end

return wishes
