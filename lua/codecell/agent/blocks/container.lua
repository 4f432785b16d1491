--- Block quotes and list items: what stands before a line that is inside one.
---
--- A stack holds the containers that are open, outermost first. Positions are 1-based bytes,
--- columns are 0-based, and a tab reaches to the next multiple of four columns.
local container = {}

local TAB = 4
-- Nobody nests deeper; a line of ten million ">" must not make ten million containers.
local DEPTH_MAX = 32

---@class codecell.blocks.Place where in a line we are
---@field at integer position of the next byte
---@field column integer column of that byte
---@field spare integer columns of a tab that was only partly consumed

--- The columns of white space at a place, and the position after them.
---@param line string
---@param at integer
---@param column integer
---@param spare integer
---@return integer width, integer position
function container.indent(line, at, column, spare)
  local width = spare
  column = column + spare
  while true do
    local byte = line:byte(at)
    if byte == 32 then
      width, column = width + 1, column + 1
    elseif byte == 9 then
      local step = TAB - column % TAB
      width, column = width + step, column + step
    else
      return width, at
    end
    at = at + 1
  end
end

--- Consume up to `count` columns of white space.
---@param line string
---@param at integer
---@param column integer
---@param spare integer
---@param count integer
---@return integer at, integer column, integer spare
function container.strip(line, at, column, spare, count)
  while count > 0 do
    if spare > 0 then
      local step = math.min(spare, count)
      spare, count, column = spare - step, count - step, column + step
    else
      local byte = line:byte(at)
      if byte == 32 then
        column, count = column + 1, count - 1
      elseif byte == 9 then
        spare = TAB - column % TAB
      else
        break
      end
      at = at + 1
    end
  end
  return at, column, spare
end

-- A ">" with up to three spaces before it and one optional space after it.
local function match_quote(line, at, column, spare)
  local width, past = container.indent(line, at, column, spare)
  if width > 3 or line:byte(past) ~= 62 then
    return nil
  end
  return container.strip(line, past + 1, column + width + 1, 0, 1)
end

-- A bullet or a number with what makes it a list item. Returns the item's width too.
local function match_item(line, at, column, spare)
  local width, past = container.indent(line, at, column, spare)
  if width > 3 then
    return nil
  end
  local after = line:match("^[*+-]()", past) or line:match("^%d+[.)]()", past)
  if not after or after - past > 10 then
    return nil
  end
  local marker = width + after - past
  local inner, start = container.indent(line, after, column + marker, 0)
  if start > #line then
    return marker + 1, start, column + marker, 0
  elseif inner == 0 then
    return nil
  elseif inner > 4 then
    inner = 1 -- an item that begins with indented code
  end
  return marker + inner, container.strip(line, after, column + marker, 0, inner)
end

--- Consume what the open containers put before a line.
---@param stack table[]
---@param line string
---@param loose "loose"? let list items go on although the indentation is missing
---@return integer matched how many containers the line is still in
---@return integer at, integer column, integer spare
---@return boolean short an item's indentation was missing, only with `loose`
function container.continue(stack, line, loose)
  local at, column, spare, short = 1, 0, 0, false
  for i = 1, #stack do
    local item = stack[i]
    if item.width then
      local width, past = container.indent(line, at, column, spare)
      if width < item.width and past <= #line then
        if not loose then
          return i - 1, at, column, spare, false
        end
        short = true
      end
      at, column, spare = container.strip(line, at, column, spare, item.width)
    else
      local next_at, next_column, next_spare = match_quote(line, at, column, spare)
      if not next_at then
        return i - 1, at, column, spare, short
      end
      at, column, spare = next_at, next_column, next_spare
    end
  end
  return #stack, at, column, spare, short
end

--- Open the containers that begin at a place of a line, onto the stack.
---@param stack table[]
---@param line string
---@param at integer
---@param column integer
---@param spare integer
---@return integer at, integer column, integer spare
function container.open(stack, line, at, column, spare)
  while #stack < DEPTH_MAX do
    local next_at, next_column, next_spare = match_quote(line, at, column, spare)
    if next_at then
      stack[#stack + 1] = { quote = true }
    else
      local width
      width, next_at, next_column, next_spare = match_item(line, at, column, spare)
      if not width then
        break
      end
      stack[#stack + 1] = { width = width }
    end
    at, column, spare = next_at, next_column, next_spare
  end
  return at, column, spare
end

return container
