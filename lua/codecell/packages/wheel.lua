--- What a wheel says of itself: the text METADATA in its zip archive, found without unpacking it.
local inflate = require "codecell.packages.inflate"

local wheel = {}

local END_MOST = 65557 -- bytes: the last record of an archive, with its comment
local DIRECTORY_MOST = 8 * 2 ^ 20
local PACKED_MOST = 2 ^ 20
local TEXT_MOST = 256 * 1024 -- what a package needs stands before its description
local PIECE = 2 ^ 20

local function read(file, from, count)
  file:seek(from)
  local pieces, left = {}, count
  while left > 0 do
    local piece = file:read(math.min(left, PIECE))
    if not piece then
      return nil
    end
    pieces[#pieces + 1] = piece
    left = left - #piece
  end
  return table.concat(pieces)
end

-- A number of so many bytes, the lowest first.
local function number(text, at, size)
  local value = 0
  for i = size, 1, -1 do
    value = value * 256 + (text:byte(at + i - 1) or 0)
  end
  return value
end

-- The directory of the archive.
local function directory(file)
  local size = file:size()
  local from = math.max(0, size - END_MOST)
  local text = read(file, from, size - from)
  local at
  local next_at = text and text:find("PK\5\6", 1, true)
  while next_at do
    at, next_at = next_at, text:find("PK\5\6", next_at + 1, true)
  end
  if not at or #text < at + 21 then
    return nil
  end
  local length, offset = number(text, at + 12, 4), number(text, at + 16, 4)
  if length > DIRECTORY_MOST or offset + length > size then
    return nil
  end
  return read(file, offset, length)
end

local function find(entries)
  local at = 1
  while entries:sub(at, at + 3) == "PK\1\2" and #entries >= at + 45 do
    local name_size = number(entries, at + 28, 2)
    local name = entries:sub(at + 46, at + 45 + name_size)
    if name:find("^[^/]+%.dist%-info/METADATA$") then
      return { method = number(entries, at + 10, 2), size = number(entries, at + 20, 4),
        offset = number(entries, at + 42, 4) }
    end
    at = at + 46 + name_size + number(entries, at + 30, 2) + number(entries, at + 32, 2)
  end
end

--- The beginning of its metadata.
---@param file userdata descriptor of the wheel
---@return string? text nil: it is no wheel, or not one that can be read so
function wheel.metadata(file)
  local entries = directory(file)
  local entry = entries and find(entries)
  if not entry or entry.size > PACKED_MOST then
    return nil
  end
  local head = read(file, entry.offset, 30)
  if not head or head:sub(1, 4) ~= "PK\3\4" then
    return nil
  end
  local data = read(file, entry.offset + 30 + number(head, 27, 2) + number(head, 29, 2), entry.size)
  if not data or entry.method ~= 0 and entry.method ~= 8 then
    return nil
  end
  return entry.method == 0 and data:sub(1, TEXT_MOST) or inflate(data, TEXT_MOST)
end

return wheel
