--- What is remembered of sandboxes that are over, for who asks for them too late.
local core = require "codecell.core"
local shape = require "codecell.e2b.shape"

local ended = {}

local KEPT = 1000 -- sandboxes, of all keys
local TOLD = {
  asked = "it was killed at %s", time = "its time was over at %s",
  memory = "it used more memory than it may, and ended at %s", gone = "it ended by itself at %s",
}

---@class codecell.GatewayEnded
---@field by_id table<string, {owner: string?, why: string, at: number}>
---@field order string[] ids, the first that ended first

---@return codecell.GatewayEnded
function ended.new()
  return { by_id = {}, order = {} }
end

--- One is over.
---@param self codecell.GatewayEnded
---@param one codecell.GatewayRecord
---@param why string "asked", "time", "memory", "gone", "stopped"
function ended.add(self, one, why)
  if #self.order >= KEPT then
    self.by_id[table.remove(self.order, 1)] = nil
  end
  self.order[#self.order + 1] = one.id
  self.by_id[one.id] = { owner = one.owner, why = why, at = core.time() }
end

--- Why there is none of that id. Another key's never was.
---@param self codecell.GatewayEnded
---@param id string
---@param owner string?
---@return string message
function ended.message(self, id, owner)
  local known = self.by_id[id]
  local text = ("Sandbox \"%s\" doesn't exist or you don't have access to it"):format(id)
  if known and known.owner == owner and TOLD[known.why] then
    text = text .. ": " .. TOLD[known.why]:format(shape.timestamp(known.at))
  end
  return text
end

return ended
