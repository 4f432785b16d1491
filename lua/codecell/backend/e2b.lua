--- The backend e2b: sandboxes of E2B's cloud, or of whatever speaks its interface.
local control = require "codecell.e2b.control"
local errors = require "codecell.errors"
local files = require "codecell.e2b.files"
local identity = require "codecell.e2b.identity"
local interpreter = require "codecell.e2b.interpreter"
local mcp = require "codecell.e2b.mcp"
local object = require "codecell.e2b.object"
local policy = require "codecell.e2b.network"
local process = require "codecell.e2b.process"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local settings = require "codecell.e2b.settings"
local volume = require "codecell.e2b.volume"
local watcher = require "codecell.e2b.watcher"

local TIMEOUT = 300 -- seconds
local TEMPLATE = "code-interpreter-v1"

local backend = {
  name = "e2b",
  isolation = "microvm",
  languages = control.languages,
  network = "open",
  contexts = interpreter.contexts,
  features = {
    commands = true, files = true, fork = true, git = true, host = true, install = true,
    metrics = true, network = true, network_update = true, pause = true, pty = true, root = true,
    run_code = true, snapshot = true, templates = true, urls = true, watch = true,
  },
  hints = {},
  watches = { entry = true, network_mounts = true },
}

-- ---- create ----

local ABSENT = { "gpu", "mounts", "packages", "read_only", "root_view", "warm" }
local OURS = { code = true, output = true }

local function check_supported(given)
  for _, name in ipairs(ABSENT) do
    if given[name] and (type(given[name]) ~= "table" or next(given[name]) ~= nil) then
      return nil, errors.unsupported("create: " .. name, "e2b", "leave it out")
    end
  end
  for name in pairs(given.limits or {}) do
    if not OURS[name] then
      return nil, errors.unsupported("create: limits." .. name, "e2b",
        "choose a template that has it")
    end
  end
  local pauses = given.on_timeout == "pause"
  if not pauses and (given.auto_resume or given.keep_memory ~= nil) then
    return nil, errors.new("invalid_argument",
      "create: auto_resume and keep_memory need on_timeout = \"pause\"")
  elseif given.auto_resume and given.keep_memory == false then
    return nil, errors.new("invalid_argument",
      "create: what keeps no memory cannot resume by itself; leave auto_resume out")
  end
  return true
end

local function lifecycle(given, body)
  if given.on_timeout == "pause" then
    body.autoPause = true
    body.autoResume = given.auto_resume and { enabled = true } or nil
    if given.keep_memory ~= nil then
      body.autoPauseMemory = given.keep_memory
    end
  elseif given.on_timeout then
    body.autoPause = false
  end
end

local function copy(from)
  local to = {}
  for name, value in pairs(from) do
    to[name] = value
  end
  return to
end

local function envs_of(given)
  local envs = given.secrets and copy(given.envs or {}) or given.envs
  for name, value in pairs(given.secrets or {}) do
    envs[name] = value
  end
  return envs
end

local function body_of(given)
  local body = { templateID = given.template or TEMPLATE, timeout = math.ceil(given.timeout),
    secure = given.secure ~= false, metadata = given.metadata, envVars = envs_of(given) }
  local target = { maskRequestHost = given.host_mask, egressProxy = given.egress_proxy }
  if given.public_traffic ~= nil then
    target.allowPublicTraffic = given.public_traffic
  end
  local ok, err = policy.put("create", given.network, body, target)
  if ok then
    body.volumeMounts, err = volume.mounts(given.volumes)
  end
  if not err then
    body.iam, err = identity.body(given.iam)
  end
  if err then
    return nil, err
  end
  lifecycle(given, body)
  body.network = next(target) ~= nil and target or nil
  return body
end

-- With debug there is one sandbox on this machine, which nobody needs to make.
local function debug_record(given)
  local function none() end
  return { id = "debug_sandbox_id", template = given.template, version = "99.99.99",
    token = none, traffic = none }
end

