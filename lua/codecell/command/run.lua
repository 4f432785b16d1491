--- `codecell run`: one piece of code in a sandbox of its own.
local command = require "codecell.command"
local export = require "codecell.export"
local folders = require "codecell.command.folders"
local languages = require "codecell.languages"
local launch = require "codecell.command.launch"
local runs = require "codecell.log.runs"
local show = require "codecell.command.show"

local run = {
  summary = "run code from a file, the command line or standard input",
  usage = "codecell run [OPTIONS] [FILE | -c CODE | -]",
  description = "Runs code in a sandbox of its own: no network, nothing of this machine but its\n"
    .. "programs. Output comes as it is written, then displays, then the value of the\n"
    .. "last expression. With --name the sandbox stays, with its variables, for half an\n"
    .. "hour after the last time; 'codecell ls' shows it, 'codecell kill NAME' ends it.\n",
  takes = "file",
  statuses = launch.statuses,
  example = "codecell run --timeout 10 -c 'sum(range(10))'",
  options = {
    { name = "code", short = "c", value = "CODE", help = "the code itself" },
    { name = "language", short = "l", value = "LANGUAGE", kind = "name",
      help = "default: by the file's name, its #! line, or python" },
    { name = "install", value = "PACKAGE", kind = "name", repeated = true,
      help = "a package for it, installed before; may be repeated" },
    { name = "stdin", value = "FILE", help = "what the code reads as its input; - is ours" },
    { name = "save", value = "DIR", help = "keep pictures as files there" },
    { name = "export", value = "FILE", kind = "name",
      help = "keep code and output as a document: FILE.ipynb, .md, .py or .lua" },
    { name = "json", help = "print the whole Execution, bytes in base64" },
  },
}
for _, option in ipairs(launch.options) do
  run.options[#run.options + 1] = option.name ~= "name" and option
    or { name = "name", value = "NAME", kind = "name",
      help = "in a sandbox of that name, which stays for the next time" }
end

--- The whole of a file, or of standard input for "-".
---@param path string
---@return string? text
---@return string? message
function run.read_all(path)
  if path == "-" then
    local text, why = io.stdin:read "*a"
    return text, why and "cannot read standard input: " .. why
  end
  local handle, message = io.open(path, "rb")
  if not handle then
    return nil, "cannot read " .. message
  end
  local text, why = handle:read "*a"
  handle:close()
  if not text then
    return nil, ("cannot read %s: %s"):format(path, why or "it is no file")
  end
  return text
end

-- The code and where it is from; or nil and what is wrong with the words.
local function find_code(options, arguments)
  if options.code and #arguments > 0 then
    return nil, "give a FILE or -c CODE, not both"
  elseif options.code then
    return options.code
  elseif #arguments > 1 then
    return nil, ("give one FILE, not %d; what the code needs comes by --stdin, --env and --file")
      :format(#arguments)
  elseif not arguments[1] and require("codecell.core").isatty(0) then
    return nil, "nothing to run: give a FILE, -c CODE, or - for standard input"
  end
  local path = arguments[1] or "-"
  if path:find("%.md$") and not options.language then
    return nil, ("%s is Markdown; for the code in it type 'codecell interpret %s'")
      :format(path, path)
  end
  return run.read_all(path)
end

-- What the code gets to read; or nil and what is wrong with the words.
local function find_input(options, arguments)
  if options.stdin == "-" and not options.code and (arguments[1] or "-") == "-" then
    return nil, "standard input is the code already; --stdin needs a file"
  end
  return run.read_all(options.stdin)
end

local function language_of(options, path, code)
  return options.language or path and languages.of_file(path) or languages.of_code(code)
end

--- The exit status that an Execution amounts to.
---@param execution codecell.Execution
---@return integer
function run.status(execution)
  if execution.timed_out then
    return command.status.timed_out
  elseif execution.out_of_memory then
    return command.status.out_of_memory
  end
  return show.has_failed(execution) and command.status.code_failed or command.status.success
end

--- What is wrong with the document that is asked for; nil: nothing.
---@param options table
---@return string? message
function run.check_export(options)
  if not options.export then
    return nil
  elseif not export.format_of(options.export) then
    return "--export: end the name in .ipynb, .md, .py or .lua"
  end
  return select(2, show.check_folder("--export", options.export:match("^(.*/)[^/]*$") or "."))
end

--- Keep what was run as a document, if that is asked for.
---@param sandbox codecell.Sandbox
---@param options table
---@return true?
---@return codecell.Error?
function run.export(sandbox, options)
  if not options.export then
    return true
  end
  return export.save(sandbox, options.export)
end

-- Everything that is read before a sandbox is made: {code, input}; or nil and
-- what is wrong with the words.
local function gather(options, arguments)
  local code, message = find_code(options, arguments)
  local input
  if code and options.stdin then
    input, message = find_input(options, arguments)
  end
  if not message then
    message = run.check_export(options)
  end
  if not message and options.export and options.name then
    message = "--export is for sandboxes that end with the command: leave out --name"
  end
  if not message and options.save then
    message = select(2, show.check_folder("--save", options.save))
  end
  if message then
    return nil, message
  end
  return { code = code, input = input }
end

function run.run(options, arguments)
  local given, message = gather(options, arguments)
  if not given then
    return nil, message
  end
  local language = language_of(options, arguments[1], given.code)
  if options.name then
    return require("codecell.command.named").run("run", options, given, language, run.status)
  end
  local sandbox, status, why = launch.create("run", options)
  if not sandbox then
    return status, why
  end
  local view = show.open(sandbox, options.save)
  local how = options.json and {} or show.stream(view)
  how.language = language
  how.timeout, how.stdin, how.packages = options.timeout, given.input, options.install
  runs.start(sandbox, language, given.code)
  local execution, err = sandbox:run_code(given.code, how)
  if not execution then
    return launch.fail("run", err)
  end
  runs.finish(sandbox, execution)
  if not options.json then
    show.finish(view, execution)
  end
  local kept
  kept, err = run.export(sandbox, options)
  if not kept then
    return launch.fail("run", err)
  end
  local report
  report, status = folders.finish(sandbox, options, run.status(execution),
    not options.json and view or nil)
  if not report then
    return launch.fail("run", status)
  elseif options.json then
    command.print_json(folders.as_table(report, show.as_table(execution)))
  end
  sandbox:close()
  return status
end

return run
