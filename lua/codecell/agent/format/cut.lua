--- Output made short: progress bars, repeated lines, and what is over the budget.
local unicode = require "codecell.agent.unicode"

local cut = {}

-- More is not looked at: the ends of a text this long are over every budget.
local READ_MAX = 1048576
-- So many equal lines in a row are worth folding.
local REPEATS = 4
-- Of what a text may have, this part goes to its beginning; errors stand at the end.
local HEAD = 0.6

--- A number as people read it: 12 345.
---@param value integer
---@return string
function cut.number(value)
  local text = ("%d"):format(value)
  local from = #text % 3
  local grouped = text:sub(1, from) .. text:sub(from + 1):gsub("%d%d%d", " %0")
  return (grouped:gsub("^ ", ""))
end

local function count_lines(text)
  local _, count = text:gsub("\n", "")
  return count
end

--- Only the last state of lines that were written over with carriage returns.
---@param text string
---@return string
function cut.collapse(text)
  if not text:find("\r", 1, true) then
    return text
  end
  text = text:gsub("\r\n", "\n")
  return (text:gsub("[^\n]+", function(line)
    if not line:find("\r", 1, true) then
      return nil
    end
    local last
    for part in line:gmatch("[^\r]+") do
      last = part
    end
    return last or ""
  end))
end

--- Equal lines in a row, counted.
---@param text string
---@return string
function cut.fold(text)
  local lines, before, count = {}, nil, 0
  local function settle()
    if count >= REPEATS then
      lines[#lines + 1] = ("[... %s more identical lines]"):format(cut.number(count - 1))
    else
      for _ = 2, count do
        lines[#lines + 1] = before
      end
    end
  end
  for line in (text:gsub("\n$", "") .. "\n"):gmatch("([^\n]*)\n") do
    if line == before then
      count = count + 1
    else
      settle()
      lines[#lines + 1] = line
      before, count = line, 1
    end
  end
  settle()
  return table.concat(lines, "\n")
end

--- The ends of a text that is longer than anyone will show, before it is worked on.
---@param text string
---@return string text
---@return string? tail the other end, when the middle was left out
---@return integer lines left out
---@return integer bytes left out
function cut.ends(text)
  if #text <= READ_MAX then
    return text, nil, 0, 0
  end
  local half = READ_MAX / 2
  local head, tail = text:sub(1, half), text:sub(-half)
  tail = tail:sub((tail:find("\n", 1, true) or 0) + 1)
  local middle = text:sub(half + 1, #text - #tail)
  return head, tail, count_lines(middle), #middle
end

-- The longest beginning of at most `count` characters, of whole lines if that loses little.
local function take_head(text, count)
  local head = unicode.head(text, count)
  local at = #head
  while at > #head / 2 and head:byte(at) ~= 10 do
    at = at - 1
  end
  return head:byte(at) == 10 and head:sub(1, at) or head
end

local function take_tail(text, count)
  local tail = unicode.tail(text, count)
  local at = tail:find("\n", 1, true)
  return at and at < #tail / 2 and tail:sub(at + 1) or tail
end

--- Cut a text to a number of characters: its beginning, a line that says what is missing, its end.
---@param text string valid UTF-8
---@param budget integer characters
---@param hint string? how to get the rest
---@param lines integer? left out already between `text` and `rest`
---@param bytes integer?
---@param rest string? the text after what was left out already
---@return string
function cut.middle(text, budget, hint, lines, bytes, rest)
  local length = unicode.length(text)
  if not rest and length <= budget then
    return text
  end
  local room = math.max(budget - 80 - #(hint or ""), 0)
  local head = take_head(text, math.floor(room * HEAD))
  local tail = take_tail(rest or text, room - math.floor(room * HEAD))
  local missing = rest and text:sub(#head + 1) .. rest:sub(1, #rest - #tail)
    or text:sub(#head + 1, #text - #tail)
  local mark = ("[... %s lines, %s bytes left out%s ...]"):format(
    cut.number(count_lines(missing) + (lines or 0)), cut.number(#missing + (bytes or 0)),
    hint and "; " .. hint or "")
  return head .. (head:sub(-1) == "\n" and "" or "\n") .. mark .. "\n" .. tail
end

--- How many characters each of several texts gets: short ones all they need, the others the same.
---@param lengths integer[]
---@param budget integer
---@return integer[]
function cut.share(lengths, budget)
  local order, shares = {}, {}
  for i = 1, #lengths do
    order[i] = i
  end
  table.sort(order, function(left, right)
    if lengths[left] == lengths[right] then
      return left < right
    end
    return lengths[left] < lengths[right]
  end)
  for position, index in ipairs(order) do
    local fair = math.floor(budget / (#order - position + 1))
    shares[index] = math.min(lengths[index], fair)
    budget = budget - shares[index]
  end
  return shares
end

return cut
