--- The backend mock: answers that were scripted or recorded. Nothing is executed, and each says so.
local answers = require "codecell.mock.answers"
local cassette = require "codecell.cassette"
local commands = require "codecell.commands"
local context_verbs = require "codecell.context"
local core = require "codecell.core"
local environment = require "codecell.environment"
local errors = require "codecell.errors"
local files = require "codecell.files"
local git = require "codecell.git"
local mock_files = require "codecell.mock.files"
local pause = require "codecell.sandbox.pause"
local process = require "codecell.mock.process"
local pty = require "codecell.pty"
local reactor = require "codecell.reactor"
local receiver = require "codecell.receiver"
local secrets = require "codecell.secrets"
local turns = require "codecell.context.turns"
local verbs = require "codecell.verbs"

local MIB = 1048576

local backend = {
  name = "mock",
  isolation = "none",
  languages = function()
    return { "python", "javascript" }
  end,
  features = { commands = true, files = true, git = true, run_code = true },
  hints = {},
  watches = {},
}

-- ---- the object ----

local Sandbox = {}
Sandbox.__index = verbs.of(core.Sandbox, Sandbox)
Sandbox.__tostring = function(self)
  return ("codecell.Sandbox: %s (mock)"):format(self.id)
end

function Sandbox:_itself()
  return self
end

function Sandbox:_closed()
  return self._is_closed == true
end

function Sandbox:_token()
  return self._key
end

function Sandbox:_answer() -- luacheck: no self
  return nil, errors.new("not_found", "nothing runs on the mock backend")
end

function Sandbox:_forget() -- luacheck: no self
end

function Sandbox:_release()
  self._is_closed = true
end

Sandbox.__close = function(self)
  self:close()
end

local check_open = receiver.sandbox

--- What is known of it.
---@return codecell.SandboxInfo info with `mock`
function Sandbox:get_info()
  check_open(self, "get_info")
  local about = self._about
  return { id = self.id, backend = "mock", name = about.name, metadata = about.metadata,
    state = "running", started_at = about.started_at, end_at = about.started_at + about.timeout,
    timeout = about.timeout, isolation = "none", limits = {}, network = "none",
    languages = backend.languages(), mock = true }
end

--- Whether it was not closed or killed.
---@return boolean
function Sandbox:is_running()
  return not self:_closed() and not self._killed
end

--- There is nothing to end.
---@return boolean killed false if it was
function Sandbox:kill()
  local lived = self:is_running()
  self._killed = true
  return lived
end

for _, verb in ipairs({ "apply", "changes", "create_snapshot", "detach", "download_url", "expose",
  "fork", "get_host", "get_metrics", "install", "pause", "resume",
  "update_network", "upload_url", "wait_port" }) do
  Sandbox[verb] = function(self)
    check_open(self, verb)
    return nil, errors.unsupported(verb, "mock", "nothing runs there")
  end
end

--- Make one.
---@param options table checked options of create; `mock` says what it answers
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err of the cassette
function backend.make(options)
  local given = options.mock or {}
  local ok, err = reactor.get()
  local recording, mask
  if ok and given.cassette then
    recording, err = cassette.open(given.cassette)
    ok = recording
  end
  if ok and options.secrets and next(options.secrets) ~= nil then
    mask, err = secrets.mask(options.secrets)
    ok = mask
  end
  if not ok then
    return nil, err
  end
  local limits = options.limits or {}
  local self = setmetatable({
    id = "i" .. core.random_id(20), backend = "mock", _backend = backend, _given = options,
    _script = given.answers, _recording = recording, _mask = mask,
    _files = mock_files.new(given.files),
    _cwd = options.cwd or "/home/user", _user = options.user or "user", _shell = "/bin/bash",
    _holds = 1024 * MIB, _contexts = { kernels = {}, defaults = {}, order = {} },
    _processes = {}, _pause = pause.new(), _started = reactor.now(), _key = {},
    _limits = { code = limits.code or 8 * MIB, output = limits.output or 8 * MIB,
      disk = 1024 * MIB },
    _environment = environment.empty(),
    _about = { name = options.name, metadata = options.metadata or {}, started_at = os.time(),
      timeout = options.timeout or 300 },
  }, Sandbox)
  self._owner = self
  self.files, self.commands, self.pty = files.new(self), commands.new(self), pty.new(self)
  self.git = git.new(self)
  return self
end

-- ---- contexts ----

local Runner = {}
Runner.__index = Runner

