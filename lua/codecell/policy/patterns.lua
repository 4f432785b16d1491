--- Patterns of rules: "*" is any text and "?" any character; of a path, within one name, and "**"
--- is any number of names. Their time is bounded whatever the text is, which others have written.
local home = require "codecell.home"
local languages = require "codecell.languages"
local names = require "codecell.packages.names"

local patterns = {}

-- ---- what matches ----

-- Whether a list is as a pattern has it, in which `many` is any number of items. Where it does not
-- go on, the last of these takes one item more: so time is bounded by both lengths.
---@param pattern string[]
---@param list string[]
---@param how {many: string, same: (fun(wanted: string, item: string): boolean), is_open: boolean?,
---is_deep: boolean?} `is_open`: more of the list may come; `is_deep`: or of the pattern
local function matches(pattern, list, how)
  local at, place, star, mark = 1, 1, nil, nil
  while at <= #pattern or place <= #list and not how.is_open do
    local wanted = pattern[at]
    if wanted == how.many then
      star, mark, at = at, place, at + 1
    elseif place > #list then
      return how.is_deep == true
    elseif wanted and how.same(wanted, list[place]) then
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

local function characters_of(text)
  local list = {}
  for character in text:gmatch "." do
    list[#list + 1] = character
  end
  return list
end

local IN_TEXTS = {
  many = "*",
  same = function(wanted, character)
    return wanted == "?" or wanted == character
  end,
}

local function matches_text(pattern, text)
  return matches(characters_of(pattern), characters_of(text), IN_TEXTS)
end

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
local IN_PATHS = { many = "**", same = matches_text, is_open = true }
local IN_DEEP_PATHS = { many = "**", same = matches_text, is_open = true, is_deep = true }

local function matches_path(wanted, path, is_deep)
  return matches(wanted, path, is_deep and IN_DEEP_PATHS or IN_PATHS)
end

-- ---- what is compared, by field ----

local function as_it_is(value)
  return value
end

local function language(value)
  local found = languages.find(value)
  return found and found.name or value:lower()
end

-- Extras and versions do not count.
local function package_name(value)
  local spec = names.python(value) or names.npm(value)
  return spec and spec.name or names.plain_python(value)
end

local function host(value)
  return (value:lower():gsub("%.$", ""):gsub("%.:", ":"))
end

local PLAIN = { agent = as_it_is, env = as_it_is, host = host, language = language,
  name = as_it_is, package = package_name, path = names_of, tool = as_it_is, user = as_it_is }

-- Of patterns: names with "*" in them are no names of languages and packages.
local function plain_pattern(field, value)
  if field == "package" and value:find("[*?]") then
    return names.plain_python(value)
  end
  return PLAIN[field](value)
end

--- The fields that a pattern can be about.
---@type table<string, function>
patterns.fields = PLAIN

--- A pattern for values of a field.
---@param field string
---@param value string
---@return fun(text: string, is_deep: boolean?): boolean
function patterns.of(field, value)
  local wanted = plain_pattern(field, value)
  if field == "path" then
    return function(text, is_deep)
      return matches_path(wanted, names_of(text), is_deep)
    end
  elseif field == "host" and not wanted:find(":", 1, true) then -- whatever the port
    return function(text)
      return matches_text(wanted, (host(text):gsub(":%d*$", "")))
    end
  end
  return function(text)
    return matches_text(wanted, PLAIN[field](text))
  end
end

--- A value as it is remembered: what is written in two ways is one.
---@param field string
---@param value string
---@return string
function patterns.plain(field, value)
  local plain = plain_pattern(field, value)
  return type(plain) == "table" and "/" .. table.concat(plain, "/") or plain
end

return patterns
