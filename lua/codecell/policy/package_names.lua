--- Names of packages in rules. Python's index takes "Foo_Bar" and "foo-bar" for one name, npm's
--- registry takes them for two, so a name is compared as the installer that it is for would do it.
local languages = require "codecell.languages"
local matches_text = require "codecell.policy.matches_text"
local names = require "codecell.packages.names"

local package_names = {}

local MANAGERS = { "npm", "pip" }
local LANGUAGES = { npm = { "javascript", "typescript" }, pip = { "python" } }

local PLAIN = { npm = string.lower, pip = names.plain_python }
local READ = { npm = names.npm, pip = names.python }

-- "npm:left-pad" is of npm alone.
local function split(value)
  local manager, name = value:match("^(%l%l%l):(.*)$")
  if PLAIN[manager] then
    return name, manager
  end
  return value
end

-- Which installer packages of a language come by; nil: none, or nobody has said.
local function of_language(language)
  local found = language and languages.find(language)
  for manager, list in pairs(LANGUAGES) do
    for _, name in ipairs(list) do
      if found and found.name == name then
        return manager
      end
    end
  end
end

--- Which installer a request is for; nil: it may be any.
---@param request codecell.PolicyRequest about one package at most
---@return "npm"|"pip"|nil
function package_names.manager_of(request)
  return request.package and select(2, split(request.package)) or of_language(request.language)
end

--- Whether a pattern for languages is one for what an installer is for.
---@param pattern string
---@param manager "npm"|"pip"
---@return boolean
function package_names.is_about(pattern, manager)
  for _, name in ipairs(LANGUAGES[manager]) do
    if matches_text(pattern, name) then
      return true
    end
  end
  return false
end

-- Extras and versions do not count. Of patterns: names with "*" in them are no names of packages.
local function plain(manager, name)
  local spec = not name:find("[*?]") and READ[manager](name)
  return spec and spec.name or PLAIN[manager](name)
end

--- A pattern for names.
---@param pattern string
---@return fun(request: codecell.PolicyRequest, needs_all: boolean): boolean matches needs_all:
---where it is not said for which installer the package is, it has to match for each
function package_names.pattern(pattern)
  local name, own = split(pattern)
  local wanted = {}
  for _, manager in ipairs(MANAGERS) do
    wanted[manager] = (own == nil or own == manager) and plain(manager, name) or nil
  end
  return function(request, needs_all)
    local asked, count = split(request.package), 0
    local known = package_names.manager_of(request)
    for _, manager in ipairs(known and { known } or MANAGERS) do
      local is_met = wanted[manager] and matches_text(wanted[manager], plain(manager, asked))
      if is_met and not needs_all then
        return true
      end
      count = count + (is_met and 1 or 0)
    end
    return count == (known and 1 or #MANAGERS)
  end
end

--- A pattern as `packages` of a sandbox understands it.
---@param pattern string
---@param wanted string[]? patterns of the languages that it is about; nil: all
---@return string[]
function package_names.entries(pattern, wanted)
  local name, own = split(pattern)
  local list = {}
  for _, manager in ipairs(wanted and MANAGERS or {}) do
    for _, one in ipairs((own == nil or own == manager) and wanted or {}) do
      list[#list + 1] = package_names.is_about(one, manager) and manager .. ":" .. name or nil
    end
  end
  return wanted and list or { pattern }
end

--- A name as it is remembered: what is written in two ways is one.
---@param request codecell.PolicyRequest about one package
---@return string
function package_names.key(request)
  local name, manager = split(request.package), package_names.manager_of(request)
  return manager and manager .. ":" .. plain(manager, name) or name
end

return package_names