local contexts = {}
backend.contexts = contexts

local function add(sandbox, language, cwd)
  local known = sandbox._contexts
  local context = { language = language, cwd = cwd,
    id = ("mock-%d"):format(#known.order + 1) }
  known.order[#known.order + 1] = context
  known.kernels[context.id] = setmetatable({ sandbox = sandbox, context = context, line = {},
    count = 0 }, Runner)
  return context
end

function contexts.default(sandbox, language)
  local defaults = sandbox._contexts.defaults
  defaults[language] = defaults[language] or add(sandbox, language, sandbox._cwd)
  return defaults[language]
end

contexts.create = add

contexts.kernel, contexts.list = context_verbs.kernel, context_verbs.list

function contexts.restart(_, runner)
  runner.count = 0
  return true
end

function contexts.remove(sandbox, runner)
  local known = sandbox._contexts
  runner.is_removed = true
  known.kernels[runner.context.id] = nil
  for i = #known.order, 1, -1 do
    if known.order[i] == runner.context then
      table.remove(known.order, i)
    end
  end
  return true
end

-- ---- code ----

local function tell(done, job)
  local function call(called, value)
    if called and not done.problem then
      local ok, problem = job.call(called, value)
      done.problem = not ok and { problem } or nil
    end
  end
  for _, text in ipairs(done.logs.stdout) do
    call(job.on_stdout, text)
  end
  for _, text in ipairs(done.logs.stderr) do
    call(job.on_stderr, text)
  end
  for _, result in ipairs(done.results) do
    call(job.on_result, result)
  end
  if done.error then
    call(job.on_error, done.error)
  end
  local problem = done.problem
  done.problem = nil
  return problem
end

local function answer(self, job)
  local recording = self.sandbox._recording
  if not recording then
    local script = answers.find(self.sandbox._script, "code", job.code)
    local done = answers.execution(self.context, script)
    self.count = self.count + 1
    done.execution_count = self.count
    return done
  end
  local recorded, err = recording:take("run_code", "execute", cassette.of_code(self, job),
    self.sandbox._mask)
  if err then
    return nil, err
  end
  return answers.recorded(self.context, recorded)
end

--- Answer for a cell.
---@param job table
---@return codecell.Execution? execution with `mock`
---@return codecell.Error? err
function Runner:execute(job)
  return turns.execute(self, job, function()
    local done, err = answer(self, job)
    if not done then
      return nil, err
    end
    done.mock = true
    return done, tell(done, job)
  end)
end

function Runner:signal() -- luacheck: no self
  return nil
end

function Runner:is_alive() -- luacheck: no self
  return true
end

-- ---- for the verbs ----

function backend.state(sandbox)
  return sandbox:is_running() and "running" or "gone"
end

local function refusal(sandbox, what)
  if sandbox:_closed() then
    return errors.new("cancelled", what .. ": the sandbox was closed")
  elseif sandbox._killed then
    return errors.new("sandbox_gone", what .. ": the sandbox was killed")
  end
end

function backend.execute(sandbox, runner, job)
  local err = refusal(sandbox, "run_code")
  if err then
    return nil, err
  end
  return runner:execute(job)
end

function backend.spawn(sandbox, options)
  local what = "start " .. options.argv[1]
  local err = refusal(sandbox, what)
  if err then
    return nil, err
  elseif options.kind == "terminal" then
    return nil, errors.unsupported("a terminal", "mock", "nothing runs there")
  end
  local given
  if sandbox._recording then
    given, err = sandbox._recording:take(what, "spawn", cassette.of_command(options.argv),
      sandbox._mask)
    if err then
      return nil, err
    end
  else
    local text = options.argv[2] == "-c" and options.argv[3] or table.concat(options.argv, " ")
    given = answers.find(sandbox._script, "command", text)
    given = given and { stdout = given.stdout, stderr = given.stderr, code = given.exit_code }
      or answers.command()
  end
  return process.new(sandbox, given)
end

function backend.ask(sandbox, what, operation, ...)
  local err = refusal(sandbox, what)
  if err then
    return nil, err
  end
  local asked = sandbox._recording and cassette.of_files(operation, ...)
  if asked then
    return sandbox._recording:take(what, operation, asked, sandbox._mask)
  end
  return mock_files.ask(sandbox._files, what, operation, ...)
end

function backend.set_timeout()
  return true
end

function backend.watch()
  return nil, errors.unsupported("watch_dir", "mock", "nothing happens there")
end

return backend
