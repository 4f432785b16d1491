--- Documents whose code is run and compared with what they say that it shows.
---
---     local report = codecell.doctest.check(text, { sandbox = sandbox })
---     print(report.ok, report.passed, report.failed)
---
--- What a program shows stands in a block of `output` or `text` below it, in comments (`--> 42` in
--- Lua, `#> 42` in Python, `//> 42` in JavaScript), or behind prompts (`>>> 6 * 7`, `$ echo 42`).
--- "..." in it stands for anything.
local compare = require "codecell.doctest.compare"
local create = require "codecell.create"
local diff = require "codecell.project.diff"
local document = require "codecell.doctest.document"
local host = require "codecell.doctest.host"
local options = require "codecell.options"
local shown = require "codecell.export.shown"
local update = require "codecell.doctest.update"

local doctest = {}

---@class codecell.DoctestCheck
---@field line integer of the code in the document
---@field language string
---@field status "passed"|"failed"|"skipped"
---@field why? string why it failed or was skipped
---@field expected? string what the document says
---@field got? string what was shown
---@field diff? string from the one to the other
---@field can_update? boolean `text` of the report has what was shown in its place

---@class codecell.DoctestReport
---@field ok boolean nothing failed
---@field passed integer
---@field failed integer
---@field skipped integer
---@field checks codecell.DoctestCheck[] in the order of the document
---@field text string the document with what was shown written in, where it said otherwise

---@class codecell.DoctestOptions
---@field sandbox? codecell.Sandbox|function where its code runs; a function gives it (or nil, err)
---when code is met. Whoever gives it ends it. Default: one is made, and ended
---@field create? table options of the sandbox that is made
---@field timeout? number seconds for each piece of code
---@field host_lua? boolean run Lua that uses codecell itself, in this program, held by nothing
---(false)

local OPTIONS = {
  create = { type = "table" },
  host_lua = { type = "boolean" },
  sandbox = { type = "either", expected = "sandbox or function",
    rules = { table = { type = "table" }, userdata = { type = "userdata" },
      ["function"] = { type = "function" } } },
  timeout = { type = "number", above = 0, most = 86400 },
}

local Run = {}
Run.__index = Run

function Run:sandbox()
  local given, err = self.given.sandbox, nil
  if self.made then
    return self.made
  elseif type(given) == "function" then
    self.made, err = given()
  elseif given then
    self.made = given
  else
    self.made, err = create.create(self.given.create or {})
    self.is_own = self.made ~= nil
  end
  return self.made, err
end

-- Where the code of a step runs: the context of its session.
function Run:place(language, session)
  if not session or session == true then
    return { language = language, timeout = self.given.timeout }
  end
  local name = language .. "\0" .. session
  local err
  if not self.contexts[name] then
    self.contexts[name], err = self.made:create_code_context({ language = language })
    if not self.contexts[name] then
      return nil, err
    end
  end
  return { context = self.contexts[name], timeout = self.given.timeout }
end

function Run:execute(code, step)
  if step.is_host then
    return host.run(code, self.host)
  end
  local sandbox, err = self:sandbox()
  local place
  if sandbox then
    place, err = self:place(step.block.language, step.options.session)
  end
  if not place then
    return nil, err
  end
  return sandbox:run_code(code, place)
end

local function passed(step, line, expected, got)
  return { status = "passed", line = line, language = step.block.language, expected = expected,
    got = got }
end

local function failed(step, line, why)
  return { status = "failed", line = line, language = step.block.language, why = why }
end

local function differs(step, line, expected, got)
  local check = failed(step, line, "what it shows is not what the document says")
  check.expected, check.got = expected, got
  check.diff = diff.unified(expected .. "\n", got .. "\n", "shown")
  return check
end

-- What an error means for a program; nil: nothing is wrong with it.
local function unexpected(step, execution)
  local wanted, failure = step.options["expect-error"], execution.error
  if wanted and not failure then
    return "it was to raise an error, and did not"
  elseif wanted and wanted ~= true and failure.name ~= wanted then
    return ("it was to raise %s, and raised %s"):format(wanted, shown.failure(failure))
  elseif failure and not wanted then
    return "it raised " .. shown.failure(failure)
  end
end

