--- What `codecell doctor` looks at. A check is `{name =, status =, detail =,
--- remedy =}`; status is "ok", "missing" (needed and not there), "failed" (there
--- and not working) or "optional" (would add something, is not needed).
---
--- Whether a sandbox can be made is found by making one: settings and version
--- numbers only explain a failure.
local core = require "codecell.core"
local create = require "codecell.create"
local languages = require "codecell.languages"

local checks = {}

-- How to install a package by the name that each family of systems has for it.
local INSTALLERS = {
  { command = "apt install", systems = { "debian", "ubuntu" },
    packages = { pandas = "python3-pandas", matplotlib = "python3-matplotlib",
      numpy = "python3-numpy", python = "python3" } },
  { command = "dnf install", systems = { "fedora", "rhel", "centos" },
    packages = { pandas = "python3-pandas", matplotlib = "python3-matplotlib",
      numpy = "python3-numpy", python = "python3" } },
  { command = "pacman -S", systems = { "arch" },
    packages = { pandas = "python-pandas", matplotlib = "python-matplotlib",
      numpy = "python-numpy", python = "python" } },
  { command = "apk add", systems = { "alpine" },
    packages = { pandas = "py3-pandas", matplotlib = "py3-matplotlib",
      numpy = "py3-numpy", python = "python3" } },
}

local function read_line(path)
  local handle = io.open(path, "r")
  local line = handle and handle:read "*l"
  if handle then
    handle:close()
  end
  return line
end

local function is_system(names)
  local handle = io.open("/etc/os-release", "r")
  local text = handle and handle:read "*a" or ""
  if handle then
    handle:close()
  end
  local words = " " .. (text:match '\nID_LIKE="?([^"\n]*)' or "") .. " "
    .. (("\n" .. text):match '\nID="?([^"\n]*)' or "") .. " "
  for _, name in ipairs(names) do
    if words:find(" " .. name .. " ", 1, true) then
      return true
    end
  end
  return false
end

--- What to type to install something here.
---@param what "python"|"numpy"|"pandas"|"matplotlib"
---@return string
function checks.install(what)
  for _, installer in ipairs(INSTALLERS) do
    if is_system(installer.systems) then
      return installer.command .. " " .. installer.packages[what]
    end
  end
  return "install " .. INSTALLERS[1].packages[what] .. " with this system's package manager"
end

--- The Lua that runs this, and the system under it.
---@return table[] checks
function checks.host()
  local jit = rawget(_G, "jit")
  local interpreter = jit and jit.version or _VERSION
  return {
    { name = "lua", status = "ok", detail = interpreter },
    { name = "lua-cjson", status = "optional", detail = "not needed: JSON is built in" },
    { name = "kernel", status = "ok",
      detail = "Linux " .. (read_line "/proc/sys/kernel/osrelease" or "unknown") },
  }
end

-- The program that an AppArmor profile would have to name.
local function host_program()
  local line = read_line "/proc/self/maps"
  return line and line:match "%s(/%S.*)$"
end

local function apparmor_remedy()
  local program = host_program() or "/usr/bin/lua5.4"
  return ("write /etc/apparmor.d/codecell with these lines, then run"
    .. " 'apparmor_parser -r /etc/apparmor.d/codecell' as root:\n"
    .. "abi <abi/4.0>,\nprofile codecell %s flags=(unconfined) {\n  userns,\n}"):format(program)
end

-- Settings that are known to forbid namespaces, asked only after a failure.
local SETTINGS = {
  { path = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", forbids = "1",
    remedy = apparmor_remedy },
  { path = "/proc/sys/kernel/unprivileged_userns_clone", forbids = "0",
    remedy = "sysctl kernel.unprivileged_userns_clone=1" },
  { path = "/proc/sys/user/max_user_namespaces", forbids = "0",
    remedy = "sysctl user.max_user_namespaces=10000" },
  { path = "/proc/sys/vm/memfd_noexec", forbids = "2",
    remedy = "sysctl vm.memfd_noexec=1" },
}

local function explain(err)
  for _, setting in ipairs(SETTINGS) do
    if read_line(setting.path) == setting.forbids then
      local remedy = setting.remedy
      return type(remedy) == "function" and remedy() or remedy
    end
  end
  return err.hint
end

--- Whether a sandbox could be made.
---@param sandbox codecell.Sandbox?
---@param err codecell.Error? why not
---@return table check
function checks.isolation(sandbox, err)
  if sandbox then
    return { name = "sandbox", status = "ok",
      detail = "namespaces, seccomp and limits: isolation by the "
        .. sandbox:get_info().isolation }
  end
  local where = err.stage and (" (step %q%s)"):format(err.stage,
    err.errno and ", errno " .. err.errno or "") or ""
  return { name = "sandbox", status = "failed", detail = tostring(err) .. where,
    remedy = explain(err) }
end

local LIMITS = { "memory", "processes", "cpu", "disk", "files" }
local EXACT = { cgroup2 = true, cgroup1 = true, rlimit = true, tmpfs = true }

