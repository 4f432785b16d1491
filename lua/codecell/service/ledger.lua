--- What a service has used: runs, their ends and times, sandboxes, and what they cost.
---
--- Counts are whole numbers; money is counted in millionths, so that sums do not drift.
local metrics = require "codecell.metrics"

local ledger = {}

local MINUTE, HOUR = 60, 3600
local BOUNDS = { 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300 } -- seconds of a histogram
local STAGES = { "queue", "create", "install", "run" }

---@class codecell.Ledger
local Ledger = {}
Ledger.__index = Ledger

--- An empty one.
---@param clock fun(): number seconds
---@param prices codecell.Prices
---@return codecell.Ledger
function ledger.new(clock, prices)
  local self = setmetatable({ clock = clock, prices = prices, runs = {}, stages = {},
    windows = { [MINUTE] = {}, [HOUR] = {} }, created = 0, ended = {}, lines = {}, total = 0,
    succeeded = 0 }, Ledger)
  for _, stage in ipairs(STAGES) do
    self.stages[stage] = metrics.histogram(BOUNDS)
  end
  return self
end

local function forget_before(window, start)
  local first = 1
  while window[first] and window[first].at < start do
    first = first + 1
  end
  if first > 1 then
    local left = {}
    for i = first, #window do
      left[#left + 1] = window[i]
    end
    for i = 1, math.max(#window, #left) do
      window[i] = left[i]
    end
  end
end

-- A bound, so that a flood of failures does not fill the memory: older ones of the same kind are
-- counted together.
local function note(window, seconds, word, at)
  local last = window[#window]
  local grain = seconds / 60
  if last and last.word == word and at - last.at < grain then
    last.count = last.count + 1
  else
    window[#window + 1] = { at = at, word = word, count = 1 }
  end
  forget_before(window, at - seconds)
end

--- Count a run.
---@param about {language: string, word: string?, timings: table, owner: string?}
function Ledger:run(about)
  local status = about.word and "failed" or "succeeded"
  local key = status .. "\0" .. (about.word or "") .. "\0" .. about.language
  local row = self.runs[key]
  if not row then
    row = { status = status, kind = about.word or "", language = about.language, count = 0 }
    self.runs[key] = row
  end
  row.count, self.total = row.count + 1, self.total + 1
  self.succeeded = self.succeeded + (about.word and 0 or 1)
  for _, stage in ipairs(STAGES) do
    if about.timings[stage] then
      self.stages[stage]:observe(about.timings[stage])
    end
  end
  local now = self.clock()
  for seconds, window in pairs(self.windows) do
    note(window, seconds, about.word or "", now)
  end
end

--- Failures of the last so many seconds by their words, and all runs.
---@param seconds 60|3600
---@return table<string, integer> failures
---@return integer runs
function Ledger:recent(seconds)
  local window = self.windows[seconds]
  forget_before(window, self.clock() - seconds)
  local failures, runs = {}, 0
  for _, one in ipairs(window) do
    runs = runs + one.count
    if one.word ~= "" then
      failures[one.word] = (failures[one.word] or 0) + one.count
    end
  end
  return failures, runs
end

--- Count a sandbox that was made.
function Ledger:create()
  self.created = self.created + 1
end

--- Count the end of one, and what its time has cost.
---@param about {why: string, seconds: number, cpu: number, memory: integer, owner: string?,
---backend: string}
function Ledger:finish(about)
  self.ended[about.why] = (self.ended[about.why] or 0) + 1
  local micro = self.prices:of(about)
  local day = os.date("!%Y-%m-%d")
  local key = (about.owner or "") .. "\0" .. day .. "\0" .. about.backend
  local line = self.lines[key]
  if not line then
    line = { user = about.owner, day = day, backend = about.backend, sandboxes = 0, seconds = 0,
      micro = 0 }
    self.lines[key] = line
  end
  line.sandboxes = line.sandboxes + 1
  line.seconds, line.micro = line.seconds + about.seconds, line.micro + micro
end

-- Nothing is 0 on every Lua.
local function money(micro)
  return micro == 0 and 0 or micro / 1e6
end

--- What was used, by user, day and backend.
---@return table[] lines
---@return number cost of all
function Ledger:usage()
  local list, total = {}, 0
  for _, line in pairs(self.lines) do
    list[#list + 1] = { user = line.user, day = line.day, backend = line.backend,
      sandboxes = line.sandboxes, seconds = line.seconds, cost = money(line.micro) }
    total = total + line.micro
  end
  table.sort(list, function(one, other)
    if one.day ~= other.day then
      return one.day < other.day
    elseif (one.user or "") ~= (other.user or "") then
      return (one.user or "") < (other.user or "")
    end
    return one.backend < other.backend
  end)
  return list, money(total)
end

ledger.stages = STAGES

return ledger
