--- What the variables of the environment say of the way to a server: proxies, and whom to trust.
local environment = {}

-- Ports of proxies whose URL has none.
local PORTS = { http = 80, https = 443, socks4 = 1080, socks4a = 1080, socks5 = 1080,
  socks5h = 1080 }
-- The proxy finds the name of the server.
local SCHEMES = { socks4 = "socks4a", socks5 = "socks5h" }

local function variable(name)
  local value = os.getenv(name)
  return value and value:find("%S") and value or nil
end

local function either(name)
  return variable(name:lower()) or variable(name)
end

local function split_port(authority)
  local host, port = authority:match("^(%[[^%]]*%]):?(%d*)$")
  if not host then
    host, port = authority:match("^([^:]*):?(%d*)$")
  end
  return host, port ~= "" and port or nil
end

-- "example.com", ".example.com", "*.example.com": it and what is below; with a port, that alone.
local function is_named(entry, host, port)
  local name, only = split_port(entry:lower())
  if entry == "*" then
    return true
  elseif not name or name == "" or only and only ~= port then
    return false
  end
  name = name:gsub("^%*?%.", "")
  return host == name or #host > #name and host:sub(-#name - 1) == "." .. name
end

local function is_direct(host, port)
  for entry in (either "NO_PROXY" or ""):gmatch("[^%s,]+") do
    if is_named(entry, host, port) then
      return true
    end
  end
  return false
end

-- A server that answers requests has HTTP_PROXY from the field Proxy of whoever asks.
local function proxy_for_plain()
  return variable "http_proxy" or not os.getenv "REQUEST_METHOD" and variable "HTTP_PROXY" or nil
end

--- The proxy that leads to a server.
---@param is_tls boolean
---@param authority string "name:port"
---@return {url: string, authority: string}|false|nil proxy false: none; nil, and the name of the
---variable that makes no sense
---@return string? problem
function environment.proxy(is_tls, authority)
  local host, port = split_port(authority:lower())
  local given
  if is_tls then
    given = either "HTTPS_PROXY"
  else
    given = proxy_for_plain()
  end
  given = given or either "ALL_PROXY"
  if not given or is_direct(host or "", port or (is_tls and "443" or "80")) then
    return false
  end
  local scheme, rest = given:match("^%s*(%w+)://(%S+)%s*$")
  scheme = (scheme or "http"):lower()
  local place = (rest or given:match("^%s*(%S+)%s*$") or ""):match("^[^/?#]*")
  local who, name = place:match("^(.*)@([^@]*)$")
  local found, found_port = split_port(name or place)
  if not PORTS[scheme] or not found or found == "" then
    return nil, "the proxy that the environment names: http://host:port or socks5://host:port "
      .. "expected"
  end
  local there = ("%s:%s"):format(found, found_port or PORTS[scheme])
  return { authority = there, url = ("%s://%s%s"):format(SCHEMES[scheme] or scheme,
    who and who .. "@" or "", there) }
end

--- Whom to trust.
---@return string? file with certificates of authorities
---@return string? folder with such files
function environment.authorities()
  local file = variable "CURL_CA_BUNDLE"
  if file then
    return file
  end
  return variable "SSL_CERT_FILE", variable "SSL_CERT_DIR"
end

return environment
