--- Sizes that the headers of pictures state, and whether all of a picture is there. Nothing is
--- decoded.
local header = {}

-- No picture is larger; a header that says so lies.
local SIDE_MAX = 65535
local PIXELS_MAX = 100000000
-- A JPEG's frame header comes after its metadata, but not after as much as this.
local SCAN_MAX = 4194304

local function number(bytes, at, count)
  local value = 0
  for i = at, at + count - 1 do
    value = value * 256 + bytes:byte(i)
  end
  return value
end

local function check_size(width, height)
  if width < 1 or height < 1 or width > SIDE_MAX or height > SIDE_MAX
    or width * height > PIXELS_MAX then
    return nil, ("its size is out of bounds: %.0f x %.0f"):format(width, height)
  end
  return true
end

--- Read a PNG's IHDR.
---@param bytes string
---@return {width: integer, height: integer, depth: integer, colour: integer}?
---@return string? why not
function header.png(bytes)
  if bytes:sub(1, 8) ~= "\137PNG\r\n\26\n" then
    return nil, "not a PNG"
  elseif #bytes < 33 or number(bytes, 9, 4) ~= 13 or bytes:sub(13, 16) ~= "IHDR" then
    return nil, "a PNG without a header"
  end
  local width, height = number(bytes, 17, 4), number(bytes, 21, 4)
  local ok, why = check_size(width, height)
  if not ok then
    return nil, why
  end
  return { width = width, height = height, depth = bytes:byte(25), colour = bytes:byte(26) }
end

-- Frame headers are C0 to CF, but for tables (C4), an extension (C8) and arithmetic coding (CC).
local function is_frame(marker)
  return marker >= 0xC0 and marker <= 0xCF and marker ~= 0xC4 and marker ~= 0xC8
    and marker ~= 0xCC
end

--- Read a JPEG's frame header.
---@param bytes string
---@return {width: integer, height: integer}?
---@return string? why not
function header.jpeg(bytes)
  if bytes:sub(1, 3) ~= "\255\216\255" then
    return nil, "not a JPEG"
  end
  local at = 3
  while at + 8 <= #bytes and at < SCAN_MAX and bytes:byte(at) == 0xFF do
    local marker = bytes:byte(at + 1)
    if marker == 0xFF then
      at = at + 1 -- fill
    elseif is_frame(marker) then
      local height, width = number(bytes, at + 5, 2), number(bytes, at + 7, 2)
      local ok, why = check_size(width, height)
      if not ok then
        return nil, why
      end
      return { width = width, height = height }
    elseif marker == 0xD9 or marker == 0xDA then
      break
    else
      at = at + 2 + math.max(2, number(bytes, at + 2, 2))
    end
  end
  return nil, "a JPEG without a frame header"
end

-- Chunks up to the last one, of which there is data of the picture; behind it there is nothing.
local function is_whole_png(bytes)
  local at, has_data = 9, false
  while at + 11 <= #bytes do
    local kind = bytes:sub(at + 4, at + 7)
    if not kind:find("^%a%a%a%a$") then
      return false
    end
    at = at + 12 + number(bytes, at, 4)
    has_data = has_data or kind == "IDAT"
    if kind == "IEND" then
      return has_data and at == #bytes + 1
    end
  end
  return false
end

--- Whether a picture is all there: one that was cut makes a provider refuse the whole request.
---@param format "png"|"jpeg"
---@param bytes string
---@return boolean
function header.is_whole(format, bytes)
  if format == "png" then
    return header.png(bytes) ~= nil and is_whole_png(bytes)
  end
  return header.jpeg(bytes) ~= nil and bytes:find("\255\217%z*$", -64) ~= nil
end

return header
