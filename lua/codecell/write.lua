--- A file of this machine that holds a text, and nothing else.

--- Write it; what was there is replaced.
---@param path string
---@param text string
---@return true? done
---@return string? problem with the path in it
return function(path, text)
  local file, problem = io.open(path, "wb")
  if not file then
    return nil, problem
  end
  local written, why = file:write(text)
  local closed, late = file:close()
  if not written or not closed then
    return nil, ("%s: %s"):format(path, why or late or "cannot be written")
  end
  return true
end
