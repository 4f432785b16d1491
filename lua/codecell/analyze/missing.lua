--- A module that is not there: what was probably meant, and how to get it.
local known = require "codecell.packages.known"
local names = require "codecell.packages.names"
local nearest = require "codecell.nearest"
local packages = require "codecell.packages"

local missing = {}

local function has(list, name)
  for _, one in ipairs(list) do
    if one == name then
      return true
    end
  end
  return false
end

-- The package that has a module of that name, as far as that is known.
local function package_of(manager, name)
  return manager and (known.package_of(manager, name)
    or manager == "pip" and known.package_of(manager, names.plain_python(name))) or nil
end

-- The module that was meant: one that is there, else one that the index is known to have.
local function meant(manager, name, installed)
  local candidates, near = {}, math.max(2, math.floor(#name / 3))
  for _, list in ipairs({ installed, manager and known[manager] or {} }) do
    for _, one in ipairs(list) do
      if math.abs(#one - #name) <= near then -- no other is a slip
        candidates[#candidates + 1] = one
      end
    end
  end
  for module in pairs(manager and known[manager].imports or {}) do
    candidates[#candidates + 1] = module
  end
  local found = nearest(name, candidates)
  return found ~= name and found or nil
end

local function message_of(found)
  if found.is_installed then
    return ("there is no module %s; did you mean %q, which is installed?"):format(found.name,
      found.suggestion)
  elseif not found.package then
    return ("there is no module %s, and no package is known that has it"):format(found.name)
  end
  local how = found.is_allowed and ("install %s"):format(found.package)
    or ("%s has it, which may not be installed: %s"):format(found.package, found.why)
  if found.suggestion then
    return ("there is no module %s; did you mean %q? %s"):format(found.name, found.suggestion, how)
  end
  return ("the module %s is not installed: %s"):format(found.name, how)
end

--- All that is known of it.
---@param sandbox codecell.Sandbox
---@param manager "pip"|"npm"|nil nil: the language has no packages to install
---@param import table `name line is_optional`
---@param installed string[] modules that are there
---@return codecell.MissingImport
function missing.describe(sandbox, manager, import, installed)
  local found = { name = import.name, line = import.line, is_optional = import.is_optional,
    is_installed = false, is_allowed = false }
  found.package = package_of(manager, import.name)
  if not found.package then
    found.suggestion = meant(manager, import.name, installed)
    found.is_installed = found.suggestion ~= nil and has(installed, found.suggestion)
    found.package = found.suggestion and package_of(manager, found.suggestion)
  end
  if found.package then
    found.why = packages.desk(sandbox).policy:refusal(manager, found.package)
    found.is_allowed = found.why == nil
  end
  found.message = message_of(found)
  return found
end

return missing
