--- Where `codecell serve` is found: its certificate, its names, and what programs are told of them.
local core = require "codecell.core"
local errors = require "codecell.errors"

local address = {}

local FILE_MOST = 1048576 -- bytes of a file with certificates
local HTTPS = 443

--- Whether nobody but this machine reaches a server there.
---@param host string? an address; nil: the default, which is such a one
---@return boolean
function address.is_loopback(host)
  return host == nil or host == "::1" or host:find("^127%.") ~= nil
end

local function read(option, path)
  local file, problem = io.open(path, "rb")
  local text
  if file then
    text, problem = file:read(FILE_MOST)
    file:close()
  end
  if not text then
    return nil, errors.new("invalid_argument", ("--%s: %s"):format(option,
      problem or path .. ": the file is empty"))
  end
  return text
end

--- What is wrong with the options.
---@param options table of the command
---@return string? problem
function address.problem(options)
  if (options["tls-cert"] ~= nil) ~= (options["tls-key"] ~= nil) then
    return "--tls-cert and --tls-key belong together"
  elseif options["tls-cert"] and options.debug then
    return "--debug: the SDKs' debug mode speaks HTTP; give no --tls-cert"
  elseif options.domain and not options.domain:find("^[%w%.%-]+:?%d*$") then
    return "--domain: a name, and a port if it is another one: sandbox.test:8443"
  end
end

--- The certificate and the key of the options.
---@param options table of the command
---@return {certificate: string?, key: string?}? identity empty: it is to speak HTTP
---@return codecell.Error? err
function address.identity(options)
  if not options["tls-cert"] then
    return {}
  end
  local certificate, err = read("tls-cert", options["tls-cert"])
  local key
  if certificate then
    key, err = read("tls-key", options["tls-key"])
  end
  return key and { certificate = certificate, key = key } or nil, err
end

--- Why nobody can be answered there, and which option mends it.
---@param err codecell.Error of the server
---@param host string
---@param port integer
---@param hint string what names another port
---@return codecell.Error
function address.cannot_listen(err, host, port, hint)
  if err.errno == core.errno.EADDRNOTAVAIL or err.kind == "invalid_argument" then
    hint = "--host takes an address of this machine, such as 127.0.0.1"
  end
  return errors.new(err.kind, ("%s:%d: %s; %s"):format(host, port, err.message, hint))
end

--- The URL of a place.
---@param options table of the command
---@param place {host: string, port: integer}
---@return string
function address.url(options, place)
  local host = place.host:find(":", 1, true) and "[" .. place.host .. "]" or place.host
  return ("%s://%s:%d"):format(options["tls-cert"] and "https" or "http", host, place.port)
end

--- The name below which each port of a sandbox has its own, with the port that leads here.
---@param options table of the command
---@param place {host: string, port: integer}
---@return string
function address.domain(options, place)
  local name = options.domain
  if not name then
    return "localhost:" .. place.port
  elseif options["tls-cert"] and place.port ~= HTTPS and not name:find(":", 1, true) then
    return ("%s:%d"):format(name, place.port)
  end
  return name
end

--- The variables that lead an SDK here, as lines. Those that have a domain and a certificate find
--- everything below it, as in the cloud.
---@param options table of the command
---@param place {host: string, port: integer}
---@return string
function address.variables(options, place)
  if options.domain and options["tls-cert"] then
    return ("E2B_DOMAIN=%s\n"):format(address.domain(options, place))
  end
  local url = address.url(options, place)
  return ("E2B_API_URL=%s\nE2B_SANDBOX_URL=%s\n"):format(url, url)
    .. (options.volumes and ("E2B_VOLUME_API_URL=%s\n"):format(url) or "")
end

return address
