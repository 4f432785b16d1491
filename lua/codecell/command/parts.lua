--- Commands with parts of their own: `codecell template ls`, `codecell snapshot export`.
local codecell = require "codecell"
local command = require "codecell.command"
local launch = require "codecell.command.launch"
local nearest = require "codecell.nearest"
local sorted = require "codecell.sorted"

local parts = {}

-- The part that the first word names, and the words behind it; its options are the ones given. Or
-- nil and what is wrong.
local function find(given, arguments, known)
  local names = sorted(known)
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
  return part, words
end

--- Run the part that the first word names.
---@param given table options of the command line
---@param arguments string[] its words
---@param known table<string, {options: string[], run: function, least: integer?, most: integer?,
---words: string?}> by name
---@return integer? status nil: bad usage
---@return string? problem
function parts.run(given, arguments, known)
  local part, words = find(given, arguments, known)
  if not part then
    return nil, words
  end
  return part.run(given, words)
end

--- The part that removes what each of its words names.
---@param name string of the command, and of the part of codecell that removes one
---@return fun(options: table, words: string[]): integer
function parts.remover(name)
  return function(_, words)
    local status = command.status.success
    for _, word in ipairs(words) do
      local removed, err = codecell[name].remove(word)
      if not removed then
        launch.fail(name, err)
        status = command.status.code_failed
      end
    end
    return status
  end
end

return parts
