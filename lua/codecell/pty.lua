--- sandbox.pty: programs on a terminal.
local commands = require "codecell.commands"
local options = require "codecell.options"
local process = require "codecell.process"
local receiver = require "codecell.receiver"
local running = require "codecell.process.running"
local task = require "codecell.task"

---@class codecell.Pty
---@field package _sandbox codecell.Sandbox
local Pty = {}
Pty.__index = Pty

local pty = {}

--- The part of a sandbox.
---@param sandbox codecell.Sandbox
---@return codecell.Pty
function pty.new(sandbox)
  return setmetatable({ _sandbox = sandbox }, Pty)
end

local RULES = {
  cmd = { type = "either", expected = "string or list of strings",
    rules = { string = { type = "text" }, table = { type = "strings", least = 1 } } },
  cols = { type = "integer", least = 1, most = 65535 },
  cwd = { type = "text" },
  envs = { type = "envs" },
  rows = { type = "integer", least = 1, most = 65535 },
  timeout = { type = "number", above = 0, most = 86400 },
  user = { type = "name" },
}

local function arguments(sandbox, cmd)
  if type(cmd) == "table" then
    return cmd
  end
  return cmd and { commands.shell(sandbox), "-c", cmd } or { commands.shell(sandbox) }
end

--- Start a program on a terminal of its own.
---@param given table? `rows` (24), `cols` (80), `cmd` (a shell), `cwd`, `envs`, `user`, `timeout`
---(none but the sandbox's)
---@return codecell.Process? process
---@return codecell.Error? err
function Pty:create(given)
  local sandbox = receiver.part(self, "create", "pty")
  given = options.check("create", given, RULES)
  local ok, err = commands.check_user(sandbox, given.user)
  if not ok then
    return nil, err
  end
  local envs = { TERM = "xterm-256color" }
  for name, value in pairs(given.envs or {}) do
    envs[name] = value
  end
  local started
  started, err = process.start(sandbox, {
    kind = "terminal", argv = arguments(sandbox, given.cmd), envs = envs,
    cwd = given.cwd or sandbox._cwd,
    user = given.user, timeout = given.timeout, input = true, rows = given.rows or 24,
    columns = given.cols or 80,
  })
  if started then
    started, err = process.ready(started)
  end
  if not started then
    return nil, err
  end
  running.keep(sandbox, started)
  if given.timeout then
    task.async(process.run, started, { timeout = given.timeout })
  end
  return started
end

--- Another object for a program on a terminal, by its number in the list of commands.
---@param pid integer
---@return codecell.Process? process closing it only lets go
---@return codecell.Error? err kind "not_found"
function Pty:connect(pid)
  return self._sandbox.commands:connect(pid, "terminal")
end

return pty
