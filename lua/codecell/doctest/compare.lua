--- Whether what was shown is what a document says.
local shown = require "codecell.export.shown"

local compare = {}

-- What changes from one run to the next: numbers of cells, and the way to an error.
local function settled(text)
  text = text:gsub("<cell%-%d+>", "<cell>")
  local lines, is_inside = {}, false
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    line = shown.trimmed(line)
    if line == "Traceback (most recent call last):" then
      is_inside = true
    elseif not (is_inside and line:find("^%s")) then
      is_inside = false
      lines[#lines + 1] = line
    end
  end
  while lines[#lines] == "" do
    lines[#lines] = nil
  end
  return table.concat(lines, "\n")
end

-- "..." stands for anything. The first place that fits is the best one: no text makes this slow.
local function fits(pattern, text)
  local pieces = {}
  for piece in (pattern .. "..."):gmatch("(.-)%.%.%.") do
    pieces[#pieces + 1] = piece
  end
  if #pieces == 1 then
    return pattern == text
  end
  local first, last = pieces[1], pieces[#pieces]
  local till = #text - #last
  if till < #first or text:sub(1, #first) ~= first or text:sub(till + 1) ~= last then
    return false
  end
  local at = #first + 1
  for i = 2, #pieces - 1 do
    local _, to = text:find(pieces[i], at, true)
    if not to or to > till then
      return false
    end
    at = to + 1
  end
  return true
end

--- Whether two texts say the same.
---@param expected string "..." in it stands for anything
---@param got string
---@return boolean
function compare.texts(expected, got)
  return fits(settled(expected), settled(got))
end

--- Whether an execution showed what is expected; an error with its traceback or in one line.
---@param expected string
---@param execution codecell.Execution
---@return boolean
function compare.execution(expected, execution)
  if compare.texts(expected, shown.text(execution)) then
    return true
  end
  return execution.error ~= nil
    and compare.texts(expected, shown.text(execution, shown.failure(execution.error)))
end

return compare