local function make(found, given, body)
  local mask, record, err
  if given.secrets and next(given.secrets) ~= nil then
    mask, err = secrets.mask(given.secrets)
    if not mask then
      return nil, err
    end
  end
  if found.debug then
    record = debug_record(given)
  else
    local private = policy.private(given.network)
    private[#private + 1] = given.egress_proxy and given.egress_proxy.password
    record, err = control.create(found, body, mask, private)
  end
  if not record then
    return nil, err
  end
  -- where nobody prints them
  given.api_key, given.secrets, given.network, given.egress_proxy = nil, nil, nil, nil
  local sandbox = object.new(backend, found, record, given, true)
  sandbox._mask, sandbox._plane.mask = mask, mask
  return sandbox
end

--- Make a sandbox.
---@param options table checked options of create
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err kinds "unauthenticated", "rate_limited" (with `retry_after`),
---"unavailable", "invalid_argument", "not_found" (the template), "unsupported"
function backend.make(options)
  local given = copy(options)
  given.timeout = options.timeout or TIMEOUT
  given.template = options.template or options.mcp and mcp.TEMPLATE or settings.template()
  local found, err = settings.resolve("create", given)
  local ok, body = found ~= nil, nil
  if ok then
    ok, err = check_supported(given)
  end
  if ok then
    body, err = body_of(given)
  end
  if not body then
    return nil, err
  end
  ok, err = reactor.get()
  if not ok then
    return nil, err
  end
  local sandbox
  sandbox, err = make(found, given, body)
  if sandbox and given.mcp then
    return mcp.start(sandbox, given.mcp)
  end
  return sandbox, err
end

-- ---- those that are there ----

--- Reach a sandbox of the account, which goes on if it was paused. Its time is then `timeout` from
--- now at least. Closing the object leaves it running.
---@param id string
---@param options table? `timeout` (300 s), and where E2B is
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err kind "not_found"
function backend.connect(id, options)
  local found, err = settings.resolve("connect", options)
  if not found then
    return nil, err
  elseif not id:find("^[%w_-]+$") then
    return nil, errors.new("not_found", "connect: that cannot be the id of a sandbox")
  end
  local ok
  ok, err = reactor.get()
  local timeout, record = options.timeout or TIMEOUT, nil
  if ok and found.debug then
    record = debug_record(options)
  elseif ok then
    record, err = control.connect(found, "connect", id, timeout)
  end
  if not record then
    return nil, err
  end
  return object.new(backend, found, record, { timeout = timeout, cwd = options.cwd,
    user = options.user }, false)
end

--- A page of the sandboxes of the account, newest first.
---@param options table `metadata state limit next order started_after template`, and where E2B is
---@return codecell.SandboxInfo[]? page
---@return codecell.Error? err
function backend.list(options)
  local found, err = settings.resolve("list", options)
  if not found then
    return nil, err
  end
  return control.list(found, options)
end

--- End a sandbox of the account.
---@param id string
---@param options table? where E2B is
---@return boolean? killed false if there was none
---@return codecell.Error? err
function backend.kill(id, options)
  local found, err = settings.resolve("kill", options)
  if not found then
    return nil, err
  elseif found.debug then
    return true
  end
  return control.kill(found, "kill", id)
end

-- ---- for the verbs ----

---@return string state as far as it is known without asking
function backend.state(sandbox)
  return (sandbox:_closed() or sandbox._plane.is_killed) and "gone" or "running"
end

---@return codecell.Execution? execution
---@return codecell.Error? err
function backend.execute(_, runner, job)
  return runner:execute(job)
end

---@return codecell.Process? process
---@return codecell.Error? err
function backend.spawn(sandbox, options)
  if sandbox:_closed() then -- by a callback or another coroutine, since the verb began
    return nil, errors.new("cancelled", ("start %s: the sandbox was closed")
      :format(options.argv[1]))
  end
  options.user = options.user or sandbox._user
  return process.start(sandbox, options)
end

---@return codecell.Watcher? watcher
---@return codecell.Error? err
function backend.watch(sandbox, path, recursive, given)
  return watcher.start(sandbox, path, recursive, given)
end

---@return any value
---@return codecell.Error? err after nil
function backend.ask(sandbox, what, operation, ...)
  if sandbox:_closed() then
    return nil, errors.new("cancelled", what .. ": the sandbox was closed")
  end
  return files.ask(sandbox, what, operation, ...)
end

---@return true? done
---@return codecell.Error? err
function backend.set_timeout(sandbox, seconds)
  local there = sandbox._plane
  if there.settings.debug then
    return true
  end
  local ok, err = control.set_timeout(there.settings, "set_timeout", sandbox.id, seconds)
  if not ok then
    return nil, there:without("set_timeout", err)
  end
  there.ends_at = reactor.now() + seconds
  return true
end

---@return string host
function backend.host(sandbox, port)
  local there = sandbox._plane
  return settings.host(there.settings, sandbox.id, there.record.domain, port)
end

return backend
