--- A sandbox of E2B: the verbs of every sandbox over what the cloud answers.
---
--- It is a table, and not an object of C: nothing of it is on this machine. What it created is
--- ended when it is closed or collected; what it only reached is not.
local commands = require "codecell.e2b.commands"
local control = require "codecell.e2b.control"
local core = require "codecell.core"
local ends = require "codecell.e2b.ends"
local environment = require "codecell.environment"
local errors = require "codecell.errors"
local files = require "codecell.files"
local git = require "codecell.git"
local mcp = require "codecell.e2b.mcp"
local network = require "codecell.network"
local options = require "codecell.options"
local pause = require "codecell.sandbox.pause"
local plane = require "codecell.e2b.plane"
local policy = require "codecell.e2b.network"
local pty = require "codecell.pty"
local reactor = require "codecell.reactor"
local receiver = require "codecell.receiver"
local shape = require "codecell.e2b.shape"
local signature = require "codecell.e2b.signature"
local transport = require "codecell.e2b.transport"
local verbs = require "codecell.verbs"
local wait = require "codecell.wait"

local object = {}

local MIB = 1048576
local CODE_MOST, OUTPUT_MOST = 8 * MIB, 8 * MIB
local READ_MOST = 1024 * MIB -- bytes of a file that one call reads into a string
local COPY_MOST = 1024 * 1024 * MIB -- bytes that leave the sandbox by one download
local POLL = 0.25 -- seconds between two knocks at a port

local Sandbox = {}
Sandbox.__index = verbs.of(core.Sandbox, Sandbox)
Sandbox.__tostring = function(self)
  return ("codecell.Sandbox: %s (e2b)"):format(self.id)
end

function Sandbox:_itself()
  return self
end

local check_open = receiver.sandbox

-- The request that ends it, for whoever cannot wait.
local function end_of(there)
  if there.is_killed or there.settings.debug then
    return nil
  end
  return control.request(there.settings, "close", "DELETE", control.path(there.id))
end

--- The object of a sandbox.
---@param backend codecell.Backend
---@param settings codecell.E2bSettings
---@param record codecell.E2bRecord
---@param given table options of create or connect
---@param owns boolean whether closing it ends the sandbox
---@return codecell.Sandbox
function object.new(backend, settings, record, given, owns)
  local there = plane.new(settings, record, given.timeout)
  there.default_user = given.user
  local limits = given.limits or {}
  local self = setmetatable({
    id = record.id, backend = backend.name, _backend = backend, _plane = there, _given = given,
    _cwd = given.cwd, _user = given.user, _has_users = true, _shell = "/bin/bash",
    _holds = COPY_MOST, _reads = READ_MOST, _processes = {},
    _contexts = { kernels = {}, defaults = {} },
    _limits = { code = limits.code or CODE_MOST, output = limits.output or OUTPUT_MOST,
      disk = READ_MOST },
    _environment = environment.empty(), _pause = pause.new(), _started = reactor.now(),
    _about = { name = given.name, started_at = os.time(), timeout = given.timeout or 0 },
  }, Sandbox)
  self._owner = self
  self.files, self.commands, self.pty = files.new(self), commands.new(self), pty.new(self)
  self.git = git.new(self)
  if owns then
    self._end = ends.watch(function() return end_of(there) end)
  end
  return self
end

-- ---- what the library asks ----

function Sandbox:_closed()
  return self._is_closed == true
end

function Sandbox:_token()
  return self._plane
end

function Sandbox:_answer(asked) -- luacheck: no self
  if not asked.is_done then
    return false
  end
  return asked.value, asked.err
end

function Sandbox:_forget() -- luacheck: no self
end

function Sandbox:_release()
  if self._is_closed then
    return
  end
  self._is_closed = true
  if self._end then
    self._end:fire()
  end
  self._plane:let_go()
end

Sandbox.__close = function(self)
  self:close()
end

-- ---- what it is ----

--- What the cloud says of it.
---@return codecell.SandboxInfo? info
---@return codecell.Error? err kinds "sandbox_gone", "not_found", "unavailable"
function Sandbox:get_info()
  check_open(self, "get_info")
  local there = self._plane
  local found, err = control.get(there.settings, "get_info", self.id)
  if not found then
    return nil, there:without("get_info", err)
  end
  local info = control.info(found)
  info.name = self._about.name
  return info
end

-- By our names what the control plane calls cpuUsedPct, and envd cpu_used_pct.
local METRICS = {
  cpu_used_pct = { "cpuUsedPct", "cpu_used_pct" }, cpu_count = { "cpuCount", "cpu_count" },
  memory_used = { "memUsed", "mem_used" }, memory_total = { "memTotal", "mem_total" },
  disk_used = { "diskUsed", "disk_used" }, disk_total = { "diskTotal", "disk_total" },
}

