--- Patterns of rules: "*" is any text and "?" any character; of a path, within one name, and "**"
--- is any number of names. Their time is bounded whatever the text is, which others have written.
local home = require "codecell.home"
local languages = require "codecell.languages"
local matches_text = require "codecell.policy.matches_text"
local package_names = require "codecell.policy.package_names"

local patterns = {}

-- ---- paths ----

-- The names of a path from the root, without "." and "..".
local function names_of(path)
  local list = {}
  for name in home.absolute(path):gmatch("[^/]+") do
    if name == ".." then
      list[#list] = nil
    elseif name ~= "." then
      list[#list + 1] = name
    end
  end
  return list
end

-- A folder stands for all that is in it. What is asked for with all that is below (`is_deep`) is
-- matched as well by what lies there.
local function matches_path(wanted, path, is_deep)
  local at, place, star, mark = 1, 1, nil, nil
  while at <= #wanted do
    local name = wanted[at]
    if name == "**" then
      star, mark, at = at, place, at + 1
    elseif place > #path then
      return is_deep == true
    elseif matches_text(name, path[place]) then
      at, place = at + 1, place + 1
    elseif star then
      mark, at = mark + 1, star + 1
      place = mark
    else
      return false
    end
  end
  return true
end

-- ---- what is compared, by field ----

local function as_it_is(value)
  return value
end

local function language(value)
  local found = languages.find(value)
  return found and found.name or value:lower()
end

local function host(value)
  return (value:lower():gsub("%.$", ""):gsub("%.:", ":"))
end

local PLAIN = { agent = as_it_is, env = as_it_is, host = host, language = language,
  name = as_it_is, package = as_it_is, path = names_of, tool = as_it_is, user = as_it_is }

--- The fields that a pattern can be about.
---@type table<string, function>
patterns.fields = PLAIN

-- ---- patterns ----

-- Of what is installed the language is any of those that its installer is for; where nobody has
-- said which one it is, it may be any.
local function of_language(wanted)
  return function(request, needs_all)
    local named = request.language
    if named and matches_text(wanted, language(named)) then
      return true
    elseif request.verb ~= "install" then
      return false
    end
    local manager = package_names.manager_of(request)
    if manager then
      return package_names.is_about(wanted, manager)
    end
    return not named and not needs_all
  end
end

local MAKERS = { language = of_language }

-- What is asked for with all that is below it is not let through by a rule for a part of that.
function MAKERS.path(wanted)
  return function(request, needs_all)
    return request.path ~= nil
      and matches_path(wanted, names_of(request.path), request.is_deep and not needs_all)
  end
end

function MAKERS.host(wanted)
  local has_port = wanted:find(":", 1, true) ~= nil -- else it is whatever port
  return function(request)
    local asked = request.host and host(request.host)
    return asked ~= nil and matches_text(wanted, has_port and asked or (asked:gsub(":%d*$", "")))
  end
end

function MAKERS.package(_, pattern)
  local matches = package_names.pattern(pattern)
  return function(request, needs_all)
    return request.package ~= nil and matches(request, needs_all)
  end
end

--- A pattern for values of a field.
---@param field string
---@param value string
---@return fun(request: codecell.PolicyRequest, needs_all: boolean): boolean matches needs_all: of
---what the request may mean all has to match, not only something
function patterns.of(field, value)
  local wanted = PLAIN[field](value)
  if MAKERS[field] then
    return MAKERS[field](wanted, value)
  end
  return function(request)
    return request[field] ~= nil and matches_text(wanted, PLAIN[field](request[field]))
  end
end

--- A value as it is remembered: what is written in two ways is one.
---@param field string
---@param request codecell.PolicyRequest that has the field
---@return string
function patterns.key(field, request)
  if field == "package" then
    return package_names.key(request)
  end
  local plain = PLAIN[field](request[field])
  return type(plain) == "table" and "/" .. table.concat(plain, "/") or plain
end

return patterns
