--- How a service makes its sandboxes: as the configuration says, and bounded in number.
local budget = require "codecell.service.budget"
local codecell = require "codecell"
local config = require "codecell.config"
local ending = require "codecell.service.ending"
local errors = require "codecell.errors"
local log = require "codecell.log"
local merged = require "codecell.service.merged"
local wait = require "codecell.wait"

local making = {}

local PART = "e2b:service"
local CPU = 2 -- of a sandbox whose processors nobody has said
local SECRET_LEAST = 4 -- bytes; less would be masked everywhere

local function is_paid(self)
  return self.config.backend == "e2b"
end

-- Hidden variables that are too short to be masked are no secrets, and are given as they are.
local function hidden(self, given)
  local secrets, envs = {}, {}
  for name, value in pairs(config.hidden(self.config)) do
    (#value >= SECRET_LEAST and secrets or envs)[name] = value
  end
  for name, value in pairs(given.envs or {}) do
    envs[name], secrets[name] = value, nil
  end
  for name, value in pairs(given.secrets or {}) do
    secrets[name], envs[name] = value, nil
  end
  return secrets, envs
end

local function limits_of(self, given)
  local limits = { memory = self.config.memory_limit, cpu = self.config.cpu_limit }
  return merged(not is_paid(self) and limits or nil, given.limits)
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

--- The backend of a mode.
---@param found codecell.Config
---@return string
function making.backend(found)
  return found.backend or "local"
end

local function complete(self, given)
  local secrets, envs = hidden(self, given)
  local all = {
    backend = making.backend(self.config), cwd = given.cwd, envs = envs, gpu = given.gpu,
    limits = limits_of(self, given), mounts = given.mounts,
    metadata = merged(self.config.metadata, given.metadata),
    name = given.name, network = given.network, on_event = given.on_event,
    on_timeout = given.on_timeout, packages = given.packages,
    policy = self.policy and self.policy:as({ user = given.owner }), read_only = given.read_only,
    secrets = next(secrets) and secrets or nil,
    template = given.template or self.config.template,
    timeout = given.timeout or given.timeout_ms and given.timeout_ms / 1000
      or self.config.sandbox_timeout,
    user = given.user, warm = making.backend(self.config) == "local" or nil,
  }
  if is_paid(self) then
    with_cloud(self, all)
  elseif all.backend == "mock" then
    all.mock = self.mock
  end
  return all
end

local function full(self)
  local err = errors.new("unavailable", ("create: %d sandboxes live, which is the most; end one, "
    .. "or raise max_active_sandboxes"):format(self.config.max_active_sandboxes),
    "raise max_active_sandboxes")
  err.word, err.retry_after = "overloaded", 1
  return err
end

local CAUSES = { unauthenticated = "auth", rate_limited = "rate_limited", not_found = "template",
  invalid_argument = "template" }

local function creation_failed(err)
  local cause = CAUSES[err.kind] or err.stage == "connect" and "network" or "resources"
  local text = err.message:find("Sandbox creation failed", 1, true) and err.message
    or "Sandbox creation failed: " .. err.message
  local told = errors.new(err.kind, text, err.hint)
  told.cause, told.status, told.retry_after = cause, err.status, err.retry_after
  told.stage, told.errno, told.word = err.stage or "create", err.errno, err.word
  told.reason, told.rule = err.reason, err.rule
  return told
end

-- Have some ready, from the first use on, where they cost nothing but memory.
local function fill_pool(self)
  if self.pool or self.config.pool_size == 0 or making.backend(self.config) ~= "local" then
    return
  end
  local made = codecell.pool({ size = self.config.pool_size,
    most = math.max(self.config.pool_size, self.config.pool_max or 0),
    template = self.config.template, limits = limits_of(self, {}) })
  self.pool = made or nil
end

-- One whose time is paid for; `done` when it is known what was made.
local function make_promised(self, all, done)
  self.roster.coming = self.roster.coming + 1
  local ok, made, err = wait.call(codecell.create, all)
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
  fill_pool(self)
  local all, limits = complete(self, given), limits_of(self, given)
  local about = merged(given, { backend = all.backend, seconds = all.timeout,
    cpu = limits.cpu or self.config.cpu_limit or CPU,
    memory = limits.memory or self.config.memory_limit })
  local done, err = budget.promise(self, about)
  if not done then
    return nil, err
  end
  local made
  made, err = make_promised(self, all, done)
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
  function made._may_live(seconds)
    return budget.extend(self, entry, seconds)
  end
  self.ledger:create()
  log.write("info", PART, "Sandbox created: " .. made.id, { event = "sandbox.create",
    sandbox = made.id, owner = given.owner })
  self:_emit("sandbox.create", { sandbox = made.id, owner = given.owner })
  ending.watch(self)
  return entry
end

return making
