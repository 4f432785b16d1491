--- Whose a request to the control plane is: by its key.
local answer = require "codecell.gateway.answer"
local sorted = require "codecell.sorted"

local keys = {}

---@class codecell.GatewayKeys
---@field package owners table<string, string>
---@field package owner_count integer
---@field first string the owner of the first: the operator, who sees what nobody else has
local Keys = {}
Keys.__index = Keys

--- Keys by what they are of, the operator's first.
---@param list {name: string, key: string}[] at least one; one name may have several keys
---@return codecell.GatewayKeys
function keys.new(list)
  local self = setmetatable({ owners = {}, first = list[1].name }, Keys)
  local names = {}
  for _, one in ipairs(list) do
    self.owners[answer.digest(one.key)], names[one.name] = one.name, true
  end
  self.owner_count = #sorted(names)
  return self
end

---@return integer count of owners
function Keys:count()
  return self.owner_count
end

--- The owner of a key. It is looked for by its digest: how long that takes says nothing of what a
--- key begins with.
---@param given string?
---@return string? owner nil: there is no such key
function Keys:owner(given)
  return given and self.owners[answer.digest(given)] or nil
end

return keys
