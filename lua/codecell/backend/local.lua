--- The local backend: processes of this machine, isolated by its kernel.
local context = require "codecell.context"
local core = require "codecell.core"
local environment = require "codecell.environment"
local errors = require "codecell.errors"
local languages = require "codecell.languages"
local mounts = require "codecell.project.mounts"
local network = require "codecell.network"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local wait = require "codecell.wait"
local watcher = require "codecell.files.watcher"

local START = 30 -- seconds that a start may take
local END = 1 -- seconds until the reason of an end is known
local NEWS = 0.005 -- seconds: what has happened already is seen at once
local ANSWER = 60 -- seconds that the warden may take for one request

local backend = {
  name = "local",
  isolation = "kernel",
  languages = languages.available,
  contexts = context,
  features = {
    changes = true, commands = true, expose = true, files = true, final_answer = true,
    fork = true, git = true, gpu = true, host = true, install = true, metrics = true,
    mounts = true, network = true, network_update = true, pause = true, pty = true, root = true,
    run_code = true,
    snapshot = true, templates = true, warm = true, watch = true,
  },
  watches = {},
  hints = {
    urls = "serve files with 'codecell serve'",
    detach = "a local sandbox ends with its program; keep the object",
  },
}

-- Interpreters outside the system's folders must be there in the sandbox too. What a reactor was
-- told is kept beside it: this file may be loaded again.
local function bind_interpreters(loop)
  local prefixes = languages.prefixes()
  local all = table.concat(prefixes, "\n")
  local bound = reactor.once.bound
  if bound and bound.loop == loop and bound.all == all then
    return true
  end
  local ok, err = loop:set_binds(prefixes)
  if ok then
    reactor.once.bound = { loop = loop, all = all }
  end
  return ok, err
end

local function with_text(err, prefix)
  if not err.message:find(prefix, 1, true) then
    err.message = prefix .. ": " .. err.message
  end
  return err
end

-- Wait for the hello of the warden.
local function started(sandbox)
  local deadline = wait.deadline(START)
  while true do
    local state, err = sandbox:_state()
    if state == "running" then
      return sandbox
    elseif state ~= "starting" then
      sandbox:close()
      return nil, with_text(err or errors.new("sandbox_gone", "it ended at once"), "create")
    elseif not wait.wait(sandbox, deadline) then
      sandbox:close()
      return nil, wait.failure("create", START, "the machine may be too busy; see codecell doctor")
    end
  end
end

--- Complete what a sandbox is asked for by its template.
---@param given table options of create
---@return true? done
---@return codecell.Error? err
function backend.apply_template(given)
  return require("codecell.template").apply(given)
end

-- What resolves names, where there is a network; and whether its rules can be kept.
local function prepare_network(options)
  if not options.policy then
    return true
  end
  local names, err = network.names()
  local ok = names
  if ok then
    ok, err = network.prepare(options.rules)
  end
  return ok, err, names
end

local function begin(loop, options, names, payload, stem)
  local limits = options.limits
  return core.sandbox(loop, {
    id = options.id,
    timeout = options.timeout,
    memory = limits.memory,
    disk = limits.disk,
    processes = limits.processes,
    files = limits.files,
    cpu = limits.cpu,
    read_only = options.read_only,
    root_view = options.root_view,
    policy = options.policy,
    names = names,
    name_servers = options.name_servers,
    connections = limits.connections,
    traffic = limits.traffic,
    serves = options.gateway ~= nil,
    mounts = payload,
    root = options.root,
    gpu = options.gpu,
    stem = stem,
  })
end

-- What the library knows of it.
local function equip(sandbox, options, opened, stem)
  sandbox._mounts = opened or nil
  sandbox._zygote = stem and "python"
  sandbox._limits = options.limits
  sandbox._environment = environment.new(options.envs, options.policy ~= nil,
    options.read_only and environment.elsewhere
      or options.offer and require("codecell.packages").needs(options.root))
  local ok, err = secrets.give(sandbox, options.secrets)
  if not ok then
    return nil, with_text(err, "create")
  end
  sandbox._policy, sandbox._rules = options.policy, options.rules
  sandbox._gateway = options.gateway
  sandbox._name_servers = options.name_servers
  network.attach(sandbox, options.on_event)
  return true
end

--- Make a sandbox.
---@param options table checked and complete
---@param stem userdata? that is to make it, with a zygote for its first kernel
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err with `stage`, `errno` and `hint` where this machine cannot
function backend.create(options, stem)
  local refusal = wait.refusal("create")
  if refusal then
    return nil, refusal
  end
  local loop, err = reactor.get()
  if not loop then
    return nil, with_text(err, "create")
  end
  local ok = stem
  if not stem then
    ok, err = bind_interpreters(loop)
  end
  if not ok then
    return nil, with_text(err, "create")
  end
  local names
  ok, err, names = prepare_network(options)
  if not ok then
    return nil, err
  end
  local opened, payload = mounts.open(options.mounts, options.home)
  if opened == nil then
    return nil, payload
  end
  local sandbox
  sandbox, err = begin(loop, options, names, payload, stem)
  if not sandbox then
    mounts.close(opened or nil)
    return nil, with_text(err, "create")
  end
  ok, err = equip(sandbox, options, opened, stem)
  if not ok then
    sandbox:close()
    mounts.close(opened or nil)
    return nil, err
  end
  ok, err = started(sandbox)
  if not ok then
    mounts.close(opened or nil)
    return nil, mounts.explain(opened or {}, err)
  end
  return sandbox
