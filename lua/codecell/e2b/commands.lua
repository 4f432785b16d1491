--- sandbox.commands of a sandbox of E2B: the verbs that name a process by its number.
local commands = require "codecell.commands"
local options = require "codecell.options"
local process = require "codecell.process"
local receiver = require "codecell.receiver"
local remote = require "codecell.e2b.process"
local signals = require "codecell.process.signals"

local Commands = setmetatable({}, { __index = commands.methods })
Commands.__index = Commands

local e2b_commands = {}

--- The part of a sandbox.
---@param sandbox table
---@return codecell.Commands
function e2b_commands.new(sandbox)
  return setmetatable({ _sandbox = sandbox }, Commands)
end

local PID = { type = "integer", least = 1 }

local function usable(self, verb, pid)
  local sandbox = receiver.part(self, verb, "commands", 4)
  if pid ~= nil then
    options.argument(verb, "pid", pid, "integer", PID, 4)
  end
  return sandbox
end

--- All that envd has started and that runs, whoever started it.
---@return table[]? list {pid, cmd, args, cwd, envs, tag}
---@return codecell.Error? err
function Commands:list()
  return remote.list(usable(self, "list")._plane)
end

--- Send a signal to a command of the list.
---@param pid integer
---@param signal string|integer|nil SIGTERM or SIGKILL; default SIGKILL
---@return boolean? sent false if there was none
---@return codecell.Error? err kind "unsupported": another signal
function Commands:kill(pid, signal)
  local sandbox = usable(self, "kill", pid or false)
  local ok, err = remote.signal(sandbox._plane, pid, signals.number("kill", signal, 2))
  if err and err.kind == "not_found" then
    return false
  end
  return ok, err
end

--- Another object for a command of the list. What was printed while nobody was connected is lost.
---@param pid integer
---@param kind "terminal"|nil of one that runs on a terminal
---@return codecell.Process? process closing it only lets go
---@return codecell.Error? err kind "not_found"
function Commands:connect(pid, kind)
  local sandbox = usable(self, "connect", pid or false)
  local joined, err = process.start(sandbox, { kind = kind or "command", argv = { "" },
    pid = pid })
  if not joined then
    return nil, err
  end
  return process.ready(joined)
end

--- Write to the standard input of a command of the list.
---@param pid integer
---@param data string
---@return true? done
---@return codecell.Error? err kind "not_found"
function Commands:send_stdin(pid, data)
  local sandbox = usable(self, "send_stdin", pid or false)
  options.argument("send_stdin", "data", data, "data")
  return remote.at(sandbox, pid):write(data)
end

--- End the standard input of a command of the list.
---@param pid integer
---@return true? done
---@return codecell.Error? err kind "not_found"
function Commands:close_stdin(pid)
  return remote.close_input(usable(self, "close_stdin", pid or false)._plane, pid)
end

return e2b_commands
