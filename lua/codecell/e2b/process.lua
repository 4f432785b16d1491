--- A process in a sandbox of E2B: the answers that `codecell.process` asks its verbs' objects for.
local base64 = require "codecell.base64"
local core = require "codecell.core"
local ends = require "codecell.e2b.ends"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"
local output = require "codecell.process.output"
local plane = require "codecell.e2b.plane"
local reactor = require "codecell.reactor"
local rpc = require "codecell.e2b.rpc"
local shape = require "codecell.e2b.shape"
local task = require "codecell.task"
local transport = require "codecell.e2b.transport"
local verbs = require "codecell.verbs"
local wait = require "codecell.wait"

local process = {}

local CLOSES = "0.5.2" -- of envd, from which on an input can be ended
local INPUT_MOST = 524288 -- bytes of one request
local MARGIN = 5 -- seconds after our own deadline, at which envd ends what we could not
local WORDS = { -- of Go, for signals that end a program
  ["aborted"] = 6, ["alarm clock"] = 14, ["bad system call"] = 31, ["broken pipe"] = 13,
  ["bus error"] = 7, ["floating point exception"] = 8, ["hangup"] = 1,
  ["illegal instruction"] = 4, ["interrupt"] = 2, ["killed"] = 9, ["quit"] = 3,
  ["segmentation fault"] = 11, ["terminated"] = 15, ["trace/breakpoint trap"] = 5,
  ["user defined signal 1"] = 10, ["user defined signal 2"] = 12,
}
local NAMES = { [9] = "SIGNAL_SIGKILL", [15] = "SIGNAL_SIGTERM" }

---@class codecell.E2bRun what is known of a process; it is the key that those who wait are woken by
---@field package outputs table<integer, codecell.Output> 0 stdout or terminal, 1 stderr
---@field state "starting"|"running"|"exited"|"failed"
---@field pid integer?
---@field status table? as of `_exit`
---@field err codecell.Error?

local Process = {}
Process.__index = verbs.of(core.Process, Process)

-- ---- what its stream says ----

local function number_of_signal(status)
  local words = (shape.text(status) or ""):match("^signal: ([^(]+)")
  return words and WORDS[(words:gsub("%s+$", ""))] or 9
end

local function finish(run, state)
  run.state = state
  for which = 0, 1 do
    run.outputs[which]:finish()
  end
  reactor.wake(run)
end

local function hear_end(run, event)
  local code = shape.number(event.exitCode) or 0
  local signal = event.exited ~= true and code < 0 and number_of_signal(event.status) or 0
  run.status = { code = code, signal = signal, out_of_memory = false }
  finish(run, "exited")
end

local function hear_data(run, event)
  for name, which in pairs({ stdout = 0, stderr = 1, pty = 0 }) do
    local text = event[name]
    local bytes = type(text) == "string" and base64.decode(text)
    if bytes then
      run.outputs[which]:add(bytes)
      reactor.wake(run)
      if not run.outputs[which]:wait_for_room() then
        return false
      end
    elseif text ~= nil then
      return nil, failure.protocol(run.what, "output that is no base64")
    end
  end
  return true
end

local function hear(run, message)
  local event = shape.table(message.event)
  if not event then
    return nil, failure.protocol(run.what, "no event")
  elseif run.state == "starting" then
    local pid = shape.table(event.start) and shape.number(event.start.pid)
    if not pid then
      return nil, failure.protocol(run.what, "no start of the process first")
    end
    run.pid, run.state = pid, "running"
    reactor.wake(run)
  elseif shape.table(event["end"]) then
    hear_end(run, event["end"])
  elseif shape.table(event.data) then
    return hear_data(run, event.data)
  end
  return true
end

-- envd has ended it, because its time was over.
local function hear_deadline(run)
  run.status = { code = -1, signal = 9, out_of_memory = false }
  run.is_late = true
  finish(run, "exited")
end

-- Its owner has let go of it before it had a number to be killed by.
local function end_unwanted(run, message)
  if run.is_unwanted and message and hear(run, message) and run.pid then
    process.signal(run.there, run.pid, 9)
  end
end

local function follow(run, stream)
  while run.state == "starting" or run.state == "running" do
    local message, err = stream:next()
    local ok = message ~= nil
    if run.is_let_go then
      end_unwanted(run, message)
      break
    elseif message then
      if shape.table((shape.table(message.event) or {})["end"]) then
        stream:rest() -- so that who hears of the end can use the connection
      end
      ok, err = hear(run, message)
    elseif err and err.kind == "timeout" then
      return hear_deadline(run)
    end
    if not ok then
      run.err = err or failure.protocol(run.what, "the end of a process that has not ended")
      return finish(run, "failed")
    end
  end
  stream:close()
end

