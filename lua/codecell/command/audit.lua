--- `codecell audit`: what was recorded of sandboxes is compared with itself, shown, taken out and
--- done again.
local audit = require "codecell.audit"
local codecell = require "codecell"
local command = require "codecell.command"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local parts = require "codecell.command.parts"
local safe = require "codecell.agent.terminal"
local size = require "codecell.command.size"
local terminal = require "codecell.command.terminal"

local found = {
  summary = "verify, show, take out and do again what was recorded",
  usage = "codecell audit verify|anchor|ls|show|export|rerun [OPTIONS] [FILE]",
  description = "Reads what services, programs and 'codecell run --audit' have recorded, in FILE,\n"
    .. "the folder FILE, or $XDG_STATE_HOME/codecell/audit. docs/audit.md has the format.\n\n"
    .. "  verify   tell whether a byte was changed, a record removed, moved or added\n"
    .. "  anchor   print number and digest of the last record, to be kept elsewhere\n"
    .. "  ls       the sandboxes: id, on whose behalf, how much was done, when\n"
    .. "  show     each record in a line\n"
    .. "  export   records as lines of JSON, or what was run as a document\n"
    .. "  rerun    do a session again in a fresh sandbox, and show what differs\n",
  parts = { { "verify", "file" }, { "anchor", "file" }, { "ls", "file" }, { "show", "file" },
    { "export", "file" }, { "rerun", "file" } },
  statuses = { [1] = "verify: it is not as it was written; rerun: something differs" },
  example = "codecell audit verify",
  options = {
    { name = "anchor", value = "ANCHOR", kind = "name",
      help = "verify: \"NUMBER DIGEST\" that was kept elsewhere" },
    { name = "session", value = "ID", kind = "name", help = "of this sandbox alone" },
    { name = "subject", value = "NAME", kind = "name", help = "on behalf of this one alone" },
    { name = "format", value = "FORMAT", choices = { "jsonl", "ipynb", "md", "py", "lua" },
      help = "export: jsonl (default), ipynb, md, py or lua" },
    { name = "network", value = "NETWORK", kind = "network",
      help = "rerun: what code may reach: none (default), open, or NAME,..." },
    { name = "json", help = "print the result as JSON" },
  },
}

local function fail(err)
  local status = launch.fail("audit", err)
  return err.kind == "protocol" and command.status.code_failed or status
end

local function time_of(at)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(at))
end

-- Names and codes are anybody's: nothing in them is for the terminal, and a line stays one.
local function shown(value, most)
  return safe.visible((tostring(value):sub(1, most or 200):gsub("%c", " ")))
end

-- ---- parts ----

local run = {}

function run.verify(options, words)
  local report, err = audit.verify(words[1], { anchor = options.anchor })
  if not report then
    return fail(err)
  elseif options.json then
    report.problems = json.list(report.problems)
    command.print_json(report)
  else
    for _, problem in ipairs(report.problems) do
      command.write(("%s: line %d: %s\n"):format(problem.file, problem.line, problem.problem))
    end
    command.write(("%s: %s%s%s\n"):format(report.ok and "as it was written"
      or "NOT as it was written", size.count(report.records, "record"), report.emptied > 0
      and (", %d of them emptied"):format(report.emptied) or "", report.is_torn
      and "; the last line is not whole, and no record" or ""))
  end
  return report.ok and command.status.success or command.status.code_failed
end

function run.anchor(options, words)
  local report, err = audit.verify(words[1])
  if not report then
    return fail(err)
  elseif not report.ok then
    io.stderr:write("codecell audit: it is not as it was written; see 'codecell audit verify'\n")
    return command.status.code_failed
  elseif options.json then
    command.print_json({ anchor = report.anchor, records = report.records })
  else
    command.write(report.anchor, "\n")
  end
  return command.status.success
end

local function sessions_of(options, words)
  return audit.sessions(words[1], { sandbox = options.session, subject = options.subject })
end

