--- Making, finding and ending sandboxes.
local backends = require "codecell.backend"
local check = require "codecell.options"
local context = require "codecell.context"
local core = require "codecell.core"
local e2b = require "codecell.e2b.settings"
local errors = require "codecell.errors"
local languages = require "codecell.languages"
local log = require "codecell.log"
local mounts = require "codecell.project.mounts"
local living = require "codecell.sandbox.living"
local network = require "codecell.network"
local pause = require "codecell.sandbox.pause"
local room = require "codecell.pool.room"
local sandbox = require "codecell.sandbox"
local secrets = require "codecell.secrets"
local with_cause = require "codecell.errors.cause"

local create = {}

local MIB = 1024 * 1024
local PART = "e2b:sandbox" -- in the log
local LIMITS = {
  code = { type = "integer", least = 1, most = 60 * MIB, default = 8 * MIB },
  connections = { type = "integer", least = 1, most = 4096, default = 256 },
  cpu = { type = "number", above = 0, most = 1024 },
  disk = { type = "integer", least = MIB, most = 2 ^ 50, default = 512 * MIB },
  files = { type = "integer", least = 16, most = 2 ^ 20, default = 1024 },
  memory = { type = "integer", least = 16 * MIB, most = 2 ^ 50, default = 1024 * MIB },
  output = { type = "integer", least = 1024, most = 1024 * MIB, default = 8 * MIB },
  processes = { type = "integer", least = 4, most = 2 ^ 20, default = 256 },
  traffic = { type = "integer", least = 1, most = 2 ^ 50 },
}

--- The options of create, with their rules.
create.options = {
  audit = { type = "either", expected = "path or codecell.Audit",
    rules = { string = { type = "text" }, table = { type = "table" } } },
  backend = { type = "name" },
  cwd = { type = "text" },
  envs = { type = "envs" },
  gpu = { type = "boolean" },
  languages = { type = "strings" },
  limits = { type = "table", fields = LIMITS },
  metadata = { type = "metadata" },
  mock = require("codecell.mock.answers").rule,
  mounts = mounts.rule,
  name = { type = "name" },
  network = network.rule,
  on_event = { type = "function" },
  on_timeout = { type = "choice", choices = { "kill", "pause" } },
  packages = require "codecell.packages.rule",
  policy = { type = "table" },
  read_only = { type = "boolean" },
  record = { type = "text" },
  root_view = { type = "boolean" },
  secrets = secrets.rule,
  template = { type = "name" },
  timeout = { type = "number", above = 0, most = 86400 },
  user = { type = "name" },
  warm = { type = "boolean" },
}

local CONNECT = { audit = create.options.audit, backend = { type = "name" },
  record = create.options.record,
  timeout = create.options.timeout, cwd = create.options.cwd, user = create.options.user }
local LIST = {
  backend = { type = "name" },
  limit = { type = "integer", least = 1, most = 1000 },
  metadata = { type = "metadata" },
  next = { type = "name" },
  order = { type = "choice", choices = { "asc", "desc" } },
  started_after = { type = "name" },
  state = { type = "choice", choices = { "running", "paused" } },
  template = { type = "name" },
}
local KILL = { backend = { type = "name" } }
for name, rule in pairs(e2b.options) do
  create.options[name], CONNECT[name], LIST[name], KILL[name] = rule, rule, rule, rule
end
for name, rule in pairs(e2b.create_options) do
  create.options[name] = rule
end

local settings = { name_servers = "", has_spans = false }

local function copy(from)
  local to = {}
  for key, value in pairs(from or {}) do
    to[key] = value
  end
  return to
end

local function complete_limits(given)
  local limits = copy(given)
  for name, rule in pairs(LIMITS) do
    limits[name] = limits[name] or rule.default
  end
  return limits
end

local function unsupported(what, hint)
  return nil, errors.unsupported("create: " .. what, "local", hint)
end

