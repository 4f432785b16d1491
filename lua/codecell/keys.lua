--- Keys by the shapes that services give them.
local keys = {}

local SHAPES = { "%f[%w]sk%-[%w%-_]+", "%f[%w]e2b_%x+", "%f[%w]ghp_%w+", "%f[%w]gho_%w+",
  "%f[%w]github_pat_[%w_]+", "%f[%w]xox[bpas]%-[%w%-]+", "%f[%w]AKIA%u[%u%d]+",
  "%f[%w]AIza[%w%-_]+", "%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY" }
local LEAST = 16

--- Whether a text holds what looks like a key.
---@param text string
---@return boolean
function keys.any(text)
  for _, shape in ipairs(SHAPES) do
    for found in text:gmatch(shape) do
      if #found >= LEAST then
        return true
      end
    end
  end
  return false
end

return keys
