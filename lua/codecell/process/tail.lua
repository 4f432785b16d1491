--- The last bytes of an output that nobody reads before something goes wrong.

--- Keep them.
---@param most integer bytes
---@return fun(piece: string) add
---@return fun(): string text the last of what was added
---@return fun(): integer total bytes of all that was added
local function tail(most)
  local kept, size, total = {}, 0, 0
  local function text()
    return (table.concat(kept):sub(-most))
  end
  local function add(piece)
    kept[#kept + 1] = piece
    size, total = size + #piece, total + #piece
    if size > 2 * most then
      kept = { text() }
      size = #kept[1]
    end
  end
  return add, text, function() return total end
end

return tail
