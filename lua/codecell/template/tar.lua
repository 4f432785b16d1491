--- Reading a tar stream that anybody may have made, piece by piece. What its headers say is read by
--- the engine: names only lead down, and what could do harm ends it with an error.
local core = require "codecell.core"
local errors = require "codecell.errors"

local BLOCK = 512
local PIECE = 65536

local tar = {}

---@class codecell.TarReader
---@field package source fun(): string?, codecell.Error?
---@field package headers userdata of the engine
---@field package bytes string that were read
---@field package at integer the first of them that was not used
---@field package left number bytes of content that are to come
---@field package padding integer bytes behind the content
---@field package seen boolean? whether there was any header
local Reader = {}
Reader.__index = Reader

local function fail(why, block)
  local name = block and block:sub(1, 100):match("^[%w%p ]+") -- of its header
  return nil, errors.new("invalid_argument", ("the tar stream: %s%s"):format(
    name and name .. ": " or "", why))
end

-- So many bytes, or fewer at its end.
local function take(self, count)
  local last = self.at + count - 1
  while last > #self.bytes and not self.over do
    local piece, err = self.source()
    if err then
      return nil, err
    end
    self.over = piece == nil
    self.bytes = self.bytes:sub(self.at) .. (piece or "")
    self.at, last = 1, count
  end
  local bytes = self.bytes:sub(self.at, last)
  self.at = self.at + #bytes
  return bytes
end

local function read_extension(self, size)
  local bytes, err = take(self, size + -size % BLOCK)
  if not bytes then
    return nil, err
  elseif #bytes < size then
    return fail("it ends in the middle")
  end
  local ok, why = self.headers:extend(bytes:sub(1, size))
  if not ok then
    return fail(why)
  end
  return true
end

-- What was not read of the last member.
local function pass_over(self)
  while self.left > 0 do
    local piece, err = self:read()
    if not piece then
      return nil, err
    end
  end
  local passed, err = take(self, self.padding)
  self.padding = 0
  return passed, err
end

--- The next member; what was not read of the last one is passed over.
---@return table? member `name` ("" for the top), `type` (file, dir, symlink, hardlink), `mode`,
---`modified`, `size`, `target`; nil at the end
---@return codecell.Error? err after nil: kind "invalid_argument", or that of the source
function Reader:next_member()
  local ready, err = pass_over(self)
  while ready do
    local block
    block, err = take(self, BLOCK)
    if not block then
      break
    elseif block == "" and self.seen then
      return nil -- others leave the blocks of zeros out
    elseif #block < BLOCK then
      return fail(block == "" and "there is none" or "it ends in the middle")
    end
    self.seen = true
    local step, what = self.headers:header(block)
    if step == "end" then
      return nil
    elseif step == "member" then
      self.left = what.type == "file" and what.size or 0
      self.padding = -self.left % BLOCK
      return what
    elseif not step then
      return fail(what, block)
    end
    ready, err = read_extension(self, what)
  end
  return nil, err
end

--- The next piece of the content of the member.
---@return string? bytes nil at its end
---@return codecell.Error? err after nil
function Reader:read()
  if self.left == 0 then
    return nil
  end
  local piece, err = take(self, math.min(self.left, PIECE))
  if not piece then
    return nil, err
  elseif piece == "" then
    return fail("it ends in the middle")
  end
  self.left = self.left - #piece
  return piece
end

--- Read a stream.
---@param source fun(): string?, codecell.Error? the next piece; nil at the end, or nil, err
---@return codecell.TarReader
function tar.reader(source)
  return setmetatable({ source = source, headers = core.tar(), bytes = "", at = 1, left = 0,
    padding = 0 }, Reader)
end

return tar
