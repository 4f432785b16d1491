--- The names that a table has values for, in alphabetical order.
---@param values table<string, any>?
---@return string[] names
local function sorted(values)
  local names = {}
  for name in pairs(values or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- LuaJIT 2.1.0-beta3 makes wrong code of hot loops over `pairs`.
local jit = package.loaded.jit
if jit then
  jit.off(sorted)
end

return sorted
