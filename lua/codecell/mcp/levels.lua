--- How serious what is logged may be.
local levels = {}

--- The least serious first.
levels.names = { "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency" }

--- Until a client asks for another: without what code prints, which is "info".
levels.default = "notice"

local RANKS = {}
for rank, name in ipairs(levels.names) do
  RANKS[name] = rank
end

---@param name any
---@return boolean
function levels.is_known(name)
  return RANKS[name] ~= nil
end

---@param one string
---@param other string
---@return boolean
function levels.is_at_least(one, other)
  return RANKS[one] >= RANKS[other]
end

return levels
