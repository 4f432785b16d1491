--- E2B's API on a port: what `codecell serve` is without --unix.
local address = require "codecell.command.serve.address"
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local gateway = require "codecell.gateway"
local holding = require "codecell.gateway.holding"
local launch = require "codecell.command.launch"
local plane = require "codecell.e2b.plane"
local reactor = require "codecell.reactor"
local server = require "codecell.server"
local settings = require "codecell.command.serve.settings"
local volumes = require "codecell.gateway.volumes"
local terminal = require "codecell.command.terminal"

local serve = {}

local PORT = 3000
local IDLE = 600 -- seconds that a client may be silent
local CONNECTIONS = 4096
local HEAD = 16384 -- bytes
local SHARE = 4 -- of the descriptors there are, one in so many is for a client
local SWEEP = 5 -- seconds between two looks at what has ended
local GARBAGE = 8192 -- kilobytes
local GRACE = 10 -- seconds that requests may take once it is to end
local FAREWELL = 2 -- seconds for those who listen to what ends with it
local LAST_ROUNDS = 5 -- for the last bytes on their way
local DEBUG_PORTS = { plane.ENVD, plane.CODE } -- of the SDKs' debug mode, besides 3000

local function complain(text)
  io.stderr:write("codecell serve: ", text, "\n")
end

-- Answer at a port; what comes there may all be for one place of one sandbox.
local function listen(self, port, place)
  local identity, err = address.identity(self.options)
  if not identity then
    return nil, err
  end
  local made
  made, err = server.new(function(request)
    self.gateway:answer(request, place)
  end, { idle = IDLE, connections = self.connections, head = HEAD,
    certificate = identity.certificate,
    key = identity.key })
  local found
  if made then
    local host = self.options.host or "127.0.0.1"
    found, err = made:listen({ host = host, port = port })
    err = err and address.cannot_listen(err, host, port,
      place and "--debug needs this port" or "--port names another (0: any that is free)")
  end
  self.servers[#self.servers + 1] = made
  return found, err
end

local function listen_debug(self)
  local id, err = self.gateway:debug()
  local ok = id
  for _, port in ipairs(id and DEBUG_PORTS or {}) do
    if ok then
      ok, err = listen(self, port, { id = id, port = port })
    end
  end
  return ok, err
end

-- A key that was given is its giver's: it is in no log.
local function announce(options, place, new_key)
  local url = address.url(options, place)
  local variables = address.variables(options, place)
    .. (new_key and "E2B_API_KEY=" .. new_key .. "\n" or "")
  local page = url .. "/" .. (new_key and "#key=" .. new_key or "") -- which no browser sends
  command.write("listening on ", url, "\n")
  if terminal.open(io.stdout, 1).is_terminal then
    command.write("\nFor programs that use E2B's SDKs:\n\n", (variables:gsub("([^\n]+)",
      "  export %1")), "\nFor a browser:\n\n  ", page,
      "\n\nCtrl-C ends it, with all sandboxes.\n")
  else
    command.write(variables, "page at ", page, "\n")
  end
  command.flush()
end

local function count_connections(self)
  local count = 0
  for _, made in ipairs(self.servers) do
    count = count + made:connections()
  end
  return count
end

local function new(options, keys, made_with)
  local files = core.program_raise_files()
  local self = { options = options, servers = {}, tidied = 0,
    connections = math.max(math.min(CONNECTIONS, math.floor(files / SHARE)), 16) }
  self.gateway = gateway.new({ keys = keys, network = options.network,
    limits = made_with.limits, images = made_with.images, audit = made_with.audit,
    lifetime = options["max-timeout"], quota = settings.quota(options),
    names = { options.domain }, problem = complain,
    volumes = options.volumes, is_secure = options["tls-cert"] ~= nil,
    log = options.log and function(line) io.stderr:write(line) end or nil })
  self.gateway.connections = function() return count_connections(self) end
  if options["max-upload"] then
    holding.set(options["max-upload"])
  end
  if options["max-sandboxes"] then
    codecell.setup({ max_sandboxes = math.max(options["max-sandboxes"], 1000) })
  end
  return self
end

local function open(self)
  local place, err = listen(self, tonumber(self.options.port or PORT))
  if not place then
    return nil, err
  end
  self.gateway.domain = address.domain(self.options, place)
  if self.options.debug then
    local ok
    ok, err = listen_debug(self)
    if not ok then
      return nil, err
    end
  end
  return place
end

-- Large bodies are garbage once they were answered, and an idle program collects none.
local function tidy(self)
  local size = collectgarbage("count")
  if self.gateway.busy == 0 and size > self.tidied + GARBAGE then
    collectgarbage()
    self.tidied = collectgarbage("count")
  end
end

-- Nobody new; who is being answered has a while; then all is over. The second signal ends the
-- program by itself.
local function drain(self, signal)
  local grace = self.options.grace or GRACE
  if self.gateway.busy > 0 and not self.options.log then
    complain(("%s: waiting up to %g s for %d requests; again: at once"):format(signal, grace,
      self.gateway.busy))
  end
  for _, made in ipairs(self.servers) do
    made:stop_listening()
  end
  self.gateway:drain(grace)
  self.gateway:close(FAREWELL)
  for _ = 1, LAST_ROUNDS do
    codecell.step(0.01)
  end
  for _, made in ipairs(self.servers) do
    made:close()
  end
end

-- What all its sandboxes are made with; or nil and what is wrong with the options.
local function read_common(options)
  local limits, images, audit, problem
  limits, problem = settings.limits(options)
  if not problem then
    images, problem = settings.images(options)
  end
  if not problem then
    audit, problem = settings.audit(options)
  end
  return not problem and { limits = limits, images = images, audit = audit } or nil, problem
end

--- A gateway for whoever may use a socket of the file system: that is this user alone, who needs
--- no key.
---@param options table of the command
---@return codecell.Gateway? gateway
---@return string? problem with the options
function serve.without_port(options)
  local made_with, problem = read_common(options)
  if not made_with then
    return nil, problem
  end
  local self = new(options, nil, made_with)
  self.gateway.domain = address.domain(options, { port = PORT })
  return self.gateway
end

--- Serve until the program is ended.
---@param options table of the command
---@param fail fun(err: codecell.Error): integer
---@return integer? status
---@return string? problem with the options
function serve.run(options, fail)
  local keys, new_key, made_with, place, stop, err
  local problem = settings.problem(options)
  if not problem then
    keys, new_key = settings.keys(options)
    problem = not keys and new_key or nil
  end
  if not problem then
    made_with, problem = read_common(options)
  end
  if problem then
    return nil, problem
  end
  if options.volumes then
    local ok
    ok, err = volumes.check(options.volumes)
    if not ok then
      err.message = "--volumes: " .. err.message
      return fail(err)
    end
  end
  stop, err = core.program_stop(codecell.reactor())
  local self = stop and new(options, keys, made_with)
  if self then
    launch.warn("serve")
    place, err = open(self)
  end
  if not place then
    return fail(err)
  end
  announce(options, place, new_key)
  local due = 0
  while not stop:try_read() do
    codecell.step(SWEEP)
    if reactor.now() >= due then
      self.gateway:living()
      tidy(self)
      due = reactor.now() + SWEEP
    end
  end
  drain(self, stop:try_read())
  return command.status.success
end

return serve
