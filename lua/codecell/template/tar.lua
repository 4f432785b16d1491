--- Reading a tar stream that anybody may have made: ustar, with the headers of pax and of GNU for
--- what that has no room for. Names only lead down; what could do harm ends it with an error.
local errors = require "codecell.errors"

local BLOCK = 512
local HEADER_MOST = 1024 * 1024 -- bytes of a header of pax or GNU
local NAME_MOST = 4095
local TYPES = { ["0"] = "file", ["\0"] = "file", ["7"] = "file", ["1"] = "hardlink",
  ["2"] = "symlink", ["5"] = "dir" }
local OTHERS = { ["3"] = "a device", ["4"] = "a device", ["6"] = "a pipe", S = "a sparse file",
  M = "a piece of a file" }

local tar = {}

---@class codecell.TarReader
---@field package source fun(): string?, codecell.Error?
---@field package bytes string that were read
---@field package at integer the first of them that was not used
---@field package left number bytes of content that are to come
---@field package padding integer
local Reader = {}
Reader.__index = Reader

local function fail(text, ...)
  return nil, errors.new("invalid_argument", "the tar stream: " .. text:format(...))
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

local function text_at(block, first, length)
  return (block:sub(first, first + length - 1):match("^%Z*"))
end

-- A number in octal digits, or in base 256 where those do not suffice; nil for neither.
local function number_at(block, first, length)
  local lead = block:byte(first)
  if lead == 128 then
    local value = 0
    for i = first + 1, first + length - 1 do
      value = value * 256 + block:byte(i)
    end
    return value < 2 ^ 53 and value or nil
  elseif lead > 128 then
    return nil
  end
  local digits = text_at(block, first, length):match("^ *([0-7]*) *$")
  return digits == "" and 0 or digits and tonumber(digits, 8)
end

local function is_whole(block)
  local sum = 8 * 32 -- the checksum itself counts as spaces
  for i = 1, BLOCK do
    sum = sum + ((i < 149 or i > 156) and block:byte(i) or 0)
  end
  return number_at(block, 149, 8) == sum
end

-- ---- headers before a header ----

local function read_records(text, into)
  local at = 1
  while at <= #text do
    local digits = text:match("^(%d+) ", at)
    local length = digits and #digits < 9 and tonumber(digits) or math.huge
    local record = at + length - 1 <= #text and text:sub(at + #digits + 1, at + length - 1)
    local key, value = (record or ""):match("^([^=]+)=(.*)\n$")
    if not key then
      return false
    end
    into[key] = value
    at = at + length
  end
  return true
end

local EXTRA = { x = true, g = true, L = true, K = true }

local function read_extra(self, kind, size)
  if size > HEADER_MOST then
    return fail("a header of %.0f bytes", size)
  end
  local bytes, err = take(self, size + -size % BLOCK)
  if not bytes then
    return nil, err
  elseif #bytes < size then
    return fail("it ends in the middle")
  end
  local text = bytes:sub(1, size)
  if kind == "L" or kind == "K" then
    self.next[kind == "L" and "path" or "linkpath"] = text:match("^%Z*")
  elseif not read_records(text, kind == "x" and self.next or self.all) then
    return fail("a broken header of pax")
  end
  return true
end

-- ---- members ----

-- "./a//b/" is "a/b"; nil for what leads out.
local function plain(name)
  local parts = {}
  if name:sub(1, 1) == "/" or #name > NAME_MOST or name:find("%z") then
    return nil
  end
  for part in name:gmatch("[^/]+") do
    if part == ".." then
      return nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function read_member(self, block)
  local extra = setmetatable(self.next, { __index = self.all })
  self.next = {}
  local prefix = block:sub(258, 262) == "ustar" and block:sub(263, 263) == "\0"
    and text_at(block, 346, 155) or ""
  local name = extra.path or (prefix ~= "" and prefix .. "/" or "") .. text_at(block, 1, 100)
  local kind = block:sub(157, 157)
  local member = {
    name = plain(name), type = TYPES[kind], target = extra.linkpath or text_at(block, 158, 100),
    mode = (number_at(block, 101, 8) or 0) % 512,
    modified = math.floor(tonumber(extra.mtime) or number_at(block, 137, 12) or 0),
    size = tonumber(extra.size) or number_at(block, 125, 12),
  }
  if not member.name then
    return fail("a name that leads out of it: %s", (name:gsub("%c", "?")))
  elseif not member.type then
    return fail("%s: %s; only files, directories and links are taken", member.name,
      OTHERS[kind] or ("a member of the type %q"):format(kind))
  elseif not member.size or member.size < 0 or member.size % 1 ~= 0 or member.size >= 2 ^ 53 then
    return fail("%s: a broken size", member.name)
  end
  local is_time = math.abs(member.modified) < 2 ^ 40 -- and no NaN
  member.modified = is_time and member.modified or 0
  if member.type == "file" and name:sub(-1) == "/" then
    member.type = "dir" -- as tar wrote them before there was a type for it
  end
  if member.type == "hardlink" then
    member.target = plain(member.target)
    if not member.target or member.target == "" then
      return fail("%s: a link that leads out of it", member.name)
    end
  elseif member.type == "symlink" and (member.target == "" or #member.target > NAME_MOST) then
    return fail("%s: a broken link", member.name)
  end
  self.left = member.type == "file" and member.size or 0
  self.padding = -self.left % BLOCK
  return member
end

--- The next member; what was not read of the last one is passed over.
---@return table? member `name` ("" for the top), `type` (file, dir, symlink, hardlink), `mode`,
---`modified`, `size`, `target`; nil at the end
---@return codecell.Error? err after nil: kind "invalid_argument", or that of the source
function Reader:next_member()
  while self.left > 0 do
    local piece, err = self:read()
    if not piece then
      return nil, err
    end
  end
  local passed, err = take(self, self.padding)
  self.padding = 0
  while passed do
    local block
    block, err = take(self, BLOCK)
    if not block then
      break
    elseif #block < BLOCK and block ~= "" then
      return fail("it ends in the middle")
    elseif block == "" and not self.seen then
      return fail("there is none")
    elseif block == "" or block == ("\0"):rep(BLOCK) then
      return nil
    elseif not is_whole(block) then
      return fail("what comes is no header: it is broken, or compressed")
    end
    self.seen = true
    local kind, size = block:sub(157, 157), number_at(block, 125, 12)
    if not EXTRA[kind] then
      return read_member(self, block)
    end
    passed, err = read_extra(self, kind, size or HEADER_MOST + 1)
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
  local piece, err = take(self, math.min(self.left, 65536))
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
  return setmetatable({ source = source, bytes = "", at = 1, left = 0, padding = 0,
    next = {}, all = {} }, Reader)
end

return tar