end

---@return string state
---@return codecell.Error? err
function backend.state(sandbox)
  return sandbox:_state()
end

--- Why a sandbox has ended, which may be known a moment after its last sign of life.
---@param sandbox codecell.Sandbox
---@param verb string that wants to know
---@return codecell.Error? err nil: it lives
function backend.reason(sandbox, verb)
  local deadline = wait.deadline(END)
  if sandbox:_state() == "running" then
    wait.wait(sandbox, wait.deadline(NEWS)) -- it may have ended while nobody stepped
  end
  local state, err = sandbox:_state()
  while state ~= "gone" and not err do
    if state == "running" or not wait.wait(sandbox, deadline) then
      break
    end
    state, err = sandbox:_state()
  end
  if state == "running" then
    return nil
  elseif err and (err.kind == "cancelled" or err.kind == "out_of_memory") then
    return err
  end
  local gone = errors.new("sandbox_gone",
    verb .. ": " .. (err and err.message or "the sandbox has ended"), err and err.hint)
  gone.errno = err and err.errno
  return gone
end

-- An error that came while the sandbox lives is the answer itself.
local function explain(sandbox, verb, err)
  return sandbox:_state() ~= "running" and backend.reason(sandbox, verb) or err
end

---@return codecell.Execution? execution
---@return codecell.Error? err
function backend.execute(sandbox, kernel, job)
  local mark = network.mark(sandbox)
  local done, err = kernel:execute(job)
  if not done then
    return nil, sandbox._killed and errors.new("sandbox_gone", "run_code: the sandbox was killed")
      or err
  end
  done.refused = network.since(sandbox, mark, done, job.code)
  return done
end

---@return codecell.Process? process
---@return codecell.Error? err
function backend.spawn(sandbox, options)
  if sandbox:_closed() then -- by a callback or another coroutine, since the verb began
    return nil, errors.new("cancelled", ("start %s: the sandbox was closed")
      :format(options.argv[1]))
  end
  local refusal = pause.refusal(sandbox, "start " .. options.argv[1])
  if refusal then
    return nil, refusal
  end
  options.envs = sandbox._environment:list(options.envs)
  options.output = sandbox._limits.output
  sandbox._zygote = nil -- only what runs first can come from it
  local process, err = sandbox:_spawn(options)
  if not process then
    return nil, explain(sandbox, "start " .. options.argv[1], err)
  end
  local ok
  ok, err = secrets.cover(sandbox, process)
  return ok and process, err
end

--- Learn of what happens in a directory.
---@param path string
---@param recursive boolean
---@return codecell.Watcher? watcher
---@return codecell.Error? err
function backend.watch(sandbox, path, recursive)
  return watcher.start(sandbox, path, recursive)
end

--- Ask the warden and wait for its answer.
---@param what string begins the message of an error
---@param operation string
---@return any value
---@return codecell.Error? err after nil
function backend.ask(sandbox, what, operation, ...)
  if sandbox:_closed() then -- by another coroutine, since the verb began
    return nil, errors.new("cancelled", what .. ": the sandbox was closed")
  end
  local request, err = sandbox:_ask(operation, ...)
  if not request then
    return nil, explain(sandbox, what, with_text(err, what))
  end
  local deadline = wait.deadline(ANSWER)
  local value
  repeat
    value, err = sandbox:_answer(request, what)
    if value then
      return value
    elseif value == nil then
      return nil, explain(sandbox, what, err)
    end
  until not wait.wait(sandbox, deadline)
  sandbox:_forget(request)
  return nil, wait.failure(what, ANSWER, "the sandbox does not answer: close it")
end

---@return true? done
---@return codecell.Error? err
function backend.set_timeout(sandbox, seconds)
  local ok, err = pause.put_off(sandbox, seconds)
  if not ok then
    return nil, explain(sandbox, "set_timeout", err)
  end
  return true
end

--- Where a port of the sandbox is reached from this machine.
---@return string? host
---@return codecell.Error? err
function backend.host(sandbox, port)
  local outside, err = sandbox:_port(port)
  if not outside then
    return nil, explain(sandbox, "get_host", with_text(err, "get_host"))
  end
  return "127.0.0.1:" .. outside
end

--- What went through the network.
---@return table? traffic nil: there is none
function backend.traffic(sandbox)
  return sandbox:_traffic()
end

--- Decide by another policy from now on.
---@param policy userdata
---@return true? done
---@return codecell.Error? err kind "unsupported": what only create can give
function backend.update_network(sandbox, policy)
  local deadline = wait.deadline(START)
  while true do
    local ok, err = sandbox:_allow(policy)
    if ok then
      return true
    elseif ok == nil then
      return nil, explain(sandbox, "update_network", with_text(err, "update_network"))
    elseif not wait.wait(sandbox, deadline) then
      return nil, wait.failure("update_network", START)
    end
  end
end

--- Value and mechanism of every limit.
---@return table<string, {value: number, by: string}>
function backend.limits(sandbox)
  local by = sandbox:_hello()
  local limits = {}
  for name, value in pairs(sandbox._limits) do
    limits[name] = { value = value, by = by[name] or "host" }
  end
  limits.cpu = limits.cpu or { value = 0, by = "none" }
  limits.traffic = limits.traffic or { value = 0, by = "none" }
  return limits
end

return backend
