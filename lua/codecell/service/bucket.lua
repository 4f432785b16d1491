--- A token bucket: so many calls a minute, all at once or one after the other.
local bucket = {}

local MINUTE = 60

---@class codecell.Bucket
local Bucket = {}
Bucket.__index = Bucket

--- A full bucket.
---@param rate integer calls a minute; 0: any number
---@param clock fun(): number seconds
---@return codecell.Bucket
function bucket.new(rate, clock)
  return setmetatable({ rate = rate, left = rate, clock = clock, at = clock() }, Bucket)
end

local function flow(self)
  local now = self.clock()
  self.left = math.min(self.rate, self.left + (now - self.at) * self.rate / MINUTE)
  self.at = now
end

--- Take one.
---@return boolean taken
---@return number? seconds after which there is one again
function Bucket:take()
  if self.rate == 0 then
    return true
  end
  flow(self)
  if self.left >= 1 then
    self.left = self.left - 1
    return true
  end
  return false, (1 - self.left) * MINUTE / self.rate
end

--- Another rate, from now on.
---@param rate integer
function Bucket:set(rate)
  flow(self)
  self.left = math.min(self.left + math.max(0, rate - self.rate), rate)
  self.rate = rate
end

--- Whether it says nothing that a new one would not.
---@return boolean
function Bucket:is_full()
  flow(self)
  return self.left >= self.rate
end

return bucket
