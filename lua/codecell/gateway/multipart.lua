--- Forms with files, and bodies that were packed.
local inflate = require "codecell.packages.inflate"

local multipart = {}

local PARTS_MOST = 10000
local HEAD_MOST = 65536 -- bytes
local UNPACKED_MOST = 8388608 -- bytes: unpacking takes the time of all others

-- The value of a parameter; quoted pairs are the three that clients escape.
local function parameter(field, name)
  local quoted = (";" .. field):match(';%s*' .. name .. '="([^"]*)"')
  local plain = quoted or (";" .. field):match(";%s*" .. name .. "=([^;%s]+)")
  return plain and (plain:gsub("%%22", '"'):gsub("%%0[Dd]", "\r"):gsub("%%0[Aa]", "\n"))
end

local function disposition_of(head)
  for line in head:gmatch("[^\r\n]+") do
    local value = line:match("^[Cc]ontent%-[Dd]isposition:%s*(.*)$")
    if value then
      return value:gsub('\\"', "%%22")
    end
  end
  return ""
end

local function read_part(body, at, boundary)
  local head_end, data_at = body:find("\r\n\r\n", at, true)
  if not head_end or head_end - at > HEAD_MOST then
    return nil
  end
  local stop, after = body:find("\r\n--" .. boundary, data_at + 1, true)
  if not stop then
    return nil
  end
  local field = disposition_of(body:sub(at, head_end))
  return { name = parameter(field, "name"), filename = parameter(field, "filename"),
    data = body:sub(data_at + 1, stop - 1) }, after + 1
end

--- The parts of a form.
---@param kind string its Content-Type
---@param body string
---@return {name: string?, filename: string?, data: string}[]? parts
---@return string? problem
function multipart.read(kind, body)
  local boundary = parameter(kind, "boundary")
  if not boundary or #boundary > 70 then
    return nil, "multipart/form-data without a boundary"
  end
  local parts = {}
  local _, at = body:find("--" .. boundary, 1, true)
  at = at and at + 1
  while at and body:sub(at, at + 1) == "\r\n" do
    local part
    part, at = read_part(body, at, boundary)
    if not part or #parts >= PARTS_MOST then
      return nil, "the form is cut off, or has too many parts"
    end
    parts[#parts + 1] = part
  end
  if not at or body:sub(at, at + 1) ~= "--" then
    return nil, "the form is cut off"
  end
  return parts
end

-- Bits of the flags of a member (RFC 1952).
local CRC, EXTRA, NAME, COMMENT = 2, 4, 8, 16

local function has(flags, bit)
  return math.floor(flags / bit) % 2 == 1
end

local function skip_text(bytes, at)
  local stop = bytes:find("%z", at)
  return stop and stop + 1 or #bytes + 1
end

--- Unpack a body of one member.
---@param bytes string
---@param most integer of what comes out
---@return string? plain
---@return string? problem
function multipart.gunzip(bytes, most)
  if #bytes < 18 or bytes:sub(1, 3) ~= "\31\139\8" then
    return nil, "the body is not packed with gzip"
  end
  local flags, at = bytes:byte(4), 11
  if has(flags, EXTRA) then
    local low, high = bytes:byte(at, at + 1)
    at = at + 2 + low + high * 256
  end
  at = has(flags, NAME) and skip_text(bytes, at) or at
  at = has(flags, COMMENT) and skip_text(bytes, at) or at
  at = has(flags, CRC) and at + 2 or at
  local a, b, c, d = bytes:byte(#bytes - 3, #bytes)
  local size = a + b * 256 + c * 65536 + d * 16777216
  if size > math.min(most, UNPACKED_MOST) then
    return nil, "the body is too large to be sent packed: send it as it is"
  end
  local plain = size == 0 and "" or inflate(bytes:sub(at, #bytes - 8), size)
  if not plain or #plain ~= size then
    return nil, "the body is not packed with gzip"
  end
  return plain
end

return multipart
