--- The sandbox under a key: found, or made once, however many tasks want it at the same time.
local making = require "codecell.service.making"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local finding = {}

-- Wait until nobody makes one under that place.
local function wait_for_makers(self, place)
  while self.makers[place] do
    if not wait.key(self.makers[place]) then
      return nil, wait.failure("create")
    end
  end
  return true
end

--- Find the one under the key of an owner, or make it; without a key make one.
---@param self codecell.Service
---@param given table checked options of `Service:create`
---@return codecell.ServiceEntry?
---@return codecell.Error|boolean|nil err or true: it was there already
function finding.get(self, given)
  if not given.key then
    return making.make(self, given)
  end
  local place = self.roster.place(given.owner, given.key)
  local ok, entry, err
  ok, err = wait_for_makers(self, place)
  if not ok then
    return nil, err
  end
  entry = self.roster:under(given.owner, given.key)
  if entry then
    entry.used = self.clock()
    return entry, true
  end
  local ticket = {}
  self.makers[place] = ticket
  ok, entry, err = wait.call(making.make, self, given)
  self.makers[place] = nil
  reactor.wake(ticket)
  if not ok then
    error(entry, 0)
  end
  return entry, err
end

return finding
