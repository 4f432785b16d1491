--- The tool `run_shell`: commands, waited for or in the background.
local output = require "codecell.process.output"
local read_output = require "codecell.tools.read_output"
local result = require "codecell.tools.result"
local run_code = require "codecell.tools.run_code"
local words = require "codecell.agent.words"

local run_shell = {}

local KEPT = 1048576 -- bytes of what a background command prints
local SOON = 0.3 -- seconds that a background command is watched at its start

--- The definition.
---@param about codecell.ToolAbout
---@param describe table
---@return codecell.ToolDefinition
function run_shell.define(about, describe)
  return { title = "Run a shell command", is_open = describe.is_open(about),
    description = ("Run a shell command in the same sandbox as run_code; each begins in "
      .. "/home/user. %s %s For what runs on, such as a server, set background: it returns at "
      .. "once, and names an id for read_output; end it with kill. For code use run_code.%s")
      :format(describe.network(about), describe.limits(about), describe.mock(about)),
    fields = {
      { name = "command", type = "string", is_required = true, description = "for bash" },
      { name = "background", type = "boolean",
        description = "do not wait for its end; default false" },
    },
    output = run_code.schema({ exit_code = { type = "integer" }, pid = { type = "integer" },
      next_offset = { type = "integer" }, state = { type = "string" },
      id = { type = "string", description = "for read_output" } }) }
end

local function word_of(command)
  if command.timed_out then
    return words.by_word.timeout
  elseif command.out_of_memory then
    return words.by_word.oom
  end
  return command.exit_code ~= 0 and words.by_word.exit or nil
end

local function ending_of(command, err)
  if not command then
    return err and tostring(err) or "its end is not known"
  end
  return command.signal and "ended by " .. command.signal
    or ("it has ended with exit status %d"):format(command.exit_code)
end

-- What it prints is kept until it is asked for; it ends with its sandbox.
local function start(kit, sandbox, command)
  local kept = output.new(KEPT)
  local function add(text)
    kept:add(text)
  end
  local process, err = sandbox.commands:run(command, { background = true, on_stdout = add,
    on_stderr = add })
  if not process then
    return nil, err
  end
  local id, ended = "p" .. process.pid, nil
  kit.outputs:follow(id, function()
    if not ended then
      local told, problem = process:try_wait()
      if told ~= false then
        ended = ending_of(told, problem)
        process:close()
      end
    end
    local head, tail, total = kept:kept()
    return head, tail, total, ended
  end)
  process:wait(SOON) -- what fails at once is told at once
  return { pid = process.pid, id = id }
end

local function call_background(kit, command)
  local started, err = kit.place:with(function(sandbox)
    return start(kit, sandbox, command)
  end)
  if not started then
    return result.of_error("run_shell", err)
  end
  local text, about = kit:_read_output(started.id, 0, read_output.quote)
  return result.of_text("run_shell", ("It runs in the background with pid %d.\n\n%s"):format(
    started.pid, text), { pid = started.pid, id = started.id, stdout = about.text,
      state = about.state, next_offset = about.next_offset })
end

-- Who wants to end it is given the process.
local function run(sandbox, command, given, on_start)
  if not on_start then
    return sandbox.commands:run(command, given)
  end
  given.background = true
  local process, err = sandbox.commands:run(command, given)
  if not process then
    return nil, err
  end
  on_start(process)
  local done
  done, err = process:wait()
  process:close() -- ends what was not waited for
  return done, err
end

local function call_foreground(kit, command, about)
  local done, err = kit.place:with(function(sandbox)
    return run(sandbox, command, { timeout = kit.place:timeout(about.timeout),
      on_stdout = about.on_stdout, on_stderr = about.on_stderr }, about.run)
  end)
  if not done then
    return result.of_error("run_shell", err)
  end
  local report = kit:_report(done, "run_shell")
  local told = result.of_report("run_shell", report, word_of(done),
    { exit_code = done.exit_code, seconds = done.seconds })
  told.command = done
  return told
end

--- Run it.
---@param kit codecell.Kit
---@param given {command: string, background: boolean?}
---@param about table options of the call
---@return codecell.ToolResult
function run_shell.call(kit, given, about)
  local allowed, err = kit:_permit("run_shell", { verb = "shell", code = given.command,
    language = "bash" })
  if not allowed then
    return result.of_error("run_shell", err)
  end
  local command = allowed.code or given.command
  local told
  if given.background then
    told = call_background(kit, command)
  else
    told = call_foreground(kit, command, about)
  end
  run_code.tell_change(told, given.command, allowed.code)
  return told
end

return run_shell