--- How each limit is kept.
---@param sandbox codecell.Sandbox
---@return table[] checks
function checks.limits(sandbox)
  local found = {}
  local limits = sandbox:get_info().limits
  for _, name in ipairs(LIMITS) do
    local limit = limits[name]
    local by = limit and limit.by or "none"
    local check = { name = "limit " .. name, status = EXACT[by] and "ok" or "optional",
      detail = by == "none" and "not kept" or "kept by " .. by }
    if not EXACT[by] then
      check.remedy = core.uid() == 0
        and "mount a cgroup that can be written, with memory, pids and cpu, at /sys/fs/cgroup"
        or "run the host in a systemd service with Delegate=yes, or as root"
    end
    found[#found + 1] = check
  end
  return found
end

local function landlock(version)
  if version > 0 then
    return { name = "landlock", status = "ok", detail = "version " .. version }
  end
  return { name = "landlock", status = "optional",
    detail = "the kernel has none; the other walls stand",
    remedy = "a kernel from 5.13 on with landlock in the boot option lsm=" }
end

local function groups(count)
  if count == 0 then
    return { name = "groups", status = "ok", detail = "none of the host's stay with the code" }
  end
  return { name = "groups", status = "optional",
    detail = ("%d of the host's stay with the code; only root can drop them"):format(count),
    remedy = "run the host as root, or as a user without further groups" }
end

--- What the first process inside found.
---@param sandbox codecell.Sandbox
---@return table[] checks
function checks.walls(sandbox)
  local hello = sandbox:_hello()
  return { landlock(hello.landlock_abi), groups(hello.groups_kept) }
end

-- Makes the folder; temporary ones of others may be on a file system that cannot.
local function try_overlay(folder)
  local made, err = core.host_directory(folder, true)
  local sandbox
  if made then
    made:close()
    sandbox, err = create.create {
      mounts = { { host = folder, path = "/work", mode = "overlay" } },
    }
    os.remove(folder)
  end
  if sandbox then
    sandbox:close()
  end
  return sandbox ~= nil, err
end

--- Whether a folder of this machine can be given under an overlay.
---@return table check
function checks.overlay()
  local folder = os.tmpname()
  os.remove(folder)
  local ok, err = try_overlay(folder)
  if ok then
    return { name = "overlay", status = "ok",
      detail = "code can change a folder of yours without touching it (mounts)" }
  end
  return { name = "overlay", status = "optional", detail = tostring(err), remedy = err.hint }
end

-- Without importing anything: an import of pandas would take a second.
local PROBE = [[
import importlib.util, sys
print(sys.version.split()[0])
for name in ("numpy", "pandas", "matplotlib"):
    print(name, importlib.util.find_spec(name) is not None)
]]

--- The languages' interpreters and libraries, asked inside the sandbox.
---@param sandbox codecell.Sandbox
---@return table[] checks
function checks.inside(sandbox)
  local execution, err = sandbox:run_code(PROBE)
  local output = execution and table.concat(execution.logs.stdout) or ""
  local version = output:match "^%S+"
  if not execution or execution.error or not version then
    local problem = err or execution.error
    local missing = err and (err.kind == "not_found" or err.kind == "unsupported")
    local remedy = err and err.hint or checks.install "python"
    local detail = err and tostring(err) or problem and problem.name or "no answer"
    if detail:sub(-#remedy - 2) == "; " .. remedy then
      detail = detail:sub(1, -#remedy - 3)
    end
    return { { name = "python", status = missing and "missing" or "failed", detail = detail,
      remedy = remedy } }
  end
  local found = { { name = "python", status = "ok", detail = "Python " .. version } }
  for name, there in output:gmatch "(%l+) (%u%l+)" do
    if there == "True" then
      found[#found + 1] = { name = name, status = "ok", detail = "can be imported inside" }
    else
      found[#found + 1] = { name = name, status = "optional",
        detail = "cannot be imported inside", remedy = checks.install(name) }
    end
  end
  return found
end

local function names()
  local loaded, err = require("codecell.network").names()
  if loaded then
    return { name = "c-ares", status = "ok", detail = "networks by name can be had" }
  end
  return { name = "c-ares", status = "optional", detail = "no network can be given to a sandbox",
    remedy = err.hint }
end

local function http()
  local ready, err = require("codecell.network.handover").prepare()
  if ready then
    return { name = "HTTP", status = "ok", detail = "rules of networks and packages can be had" }
  end
  return { name = "HTTP", status = "optional",
    detail = "no rules of networks and no packages can be given to a sandbox", remedy = err.hint }
end

--- The languages that code can be in.
---@return table[] checks
function checks.languages()
  return { { name = "languages", status = "ok",
    detail = table.concat(languages.available(), " ")
      .. "; 'codecell languages' has the others" } }
end

--- Whether E2B takes the key of the environment, by one request that changes nothing.
---@return table check
function checks.e2b()
  local ok, err = require("codecell").e2b.account():check()
  if ok then
    local is_cloud = require("codecell.e2b.settings").resolve("check").is_cloud
    return { name = "E2B account", status = "ok", detail = "the key is taken" },
      is_cloud and "microvm" or nil
  end
  return { name = "E2B account", status = err.kind == "unauthenticated" and "missing" or "failed",
    detail = tostring(err) }
end

-- What the environment says to the service, and whether all of it can be read.
local function configuration()
  local found, err = require("codecell.config").get()
  if not found then
    return { name = "configuration", status = "failed", detail = tostring(err),
      remedy = "'codecell config' names every variable" }
  end
  local detail = ("mode %s of a service%s"):format(found.mode,
    found.is_chosen and "" or ", since none is named")
  if found.mode == "production" and not found.api_key then
    return { name = "configuration", status = "missing",
      detail = detail .. ": No E2B_API_KEY provided", remedy = "set E2B_API_KEY" }
  end
  return { name = "configuration", status = "ok",
    detail = detail .. (found.warnings[1] and "; " .. found.warnings[1] or "") }
end

--- What a network would need; and other backends: the local one needs none of it.
---@param account table? what is known of the account of E2B
---@return table[] checks
function checks.others(account)
  return {
    configuration(),
    names(),
    http(),
    { name = "container engine", status = "optional", detail = "not needed: no docker, no daemon",
      remedy = "of a service, without Docker: E2B_MODE=local and E2B_LOCAL_USE_DOCKER=false" },
    account
      or { name = "E2B account", status = "optional", detail = "not needed: no key, no network" },
  }
end

return checks
