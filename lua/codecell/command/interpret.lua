--- `codecell interpret`: the code blocks of a model's answer, run one after the
--- other in one sandbox.
local blocks = require "codecell.agent.blocks"
local words = require "codecell.agent.blocks.language"
local command = require "codecell.command"
local answer = require "codecell.agent.interpret"
local folders = require "codecell.command.folders"
local json = require "codecell.json"
local launch = require "codecell.command.launch"
local run = require "codecell.command.run"
local show = require "codecell.command.show"

local interpret = {
  summary = "run the code blocks of a model's answer (Markdown)",
  usage = "codecell interpret [OPTIONS] ANSWER.md | -",
  description = "Finds the fenced code in an answer and runs it in order in one sandbox, so that\n"
    .. "later blocks see what earlier ones made. Stops at the first block that fails,\n"
    .. "unless told to go on.\n"
    .. "Blocks that are no code (output, text, data) are left alone.\n",
  takes = "file",
  statuses = launch.statuses,
  example = "codecell interpret answer.md",
  options = {
    { name = "list", help = "say what would run and run nothing" },
    { name = "save", value = "DIR", help = "keep pictures as files there" },
    { name = "export", value = "FILE", kind = "name",
      help = "keep code and output as a document: FILE.ipynb, .md, .py or .lua" },
    { name = "keep-going", help = "run the blocks after one that failed, too" },
    { name = "json", help = "print the list of Executions, bytes in base64" },
  },
}
for _, option in ipairs(launch.options) do
  interpret.options[#interpret.options + 1] = option
end

local function title(block, number)
  return ("block %d, %s"):format(number, block.language or (block.info ~= "" and block.info)
    or "no language")
end

--- Say of each block of an answer whether it would run, and why not.
---@param found codecell.Block[]
---@param as_json boolean?
---@return integer status
function interpret.list(found, as_json)
  local rows = json.list()
  for i, block in ipairs(found) do
    rows[i] = { block = i, language = block.language, runs = block.runnable == true,
      why = not block.runnable and (block.why or "not code") or nil }
    if not as_json then
      command.write(title(block, i), ": ",
        rows[i].runs and "runs" or "does not run: " .. rows[i].why, "\n")
    end
  end
  if as_json then
    command.print_json(rows)
  elseif not found[1] then
    command.write("no code: put it between lines of three backticks, the first with the language\n")
  end
  return command.status.success
end

-- A program that is left out is missed; text and data are not. Each reason is said once.
local function say_left_out(found)
  local groups, by_reason = {}, {}
  for i, block in ipairs(found) do
    if not block.runnable and words.is_programming(block.language) then
      local key = block.language .. ": " .. block.why
      if not by_reason[key] then
        by_reason[key] = { language = block.language, why = block.why }
        groups[#groups + 1] = by_reason[key]
      end
      table.insert(by_reason[key], i)
    end
  end
  for _, group in ipairs(groups) do
    io.stderr:write(("codecell interpret: %s %s, %s, %s not run: %s\n"):format(
      group[2] and "blocks" or "block", table.concat(group, ", "), group.language,
      group[2] and "do" or "does", group.why))
  end
end

-- Code that would have run, had this machine its language.
local function lacks_language(found)
  for _, block in ipairs(found) do
    if words.is_programming(block.language) and not answer.can_run(block.language) then
      return true
    end
  end
  return false
end

-- Runs what can run. Returns the Executions and the exit status of the last.
local function run_blocks(sandbox, found, options, view)
  local executions, status = {}, command.status.success
  local function begin(block, i)
    if view and view.err.is_terminal then
      view.err:write(view.err:style("dim", "-- " .. title(block, i)), "\n")
    end
    local how = view and show.stream(view) or {}
    how.timeout = options.timeout
    return how
  end
  local _, err = answer.each(sandbox, found, begin, function(execution)
    if view then
      show.finish(view, execution)
    end
    executions[#executions + 1] = show.as_table(execution)
    status = status == command.status.success and run.status(execution) or status
  end, function(execution)
    return show.has_failed(execution) and not options["keep-going"]
  end)
  if err then
    return nil, launch.fail("interpret", err)
  end
  return executions, status
end

local function check(options, arguments)
  if #arguments ~= 1 then
    return nil, "give one file with an answer, or - for standard input"
  end
  if options.json and (options.changes or options.apply) then
    return nil, "--changes and --apply are told as text: leave out --json"
  end
  local problem = run.check_export(options)
  if problem then
    return nil, problem
  elseif options.save then
    local there, message = show.check_folder("--save", options.save)
    if not there then
      return nil, message
    end
  end
  return run.read_all(arguments[1])
end

function interpret.run(options, arguments)
  local text, message = check(options, arguments)
  if not text then
    return nil, message
  end
  local found = blocks.scan(text, { languages = answer.can_run })
  if options.list then
    return interpret.list(found, options.json)
  end
  say_left_out(found)
  if not answer.has_code(found) then
    io.stderr:write("codecell interpret: no code to run in this answer\n")
    command.write(options.json and "[]\n" or "")
    return lacks_language(found) and command.status.failed or command.status.success
  end
  local sandbox, status, why = launch.create("interpret", options)
  if not sandbox then
    return status, why
  end
  local view = not options.json and show.open(sandbox, options.save) or nil
  local executions, outcome = run_blocks(sandbox, found, options, view)
  if executions then
    local kept, err = run.export(sandbox, options)
    if not kept then
      return launch.fail("interpret", err)
    end
    local report
    report, outcome = folders.finish(sandbox, options, outcome, view)
    if not report then
      return launch.fail("interpret", outcome)
    end
  end
  sandbox:close()
  if options.json and executions then
    command.print_json(json.list(executions))
  end
  return outcome
end

return interpret
