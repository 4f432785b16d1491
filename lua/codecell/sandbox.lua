--- codecell.Sandbox: the verbs of every sandbox, whatever is behind it.
local commands = require "codecell.commands"
local core = require "codecell.core"
local errors = require "codecell.errors"
local files = require "codecell.files"
local languages = require "codecell.languages"
local network = require "codecell.network"
local options = require "codecell.options"
local pause = require "codecell.pause"
local pty = require "codecell.pty"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local TIMEOUT = 300
local END = 2 -- seconds that the end of all its processes may take
local POLL = 0.02 -- seconds between two knocks at a port

local sandbox = {}

local Sandbox = core.Sandbox
Sandbox._release = Sandbox._release or Sandbox.close -- of C

-- All that this Lua state made and that have not been collected.
local living = setmetatable({}, { __mode = "v" })

--- Add the Lua side to what a backend has made.
---@param self codecell.Sandbox
---@param backend codecell.Backend
---@param given table checked options of create
function sandbox.equip(self, backend, given)
  self.id, self.backend = given.id, backend.name
  self._backend = backend
  self._owner = self -- what connect gives shares all this, and may be closed before
  self._cwd, self._user = given.cwd, given.user
  self._root = given.root -- the folder with its programs; nil: they are this machine's
  self._holds = given.limits.disk + (given.home_size or 0) -- bytes that it can have at most
  self._contexts = { kernels = {}, defaults = {} }
  self._processes, self._pause = {}, pause.new()
  self.files, self.commands, self.pty = files.new(self), commands.new(self), pty.new(self)
end

--- Let it begin as what its user asked for, known to this Lua state.
---@param self codecell.Sandbox equipped
---@param given table checked options of create
---@return codecell.Sandbox
function sandbox.enlist(self, given)
  self._about = { name = given.name, metadata = given.metadata, timeout = given.timeout,
    started_at = os.time(), network = given.network }
  self._started, self._given = reactor.now(), given
  living[given.id] = self
  return self
end

--- How many there may be at most of those that `sandbox.all` gives.
---@return integer
function sandbox.count()
  local count = 0
  for _ in pairs(living) do
    count = count + 1
  end
  return count
end

