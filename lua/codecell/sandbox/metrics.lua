--- What a sandbox uses.
local core = require "codecell.core"
local reactor = require "codecell.reactor"

local metrics = {}

--- See `Sandbox:get_metrics`.
---@param self codecell.Sandbox
---@return table? metrics
---@return codecell.Error? err
function metrics.get(self)
  local answer, err = self._backend.ask(self, "get_metrics", "metrics")
  if not answer then
    return nil, err
  end
  local now = reactor.now()
  local last = self._metrics or { at = self._started, cpu_seconds = 0 }
  self._metrics = { at = now, cpu_seconds = answer.cpu_seconds }
  local passed = math.max(now - last.at, 0.001)
  return {
    cpu_used_pct = math.max(answer.cpu_seconds - last.cpu_seconds, 0) / passed * 100,
    cpu_count = self._limits.cpu or core.cpu_count(),
    memory_used = answer.memory, memory_peak = answer.memory_peak,
    memory_total = self._limits.memory, disk_used = answer.disk_used,
    disk_total = answer.disk_total, processes = answer.processes,
    processes_peak = answer.processes_peak,
    network = self._backend.traffic(self),
  }
end

return metrics
