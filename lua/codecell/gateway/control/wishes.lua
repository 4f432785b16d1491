--- What a client wants of a new sandbox, in the words of `codecell.create`.
local create = require "codecell.create"
local errors = require "codecell.errors"
local json = require "codecell.json"
local naming = require "codecell.gateway.templates.naming"
local options = require "codecell.options"
local reach = require "codecell.gateway.control.reach"
local shape = require "codecell.e2b.shape"

local wishes = {}

local LEAST, MOST = 15, 86400 -- seconds
local METADATA_MOST = 16384 -- bytes: every list of sandboxes has all of it

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

--- A number of seconds.
---@param value any
---@param about {default: number?, may_be_none: boolean?, most: number?} may_be_none: 0 is a time as
---well; most: default 24 hours
---@return number? seconds
---@return codecell.Error? err kind "invalid_argument"
function wishes.timeout(value, about)
  local default, most = about.default, about.most or MOST
  if value == nil or value == json.null then
    value = default and math.min(default, most)
  end
  local seconds = shape.number(value)
  if not seconds or seconds < 0 or seconds == 0 and not about.may_be_none then
    return wrong(("timeout: a number of seconds %s was expected"):format(
      about.may_be_none and "from 0 on" or "above 0"))
  elseif seconds > most then
    local is_hours = most % 3600 == 0
    return wrong(("timeout cannot be greater than %d %s"):format(is_hours and most / 3600 or most,
      is_hours and "hours" or "seconds"))
  end
  return seconds
end

local function resumes(body)
  return (shape.table(body.autoResume) or {}).enabled == true
end

local function check_combination(body, network)
  if body.autoPauseMemory == false and body.autoPause ~= true then
    return wrong("autoPauseMemory: false needs autoPause")
  elseif body.autoPauseMemory == false and resumes(body) then
    return wrong("autoPauseMemory: false and autoResume exclude each other")
  elseif network.allowPublicTraffic == false and body.secure ~= true then
    return wrong("network.allowPublicTraffic: false needs secure")
  elseif next(shape.table((shape.table(body.iam) or {}).tokens) or {}) ~= nil then
    return wrong("iam: nobody signs tokens of an identity here; leave it out")
  end
  return true
end

local TYPES = { secure = "boolean", allow_internet_access = "boolean", autoPause = "boolean",
  autoPauseMemory = "boolean", autoResume = "table", network = "table", metadata = "table",
  envVars = "table", volumeMounts = "table", mcp = "table", iam = "table" }

local function check_types(body)
  for name, kind in pairs(TYPES) do
    local value = body[name]
    if value ~= nil and value ~= json.null and type(value) ~= kind then
      return wrong(("%s: %s was expected"):format(name,
        kind == "table" and "an object or a list" or "a " .. kind))
    end
  end
  local sizes = {}
  for _, name in ipairs({ "metadata", "envVars" }) do
    sizes[name] = 0
    for key, value in pairs(shape.table(body[name]) or {}) do
      if type(value) ~= "string" or type(key) ~= "string" then
        return wrong(("%s: %s: a text was expected"):format(name, tostring(key)))
      end
      sizes[name] = sizes[name] + #key + #value
    end
  end
  if sizes.metadata > METADATA_MOST then
    return wrong(("metadata: at most %d bytes of names and values were expected"):format(
      METADATA_MOST))
  end
  return true
end

--- All that a request to create one wants.
---@param body table
---@param lifetime number? seconds, where it names none; default 15
---@param most number? seconds that it may be
---@return table? given for the record
---@return table|codecell.Error options of create; or err
function wishes.read(body, lifetime, most)
  if shape.table(body.mcp) then -- before its template is missed, and before clients try it
    return wrong("mcp: clients start its program as root, and there is no root here; leave it out")
  end
  local template, err = naming.find(body.templateID)
  local timeout, network, ok
  local lists = shape.table(body.network) or {}
  if template then
    timeout, err = wishes.timeout(body.timeout, { default = lifetime or LEAST, most = most })
  end
  if timeout then
    ok, err = check_types(body)
  end
  if ok then
    ok, err = check_combination(body, lists)
  end
  if ok then
    network, err = reach.read(body.allow_internet_access, lists)
  end
  if not network then
    return nil, err
  end
  local wanted = { timeout = timeout, network = network, template = template.stored,
    envs = shape.texts(body.envVars), metadata = shape.texts(body.metadata),
    on_timeout = body.autoPause == true and "pause" or nil }
  ok, err = wishes.check("create", wanted, create.options)
  if not ok then
    return nil, err
  end
  local about = template.about or {}
  wanted.limits = about.memory and { memory = about.memory }
  return { template = template.id, alias = template.name,
    template_owner = about.public == false and about.owner or nil, start = about.start,
    ready = about.ready, timeout = timeout, envs = wanted.envs,
    metadata = wanted.metadata, secure = body.secure == true,
    auto_pause = body.autoPause == true, pauses_memory = body.autoPauseMemory ~= false,
    auto_resume = resumes(body),
    is_public = lists.allowPublicTraffic ~= false, network = shape.table(body.network),
    mask = shape.text(lists.maskRequestHost),
    internet = body.allow_internet_access ~= false }, wanted
end

return wishes
