--- codecell.Sandbox: the verbs of every sandbox, whatever is behind it.
local commands = require "codecell.commands"
local core = require "codecell.core"
local errors = require "codecell.errors"
local files = require "codecell.files"
local git = require "codecell.git"
local languages = require "codecell.languages"
local living = require "codecell.sandbox.living"
local mounts = require "codecell.project.mounts"
local network = require "codecell.network"
local history = require "codecell.sandbox.history"
local options = require "codecell.options"
local pause = require "codecell.sandbox.pause"
local pty = require "codecell.pty"
local reactor = require "codecell.reactor"
local receiver = require "codecell.receiver"
local seen = require "codecell.sandbox.seen"
local wait = require "codecell.wait"

require "codecell.sandbox.keeping" -- more verbs
require "codecell.sandbox.reaching"

local TIMEOUT = 300
local END = 2 -- seconds that the end of all its processes may take

local sandbox = {}

local Sandbox = core.Sandbox
Sandbox._release = Sandbox._release or Sandbox.close -- of C

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
  self.git = git.new(self)
end

--- Let it begin as what its user asked for: itself, or nil, err.
---@param self codecell.Sandbox equipped
---@param given table checked options of create
function sandbox.begin(self, given)
  self._about = { name = given.name, metadata = given.metadata, timeout = given.timeout,
    lifetime = given.timeout, started_at = os.time(), network = given.network }
  self._started, self._given = reactor.now(), given
  return pause.begin(self, given)
end

--- The same, and known to this Lua state.
---@param self codecell.Sandbox equipped
---@param given table checked options of create
---@return codecell.Sandbox? self
---@return codecell.Error? err it has ended already
function sandbox.enlist(self, given)
  living.add(self)
  return sandbox.begin(self, given)
end

local check_open = receiver.sandbox

-- ---- code ----

local CODE = {
  context = { type = "context" },
  envs = { type = "envs" },
  final_answer = { type = "boolean" },
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
CODE.packages = { type = "strings" }

--- Whether code of a language can give a final answer, on a wire of its own.
---@param self codecell.Sandbox
---@param language string canonical name
---@return boolean
function sandbox.takes_answers(self, language)
  local found = languages.find(language)
  return self._backend.features.final_answer == true and found ~= nil
    and found.final_answer == true
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
  elseif given.final_answer and not sandbox.takes_answers(self, kernel.context.language) then
    return nil, errors.unsupported(("%s: final_answer in %s"):format(verb,
      kernel.context.language), self.backend, "leave it out")
  end
  return kernel, {
    code = code, stdin = given.stdin, envs = given.envs, timeout = given.timeout or TIMEOUT,
    on_stdout = given.on_stdout, on_stderr = given.on_stderr, on_result = given.on_result,
    on_error = given.on_error, on_exit = given.on_exit, final_answer = given.final_answer,
  }
end

--- Run code, and wait for its end. Variables persist from one run to the next of a context.
---@param code string
---@param given table? `language` ("python") or `context`, `envs`, `stdin` (string), `timeout`
---(300 s), `packages` (names that are installed before, as by `install`), `final_answer` (true: the
---code has a function `final_answer(value)`, whose last value is `execution.final`), `on_stdout
---on_stderr on_result on_error`
---@return codecell.Execution? execution what the code did, its own failures included
---@return codecell.Error? err the code was not run, or nobody can know: "invalid_argument",
---"not_found", "sandbox_gone", "cancelled", "timeout", "unsupported", and those of `install`
function Sandbox:run_code(code, given)
  check_open(self, "run_code")
  options.argument("run_code", "code", code, "data")
  given = options.check("run_code", given, CODE)
  local kernel, job = prepare(self, "run_code", code, given)
  if not kernel then
    return nil, job
  end
  local installed, err
  if given.packages and #given.packages > 0 then
    installed, err = self:install(given.packages, { language = kernel.context.language })
    if not installed then
      return nil, err
    end
  end
  job.call, job.is_awaited = wait.call, true
  local execution
  execution, err = history.execute(self, kernel, job)
  if execution and installed then
    execution.timings.install, execution.packages = installed.seconds, installed.packages
  end
  return execution, err
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

--- The executions so far, oldest first: the last thousand, and no more than 8 MiB of them.
---@return codecell.PastRun[] runs `at code language context execution`
function Sandbox:history()
  check_open(self, "history")
  return (history.list(self))
end

--- The executions so far as one document: a notebook of Jupyter, Markdown that `codecell doctest`
--- checks, a Python script, or a Lua program that runs them again. Secrets are masked, in the code
--- too.
---@param format "ipynb"|"md"|"py"|"lua" "markdown" and "python" are taken too
---@param given codecell.ExportOptions?
---@return string? text
---@return codecell.Error? err kind "not_found": no such context
function Sandbox:export(format, given)
  check_open(self, "export")
  return require("codecell.export").of_sandbox(self, format, given)
end

--- Install packages: into this sandbox alone, whatever its network is. They can be imported at
--- once, also by contexts that live. What this machine installed once is not downloaded again.
---@param list string|string[] names with versions or without, as the installer takes them
---("pandas", "requests[socks]==2.31.0", "left-pad@1.3.0"), or paths of wheels and tarballs
---@param given table? `language` ("python"; "javascript", "typescript"), `requirements` (path of a
---requirements.txt of this machine), `envs` (for the installer; PIP_INDEX_URL, npm_config_registry
---and NPM_TOKEN stay outside), `timeout` (600 s), `fresh` (false; true: though it is kept)
---@return codecell.Installation? result
---@return codecell.Error? err with `packages` (what became of each) and `log` where there are:
---kinds "denied_by_policy", "not_found", "invalid_argument", "timeout", "no_space", "unavailable",
---"unsupported", "cancelled", "sandbox_gone", "system"
function Sandbox:install(list, given)
  check_open(self, "install")
  return seen.verb(self, "install", function()
    return { packages = self._witness.packages(list),
      language = type(given) == "table" and given.language or nil }
  end, require("codecell.packages").install, self, list, given)
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
  options.argument("restart_code_context", "context", wanted, "context")
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
  options.argument("remove_code_context", "context", wanted, "context")
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
    isolation = self._backend.isolation, network = network.shown(about.network),
    languages = languages.available(self._root), mounts = mounts.list(self),
    exposed = self._exposed and require("codecell.expose").list(self) or {},
  }
