--- Names of packages, and what is asked for beside a name: versions, extras, conditions.
---
--- What is taken here goes into a file that an installer reads or becomes one of its arguments, so
--- it can be nothing else than a name and what belongs to it: no option, no path, no address.
local known = require "codecell.packages.known"
local nearest = require "codecell.nearest"

local names = {}

---@class codecell.PackageSpec
---@field name string normal form: how the index calls it
---@field text string all of it, as the installer reads it
---@field is_pinned boolean it names one version, which stays the same

local LENGTH_MOST = 1000

--- The normal form of a name of Python: "Foo.Bar" and "foo-bar" are one package (PEP 503).
---@param name string
---@return string
function names.plain_python(name)
  return (name:lower():gsub("[-_.]+", "-"))
end

local function describe(text)
  return ("%q"):format(#text > 80 and text:sub(1, 80) .. "..." or text)
end

local function refuse_python(text, name, rest)
  if not name then
    return ("%s is no name of a package"):format(describe(text))
  elseif rest:find("^%s*@") then
    return ("%s: packages come from the index, not from an address; download it, and give the "
      .. "path of the file"):format(describe(text))
  end
  return ("%s: what follows the name is no version; write it as \"%s==1.0\""):format(
    describe(text), name)
end

-- ">=1.26, <2", with parentheses or without.
local function is_versions(text)
  text = text:match("^%s*%((.*)%)%s*$") or text
  for clause in (text .. ","):gmatch("(.-),") do
    if not clause:find("^%s*[<>=!~]=?=?%s*%w[%w.*+!_-]*%s*$") then
      return false
    end
  end
  return true
end

-- "name [extra, extra] (>=1, <2) ; condition --hash=sha256:..." -- PEP 508, without addresses.
local function split_python(text)
  local name, rest = text:match("^%s*(%w[%w._-]*)(.*)$")
  if name and name:find("[._-]$") then
    name = nil
  end
  if not name then
    return nil, refuse_python(text)
  end
  local after = rest:gsub("%s+%-%-hash=%w+:%x+", "")
  after = after:gsub("^%s*%[[%w%s,._-]*%]", "")
  local versions, condition = after:match("^%s*([^;]*)(.*)$")
  local is_version = versions == "" or is_versions(versions)
  local is_condition = condition == ""
    or not condition:sub(2):find("[^%w%s._'\"<>=!~(),*+-]") and condition:find("[<>=!~]")
      and condition:find("['\"]")
  if not is_version or not is_condition then
    return nil, refuse_python(text, name, after)
  end
  return name, versions
end

--- What is asked for of Python's index.
---@param text string "pandas", "requests[socks]==2.31.0", "numpy>=1.26,<2"
---@return codecell.PackageSpec? spec
---@return string? problem
function names.python(text)
  if #text > LENGTH_MOST or text:find("[%c\127-\255]") then
    return nil, ("%s is no name of a package"):format(describe(text:gsub("[%c\127-\255]", "?")))
  end
  local name, versions = split_python(text)
  if not name then
    return nil, versions
  end
  return { name = names.plain_python(name), text = text:match("^%s*(.-)%s*$"),
    is_pinned = versions:find("^===?%s*[%w.+!]+%s*$") ~= nil }
end

--- What is asked for of npm's registry.
---@param text string "left-pad", "@types/node@20", "react@^18.2.0"
---@return codecell.PackageSpec? spec
---@return string? problem
function names.npm(text)
  local scope, rest = text:match("^(@[%w~-][%w._~-]*/)(.*)$")
  local name, version = (rest or text):match("^([%w~-][%w._~-]*)(.*)$")
  if not name or #text > LENGTH_MOST or #name > 214 or name:sub(1, 1) == "-" then
    return nil, ("%s is no name of a package"):format(describe((text:gsub("[%c\127-\255]", "?"))))
  end
  version = version ~= "" and version or nil
  if version and (not version:find("^@[%w.^~<>=|*+ -]+$") or version:find("^@%s*%-")) then
    return nil, ("%s: what follows the name is no version; write it as \"%s@1.0.0\"; packages "
      .. "come from the registry, not from an address")
      :format(describe((text:gsub("[%c\127-\255]", "?"))), (scope or "") .. name)
  end
  return { name = ((scope or "") .. name):lower(), text = text,
    is_pinned = version ~= nil and version:find("^@=?%d+%.%d+%.%d+[%w.+-]*$") ~= nil }
end

--- The package that a name was probably meant to be.
---@param manager "pip"|"npm"
---@param name string normal form
---@return string? nearest
function names.nearest(manager, name)
  local list = known[manager]
  local meant = list.imports and list.imports[name]
  if meant then
    return meant
  end
  local found = nearest(name, list)
  return found ~= name and found or nil
end

return names