-- The stream is opened and read in the background; nothing of it holds the process's object.
local function begin(run, open)
  task.background(function()
    local stream, err = open()
    if stream and run.is_let_go and not run.is_unwanted then
      return stream:close()
    elseif stream then
      run.stream = stream
      return follow(run, stream)
    end
    if err.kind == "timeout" then -- of the request, not of the sandbox
      err.kind = "unavailable"
    end
    run.err = err
    finish(run, "failed")
  end)
end

local function new_run(sandbox, what)
  local limit, mask = sandbox._limits.output, sandbox._mask
  return { there = sandbox._plane, what = what, state = "starting",
    outputs = { [0] = output.new(limit, mask), output.new(limit, mask) } }
end

-- One object less. The last one, and the one that started it, let go of its stream, which notices
-- with its next message: a finalizer may not wake anybody. The latter ends the process as well.
local function leave(run, owns)
  run.holders = run.holders - 1
  run.is_let_go = run.is_let_go or owns or run.holders == 0
  run.is_unwanted = owns and run.state == "starting"
  if run.is_let_go then
    run.outputs[0].is_over, run.outputs[1].is_over = true, true
  end
  if owns and run.state == "running" and not run.was_killed then
    return run.there:request("kill", plane.ENVD, process.signal_request(run, 9))
  end
end

local function new_process(sandbox, run, owns)
  run.holders = (run.holders or 0) + 1
  return setmetatable({ _run = run, _sandbox = sandbox,
    _end = ends.watch(function() return leave(run, owns) end) }, Process)
end

-- ---- start ----

local function envs_of(sandbox, given)
  local envs = {}
  for name, value in pairs(sandbox._environment.added) do
    envs[name] = value
  end
  for name, value in pairs(given or {}) do
    envs[name] = value
  end
  return envs
end

local function body_of(sandbox, details)
  local config = { cmd = details.argv[1], args = json.list(),
    envs = envs_of(sandbox, details.envs), cwd = details.cwd }
  for i = 2, #details.argv do
    config.args[i - 1] = details.argv[i]
  end
  local body = { process = config, tag = details.tag }
  if details.kind == "terminal" then
    body.pty = { size = { cols = details.columns, rows = details.rows } }
    config.envs.LANG = config.envs.LANG or "C.UTF-8"
    config.envs.LC_ALL = config.envs.LC_ALL or "C.UTF-8"
  elseif sandbox._plane:has("0.3.0") then
    body.stdin = details.input == true
  end
  return body
end

local function join(sandbox, what, pid, is_terminal)
  local run = new_run(sandbox, what)
  run.has_input, run.is_terminal = true, is_terminal
  begin(run, function()
    return rpc.open(run.there, what, "process.Process/Connect", { process = { pid = pid } }, {})
  end)
  return new_process(sandbox, run, false)
end

--- Start a program, or join the one of the number `pid`.
---@param sandbox table
---@param details table of the spawn
---@return table? process
---@return codecell.Error? err
function process.start(sandbox, details)
  local there = sandbox._plane
  local what = details.pid and "connect" or "start " .. details.argv[1]
  local err = there:refusal(what)
  if err then
    return nil, err
  elseif details.pid then
    return join(sandbox, what, details.pid, details.kind == "terminal")
  end
  local run = new_run(sandbox, what)
  run.is_terminal = details.kind == "terminal"
  run.has_input = run.is_terminal or details.input == true
  local body = body_of(sandbox, details)
  begin(run, function()
    return rpc.open(there, what, "process.Process/Start", body, {
      user = details.user, deadline = details.timeout and details.timeout + MARGIN })
  end)
  return new_process(sandbox, run, true)
end

--- An object for a process by its number alone, to send it something.
---@param sandbox table
---@param pid integer
---@return table process
function process.at(sandbox, pid)
  local run = new_run(sandbox, "process")
  run.pid, run.state, run.has_input = pid, "running", true
  return new_process(sandbox, run, false)
end

--- The processes that envd has started and that run.
---@param there codecell.E2bPlane
---@return table[]? list {pid, cmd, args, envs, cwd, tag}
---@return codecell.Error? err
function process.list(there)
  local answer, err = rpc.call(there, "list", "process.Process/List", {}, { is_safe = true })
  if not answer then
    return nil, err
  end
  local list = {}
  for _, one in ipairs(shape.table(answer.processes) or {}) do
    one = shape.table(one) or {}
    local config, pid = shape.table(one.config) or {}, shape.number(one.pid)
    if not pid then
      return nil, failure.protocol("list", "a process without a number")
    end
    list[#list + 1] = { pid = pid, cmd = shape.text(config.cmd) or "",
      args = shape.list_of_texts(config.args), cwd = shape.text(config.cwd) or "",
      envs = shape.texts(config.envs), tag = shape.text(one.tag) }
  end
  return list
end

-- ---- signals, input ----

local function selector(run)
  return { pid = run.pid }
end

