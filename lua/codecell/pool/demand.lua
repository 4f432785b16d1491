--- How many ready sandboxes are worth their memory: as many as were asked for lately.
local reactor = require "codecell.reactor"

local demand = {}

---@class codecell.PoolDemand
---@field least integer
---@field most integer
---@field seconds number how long it counts that one was asked for
---@field at number[] when, oldest first; no more than `most`
local Demand = {}
Demand.__index = Demand

--- One that nobody has asked yet.
---@param least integer
---@param most integer
---@param seconds number
---@param called fun() told when fewer are wanted than before
---@return codecell.PoolDemand
function demand.new(least, most, seconds, called)
  local self = setmetatable({ least = least, most = most, seconds = seconds, at = {} }, Demand)
  local watcher = { serial = 0, is_background = true }
  function watcher.resume()
    watcher.serial = watcher.serial + 1
    called()
    self:_watch()
  end
  self.watcher = watcher
  return self
end

-- Until the oldest that counts does no more.
function Demand:_watch()
  if self.at[1] and not self.watcher.is_parked and not self.watcher.is_ready then
    reactor.park(self.watcher, nil, self.at[1] + self.seconds)
  end
end

--- One was asked for.
function Demand:note()
  if self.most == self.least then
    return
  end
  self.at[#self.at + 1] = reactor.now()
  if #self.at > self.most then
    table.remove(self.at, 1)
  end
  self:_watch()
end

--- How many are worth it now.
---@return integer
function Demand:wanted()
  local since = reactor.now() - self.seconds
  while self.at[1] and self.at[1] <= since do
    table.remove(self.at, 1)
  end
  return math.max(self.least, #self.at)
end

--- Forget what was asked.
function Demand:forget()
  self.at = {}
  if self.watcher.is_parked then
    reactor.unpark(self.watcher)
  end
end

return demand
