--- Builders: sandboxes of their own in which an installer runs, once. Whatever it does, and
--- whatever the packages do while they are built, stays there: what leaves is one tar stream and a
--- list of names, and nobody on this machine follows either.
local cache = require "codecell.packages.cache"
local errors = require "codecell.errors"
local managers = require "codecell.packages.managers"
local reactor = require "codecell.reactor"
local tail = require "codecell.process.tail"

local builder = {}

local MIB = 2 ^ 20
local DISK = 2048 * MIB -- at least: wheels, what they unpack to, and what was installed
local MARGIN = 60 -- seconds that a builder outlives its installer by
local LOG_MOST = 65536 -- bytes that are kept of what an installer says
local SECRET_LEAST = 8 -- bytes of a value that is masked

---@class codecell.Build
---@field manager codecell.PackageManager
---@field way table how its interpreter is started
---@field request codecell.PackageRequest
---@field policy codecell.PackagePolicy
---@field source table where packages come from: `index`, `registry`
---@field envs table<string, string>
---@field timeout number seconds
---@field disk number bytes that the sandbox has which it is for
---@field template string? what that one was made from
---@field root string? the folder of a template that has its own programs

-- What of the variables of an install is shown nowhere.
local function split(envs)
  local plain, secret = {}, {}
  for name, value in pairs(envs) do
    local place = #value >= SECRET_LEAST and secret or plain
    place[name] = value
  end
  return plain, secret
end

local function open(build)
  local envs, secrets = split(build.envs)
  local disk = math.max(DISK, 3 * build.disk)
  return require("codecell.create").unlisted({
    timeout = math.min(build.timeout + MARGIN, 86400), template = build.template, envs = envs,
    secrets = next(secrets) and secrets or nil, packages = true,
    limits = { disk = disk, memory = disk + 2048 * MIB, processes = 512, files = 4096 },
  }, { policy = build.policy, source = build.source, most = build.disk })
end

local function give_files(sandbox, build)
  for _, file in ipairs(build.request.files) do
    local ok, err = sandbox.files:upload(file.path, managers.given .. "/" .. file.base)
    if not ok then
      return nil, err
    end
  end
  local list = build.manager.list and build.manager.list(build.request)
  if list then
    return sandbox.files:write(managers.given .. "/requirements.txt", list)
  end
  return sandbox.files:make_dir(managers.given) ~= nil
end

local function run(sandbox, build)
  local add, text = tail(LOG_MOST)
  local argv = build.manager.command(build.way, build.request, build.root)
  local result, err = sandbox.commands:run(argv,
    { timeout = build.timeout, cwd = "/home/user", on_stdout = add, on_stderr = add })
  return result, err, text()
end

-- ---- what went wrong ----

-- What the gateway noted.
local function record_of(sandbox)
  return require("codecell.packages").desk(sandbox).record
end

local function last_error(log)
  local found
  for line in log:gmatch("[^\n]+") do
    local text = line:match("^%s*ERROR:%s*(.+)$") or line:match("^npm E?R?R?!? ?error (.+)$")
      or line:match("^npm ERR! (.+)$") or line:match("^(/%S+: No module named .+)$")
    if text and not text:find("^A complete log") and not text:find("^code ") then
      found = found or text
    end
  end
  return found
end

-- What pip says of a package that cannot be built, in which all else is the package's to print: a
-- pattern over many blank lines would take the square of their number.
local function build_error(log)
  for line in log:gmatch("[^\n]+") do
    local reason = line:match("^%s*error:%s*(.+)$")
    if reason then
      return reason
    end
  end
end

-- Why the index did not give what was asked for, as far as the gateway knows.
local function of_gateway(sandbox)
  local record = record_of(sandbox)
  local refused, failed = record.refused[1], record.failed[1]
  if refused then
    return errors.new("denied_by_policy", ("install: %s: %s"):format(refused.name, refused.why),
      refused.allow)
  elseif failed then
    return errors.new(failed.kind or "unavailable", "install: " .. failed.message)
  end
end

local function no_installer(manager)
  if manager.name == "npm" then
    return errors.new("unsupported", "install: this Node.js has no npm",
      "install it: apt-get install npm")
  end
  return errors.new("unsupported", "install: this Python has no pip",
    "install it: apt-get install python3-pip")
end

