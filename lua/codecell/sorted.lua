--- The names that a table has values for, in alphabetical order.
---@param values table<string, any>?
---@return string[] names
return function(values)
  local names = {}
  for name in pairs(values or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end
