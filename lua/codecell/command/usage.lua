--- `codecell usage`: what services have used, and what it has cost.
local command = require "codecell.command"
local core = require "codecell.core"
local history = require "codecell.command.history"
local json = require "codecell.json"
local report = require "codecell.service.report"
local terminal = require "codecell.agent.terminal"

local usage = {
  summary = "tell what services have used, and what it has cost",
  usage = "codecell usage [FILE] [--by COLUMNS] [--format csv|json|table] | --histogram hour |\n"
    .. "       --suggest-limits",
  description = "Reads the file that services write where usage_file (CODECELL_USAGE_FILE)\n"
    .. "says so, or FILE, which may be an audit too: that has the runs alone. Days and\n"
    .. "hours are those of UTC; seconds those that sandboxes lived.\n",
  takes = "file",
  example = "codecell usage --by user,day --format csv",
  options = {
    { name = "by", value = "COLUMNS",
      help = "rows for each: user, day, month, backend, with commas (user,day,backend)" },
    { name = "format", value = "FORMAT", help = "csv, json or table (table)" },
    { name = "histogram", value = "hour", help = "runs by the hour of the day" },
    { name = "suggest-limits", help = "limits that fit the most that was measured" },
    { name = "json", help = "the same as --format json" },
  },
}

local FORMATS = { csv = true, json = true, table = true }
local WIDTH = 50 -- of the longest bar

local function columns_of(text)
  local list, known = {}, {}
  for _, name in ipairs(report.columns) do
    known[name] = true
  end
  for name in text:gmatch("[^,]+") do
    if not known[name] then
      return nil, ("--by: there is no %q; there are %s"):format(name,
        table.concat(report.columns, ", "))
    end
    list[#list + 1], known[name] = name, nil
  end
  if not list[1] then
    return nil, "--by: give some of " .. table.concat(report.columns, ", ")
  end
  return list
end

-- Names of users are anybody's: nothing in them is for the terminal.
local function shown(value)
  return terminal.visible((tostring(value):gsub("%c", "?")))
end

local NUMBERS = { seconds = "%.3f", cost = "%.6f", sandboxes = "%d", runs = "%d", failed = "%d",
  peak = "%.14g", suggested = "%.14g", setting = "%.14g" }

local function cell(column, value)
  return type(value) == "number" and (NUMBERS[column] or "%.14g"):format(value)
    or value == nil and "" or tostring(value)
end

-- A text in a CSV. Programs that calculate take what begins with one of these for a formula, and
-- names of users are anybody's: an apostrophe before it keeps it a text.
local function quoted(text)
  if text:find("^[=+%-@\t\r\n]") then
    text = "'" .. text
  end
  return text:find('[",;\t\r\n]') and '"' .. text:gsub('"', '""') .. '"' or text
end

local write = {}

function write.csv(columns, rows)
  command.write(table.concat(columns, ","), "\r\n")
  for _, row in ipairs(rows) do
    local cells = {}
    for i, column in ipairs(columns) do
      local text = cell(column, row[column])
      cells[i] = type(row[column]) == "number" and text or quoted(text)
    end
    command.write(table.concat(cells, ","), "\r\n")
  end
end

function write.json(_, rows)
  command.print_json(json.list(rows))
end

function write.table(columns, rows)
  local widths, lines = {}, { columns }
  for _, row in ipairs(rows) do
    local line = {}
    for i, column in ipairs(columns) do
      line[i] = shown(cell(column, row[column]))
    end
    lines[#lines + 1] = line
  end
  for _, line in ipairs(lines) do
    for i, text in ipairs(line) do
      widths[i] = math.max(widths[i] or 0, #text)
    end
  end
  for number, line in ipairs(lines) do
    local cells = {}
    for i, text in ipairs(line) do
      local space = (" "):rep(widths[i] - #text)
      cells[i] = NUMBERS[columns[i]] and space .. text or text .. space
    end
    local text = table.concat(cells, "  "):gsub(" +$", "")
    command.write(number == 1 and text:upper() or text, "\n")
  end
end

-- 24 rows; a bar where a person looks.
local function histogram(hours, format)
  local rows, most = {}, 1
  for hour = 0, 23 do
    rows[hour + 1] = { hour = ("%02d"):format(hour), runs = hours[hour] }
    most = math.max(most, hours[hour])
  end
  if format ~= "table" then
    return write[format]({ "hour", "runs" }, rows)
  end
  for _, row in ipairs(rows) do
    local bar = core.isatty(1) and "  " .. ("#"):rep(math.ceil(row.runs / most * WIDTH)) or ""
    command.write(("%s  %8d%s\n"):format(row.hour, row.runs, bar))
  end
end

local function rows_of(ledger, by)
  local rows = report.rows((ledger:usage()), by)
  for _, name in ipairs({ "sandboxes", "seconds", "runs", "failed", "cost", "currency" }) do
    by[#by + 1] = name
  end
  return by, rows
end

local function check(options)
  local format = options.format or options.json and "json" or "table"
  if not FORMATS[format] then
    return nil, "--format is one of csv, json and table"
  elseif options.histogram and options.histogram ~= "hour" then
    return nil, "--histogram: there is that of the hour"
  elseif (options.by and 1 or 0) + (options.histogram and 1 or 0)
    + (options["suggest-limits"] and 1 or 0) > 1 then
    return nil, "give one of --by, --histogram and --suggest-limits"
  end
  return format
end

function usage.run(options, arguments)
  local format, problem = check(options)
  if not format then
    return nil, problem
  end
  local by
  by, problem = columns_of(options.by or "user,day,backend")
  if not by then
    return nil, problem
  end
  local ledger
  ledger, problem = history.read("usage", arguments)
  if not ledger then
    return nil, problem
  elseif options.histogram then
    histogram(ledger.hours, format)
  elseif options["suggest-limits"] then
    write[format]({ "name", "peak", "suggested", "unit", "variable", "setting" },
      report.limits(ledger.peaks))
  else
    write[format](rows_of(ledger, by))
  end
  return command.status.success
end

return usage
