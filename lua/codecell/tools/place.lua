--- Where the calls of a kit go: a sandbox that is given, one of a service, or one that the kit
--- makes when it is needed; and what can be said of it before it is there.
local backends = require "codecell.backend"
local errors = require "codecell.errors"
local merged = require "codecell.merged"
local wait = require "codecell.wait"

local place = {}

local TIMEOUT = 60 -- seconds of a call

---@class codecell.ToolPlace
local Place = {}
Place.__index = Place

local serial = 0

-- Of what is not there yet.
local function find_backend(given)
  return backends.find(given.service and given.service.config.backend
    or given.create and given.create.backend or "local")
end

--- The place of a kit.
---@param given codecell.KitOptions
---@return codecell.ToolPlace? place
---@return codecell.Error? err kind "invalid_argument": there is no such backend
function place.new(given)
  local backend, err = find_backend(given)
  if not backend then
    return nil, err
  end
  serial = serial + 1
  return setmetatable({ given = given, backend = backend,
    key = given.session or "kit-" .. serial, closings = 0 }, Place)
end

-- One that is made here is made once, by whoever comes first.
local function own(self)
  while self.is_making do
    if not wait.key(self.is_making) then
      return nil, wait.failure("create")
    end
  end
  if self.made and self.made:is_running() then
    return self.made
  elseif self.made then
    self.made:close()
  end
  local ticket, closings = {}, self.closings
  self.is_making = ticket
  local ok, made, err = wait.call(require("codecell.create").create, self.given.create)
  self.is_making = nil
  require("codecell.reactor").wake(ticket)
  if not ok then
    error(made, 0)
  elseif made and self.closings > closings then -- nobody would end it
    made:close()
    return nil, errors.new("cancelled", "create: the kit was closed meanwhile")
  end
  self.made = made
  return made, err
end

-- The service's entry, made if need be.
local function entry_of(self)
  return require("codecell.service.finding").get(self.given.service,
    merged(self.given.create, { owner = self.given.user, key = self.key }))
end

-- The one that a call gets, and what is to be done behind it.
local function find(self)
  local given = self.given
  if given.service then
    local entry, err = entry_of(self)
    if not entry then
      return nil, err
    end
    given.service.roster:hold(entry)
    return entry.sandbox, nil, entry
  elseif type(given.sandbox) == "function" then
    return given.sandbox()
  elseif given.sandbox then
    return given.sandbox
  end
  return own(self)
end

-- Which one it was this time.
local function note(self, id)
  self.is_new = self.is_new or self.last ~= nil and self.last ~= id
  self.last = id
end

--- Whether another sandbox than the last one was met since this was asked.
---@return boolean
function Place:is_renewed()
  local is_new = self.is_new
  self.is_new = nil
  return is_new == true
end

--- Do something in the sandbox.
---@param called fun(sandbox: codecell.Sandbox): any, codecell.Error? may wait, and may raise
---@return any value
---@return codecell.Error? err
function Place:with(called)
  local sandbox, err, entry = find(self)
  if not sandbox then
    return nil, err or errors.new("sandbox_gone", "there is no sandbox")
  end
  self.present = sandbox
  note(self, sandbox.id)
  if not entry then
    return called(sandbox)
  end
  local ok, value, problem = wait.call(called, sandbox)
  self.given.service.roster:release(entry, ok and problem or nil)
  if not ok then
    error(value, 0)
  end
  return value, problem
end

local function run_in(sandbox, code, about, run)
  if not run then
    return sandbox:run_code(code, about)
  end
  local started, err = sandbox:start_code(code, about)
  if not started then
    return nil, err
  end
  run(started)
  local execution
  execution, err = started:wait()
  if not execution and err.kind == "cancelled" then
    started:kill()
  end
  return execution, err
end

