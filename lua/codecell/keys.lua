--- Keys by the shapes that services give them.
local keys = {}

local PRIVATE = "%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY"
local SHAPES = { "%f[%w]sk%-[%w%-_]+", "%f[%w]e2b_%x+", "%f[%w]ghp_%w+", "%f[%w]gho_%w+",
  "%f[%w]github_pat_[%w_]+", "%f[%w]xox[bpas]%-[%w%-]+", "%f[%w]AKIA%u[%u%d]+",
  "%f[%w]AIza[%w%-_]+", PRIVATE }
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

--- The text with stars in place of what looks like a key; of a private one nothing is left.
---@param text string
---@return string
function keys.hide(text)
  text = text:gsub(PRIVATE .. ".*", "***")
  for _, shape in ipairs(SHAPES) do
    text = text:gsub(shape, function(found)
      return #found >= LEAST and "***" or nil
    end)
  end
  return text
end

return keys
