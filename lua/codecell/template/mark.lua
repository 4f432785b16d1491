--- What a template was built from, in a few bytes that are others once it has changed.
local core = require "codecell.core"

local PIECE = 1024 * 1024
local DEPTH_MOST = 64

local mark = {}

local function add_file(digest, path)
  local file = core.host_file(path)
  local piece = file and file:read(PIECE)
  while piece do
    digest:update(piece)
    piece = file:read(PIECE)
  end
  if file then
    file:close()
  end
  digest:update(file and "\1" or "\0")
end

local function add_folder(digest, path, depth)
  local entries = depth <= DEPTH_MOST and core.host_list(path) or {}
  table.sort(entries, function(one, other) return one.name < other.name end)
  for _, entry in ipairs(entries) do
    digest:update(("%s\0%s\0%o\0%s\0"):format(entry.name, entry.type, entry.mode,
      entry.target or ""))
    if entry.type == "dir" then
      add_folder(digest, path .. "/" .. entry.name, depth + 1)
    elseif entry.type == "file" then
      add_file(digest, path .. "/" .. entry.name)
    end
  end
end

--- Of a folder with files: names, modes, contents.
---@param path string
---@return string
function mark.of_folder(path)
  local digest = core.digest("sha256")
  add_folder(digest, path, 1)
  return digest:finish()
end

-- What changes with each package that an image has.
local RECORDS = { "etc/os-release", "usr/lib/os-release", "etc/alpine-release",
  "var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite" }
local PROGRAMS = { "bin", "usr/bin", "usr/local/bin" }

-- Whether there is a thing of that type below a folder, by no link.
local function is_there(folder, name, wanted)
  for part, rest in name:gmatch("([^/]+)(/?)") do
    local found
    for _, entry in ipairs(core.host_list(folder) or {}) do
      found = found or entry.name == part and entry
    end
    if not found or found.type ~= (rest == "/" and "dir" or wanted) then
      return false
    end
    folder = folder .. "/" .. part
  end
  return true
end

--- Of a root folder: what its package manager has on record, and the names of its programs. Links
--- are not followed: they mean other places in there than here.
---@param path string
---@return string
function mark.of_root(path)
  local digest = core.digest("sha256")
  for _, record in ipairs(RECORDS) do
    if is_there(path, record, "file") then
      add_file(digest, path .. "/" .. record)
    end
  end
  for _, folder in ipairs(PROGRAMS) do
    local entries = is_there(path, folder, "dir") and core.host_list(path .. "/" .. folder) or {}
    table.sort(entries, function(one, other) return one.name < other.name end)
    for _, entry in ipairs(entries) do
      digest:update(entry.name .. "\0")
    end
  end
  return digest:finish()
end

return mark