function run.ls(options, words)
  local list, err = sessions_of(options, words)
  if not list then
    return fail(err)
  end
  local rows = json.list()
  for i, one in ipairs(list) do
    rows[i] = { sandbox = one.sandbox, subject = one.subject, agent = one.agent,
      created = one.created, ended = one.ended, runs = #one.cells, steps = #one.steps }
  end
  if options.json then
    command.print_json(rows)
    return command.status.success
  end
  for _, row in ipairs(rows) do
    command.write((("%-21s  %s  %11s  %11s  %s"):format(shown(row.sandbox), time_of(row.created),
      size.count(row.runs, "run"), size.count(row.steps, "step"), shown(row.subject or ""))
      :gsub(" +$", "")), "\n")
  end
  return command.status.success
end

local SKIPPED = { salt = true, sandbox = true, subject = true }

-- The rest of a record, in one line.
local function brief(content)
  local rest = {}
  for name, value in pairs(content) do
    if not SKIPPED[name] then
      rest[name] = value
    end
  end
  return next(rest) ~= nil and shown(json.encode(rest) or "", 160) or ""
end

local function is_wanted(options, record)
  local content = record.content
  return not options.session and not options.subject or content ~= nil
    and (not options.session or content.sandbox == options.session)
    and (not options.subject or content.subject == options.subject)
end

local function show_record(record)
  local content = record.content
  local what = record.event .. (record.phase and " " .. record.phase or "")
  command.write((("%6d  %s  %-14s %-21s %-12s %s"):format(record.number, time_of(record.at), what,
    shown(content and content.sandbox or ""), shown(content and content.subject or ""),
    content and brief(content) or "(emptied)"):gsub(" +$", "")), "\n")
end

local function print_record(record)
  command.print_json({ number = record.number, at = record.at, event = record.event,
    phase = record.phase, of = record.of, content = record.content or json.null })
end

local function each(options, words, called)
  local ok, err = audit.read(words[1], function(record)
    if is_wanted(options, record) then
      called(record)
    end
  end)
  return ok and command.status.success or fail(err)
end

function run.show(options, words)
  return each(options, words, options.json and print_record or show_record)
end

-- A cell whose code was not kept says so.
local function whole(cells)
  for _, cell in ipairs(cells) do
    local digest = cell.code_digest
    cell.code = cell.code or ("# not kept: %s bytes, sha256 %s"):format(
      shown(digest and digest.size), shown(digest and digest.sha256))
  end
  return cells
end

function run.export(options, words)
  if (options.format or "jsonl") == "jsonl" then
    return each(options, words, print_record)
  end
  local list, err = sessions_of(options, words)
  if not list then
    return fail(err)
  end
  local cells = {}
  for _, one in ipairs(list) do
    for _, cell in ipairs(whole(one.cells)) do
      cells[#cells + 1] = cell
    end
  end
  local view = terminal.open(io.stdout, 1)
  view:foreign(require("codecell.export").render(cells, options.format))
  view:settle()
  return command.status.success
end

local function tell_step(view)
  return function(step)
    local word = step.same and "same" or step.same == nil and "left out" or "DIFFERS"
    local style = step.same and "green" or step.same == nil and "yellow" or "red"
    view:write(("%6d  %s  "):format(step.record, view:style(style, ("%-8s"):format(word))))
    view:foreign(shown(step.title) .. (step.why and " (" .. step.why .. ")" or "") .. "\n")
    view:foreign(step.diff or "")
  end
end

function run.rerun(options, words)
  local list, err = sessions_of(options, words)
  if not list then
    return fail(err)
  elseif #list > 1 then
    return nil, ("there are %d sessions; choose one of 'codecell audit ls' with --session ID")
      :format(#list)
  elseif not list[1] then
    return nil, options.session and "there is no such session" or "there is no session in it"
  end
  local view = terminal.open(io.stdout, 1)
  local report
  report, err = require("codecell.audit.rerun").run(list[1], { network = options.network },
    not options.json and tell_step(view) or nil)
  if not report then
    return fail(err)
  elseif options.json then
    report.steps = json.list(report.steps)
    command.print_json(report)
  else
    command.write(("%s: %d as before, %d different, %d left out\n"):format(
      size.count(#report.steps, "step"), #report.steps - report.different - report.skipped,
      report.different, report.skipped))
  end
  return report.same and command.status.success or command.status.code_failed
end

local function part(called, ...)
  return { run = called, options = { ... }, most = 1, words = "one FILE" }
end

local PARTS = {
  anchor = part(run.anchor),
  export = part(run.export, "session", "subject", "format"),
  ls = part(run.ls, "session", "subject"),
  rerun = part(run.rerun, "session", "subject", "network"),
  show = part(run.show, "session", "subject"),
  verify = part(run.verify, "anchor"),
}

function found.run(options, arguments)
  local ok, err = codecell.reactor()
  if not ok then
    return fail(err)
  end
  return parts.run(options, arguments, PARTS)
end

return found
