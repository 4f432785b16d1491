--- Files that are nowhere: the paths and bytes of a sandbox of the backend mock.
local errors = require "codecell.errors"
local home = require "codecell.home"

local files = {}

---@class codecell.MockFiles: table<string, string|true> bytes of a file; true: a directory
---@param given table<string, string>? by path
---@return table<string, string|boolean>
function files.new(given)
  local all = { ["/"] = true, ["/home"] = true, [home.folder] = true, ["/tmp"] = true }
  for path, data in pairs(given or {}) do
    files.put(all, home.absolute(path), data)
  end
  return all
end

--- Put something at a path, with the directories above it.
---@param all table
---@param path string absolute
---@param data string|true
function files.put(all, path, data)
  all[path] = data
  local above = path:match("^(.+)/[^/]*$")
  while above and not all[above] do
    all[above] = true
    above = above:match("^(.+)/[^/]*$")
  end
end

local function entry_of(all, path, base)
  local data = all[path]
  local is_dir = data == true
  return { absolute = path, path = base and path:sub(#base + (base == "/" and 1 or 2)) or "",
    name = path:match("[^/]*$"), type = is_dir and "dir" or "file",
    size = is_dir and 0 or #data, mode = is_dir and 493 or 420,
    permissions = is_dir and "drwxr-xr-x" or "-rw-r--r--", owner = "user", group = "user",
    modified_time = 0 }
end

local function missing(what)
  return nil, errors.new("not_found", what .. ": No such file or directory")
end

local asked = {}

function asked.stat(all, what, path)
  path = home.absolute(path)
  if all[path] == nil then
    return missing(what)
  end
  return entry_of(all, path)
end

function asked.read(all, what, path, offset, length)
  local data = all[home.absolute(path)]
  if data == nil then
    return missing(what)
  elseif data == true then
    return nil, errors.new("invalid_argument", what .. ": Is a directory")
  end
  return data:sub(offset + 1, length and offset + length or -1)
end

function asked.write(all, what, path, data)
  path = home.absolute(path)
  if type(data) ~= "string" then
    data = data:read(data:size()) or ""
  end
  if all[path] == true then
    return nil, errors.new("invalid_argument", what .. ": Is a directory")
  end
  files.put(all, path, data)
  return entry_of(all, path)
end

function asked.mkdir(all, what, path)
  path = home.absolute(path)
  if all[path] ~= nil then
    return nil, errors.new("already_exists", what .. ": File exists")
  end
  files.put(all, path, true)
  return true
end

local function below(all, path)
  local start, list = path == "/" and "/" or path .. "/", {}
  for name in pairs(all) do
    if name:sub(1, #start) == start and name ~= path then
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

function asked.remove(all, what, path)
  path = home.absolute(path)
  if all[path] == nil then
    return missing(what)
  end
  for _, name in ipairs(below(all, path)) do
    all[name] = nil
  end
  all[path] = nil
  return true
end

function asked.rename(all, what, old, new)
  old, new = home.absolute(old), home.absolute(new)
  if all[old] == nil then
    return missing(what)
  end
  for _, name in ipairs(below(all, old)) do
    all[new .. name:sub(#old + 1)], all[name] = all[name], nil
  end
  local data = all[old]
  all[old] = nil
  files.put(all, new, data)
  return entry_of(all, new)
end

function asked.list(all, what, path, depth)
  path = home.absolute(path)
  if all[path] == nil then
    return missing(what)
  elseif all[path] ~= true then
    return nil, errors.new("invalid_argument", what .. ": Not a directory")
  end
  local list = {}
  for _, name in ipairs(below(all, path)) do
    local _, slashes = name:sub(#path + 2):gsub("/", "")
    if slashes < depth then
      list[#list + 1] = entry_of(all, name, path)
    end
  end
  return list
end

--- Answer a question about them.
---@param all table
---@param what string begins the message of an error
---@param operation string
---@return any value
---@return codecell.Error? err
function files.ask(all, what, operation, ...)
  local answer = asked[operation]
  if not answer then
    return nil, errors.unsupported(what, "mock", "nothing runs there")
  end
  return answer(all, what, ...)
end

return files
