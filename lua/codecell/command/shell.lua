--- `codecell shell`: this terminal on a shell in a sandbox.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local launch = require "codecell.command.launch"
local wait = require "codecell.wait"

local shell = {
  summary = "open a shell in a sandbox of its own, on this terminal",
  usage = "codecell shell [OPTIONS] [COMMAND]",
  description = "Runs a shell, or COMMAND by a shell, in a sandbox: no network, nothing of this\n"
    .. "machine but its programs. Every key goes to it, Ctrl-C too; 'exit' or Ctrl-D ends it,\n"
    .. "and the sandbox with it. As over ssh, what runs there speaks to this terminal itself.\n"
    .. "For a script type 'codecell run -l bash FILE'.\n",
  takes = "file",
  statuses = {
    [0] = "the shell ended well; any other status is its own",
    [1] = "the shell's, when it failed",
  },
  example = "codecell shell --network pypi.org --mount .",
  options = launch.options_without("timeout", "changes", "apply"),
}

local SIGNALED = 128 -- and the number of the signal, as shells have it

-- Keys to the shell, until it or the input has ended.
local function forward_keys(process, reader)
  while true do
    local keys = reader:try_read()
    if keys == nil then
      process:kill("sighup")
      return
    elseif keys and not process:write(keys) then
      return
    elseif not keys and not wait.wait(reader) then
      return
    end
  end
end

local function follow_size(process, terminal)
  while wait.wait(terminal) do
    local rows, columns = core.terminal_size(0)
    if rows and rows > 0 and columns > 0 then
      process:resize(rows, columns)
    end
  end
end

-- What the shell says, until it has ended: its result, or nil, err.
local function show_output(process)
  while true do
    local text, err = process:read()
    if not text then
      if type(err) == "table" then
        return nil, err
      end
      return process:wait()
    end
    command.write(text)
    command.flush()
  end
end

local function connect(process)
  local reader, err = core.reader(codecell.reactor(), 0)
  local terminal
  if reader then
    terminal, err = core.terminal(codecell.reactor(), 0)
  end
  if not terminal then
    return nil, err
  end
  local keys = codecell.async(forward_keys, process, reader)
  local size = codecell.async(follow_size, process, terminal)
  local shown = codecell.async(show_output, process)
  local result
  result, err = shown:wait()
  keys:cancel()
  size:cancel()
  terminal:close()
  reader:close()
  return result, err
end

local function status_of(result)
  local signals = require "codecell.process.signals"
  return result.signal and SIGNALED + signals.number("shell", result.signal) or result.exit_code
end

function shell.run(options, arguments)
  if arguments[2] then
    return nil, "give one COMMAND, in quotes if it has blanks"
  elseif not (core.isatty(0) and core.isatty(1)) then
    return nil, "needs a terminal; for a script type 'codecell run -l bash FILE'"
  end
  local sandbox, status, message = launch.create("shell", options, launch.day)
  if not sandbox then
    return status, message
  end
  local rows, columns = core.terminal_size(0)
  local has_size = rows and rows > 0 and columns > 0
  local process, err = sandbox.pty:create {
    cmd = arguments[1], rows = has_size and rows or nil, cols = has_size and columns or nil,
    envs = { TERM = os.getenv "TERM", COLORTERM = os.getenv "COLORTERM" },
  }
  local result
  if process then
    result, err = connect(process)
  end
  sandbox:close()
  if not result then
    return launch.fail("shell", err)
  end
  return status_of(result)
end

return shell
