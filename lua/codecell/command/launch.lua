--- The sandbox that a command works in: its options, its creation, its failures.
local backends = require "codecell.backend"
local codecell = require "codecell"
local command = require "codecell.command"
local config = require "codecell.config"
local folders = require "codecell.command.folders"
local sorted = require "codecell.sorted"
local terminal = require "codecell.command.terminal"

local launch = {
  day = 86400, -- seconds, the longest life of a sandbox
}

-- What a sandbox may outlive the code's own time by.
local MARGIN = 30
local INSTALL = 600 -- seconds that an installation may take
local TIMEOUT_DEFAULT = 300

--- The options that every command with a sandbox takes.
launch.options = {
  { name = "timeout", value = "SECONDS", kind = "seconds",
    help = "time for the code (default 300)" },
  { name = "env", value = "NAME=VALUE", kind = "pair", repeated = true,
    help = "a variable for the code; may be repeated" },
  { name = "file", value = "PATH", kind = "name", repeated = true,
    help = "copied into the code's folder; may be repeated" },
  folders.options[1], folders.options[2], folders.options[3],
  { name = "network", value = "NETWORK", kind = "network",
    help = "what the code may reach: none (default), open, or api.example.com,*.example.org:8443" },
  { name = "packages", value = "PACKAGES", kind = "packages",
    help = "what the code may install by pip or npm: none (default), all, or requests,left-pad" },
  { name = "template", value = "TEMPLATE", kind = "name",
    help = "what it begins with: see codecell template" },
  { name = "name", value = "NAME", kind = "name", help = "a name for the sandbox" },
  { name = "audit", value = "PATH", kind = "name",
    help = "record what is done there, before it is done (default CODECELL_AUDIT)" },
  { name = "backend", value = "BACKEND", help = "where it runs (default local)" },
  { name = "mode", value = "MODE",
    help = "the same by its mode; default E2B_MODE, or production where E2B_API_KEY is set" },
}

--- What the commands that run code end with.
launch.statuses = {
  [0] = "the code ran",
  [1] = "the code failed",
  [124] = "it ran out of time",
  [125] = "codecell itself failed: the code was not run",
  [130] = "interrupted",
  [137] = "it ran out of memory",
}

--- What variables say, where the words say nothing. An execution may take as long as they say.
---@param options table as options.parse gave them
---@return codecell.Config? found
---@return string? message when they are wrong
function launch.configure(options)
  local found, err = config.get()
  if not found then
    return nil, err.message
  end
  local is_said = found.sources.execution_timeout ~= "default"
  options.timeout = options.timeout or is_said and found.execution_timeout or nil
  return found
end

-- Without a mode it is this machine: a mock is for programs that nobody has configured.
local function of_variables()
  local found, message = launch.configure({})
  if not found then
    return nil, message
  end
  return (found.is_chosen or found.api_key) and found.backend or "local"
end

