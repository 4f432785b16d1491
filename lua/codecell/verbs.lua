--- The verbs of a type of C objects, for tables that answer the same private questions.
local verbs = {}

--- What finds the methods of such a class: its own first, then the verbs that Lua has given to the
--- type. The private methods of the type are C's, and never found.
---@param type table methods of the type
---@param class table
---@return fun(self: table, name: any): any
function verbs.of(type, class)
  return function(_, name)
    local own = class[name]
    if own == nil and _G.type(name) == "string" and name:sub(1, 1) ~= "_" then
      return type[name]
    end
    return own
  end
end

return verbs