-- Options that are understood and that the local backend does not have.
local function check_supported(given)
  if given.user and given.user ~= "user" and not (given.user == "root" and given.root_view) then
    return unsupported(("user %q"):format(given.user), "leave it at \"user\"")
  end
  return true
end

local function start_languages(self, names)
  for _, name in ipairs(names or {}) do
    local made, err = context.default(self, name)
    local ok = made
    local kernel = made and context.kernel(self, "create", made)
    if kernel and not kernel:is_alive() then
      ok, err = kernel:start()
    end
    if not ok then
      self:close()
      return nil, err
    end
  end
  return self
end

-- The index is reached through a network that leads nowhere else, unless there is another.
local function offer_packages(given, offered)
  local packages = require "codecell.packages"
  if type(offered) == "table" then
    packages.check("create", offered, 4)
  end
  given.offer, given.gateway = packages.offer(offered), packages.answer
  given.policy = given.policy or network.policy("create", { allow = {} }, 3)
end

--- Complete what a sandbox is asked for by the defaults.
---@param options table checked options of create
---@return table? given
---@return codecell.Backend|codecell.Error backend or err: this is not here
function create.complete(options)
  local backend, err = backends.find(options.backend or "local")
  local ok
  if backend then
    ok, err = check_supported(options)
  end
  if not ok then
    return nil, err
  end
  local given = copy(options)
  given.backend = backend.name
  given.timeout = options.timeout or 300
  given.limits = complete_limits(options.limits)
  given.metadata = copy(options.metadata)
  if options.template and backend.apply_template then
    ok, err = backend.apply_template(given)
    if not ok then
      return nil, err
    end
  end
  given.cwd = given.cwd or "/home/user"
  given.user = options.user or "user"
  given.mounts = mounts.check(options.mounts, 4)
  given.network = network.copy(options.network)
  given.policy, given.rules = nil, nil
  if given.network ~= "none" then
    given.policy, given.rules = network.policy("create", options.network, 3)
  end
  if options.packages then
    offer_packages(given, options.packages)
  end
  given.name_servers = settings.name_servers
  given.read_only = options.read_only == true
  given.root_view, given.gpu = options.root_view == true, options.gpu == true
  return given, backend
end

local function make(given, backend, stem)
  given.id = "i" .. core.random_id(20)
  local made, err = backend.create(given, stem)
  if not made then
    return nil, err
  end
  sandbox.equip(made, backend, given)
  return made
end

local function make_listed(given, backend, stem)
  local ok, err = room.enter("create")
  if not ok then
    return nil, err
  end
  local made
  made, err = make(given, backend, stem)
  if made then
    made, err = sandbox.enlist(made, given)
  end
  room.done()
  return made, err
end

--- A sandbox for the library itself, which is in no list.
---@param options table of create
---@param offer table the packages that it may have, as of `packages.offer`
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err
function create.unlisted(options, offer)
  local given, backend = create.complete(options)
  if not given then
    return nil, backend
  end
  given.offer = offer
  local made, err = make(given, backend)
  if not made then
    return nil, err
  end
  return sandbox.begin(made, given)
end

local function make_here(options, given, backend)
  local made, stem, ok, err
  if options.warm then
    made, stem = require("codecell.pool").take(given)
  end
  if not made then
    made, err = make_listed(given, backend, stem)
  end
  if made and stem then -- only what runs first can come from the zygote
    made, err = start_languages(made, { "python" })
  end
  if not made then
    return nil, err
  end
  if given.offer and given.offer.policy.given.install then
    ok, err = require("codecell.packages").begin(made, given.offer.policy.given)
    if not ok then
      made:close()
      return nil, err
    end
  end
  return start_languages(made, options.languages)
end

-- What may be had of what is asked for, or nil, err.
local function under_policy(options)
  local policy = require "codecell.policy"
  if not policy.is(options.policy) then
    error("create: policy: what codecell.policy.new returns expected", 3)
  end
  local admitted, err = require("codecell.policy.guard").admit(options.policy, options)
  if admitted then
    admitted.policy = nil
  end
  return admitted, err
