--- Decompression of DEFLATE (RFC 1951), for short texts that come from strangers: bounded, and in
--- Lua, where a hostile stream can do no more than be wrong.

local LENGTHS = { 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83,
  99, 115, 131, 163, 195, 227, 258 }
local LENGTH_BITS = { 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5,
  5, 5, 0 }
local DISTANCES = { 1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
  1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577 }
local DISTANCE_BITS = { 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10,
  11, 11, 12, 12, 13, 13 }
-- The order in which the lengths of the codes of lengths come.
local ORDER = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 }
local CODE_MOST = 15 -- bits
local BLOCKS_MOST = 1000 -- that may be empty, and cost more than their few bits

-- The next bits as a number, the first of them lowest; nil at the end of the stream.
local function bits(stream, count)
  while stream.count < count do
    local byte = stream.data:byte(stream.at)
    if not byte then
      return nil
    end
    stream.at = stream.at + 1
    stream.bits = stream.bits + byte * 2 ^ stream.count
    stream.count = stream.count + 8
  end
  local value = stream.bits % 2 ^ count
  stream.bits = (stream.bits - value) / 2 ^ count
  stream.count = stream.count - count
  return value
end

-- How many codes there are of each length, and their symbols in order. Nil: they are too many.
local function code(lengths, from, count)
  local made = { counts = {}, symbols = {} }
  for length = 0, CODE_MOST do
    made.counts[length] = 0
  end
  for i = from, from + count - 1 do
    made.counts[lengths[i]] = made.counts[lengths[i]] + 1
  end
  local left, places = 1, { 1 }
  for length = 1, CODE_MOST do
    left = left * 2 - made.counts[length]
    if left < 0 then
      return nil
    end
    places[length + 1] = places[length] + made.counts[length]
  end
  for i = from, from + count - 1 do
    local length = lengths[i]
    if length > 0 then
      made.symbols[places[length]] = i - from
      places[length] = places[length] + 1
    end
  end
  return made
end

local function symbol(stream, made)
  local value, first, index = 0, 0, 1
  for length = 1, CODE_MOST do
    local bit = bits(stream, 1)
    if not bit then
      return nil
    end
    value = value + bit
    local count = made.counts[length]
    if value - count < first then
      return made.symbols[index + value - first]
    end
    index, first, value = index + count, (first + count) * 2, value * 2
  end
end

local function copy_back(stream, length, distance)
  local out = stream.out
  local from = #out - distance
  if from < 0 then
    return false
  end
  for i = 1, length do
    out[#out + 1] = out[from + i]
  end
  return true
end

-- A length and a distance; whether they are ones.
local function repeated(stream, found, distances)
  local place = found - 256
  local more = LENGTHS[place] and bits(stream, LENGTH_BITS[place])
  local far = more and symbol(stream, distances)
  local offset = far and DISTANCES[far + 1] and bits(stream, DISTANCE_BITS[far + 1])
  return offset and copy_back(stream, LENGTHS[place] + more, DISTANCES[far + 1] + offset)
end

local function block(stream, literals, distances)
  while #stream.out < stream.most do
    local found = symbol(stream, literals)
    if not found then
      return false
    elseif found == 256 then
      return true
    elseif found < 256 then
      stream.out[#stream.out + 1] = string.char(found)
    elseif not repeated(stream, found, distances) then
      return false
    end
  end
  return true
end

local function stored(stream)
  stream.bits, stream.count = 0, 0
  local low, high = stream.data:byte(stream.at, stream.at + 1)
  if not high then
    return false
  end
  local size = low + high * 256
  local text = stream.data:sub(stream.at + 4, stream.at + 3 + size)
  stream.at = stream.at + 4 + size
  for i = 1, math.min(#text, stream.most - #stream.out) do
    stream.out[#stream.out + 1] = text:sub(i, i)
  end
  return #text == size
end

local function fixed(stream)
  local lengths = {}
  for i = 1, 288 do
    lengths[i] = i <= 144 and 8 or i <= 256 and 9 or i <= 280 and 7 or 8
  end
  local distances = {}
  for i = 1, 30 do
    distances[i] = 5
  end
  return block(stream, code(lengths, 1, 288), code(distances, 1, 30))
end

-- How often a length comes again, by the symbol that says so: bits, and least.
local AGAIN = { [16] = { 2, 3 }, [17] = { 3, 3 }, [18] = { 7, 11 } }

local function read_lengths(stream, made, count)
  local lengths = {}
  while #lengths < count do
    local found = symbol(stream, made)
    if not found then
      return nil
    elseif found < 16 then
      lengths[#lengths + 1] = found
    else
      local more = bits(stream, AGAIN[found][1])
      local value = found == 16 and lengths[#lengths] or found ~= 16 and 0
      if not more or not value or #lengths + more + AGAIN[found][2] > count then
        return nil
      end
      for _ = 1, more + AGAIN[found][2] do
        lengths[#lengths + 1] = value
      end
    end
  end
  return lengths
end

local function dynamic(stream)
  local literals, distances, codes = bits(stream, 5), bits(stream, 5), bits(stream, 4)
  if not codes then
    return false
  end
  literals, distances = literals + 257, distances + 1
  local lengths = {}
  for i = 1, 19 do
    lengths[i] = 0
  end
  for i = 1, codes + 4 do
    local length = bits(stream, 3)
    if not length then
      return false
    end
    lengths[ORDER[i] + 1] = length
  end
  local made = code(lengths, 1, 19)
  local all = made and read_lengths(stream, made, literals + distances)
  local of_literals = all and code(all, 1, literals)
  local of_distances = of_literals and code(all, literals + 1, distances)
  return of_distances ~= nil and of_distances ~= false and block(stream, of_literals, of_distances)
end

local KINDS = { [0] = stored, fixed, dynamic }

--- The beginning of what a stream holds.
---@param data string
---@param most integer bytes that are wanted at most
---@return string? text nil: the stream is wrong
return function(data, most)
  local stream = { data = data, at = 1, bits = 0, count = 0, out = {}, most = most }
  for _ = 1, BLOCKS_MOST do
    local is_last = bits(stream, 1)
    local kind = bits(stream, 2)
    local read = kind and KINDS[kind]
    if not read or not read(stream) then
      return nil
    elseif is_last == 1 or #stream.out >= most then
      return table.concat(stream.out):sub(1, most)
    end
  end
  return nil
end
