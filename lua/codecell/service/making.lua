--- How a service makes its sandboxes: as the configuration says, and bounded in number.
local budget = require "codecell.service.budget"
local codecell = require "codecell"
local config = require "codecell.config"
local ending = require "codecell.service.ending"
local errors = require "codecell.errors"
local fallback = require "codecell.service.fallback"
local log = require "codecell.log"
local merged = require "codecell.merged"
local templates = require "codecell.service.templates"
local wait = require "codecell.wait"
local watching = require "codecell.service.watching"

local making = {}

local PART = "e2b:service"
local CPU = 2 -- of a sandbox whose processors nobody has said

-- What a call says wins, as a secret or plainly.
local function hidden(self, given)
  local secrets, envs = config.hidden(self.config)
  for name, value in pairs(given.envs or {}) do
    envs[name], secrets[name] = value, nil
  end
  for name, value in pairs(given.secrets or {}) do
    secrets[name], envs[name] = value, nil
  end
  return secrets, envs
end

-- The cloud's are those of its templates.
local function limits_of(self, given, backend)
  local limits = { memory = self.config.memory_limit, cpu = self.config.cpu_limit }
  return merged(backend ~= "e2b" and limits or nil, given.limits)
end

local function lifetime(self, given)
  return given.timeout or given.timeout_ms and given.timeout_ms / 1000
    or self.config.sandbox_timeout
end

local function with_cloud(self, complete)
  local settings = self.config
  complete.api_key = settings.api_key and settings.api_key:reveal()
  complete.domain, complete.api_url = settings.domain, settings.api_url
  complete.sandbox_url, complete.debug = settings.sandbox_url, settings.debug
  complete.max_retries, complete.validate_api_key = settings.max_retries,
    settings.validate_api_key
  return complete
end

local function complete(self, given, backend, image)
  local secrets, envs = hidden(self, given)
  local all = {
    backend = backend, cwd = given.cwd, envs = envs, gpu = given.gpu,
    limits = limits_of(self, given, backend), mounts = given.mounts,
    metadata = merged(self.config.metadata, given.metadata),
    name = given.name, network = given.network, on_event = watching.on_event(self, given),
    audit = self.audit and self.audit:of(given.owner) or nil,
    on_timeout = given.on_timeout, packages = given.packages,
    policy = self.policy and self.policy:as({ user = given.owner }), read_only = given.read_only,
    secrets = next(secrets) and secrets or nil,
    template = image,
    timeout = lifetime(self, given),
    user = given.user, warm = backend == "local" or nil,
  }
  if backend == "e2b" then
    with_cloud(self, all)
  elseif backend == "mock" then
    all.mock = self.mock
  end
  return all
end

local function full(self)
  local err = errors.new("unavailable", ("create: %d sandboxes live, which is the most; end one, "
    .. "or raise max_active_sandboxes"):format(self.config.max_active_sandboxes),
    "raise max_active_sandboxes")
  err.word, err.retry_after, err.cause = "overloaded", 1, "resources"
  return err
end

-- As the documents have it.
local function creation_failed(err)
  if not err.message:find("Sandbox creation failed", 1, true) then
    err.message = "Sandbox creation failed: " .. err.message
  end
  err.stage = err.stage or "create"
  return err
end

-- Have some ready, from the first use on, where they cost nothing but memory.
local function fill_pool(self, backend)
  if self.pool or self.config.pool_size == 0 or backend ~= "local" then
    return
  end
  local made = codecell.pool({ size = self.config.pool_size,
    most = math.max(self.config.pool_size, self.config.pool_max or 0),
    template = (templates.resolve(self.config, self.config.template)),
    limits = limits_of(self, {}, backend) })
  self.pool = made or nil
end

-- Install what its template names; without it there is no sandbox.
local function furnish(made, packages)
  if not packages or not packages[1] then
    return true
  end
  local done, err = made:install(packages)
  if done then
    return true
  end
  made:kill()
  made:close()
  err.cause = "template"
  return nil, err
end

local function create_whole(all, packages)
  local made, err = codecell.create(all)
  local ok = made
  if made then
    ok, err = furnish(made, packages)
  end
  return ok and made, err
end

-- One whose time is paid for; `done` when it is known what was made.
local function make_promised(self, all, packages, done)
  self.roster.coming = self.roster.coming + 1
  local ok, made, err = wait.call(create_whole, all, packages)
  self.roster.coming = self.roster.coming - 1
  if not ok then
    done()
    error(made, 0) -- options that cannot be
  end
  return made, err
end

local function closed()
  return errors.new("cancelled", "create: the service was closed meanwhile")
end

-- Make one that may be paid, and was not closed out meanwhile.
local function make_counted(self, given, about, backend)
  local image, packages = templates.resolve(self.config, given.template or self.config.template)
  local done, err = budget.promise(self, about)
  if not done then
    return nil, err
  end
  local made
  made, err = make_promised(self, complete(self, given, backend, image), packages, done)
  if not made then
    done()
    return nil, creation_failed(err)
  elseif self.is_closed then
    done()
    made:kill()
    made:close()
    return nil, closed()
  end
  local entry = self.roster:add(made, about)
  done()
  return entry
end

local function make_on(self, given, backend)
  fill_pool(self, backend)
  local limits = limits_of(self, given, backend)
  local about = merged(given, { backend = backend, seconds = lifetime(self, given),
    metadata = merged(self.config.metadata, given.metadata),
    cpu = limits.cpu or self.config.cpu_limit or CPU,
    memory = limits.memory or self.config.memory_limit })
  local entry, err = make_counted(self, given, about, backend)
  if not entry then
    return nil, err
  end
  function entry.sandbox._may_live(seconds)
    return budget.extend(self, entry, seconds)
  end
  return entry
end

--- Make one. It is counted while it is being made, so that many at the same time do not pass the
--- limit.
---@param self codecell.Service
---@param given table checked options of `Service:create`
---@return codecell.ServiceEntry?
---@return codecell.Error? err with `cause`
function making.make(self, given)
  if #self.roster:list() + self.roster.coming >= self.config.max_active_sandboxes then
    ending.reap(self)
    if #self.roster:list() + self.roster.coming >= self.config.max_active_sandboxes then
      return nil, full(self)
    end
  end
  if self.is_closed then
    return nil, closed()
  end
  local entry, err = fallback.make(self, given, make_on)
  if not entry then
    return nil, err
  end
  local about = { sandbox = entry.id, owner = given.owner,
    degraded_from = entry.sandbox.degraded_from }
  self.ledger:create()
  log.write("info", PART, "Sandbox created: " .. entry.id, merged(about, {
    event = "sandbox.create" }))
  self:_emit("sandbox.create", about)
  ending.watch(self)
  return entry
end

return making
