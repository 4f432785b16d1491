--- Output made short: progress bars, repeated lines, and what is over the budget.
local unicode = require "codecell.agent.unicode"

local cut = {}

-- More is not looked at: the ends of a text this long are over every budget.
local READ_MAX = 1048576
-- So many equal lines in a row are worth folding.
local REPEATS = 4
-- Of what a text may have, this part goes to its beginning; errors stand at the end.
local HEAD = 0.6
local ASKED = 45 -- characters of a hint that is asked for

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

--- The piece of a long text that is worked on at once: whole lines if they are short.
---@param text string
---@param at integer where it begins
---@return string
function cut.block(text, at)
  local left = #text - at + 1
  if left <= (at == 1 and READ_MAX or READ_MAX / 2) then
    return text:sub(at)
  end
  local piece = text:sub(at, at + READ_MAX / 2 - 1)
  local line = piece:match("^.*()\n")
  return line and piece:sub(1, line) or piece
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
  local head, tail = cut.block(text, 1), text:sub(-READ_MAX / 2)
  tail = tail:sub((tail:find("\n", 1, true) or 0) + 1)
  local middle = text:sub(#head + 1, #text - #tail)
  return head, tail, count_lines(middle), #middle
end

--- A text without the line that it breaks off in, if that loses little.
---@param text string
---@return string
function cut.whole_lines(text)
  local at = #text
  while at > #text / 2 and text:byte(at) ~= 10 do
    at = at - 1
  end
  return text:byte(at) == 10 and text:sub(1, at) or text
end

--- A piece of a text: no half characters, nor half a line if that loses little.
---@param text string bytes
---@param offset integer bytes to pass over
---@param count integer characters at most
---@return string piece
---@return integer next_offset
function cut.piece(text, offset, count)
  local from = offset + 1
  while from <= #text and from <= offset + 3 and text:find("^[\128-\191]", from) do
    from = from + 1
  end
  local window = text:sub(from, from + count * 4)
  local at, taken = 1, 0
  while at <= #window and taken < count do
    at, taken = at + (unicode.size(window, at) or 1), taken + 1
  end
  local piece = window:sub(1, at - 1)
  if from + #piece <= #text then
    piece = cut.whole_lines(piece)
  end
  return piece, math.min(from + #piece - 1, #text)
end

local function take_tail(text, count)
  local tail = unicode.tail(text, count)
  local at = tail:find("\n", 1, true)
  return at and at < #tail / 2 and tail:sub(at + 1) or tail
end

--- Cut a text to a number of characters: its beginning, a line that says what is missing, its end.
---@param text string valid UTF-8
---@param budget integer characters
---@param hint string|fun(offset: integer): string|nil how to get the rest, which begins at so many
---bytes
---@param lines integer? left out already between `text` and `rest`
---@param bytes integer?
---@param rest string? the text after what was left out already
---@return string
---@return boolean is_cut
function cut.middle(text, budget, hint, lines, bytes, rest)
  local length = unicode.length(text)
  if not rest and length <= budget then
    return text, false
  end
  local asks = type(hint) == "function"
  local room = math.max(budget - 80 - (asks and ASKED or #(hint or "")), 0)
  local head = cut.whole_lines(unicode.head(text, math.floor(room * HEAD)))
  local tail = take_tail(rest or text, room - math.floor(room * HEAD))
  local missing = rest and text:sub(#head + 1) .. rest:sub(1, #rest - #tail)
    or text:sub(#head + 1, #text - #tail)
  local how = asks and hint(#head) or hint
  local mark = ("[... %s lines, %s bytes left out%s ...]"):format(
    cut.number(count_lines(missing) + (lines or 0)), cut.number(#missing + (bytes or 0)),
    how and "; " .. how or "")
  return head .. ((head == "" or head:sub(-1) == "\n") and "" or "\n") .. mark .. "\n" .. tail, true
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
