--- What a service may spend: all of it together, and each user.
---
--- A sandbox counts with the whole time that it may live until it has ended, so that a budget is
--- not passed by those that were made before it was used up.
local errors = require "codecell.errors"

local budget = {}

local function cost_of(self, about, seconds)
  return self.prices:of({ backend = about.backend, cpu = about.cpu, memory = about.memory,
    seconds = seconds })
end

-- Spent and promised, by all and by one user, but for one sandbox.
local function used(self, owner, except)
  local all, own = self.ledger.micro, self.ledger.spent[owner or ""] or 0
  local function add(whose, micro)
    all = all + micro
    own = own + (whose == owner and micro or 0)
  end
  for _, entry in ipairs(self.roster:list()) do
    if entry ~= except then
      local about = { backend = entry.sandbox.backend, cpu = entry.cpu, memory = entry.memory }
      add(entry.owner, cost_of(self, about, math.max(self.clock() - entry.made,
        entry.sandbox._about.timeout)))
    end
  end
  for promise in pairs(self.promises) do
    add(promise.owner, promise.micro)
  end
  return all, own
end

local function refusal(verb, name, most, before, micro)
  local err = errors.new("limit_exceeded", ("%s: the budget is %.6g USD; %.6g are spent, or "
    .. "promised to sandboxes that live, and this one may cost %.6g; ask for a shorter timeout, "
    .. "end others, or raise budget.%s"):format(verb, most, before / 1e6, micro / 1e6, name),
    "raise budget." .. name)
  err.word, err.stage = "budget", "create"
  return nil, err
end

-- Whether so much may be promised besides.
local function check(self, verb, owner, micro, except)
  local limits = self.config.budget
  if not limits or micro == 0 then
    return true
  end
  local all, own = used(self, owner, except)
  if limits.usd and all + micro > limits.usd * 1e6 then
    return refusal(verb, "usd", limits.usd, all, micro)
  elseif limits.user_usd and owner and own + micro > limits.user_usd * 1e6 then
    return refusal(verb, "user_usd", limits.user_usd, own, micro)
  end
  return true
end

--- Promise what a sandbox may cost that is to be made.
---@param self codecell.Service
---@param about {owner: string?, backend: string, cpu: number, memory: integer, seconds: number}
---@return (fun())? done to be called when it was made, or could not be
---@return codecell.Error? err kind "limit_exceeded", err.word "budget"
function budget.promise(self, about)
  local micro = cost_of(self, about, about.seconds)
  local ok, err = check(self, "create", about.owner, micro)
  if not ok then
    return nil, err
  end
  local promise = { owner = about.owner, micro = micro }
  self.promises[promise] = true
  return function()
    self.promises[promise] = nil
  end
end

--- Whether one may live so many seconds from now.
---@param self codecell.Service
---@param entry codecell.ServiceEntry
---@param seconds number
---@return true?
---@return codecell.Error? err kind "limit_exceeded", err.word "budget"
function budget.extend(self, entry, seconds)
  local life = self.clock() - entry.made + seconds
  if life <= entry.sandbox._about.timeout then
    return true
  end
  return check(self, "set_timeout", entry.owner, cost_of(self, { backend = entry.sandbox.backend,
    cpu = entry.cpu, memory = entry.memory }, life), entry)
end

--- Whether a budget can be kept by these prices.
---@param found codecell.Config
---@param prices codecell.Prices
---@return true?
---@return codecell.Error? err kind "invalid_argument"
function budget.check(found, prices)
  if found.budget and prices.currency ~= "USD" then
    return nil, errors.new("invalid_argument", ("service: budget is in USD, and prices are in %s; "
      .. "give prices in USD"):format(prices.currency))
  end
  return true
end

return budget