local function explain(sandbox, build, result, log, missing)
  if result.timed_out then
    return errors.timeout("install", build.timeout)
  elseif log:find("No space left on device", 1, true) or log:find("ENOSPC", 1, true) then
    return errors.new("no_space", "install: the packages do not fit; raise limits.disk")
  elseif result.out_of_memory then
    return errors.new("out_of_memory", "install: the installer used more memory than it may")
  end
  local line = last_error(log)
  if line and line:find("No module named pip", 1, true) then
    return no_installer(build.manager)
  end
  local failure = of_gateway(sandbox)
  if failure then
    return failure
  elseif missing.text then
    return errors.new("not_found", missing.text)
  end
  local reason = build_error(log)
  return errors.new("system", "install: " .. (line
    or ("%s ended with status %s%s"):format(build.manager.name, tostring(result.exit_code),
      reason and ": " .. reason or "")))
end

-- ---- what became of each ----

local VERDICTS = {
  no_file = "%s: the index has nothing of it for this interpreter",
  not_found = "%s: the index has no such package",
  no_version = "%s: the index has no such version of it",
}

local function find_missing(sandbox, build, log)
  local missing = build.manager.missing(log, build.request)
  local record = record_of(sandbox)
  for name in pairs(record.not_found) do
    missing[name] = "not_found"
  end
  local names = require "codecell.packages.names"
  for _, one in ipairs(build.request:wanted()) do
    local verdict = missing[one.name]
    if verdict and not missing.text then
      local near = verdict == "not_found" and names.nearest(build.manager.name, one.name)
      missing.text = "install: " .. VERDICTS[verdict]:format(one.spec and one.spec.text or one.name)
        .. (near and ("; did you mean %q?"):format(near) or "")
    end
  end
  return missing
end

local function tell_failure(sandbox, build, result, log)
  local missing = find_missing(sandbox, build, log)
  local failure = explain(sandbox, build, result, log, missing)
  local list = {}
  for i, one in ipairs(build.request:wanted()) do
    list[i] = { name = one.name, status = missing[one.name] and "not_found"
      or record_of(sandbox).denied[one.name] and "denied" or "not_installed" }
  end
  return { packages = list, failure = failure }
end

local function tell_success(build, found)
  local about = { packages = {}, installed = {}, dependencies = found.dependencies }
  for i, one in ipairs(build.request:wanted()) do
    local own, other = found.own[one.name], found.all[one.name]
    about.packages[i] = { name = own and own.name or other and other.name or one.name,
      version = (own or other or {}).version, status = own and "installed" or "present" }
  end
  for _, one in pairs(found.own) do
    about.installed[#about.installed + 1] = one
  end
  table.sort(about.installed, function(left, right) return left.name < right.name end)
  return about
end

-- ---- out of it ----

local function pack(sandbox, build)
  local folder = build.manager.folder
  local writer, err = cache.create("layers")
  if not writer then
    return nil, err
  end
  local ok = true
  if sandbox.files:exists(folder) then
    local stream
    stream, err = sandbox.files:archive(folder)
    local piece
    while ok and stream do
      piece, err = stream:read()
      if not piece then
        break
      end
      ok, err = writer:write(piece)
      if ok and writer.size > build.disk then
        ok, err = nil, errors.new("no_space", ("install: the packages take more than the disk of "
          .. "the sandbox (%.0f MB); raise limits.disk"):format(build.disk / 1e6))
      end
    end
    if stream then
      stream:close()
    end
  else
    ok, err = writer:write(("\0"):rep(1024))
  end
  if not ok or err then
    writer:discard()
    return nil, err
  end
  return writer
end

local function build_in(sandbox, build)
  local ok, err = give_files(sandbox, build)
  if not ok then
    return nil, err
  end
  local result, problem, log = run(sandbox, build)
  if not result then
    return nil, problem.kind == "not_found" and no_installer(build.manager) or problem
  end
  local about, writer
  -- An installer that may not have what a version needs takes an older one.
  if result.exit_code ~= 0 or #record_of(sandbox).refused > 0 then
    about = tell_failure(sandbox, build, result, log)
  else
    local found
    found, err = build.manager.collect(sandbox, build.way)
    if not found then
      return nil, err
    end
    about = tell_success(build, found)
    sandbox.files:remove("node_modules/.package-lock.json")
    writer, err = pack(sandbox, build)
    if not writer then
      return nil, err
    end
  end
  about.log = log
  return about, writer
end

--- Install what is asked for, in a builder.
---@param build codecell.Build
---@return table? about `packages installed log seconds`; `failure` (codecell.Error) if it failed
---@return codecell.CacheWriter|codecell.Error|nil writer of the layer, whole; or err
function builder.run(build)
  local began = reactor.now()
  local sandbox, err = open(build)
  if not sandbox then
    err.message = "install: " .. err.message
    return nil, err
  end
  local about, writer = build_in(sandbox, build)
  sandbox:close()
  if about then
    about.seconds = reactor.now() - began
  elseif writer.message and not writer.message:find("^install: ") then
    writer.message = "install: " .. writer.message
  end
  return about, writer
end

return builder
