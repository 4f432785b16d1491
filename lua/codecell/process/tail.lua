--- The last bytes of an output that nobody reads before something goes wrong.

--- Keep them.
---@param most integer bytes
---@return fun(piece: string) add
---@return fun(): string text the last of what was added
local function tail(most)
  local kept, size = {}, 0
  local function text()
    return (table.concat(kept):sub(-most))
  end
  local function add(piece)
    kept[#kept + 1] = piece
    size = size + #piece
    if size > 2 * most then
      kept = { text() }
      size = #kept[1]
    end
  end
  return add, text
end

return tail
