--- The installers: how each is told what to install, and what its answer means.
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local languages = require "codecell.languages"
local names = require "codecell.packages.names"

local managers = {}

local HOME = "/home/user"
local GIVEN = "/tmp/packages" -- where a builder has the files of a request
local GATEWAY = "http://127.0.0.1:1008"
local LOCK_MOST = 32 * 2 ^ 20 -- bytes
local PACKAGES_MOST = 5000 -- that are told

---@class codecell.PackageManager
---@field name "pip"|"npm"
---@field language string whose interpreter it needs
---@field folder string of a home, which holds all that it installs
---@field command fun(way: table, request: codecell.PackageRequest): string[]
---@field needs fun(way: table): table<string, string> variables
---@field collect fun(builder: codecell.Sandbox, way: table, request): table?, codecell.Error?
---@field missing fun(log: string, request): table<string, string>

-- ---- pip ----

-- Of a virtual environment, which is read-only inside: "3.11", whose packages it has, and its
-- folder; or nil.
local function virtual(way, root)
  local prefix = way.program:match("^(.*)/bin/[^/]+$") or ""
  local file = core.host_file((root or "") .. prefix .. "/pyvenv.cfg") -- never a pipe of an image's
  local text = file and file:read(65536) or ""
  if file then
    file:close()
  end
  return text:match("version[%w_]*%s*=%s*(%d+%.%d+)"), prefix
end

-- What is there: names and versions of what lies in a folder, and of all that can be imported.
local LOOK = [[
import json, sys
from importlib import metadata
def told(places):
    found = {}
    for one in metadata.distributions(path=places):
        name = one.metadata['Name']
        if name and name not in found:
            found[name] = one.version
    return found
own = sys.argv[1] + '/lib/python%d.%d/site-packages' % sys.version_info[:2]
print(json.dumps([told([own]), told([own] + sys.path)]))
]]

local function look(builder, way)
  local result, err = builder.commands:run({ way.program, "-c", LOOK, HOME .. "/.local" })
  local told = result and result.exit_code == 0 and json.decode(result.stdout)
  if not told or type(told[1]) ~= "table" or type(told[2]) ~= "table" then
    return nil, err or errors.new("system", "install: what was installed cannot be told: "
      .. (result and result.stderr:sub(-200) or ""))
  end
  return told
end

local function is_text(value)
  return type(value) == "string" and #value <= 200 and not value:find("[%c]")
end

-- {name, version} of each, by normal name.
local function by_name(told)
  local found, count = {}, 0
  for name, version in pairs(told) do
    count = count + 1
    if count <= PACKAGES_MOST and is_text(name) and is_text(version) then
      found[names.plain_python(name)] = { name = name, version = version }
    end
  end
  return found
end

local pip = { name = "pip", language = "python", folder = ".local" }

function pip.needs(way, root)
  local needs = {
    PIP_INDEX_URL = GATEWAY .. "/pypi/simple/", PIP_DEFAULT_TIMEOUT = "60",
    PIP_DISABLE_PIP_VERSION_CHECK = "1", PIP_NO_INPUT = "1", PIP_NO_CACHE_DIR = "1",
    PIP_NO_WARN_SCRIPT_LOCATION = "1", PIP_ROOT_USER_ACTION = "ignore",
    UV_DEFAULT_INDEX = GATEWAY .. "/pypi/simple/", UV_NO_CACHE = "1",
  }
  local version, folder
  if way then
    version, folder = virtual(way, root)
  end
  if version then
    needs.PATH = ("%s/.local/bin:%s/bin:/usr/local/bin:/usr/bin:/bin"):format(HOME, folder)
    needs.PIP_PREFIX = HOME .. "/.local"
    needs.PYTHONPATH = ("%s/.local/lib/python%s/site-packages"):format(HOME, version)
  end
  return needs
end

