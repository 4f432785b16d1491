--- Two tables in one; the second wins.
---@param first table?
---@param second table?
---@return table
local function merged(first, second)
  local all = {}
  for name, value in pairs(first or {}) do
    all[name] = value
  end
  for name, value in pairs(second or {}) do
    all[name] = value
  end
  return all
end

-- LuaJIT 2.1.0-beta3 makes wrong code of hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(merged)
end

return merged
