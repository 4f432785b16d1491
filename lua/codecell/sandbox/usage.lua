--- What a run has used, by the system's own count of its sandbox.
---
--- The count is asked for when a run has taken LATE already, and when it ends: to ask takes as long
--- as a short run. Of one that is over by then its duration is told.
local reactor = require "codecell.reactor"

local LATE = 0.02 -- seconds

local usage = {}

---@class codecell.RunMeasure
---@field package sandbox codecell.Sandbox
---@field package began number
---@field package due number? when to ask
---@field package missed number seconds before it was asked
---@field package request userdata?
---@field package traffic table?
local Measure = {}
Measure.__index = Measure

--- A run begins.
---@param sandbox codecell.Sandbox one that is not on this machine tells nothing
---@return codecell.RunMeasure
function usage.begin(sandbox)
  if sandbox.backend ~= "local" then
    return setmetatable({}, Measure)
  end
  local began = reactor.now()
  return setmetatable({ sandbox = sandbox, began = began, due = began + LATE, missed = 0,
    traffic = sandbox._backend.traffic(sandbox) }, Measure)
end

--- Called now and then while it runs.
---@param at_once boolean? it will take its time
function Measure:look(at_once)
  local due = self.due
  if due and (at_once or reactor.now() >= due) then
    self.due = nil
    self.missed = at_once and 0 or reactor.now() - self.began
    self.request = not self.sandbox:_closed() and self.sandbox:_ask("metrics") or nil
  end
end

--- It will not be asked what it has used.
function Measure:forget()
  if self.request and not self.sandbox:_closed() then
    self.sandbox:_forget(self.request)
  end
  self.due, self.request = nil, nil
end

-- Both counts; the first has come by the time of the second.
local function counts(self)
  local sandbox = self.sandbox
  if sandbox:_closed() or sandbox:_state() ~= "running" then
    return nil
  end
  local after = sandbox._backend.ask(sandbox, "run_code", "metrics")
  local before = after and not sandbox:_closed() and sandbox:_answer(self.request, "run_code")
  if before then
    self.request = nil
  end
  return before or nil, after
end

-- What of all of it, if it began as it went on. That of a callback which waits may be long: it is
-- not more than all that the sandbox has had since a run was told of.
function Measure:whole(before, after)
  local counted, looked = after - before, reactor.now() - self.began - self.missed
  local all = looked > 0 and counted * (1 + self.missed / looked) or counted
  local most = after - (self.sandbox._cpu_told or 0)
  self.sandbox._cpu_told = after
  return math.max(counted, math.min(all, most))
end

--- It has ended.
---@return codecell.Usage? usage nil: its sandbox has ended with it, or is not on this machine
function Measure:finish()
  local used
  if self.due and not self.sandbox:_closed() then
    used = { cpu_seconds = reactor.now() - self.began, estimated = true }
  elseif self.request then
    local before, after = counts(self)
    used = before and { cpu_seconds = self:whole(before.cpu_seconds, after.cpu_seconds),
      memory_peak = after.memory_peak, processes_peak = after.processes_peak,
      disk_used = after.disk_used }
  end
  self:forget()
  local traffic = used and self.traffic and self.sandbox._backend.traffic(self.sandbox)
  if traffic then
    used.network_in = traffic.received - self.traffic.received
    used.network_out = traffic.sent - self.traffic.sent
  end
  return used or nil
end

return usage
