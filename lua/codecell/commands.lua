--- sandbox.commands: programs, in the foreground and in the background.
local callbacks = require "codecell.callbacks"
local errors = require "codecell.errors"
local interpreters = require "codecell.languages.interpreters"
local options = require "codecell.options"
local process = require "codecell.process"
local receiver = require "codecell.receiver"
local running = require "codecell.process.running"
local signals = require "codecell.process.signals"
local wait = require "codecell.wait"

local TIMEOUT = 60
local TIMEOUT_MOST = 86400

---@class codecell.Commands
---@field package _sandbox codecell.Sandbox
local Commands = {}
Commands.__index = Commands

local commands = { methods = Commands }

--- The part of a sandbox.
---@param sandbox codecell.Sandbox
---@return codecell.Commands
function commands.new(sandbox)
  return setmetatable({ _sandbox = sandbox }, Commands)
end

local RULES = {
  background = { type = "boolean" },
  cwd = { type = "text" },
  envs = { type = "envs" },
  login = { type = "boolean" },
  on_stderr = { type = "function" },
  on_stdout = { type = "function" },
  stdin = { type = "either", expected = "string or true",
    rules = { string = { type = "data" }, boolean = { type = "boolean" } } },
  tag = { type = "name" },
  timeout = { type = "number", above = 0, most = TIMEOUT_MOST },
  user = { type = "name" },
}

local function usable(self, verb, level)
  local sandbox = receiver.part(self, verb, "commands", (level or 3) + 1)
  return sandbox -- not a tail call, which would be a level less in some Luas
end

--- The shell that runs a string.
---@param sandbox codecell.Sandbox
---@return string path
function commands.shell(sandbox)
  if not sandbox._shell then
    sandbox._shell = interpreters.exists("/bin/bash", sandbox._root) and "/bin/bash" or "/bin/sh"
  end
  return sandbox._shell
end

local function arguments(sandbox, cmd, login)
  if type(cmd) == "table" then
    options.argument("run", "cmd", cmd, "strings", { least = 1 }, 4)
    return cmd
  end
  options.argument("run", "cmd", cmd, "text", nil, 4)
  if login then
    return { commands.shell(sandbox), "-l", "-c", cmd }
  end
  return { commands.shell(sandbox), "-c", cmd }
end

--- Whether a command can run as that user.
---@param sandbox codecell.Sandbox
---@param user string?
---@return boolean? ok
---@return codecell.Error? err kind "unsupported"
function commands.check_user(sandbox, user)
  if user and user ~= sandbox._user and not sandbox._has_users then
    return nil, errors.unsupported(("running as %q"):format(user), sandbox.backend,
      ("everything runs as %q"):format(sandbox._user))
  end
  return true
end

-- Hand on what a background command prints, and end it when its time is over.
local function attend(self, given)
  local job = {
    stdin = type(given.stdin) == "string" and given.stdin or nil,
    on_stdout = given.on_stdout, on_stderr = given.on_stderr, timeout = given.timeout,
  }
  job.call = callbacks.caller(job)
  -- What a callback raises ends the command, and is raised by its `wait`.
  if job.on_stdout or job.on_stderr or job.stdin or job.timeout then
    callbacks.start(job, process.run, self, job)
  end
end

local function run_foreground(self, given)
  local result, err, raised = process.run(self, {
    call = wait.call, stdin = type(given.stdin) == "string" and given.stdin or nil,
    on_stdout = given.on_stdout, on_stderr = given.on_stderr, timeout = given.timeout or TIMEOUT,
    is_awaited = true,
  })
  self:close()
  if raised then
    error(raised[1], 0)
  end
  return result, err
end

--- Run a program, and wait for its end unless it is to run in the background.
---@param cmd string|string[] a string is run by /bin/bash -c, else /bin/sh -c; a list as it is
---@param given table? `background` (false), `cwd`, `envs`, `user`, `stdin` (string, or true to keep
---it open), `timeout` (60 s; in the background none but the sandbox's), `on_stdout`, `on_stderr`,
---`tag`, `login` (false)
---@return codecell.CommandResult|codecell.Process|nil result a Process in the background
---@return codecell.Error? err kinds "not_found", "permission_denied", "limit_exceeded",
---"sandbox_gone", "cancelled"
function Commands:run(cmd, given)
  local sandbox = usable(self, "run")
  given = options.check("run", given, RULES)
  local argv = arguments(sandbox, cmd, given.login)
  local ok, err = commands.check_user(sandbox, given.user)
  if not ok then
    return nil, err
  end
  local started
  started, err = process.start(sandbox, {
    kind = "command", argv = argv, envs = given.envs, cwd = given.cwd or sandbox._cwd,
    input = given.stdin ~= nil and given.stdin ~= false, stdin = given.stdin, tag = given.tag,
    user = given.user,
    timeout = given.timeout or not given.background and TIMEOUT or nil,
  })
  if not started then
    return nil, err
  elseif not given.background then
    return run_foreground(started, given)
  end
  started, err = process.ready(started)
  if not started then
    return nil, err
  end
  running.keep(sandbox, started)
  attend(started, given)
  return started
end

--- The background commands and terminals that run now.
---@return {pid: integer, cmd: string, args: string[], cwd: string, envs: table, tag: string?}[]
function Commands:list()
  local list = {}
  for one in pairs(usable(self, "list")._processes) do
    if not one:_closed() and one:_state() == "running" then
      local about = one._about
      list[#list + 1] = { pid = one.pid, cmd = about.cmd, args = about.args, cwd = about.cwd,
        envs = about.envs, tag = about.tag }
    end
  end
  table.sort(list, function(left, right) return left.pid < right.pid end)
  return list
end

local PID = { type = "integer", least = 1 }

local function find(self, verb, pid)
  local sandbox = usable(self, verb, 4)
  options.argument(verb, "pid", pid, "integer", PID, 4)
  local found = running.find(sandbox, pid)
  if not found then
    return nil, errors.new("not_found", ("%s: no command with pid %.0f runs"):format(verb, pid))
  end
  return found
end

--- Send a signal to a command of the list.
---@param pid integer
---@param signal string|integer|nil default SIGKILL
---@return boolean? sent false if there was none
---@return codecell.Error? err
function Commands:kill(pid, signal)
  signals.number("kill", signal, 2)
  local found = find(self, "kill", pid)
  if not found then
    return false
  end
  return found:kill(signal)
end

--- Another object for a command of the list. Both read the same output: each byte comes once.
---@param pid integer
---@return codecell.Process? process closing it only lets go
---@return codecell.Error? err kind "not_found"
function Commands:connect(pid)
  local found, err = find(self, "connect", pid)
  if not found then
    return nil, err
  end
  return running.connect(found)
end

--- Write to the standard input of a command of the list.
---@param pid integer
---@param data string
---@return true? done
---@return codecell.Error? err kind "not_found"
function Commands:send_stdin(pid, data)
  options.argument("send_stdin", "data", data, "data")
  local found, err = find(self, "send_stdin", pid)
  if not found then
    return nil, err
  end
  return found:write(data)
end

--- End the standard input of a command of the list.
---@param pid integer
---@return true? done
---@return codecell.Error? err kind "not_found"
function Commands:close_stdin(pid)
  local found, err = find(self, "close_stdin", pid)
  if not found then
    return nil, err
  end
  return found:close_input()
end

return commands