function pip.command(way, request, root)
  local argv = { way.program, "-m", "pip", "install", "--progress-bar", "off" }
  if not virtual(way, root) then
    argv[#argv + 1] = "--user"
  end
  for _, file in ipairs(request.files) do
    argv[#argv + 1] = GIVEN .. "/" .. file.base
  end
  if #request.specs > 0 then
    argv[#argv + 1] = "-r"
    argv[#argv + 1] = GIVEN .. "/requirements.txt"
  end
  return argv
end

--- The list that the command names; nil for a manager that has none.
function pip.list(request)
  local lines = {}
  for i, spec in ipairs(request.specs) do
    lines[i] = spec.text
  end
  return table.concat(lines, "\n") .. "\n"
end

function pip.collect(builder, way)
  local told, err = look(builder, way)
  if not told then
    return nil, err
  end
  return { own = by_name(told[1]), all = by_name(told[2]) }
end

local MISSING = "Could not find a version that satisfies the requirement "

-- What pip says of each package that it cannot get. It does not tell a package that is not there
-- from one that it was refused. The packages themselves write to the log too, while they are built:
-- each line is looked at once.
function pip.missing(log)
  local found = {}
  for line in log:gmatch("[^\n]+") do
    local _, last = line:find(MISSING, 1, true)
    local name = last and line:match("^%w[%w._-]*", last + 1)
    if name and line:find(" (from versions: ", last, true) then
      found[names.plain_python(name)] = line:find(" (from versions: none)", last, true)
        and "no_file" or "no_version"
    end
  end
  return found
end

-- ---- npm ----

local npm = { name = "npm", language = "javascript", folder = "node_modules" }

function npm.needs()
  return {
    npm_config_registry = GATEWAY .. "/npm/", npm_config_audit = "false",
    npm_config_fund = "false", npm_config_update_notifier = "false",
    npm_config_progress = "false", npm_config_prefix = HOME .. "/.local",
  }
end

function npm.command(way, request)
  local npm_program = way.program:match("^(.*/)[^/]+$") .. "npm"
  local argv = { npm_program, "install", "--save", "--no-package-lock", "--loglevel=notice" }
  for _, file in ipairs(request.files) do
    argv[#argv + 1] = GIVEN .. "/" .. file.base
  end
  argv[#argv + 1] = "--"
  for _, spec in ipairs(request.specs) do
    argv[#argv + 1] = spec.text
  end
  return argv
end

local function read_json(builder, path)
  local text = builder.files:read(path, { length = LOCK_MOST })
  local value = text and json.decode(text)
  return type(value) == "table" and value or {}
end

function npm.collect(builder)
  local lock = read_json(builder, "node_modules/.package-lock.json")
  local found, own, count = { own = {}, dependencies = {} }, {}, 0
  for path, entry in pairs(type(lock.packages) == "table" and lock.packages or {}) do
    local name = type(path) == "string" and path:match("^node_modules/(@?[%w._~-]+/?[%w._~-]*)$")
    count = count + 1
    if name and count <= PACKAGES_MOST and type(entry) == "table" and is_text(entry.version) then
      own[name:lower()] = { name = name, version = entry.version }
    end
  end
  found.own, found.all = own, own
  local wanted = read_json(builder, "package.json").dependencies
  for name, range in pairs(type(wanted) == "table" and wanted or {}) do
    if is_text(name) and is_text(range) then
      found.dependencies[name] = range:find("^file:") and own[name:lower()]
        and own[name:lower()].version or range
    end
  end
  return found
end

function npm.missing(log)
  local found = {}
  for text in log:gmatch("No matching version found for ([^\n]+)") do
    found[(text:match("^(@?[^@%s]+)") or ""):lower()] = "no_version"
  end
  return found
end

-- ---- which one ----

local BY_LANGUAGE = { python = pip, javascript = npm, typescript = npm }

--- Where a builder has the files of a request.
managers.given = GIVEN

--- The manager of a language, and how its interpreter is started here.
---@param name string? default "python"
---@param root string? the folder of a template that has its own programs
---@return codecell.PackageManager? manager
---@return table|codecell.Error way or err: kinds "invalid_argument", "unsupported"
function managers.find(name, root)
  local language, err = languages.find(name or "python")
  if not language then
    return nil, err
  end
  local manager = BY_LANGUAGE[language.name]
  if not manager then
    return nil, errors.new("unsupported", ("install: there is no installer for %s here; run its "
      .. "own with commands:run"):format(language.name))
  end
  local way
  way, err = languages.way(manager.language, true, root)
  if not way then
    return nil, err
  end
  return manager, way
end

--- The variables by which all installers inside find their index.
---@param root string?
---@return table<string, string>
function managers.needs(root)
  local needs = npm.needs()
  for name, value in pairs(pip.needs(languages.way("python", true, root), root)) do
    needs[name] = value
  end
  return needs
end

return managers
