--- A body that comes in pieces, as one string within bounds.

--- Read it to its end.
---@param from table whose `read` gives the next piece; nil at the end; nil, err
---@param take fun(piece: integer, all: integer): codecell.Error? asked before a piece is kept, with
---its bytes and those of all so far: why there may be no more of them
---@return string? body
---@return codecell.Error? err of `read`, or what `take` has answered
local function whole(from, take)
  local chunks, size = {}, 0
  while true do
    local chunk, err = from:read()
    if err then
      return nil, err
    elseif not chunk then
      return table.concat(chunks)
    end
    size = size + #chunk
    err = take(#chunk, size)
    if err then
      return nil, err
    end
    chunks[#chunks + 1] = chunk
  end
end

return whole
