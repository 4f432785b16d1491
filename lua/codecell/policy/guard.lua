--- A sandbox under a policy: every verb of it that does something is asked for first.
---
--- What is given to users is a table in front of the sandbox: the library itself works with what is
--- behind it, so that nobody is asked about what an installer or a compiler writes.
local merged = require "codecell.merged"
local mounts = require "codecell.project.mounts"
local network = require "codecell.network"
local package_names = require "codecell.policy.package_names"
local package_request = require "codecell.packages.request"
local sorted = require "codecell.sorted"

local guard = {}

local unpack = require "codecell.unpack"

-- ---- what code can reach ----

--- What those who are asked are told of it.
---@param real codecell.Sandbox
---@return {network: any, mounts: codecell.Mount[], packages: any}
function guard.touches(real)
  local about, given = real._about, real._given
  return { network = about and about.network and network.shown(about.network),
    mounts = real._mounts and mounts.list(real) or {}, packages = given and given.packages }
end

-- ---- what is wider than a rule ----

-- Add what rules deny to a list of what is denied: a wider entry that is allowed must not include
-- it. nil, err where the list cannot say it.
local function narrowed(policy, request, field, given, can_say, advice)
  local denied, copy = policy:_denied(request.verb, field), {}
  if #denied == 0 then
    return given
  end
  given = given == "open" and { allow = given } or given == true and {} or given
  for name, value in pairs(given) do
    copy[name] = value
  end
  copy.deny = { unpack(given.deny or {}) }
  for _, one in ipairs(denied) do
    if one.pattern == "*" then
      return policy:_refuse(request, one.rule)
    elseif not can_say(one.pattern) then
      return policy:_refuse(request, ("%s, which cannot be kept from what code does itself: %s")
        :format(one.rule, advice))
    end
    copy.deny[#copy.deny + 1] = one.pattern
  end
  return copy
end

local function is_network_entry(pattern)
  return not pattern:gsub("^%*%.", ""):find("[*?]")
end

local function is_name(pattern)
  return not pattern:find("[*?]")
end

local function hosts_of(given)
  local allow = type(given) == "table" and given.allow or given
  if allow == "open" then
    return { "*" }
  end
  return type(allow) == "table" and allow or {}
end

-- The network that may be had of one that is wanted, or nil, err.
local function permit_network(policy, what, given)
  local hosts = hosts_of(given)
  if #hosts == 0 then
    return given
  end
  local request = { verb = "net", what = what, host = hosts }
  local ok, err = policy:permit(request)
  if not ok then
    return nil, err
  end
  return narrowed(policy, request, "host", given, is_network_entry,
    "write \"name\" or \"*.name\" in it")
end

-- The same of packages that code may install itself.
local function permit_packages(policy, what, given)
  if not given then
    return given
  end
  local fields = type(given) == "table" and given or {}
  local request = { verb = "install", what = what, package = fields.allow or { "*" } }
  local ok, err = policy:permit(request)
  if not ok then
    return nil, err
  end
  return narrowed(policy, request, "package", given, is_name, "write names without \"*\" in it")
end

local function permit_envs(policy, what, envs, secrets)
  local names = sorted(merged(envs, secrets))
  if #names == 0 then
    return true
  end
  return policy:permit({ verb = "env", what = what, env = names })
end

local function writable(given)
  local paths = {}
  for _, mount in ipairs(given or {}) do
    if mount.mode == "write" then
      paths[#paths + 1] = mount.path
    end
  end
  return paths
end

--- What may be had of what a sandbox is to be created with. Where nothing below the home may be
--- written it cannot be.
---@param policy codecell.Policy
---@param given table checked options of create
---@return table? options
---@return codecell.Error? err kind "denied_by_policy"
function guard.admit(policy, given)
  local wanted = merged(given)
  local ok, err = permit_envs(policy, "create", given.envs, given.secrets)
  local paths = writable(given.mounts)
  if ok and #paths > 0 then
    ok, err = policy:permit({ verb = "write", what = "create", path = paths, is_deep = true })
  end
  if ok and given.gpu then
    ok, err = policy:permit({ verb = "gpu", what = "create" })
  end
  if ok and given.network then
    wanted.network, err = permit_network(policy, "create", given.network)
    ok = wanted.network
  end
  if ok and given.packages then
    wanted.packages, err = permit_packages(policy, "create", given.packages)
    ok = wanted.packages
  end
  if not ok then
    return nil, err
  end
  local backend = given.backend or "local"
  if backend == "local" and policy:decide({ verb = "write", path = "~" }) == "deny" then
    wanted.read_only = true
  end
  return wanted
end

-- ---- verbs ----

-- Those of each part: they get the policy, what is behind, and the arguments; they answer the
-- arguments that the verb is called with, or nil, err.
local verbs = { sandbox = {}, commands = {}, files = {}, git = {}, pty = {} }

local function packed(...)
  return { n = select("#", ...), ... }
end

local function language_of(real, given)
  local context = given.context
  if type(context) == "string" then
    for _, one in ipairs(real:list_code_contexts() or {}) do
      if one.id == context then
        return one.language
      end
    end
  end
  return type(context) == "table" and context.language or given.language or "python"
end

local function code_verb(what)
  return function(policy, real, code, given)
    local how = given or {}
    if type(code) ~= "string" or type(how) ~= "table" then
      return packed(code, given) -- which raises
    end
    local ok, err = permit_envs(policy, what, how.envs)
    if ok and type(how.packages) == "table" and #how.packages > 0 then
      ok, err = policy:permit({ verb = "install", what = what, package = how.packages,
        language = language_of(real, how) })
    end
    if ok then
      ok, err = policy:permit({ verb = "run", what = what, code = code,
        language = language_of(real, how), touches = guard.touches(real) })
    end
    if not ok then
      return nil, err
    end
    return packed(type(ok) == "table" and ok.code or code, given)
  end
end

verbs.sandbox.run_code = code_verb("run_code")
verbs.sandbox.start_code = code_verb("start_code")

-- What is asked for by name, also by a file or by a list in a file; as it was said where that is
-- none of it, and `install` refuses it.
local function packages_of(list, given)
  local named, requirements = type(list) == "table" and list or { list }, given.requirements
  for _, name in ipairs(named) do
    if type(name) ~= "string" then
      return named -- which raises
    end
  end
  local manager = package_names.manager_of({ language = given.language or "python" })
  local asked = manager and (requirements == nil or type(requirements) == "string")
    and package_request.new(manager, named, requirements)
  if not asked then
    return named
  end
  local names = {}
  for i, one in ipairs(asked:wanted()) do
    names[i] = one.spec and one.spec.text or one.name
  end
  return names
end

function verbs.sandbox.install(policy, _, list, given)
  local how = type(given) == "table" and given or {}
  local ok, err = permit_envs(policy, "install", how.envs)
  if ok then
    ok, err = policy:permit({ verb = "install", what = "install",
      package = packages_of(list, how), language = how.language or "python" })
  end
  if not ok then
    return nil, err
  end
  return packed(list, given)
end

function verbs.sandbox.update_network(policy, _, given)
  local wanted, err = permit_network(policy, "update_network", given)
  if wanted == nil and err then
    return nil, err
  end
  return packed(wanted)
end

function verbs.sandbox.set_envs(policy, _, envs)
  local ok, err = true, nil
  if type(envs) == "table" then
    ok, err = permit_envs(policy, "set_envs", envs)
  end
  return ok and packed(envs), err
end

function verbs.sandbox.expose(policy, _, name, ...)
  local ok, err = policy:permit({ verb = "expose", what = "expose", name = tostring(name) })
  return ok and packed(name, ...), err
end

function verbs.sandbox.fork(policy, _, given)
  local ok, err = permit_envs(policy, "fork", type(given) == "table" and given.envs or nil)
  return ok and packed(given), err
end

-- What it writes to is a folder of this machine.
function verbs.sandbox.apply(policy, _, given)
  local paths = type(given) == "table" and given.paths or "/"
  local ok, err = policy:permit({ verb = "write", what = "apply", path = paths, is_deep = true })
  return ok and packed(given), err
end

-- Whoever has the address needs nothing else.
for name, verb in pairs({ download_url = "read", upload_url = "write" }) do
  verbs.sandbox[name] = function(policy, _, path, ...)
    local ok, err = true, nil
    if type(path) == "string" then
      ok, err = policy:permit({ verb = verb, what = name, path = path })
    end
    return ok and packed(path, ...), err
  end
end

-- ---- programs ----

local function permit_command(policy, real, what, cmd)
  return policy:permit({ verb = "shell", what = what, language = "bash",
    touches = guard.touches(real),
    code = type(cmd) == "table" and table.concat(cmd, " ") or cmd })
end

function verbs.commands.run(policy, real, cmd, given)
  local ok, err = permit_envs(policy, "run", type(given) == "table" and given.envs or nil)
  if ok then
    ok, err = permit_command(policy, real, "run", cmd)
  end
  if not ok then
    return nil, err
  end
  return packed(type(ok) == "table" and ok.code or cmd, given)
end

function verbs.pty.create(policy, real, given)
  local how = type(given) == "table" and given or {}
  local ok, err = permit_envs(policy, "create", how.envs)
  if ok then
    ok, err = permit_command(policy, real, "create", how.cmd)
  end
  if type(ok) == "table" then
    return packed(merged(how, { cmd = ok.code }))
  end
  return ok and packed(given), err
end

-- What is edited would not be what is run: git is let through as it is, or not at all.
for _, verb in ipairs({ "clone", "init", "add", "commit", "push", "pull", "status", "branches",
  "create_branch", "checkout_branch", "delete_branch", "reset", "restore", "remote_add",
  "remote_get", "set_config", "get_config", "diff" }) do
  verbs.git[verb] = function(policy, real, ...)
    local words, given = { "git", verb }, {}
    for i = 1, select("#", ...) do
      local word = select(i, ...)
      words[#words + 1] = type(word) == "string" and word or nil
      given = type(word) == "table" and word or given -- options come last
    end
    local ok, err = permit_envs(policy, "git", given.envs)
    if ok then
      ok, err = permit_command(policy, real, "git", words)
    end
    if type(ok) == "table" then
      return policy:_refuse({ verb = "shell", what = "git" },
        "an approval with other code: there is none in it to be changed")
    end
    return ok and packed(...), err
  end
end

-- ---- files ----

local function paths_of(what)
  if type(what) ~= "table" then
    return what
  end
  local list = {}
  for i, one in ipairs(what.path and { what } or what) do
    list[i] = type(one) == "table" and one.path or one
  end
  return list
end

local function file_verb(name, verb, is_deep, index)
  verbs.files[name] = function(policy, _, ...)
    local path = paths_of((select(index or 1, ...)))
    if type(path) ~= "string" and type(path) ~= "table" then
      return packed(...) -- which raises
    end
    local ok, err = policy:permit({ verb = verb, what = name, path = path, is_deep = is_deep })
    return ok and packed(...), err
  end
end

file_verb("read", "read")
file_verb("exists", "read")
file_verb("get_info", "read")
file_verb("list", "read", true)
file_verb("watch_dir", "read", true)
file_verb("archive", "read", true)
file_verb("download", "read", true)
file_verb("write", "write")
file_verb("write_files", "write")
file_verb("make_dir", "write")
file_verb("remove", "write", true)
file_verb("upload", "write", true, 2)

function verbs.files.rename(policy, _, old, new)
  if type(old) ~= "string" or type(new) ~= "string" then
    return packed(old, new)
  end
  local ok, err = policy:permit({ verb = "write", what = "rename", path = { old, new },
    is_deep = true })
  return ok and packed(old, new), err
end

-- ---- the table in front ----

local function in_front(policy, real, part, owner)
  local methods = {}
  local self = {}
  for name, check in pairs(verbs[part]) do
    local called = real[name]
    methods[name] = called and function(_, ...)
      local arguments, err = check(policy, owner, ...)
      if not arguments then
        return nil, err
      end
      return called(real, unpack(arguments, 1, arguments.n))
    end
  end
  return setmetatable(self, {
    __index = function(_, name)
      local method = methods[name]
      if method == nil then
        method = real[name]
        if type(method) == "function" then
          local called = method
          method = function(_, ...)
            return called(real, ...)
          end
          methods[name] = method
        end
      end
      return method
    end,
    __newindex = function(_, name, value)
      real[name] = value
    end,
    __close = function()
      real:close()
    end,
    __tostring = function()
      return tostring(real)
    end,
  }), methods
end

--- The sandbox that users of the policy are given.
---@param real codecell.Sandbox
---@param policy codecell.Policy
---@return codecell.Sandbox
function guard.sandbox(real, policy)
  real._policed_by = policy -- for those who connect to it
  local front, methods = in_front(policy, real, "sandbox", real)
  for _, part in ipairs({ "commands", "files", "git", "pty" }) do
    methods[part] = real[part] and in_front(policy, real[part], part, real)
  end
  local fork = methods.fork
  methods.fork = fork and function(self, given)
    local copy, err = fork(self, given)
    return copy and guard.sandbox(copy, policy), err
  end
  return front
end

return guard
