--- Drawing from RGB pixels: half blocks, which every terminal with colours shows, and sixel.
local pixels = {}

local TRUE_COLOUR = 16777216
-- Levels of each channel in the colours of sixel: 6 x 6 x 6, as terminals have at least.
local LEVELS = 6

--- Whether a value is a picture: its sides match its bytes.
---@param picture {width: integer, height: integer, rgb: string}|any
---@return boolean
function pixels.check(picture)
  return type(picture) == "table" and type(picture.rgb) == "string"
    and type(picture.width) == "number" and type(picture.height) == "number"
    and picture.width >= 1 and picture.height >= 1
    and picture.width % 1 == 0 and picture.height % 1 == 0
    and #picture.rgb == picture.width * picture.height * 3
end

-- The nearest of the 6 x 6 x 6 colours of a palette of 256.
local function of_256(red, green, blue)
  local floor = math.floor
  return 16 + 36 * floor(red / 255 * 5 + 0.5) + 6 * floor(green / 255 * 5 + 0.5)
    + floor(blue / 255 * 5 + 0.5)
end

local function colour(ground, red, green, blue, colours)
  if colours >= TRUE_COLOUR then
    return ("%d;2;%d;%d;%d"):format(ground, red, green, blue)
  end
  return ("%d;5;%d"):format(ground, of_256(red, green, blue))
end

--- Two pixels a cell: the upper half block in one colour on another.
---@param picture {width: integer, height: integer, rgb: string} checked
---@param colours integer 256 or 16777216
---@return string
function pixels.half(picture, colours)
  local width, rgb, lines = picture.width, picture.rgb, {}
  for y = 0, picture.height - 1, 2 do
    local cells, before = {}, nil
    for x = 0, width - 1 do
      local at = (y * width + x) * 3 + 1
      local red, green, blue = rgb:byte(at, at + 2)
      local codes = colour(38, red, green, blue, colours)
      if y + 1 < picture.height then
        red, green, blue = rgb:byte(at + width * 3, at + width * 3 + 2)
        codes = codes .. ";" .. colour(48, red, green, blue, colours)
      end
      cells[#cells + 1] = (codes ~= before and "\27[" .. codes .. "m" or "") .. "\226\150\128"
      before = codes
    end
    lines[#lines + 1] = table.concat(cells) .. "\27[0m"
  end
  return table.concat(lines, "\n")
end

-- The palette index of each pixel of six rows: by colour, a row of columns with six bits each.
local function read_band(picture, top)
  local floor, width = math.floor, picture.width
  local bits, used = {}, {}
  for y = top, math.min(top + 5, picture.height - 1) do
    local weight = 2 ^ (y - top)
    for x = 0, width - 1 do
      local at = (y * width + x) * 3 + 1
      local red, green, blue = picture.rgb:byte(at, at + 2)
      local step = (LEVELS - 1) / 255
      local index = floor(red * step + 0.5) * LEVELS * LEVELS + floor(green * step + 0.5) * LEVELS
        + floor(blue * step + 0.5)
      if not bits[index] then
        bits[index] = {}
        used[#used + 1] = index
      end
      bits[index][x] = (bits[index][x] or 0) + weight
    end
  end
  table.sort(used)
  return bits, used
end

-- One colour of a band, equal columns counted.
local function write_row(columns, width, out)
  local x = 0
  while x < width do
    local value, past = columns[x] or 0, x + 1
    while past < width and (columns[past] or 0) == value do
      past = past + 1
    end
    local char, count = string.char(63 + value), past - x
    out[#out + 1] = count > 3 and ("!%d%s"):format(count, char) or char:rep(count)
    x = past
  end
end

--- DEC sixel.
---@param picture {width: integer, height: integer, rgb: string} checked
---@return string
function pixels.sixel(picture)
  local out = { ('\27Pq"1;1;%d;%d'):format(picture.width, picture.height) }
  local defined = {}
  for top = 0, picture.height - 1, 6 do
    local bits, used = read_band(picture, top)
    for _, index in ipairs(used) do
      if not defined[index] then
        defined[index] = true
        local red = math.floor(index / (LEVELS * LEVELS))
        local green, blue = math.floor(index / LEVELS) % LEVELS, index % LEVELS
        out[#out + 1] = ("#%d;2;%d;%d;%d"):format(index, red * 20, green * 20, blue * 20)
      end
      out[#out + 1] = ("#%d"):format(index)
      write_row(bits[index], picture.width, out)
      out[#out + 1] = "$"
    end
    out[#out + 1] = "-"
  end
  out[#out + 1] = "\27\\"
  return table.concat(out)
end

return pixels
