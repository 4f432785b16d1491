--- Numbers of records that come in order, as ranges of them: `{ { first, last }, ... }`.
local ranges = {}

--- Add a number, which is behind all others.
---@param list integer[][]
---@param number integer
---@return integer[]? range a new one that it begins; nil: it goes on with the last
function ranges.add(list, number)
  local last = list[#list]
  if last and last[2] == number - 1 then
    last[2] = number
    return nil
  end
  local range = { number, number }
  list[#list + 1] = range
  return range
end

--- How many numbers they are.
---@param list integer[][]
---@return integer
function ranges.count(list)
  local count = 0
  for _, range in ipairs(list) do
    count = count + range[2] - range[1] + 1
  end
  return count
end

--- Whether a number is in one of them.
---@param list integer[][]
---@param number integer
---@return boolean
function ranges.cover(list, number)
  local low, high = 1, #list
  while low <= high do
    local middle = math.floor((low + high) / 2)
    if number < list[middle][1] then
      high = middle - 1
    elseif number > list[middle][2] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

return ranges
