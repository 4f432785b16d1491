--- codecell.cost: what sandboxes cost, by a table that anybody can replace.
---
---     codecell.setup { prices = { date = "2026-11-01", cpu_second = 14, gib_second = 4.5 } }
---
--- Prices are millionths of the currency a second. Sandboxes of backends that `paid` does not name
--- cost nothing: by default all but those of the cloud.
local cost = {}

local GIB = 1024 * 1024 * 1024

---@class codecell.Prices
---@field date string the day that they are of
---@field currency string
---@field cpu_second number millionths for a processor a second
---@field gib_second number millionths for a GiB of memory a second
---@field paid string[] the backends that cost
local Prices = {}
Prices.__index = Prices

-- https://e2b.dev/pricing: $0.000014 for a vCPU a second, $0.0000045 for a GiB of memory.
local E2B = { date = "2025-09-01", currency = "USD", cpu_second = 14, gib_second = 4.5,
  paid = { "e2b" } }

--- A table of prices.
---@param given table? fields as of codecell.Prices; what is missing is that of E2B
---@return codecell.Prices
function cost.prices(given)
  local self = {}
  for name, value in pairs(E2B) do
    self[name] = given and given[name] or value
  end
  return setmetatable(self, Prices)
end

--- What the time of a sandbox costs.
---@param about {backend: string, seconds: number, cpu: number, memory: integer}
---@return integer micro millionths of the currency
function Prices:of(about)
  for _, backend in ipairs(self.paid) do
    if backend == about.backend then
      local a_second = about.cpu * self.cpu_second + about.memory / GIB * self.gib_second
      return math.floor(about.seconds * a_second + 0.5)
    end
  end
  return 0
end

return cost
