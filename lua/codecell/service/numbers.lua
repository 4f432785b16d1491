--- The counts of a service, as a table and as OpenMetrics.
local json = require "codecell.json"
local ledger = require "codecell.service.ledger"
local merged = require "codecell.merged"
local metrics = require "codecell.metrics"

local numbers = {}

local FAMILIES = {
  { "codecell_cost", "counter", false, "What sandboxes that have ended cost, in the currency of"
    .. " the prices" },
  { "codecell_pool_ready", "gauge", false, "Sandboxes that are ready before anybody asks" },
  { "codecell_run_seconds", "histogram", "seconds", "How long runs take, by stage" },
  { "codecell_runs", "counter", false, "Runs of code, by status, kind of failure and language" },
  { "codecell_runs_waiting", "gauge", false, "Runs that wait for their turn" },
  { "codecell_sandboxes", "gauge", false, "Sandboxes that are there" },
  { "codecell_sandboxes_created", "counter", false, "Sandboxes that were made" },
  { "codecell_sandboxes_ended", "counter", false, "Sandboxes that have ended, by reason" },
  { "codecell_utilization_ratio", "gauge", "ratio", "Part of their time that sandboxes are used" },
}

local function labelled(row)
  return table.concat({ metrics.label("status", row.status), metrics.label("kind", row.kind),
    metrics.label("language", row.language) }, ",")
end

--- What a ledger alone can say, as a table.
---@param one codecell.Ledger
---@return {runs_total: table[], seconds: table, ended: table, cost: number}
function numbers.counts(one)
  local runs, seconds = json.list(), {}
  for _, row in pairs(one.runs) do
    runs[#runs + 1] = { status = row.status, kind = row.kind, language = row.language,
      value = row.count }
  end
  table.sort(runs, function(left, right) return labelled(left) < labelled(right) end)
  for _, name in ipairs(ledger.stages) do
    local stage = one.stages[name]
    seconds[name] = { count = stage.count, sum = stage.sum,
      mean = stage.count > 0 and stage.sum / stage.count or 0 }
  end
  local _, cost = one:usage()
  return { runs_total = runs, seconds = seconds, ended = merged(one.ended), cost = cost }
end

--- The counts of a service as a table.
---@param service codecell.Service
---@return table
function numbers.table(service)
  local stats = service:stats()
  return merged(numbers.counts(service.ledger), { utilization = stats.utilization,
    sandboxes = stats.active, created = stats.created,
    failures_last_minute = (service.ledger:recent(60)),
    failures_last_hour = (service.ledger:recent(3600)) })
end

local function values_of(one)
  local runs, seconds, ended = {}, {}, {}
  for _, row in pairs(one.runs) do
    runs[labelled(row)] = row.count
  end
  for _, stage in ipairs(ledger.stages) do
    seconds[metrics.label("stage", stage)] = one.stages[stage]
  end
  for why, count in pairs(one.ended) do
    ended[metrics.label("reason", why)] = count
  end
  local _, cost = one:usage()
  return { codecell_cost = { [""] = cost }, codecell_run_seconds = seconds, codecell_runs = runs,
    codecell_sandboxes_ended = ended }
end

--- The counts as OpenMetrics.
---@param service codecell.Service
---@return string
function numbers.text(service)
  local stats, values = service:stats(), values_of(service.ledger)
  values.codecell_pool_ready = { [""] = stats.pool_ready }
  values.codecell_runs_waiting = { [""] = stats.waiting }
  values.codecell_sandboxes = { [""] = stats.active }
  values.codecell_sandboxes_created = { [""] = stats.created }
  values.codecell_utilization_ratio = { [""] = stats.utilization }
  return metrics.write(FAMILIES, values)
end

--- What a ledger alone can say, as OpenMetrics: that of programs that have ended.
---@param one codecell.Ledger
---@return string
function numbers.of_ledger(one)
  local values, families = values_of(one), {}
  for _, family in ipairs(FAMILIES) do
    if values[family[1]] then
      families[#families + 1] = family
    end
  end
  return metrics.write(families, values)
end

return numbers
