--- Files that travel packed with gzip, a piece at a time.
local errors = require "codecell.errors"
local gzip = require "codecell.http.gzip"
local wait = require "codecell.wait"

local packing = {}

local CHUNK = 262144 -- bytes
local TURN = 0.0001 -- seconds, in which others have their turn between two pieces

local function wrong()
  return errors.new("invalid_argument", "the body is not packed with gzip, or is cut off")
end

--- Unpack what comes.
---@param source fun(): string?, codecell.Error? the next piece; nil: the end
---@return (fun(): string?, codecell.Error?)? read pieces of what was packed
---@return fun()|codecell.Error close call it when no more is read; or err, kind "unsupported"
function packing.unpack(source)
  local unpacker, err = gzip.unpacker()
  if not unpacker then
    return nil, err
  end
  -- Packed bytes may be joined: what comes after an end begins anew.
  local function feed()
    local piece = unpacker:rest()
    local problem
    if piece then
      unpacker:close()
      unpacker, problem = gzip.unpacker()
    else
      piece, problem = source()
      problem = problem or not piece and unpacker:cut("") and wrong() or nil
    end
    if piece and not problem then
      unpacker:add(piece)
    end
    return piece and not problem, problem
  end
  local function read()
    while true do
      local bytes = unpacker:next()
      if bytes then
        return bytes
      elseif bytes == nil then
        return nil, wrong()
      end
      local ok, problem = feed()
      if not ok then
        return nil, problem
      end
    end
  end
  return read, function()
    if unpacker then
      unpacker:close()
    end
  end
end

--- Pack what is in a file.
---@param content string|codecell.Descriptor closed by the caller
---@return (fun(): string?, codecell.Error?)? read pieces; nil: zlib is not installed
function packing.pack(content)
  if type(content) == "string" then
    return (gzip.packed(content))
  end
  return (gzip.packed(function()
    wait.key(nil, wait.deadline(TURN))
    return content:read(CHUNK)
  end))
end

return packing
