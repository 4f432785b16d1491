--- The line that opens a fenced block, and the line that closes it.
local container = require "codecell.agent.blocks.container"

local fence = {}

-- The text from `from` on without the white space around it. Not by a pattern: those that end
-- in "%s*$" take quadratic time on a long line of spaces.
local function trimmed(line, from)
  local first, last = line:match("^[ \t]*()", from), #line
  while last >= first do
    local byte = line:byte(last)
    if byte ~= 32 and byte ~= 9 and byte ~= 13 then
      break
    end
    last = last - 1
  end
  return line:sub(first, last)
end

---@class codecell.blocks.Fence
---@field mark string "`" or "~"
---@field length integer
---@field indent integer columns before it, at most 3
---@field info string
---@field position integer of its first byte in the line

--- Read an opening fence.
---@param line string without its line ending
---@param at integer where the containers end
---@param column integer
---@param spare integer
---@return codecell.blocks.Fence?
function fence.open(line, at, column, spare)
  local width, position = container.indent(line, at, column, spare)
  if width > 3 then
    return nil
  end
  local byte = line:byte(position)
  if byte ~= 96 and byte ~= 126 then
    return nil
  end
  local run, past = line:match(byte == 96 and "^(`+)()" or "^(~+)()", position)
  if #run < 3 or byte == 96 and line:find("`", past, true) then
    return nil -- inline code such as ```x``` is no fence
  end
  return {
    mark = run:sub(1, 1),
    length = #run,
    indent = width,
    info = trimmed(line, past),
    position = position,
  }
end

--- Whether a line closes a block.
---@param open codecell.blocks.Fence
---@param line string
---@param at integer
---@param column integer
---@param spare integer
---@return boolean
function fence.closes(open, line, at, column, spare)
  local width, position = container.indent(line, at, column, spare)
  if width > 3 then
    return false
  end
  local run, past = line:match(open.mark == "`" and "^(`+)()" or "^(~+)()", position)
  return run ~= nil and #run >= open.length and not line:find("[^ \t\r]", past)
end

return fence
