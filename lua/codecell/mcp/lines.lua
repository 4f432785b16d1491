--- Lines out of pieces of bytes, within a bound.
local lines = {}

---@class codecell.McpLines
local Lines = {}
Lines.__index = Lines

--- Nothing has come yet.
---@param most integer bytes of a line
---@return codecell.McpLines
function lines.new(most)
  return setmetatable({ most = most, pieces = {}, size = 0 }, Lines)
end

-- The end of a line has come: the whole line, or false where it was too long.
local function close(self, last)
  local line = false
  if not self.is_long then
    self.pieces[#self.pieces + 1] = last
    line = table.concat(self.pieces)
  end
  self.pieces, self.size, self.is_long = {}, 0, nil
  return line
end

local function keep(self, rest)
  self.size = self.size + #rest
  if self.size > self.most then
    self.pieces, self.is_long = {}, true
  elseif rest ~= "" and not self.is_long then
    self.pieces[#self.pieces + 1] = rest
  end
end

--- More has come.
---@param piece string
---@param each fun(line: string|false) hears each line that has ended, without its end; false: it
---was too long
function Lines:add(piece, each)
  local first = 1
  while true do
    local stop = piece:find("\n", first, true)
    if not stop then
      return keep(self, piece:sub(first))
    end
    local part = piece:sub(first, stop - 1)
    if self.size + #part > self.most then
      self.is_long = true
    end
    each(close(self, part))
    first = stop + 1
  end
end

--- No more comes: what had no end yet, if there is something.
---@return string|false|nil line as of `add`; nil: nothing
function Lines:rest()
  return (self.size > 0 or self.is_long) and close(self, "") or nil
end

return lines
