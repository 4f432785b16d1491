--- Commands with parts of their own: `codecell template ls`, `codecell snapshot export`.
local nearest = require "codecell.nearest"

local parts = {}

--- Find the part that the first word names, and check that its options are the ones given.
---@param given table options of the command line
---@param arguments string[] its words
---@param known table<string, {options: string[], run: function, least: integer?, most: integer?,
---words: string?}> by name
---@return function? run nil: bad usage
---@return string[]|string words behind the part's name, or what is wrong
function parts.find(given, arguments, known)
  local names = {}
  for name in pairs(known) do
    names[#names + 1] = name
  end
  table.sort(names)
  local name = arguments[1]
  local part = known[name]
  if not part then
    local near = name and nearest(name, names)
    return nil, not name and "give one of " .. table.concat(names, ", ")
      or near and ("there is no %q; did you mean %s?"):format(name, near)
      or ("there is no %q; there are %s"):format(name, table.concat(names, ", "))
  end
  local allowed = { json = true }
  for _, option in ipairs(part.options or {}) do
    allowed[option] = true
  end
  for option in pairs(given) do
    if not allowed[option] then
      return nil, ("--%s is not an option of %s"):format(option, name)
    end
  end
  local words = {}
  for i = 2, #arguments do
    words[i - 1] = arguments[i]
  end
  if #words < (part.least or 0) or #words > (part.most or math.huge) then
    return nil, ("%s takes %s"):format(name, part.words)
  end
  return part.run, words
end

return parts
