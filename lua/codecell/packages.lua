--- Packages: what a sandbox may have of them, and installing them into it.
---
--- `install` works whatever the network of the sandbox is: a builder, a sandbox of its own, runs
--- the installer; what it installed is kept as a layer of this machine and laid out in the
--- sandbox. An equal request later is the same layer again: nothing is downloaded, nothing is run.
local cache = require "codecell.packages.cache"
local core = require "codecell.core"
local desk = require "codecell.packages.desk"
local errors = require "codecell.errors"
local managers = require "codecell.packages.managers"
local network = require "codecell.network"
local options = require "codecell.options"
local policy = require "codecell.packages.policy"
local reactor = require "codecell.reactor"
local request = require "codecell.packages.request"
local secrets = require "codecell.secrets"
local sources = require "codecell.packages.sources"
local wait = require "codecell.wait"

local packages = {}

local HOME = "/home/user"
local TIMEOUT = 600 -- seconds
local FRESH = 7 * 86400 -- seconds that a layer counts for a request which does not name versions
local TAIL = 4096 -- bytes of the log that an event has
local LIST_MOST = 10000 -- directories of packages that are looked at

---@class codecell.InstalledPackage
---@field name string
---@field version string? nil: it is not there
---@field status "installed"|"present"|"not_found"|"denied"|"not_installed" present: it was there
---already, as a package of the system

---@class codecell.Installation
---@field success true
---@field packages codecell.InstalledPackage[] what was asked for, in that order
---@field installed {name: string, version: string}[] all that is there now of its kind, with what
---those packages need
---@field log string what the installer said, at most the last 64 KiB
---@field seconds number
---@field cached boolean it had been installed on this machine before

-- ---- what a sandbox is created with ----

--- What `create` makes of its option.
---@param given boolean|table|nil checked by the rule
---@return {policy: codecell.PackagePolicy, source: table}
function packages.offer(given)
  local made = policy.new(given)
  return { policy = made, source = sources.new(made) }
end

--- Raise what is wrong with the option beyond its types.
---@param verb string for messages
---@param given table
---@param level integer stack level to blame, as `error` counts
function packages.check(verb, given, level)
  for _, name in ipairs({ "index", "registry" }) do
    if given[name] and not sources.is_address(given[name]) then
      error(("%s: packages.%s: https://name/path/ expected"):format(verb, name), level + 1)
    end
  end
  for language, list in pairs(packages.to_install(given)) do
    options.argument(verb, "packages.install", language, "name", nil, level + 2)
    options.argument(verb, "packages.install." .. language, list, "strings", nil, level + 2)
  end
end

--- What is installed at create, by language.
---@param given table
---@return table<string, string[]>
function packages.to_install(given)
  local list = given.install or {}
  return list[1] ~= nil and { python = list } or list
end

--- What a sandbox may have, and had.
---@param sandbox codecell.Sandbox
---@return codecell.PackageDesk
function packages.desk(sandbox)
  local owner = sandbox._owner
  if not owner._packages then
    local given = owner._given or {}
    owner._packages = desk.new(owner, given.offer or packages.offer(given.packages))
  end
  return owner._packages
end

--- Answer a request of an installer inside. Nothing here holds the sandbox while it waits.
---@param asked codecell.IncomingRequest with the sandbox in `about`
function packages.answer(asked)
  asked:end_with_client()
  return require("codecell.packages.gateway").serve(packages.desk(asked.about.sandbox), asked)
end

--- Let a sandbox that has a copy of another's files know what was installed there.
---@param from codecell.Sandbox
---@param to codecell.Sandbox
function packages.copy(from, to)
  local asked = packages.desk(to).asked
  for manager, before in pairs(packages.desk(from).asked) do
    asked[manager] = before
  end
end

--- The variables by which installers inside find their index.
---@param root string? the folder of a template that has its own programs
---@return table<string, string>
function packages.needs(root)
  return managers.needs(root)
end

-- ---- checks ----

local INSTALL = {
  envs = { type = "envs" },
  fresh = { type = "boolean" },
  language = { type = "name" },
  requirements = { type = "text" },
  timeout = { type = "number", above = 0, most = 86400 },
}

local function check_list(list, given)
  if type(list) == "string" then
    list = { list }
  end
  options.argument("install", "packages", list, "strings", nil, 4)
  if #list == 0 and not given.requirements then
    error("install: at least one package expected", 3)
  end
  return list
end

local function denied(sandbox, name, why, allow)
  network.refuse(sandbox, { host = name, port = 0, why = "package", detail = why, allow = allow,
    times = 1 })
  return nil, errors.new("denied_by_policy", ("install: %s: %s"):format(name, why),
    allow and "allow it with " .. allow or nil)
end

