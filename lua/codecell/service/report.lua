--- What a ledger has counted, for people: by user and day, by the hour, and as advice on limits.
local report = {}

local MIB = 1024 * 1024
local SPARE = 1.25 -- of what was measured
local SUMS = { "sandboxes", "seconds", "runs", "failed", "cost" }

--- What rows can be made of.
report.columns = { "user", "day", "month", "backend" }

local function value_of(line, column)
  if column == "month" then
    return line.day:sub(1, 7)
  end
  return line[column] or ""
end

--- Add lines up.
---@param lines table[] of `Ledger:usage`
---@param by string[] of `report.columns`
---@return table[] rows those columns, and `sandboxes seconds runs failed cost currency`; sorted
function report.rows(lines, by)
  local rows, list = {}, {}
  for _, line in ipairs(lines) do
    local names = {}
    for i, column in ipairs(by) do
      names[i] = value_of(line, column)
    end
    names[#names + 1] = line.currency
    local key = table.concat(names, "\0")
    local row = rows[key]
    if not row then
      row = { currency = line.currency, key = key }
      for i, column in ipairs(by) do
        row[column] = names[i]
      end
      rows[key], list[#list + 1] = row, row
    end
    for _, name in ipairs(SUMS) do
      row[name] = (row[name] or 0) + line[name]
    end
  end
  table.sort(list, function(one, other) return one.key < other.key end)
  for _, row in ipairs(list) do
    row.key = nil
  end
  return list
end

local function round_up(value, grain)
  return math.ceil(value / grain) * grain
end

local ADVICE = {
  { name = "memory_limit", peak = "memory_peak", unit = "bytes", grain = 16 * MIB,
    variable = "E2B_MEMORY_LIMIT_MB", scale = MIB },
  { name = "limits.processes", peak = "processes_peak", unit = "processes", grain = 4 },
  { name = "limits.disk", peak = "disk_used", unit = "bytes", grain = 16 * MIB },
  { name = "execution_timeout", peak = "run_seconds", unit = "s", grain = 1,
    variable = "E2B_EXECUTION_TIMEOUT", scale = 0.001 },
}

--- Limits that fit what was measured: a quarter more than the most that any run has used.
---@param peaks table<string, number> of a ledger
---@return table[] advice `name unit peak suggested variable setting`: setting is what the variable
---would say; none where nothing was measured
function report.limits(peaks)
  local list = {}
  for _, one in ipairs(ADVICE) do
    local peak = peaks[one.peak]
    if peak and peak > 0 then
      local suggested = round_up(peak * SPARE, one.grain)
      list[#list + 1] = { name = one.name, unit = one.unit, peak = peak, suggested = suggested,
        variable = one.variable, setting = one.variable and suggested / one.scale }
    end
  end
  return list
end

return report
