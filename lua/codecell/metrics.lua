--- codecell.metrics: counts as OpenMetrics has them (RFC-to-be of the CNCF; the text format 1.0).
local sorted = require "codecell.sorted"

local metrics = {}

--- The type of the text, for HTTP.
metrics.KIND = "application/openmetrics-text; version=1.0.0; charset=utf-8"

---@class codecell.Histogram
---@field count integer
---@field sum number
local Histogram = {}
Histogram.__index = Histogram

--- How values are spread.
---@param bounds number[] upper ones, ascending
---@return codecell.Histogram
function metrics.histogram(bounds)
  local self = setmetatable({ bounds = bounds, sum = 0, count = 0 }, Histogram)
  for i = 1, #bounds do
    self[i] = 0
  end
  return self
end

--- Count a value.
---@param value number
function Histogram:observe(value)
  self.sum, self.count = self.sum + value, self.count + 1
  for i = #self.bounds, 1, -1 do
    if value > self.bounds[i] then
      break
    end
    self[i] = self[i] + 1
  end
end

--- A label as it is written.
---@param name string
---@param value string
---@return string
function metrics.label(name, value)
  return ('%s="%s"'):format(name, (value:gsub('[\\"]', "\\%0"):gsub("\n", "\\n")))
end

local function number(value)
  return value % 1 == 0 and ("%d"):format(value) or ("%.9g"):format(value)
end

local function sample(lines, name, labels, value)
  lines[#lines + 1] = name .. (labels ~= "" and "{" .. labels .. "}" or "") .. " " .. number(value)
end

local function write_histogram(lines, family, labels, one)
  local before = labels == "" and "" or labels .. ","
  for i, bound in ipairs(one.bounds) do
    local text = bound % 1 == 0 and ("%.1f"):format(bound) or tostring(bound)
    sample(lines, family .. "_bucket", ('%sle="%s"'):format(before, text), one[i])
  end
  sample(lines, family .. "_bucket", before .. 'le="+Inf"', one.count)
  sample(lines, family .. "_count", labels, one.count)
  sample(lines, family .. "_sum", labels, one.sum)
end

--- The text of counts.
---@param families table[] `{name, "counter"|"gauge"|"histogram", unit or false, what it is}`;
---counters are written with "_total"
---@param values table<string, table<string, number|codecell.Histogram>> by family, then by labels
---@return string
function metrics.write(families, values)
  local lines = {}
  for _, about in ipairs(families) do
    local family, kind, unit, help = about[1], about[2], about[3], about[4]
    lines[#lines + 1] = ("# TYPE %s %s"):format(family, kind)
    lines[#lines + 1] = unit and ("# UNIT %s %s"):format(family, unit) or nil
    lines[#lines + 1] = ("# HELP %s %s."):format(family, help)
    local own = values[family] or {}
    for _, labels in ipairs(sorted(own)) do
      if kind == "histogram" then
        write_histogram(lines, family, labels, own[labels])
      else
        sample(lines, family .. (kind == "counter" and "_total" or ""), labels, own[labels])
      end
    end
  end
  lines[#lines + 1] = "# EOF\n"
  return table.concat(lines, "\n")
end

--- The counts of a service.
---@param service codecell.Service? default: the state's own
---@return string? text OpenMetrics
---@return codecell.Error? err of `codecell.service`
function metrics.openmetrics(service)
  local found, err = require("codecell.service").of(service)
  if not found then
    return nil, err
  end
  return require("codecell.service.numbers").text(found)
end

return metrics
