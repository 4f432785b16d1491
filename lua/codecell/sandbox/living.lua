--- The sandboxes of this Lua state that users have made.
local living = {}

-- By their ids; those that have not been collected.
local made = setmetatable({}, { __mode = "v" })

local function lives(sandbox)
  return not sandbox:_closed() and sandbox._backend.state(sandbox) == "running"
end

---@param sandbox codecell.Sandbox
function living.add(sandbox)
  made[sandbox.id] = sandbox
end

local function listed()
  local list = {}
  for _, sandbox in pairs(made) do
    if lives(sandbox) then
      list[#list + 1] = sandbox
    end
  end
  return list
end

--- How many are not over.
---@return integer
function living.count()
  return #listed()
end

--- Those that are not over, oldest first.
---@return codecell.Sandbox[]
function living.all()
  local list = listed()
  table.sort(list, function(one, other)
    return one._started < other._started or one._started == other._started and one.id < other.id
  end)
  return list
end

--- The one of that id, if it is not over.
---@param id string
---@return codecell.Sandbox?
function living.find(id)
  local found = made[id]
  return found and lives(found) and found or nil
end

return living
