--- Tables of options: an unknown key is a mistake of the caller, and raises.
local nearest = require "codecell.nearest"

local options = {}

--- Raise unless every key of `given` is known and its value is of the right type.
---@param given table? as the caller passed it
---@param known table<string, string> name to type: "string", or several: "string|table"
---@param verb string for the message
---@param level integer? as `error` takes it: whom to blame (the caller of the caller)
---@return table given never nil
function options.check(given, known, verb, level)
  level = (level or 2) + 1
  if given == nil then
    return {}
  elseif type(given) ~= "table" then
    error(("%s: options must be a table, not a %s"):format(verb, type(given)), level)
  end
  for key, value in pairs(given) do
    local types = known[key]
    if not types then
      local names = {}
      for name in pairs(known) do
        names[#names + 1] = name
      end
      table.sort(names)
      local meant = nearest(tostring(key), names)
      error(("%s: unknown option '%s'%s"):format(verb, tostring(key),
        meant and ("; did you mean '%s'?"):format(meant) or ""), level)
    elseif not ("|" .. types .. "|"):find("|" .. type(value) .. "|", 1, true) then
      error(("%s: option '%s' must be a %s, not a %s"):format(verb, key,
        types:gsub("|", " or "), type(value)), level)
    end
  end
  return given
end

--- Raise unless a value is one of a few words.
---@param value any
---@param words string[]
---@param what string for the message
---@param level integer?
function options.one_of(value, words, what, level)
  for _, word in ipairs(words) do
    if value == word then
      return
    end
  end
  error(("%s must be one of %s, not '%s'"):format(what, table.concat(words, ", "),
    tostring(value)), (level or 2) + 1)
end

return options
