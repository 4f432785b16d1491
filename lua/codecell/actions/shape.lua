--- Values of replies: plain, and fit for JSON.
local json = require "codecell.json"

local shape = {}

--- A time as text.
---@param seconds number of os.time
---@return string "2026-01-31T12:00:00Z"
function shape.time(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(seconds))
end

--- A list that stays one when it is empty.
---@param list any[]
---@return any[]
function shape.list(list)
  return json.list(list)
end

return shape
