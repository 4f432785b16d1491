--- How much may be asked for: requests a second, sandboxes at once, requests to one sandbox at
--- once.
local answer = require "codecell.gateway.answer"
local core = require "codecell.core"
local reactor = require "codecell.reactor"

local quota = {}

local CONNECTIONS = 1024 -- of one sandbox
local IN_VAIN = 20 -- signatures of nobody that are looked for in a second
local LONGEST = 60 -- seconds that a client is told to wait at most

---@class codecell.GatewayQuota
---@field rate number? requests a second to the control plane, of one key
---@field sandboxes integer? at once, of all
---@field key_sandboxes integer? at once, of one key
---@field connections integer requests to one sandbox that are answered at once
---@field package buckets table<string, {left: number, at: number}>
---@field package making table<string, integer> sandboxes that are being made, by owner
---@field package making_count integer
local Quota = {}
Quota.__index = Quota

--- What may be asked for.
---@param given {rate: number?, sandboxes: integer?, key_sandboxes: integer?, connections: integer?}
---@return codecell.GatewayQuota
function quota.new(given)
  return setmetatable({ rate = given.rate, sandboxes = given.sandboxes,
    key_sandboxes = given.key_sandboxes, connections = given.connections or CONNECTIONS,
    buckets = {}, making = {}, making_count = 0 }, Quota)
end

---@class codecell.GatewayRefusal
---@field message string
---@field limit integer
---@field seconds number until it may go better

--- Refuse, as E2B's API does.
---@param request codecell.IncomingRequest
---@param refusal codecell.GatewayRefusal
function quota.refuse(request, refusal)
  local wait = ("%d"):format(math.min(math.max(math.ceil(refusal.seconds), 1), LONGEST))
  request.limited = true
  answer.failure(request, 429, refusal.message, nil, {
    { "Retry-After", wait }, { "RateLimit-Limit", ("%d"):format(refusal.limit) },
    { "RateLimit-Remaining", "0" }, { "RateLimit-Reset", wait },
  })
end

-- How many may come now; as many as a second gives may come at once.
local function fill(buckets, name, rate)
  local now, most = reactor.now(), math.max(rate, 1)
  local bucket = buckets[name] or { left = most, at = now }
  buckets[name] = bucket
  bucket.left = math.min(bucket.left + (now - bucket.at) * rate, most)
  bucket.at = now
  return bucket
end

local function refusal_of(bucket, rate)
  if bucket.left < 1 then
    return { message = "Rate limit exceeded", limit = math.ceil(rate),
      seconds = (1 - bucket.left) / rate }
  end
end

--- One more request of that owner.
---@param owner string?
---@return codecell.GatewayRefusal? refusal nil: it may go on
function Quota:request(owner)
  local bucket = self.rate and fill(self.buckets, owner or "", self.rate)
  local refusal = bucket and refusal_of(bucket, self.rate)
  if bucket and not refusal then
    bucket.left = bucket.left - 1
  end
  return refusal
end

--- A signature is to be looked for among those of all sandboxes, by somebody who has nothing else:
--- that takes time of all, so it is given up where many were looked for in vain.
---@return codecell.GatewayRefusal? refusal nil: it may be looked for
function Quota:search()
  return refusal_of(fill(self, "searches", IN_VAIN), IN_VAIN)
end

--- It was of nobody.
function Quota:found_nobody()
  self.searches.left = self.searches.left - 1
end

-- How many there are, and the seconds until the first of them ends.
local function count(records, owner, of_all)
  local found, soonest = 0, LONGEST
  for _, one in pairs(records) do
    if of_all or one.owner == owner then
      found, soonest = found + 1, math.min(soonest, one.ends_at - core.time())
    end
  end
  return found, soonest
end

--- One more sandbox of that owner is to be made, until `made`.
---@param owner string?
---@param gateway codecell.Gateway
---@return codecell.GatewayRefusal? refusal nil: it may be
function Quota:make(owner, gateway)
  local making = self.making[owner or ""] or 0
  local limits = {
    { self.sandboxes, true, self.making_count, "at once (%d)" },
    { self.key_sandboxes, false, making, "of one key at once (%d)" },
  }
  for _, limit in ipairs(limits) do
    local most, of_all, now_made, text = limit[1], limit[2], limit[3], limit[4]
    if most then
      local living, soonest = count(gateway:living(), owner, of_all)
      if living + now_made >= most then
        return { message = "the maximum number of sandboxes " .. text:format(most)
          .. " is reached: end one, or try again later", limit = most, seconds = soonest }
      end
    end
  end
  self.making[owner or ""], self.making_count = making + 1, self.making_count + 1
end

--- It was made, or could not be.
---@param owner string?
function Quota:made(owner)
  self.making[owner or ""] = self.making[owner or ""] - 1
  self.making_count = self.making_count - 1
end

--- One more request to a sandbox, until `quota.leave`; else it is refused.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayRecord
---@return boolean may_go_on
function Quota:enter(request, one)
  if one.visitors >= self.connections then
    request.limited = true
    answer.failure(request, 429, "Too many connections to the sandbox",
      { sandboxId = one.id, connectionLimit = self.connections }, { { "Retry-After", "1" } })
    return false
  end
  one.visitors = one.visitors + 1
  return true
end

---@param one codecell.GatewayRecord
function quota.leave(one)
  one.visitors = one.visitors - 1
end

return quota
