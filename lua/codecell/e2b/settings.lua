--- Where E2B is, and who asks: options of a call, else the environment, else the defaults.
local errors = require "codecell.errors"

local settings = {}

local DOMAIN = "e2b.app"
-- On these all sandboxes share one host for what envd answers.
local SHARED = {
  ["e2b.app"] = true, ["e2b.dev"] = true, ["e2b.pro"] = true, ["e2b-staging.dev"] = true,
}
local TIMEOUT = 60 -- seconds of one request
local RETRIES = 3

--- The options that every verb of this backend takes, with their rules.
settings.options = {
  api_key = { type = "name" },
  api_url = { type = "name" },
  debug = { type = "boolean" },
  domain = { type = "name" },
  max_retries = { type = "integer", most = 10 },
  on_request = { type = "function" },
  request_timeout = { type = "number", above = 0, most = 86400 },
  sandbox_url = { type = "name" },
  validate_api_key = { type = "boolean" },
  volume_url = { type = "name" },
}

--- Those that only create has, besides.
settings.create_options = {
  auto_resume = { type = "boolean" },
  egress_proxy = { type = "table", fields = { address = { type = "name" },
    password = { type = "name" }, username = { type = "name" } } },
  host_mask = { type = "name" },
  iam = { type = "table" },
  keep_memory = { type = "boolean" },
  mcp = { type = "table" },
  public_traffic = { type = "boolean" },
  secure = { type = "boolean" },
  volumes = { type = "table" },
}

---@class codecell.E2bSettings
---@field api_url string
---@field is_cloud boolean E2B's own; else it is somebody's who speaks as E2B does
---@field debug boolean
---@field domain string
---@field max_retries integer
---@field request_timeout number seconds
---@field sandbox_url string?
---@field volume_url string?
---@field on_request (fun(event: codecell.E2bRequestEvent))?
---@field key fun(): string? kept in a function: whoever prints the table does not see it

-- An empty string says nothing.
local function text(value, name)
  if value == nil or value == "" then
    value = os.getenv(name)
  end
  return value ~= "" and value or nil
end

local function flag(value, name, default)
  if value ~= nil then
    return value
  end
  local said = (os.getenv(name) or ""):lower()
  if default then
    return said ~= "false"
  end
  return said == "true"
end

local function check_key(verb, key)
  if not key then
    return nil, errors.new("unauthenticated", verb .. ": No E2B_API_KEY provided; give api_key, or "
      .. "set the variable E2B_API_KEY to a key of https://e2b.dev/dashboard")
  elseif not key:find("^e2b_[0-9a-f]+$") then
    return nil, errors.new("unauthenticated", verb .. ": the API key is not one of E2B: e2b_ and "
      .. "hexadecimal digits; for a server with other keys give validate_api_key = false")
  end
  return true
end

-- Of a base URL; its user and password would be sent to whoever is there.
local function check_url(verb, name, url)
  if url and (not url:find("^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@%s%c]+[^?#@%s%c]*$")) then
    return nil, errors.new("invalid_argument",
      ("%s: %s: http://host or https://host expected"):format(verb, name))
  end
  return true
end

local function without_slash(url)
  return url and (url:gsub("/+$", ""))
end

local function whole(value, name, default, most)
  local said = value or tonumber(os.getenv(name) or "")
  return said and said % 1 == 0 and said >= 0 and said <= most and said or default
end

--- What a call is to use, found before anything is sent.
---@param verb string begins the message of an error
---@param given table? checked by the rules of `settings.options`
---@return codecell.E2bSettings? settings
---@return codecell.Error? err kinds "unauthenticated": no key, or none of E2B; "invalid_argument"
function settings.resolve(verb, given)
  given = given or {}
  local key = text(given.api_key, "E2B_API_KEY")
  local debug = flag(given.debug, "E2B_DEBUG", false)
  local ok, err = true, nil
  if debug and not key then
    key = nil -- of a server on this machine, which may want none
  elseif flag(given.validate_api_key, "E2B_VALIDATE_API_KEY", true) or not key then
    ok, err = check_key(verb, key)
  end
  local domain = text(given.domain, "E2B_DOMAIN") or DOMAIN
  local sandbox_url = without_slash(text(given.sandbox_url, "E2B_SANDBOX_URL"))
  local api_url = without_slash(text(given.api_url, "E2B_API_URL"))
    or debug and "http://localhost:3000" or "https://api." .. domain
  if ok then
    ok, err = check_url(verb, "api_url", api_url)
  end
  local volume_url = without_slash(text(given.volume_url, "E2B_VOLUME_API_URL"))
  if ok then
    ok, err = check_url(verb, "sandbox_url", sandbox_url)
  end
  if ok then
    ok, err = check_url(verb, "volume_url", volume_url)
  end
  if not ok then
    return nil, err
  end
  return {
    api_url = api_url, debug = debug, domain = domain, sandbox_url = sandbox_url,
    volume_url = volume_url,
    is_cloud = SHARED[domain] == true and api_url == "https://api." .. domain,
    request_timeout = given.request_timeout or TIMEOUT,
    max_retries = whole(given.max_retries, "E2B_MAX_RETRIES", RETRIES, 10),
    key = function() return key end, on_request = given.on_request,
  }
end

--- The template of sandboxes for which none is given.
---@return string? name nil: that of the cloud
function settings.template()
  return text(nil, "E2B_TEMPLATE_ID")
end

--- The host by which a port of a sandbox is reached.
---@param found codecell.E2bSettings
---@param id string
---@param domain string? of the sandbox, if it has its own
---@param port integer
---@return string host
function settings.host(found, id, domain, port)
  if found.debug then
    return ("localhost:%d"):format(port)
  end
  return ("%d-%s.%s"):format(port, id, domain or found.domain)
end

--- The base URL of a port of a sandbox.
---@param found codecell.E2bSettings
---@param id string
---@param domain string?
---@param port integer
---@return string url
function settings.url(found, id, domain, port)
  if found.sandbox_url then
    return found.sandbox_url
  end
  return (found.debug and "http://" or "https://") .. settings.host(found, id, domain, port)
end

--- The base URL of what envd answers.
---@param found codecell.E2bSettings
---@param id string
---@param domain string?
---@param port integer
---@return string url
function settings.envd(found, id, domain, port)
  local shared = domain or found.domain
  if not found.sandbox_url and not found.debug and SHARED[shared] then
    return "https://sandbox." .. shared
  end
  return settings.url(found, id, domain, port)
end

return settings