-- Nothing is started for what may not be had.
local function check_allowed(sandbox, manager, wanted)
  local about = packages.desk(sandbox).policy
  for i, one in ipairs(wanted) do
    local why, allow = about:refusal(manager.name, one.name)
    if why then
      local _, err = denied(sandbox, one.name, why, allow)
      err.packages = {}
      for j, other in ipairs(wanted) do
        err.packages[j] = { name = other.name, status = j == i and "denied" or "not_installed" }
      end
      return nil, err
    end
  end
  return true
end

-- ---- the interpreter ----

local function describe(entry)
  return entry and ("%s %.0f %.0f"):format(entry.path, entry.size, entry.modified_time) or ""
end

-- What decides beside the request what an installer does: which interpreter it is, and what it has
-- already. Directories of packages change their time when one comes or goes.
local function fingerprint(sandbox, way)
  local files, list = sandbox.files, { way.program, describe(sandbox.files:get_info(way.program)) }
  local prefix = way.program:match("^(.*)/bin/[^/]+$") or "/usr"
  for _, base in ipairs({ prefix, "/usr", "/usr/local" }) do
    for _, entry in ipairs(files:list(base .. "/lib") or {}) do
      if #list < LIST_MOST and entry.name:find("^python3") then
        for _, kind in ipairs({ "/site-packages", "/dist-packages" }) do
          list[#list + 1] = describe(files:get_info(entry.path .. kind))
        end
      end
    end
  end
  return table.concat(list, "\n")
end

-- ---- layers ----

local flights = {} -- by key: builds that go on now

local function is_stale(about, request_made)
  return not request_made:is_pinned() and os.time() - about.made_at > FRESH
end

local function find_layer(key, request_made, fresh)
  if fresh then
    return nil
  end
  local about, stream = cache.layer(key)
  if about and is_stale(about, request_made) then
    stream:close()
    return nil
  end
  return about, stream
end

-- Build the layer. What failed is told too, and not kept.
local function build_layer(key, build)
  local about, writer = require("codecell.packages.builder").run(build)
  if not about then
    return nil, writer
  elseif about.failure then
    return about
  end
  local ok, err = cache.keep_layer(writer, key, about)
  if not ok then
    return nil, err
  end
  return about
end

-- Two that want the same wait for one build. Whoever builds may be cancelled: the other does it.
local function get_layer(key, build, fresh)
  local deadline = wait.deadline(build.timeout)
  while true do
    local about, stream = find_layer(key, build.request, fresh)
    if about then
      return about, stream, true
    end
    local flight = flights[key]
    if not flight then
      break
    end
    if not wait.key(flight, deadline) then
      return nil, wait.failure("install", build.timeout)
    end
    if flight.about then -- it failed, and would fail again
      return flight.about
    end
    fresh = false
  end
  local flight = {}
  flights[key] = flight
  local ok, about, err = wait.call(build_layer, key, build)
  flights[key] = nil
  flight.about = ok and about and about.failure and about
  reactor.wake(flight)
  if not ok then
    error(about, 0)
  elseif not about or about.failure then
    return about, err
  end
  local _, stream = cache.layer(key)
  if not stream then
    return nil, errors.new("no_space", "install: what was installed could not be kept; make room "
      .. "for the cache of packages, or raise package_cache in setup")
  end
  return about, stream, false
end

-- ---- into the sandbox ----

-- What a version that is replaced has left would be taken for a part of the new one.
local function remove_replaced(sandbox, manager, about)
  if manager.name ~= "pip" then
    return true
  end
  return require("codecell.packages.replaced").remove(sandbox, about.installed)
end

local function check_room(sandbox, about)
  local used = sandbox._backend.ask(sandbox, "install", "metrics")
  if used and used.disk_used + about.size > used.disk_total then
    return nil, errors.new("no_space",
      ("install: the packages take %.0f MB, and the disk of the sandbox has %.0f MB left; raise "
        .. "limits.disk"):format(about.size / 1e6, (used.disk_total - used.disk_used) / 1e6))
  end
  return true
end

local IN_THE_WAY = { [core.errno.ENOTDIR] = true, [core.errno.EISDIR] = true,
  [core.errno.ELOOP] = true }

-- Nothing is written through a link that code has made.
local function unpack_layer(sandbox, manager, stream)
  local ok, err = sandbox._backend.ask(sandbox, "install", "unpack", HOME, stream)
  if not ok and IN_THE_WAY[err.errno] then
    err.message = ("install: %s; a link or a file of the sandbox is where a directory below "
      .. "%s/%s belongs: remove it"):format((err.message:gsub("^install: ", "")), HOME,
        manager.folder)
  end
  return ok, err
end

local function lay_out(sandbox, manager, about, stream)
  local ok, err = check_room(sandbox, about)
  if ok then
    ok, err = remove_replaced(sandbox, manager, about)
  end
  if ok then
    ok, err = unpack_layer(sandbox, manager, stream)
  end
  if ok and about.dependencies then
    ok, err = require("codecell.packages.replaced").note_npm(sandbox, about.dependencies)
  end
  return ok, err
end

-- ---- the verb ----

local function tell(sandbox, manager, request_made, outcome, err)
  local texts = { manager.name, "install" }
  for _, one in ipairs(request_made:wanted()) do
    texts[#texts + 1] = one.spec and one.spec.text or one.file.base
  end
  network.event(sandbox, {
    type = "install", manager = manager.name,
    command = table.concat(texts, " "), packages = outcome.packages or {},
    seconds = outcome.seconds or 0, success = err == nil, cached = outcome.cached or false,
    log = (outcome.log or ""):sub(-TAIL), message = err and err.message,
  })
end

local function new_build(sandbox, manager, way, asked, given)
  local at = packages.desk(sandbox)
  local envs, source = sources.take(at.source, given.envs or {})
  if not envs then
    return nil, source
  end
  return {
    manager = manager, way = way, request = asked:after(at.asked[manager.name]),
    policy = at.policy, source = source, envs = envs, timeout = given.timeout or TIMEOUT,
    disk = sandbox._limits.disk, template = sandbox._given.template_handle, root = sandbox._root,
  }
end

local function canonical(envs)
  local list = {}
  for name, value in pairs(envs) do
    list[#list + 1] = ("%d %s=%s"):format(#name + #value, name, value)
  end
  table.sort(list)
  return table.concat(list, "\n")
end

local function key_of(sandbox, build)
  return build.request:key(fingerprint(sandbox, build.way),
    sources.canonical(build.source, build.manager.name),
    build.policy:canonical(build.manager.name), canonical(build.envs),
    sandbox._given.template_id or "", sandbox._root or "")
end

local function finish(sandbox, about, cached, began)
  return { success = true, packages = about.packages, installed = about.installed,
    log = secrets.hide(sandbox, about.log), seconds = reactor.now() - began, cached = cached }
end

local function run(sandbox, manager, way, asked, given)
  local began = reactor.now()
  local build, err = new_build(sandbox, manager, way, asked, given)
  if not build then
    return nil, err
  end
  local about, stream, cached = get_layer(key_of(sandbox, build), build, given.fresh)
  if not about then
    err = stream
  elseif about.failure then
    err = about.failure
    err.packages, err.log = about.packages, secrets.hide(sandbox, about.log)
  else
    local ok
    ok, err = lay_out(sandbox, manager, about, stream)
    stream:close()
    if ok then
      packages.desk(sandbox).asked[manager.name] = build.request
      return finish(sandbox, about, cached, began)
    end
  end
  return nil, err, reactor.now() - began
end

-- Of what was asked for now; the layer may hold more from before.
local function of_these(list, asked)
  local wanted, found = {}, {}
  for _, one in ipairs(asked:wanted()) do
    wanted[one.name] = true
  end
  local plain = require("codecell.packages.names").plain_python
  for _, one in ipairs(list or {}) do
    if wanted[one.name] or wanted[plain(one.name)] or wanted[one.name:lower()] then
      found[#found + 1] = one
    end
  end
  return found
end

--- Install what `create` was asked to.
---@param sandbox codecell.Sandbox
---@param given table the option
---@return true? done
---@return codecell.Error? err
function packages.begin(sandbox, given)
  for language, list in pairs(packages.to_install(given)) do
    local done, err = packages.install(sandbox, list, { language = language })
    if not done then
      return nil, err
    end
  end
  return true
end

--- See `Sandbox:install`.
---@param sandbox codecell.Sandbox
---@param list string|string[]
---@param given table?
---@return codecell.Installation? result
---@return codecell.Error? err
function packages.install(sandbox, list, given)
  given = options.check("install", given, INSTALL, 4)
  list = check_list(list, given)
  local refusal = wait.refusal("install")
  if refusal then
    return nil, refusal
  end
  local manager, way = managers.find(given.language, sandbox._root)
  if not manager then
    return nil, way
  end
  local asked, err = request.new(manager.name, list, given.requirements)
  if not asked then
    return nil, err
  end
  local ok, result, seconds
  ok, err = check_allowed(sandbox, manager, asked:wanted())
  if ok then
    result, err, seconds = run(sandbox, manager, way, asked, given)
  end
  local told = result or err
  told.packages = told.packages and of_these(told.packages, asked)
  tell(sandbox, manager, asked, result or { packages = err.packages, log = err.log,
    seconds = seconds }, not result and err or nil)
  return result, err
end

return packages
