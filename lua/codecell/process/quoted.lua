--- A word as shells take it: one word, whatever is in it.
---@param word string
---@return string
return function(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end