end

-- The sandbox as its users have it, also by connect.
local function guarded(made, policy)
  if made and policy then
    return require("codecell.policy.guard").sandbox(made, policy)
  end
  return made
end

local function recorded(made, err, options)
  if made and options.record then
    return require("codecell.cassette").record(made, options.record)
  end
  return made, err
end

-- Where somebody looks on: what stands between the verbs and the backend then.
local function begin_seen(event, options)
  if options.audit or options.on_event or settings.has_spans then
    return require("codecell.sandbox.beginning").begin(event, options)
  end
  return { options = options, settle = function(_, made, err) return made, err end }
end

--- Make a sandbox.
---@param options table? `backend` ("local"), `template` (name of one, id of a snapshot, or absolute
---path of a folder with programs), `timeout` (300 s, at most 86 400), `envs`, `metadata`,
---`network` ("none"; "open"; or `{allow = {"api.example.com", "*.example.org:8443"}, deny = {},
---rules = {}}`),
---`on_event` (called with a codecell.Event for what is refused), `limits`,
---`mounts` (`{{host = "/folder", path = "/work", mode = "read"|"overlay"|"write"}}`), `read_only`,
---`cwd` ("/home/user"), `user`, `root_view`, `languages`, `name`, `secrets` (as `envs`, masked in
---what comes out), `policy` (as of codecell.policy.new: what it is asked for is let through by it),
---`audit` (of `codecell.audit.open`, or its path), `warm`: all of them under codecell.CreateOptions
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err with `stage`, `errno`, `hint` and `cause`: kinds "unsupported" (what
---this machine lacks), "limit_exceeded", "invalid_argument", "system", "timeout"
function create.create(options)
  options = check.check("create", options, create.options)
  local begun, err = begin_seen("create", options)
  if not begun then
    return nil, err
  end
  options = begun.options
  local policy = options.policy
  local made, given, backend
  backend, err = backends.find(options.backend or "local")
  if backend and policy then
    options, err = under_policy(options)
  end
  if backend and options and backend.make then
    made, err = backend.make(options)
  elseif backend and options then
    given, err = create.complete(options)
    if given then
      made, err = make_here(options, given, backend)
    end
  end
  if not made then
    log.write("debug", PART, err.message, { event = "sandbox.failed", kind = err.kind })
    return begun:settle(nil, with_cause(err))
  end
  log.write("debug", PART, ("%s made, backend %s"):format(made.id, backend.name),
    { event = "sandbox.made", sandbox = made.id, backend = backend.name })
  made, err = recorded(made, nil, options)
  made, err = begun:settle(made, err)
  return guarded(made, policy), err
end

-- The function of a backend whose sandboxes are not this Lua state's; nil, err: there is none.
local function elsewhere(options, name)
  local found, err = backends.find(options.backend or "local")
  if not found then
    return nil, err
  end
  return found[name] or false
end

--- Another object for a sandbox of this Lua state, or for one of the account with
--- `backend = "e2b"`, which is resumed if it was paused; closing it leaves the sandbox running.
---@param id string
---@param options table? `backend`; `record` (path of a cassette); for "e2b" `audit`, `timeout`
---(300 s: it lives so long from now at least), `cwd`, `user`, and where it is
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err kind "not_found"
function create.connect(id, options)
  check.argument("connect", "id", id, "name")
  options = check.check("connect", options, CONNECT)
  local reach, err = elsewhere(options, "connect")
  if reach then
    local begun, joined
    begun, err = begin_seen("connect", options)
    if not begun then
      return nil, err
    end
    joined, err = reach(id, begun.options)
    joined, err = recorded(joined, err, options)
    return begun:settle(joined, err)
  elseif err then
    return nil, err
  end
  local found = living.find(id)
  if not found then
    return nil, errors.new("not_found", ("connect: there is no sandbox %s"):format(id))
  end
  if pause.is_paused(found) and not found:is_frozen() then
    local ok
    ok, err = pause.resume(found)
    if not ok then
      return nil, err
    end
  end
  local joined = recorded(found:_connect(), nil, options)
  return guarded(joined, found._policed_by)
