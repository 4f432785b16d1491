--- What `codecell doctor --prove` shows: how far it is, a table, or JSON.
local command = require "codecell.command"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local prove = require "codecell.command.prove"
local terminal = require "codecell.command.terminal"

local show = {}

local COLOURS = { ok = "green", failed = "red", skipped = "yellow" }
local WORDS = { ok = "ok", failed = "FAILED", skipped = "skipped" }

-- Each attack as it is made, on one line that goes again: only where somebody looks.
local function progress()
  local out = terminal.open(io.stderr, 2)
  if not out.is_terminal then
    return nil, function() end
  end
  local function say(text)
    out:write("\r\27[K", text)
    out.stream:flush()
  end
  return function(number, count, name)
    say(("%d/%d %s"):format(number, count, name))
  end, function()
    say ""
  end
end

-- The parts of a line of causes, each on a line of its own below the first.
local function print_row(row, out)
  local indent = (" "):rep(42)
  out:write("  ", out:style(COLOURS[row.status], ("%-8s"):format(WORDS[row.status])),
    ("%-32s"):format(row.name), (row.by:gsub("; ", "\n" .. indent)), "\n")
  if row.status == "failed" then
    out:write(indent, "tried: ", row.tried, "\n")
  end
end

local function print_report(report, out)
  local group
  for _, row in ipairs(report.attacks) do
    if row.group ~= group then
      group = row.group
      out:write(out:style("bold", group), "\n")
    end
    print_row(row, out)
  end
  local counts = report.counts
  local verdict = ("%d attacks: %d stopped, %d skipped, %d got through."):format(#report.attacks,
    counts.ok, counts.skipped, counts.failed)
  out:write("\n", out:style("bold", verdict), "\n")
end

--- Make the attacks, and show what came of them.
---@param as_json boolean?
---@return integer status
function show.run(as_json)
  local tell, finish = progress()
  local report, err = prove.run({}, tell)
  finish()
  if not report then
    return launch.fail("doctor --prove", err)
  elseif as_json then
    for _, row in ipairs(report.attacks) do
      row.tries = json.list(row.tries)
    end
    report.attacks = json.list(report.attacks)
    command.print_json(report)
  else
    print_report(report, terminal.open(io.stdout, 1))
  end
  return report.ok and command.status.success or command.status.code_failed
end

return show
