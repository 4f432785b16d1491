--- A chart in words, for a reader that sees no pictures.
local chart = {}

-- Of each kind of thing so many are named.
local SERIES_MAX = 12
local DEPTH_MAX = 3

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- The least and the greatest of one coordinate; dates are strings and compare as such.
local function range(points, index)
  local least, most
  for _, point in ipairs(points) do
    local value = type(point) == "table" and point[index]
    local kind = type(value)
    if (kind == "number" and value == value or kind == "string")
      and (least == nil or type(least) == kind) then
      least = (least == nil or value < least) and value or least
      most = (most == nil or value > most) and value or most
    end
  end
  return least, most
end

local function number(value)
  return type(value) == "number" and ("%.6g"):format(value) or tostring(value)
end

local function describe_points(element)
  local points = element.points
  local low, high = range(points, 1)
  local least, most = range(points, 2)
  local text = ("%d points"):format(#points)
  if low ~= nil and least ~= nil then
    text = text .. (", x from %s to %s, y from %s to %s"):format(number(low), number(high),
      number(least), number(most))
  end
  return text
end

-- "Group 0" is what bars are of that nobody has given a group.
local function has_groups(elements)
  for _, element in ipairs(elements) do
    if type(element) == "table" and element.group ~= "Group 0" then
      return true
    end
  end
  return false
end

local function describe_element(element, is_grouped)
  local label = text_of(element.label) or "unnamed"
  if type(element.points) == "table" then
    return label .. ": " .. describe_points(element)
  elseif element.value ~= nil then
    local group = is_grouped and text_of(element.group)
    return ("%s%s: %s"):format(label, group and " (" .. group .. ")" or "", number(element.value))
  elseif element.median ~= nil then
    return ("%s: median %s, from %s to %s"):format(label, number(element.median),
      number(element.min), number(element.max))
  elseif element.angle ~= nil then
    local share = tonumber(element.angle)
    return share and ("%s: %.1f %%"):format(label, share / 3.6) or label
  end
  return label
end

--- Describe a chart.
---@param data table in the shape of `result.chart`
---@param depth integer? of charts in charts
---@return string text one line for the chart, one for each of its series
function chart.describe(data, depth)
  depth = depth or 1
  local head = { (text_of(data.type) or "unknown"):gsub("_", " ") .. " chart" }
  if text_of(data.title) then
    head[#head + 1] = ("title %q"):format(data.title)
  end
  for _, axis in ipairs({ "x", "y" }) do
    local label = text_of(data[axis .. "_label"])
    if label then
      head[#head + 1] = ("%s axis %q"):format(axis, label)
    end
  end
  local lines = { table.concat(head, ", ") }
  local elements = type(data.elements) == "table" and data.elements or {}
  local is_grouped = has_groups(elements)
  for i, element in ipairs(elements) do
    if i > SERIES_MAX then
      lines[#lines + 1] = ("- and %d more"):format(#elements - SERIES_MAX)
      break
    elseif type(element) == "table" then
      local text = type(element.elements) == "table" and depth < DEPTH_MAX
        and chart.describe(element, depth + 1):gsub("\n", "\n  ")
        or describe_element(element, is_grouped)
      lines[#lines + 1] = "- " .. text
    end
  end
  return table.concat(lines, "\n")
end

return chart
