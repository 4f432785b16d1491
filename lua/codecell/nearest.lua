--- The known word that a mistyped one was probably meant to be.

-- Letters to insert, remove or replace until `left` is `right`.
local function distance(left, right)
  local row = {}
  for j = 0, #right do
    row[j] = j
  end
  for i = 1, #left do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #right do
      local above = row[j]
      local same = left:byte(i) == right:byte(j)
      row[j] = math.min(above + 1, row[j - 1] + 1, same and diagonal or diagonal + 1)
      diagonal = above
    end
  end
  return row[#right]
end

--- The candidate that is most like `word`, if one is like it at all.
---@param word string
---@param candidates string[] asked in this order; the first of equals is taken
---@return string? nearest nil when nothing comes close
return function(word, candidates)
  local best, least
  for _, candidate in ipairs(candidates) do
    -- Long words are never typed by mistake for one another; bound the work.
    local count = #word <= 64 and distance(word, candidate) or #word
    if candidate:find(word, 1, true) == 1 and #word >= 2 then
      count = 1
    end
    if not least or count < least then
      best, least = candidate, count
    end
  end
  return least and least <= math.max(2, math.floor(#word / 3)) and least < #word and best or nil
end