end

local function matches(info, options)
  for name, value in pairs(options.metadata or {}) do
    if info.metadata[name] ~= value then
      return false
    end
  end
  return (not options.state or info.state == options.state)
    and (not options.backend or info.backend == options.backend)
end

--- The living sandboxes of this Lua state, oldest first, or with `backend = "e2b"` those of the
--- account, newest first.
---@param options table? `backend metadata state limit next`; for "e2b" `order` ("asc" or "desc"),
---`started_after` (RFC 3339), `template`, and where it is
---@return codecell.SandboxInfo[]? page with `next`, to be given to the next call, if there is more
---@return codecell.Error? err of "e2b"
function create.list(options)
  options = check.check("list", options, LIST)
  local ask, err = elsewhere(options, "list")
  if ask then
    return ask(options)
  elseif err then
    return nil, err
  end
  local page, skip = {}, tonumber(options.next) or 0
  local seen = 0
  for _, one in ipairs(living.all()) do
    local info = one:get_info()
    if matches(info, options) then
      seen = seen + 1
      if #page >= (options.limit or math.huge) then
        page.next = tostring(skip + #page)
        break
      elseif seen > skip then
        page[#page + 1] = info
      end
    end
  end
  return page
end

--- End a sandbox of this Lua state, or with `backend = "e2b"` one of the account.
---@param id string
---@param options table? `backend`, and for "e2b" where it is
---@return boolean? killed false if there was none
---@return codecell.Error? err of "e2b"
function create.kill(id, options)
  check.argument("kill", "id", id, "name")
  options = check.check("kill", options, KILL)
  local stop, err = elsewhere(options, "kill")
  if stop then
    return stop(id, options)
  elseif err then
    return nil, err
  end
  local found = living.find(id)
  return found ~= nil and found:kill()
end

local SETUP = {
  languages = { type = "table" },
  max_sandboxes = { type = "integer", least = 1, most = 100000 },
  name_servers = { type = "strings" },
  on_span = { type = "function" },
  package_cache = { type = "integer", least = 0, most = 2 ^ 50 },
}

--- Set defaults of this Lua state.
---@param options table `languages = {python = {program = "/path"}}`, `max_sandboxes` (1000),
---`name_servers` (those of the system; a list of addresses, with ":port" or without),
---`on_span` (called with each codecell.Span of sandboxes that are made from now on),
---`package_cache` (bytes of packages that are kept on this machine, 8 GiB), and every setting of
---`codecell.config`; `settings`: a function that is asked for each of those by its name first
---@return true
function create.setup(options)
  check.argument("setup", "options", options, "table")
  local ours, others = {}, {}
  for name, value in pairs(options) do
    (SETUP[name] and ours or others)[name] = value
  end
  check.check("setup", ours, SETUP)
  if next(others) ~= nil then
    require("codecell.config").keep(others)
  end
  for name, choice in pairs(options.languages or {}) do
    check.argument("setup", ("languages.%s"):format(tostring(name)), choice, "table",
      { fields = { program = { type = "text" } } })
  end
  if options.languages then
    languages.choose(options.languages)
  end
  settings.name_servers = options.name_servers and table.concat(options.name_servers, ",")
    or settings.name_servers
  if options.max_sandboxes then
    room.set(options.max_sandboxes)
  end
  if options.on_span then
    require("codecell.spans").tell_to(options.on_span)
    settings.has_spans = true
  end
  if options.package_cache then
    require("codecell.packages.cache").set_most(options.package_cache)
  end
  return true
end

return create
