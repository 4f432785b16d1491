--- What a model is shown of a file: without the secrets of its sandbox, wherever a piece begins or
--- ends. Offsets are those of the text without them.
local CHUNK = 1048576 -- bytes that are read at once

-- The part of a piece, which stands at `at` of the whole, that lies from `first` on before `last`.
local function overlap(piece, at, first, last)
  return piece:sub(math.max(first - at, 0) + 1, math.max(last - at, 0))
end

--- Read a part of a file.
---@param sandbox codecell.Sandbox
---@param path string
---@param offset integer
---@param length integer bytes at most
---@return string? data
---@return codecell.Error|boolean|nil more whether there is more; after nil err
return function(sandbox, path, offset, length)
  if not sandbox._mask then
    local data, err = sandbox.files:read(path, { offset = offset, length = length + 1 })
    if not data then
      return nil, err
    end
    return data:sub(1, length), #data > length
  end
  local masking, err = sandbox._mask:stream()
  if not masking then
    return nil, err
  end
  local last, pieces, read, at = offset + length, {}, 0, 0
  repeat
    local chunk
    chunk, err = sandbox.files:read(path, { offset = read, length = CHUNK })
    if not chunk then
      return nil, err
    end
    local piece = chunk ~= "" and masking:feed(chunk) or masking:finish()
    pieces[#pieces + 1] = overlap(piece, at, offset, last)
    read, at = read + #chunk, at + #piece
  until chunk == "" or at > last
  return table.concat(pieces), at > last
end