-- By the service: with its rates, its gate and its records.
local function run_by_service(self, code, about, run)
  local service = self.given.service
  about.owner, about.key, about.create = self.given.user, self.key, self.given.create
  local reply, err
  if run then
    local job
    job, err = service:start(code, merged(about,
      { timeout = about.timeout or service.config.execution_timeout }))
    if job then
      run(job)
      reply, err = job:wait()
      if not reply and err.kind == "cancelled" then
        job:kill()
      end
    end
  else
    reply, err = service:execute(code, about)
  end
  if not reply then
    return nil, err
  end
  note(self, reply.sandbox_id)
  return reply.execution
end

--- Run code.
---@param code string
---@param about table of `run_code`: `language timeout on_stdout on_stderr`
---@param run function? gets what can be killed
---@return codecell.Execution? execution
---@return codecell.Error? err
function Place:run_code(code, about, run)
  if self.given.service then
    return run_by_service(self, code, about, run)
  end
  return self:with(function(sandbox)
    return run_in(sandbox, code, about, run)
  end)
end

-- ---- what it is ----

--- Seconds that a call may take.
---@param asked number? by the host, for one call
---@return number? seconds nil: as the service says
function Place:timeout(asked)
  return asked or self.given.timeout or not self.given.service and TIMEOUT or nil
end

-- The sandbox, if it is there.
local function present(self)
  local sandbox = self.present or self.made
  if type(self.given.sandbox) ~= "function" and self.given.sandbox then
    sandbox = self.given.sandbox
  end
  return sandbox and not sandbox:_closed() and sandbox or nil
end

local function chosen(names, wanted)
  if not wanted or #wanted == 0 then
    return names
  end
  local find_language = require("codecell.languages").find
  local is_wanted, list = {}, {}
  for _, name in ipairs(wanted) do
    local found = find_language(name)
    is_wanted[found and found.name or name] = true
  end
  for _, name in ipairs(names) do
    list[#list + 1] = is_wanted[name] and name or nil
  end
  return list
end

---@class codecell.ToolAbout
---@field languages string[] that code can be in
---@field network string|table as of create
---@field packages boolean|table|nil as of create
---@field memory number? bytes
---@field seconds number that a call may take
---@field is_mock boolean
---@field is_remote boolean its programs are not this machine's
---@field exposed table<string, string[]> functions of the host that code may call

--- What can be said of the sandbox, whether it is there or not.
---@return codecell.ToolAbout
function Place:about()
  local sandbox = present(self)
  local backend = sandbox and sandbox._backend or self.backend
  local create = sandbox and sandbox._given or self.given.create or {}
  local service = self.given.service
  local config = service and service.config
  local languages = chosen(backend.languages(sandbox and sandbox._root), self.given.languages)
  if config then
    languages = chosen(languages, config.allowed_languages)
  end
  local network = sandbox and sandbox._about.network or create.network
  return { languages = languages, features = backend.features,
    network = network or backend.network or "none", packages = create.packages,
    memory = create.limits and create.limits.memory or config and config.memory_limit or nil,
    seconds = self:timeout() or config.execution_timeout, is_mock = backend.name == "mock",
    is_remote = backend.name == "e2b",
    exposed = sandbox and sandbox._exposed and require("codecell.expose").list(sandbox) or {} }
end

--- What its code can reach, for who is asked by a policy.
---@return {network: any, mounts: table[], packages: any}
function Place:touches()
  local sandbox = present(self)
  if sandbox then
    return require("codecell.policy.guard").touches(sandbox)
  end
  local create = self.given.create or {}
  return { network = create.network or "none", mounts = create.mounts or {},
    packages = create.packages }
end

--- End what was made here.
function Place:close()
  self.closings = self.closings + 1
  local service = self.given.service
  if service and not service.is_closed and not self.given.session then
    local entry = service.roster:under(self.given.user, self.key)
    if entry then
      service:kill(entry.id, self.given.user)
    end
  end
  if self.made then
    self.made:close()
  end
end

return place
