--- How many executions a minute: of each user, and of all calls that name none.
local bucket = require "codecell.service.bucket"
local errors = require "codecell.errors"

local rates = {}

local USERS_MOST = 10000 -- that are known before those are forgotten who have done nothing lately

---@class codecell.Rates
local Rates = {}
Rates.__index = Rates

--- Nobody has run anything yet.
---@param most integer executions a minute; 0: any number
---@param clock fun(): number seconds
---@return codecell.Rates
function rates.new(most, clock)
  return setmetatable({ most = most, clock = clock, common = bucket.new(most, clock), by_owner = {},
    count = 0 }, Rates)
end

local function of(self, owner)
  local one = self.by_owner[owner]
  if not one then
    if self.count >= USERS_MOST then
      self:forget()
    end
    one = bucket.new(self.most, self.clock)
    self.by_owner[owner], self.count = one, self.count + 1
  end
  return one
end

--- Let an execution begin.
---@param owner string?
---@return true? ok
---@return codecell.Error? err kind "rate_limited", with retry_after
function Rates:admit(owner)
  local one = owner and of(self, owner) or self.common
  local taken, left = one:take()
  if taken then
    return true
  end
  local err = errors.new("rate_limited", ("execute: more than %d executions a minute of %s; the "
    .. "code was not run; wait %.0f s, or raise rate_limit_per_min"):format(self.most,
    owner and "this user" or "this service", math.ceil(left)))
  err.retry_after = math.ceil(left)
  return nil, err
end

--- Another rate, from now on.
---@param most integer
function Rates:set(most)
  self.most = most
  self.common:set(most)
  for _, one in pairs(self.by_owner) do
    one:set(most)
  end
end

--- Forget those whose bucket says nothing that a new one would not.
function Rates:forget()
  for owner, one in pairs(self.by_owner) do
    if one:is_full() then
      self.by_owner[owner], self.count = nil, self.count - 1
    end
  end
end

return rates
