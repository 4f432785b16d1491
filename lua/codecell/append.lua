--- Lines at the end of a file that several programs may share: each is one write.

local ROOM = 65536 -- bytes; a line that is longer may be mixed with others

--- Add text to a file. It is opened for each: none is left open in a program that forks.
---@param path string
---@param text string
---@return true? ok
---@return string? problem
return function(path, text)
  local file, problem = io.open(path, "ab")
  if not file then
    return nil, problem
  end
  file:setvbuf("full", ROOM)
  local ok
  ok, problem = file:write(text)
  local closed, late = file:close()
  if not ok or not closed then
    return nil, problem or late or "cannot be written"
  end
  return true
end
