--- The last line of a text that has anything in it. Code decides what it prints: a pattern that
--- looks for the end from every place takes the square of a long line's length.
---@param text string
---@return string? line nil: there is none
return function(text)
  local backwards = text:reverse()
  local first = backwards:find("[^\r\n]")
  local stop = first and backwards:find("[\r\n]", first) or #backwards + 1
  return first and backwards:sub(first, stop - 1):reverse() or nil
end