--- The request that sends a signal to a process, for what cannot wait for its answer.
---@param run codecell.E2bRun
---@param number integer
---@return table
function process.signal_request(run, number)
  local there = run.there
  return { method = "POST", path = "/process.Process/SendSignal",
    body = transport.body({ process = selector(run),
      signal = NAMES[number] }),
    headers = { { "Content-Type", "application/json" }, { "Connect-Protocol-Version", "1" },
      there:basic() } }
end

--- Send a signal to a process.
---@param there codecell.E2bPlane
---@param pid integer
---@param number integer
---@return true? sent
---@return codecell.Error? err kinds "not_found", "unsupported": only SIGTERM and SIGKILL are known
function process.signal(there, pid, number)
  if not NAMES[number] then
    return nil, errors.unsupported("this signal", "e2b", "send SIGTERM or SIGKILL")
  end
  local answer, err = rpc.call(there, "kill", "process.Process/SendSignal",
    { process = { pid = pid }, signal = NAMES[number] }, { is_safe = number == 9 })
  return answer and true, err
end

-- Do something in the background; what waits for its answer holds this.
local function request(run, called)
  local asked = { run = run }
  task.background(function()
    asked.value, asked.err = called()
    asked.is_done = true
    reactor.wake(run)
    reactor.wake(run.there) -- who waits for answers of the sandbox
  end)
  return asked
end

function Process:_signal(number)
  local run = self._run
  if not run.pid then
    return nil, errors.new("unavailable", "kill: it has not started yet")
  end
  run.was_killed = run.was_killed or number == 9
  return request(run, function()
    return process.signal(run.there, run.pid, number)
  end)
end

function Process:_resize(rows, columns)
  local run = self._run
  return request(run, function()
    local answer, err = rpc.call(run.there, "resize", "process.Process/Update",
      { process = selector(run), pty = { size = { cols = columns, rows = rows } } },
      { is_safe = true })
    return answer and true, err
  end)
end

local function broken_pipe(text)
  local err = errors.new("system", "write: " .. text)
  err.errno = 32
  return err
end

-- One request at a time. What is offered counts as taken once envd has said so; until then its
-- owner offers it again and again.
function Process:_write(data, from)
  local run = self._run
  local last = run.writing
  if last and last.is_done then
    run.writing = nil
    if last.data == data and last.from == from then
      return last.value and last.size, last.err
    end
  elseif last then
    return 0
  end
  if not run.has_input then
    return nil, broken_pipe("it has no standard input: start it with stdin = true")
  elseif run.state == "starting" then
    return 0
  elseif run.state ~= "running" then
    return nil, broken_pipe("nobody reads: Broken pipe")
  end
  local piece = data:sub(from + 1, from + INPUT_MOST)
  local text = base64.encode(piece)
  run.writing = request(run, function()
    local answer, err = rpc.call(run.there, "write", "process.Process/SendInput", {
      process = selector(run), input = run.is_terminal and { pty = text } or { stdin = text } })
    return answer and true, err
  end)
  run.writing.data, run.writing.from, run.writing.size = data, from, #piece
  return 0
end

--- End the standard input of a process.
---@param there codecell.E2bPlane
---@param pid integer
---@return true? done
---@return codecell.Error? err kinds "not_found", "unsupported": envd is too old
function process.close_input(there, pid)
  if not there:has(CLOSES) then
    return nil, errors.unsupported("the end of an input", "e2b",
      "build the template again: its envd is older than " .. CLOSES)
  end
  local answer, err = rpc.call(there, "close_stdin", "process.Process/CloseStdin",
    { process = { pid = pid } }, { is_safe = true })
  return answer and true, err
end

-- After what was written.
function Process:_close_input()
  local run = self._run
  task.background(function()
    while run.state == "starting" or run.writing and not run.writing.is_done do
      if not wait.key(run) then
        return
      end
    end
    if run.state == "running" and not run.is_terminal then
      process.close_input(run.there, run.pid)
    end
  end)
end

-- ---- what the verbs ask ----

function Process:_closed()
  return self._run == nil
end

function Process:_token()
  return self._run
end

function Process:_state()
  return self._run.state, self._run.err
end

function Process:_pid()
  return self._run.pid
end

function Process:_exit()
  if self._run.is_late then
    self._timed_out = true
  end
  return self._run.status or false
end

function Process:_finished()
  return self._run.state == "exited"
end

function Process:_read(which, size, as_text)
  return self._run.outputs[which]:read(size, as_text)
end

function Process:_hold(which, held)
  self._run.outputs[which]:hold(held)
end

function Process:_kept(which)
  return self._run.outputs[which]:kept()
end

function Process:_connect()
  return new_process(self._sandbox, self._run, false)
end

-- Its owner kills it; others only let go.
function Process:_release()
  local run = self._run
  self._run = nil
  if run then
    self._end:fire()
  end
  if run and run.is_let_go and run.stream and not run.is_unwanted then
    run.stream:close()
  end
end

return process
