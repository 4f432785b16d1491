--- `codecell doctest`: the code of documents is run, and compared with what they say.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local run = require "codecell.command.run"
local terminal = require "codecell.command.terminal"
local write = require "codecell.write"

local LIFETIME = 86400 -- seconds; the sandbox ends with the command

local doctest = {
  summary = "run the code of Markdown documents, and compare what it shows",
  usage = "codecell doctest [OPTIONS] FILE.md ...",
  description = "Runs the fenced code of each document in order in one sandbox, and compares what\n"
    .. "it shows with what the document says: in a block of output or text below it, in\n"
    .. "comments (--> 42 in Lua, #> 42 in Python, //> 42 in JavaScript), or behind\n"
    .. "prompts (>>> 6 * 7). \"...\" stands for anything. In the info string of a block,\n"
    .. "or in a comment before it (<!-- codecell: skip -->): skip, expect-error,\n"
    .. "session=NAME, hidden. Status 1: a document says something else.\n",
  takes = "file",
  statuses = { [1] = "a document says something else than its code shows" },
  example = "codecell doctest --update README.md",
  options = {
    { name = "update", help = "write what was shown into the documents" },
    { name = "host-lua",
      help = "also run Lua that uses codecell, outside of any sandbox: only what you trust" },
    { name = "json", help = "print what became of each block" },
  },
}
for _, option in ipairs(launch.options_without("changes", "apply")) do
  doctest.options[#doctest.options + 1] = option
end

-- First beside the document: where the disk is full, one of the two is whole. It stays the same
-- file, with its mode, whatever leads to it.
local function write_back(path, text)
  local copy = ("%s.%s"):format(path, core.random_id(8))
  local written, problem = write(copy, text)
  if not written then
    os.remove(copy)
    command.abort(("cannot write %s; the document is as it was"):format(problem))
  end
  written, problem = write(path, text)
  if not written then
    command.abort(("cannot write %s; its text is in %s"):format(problem, copy))
  end
  os.remove(copy)
end

local function tell(view, path, check)
  if check.status == "failed" then
    view:foreign(("%s:%d: %s: %s%s\n"):format(path, check.line, check.language, check.why,
      check.is_updated and " (updated)" or ""))
    local more = check.diff and check.diff:gsub("^[^\n]*\n[^\n]*\n", "") or check.got or ""
    more = more:gsub("\n+$", "")
    if not check.why:find(more, 1, true) then -- a failure without a traceback is its own text
      view:foreign(more .. "\n")
    end
  elseif check.status == "skipped" then
    view:foreign(("%s:%d: %s: skipped: %s\n"):format(path, check.line, check.language, check.why))
  end
  view:settle()
end

-- One document: its report, or nil and the status of what failed.
local function check_document(path, text, options)
  local made, status, message
  local report = codecell.doctest.check(text, {
    timeout = options.timeout,
    host_lua = options.host_lua,
    sandbox = function()
      if made == nil then
        made, status, message = launch.create("doctest", options)
        if made and made.backend == "local" then
          made:set_timeout(LIFETIME) -- the document may take longer than a block of it
        end
        made = made or false
      end
      return made or nil, message or "no sandbox could be made"
    end,
  })
  if made then
    made:close()
  elseif made == false then
    return nil, status, message
  end
  report.file = path
  if options.update and report.text ~= text then
    write_back(path, report.text)
    report.ok = true
    for _, check in ipairs(report.checks) do
      check.is_updated = check.can_update
      report.ok = report.ok and (check.status ~= "failed" or check.can_update == true)
    end
  end
  report.text = nil
  report.checks = json.list(report.checks)
  return report
end

function doctest.run(options, arguments)
  if #arguments == 0 then
    return nil, "give the documents to check"
  end
  options.host_lua = options["host-lua"]
  local reports, view, outcome = json.list(), terminal.open(io.stdout, 1), command.status.success
  for _, path in ipairs(arguments) do
    local text, message = run.read_all(path)
    if not text then
      return nil, message
    elseif path == "-" and options.update then
      return nil, "--update needs files"
    end
    local report, status, why = check_document(path, text, options)
    if not report then
      return status, why
    end
    reports[#reports + 1] = report
    outcome = report.ok and outcome or command.status.code_failed
    if not options.json then
      for _, check in ipairs(report.checks) do
        tell(view, path, check)
      end
      command.write(("%s: %d passed, %d failed, %d skipped\n"):format(path, report.passed,
        report.failed, report.skipped))
    end
  end
  if options.json then
    command.print_json(reports)
  end
  return outcome
end

return doctest
