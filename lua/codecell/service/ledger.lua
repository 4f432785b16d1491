--- What a service has used: runs, their ends and times, sandboxes, and what they cost.
---
--- Counts are whole numbers; money is counted in millionths, so that sums do not drift.
local metrics = require "codecell.metrics"

local ledger = {}

local MINUTE, HOUR = 60, 3600
local LINES_MOST = 100000 -- of users and days
local BOUNDS = { 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300 } -- seconds of a histogram
local STAGES = { "queue", "create", "install", "run" }
local PEAKS = { "memory_peak", "processes_peak", "disk_used" } -- what limits are for

---@class codecell.Ledger
local Ledger = {}
Ledger.__index = Ledger

--- An empty one.
---@param clock fun(): number seconds
---@param prices codecell.Prices
---@param keep fun(record: codecell.UsageRecord)? told of each run, and of each sandbox that ends
---@return codecell.Ledger
function ledger.new(clock, prices, keep)
  local self = setmetatable({ clock = clock, prices = prices, keep = keep, runs = {}, stages = {},
    windows = { [MINUTE] = {}, [HOUR] = {} }, created = 0, ended = {}, lines = {}, line_count = 0,
    hours = {}, peaks = {}, micro = 0, spent = {} }, Ledger)
  for hour = 0, 23 do
    self.hours[hour] = 0
  end
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

-- The counts of a user on a day. Of very many users those that come last are counted as one.
local function line_of(self, record, user)
  local day, currency = os.date("!%Y-%m-%d", record.at), record.currency or self.prices.currency
  local key = table.concat({ user or "", day, record.backend or "", currency }, "\0")
  local line = self.lines[key]
  if not line and user and self.line_count >= LINES_MOST then
    return line_of(self, record, nil)
  elseif not line then
    line = { user = user, day = day, backend = record.backend or "", currency = currency,
      sandboxes = 0, seconds = 0, micro = 0, runs = 0, failed = 0 }
    self.lines[key], self.line_count = line, self.line_count + 1
  end
  return line
end

local count = {}

function count.run(self, record)
  local status = record.kind and "failed" or "succeeded"
  local key = table.concat({ status, record.kind or "", record.language }, "\0")
  local row = self.runs[key]
  if not row then
    row = { status = status, kind = record.kind or "", language = record.language, count = 0 }
    self.runs[key] = row
  end
  row.count = row.count + 1
  for _, stage in ipairs(STAGES) do
    if record.timings[stage] then
      self.stages[stage]:observe(record.timings[stage])
    end
  end
  local line = line_of(self, record, record.user)
  line.runs, line.failed = line.runs + 1, line.failed + (record.kind and 1 or 0)
  local hour = tonumber(os.date("!%H", record.at))
  self.hours[hour] = self.hours[hour] + 1
  local peaks = self.peaks
  for name, value in pairs(record.usage or {}) do
    peaks[name] = math.max(peaks[name] or 0, value)
  end
  peaks.run_seconds = math.max(peaks.run_seconds or 0, record.timings.run or 0)
end

function count.sandbox(self, record)
  self.ended[record.why] = (self.ended[record.why] or 0) + 1
  local line = line_of(self, record, record.user)
  line.sandboxes = line.sandboxes + 1
  line.seconds, line.micro = line.seconds + record.seconds, line.micro + record.micro
  local user = record.user or ""
  self.micro = self.micro + record.micro
  if record.micro > 0 then
    self.spent[user] = (self.spent[user] or 0) + record.micro
  end
end

--- Count what was recorded, here or by another program.
---@param record codecell.UsageRecord
function Ledger:count(record)
  count[record.event](self, record)
end

local function record(self, one)
  one.at = os.time()
  self:count(one)
  if self.keep then
    self.keep(one)
  end
end

--- Count a run.
---@param about {language: string, word: string?, timings: table, owner: string?, backend: string?,
---usage: table?}
function Ledger:run(about)
  local usage
  for _, name in ipairs(about.usage and PEAKS or {}) do
    usage = usage or {}
    usage[name] = about.usage[name]
  end
  local timings = {}
  for _, stage in ipairs(STAGES) do
    timings[stage] = about.timings[stage]
  end
  record(self, { event = "run", user = about.owner, backend = about.backend,
    language = about.language, kind = about.word, timings = timings, usage = usage })
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
  record(self, { event = "sandbox", user = about.owner, backend = about.backend, why = about.why,
    seconds = about.seconds, micro = self.prices:of(about), currency = self.prices.currency })
end

-- Nothing is 0 on every Lua.
local function money(micro)
  return micro == 0 and 0 or micro / 1e6
end

--- What was used, by user, day and backend.
---@return table[] lines
---@return number cost of all
function Ledger:usage()
  local list = {}
  for _, line in pairs(self.lines) do
    list[#list + 1] = { user = line.user, day = line.day, backend = line.backend,
      sandboxes = line.sandboxes, seconds = line.seconds, cost = money(line.micro),
      currency = line.currency, runs = line.runs, failed = line.failed }
  end
  table.sort(list, function(one, other)
    if one.day ~= other.day then
      return one.day < other.day
    elseif (one.user or "") ~= (other.user or "") then
      return (one.user or "") < (other.user or "")
    end
    return one.backend .. "\0" .. one.currency < other.backend .. "\0" .. other.currency
  end)
  return list, money(self.micro)
end

ledger.stages, ledger.peaks = STAGES, PEAKS

return ledger