--- Those of them that are not left out.
---@param ... string names that are
---@return table[]
function launch.options_without(...)
  local list, left_out = {}, {}
  for _, name in ipairs { ... } do
    left_out[name] = true
  end
  for _, option in ipairs(launch.options) do
    list[#list + 1] = not left_out[option.name] and option or nil
  end
  return list
end

-- Those whose backend there is.
local function modes()
  local list = {}
  for _, mode in ipairs(sorted(config.backends)) do
    list[#list + 1] = backends.find(config.backends[mode]) and mode or nil
  end
  return table.concat(list, ", ")
end

--- The backend that the words ask for, or E2B_MODE and E2B_API_KEY.
---@param options table as options.parse gave them
---@return string? backend
---@return string? message when there is none of that name
function launch.backend(options)
  if options.backend and options.mode then
    return nil, "give --backend or --mode, not both"
  end
  local name = options.backend or options.mode and (config.backends[options.mode] or options.mode)
  local message
  if not name then
    name, message = of_variables()
  end
  local found, err = nil, message
  if options.mode and not config.backends[options.mode] then
    err = ("unknown mode %q; there are %s"):format(options.mode, modes())
  elseif name then
    found, err = backends.find(name)
  end
  if not found then
    local from = options.backend and "--backend: " or options.mode and "--mode: " or ""
    return nil, from .. tostring(err)
  end
  return name
end

local LOG_LINES = 20 -- of an installer that failed: its last ones say why

-- An installer tells what packages from elsewhere have told it.
local function tell_log(log)
  local lines = {}
  for line in (log or ""):gmatch "[^\n]+" do
    lines[#lines + 1] = "  " .. line .. "\n"
  end
  if lines[1] then
    local out = terminal.open(io.stderr, 2)
    out:foreign(table.concat(lines, "", math.max(1, #lines - LOG_LINES + 1)))
    out:settle()
  end
end

--- Say on standard error why codecell failed, and how to mend it.
---@param what string the command
---@param err codecell.Error
---@return integer status 125, or 2 for what was asked wrongly
function launch.fail(what, err)
  local text = tostring(err)
  if text:sub(1, #what + 2) == what .. ": " then -- "codecell audit: open ..." says it once
    text = text:sub(#what + 3)
  end
  io.stderr:write("codecell ", what, ": ", text, "\n")
  if err.hint and err.hint ~= "" and not tostring(err):find(err.hint, 1, true) then
    io.stderr:write("  ", err.hint, "\n")
  end
  tell_log(err.log)
  if err.kind == "unsupported" then
    io.stderr:write("  'codecell doctor' says what this machine can do.\n")
  end
  local usage = err.kind == "invalid_argument" or err.kind == "not_found"
  return usage and command.status.usage or command.status.failed
end

--- Say on standard error that nothing can run here, before somebody asks for it: a server starts
--- all the same, since the machine may be mended while it runs.
---@param what string the command
function launch.warn(what)
  local made, err = codecell.create { backend = "local" }
  if made then
    made:close()
    return
  end
  local hint = err.hint and not err.message:find(err.hint, 1, true) and "; " .. err.hint or ""
  io.stderr:write("codecell ", what, ": code cannot run here until this is mended: ", err.message,
    hint, "; see 'codecell doctor'\n")
end

-- Files and folders keep their names; "." and "/" have none.
local function copy_in(sandbox, paths)
  for _, path in ipairs(paths or {}) do
    local name = path:gsub("/+$", ""):match "[^/]+$"
    if not name or name == "." or name == ".." then
      return nil, require("codecell.errors").new("invalid_argument",
        ("--file %s: name the folder, so that it has a name inside"):format(path))
    end
    local copied, err = sandbox.files:upload(path, name)
    if not copied then
      err.message = ("--file %s: %s"):format(path, err.message)
      return nil, err
    end
  end
  return true
end

--- The variables that code gets: those that are hidden in what it prints, and the others.
---@param options table as options.parse gave them
---@param found codecell.Config
---@return table<string, string>? secrets nil: none
---@return table<string, string> envs
function launch.variables(options, found)
  local secrets, envs = config.hidden(found)
  for _, pair in ipairs(options.env or {}) do
    envs[pair[1]], secrets[pair[1]] = pair[2], nil
  end
  return next(secrets) ~= nil and secrets or nil, envs
end

--- The audit that words or variables ask for.
---@param options table as options.parse gave them
---@param found codecell.Config
---@return codecell.Audit|false|nil audit false: none
---@return codecell.Error? err after nil
function launch.audit(options, found)
  local path = options.audit or found.audit
  if not path then
    return false
  end
  return require("codecell.service.watching").open({ audit = command.absolute(path),
    audit_code = found.audit_code, audit_output = found.audit_output,
    audit_retention = found.audit_retention, audit_sync = found.audit_sync })
end

--- What the options say of a sandbox, checked in the order of the words.
---@param options table as options.parse gave them
---@return {backend: string, found: codecell.Config, mounts: table[]}? wanted
---@return string? message of bad usage
function launch.wanted(options)
  local backend, message = launch.backend(options)
  local found, mounts
  if backend then
    found, message = launch.configure(options)
  end
  if found then
    mounts, message = folders.mounts(options)
  end
  return mounts and { backend = backend, found = found, mounts = mounts } or nil, message
end

--- Make the sandbox that the options ask for.
---@param what string the command
---@param options table as options.parse gave them
---@param lifetime number? seconds; default: as long as the code may take, and a little more
---@return codecell.Sandbox? sandbox
---@return integer? status of what failed; nil for bad usage
---@return string? message of bad usage
function launch.create(what, options, lifetime)
  local wanted, message = launch.wanted(options)
  if not wanted then
    return nil, nil, message
  end
  local found = wanted.found
  local secrets, envs = launch.variables(options, found)
  local timeout = (options.timeout or TIMEOUT_DEFAULT) + (options.install and INSTALL or 0)
  timeout = math.min(timeout + MARGIN, launch.day)
  local audit, err = launch.audit(options, found)
  if audit == nil then
    return nil, launch.fail(what, err)
  end
  local sandbox
  sandbox, err = codecell.create {
    audit = audit or nil,
    backend = wanted.backend,
    timeout = lifetime or timeout,
    envs = envs,
    secrets = secrets,
    metadata = found.metadata,
    mounts = wanted.mounts,
    network = options.network,
    packages = options.packages and options.packages.packages,
    name = options.name,
    template = options.template,
  }
  local ready = sandbox
  if sandbox then
    ready, err = copy_in(sandbox, options.file)
  end
  if not ready then
    return nil, launch.fail(what, err)
  end
  return sandbox
end

return launch
