--- Counts of a gateway, as OpenMetrics has them.
local core = require "codecell.core"
local exposition = require "codecell.metrics"
local holding = require "codecell.gateway.holding"

local metrics = {}

metrics.KIND = exposition.KIND

local BOUNDS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60 }

-- name, type, unit, what it is; counters are written with "_total". Those that have no labels begin
-- at 0.
local FAMILIES = {
  { "codecell_cells", "counter", false, "Runs of code that were asked for" },
  { "codecell_commands", "counter", false, "Commands and terminals that were asked for" },
  { "codecell_connections", "gauge", false, "Connections of clients that are open" },
  { "codecell_held_bytes", "gauge", "bytes", "Bodies of requests that are in memory" },
  { "codecell_limited", "counter", false, "Requests that a limit or a quota has refused" },
  { "codecell_received_bytes", "counter", "bytes", "Bodies of requests" },
  { "codecell_refusals", "counter", false, "Connections of sandboxes that a policy has refused" },
  { "codecell_request_seconds", "histogram", "seconds", "Time to the end of an answer, by plane" },
  { "codecell_requests", "counter", false, "Requests that were answered, by plane and status" },
  { "codecell_requests_open", "gauge", false, "Requests that are being answered" },
  { "codecell_sandboxes", "gauge", false, "Sandboxes that are there, by state" },
  { "codecell_sandboxes_created", "counter", false, "Sandboxes that were made" },
  { "codecell_sandboxes_ended", "counter", false, "Sandboxes that have ended, by reason" },
  { "codecell_sent_bytes", "counter", "bytes", "Bodies of answers" },
  { "process_cpu_seconds", "counter", "seconds", "Processor time of the gateway itself" },
  { "process_open_fds", "gauge", false, "Descriptors that the gateway has open" },
  { "process_resident_memory_bytes", "gauge", "bytes", "Memory of the gateway itself" },
  { "process_start_time_seconds", "gauge", "seconds", "When it was started, since 1970" },
}

local LABELLED = { codecell_requests = true, codecell_sandboxes_ended = true }

---@class codecell.GatewayMetrics
---@field package counts table<string, table<string, number>> by family, then by labels
---@field package times table<string, table> histograms by labels
local Metrics = {}
Metrics.__index = Metrics

---@return codecell.GatewayMetrics
function metrics.new()
  local self = setmetatable({ counts = {}, times = {}, started_at = os.time() }, Metrics)
  for _, about in ipairs(FAMILIES) do
    if about[2] == "counter" and not LABELLED[about[1]] then
      self:add(about[1], nil, 0)
    end
  end
  return self
end

--- Count something.
---@param family string
---@param labels string? as they are written: 'plane="envd"'; never what a client has chosen
---@param by number? default 1
function Metrics:add(family, labels, by)
  local counts = self.counts[family] or {}
  counts[labels or ""] = (counts[labels or ""] or 0) + (by or 1)
  self.counts[family] = counts
end

local function observe(self, labels, seconds)
  self.times[labels] = self.times[labels] or exposition.histogram(BOUNDS)
  self.times[labels]:observe(seconds)
end

--- A request was answered.
---@param plane string
---@param status integer? nil: with nothing
---@param about {seconds: number, received: integer, sent: integer}
function Metrics:answered(plane, status, about)
  local class = status and ("%dxx"):format(status / 100 - status / 100 % 1) or "none"
  self:add("codecell_requests", ('plane="%s",status="%s"'):format(plane, class))
  self:add("codecell_received_bytes", nil, about.received)
  self:add("codecell_sent_bytes", nil, about.sent)
  observe(self, ('plane="%s"'):format(plane), about.seconds)
end

local function resident()
  local file = io.open("/proc/self/status", "rb")
  local text = file and file:read(4096)
  if file then
    file:close()
  end
  return tonumber(text and text:match("VmRSS:%s*(%d+) kB") or 0) * 1024
end

-- What there is now, of families that nobody counts.
local function present(self, now)
  local own = core.host_list("/proc/self/fd") or {}
  return {
    codecell_connections = { [""] = now.connections },
    codecell_held_bytes = { [""] = holding.count() },
    codecell_requests_open = { [""] = now.busy },
    codecell_sandboxes = { ['state="paused"'] = now.paused, ['state="running"'] = now.running },
    process_cpu_seconds = { [""] = os.clock() },
    process_open_fds = { [""] = #own },
    process_resident_memory_bytes = { [""] = resident() },
    process_start_time_seconds = { [""] = self.started_at },
  }
end

--- All of it.
---@param now {connections: integer, busy: integer, running: integer, paused: integer}
---@return string text
function Metrics:text(now)
  local values = present(self, now)
  for family, counts in pairs(self.counts) do
    values[family] = counts
  end
  values.codecell_request_seconds = self.times
  return exposition.write(FAMILIES, values)
end

return metrics
