--- Packages in a sandbox of E2B: its own pip or npm fetches them, from where its network reaches.
local errors = require "codecell.errors"
local last_line = require "codecell.last_line"
local languages = require "codecell.languages"
local options = require "codecell.options"

local install = {}

local LOG_MOST = 65536 -- bytes
local TIMEOUT = 600 -- seconds
local RULES = {
  envs = { type = "envs" },
  language = { type = "name" },
  timeout = { type = "number", above = 0, most = 86400 },
}
local INSTALLERS = {
  python = { "python3", "-m", "pip", "install", "--no-input", "--disable-pip-version-check" },
  javascript = { "npm", "install", "--no-audit", "--no-fund", "--no-update-notifier" },
}
INSTALLERS.typescript = INSTALLERS.javascript

-- As both pip and npm write names.
local function plain(name)
  return (name:lower():gsub("[._]", "-"))
end

-- What pip says that it has installed: "Successfully installed name-1.0 other-2.1".
local function installed_by(log)
  local found = {}
  for line in log:gmatch("Successfully installed ([^\n]+)") do
    for name, version in line:gmatch("(%S+)%-(%d[^%s-]*)") do
      found[plain(name)] = version
    end
  end
  return found
end

-- The name in what is to be installed: "@a/b" of "@a/b@1.0", "requests" of "requests[socks]==2".
local function name_of(wanted)
  return wanted:match("^@?[^@%[=<>~!; ]+") or wanted
end

local MISSING = { "No matching distribution found for (%w[%w._-]*)",
  "404%s+'(@?[^@'%s]+)[^'\n]*' is not in", "No matching version found for (@?[^@%s]+)" }

-- What became of each when the installer has failed: it installs all of them, or none.
local function left_out(list, log)
  local missing, packages = {}, {}
  local is_cut_off = log:find("after connection broken by", 1, true) -- pip then misses everything
  for _, pattern in ipairs(is_cut_off and {} or MISSING) do
    for name in log:gmatch(pattern) do
      missing[plain(name)] = true
    end
  end
  for i, wanted in ipairs(list) do
    local name = name_of(wanted)
    packages[i] = { name = name, status = missing[plain(name)] and "not_found"
      or "not_installed" }
  end
  return packages
end

local function result_of(list, result)
  local log = (result.stdout .. result.stderr):sub(-LOG_MOST)
  local installed, packages = installed_by(log), {}
  for i, wanted in ipairs(list) do
    local name = name_of(wanted)
    local version = installed[plain(name)]
    packages[i] = { name = name, version = version,
      status = (version or not log:find("already satisfied", 1, true)) and "installed"
        or "present" }
  end
  return { success = true, packages = packages, log = log, seconds = result.seconds,
    cached = false }
end

-- The line that says most: npm ends with where its own log is.
local function line_of(log)
  return log:match("npm error code [^\n]+") or last_line(log) or "it said nothing"
end

--- See `Sandbox:install`.
---@param sandbox table
---@param list string|string[]
---@param given table?
---@return table? result
---@return codecell.Error? err with `log`, and where the installer has failed `packages`
function install.install(sandbox, list, given)
  list = type(list) == "string" and { list } or list
  options.argument("install", "packages", list, "strings", { least = 1 }, 4)
  given = options.check("install", given, RULES, 4)
  local language, err = languages.find(given.language or "python")
  if not language then
    return nil, err
  end
  local installer = INSTALLERS[language.name]
  if not installer then
    return nil, errors.unsupported("install for " .. language.name, "e2b",
      "run its package manager by a command")
  end
  local argv = {}
  for i, word in ipairs(installer) do
    argv[i] = word
  end
  for _, wanted in ipairs(list) do
    if wanted:find("^%-") then
      return nil, errors.new("invalid_argument",
        ("install: %s: that is no package but an option"):format(wanted))
    end
    argv[#argv + 1] = wanted
  end
  local result
  result, err = sandbox.commands:run(argv, { envs = given.envs,
    timeout = given.timeout or TIMEOUT })
  if not result then
    return nil, err
  elseif result.exit_code == 0 then
    return result_of(list, result)
  end
  local log = (result.stdout .. result.stderr):sub(-LOG_MOST)
  err = result.timed_out and errors.timeout("install", given.timeout or TIMEOUT)
    or errors.new("not_found", ("install: %s ended with status %d: %s"):format(
      installer[1], result.exit_code, line_of(log)))
  err.log = log
  err.packages = not result.timed_out and left_out(list, log) or nil
  return nil, err
end

return install
