--- The calls of filesystem.Filesystem, but for those that watch.
local errors = require "codecell.errors"
local json = require "codecell.json"
local paths = require "codecell.gateway.envd.paths"
local shape = require "codecell.e2b.shape"
local wait = require "codecell.wait"

local filesystem = {}

local LINKS_MOST = 40 -- that lead to one file
local DEPTH_MOST = 1000
local IN_A_ROW = 200 -- entries, until others have their turn
local TYPES = { file = "FILE_TYPE_FILE", dir = "FILE_TYPE_DIRECTORY" }

-- Where a link leads in the end; itself, if nowhere.
local function target_of(one, entry)
  local path, found = entry.path, entry
  for _ = 1, LINKS_MOST do
    local target = found.symlink_target
    if not target or target == "" then
      return entry.path
    end
    path = paths.normal(target:sub(1, 1) == "/" and target
      or path:match("^(.*)/[^/]*$") .. "/" .. target)
    found = one.sandbox.files:get_info(path)
    if not found then
      return entry.path
    elseif found.type ~= "symlink" then
      return path
    end
  end
  return entry.path
end

--- An entry as envd tells it: of a link type, mode and metadata of what it leads to.
---@param one codecell.GatewayRecord
---@param entry codecell.EntryInfo
---@return table
function filesystem.shown(one, entry)
  local behind, target = entry, nil
  if entry.type == "symlink" then
    behind = one.sandbox._backend.ask(one.sandbox, "stat", "stat", entry.path, true)
      or { mode = 0 }
    target = target_of(one, entry)
  end
  return {
    name = entry.name, path = entry.path, type = TYPES[behind.type],
    size = ("%d"):format(entry.size), mode = behind.mode % 512,
    permissions = (entry.permissions:gsub("^l", "L")), owner = entry.owner, group = entry.group,
    modifiedTime = shape.timestamp(entry.modified_time), symlinkTarget = target,
    metadata = behind.metadata,
  }
end

-- Call with the path of a request.
local function at_path(name, called)
  return { call = function(one, body)
    local path, err = paths.resolve(body[name])
    if not path then
      return nil, err
    end
    return called(one, path, body)
  end }
end

local function stat(one, path)
  local entry, err = one.sandbox.files:get_info(path)
  if not entry then
    return nil, err
  end
  return { entry = filesystem.shown(one, entry) }
end

local methods = {}
filesystem.methods = methods

methods.Stat = at_path("path", stat)

methods.MakeDir = at_path("path", function(one, path)
  local made, err = one.sandbox.files:make_dir(path)
  if made then
    return stat(one, path)
  elseif err then
    return nil, err
  end
  local found = one.sandbox._backend.ask(one.sandbox, "make_dir", "stat", path, true)
  if found and found.type == "dir" then
    return nil, errors.new("already_exists", ("directory already exists: %s"):format(path))
  end
  return nil, errors.new("invalid_argument", ("path exists and is no directory: %s"):format(path))
end)

methods.Move = at_path("source", function(one, from, body)
  local to, err = paths.resolve(body.destination)
  local entry
  if to then
    entry, err = one.sandbox.files:rename(from, to)
  end
  return entry and { entry = filesystem.shown(one, entry) }, err
end)

methods.ListDir = at_path("path", function(one, path, body)
  local depth = math.floor(math.min(math.max(shape.number(body.depth) or 1, 1), DEPTH_MOST))
  local entries, err = one.sandbox.files:list(path, { depth = depth })
  if not entries then
    return nil, err
  end
  for i, entry in ipairs(entries) do
    entries[i] = errors.assert(json.encode(filesystem.shown(one, entry)))
    if i % IN_A_ROW == 0 then
      wait.turn()
    end
  end
  return entries
end)

-- There may be so many that others must have their turn while they are written.
function methods.ListDir.encode(entries)
  return #entries == 0 and "{}" or '{"entries":[' .. table.concat(entries, ",") .. "]}"
end

methods.Remove = at_path("path", function(one, path)
  local ok, err = one.sandbox.files:remove(path)
  if not ok and err.kind ~= "not_found" then
    return nil, err
  end
  return {}
end)

return filesystem
