--- What an installation changes beside the files that it brings.
local errors = require "codecell.errors"
local json = require "codecell.json"
local names = require "codecell.packages.names"

local replaced = {}

local RECORD_MOST = 16 * 2 ^ 20 -- bytes of a list of files
local MANIFEST_MOST = 2 ^ 20
local FILES_MOST = 50000 -- that are removed in all: who wrote those lists is not known

-- The files that a package says it has: "path,sha256=...,size" a line. They are removed by the
-- warden, in the sandbox whose code could remove them too.
local function remove_files(sandbox, place, record, budget)
  local folders = {}
  for line in record:gmatch("[^\r\n]+") do
    local path = line:match('^"(.-)",') or line:match("^([^,]+)")
    if path and budget.left > 0 and not ("/" .. path .. "/"):find("/../", 1, true)
      and path:sub(1, 1) ~= "/" then
      budget.left = budget.left - 1
      local _, err = sandbox.files:remove(place .. "/" .. path)
      if err and err.kind ~= "not_found" then
        return nil, err
      end
      folders[path:match("^(.*)/[^/]+$") or ""] = true
    end
  end
  return folders
end

-- What is compiled is no loss.
local function remove_compiled(sandbox, place, folders)
  for folder in pairs(folders) do
    if folder ~= "" and not folder:find("__pycache__", 1, true) then
      sandbox.files:remove(place .. "/" .. folder .. "/__pycache__")
    end
  end
end

local function remove_one(sandbox, place, folder, budget)
  local record = sandbox.files:read(place .. "/" .. folder .. "/RECORD", { length = RECORD_MOST })
  local folders, err = remove_files(sandbox, place, record or "", budget)
  if not folders then
    return nil, err
  end
  remove_compiled(sandbox, place, folders)
  local ok, problem = sandbox.files:remove(place .. "/" .. folder)
  return ok or problem.kind == "not_found" or nil, problem
end

local function remove_in(sandbox, place, versions, budget)
  for _, entry in ipairs(sandbox.files:list(place) or {}) do
    local name, version = entry.name:match("^(.+)%-([^-]+)%.dist%-info$")
    local new = name and versions[names.plain_python(name)]
    if new and names.plain_python(new) ~= names.plain_python(version) then
      local ok, err = remove_one(sandbox, place, entry.name, budget)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

--- Remove the Python packages of which another version comes now.
---@param sandbox codecell.Sandbox
---@param installed {name: string, version: string}[] what comes
---@return true? done
---@return codecell.Error? err
function replaced.remove(sandbox, installed)
  local versions = {}
  for _, one in ipairs(installed) do
    versions[names.plain_python(one.name)] = one.version
  end
  local budget = { left = FILES_MOST }
  for _, entry in ipairs(sandbox.files:list(".local/lib") or {}) do
    if entry.name:find("^python3") and entry.type == "dir" then
      local ok, err = remove_in(sandbox, entry.path .. "/site-packages", versions, budget)
      if not ok then
        return nil, err
      end
    end
  end
  return true
end

--- Add packages to what ~/package.json asks for: npm removes what is there and not asked for.
---@param sandbox codecell.Sandbox
---@param dependencies table<string, string>
---@return true? done
---@return codecell.Error? err kind "invalid_argument": what is there is no such file
function replaced.note_npm(sandbox, dependencies)
  local text, err = sandbox.files:read("package.json", { length = MANIFEST_MOST })
  local value = {}
  if text then
    value = json.decode(text)
  elseif err.kind ~= "not_found" then
    return nil, err
  end
  if type(value) ~= "table" or type(value.dependencies or {}) ~= "table" then
    return nil, errors.new("invalid_argument",
      "install: package.json in the home of the sandbox cannot be read: mend or remove it")
  end
  value.dependencies = value.dependencies or {}
  for name, range in pairs(dependencies) do
    value.dependencies[name] = range
  end
  -- The list of what was there before; npm makes it anew.
  sandbox.files:remove("node_modules/.package-lock.json")
  local entry
  entry, err = sandbox.files:write("package.json", json.encode(value))
  return entry and true, err
end

return replaced
