--- Where a text that is being typed stands on the screen, drawn anew after each key.
local core = require "codecell.core"
local width = require "codecell.command.repl.width"

local ROWS, COLUMNS = 24, 80 -- of a terminal that does not know its size
local TAB = "    "

---@class codecell.Screen
---@field package out table of command/terminal.lua
---@field package row integer of the cursor, from the first row that is drawn
local Screen = {}
Screen.__index = Screen

local screen = {}

---@param out table of command/terminal.lua
---@return codecell.Screen
function screen.new(out)
  return setmetatable({ out = out, row = 0 }, Screen)
end

--- Rows and columns of the terminal.
---@return integer rows
---@return integer columns
function Screen.size()
  local rows, columns = core.terminal_size(1)
  if not rows or rows < 1 or columns < 1 then
    return ROWS, COLUMNS
  end
  return rows, columns
end

-- The rows of a text: each a list of pieces; and where the cursor is.
local function lay_out(text, at, prompt, continuation, columns)
  local rows, row, column = {}, {}, 0
  local cursor = nil
  local function break_row()
    rows[#rows + 1] = table.concat(row)
    row, column = {}, 0
  end
  local function put(char, wide)
    if column + wide >= columns then
      break_row()
    end
    row[#row + 1], column = char, column + wide
  end
  row[1], column = prompt.shown, prompt.width
  for place, char in width.each(text) do
    if place == at + 1 then
      cursor = { #rows, column }
    end
    if char == "\n" then
      break_row()
      row[1], column = continuation.shown, continuation.width
    elseif char == "\t" then
      put(TAB, #TAB)
    else
      put(char, width.of(char))
    end
  end
  cursor = cursor or { #rows, column }
  break_row()
  return rows, cursor[1], cursor[2]
end

-- The rows around the cursor, where not all of them fit.
local function visible(rows, cursor, most)
  if #rows <= most then
    return rows, cursor
  end
  local first = math.max(0, math.min(cursor - math.floor(most / 2), #rows - most))
  local shown = {}
  for i = 1, most do
    shown[i] = rows[first + i]
  end
  return shown, cursor - first
end

local function to_top(self)
  return (self.row > 0 and ("\27[%dA"):format(self.row) or "") .. "\r"
end

--- Draw a text where the last one is.
---@param text string
---@param at integer bytes before the cursor
---@param prompt {shown: string, width: integer}
---@param continuation {shown: string, width: integer} of the lines behind the first
function Screen:draw(text, at, prompt, continuation)
  local high, wide = self.size()
  local rows, cursor, column = lay_out(text, at, prompt, continuation, math.max(wide, 10))
  rows, cursor = visible(rows, cursor, math.max(high - 1, 1))
  local up = #rows - 1 - cursor
  self.out:write(to_top(self), "\27[J", table.concat(rows, "\n"),
    up > 0 and ("\27[%dA"):format(up) or "", "\r", column > 0 and ("\27[%dC"):format(column) or "")
  self.out.stream:flush()
  self.row, self.rows = cursor, #rows
end

--- Leave the text as it stands: what comes next begins below it.
function Screen:leave()
  local down = (self.rows or 1) - 1 - self.row
  self.out:write(down > 0 and ("\27[%dB"):format(down) or "", "\n")
  self.out.stream:flush()
  self.row, self.rows = 0, 1
end

--- Forget what was on the screen: it is empty.
function Screen:clear()
  self.out:write("\27[H\27[2J")
  self.row, self.rows = 0, 1
end

--- Names in columns, below the text.
---@param names string[]
function Screen:list(names)
  local high, wide = self.size()
  local longest = 0
  for _, name in ipairs(names) do
    longest = math.max(longest, #name + 2)
  end
  local across = math.max(1, math.floor((wide - 1) / longest))
  local most = across * math.max(1, high - 4)
  self:leave()
  local line = {}
  for i = 1, math.min(#names, most) do
    line[#line + 1] = names[i] .. (" "):rep(longest - #names[i])
    if #line == across or i == math.min(#names, most) then
      self.out:write((table.concat(line):gsub(" +$", "")), "\n")
      line = {}
    end
  end
  if #names > most then
    self.out:write(self.out:style("dim", ("and %d more"):format(#names - most)), "\n")
  end
end

return screen
