--- Bodies packed with gzip, piece by piece.
local errors = require "codecell.errors"
local libraries = require "codecell.libraries"

local gzip = {}

local CHUNK = 262144

local function open(verb)
  local library, err = libraries.load("zlib", "gzip", "zlib (Debian: zlib1g)")
  local made = library and library[verb]()
  if not made then
    return nil, err or errors.new("out_of_memory", "gzip: Cannot allocate memory")
  end
  return made
end

local function pieces_of(text)
  local at = 0
  return function()
    if at < #text then
      at = at + CHUNK
      return text:sub(at - CHUNK + 1, at)
    end
  end
end

--- The pieces of what is packed, as the body of a request.
---@param source string|fun(): string?, codecell.Error? the next piece, nil at the end
---@return (fun(): string?, codecell.Error?)? body
---@return codecell.Error? err kind "unsupported": zlib is not installed
function gzip.packed(source)
  local packer, err = open "pack"
  if not packer then
    return nil, err
  end
  source = type(source) == "string" and pieces_of(source) or source
  local piece, at, is_last, is_over = "", 0, false, false
  return function()
    while not is_over do
      if at == #piece and not is_last then
        local problem
        piece, problem = source()
        if problem then
          packer:close()
          return nil, problem
        end
        is_last, piece, at = piece == nil, piece or "", 0
      end
      local out
      out, at, is_over = packer:step(piece, at, is_last)
      if is_over then
        packer:close()
      end
      if out ~= "" then
        return out
      end
    end
  end
end

---@class codecell.Unpacker
---@field package packer userdata
---@field package piece string not unpacked yet from `at` on
local Unpacker = {}
Unpacker.__index = Unpacker

--- What unpacks pieces that come.
---@return codecell.Unpacker? unpacker
---@return codecell.Error? err kind "unsupported": zlib is not installed
function gzip.unpacker()
  local packer, err = open "unpack"
  return packer and setmetatable({ packer = packer, piece = "", at = 0 }, Unpacker), err
end

--- Add what has come; all before was taken.
---@param piece string
function Unpacker:add(piece)
  self.piece, self.at = piece, 0
end

--- Some bytes of what was added, a bounded number.
---@return string|false|nil bytes false: more must come
---@return string? problem after nil
function Unpacker:next()
  if self.is_over then
    return false -- what comes after the end is nothing to us
  end
  local out, at, is_over = self.packer:step(self.piece, self.at, false)
  if not out then
    return nil, "what is not packed with gzip"
  end
  self.at, self.is_over = at, is_over
  return out ~= "" and out or false
end

--- What came after the end.
---@return string? bytes nil: nothing, or it is not at its end
function Unpacker:rest()
  return self.is_over and self.at < #self.piece and self.piece:sub(self.at + 1) or nil
end

--- Why there is no more: nothing where all came that belongs to it.
---@param what string begins the message
---@return codecell.Error? err kind "unavailable"
function Unpacker:cut(what)
  return not self.is_over and errors.new("unavailable", what .. ": it broke off") or nil
end

--- Forget it. Idempotent.
function Unpacker:close()
  self.packer:close()
end

return gzip