local function read_metrics(found)
  local metrics = { time = shape.time(found.timestamp) or shape.number(found.ts) }
  for name, names in pairs(METRICS) do
    metrics[name] = shape.number(found[names[1]] or found[names[2]]) or 0
  end
  return metrics
end

local function read_history(list)
  for i, one in ipairs(list) do
    list[i] = read_metrics(one)
  end
  return list
end

local MEASURES = "0.1.5" -- of envd
local RANGE = { from = { type = "number", least = 0 }, to = { type = "number", least = 0 } }

--- What it uses now, or what it has used.
---@param given {from: number?, to: number?}? seconds since 1970: a list, oldest first, of that time
---@return table? metrics `cpu_used_pct` (of all cores), `cpu_count memory_used memory_total
---disk_used disk_total time`
---@return codecell.Error? err
function Sandbox:get_metrics(given)
  check_open(self, "get_metrics")
  local is_history = given ~= nil
  given = options.check("get_metrics", given, RANGE)
  local there = self._plane
  if not there:has(MEASURES) then
    return nil, errors.unsupported("get_metrics", "e2b",
      "build the template again: its envd is older than " .. MEASURES)
  end
  local list, err = {}, nil
  if not there.settings.debug then
    list, err = control.metrics(there.settings, "get_metrics", self.id, given.from, given.to)
  end
  if list and is_history then
    return read_history(list)
  end
  local found = list and list[#list]
  if list and not found then -- none in the first seconds: envd knows
    found, err = there:json("get_metrics", plane.ENVD,
      { method = "GET", path = "/metrics", is_safe = true })
    found = found and (shape.table(found) or {})
  end
  if not found then
    return nil, there:without("get_metrics", err)
  end
  return read_metrics(found)
end

--- What visitors of its ports send as the header `e2b-traffic-access-token`, if it was made with
--- `public_traffic = false`. It is a secret.
---@return string? token nil: everybody may visit them
function Sandbox:get_traffic_token()
  check_open(self, "get_traffic_token")
  return self._plane.record.traffic()
end

--- Where its gateway of MCP servers is, if it was made with `mcp`.
---@return string url
function Sandbox:get_mcp_url()
  check_open(self, "get_mcp_url")
  return ("https://%s/mcp"):format(self:get_host(mcp.PORT))
end

--- What clients of its MCP gateway send as `Authorization: Bearer`. It is a secret.
---@return string? token
---@return codecell.Error? err kind "not_found": it has no such gateway
function Sandbox:get_mcp_token()
  check_open(self, "get_mcp_token")
  return mcp.token(self)
end

--- Whether it lives and answers.
---@return boolean? running
---@return codecell.Error? err what kept it from being known
function Sandbox:is_running()
  if self:_closed() or self._plane.is_killed or pause.is_paused(self) then
    return false
  end
  return self._plane:is_healthy("is_running")
end

local PORT = { type = "integer", least = 1, most = 65535 }

local function knock(self, port)
  local there = self._plane
  local response, err = transport.open(there:request("wait_port", port,
    { method = "GET", path = "/", is_safe = true, timeout = there.settings.request_timeout }))
  if response then
    response:close()
    return true
  end
  return (err.status or 502) ~= 502 and err.kind ~= "rate_limited", err
end

--- Wait until a web server listens on a port inside.
---@param port integer
---@param timeout number? seconds; default 60
---@return true? listening
---@return codecell.Error? err kinds "timeout", "sandbox_gone"
function Sandbox:wait_port(port, timeout)
  check_open(self, "wait_port")
  options.argument("wait_port", "port", port, "integer", PORT)
  options.timeout("wait_port", timeout, 3)
  local deadline = wait.deadline(timeout or 60)
  while true do
    local listens, err = knock(self, port)
    if listens then
      return true
    elseif err.errno ~= core.errno.ECONNREFUSED then
      err = self._plane:explain(err, "wait_port", port)
      if err.kind ~= "unavailable" then
        return nil, err
      end
    end
    local again = math.min(deadline, reactor.now() + POLL)
    while wait.key({}, again) do end -- luacheck: ignore
    if reactor.now() >= deadline or wait.refusal("wait_port") then
      return nil, wait.failure("wait_port", timeout or 60)
    end
  end
end

local URL = {
  expiration = { type = "number", above = 0, most = 315360000 },
  user = { type = "name" },
}

--- A URL that a file can be downloaded by, without any key.
---@param path string
---@param given {expiration: number?, user: string?}? expiration: seconds; default: as long as the
---sandbox lives
---@return string? url
---@return codecell.Error? err
function Sandbox:download_url(path, given)
  check_open(self, "download_url")
  options.argument("download_url", "path", path, "text")
  given = options.check("download_url", given, URL)
  return signature.url(self._plane, "download_url", path, "read", given)
end

--- A URL that a file can be uploaded to, by POST of a form with the field `file`.
---@param path string
---@param given {expiration: number?, user: string?}? as of `download_url`
---@return string? url
---@return codecell.Error? err
function Sandbox:upload_url(path, given)
  check_open(self, "upload_url")
  options.argument("upload_url", "path", path, "text")
  given = options.check("upload_url", given, URL)
  return signature.url(self._plane, "upload_url", path, "write", given)
end

--- Let it reach other things from now on.
---@param given string|table as `network` of create
---@return true? done
---@return codecell.Error? err kind "unsupported": what E2B cannot express
function Sandbox:update_network(given)
  check_open(self, "update_network")
  if given == nil then
    error("update_network: network expected", 2)
  end
  options.check("update_network", { network = given }, { network = network.rule })
  local body = {}
  local ok, err = policy.put("update_network", given, body, body)
  if ok then
    ok, err = control.update_network(self._plane.settings, "update_network", self.id, body,
      policy.private(given))
  end
  if not ok then
    return nil, self._plane:without("update_network", err)
  end
  return true
end

-- ---- standing still, and copies ----

local PAUSE = { keep_memory = { type = "boolean" } }

--- Store it away, until `resume` or `codecell.connect`: it keeps its files and, unless told
--- otherwise, its processes. Connections to it are cut.
---@param given {keep_memory: boolean?}? default true
---@return true? paused
---@return codecell.Error? err
function Sandbox:pause(given)
  check_open(self, "pause")
  given = options.check("pause", given, PAUSE)
  local there = self._plane
  local done, err = control.pause(there.settings, "pause", self.id, given.keep_memory ~= false)
  if done == nil then
    return nil, there:without("pause", err)
  end
  self._pause.since = reactor.now()
  there.ends_at = nil
  return true
end

--- Let it go on. Its time starts anew.
---@return true? running
---@return codecell.Error? err kind "sandbox_gone"
function Sandbox:resume()
  check_open(self, "resume")
  local there, timeout = self._plane, self._given.timeout or 300
  local record, err = control.connect(there.settings, "resume", self.id, timeout)
  if not record then
    return nil, there:without("resume", err)
  end
  there.record, there.ends_at, self._pause.since = record, reactor.now() + timeout, nil
  return true
end

local FORK = { timeout = { type = "number", above = 0, most = 86400 } }

--- A copy of it as it is now, its processes included.
---@param given {timeout: number?}? seconds that the copy lives; default as this one
---@return codecell.Sandbox? copy
---@return codecell.Error? err
function Sandbox:fork(given)
  check_open(self, "fork")
  given = options.check("fork", given, FORK)
  local there = self._plane
  local timeout = given.timeout or self._given.timeout or 300
  local record, err = control.fork(there.settings, "fork", self.id, timeout)
  if not record then
    return nil, there:without("fork", err)
  end
  local settings = { timeout = timeout, cwd = self._cwd, user = self._user, limits = self._limits }
  return object.new(self._backend, there.settings, record, settings, true)
end

local SNAPSHOT = { name = { type = "name" } }

--- Keep what it is now: `create{template = snapshot.id}` begins there.
---@param given {name: string?}?
---@return {id: string, names: string[]}? snapshot
---@return codecell.Error? err
function Sandbox:create_snapshot(given)
  check_open(self, "create_snapshot")
  given = options.check("create_snapshot", given, SNAPSHOT)
  local there = self._plane
  local found, err = control.snapshot(there.settings, "create_snapshot", self.id, given.name)
  if not found then
    return nil, there:without("create_snapshot", err)
  end
  return found
end

-- ---- the end ----

--- End it, whoever owns it.
---@return boolean? killed false if it was gone
---@return codecell.Error? err
function Sandbox:kill()
  local there = self._plane
  if self:_closed() or there.is_killed then
    return false
  elseif there.settings.debug then
    return true
  end
  local killed, err = control.kill(there.settings, "kill", self.id)
  if killed == nil then
    return nil, err
  end
  there.is_killed, self._killed = true, true
  if self._end then
    self._end:cancel()
  end
  return killed
end

--- Let go of it without ending it: from now on it ends at its time.
---@return true
function Sandbox:detach()
  check_open(self, "detach")
  if self._end then
    self._end:cancel()
    self._end = nil
  end
  return true
end

--- Install packages, by pip or npm inside: its network must reach them.
---@param list string|string[] as those programs take them
---@param given table? `language` ("python"; "javascript", "typescript"), `envs`, `timeout` (600 s)
---@return {packages: table[], log: string, seconds: number}? result
---@return codecell.Error? err with `log`
function Sandbox:install(list, given)
  check_open(self, "install")
  return require("codecell.e2b.install").install(self, list, given)
end

for _, verb in ipairs({ "apply", "changes", "expose" }) do
  Sandbox[verb] = function(self)
    check_open(self, verb)
    return nil, errors.unsupported(verb, "e2b", "do it by code or commands in the sandbox")
  end
end

return object
