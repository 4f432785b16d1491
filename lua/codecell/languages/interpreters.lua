--- Where programs of this machine are, and whether a sandbox can see them.
local core = require "codecell.core"

local interpreters = {}

--- Never by the host's PATH: what runs must not depend on who calls.
interpreters.folders = { "/usr/bin/", "/bin/", "/usr/local/bin/" }

-- What every sandbox sees of the host at the same path.
local SHARED = { "/usr/", "/bin/", "/lib/", "/lib64/" }
-- Below these a sandbox has something of its own.
local HIDDEN = { "/dev/", "/home/user/", "/proc/", "/sys/", "/tmp/", "/var/tmp/" }
-- Folders that hold more than an interpreter: to see one, a sandbox would see all of it.
local WIDE = { "/", "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var" }

--- Whether there is a file that can be read.
---@param path string
---@param root string? the folder that is / for whoever reads it; nil: this machine's own
---@return boolean
function interpreters.exists(path, root)
  if root then
    return core.host_has(root, path) == true
  end
  local file = io.open(path, "rb")
  if file then
    file:close()
  end
  return file ~= nil
end

--- The first of some programs that is there.
---@param names string[] in the order of preference
---@param more string[]? folders to look in after the usual ones, each with its final "/"
---@param root string? as of `exists`
---@return string? path
function interpreters.find(names, more, root)
  for _, folders in ipairs({ interpreters.folders, more or {} }) do
    for _, folder in ipairs(folders) do
      for _, name in ipairs(names) do
        if interpreters.exists(folder .. name, root) then
          return folder .. name
        end
      end
    end
  end
end

local function is_shared(path)
  for _, folder in ipairs(SHARED) do
    if path:sub(1, #folder) == folder then
      return true
    end
  end
  return false
end

--- The folder outside the system's that an interpreter needs, "" for none; nil when that folder
--- holds the home of the user, is one of those that hold everything, or would not be seen.
---@param path string absolute
---@return string? prefix
function interpreters.prefix(path)
  if is_shared(path) then
    return ""
  end
  local prefix = path:match("^(/.+)/[^/]+/[^/]+$") or "/"
  for _, folder in ipairs(WIDE) do
    if prefix == folder then
      return nil
    end
  end
  for _, folder in ipairs(HIDDEN) do
    if prefix:sub(1, #folder) == folder then
      return nil
    end
  end
  local home = (os.getenv("HOME") or ""):gsub("/+$", "")
  if (home .. "/"):sub(1, #prefix + 1) == prefix .. "/" or prefix == home .. "/.local" then
    return nil
  end
  return prefix
end

return interpreters