--- The sandboxes of this Lua state that are not over, oldest first.
---@return codecell.Sandbox[]
function sandbox.all()
  local list = {}
  for _, self in pairs(living) do
    if not self:_closed() and self._backend.state(self) == "running" then
      list[#list + 1] = self
    end
  end
  table.sort(list, function(one, other)
    return one._started < other._started or one._started == other._started and one.id < other.id
  end)
  return list
end

--- The one of that id.
---@param id string
---@return codecell.Sandbox?
function sandbox.find(id)
  local self = living[id]
  if self and not self:_closed() and self._backend.state(self) == "running" then
    return self
  end
end

local function check_open(self, verb)
  if self:_closed() then
    error(verb .. ": sandbox is closed", 3)
  end
end

-- ---- code ----

local CODE = {
  context = { type = "either", expected = "context or its id",
    rules = { table = { type = "table" }, string = { type = "name" } } },
  envs = { type = "envs" },
  language = { type = "name" },
  on_error = { type = "function" },
  on_result = { type = "function" },
  on_stderr = { type = "function" },
  on_stdout = { type = "function" },
  stdin = { type = "data" },
  timeout = { type = "number", above = 0, most = 86400 },
}

local START = { on_exit = { type = "function" } }
for name, rule in pairs(CODE) do
  START[name] = rule
end

-- The kernel and the job of a call, or nil, err.
local function prepare(self, verb, code, given)
  if given.language and given.context then
    error(verb .. ": give language or context, not both", 3)
  end
  local refusal = pause.refusal(self, verb)
  if refusal then
    return nil, refusal
  end
  local most = self._limits.code
  if #code > most then
    return nil, errors.new("invalid_argument",
      ("%s: the code has %d bytes, more than %d; raise limits.code"):format(verb, #code, most))
  end
  local chosen = given.context
  local err
  if not chosen then
    chosen, err = self._backend.contexts.default(self, given.language or "python")
    if not chosen then
      return nil, err
    end
  end
  local kernel
  kernel, err = self._backend.contexts.kernel(self, verb, chosen)
  if not kernel then
    return nil, err
  end
  return kernel, {
    code = code, stdin = given.stdin, envs = given.envs, timeout = given.timeout or TIMEOUT,
    on_stdout = given.on_stdout, on_stderr = given.on_stderr, on_result = given.on_result,
    on_error = given.on_error, on_exit = given.on_exit,
  }
end

--- Run code, and wait for its end. Variables persist from one run to the next of a context.
---@param code string
---@param given table? `language` ("python") or `context`, `envs`, `stdin` (string), `timeout`
---(300 s), `on_stdout on_stderr on_result on_error`
---@return codecell.Execution? execution what the code did, its own failures included
---@return codecell.Error? err the code was not run, or nobody can know: "invalid_argument",
---"not_found", "sandbox_gone", "cancelled", "timeout", "unsupported"
function Sandbox:run_code(code, given)
  check_open(self, "run_code")
  options.argument("run_code", "code", code, "data")
  given = options.check("run_code", given, CODE)
  local kernel, job = prepare(self, "run_code", code, given)
  if not kernel then
    return nil, job
  end
  job.call = wait.call
  return self._backend.execute(self, kernel, job)
end

--- Start code, and go on.
---@param code string
---@param given table? as of run_code, and `on_exit` (called with the Execution, or nil, err)
---@return codecell.Run? run
---@return codecell.Error? err
function Sandbox:start_code(code, given)
  check_open(self, "start_code")
  options.argument("start_code", "code", code, "data")
  given = options.check("start_code", given, START)
  local kernel, job = prepare(self, "start_code", code, given)
  if not kernel then
    return nil, job
  end
  return require("codecell.run").start(self, kernel, job)
end

local CONTEXT = { cwd = { type = "text" }, language = { type = "name" } }

--- A session with variables of its own.
---@param given {language: string?, cwd: string?}? defaults: "python", the sandbox's cwd
---@return codecell.Context? context
---@return codecell.Error? err kinds "invalid_argument": unknown language, "unsupported": not here
function Sandbox:create_code_context(given)
  check_open(self, "create_code_context")
  given = options.check("create_code_context", given, CONTEXT)
  return self._backend.contexts.create(self, given.language or "python", given.cwd or self._cwd)
end

--- All contexts, oldest first.
---@return codecell.Context[]
function Sandbox:list_code_contexts()
  check_open(self, "list_code_contexts")
  return self._backend.contexts.list(self)
end

--- Forget the variables of a context. It keeps its id; its next cell starts in the sandbox's cwd.
---@param wanted codecell.Context|string the context or its id
---@return true? done
---@return codecell.Error? err kind "not_found"
function Sandbox:restart_code_context(wanted)
  check_open(self, "restart_code_context")
  local kernel, err = self._backend.contexts.kernel(self, "restart_code_context", wanted)
  if not kernel then
    return nil, err
  end
  return self._backend.contexts.restart(self, kernel)
end

--- End a context. After the default one of a language, code in it needs a context.
---@param wanted codecell.Context|string the context or its id
---@return true? done
---@return codecell.Error? err kind "not_found"
function Sandbox:remove_code_context(wanted)
  check_open(self, "remove_code_context")
  local kernel, err = self._backend.contexts.kernel(self, "remove_code_context", wanted)
  if not kernel then
    return nil, err
  end
  return self._backend.contexts.remove(self, kernel)
end

-- ---- what it is ----

--- What is known of the sandbox.
---@return codecell.SandboxInfo? info each limit is {value, by}
---@return codecell.Error? err
function Sandbox:get_info()
  check_open(self, "get_info")
  local about, metadata = self._about, {}
  for name, value in pairs(about.metadata) do
    metadata[name] = value
  end
  local limits = {}
  for name, limit in pairs(self._backend.limits(self)) do
    limits[name] = limit
  end
  return {
    id = self.id, backend = self.backend, template = self._given.template, name = about.name,
    metadata = metadata,
    state = pause.is_paused(self) and "paused" or self._backend.state(self),
    started_at = about.started_at,
    end_at = about.started_at + about.timeout, timeout = about.timeout, limits = limits,
    isolation = self._backend.isolation, network = network.copy(about.network),
    languages = languages.available(self._root),
  }
end

--- What it uses now.
---@return table? metrics `cpu_used_pct cpu_count memory_used memory_peak memory_total disk_used
---disk_total processes processes_peak`; cpu_used_pct since the last call; and where there is a
---network `network`: `{sent, received, connections, refused, open}`, bytes and counts
---@return codecell.Error? err
function Sandbox:get_metrics()
  check_open(self, "get_metrics")
  local answer, err = self._backend.ask(self, "get_metrics", "metrics")
  if not answer then
    return nil, err
  end
  local now = reactor.now()
  local last = self._metrics or { at = self._started, cpu_seconds = 0 }
  self._metrics = { at = now, cpu_seconds = answer.cpu_seconds }
  local passed = math.max(now - last.at, 0.001)
  return {
    cpu_used_pct = math.max(answer.cpu_seconds - last.cpu_seconds, 0) / passed * 100,
    cpu_count = self._limits.cpu or core.cpu_count(),
    memory_used = answer.memory, memory_peak = answer.memory_peak,
    memory_total = self._limits.memory, disk_used = answer.disk_used,
    disk_total = answer.disk_total, processes = answer.processes,
    processes_peak = answer.processes_peak,
    network = self._backend.traffic(self),
  }
end

local LIFETIME = { above = 0, most = 86400 }

--- Let it end so many seconds from now.
---@param seconds number more than 0, at most 86 400
---@return true? done
---@return codecell.Error? err
function Sandbox:set_timeout(seconds)
  check_open(self, "set_timeout")
  options.argument("set_timeout", "seconds", seconds, "number", LIFETIME)
  local ok, err = self._backend.set_timeout(self, seconds)
  if not ok then
    return nil, err
  end
  local about = self._about
  about.timeout = os.time() - about.started_at + seconds
  return true
end

--- Set environment variables for what starts later.
---@param envs table<string, string>
---@return true
function Sandbox:set_envs(envs)
  check_open(self, "set_envs")
  options.argument("set_envs", "envs", envs, "envs")
  self._environment:add(envs)
  return true
end

local function lives(self)
  return not self:_closed() and self._backend.state(self) == "running"
end

--- Whether it lives, and is not paused. A closed one does not.
---@return boolean
function Sandbox:is_running()
  return lives(self) and not pause.is_paused(self)
end

local PORT = { type = "integer", least = 1, most = 65535 }

--- Where a server inside is reached from this machine: "127.0.0.1:41234". Connections go through as
--- bytes do, HTTP upgrades included, while the reactor is stepped: by any verb that waits, by
--- `codecell.step`, or by an attached host.
---@param port integer inside, 1 to 65535
---@return string? host address and port, the same each time, until the sandbox ends
---@return codecell.Error? err kinds "limit_exceeded", "sandbox_gone", "system"
function Sandbox:get_host(port)
  check_open(self, "get_host")
  options.argument("get_host", "port", port, "integer", PORT)
  return self._backend.host(self, port)
end

--- Let it reach other things from now on. Connections that are no longer allowed are cut.
---@param given string|table as `network` of create; "none" cuts everything
---@return true? done
---@return codecell.Error? err kind "unsupported": the sandbox was created without a network, or what
---is wanted can only be had at create ("open", an address, a port below 1024, one that code inside
---has taken); then nothing has changed
function Sandbox:update_network(given)
  check_open(self, "update_network")
  if given == nil then
    error("update_network: network expected", 2)
  end
  options.check("update_network", { network = given }, { network = network.rule })
  local ok, err = self._backend.update_network(self,
    network.policy("update_network", given, 2))
  if not ok then
    return nil, err
  end
  self._about.network = network.copy(given)
  return true
end

--- Wait until something listens on a port inside.
---@param port integer
---@param timeout number? seconds; default 60
---@return true? listening
---@return codecell.Error? err kind "timeout"
function Sandbox:wait_port(port, timeout)
  check_open(self, "wait_port")
  options.argument("wait_port", "port", port, "integer", PORT)
  options.timeout("wait_port", timeout, 3)
  timeout = timeout or 60
  local deadline = wait.deadline(timeout)
  while true do
    local connection, err = self._backend.ask(self, "wait_port", "dial", port)
    if connection then
      connection:close()
      return true
    elseif err.errno ~= 111 then -- anything but a refused connection
      return nil, err
    end
    local again = wait.earlier(deadline, reactor.now() + POLL)
    local open = reactor.now() < deadline
    while wait.key(nil, again) do
      open = true
    end
    if not open or reactor.now() >= deadline then
      return nil, wait.failure("wait_port", timeout)
    end
  end
end

-- ---- standing still, and copies ----

--- Let all its code stand still, where it is, until `resume`. What a cell or a command may take
--- does not pass meanwhile; the sandbox itself ends at its time, which `set_timeout` puts off.
--- Files can be read and written; nothing can be started. Code that is interrupted or cancelled
--- meanwhile is ended.
---@return true? paused
---@return codecell.Error? err kind "sandbox_gone"
function Sandbox:pause()
  check_open(self, "pause")
  return pause.pause(self)
end

--- Let its code go on.
---@return true? running
---@return codecell.Error? err kind "sandbox_gone": its time was up meanwhile
function Sandbox:resume()
  check_open(self, "resume")
  return pause.resume(self)
end

--- Another sandbox like this one, with a copy of the files below /home/user and /tmp, and with
--- fresh kernels. The code of this one stands still meanwhile.
---@param given table? options of create that are to be different: `timeout name metadata envs warm
---languages limits`
---@return codecell.Sandbox? copy
---@return codecell.Error? err kinds of create, "no_space", "permission_denied" (what its code may
---not read itself), "sandbox_gone"
function Sandbox:fork(given)
  check_open(self, "fork")
  return require("codecell.duplicate").fork(self, given)
end

--- Keep the files below /home/user, to begin other sandboxes with: `create{template = id}` has
--- them, and the programs, variables and cwd of this one's template. Variables of contexts, /tmp
--- and what create was given as `envs` are not kept. The code stands still meanwhile.
---@param given {name: string?}? name: for people
---@return codecell.Snapshot? snapshot `id` and what is known of it
---@return codecell.Error? err kinds "permission_denied" (what its code may not read, or the folder
---of templates), "no_space", "sandbox_gone"
function Sandbox:create_snapshot(given)
  check_open(self, "create_snapshot")
  return require("codecell.snapshot").take(self, given)
end

-- ---- the end ----

--- End it and all that runs in it, whoever owns it.
---@return boolean killed false if it was gone
function Sandbox:kill()
  if not lives(self) then
    return false
  end
  self._killed = true
  self:_kill()
  reactor.wake(self:_token())
  local deadline = wait.deadline(END)
  while self._backend.state(self) ~= "gone" and wait.wait(self, deadline) do
    self._killed = true
  end
  return true
end

--- End it if this object created it, else let go. Idempotent, never raises; verbs that wait on it
--- return nil and an error of kind "cancelled".
function Sandbox:close()
  local token = self:_token()
  self:_release()
  if token then
    reactor.wake(token)
  end
end

-- ---- what this backend does not do ----

--- Whether it can do something.
---@param feature string run_code commands pty files watch urls host network network_update pause
---snapshot fork mounts changes expose install templates warm root gpu git metrics
---@return boolean
function Sandbox:supports(feature)
  options.argument("supports", "feature", feature, "choice", { choices = sandbox.features })
  return self._backend.features[feature] == true
end

sandbox.features = {
  "run_code", "commands", "pty", "files", "watch", "urls", "host", "network", "network_update",
  "pause", "snapshot", "fork", "mounts", "changes", "expose", "install", "templates", "warm",
  "root", "gpu", "git", "metrics",
}

local LATER = {
  apply = "download the files that you want with files:download",
  changes = "compare what files:list says",
  detach = "a local sandbox ends with its program; keep the object",
  download_url = "serve files with 'codecell serve', or use files:download",
  export = "keep the executions that run_code returns",
  expose = "pass data with stdin or files:write",
  history = "keep the executions that run_code returns",
  install = "name an interpreter that has the packages in codecell.setup{languages =}",
  upload_url = "serve files with 'codecell serve', or use files:upload",
}

for verb, hint in pairs(LATER) do
  Sandbox[verb] = Sandbox[verb] or function(self)
    check_open(self, verb)
    return nil, errors.unsupported(verb, self.backend, hint)
  end
end

return sandbox
