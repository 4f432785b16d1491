--- Which modules a Python of this machine has, by looking: nothing is run to find out.
local core = require "codecell.core"
local interpreters = require "codecell.languages.interpreters"

local modules = {}

--- The names in a folder of this machine.
---@param folder string
---@return string[] names sorted; none where there is no such folder
function modules.names_in(folder)
  local names = {}
  for _, entry in ipairs(core.host_list(folder) or {}) do
    names[#names + 1] = entry.name
  end
  table.sort(names)
  return names
end

--- Whether the Python of a prefix has a package.
---@param prefix string "/usr", or that of a virtual environment
---@param package string
---@return boolean
function modules.has(prefix, package)
  for _, library in ipairs({ "/lib", "/local/lib" }) do
    for _, name in ipairs(modules.names_in(prefix .. library)) do
      for _, packages in ipairs({ "/site-packages", "/dist-packages" }) do
        local path = ("%s%s/%s%s/%s/__init__.py"):format(prefix, library, name, packages, package)
        if name:find("^python3") and interpreters.exists(path) then
          return true
        end
      end
    end
  end
  return false
end

return modules
