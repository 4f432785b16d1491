--- Where packages come from: the index of Python's, the registry of npm's, and what proves to them
--- who asks. That stays on this machine: no sandbox sees it, no log, and no name of a layer.
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local urls = require "codecell.http.url"

local sources = {}

local DEFAULTS = { index = "https://pypi.org/simple/", registry = "https://registry.npmjs.org/" }
-- Where an index that everybody knows has its files.
local FILES = { ["https://pypi.org"] = "https://files.pythonhosted.org" }
local CONFIGURATION_MOST = 2 ^ 20 -- bytes

---@class codecell.PackageSource
---@field url string ends in a slash
---@field origin string "https://name:port"
---@field authorization string? value of that header, for this origin alone
---@field trusted table<string, true> other origins that may be anywhere, as this one; what else it
---names must be public

-- "https://user:password@name/path" without what proves who asks, and that as a header.
local function split(text)
  local scheme, authority, path = text:match("^%s*(%a+)://([^/?#%s]+)([^?#%s]*)%s*$")
  if not scheme then
    return nil
  end
  scheme = scheme:lower()
  local user, host = authority:match("^(.*)@([^@]*)$")
  if scheme ~= "http" and scheme ~= "https" then
    return nil
  end
  if path:sub(-1) ~= "/" then
    path = path .. "/"
  end
  local origin = scheme .. "://" .. (host or authority):lower()
  if user and not user:find(":", 1, true) then
    user = user .. ":"
  end
  return { url = origin .. path, origin = origin,
    trusted = FILES[origin] and { [FILES[origin]] = true } or {},
    authorization = user and "Basic " .. base64.encode(urls.decode(user)) or nil }
end

local function trust(source, hosts)
  for _, host in ipairs(source and hosts or {}) do
    source.trusted["https://" .. host:lower()] = true
    source.trusted["http://" .. host:lower()] = true
  end
  return source
end

-- ---- this machine's own settings ----

local function read(path)
  local file = path and io.open(path, "rb")
  local text = file and file:read(CONFIGURATION_MOST) or ""
  if file then
    file:close()
  end
  return text
end

local function below_home(path)
  local home = os.getenv("HOME")
  return home and home .. path or nil
end

local function of_pip()
  local set = os.getenv("PIP_INDEX_URL")
  if set and set ~= "" then
    return split(set)
  end
  local places = { os.getenv("PIP_CONFIG_FILE") or false, below_home("/.config/pip/pip.conf"),
    below_home("/.pip/pip.conf"), "/etc/pip.conf" }
  for i = 1, 4 do
    local text = places[i] and read(places[i]) or ""
    local value = ("\n" .. text):match("\n%s*index%-url%s*[=:]%s*(%S+)")
    if value then
      return split(value)
    end
  end
end

local function with_token(source, text)
  if not source or source.authorization then
    return source
  end
  local host = source.origin:match("^%a+://(.+)$")
  for where, token in text:gmatch("//([^%s=]-)/?:_authToken%s*=%s*[\"']?([^%s\"']+)") do
    local address = host .. source.url:sub(#source.origin + 1)
    if address:sub(1, #where + 1) == where .. "/" and not token:find("^%$") then
      source.authorization = "Bearer " .. token
    end
  end
  return source
end

local function of_npm()
  local text = "\n" .. read(below_home("/.npmrc"))
  local set = os.getenv("npm_config_registry") or os.getenv("NPM_CONFIG_REGISTRY")
    or text:match("\n%s*registry%s*=%s*(%S+)")
  return with_token(split(set and set ~= "" and set or DEFAULTS.registry), text)
end

-- ---- of a sandbox ----

--- The sources of a policy. What this machine says is looked up when it is first needed.
---@param policy codecell.PackagePolicy
---@return {index: fun(): codecell.PackageSource?, registry: fun(): codecell.PackageSource?}
function sources.new(policy)
  local kept = {}
  return {
    index = function()
      kept.index = kept.index or trust(policy.index and split(policy.index)
        or not policy.index and (of_pip() or split(DEFAULTS.index)) or nil, policy.given.hosts)
      return kept.index
    end,
    registry = function()
      kept.registry = kept.registry or trust(policy.registry and split(policy.registry)
        or not policy.registry and of_npm() or nil, policy.given.hosts)
      return kept.registry
    end,
  }
end

local INDEX = { PIP_INDEX_URL = "index", UV_DEFAULT_INDEX = "index", UV_INDEX_URL = "index",
  NPM_CONFIG_REGISTRY = "registry", npm_config_registry = "registry" }
local SECOND = { PIP_EXTRA_INDEX_URL = true, PIP_FIND_LINKS = true, UV_INDEX = true,
  UV_EXTRA_INDEX_URL = true }

--- Whether a variable says where packages come from.
---@param name string
---@return boolean
function sources.is_variable(name)
  return INDEX[name] ~= nil or SECOND[name] ~= nil or name == "NPM_TOKEN"
end

--- Take what names a source out of the variables of an install: it stays outside.
---@param given table a result of `sources.new`
---@param envs table<string, string>
---@return table<string, string>? rest
---@return table|codecell.Error source like `given`; or err: kind "invalid_argument"
function sources.take(given, envs)
  local rest, own = {}, {}
  for name, value in pairs(envs) do
    local kind = INDEX[name]
    if SECOND[name] then
      return nil, errors.new("invalid_argument", ("install: envs: %s: packages come from one "
        .. "index; give it as PIP_INDEX_URL"):format(name))
    elseif kind then
      own[kind] = split(value)
      if not own[kind] then
        return nil, errors.new("invalid_argument",
          ("install: envs: %s: https://name/path/ expected"):format(name))
      end
    elseif name ~= "NPM_TOKEN" then
      rest[name] = value
    end
  end
  if envs.NPM_TOKEN then
    local registry = own.registry or given.registry()
    own.registry = registry and { url = registry.url, origin = registry.origin,
      trusted = registry.trusted, authorization = "Bearer " .. envs.NPM_TOKEN }
  end
  return rest, {
    index = function() return own.index or given.index() end,
    registry = function() return own.registry or given.registry() end,
  }
end

--- What decides of a source which packages there are; only for a digest.
---@param source table a result of `sources.new`
---@param manager "pip"|"npm"
---@return string
function sources.canonical(source, manager)
  local one = manager == "pip" and source.index() or manager == "npm" and source.registry()
  return one and one.url .. "\n" .. (one.authorization or "") or ""
end

--- Whether a text is the address of a source.
---@param text string
---@return boolean
function sources.is_address(text)
  return split(text) ~= nil
end

return sources