-- What is promised, and how to write another text in its place.
local function expectation(step)
  if step.output then
    return step.output.code, function(text, got) return update.output(text, step.output, got) end
  elseif step.promised then
    local lines = {}
    for i, one in ipairs(step.promised) do
      lines[i] = one.text
    end
    return table.concat(lines, "\n"), function(text, got)
      return update.comments(text, step, got)
    end
  end
end

function Run:check_program(step)
  local execution, err = self:execute(step.block.code, step)
  if not execution then
    return failed(step, step.line, tostring(err))
  end
  local expected, edit = expectation(step)
  if expected and compare.execution(expected, execution)
    and not (step.options["expect-error"] and unexpected(step, execution)) then
    return passed(step, step.line, expected, shown.text(execution))
  end
  local why, got = unexpected(step, execution), shown.text(execution)
  if why then
    local check = failed(step, step.line, why)
    check.got = got
    return check
  elseif not expected then
    return passed(step, step.line, nil, got)
  end
  local check = differs(step, step.line, expected, got)
  check.edit = edit(self.text, got)
  if not check.edit then
    check.why = check.why .. "; its comments cannot be updated, since it shows another number "
      .. "of lines"
  end
  return check
end

function Run:check_examples(step)
  local list, answers, is_changed = {}, {}, false
  for i, example in ipairs(step.examples) do
    local line = step.line + example.line - 1
    local execution, err = self:execute(table.concat(example.typed, "\n"), step)
    local expected = table.concat(example.answered, "\n"):gsub("<BLANKLINE>", "")
    local check
    if not execution then
      check = failed(step, line, tostring(err))
    elseif not compare.execution(expected, execution) then
      check = differs(step, line, shown.trimmed(expected), shown.text(execution))
      if update.is_answer(check.got) then
        answers[i], is_changed = check.got, true
      end
    else
      check = passed(step, line, expected, shown.text(execution))
    end
    list[i] = check
  end
  if is_changed then
    local edit = update.examples(self.text, step, answers)
    for i in pairs(answers) do
      list[i].edit = edit
    end
  end
  return list
end

local function skipped(step, why)
  return { status = "skipped", line = step.line, language = step.block.language, why = why }
end

function Run:check(step)
  if step.options.skip then
    return { skipped(step, "the document says so") }
  elseif step.is_host and not self.given.host_lua then
    return { skipped(step, "it uses codecell itself, so it would run outside of a sandbox: "
      .. "allow it with --host-lua") }
  elseif not step.is_host and not step.block.closed then
    return { failed(step, step.line, step.why or "its fence is never closed") }
  elseif step.why then
    return { skipped(step, step.why) }
  elseif step.examples then
    return self:check_examples(step)
  end
  return { self:check_program(step) }
end

local function report_of(run, checks)
  local report = { ok = true, passed = 0, failed = 0, skipped = 0, checks = checks }
  local edits, seen = {}, {}
  for _, check in ipairs(checks) do
    report[check.status] = report[check.status] + 1
    if check.edit and not seen[check.edit] then
      seen[check.edit] = true
      edits[#edits + 1] = check.edit
    end
    check.can_update, check.edit = check.edit ~= nil or nil, nil
  end
  report.ok = report.failed == 0
  report.text = update.apply(run.text, edits)
  return report
end

--- Run the code of a Markdown document, block after block, in one sandbox, and compare what it
--- shows with what the document says. Each language keeps its variables from block to block.
---
--- Options of a block stand in its info string, or in a comment before it (`<!-- codecell: skip
--- -->`): `skip`, `expect-error` (or `expect-error=ValueError`), `session=NAME` (variables of its
--- own), `hidden` (run although it stands in a comment of the document).
---@param text string Markdown
---@param given codecell.DoctestOptions?
---@return codecell.DoctestReport? report
---@return codecell.Error? err no sandbox could be made
function doctest.check(text, given)
  options.argument("doctest.check", "text", text, "data")
  given = options.check("doctest.check", given, OPTIONS)
  local run = setmetatable({ text = text, given = given, contexts = {}, host = {} }, Run)
  local checks = {}
  for _, step in ipairs(document.steps(text)) do
    for _, check in ipairs(run:check(step)) do
      checks[#checks + 1] = check
    end
  end
  if run.is_own then
    run.made:close()
  end
  return report_of(run, checks)
end

return doctest
