--- A text that does not show itself: printed, joined to others or listed it is "***".
local secret = {}

---@class codecell.Secret
local Secret = {}
Secret.__index = Secret

local texts = setmetatable({}, { __mode = "k" })

function Secret.__tostring()
  return "***"
end

function Secret.__concat(left, right)
  return tostring(left) .. tostring(right)
end

--- The text itself, for whoever must send it.
---@return string
function Secret:reveal()
  return texts[self]
end

--- Hide a text.
---@param text string
---@return codecell.Secret
function secret.new(text)
  local self = setmetatable({}, Secret)
  texts[self] = text
  return self
end

--- Whether a value is one of these.
---@param value any
---@return boolean
function secret.is(value)
  return texts[value] ~= nil
end

return secret