end

--- What it uses now.
---@return table? metrics `cpu_used_pct cpu_count memory_used memory_peak memory_total disk_used
---disk_total processes processes_peak`; cpu_used_pct since the last call; and where there is a
---network `network`: `{sent, received, connections, refused, open}`, bytes and counts
---@return codecell.Error? err
function Sandbox:get_metrics()
  check_open(self, "get_metrics")
  return require("codecell.sandbox.metrics").get(self)
end

local LIFETIME = { above = 0, most = 86400 }

--- Let it end so many seconds from now.
---@param seconds number more than 0, at most 86 400
---@return true? done
---@return codecell.Error? err
function Sandbox:set_timeout(seconds)
  check_open(self, "set_timeout")
  options.argument("set_timeout", "seconds", seconds, "number", LIFETIME)
  local ok, err = true, nil
  if self._may_live then -- whoever pays for it
    ok, err = self._may_live(seconds)
  end
  if ok then
    ok, err = self._backend.set_timeout(self, seconds)
  end
  if not ok then
    return nil, err
  end
  local about = self._about
  about.timeout, about.lifetime = os.time() - about.started_at + seconds, seconds
  return true
end

--- Set environment variables for what starts later.
---@param envs table<string, string>
---@return true? done
---@return codecell.Error? err where there is an audit, which could not be written
function Sandbox:set_envs(envs)
  check_open(self, "set_envs")
  options.argument("set_envs", "envs", envs, "envs")
  return seen.verb(self, "envs", function()
    return { envs = self._witness.names(envs) }
  end, function()
    self._environment:add(envs)
    return true
  end)
end

local function lives(self)
  return not self:_closed() and self._backend.state(self) == "running"
end

--- Whether it lives, and is not paused. A closed one does not.
---@return boolean
function Sandbox:is_running()
  receiver.check(self, "is_running", "sandbox", "_closed")
  return lives(self) and not pause.is_paused(self)
end

--- Let it reach other things from now on. Connections that are no longer allowed are cut. Rules
--- stay where their names are still allowed, unless `rules` are given: `{}` takes all away.
---@param given string|table as `network` of create; "none" cuts everything
---@return true? done
---@return codecell.Error? err kind "unsupported": the sandbox was created without a network, or
---what is wanted can only be had at create ("open", an address, a port below 1024, one that code
---inside has taken); then nothing has changed
function Sandbox:update_network(given)
  check_open(self, "update_network")
  if given == nil then
    error("update_network: network expected", 2)
  end
  options.check("update_network", { network = given }, { network = network.rule })
  local policy, rules = network.policy("update_network", given, 2, self._rules)
  local ok, err = network.prepare(rules)
  if ok then
    ok, err = seen.verb(self, "network", function()
      return { network = network.shown(given) }
    end, self._backend.update_network, self, policy)
  end
  if not ok then
    return nil, err
  end
  network.set_rules(self, policy, rules)
  self._about.network = network.updated(given, self._about.network, rules)
  self._given.network = self._about.network -- of a fork too
  return true
end

-- ---- the end ----

--- End it and all that runs in it, whoever owns it.
---@return boolean killed false if it was gone
function Sandbox:kill()
  receiver.check(self, "kill", "sandbox", "_closed")
  if not lives(self) then
    return false
  end
  self._killed = true
  if self._witness then
    self._witness.ends(self, "kill")
  end
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
  receiver.check(self, "close", "sandbox", "_closed")
  local token = self:_token()
  if token and self._witness and self._owner == self then
    self._witness.ends(self, "close")
  end
  self:_release()
  if self._owner == self then
    mounts.close(self._mounts)
    if self._exposed then
      self._exposed.server:close()
    end
    local lock = self._given and self._given.template_lock
    if lock then
      lock:close()
    end
  end
  if token then
    reactor.wake(token)
  end
end

-- ---- what this backend does not do ----

--- Whether it can do something.
---@param feature string run_code commands pty files watch urls host network network_update pause
---final_answer snapshot fork mounts changes expose install templates warm root gpu git metrics
---@return boolean
function Sandbox:supports(feature)
  options.argument("supports", "feature", feature, "choice", { choices = sandbox.features })
  return self._backend.features[feature] == true
end

sandbox.features = {
  "run_code", "final_answer", "commands", "pty", "files", "watch", "urls", "host", "network",
  "network_update", "pause", "snapshot", "fork", "mounts", "changes", "expose", "install",
  "templates", "warm", "root", "gpu", "git", "metrics",
}

-- What it is itself: a policy gives its users a table in front of it, whose methods it calls. For
-- parts of the library that do nothing that a policy is asked for.
function Sandbox:_itself()
  return self
end

local LATER = {
  detach = "a local sandbox ends with its program; keep the object",
  download_url = "serve files with 'codecell serve', or use files:download",
  upload_url = "serve files with 'codecell serve', or use files:upload",
}

for verb, hint in pairs(LATER) do
  Sandbox[verb] = Sandbox[verb] or function(self)
    check_open(self, verb)
    return nil, errors.unsupported(verb, self.backend, hint)
  end
end

return sandbox
