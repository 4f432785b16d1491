--- codecell.Process: a program that runs in a sandbox, and what became of it.
local core = require "codecell.core"
local errors = require "codecell.errors"
local options = require "codecell.options"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local receiver = require "codecell.receiver"
local seen = require "codecell.sandbox.seen"
local signals = require "codecell.process.signals"
local wait = require "codecell.wait"

local CHUNK = 65536
local CHUNKS_MOST = 256 -- in a row, to a callback
local BUSY_MOST = 8 -- rounds in a row that found something
local WRITE = 60 -- seconds that a full pipe may keep a write waiting
local GRACE = 1 -- seconds that a killed program has to go

local process = {}

local Process = core.Process
Process._release = Process._release or Process.close -- of C

-- Wait for news, unless none can come: the deadline of the sandbox has paused it.
local function await_news(self, deadline)
  return not pause.is_over(self._sandbox) and wait.wait(self, deadline)
end

local function failure(self, verb, timeout)
  return pause.over(self._sandbox, verb) or wait.failure(verb, timeout)
end

local check_open = receiver.process

-- By another coroutine or a callback, while a verb waited.
local function was_closed(verb)
  return errors.new("cancelled", verb .. ": the process was closed")
end

-- What its sandbox came to is no end of the process's own.
local function explain(self, err)
  if err and err.kind == "timeout" then
    return errors.new("sandbox_gone", err.message, err.hint)
  elseif err and err.kind == "cancelled" and self._sandbox._killed then
    return errors.new("sandbox_gone", "the sandbox was killed")
  end
  return err
end

-- Why it cannot be asked any more: it was never started, or its sandbox has ended.
local function problem(self)
  local state, err = self:_state()
  if state == "failed" or state == "exited" then
    return explain(self, err)
  end
end

-- ---- output ----

--- The output that is there, without waiting.
---@return string|false|nil chunk false: not yet; nil: the end
---@return string|codecell.Error|nil stream "stdout", "stderr" or "pty"; after nil the error
function Process:try_read()
  check_open(self, "try_read")
  local first = self._next or 0
  local chunk = self:_read(first, CHUNK)
  if chunk then
    self._next = self._terminal and 0 or 1 - first -- neither starves the other
    return chunk, self._streams[first + 1]
  end
  local other = not self._terminal and self:_read(1 - first, CHUNK)
  if other then
    return other, self._streams[2 - first]
  elseif chunk == nil and (other == nil or self._terminal) or self:_finished() then
    return nil, problem(self)
  end
  local state, err = self:_state()
  if state == "failed" then
    return nil, explain(self, err)
  end
  return false
end

--- Read the output that is ready, waiting for the first byte of it.
---@param timeout number? seconds; default: as long as the process runs
---@return string? chunk nil at the end of the output, and on failure
---@return string|codecell.Error|nil stream "stdout", "stderr" or "pty"; after nil the error, kinds
---"timeout", "cancelled", "sandbox_gone"
function Process:read(timeout)
  options.timeout("read", timeout, 3)
  check_open(self, "read")
  local deadline = wait.deadline(timeout)
  repeat
    if self:_closed() then
      return nil, was_closed("read")
    end
    local chunk, stream = self:try_read()
    if chunk then
      return chunk, stream
    elseif chunk == nil then
      return nil, stream
    end
  until not await_news(self, deadline)
  return nil, failure(self, "read", timeout)
end

-- ---- input ----

--- Write to its standard input or terminal.
---@param data string bytes
---@param timeout number? seconds that a full pipe may keep it waiting; default 60
---@return true? done
---@return codecell.Error? err kind "timeout"; "system" with errno EPIPE when nobody reads
function Process:write(data, timeout)
  options.argument("write", "data", data, "data")
  options.timeout("write", timeout, 3)
  check_open(self, "write")
  timeout = timeout or WRITE
  local deadline, written = wait.deadline(timeout), 0
  local ok, refusal = seen.process(self, "input", data)
  if not ok then
    return nil, refusal
  end
  while written < #data do
    if self:_closed() then
      return nil, was_closed("write")
    end
    local count, err = self:_write(data, written)
    if not count then
      return nil, err
    end
    written = written + count
    if written < #data and count == 0 and not await_news(self, deadline) then
      return nil, failure(self, "write", timeout)
    end
  end
  return true
end

--- End its standard input, after what was written.
---@return true
function Process:close_input()
  check_open(self, "close_input")
  self:_close_input()
  return true
end

-- ---- signals, terminal ----

local function await(self, request, err, verb)
  if not request then
    return nil, err
  end
  local sandbox = self._sandbox
  local deadline = wait.deadline(WRITE)
  repeat
    local value
    value, err = sandbox:_answer(request, verb)
    if value then
      return true
    elseif value == nil then
      return nil, err
    end
  until not wait.wait(sandbox, deadline)
  sandbox:_forget(request)
  return nil, wait.failure(verb, WRITE, "the sandbox does not answer: close it")
end

--- Change the size of its terminal.
---@param rows integer
---@param columns integer
---@return true? done
---@return codecell.Error? err
function Process:resize(rows, columns)
  local rule = { type = "integer", least = 1, most = 65535 }
  options.argument("resize", "rows", rows, "integer", rule)
  options.argument("resize", "columns", columns, "integer", rule)
  check_open(self, "resize")
  local request, err = self:_resize(rows, columns)
  return await(self, request, err, "resize")
end

local KILL = { group = { type = "boolean" } }

--- Send it a signal.
---@param signal string|integer|nil "sigterm", "SIGTERM" or 15; default SIGKILL
---@param how {group: boolean?}? group: to what it started as well
---@return boolean? sent false if it had ended
---@return codecell.Error? err
function Process:kill(signal, how)
  local number = signals.number("kill", signal, 2)
  how = options.check("kill", how, KILL)
  check_open(self, "kill")
  if self:_state() == "exited" or self:_state() == "failed" then
    return false
  end
  local ok, err = seen.process(self, "signal", number)
  if not ok then
    return nil, err
  end
  local request
  request, err = self:_signal(number, how.group == true)
  ok, err = await(self, request, err, "kill")
  if not ok and err.kind == "not_found" or err and err.errno == core.errno.ESRCH then
    return false
  end
  return ok, err
end

-- ---- the end ----

local function text_of(self, which, result)
  local head, tail, total = self:_kept(which)
  local text = tail and head .. tail or head
  if #text < total then
    result.truncated = result.truncated or {}
    result.truncated[which == 0 and "stdout" or "stderr"] = { kept = #text, total = total }
  end
  return text
end

local function make_result(self, status)
  local result = {
    exit_code = status.code,
    signal = status.signal ~= 0 and signals.name(status.signal) or nil,
    timed_out = self._timed_out == true,
    mock = self._mock,
    out_of_memory = status.out_of_memory,
    seconds = (self._ended or reactor.now()) - self._started,
  }
  if status.signal ~= 0 then
    result.exit_code = -1
  end
  result.stdout = text_of(self, 0, result)
  result.stderr = self._terminal and "" or text_of(self, 1, result)
  return result
end

-- What a cassette or an audit is told, once; nil, err: it cannot be recorded.
local function recorded(self, result)
  local told, ok, err = self._recorded, true, nil
  if told and not self:_closed() then
    self._recorded = nil
    ok, err = told(self, result)
  end
  return ok and result, err
end

--- What became of it, without waiting.
---@return codecell.CommandResult|false|nil result false: it runs
---@return codecell.Error? err after nil
function Process:try_wait()
  check_open(self, "try_wait")
  local state, err = self:_state()
  if state == "failed" then
    return nil, explain(self, err)
  elseif not self:_finished() then
    return false
  elseif err and err.kind ~= "out_of_memory" then
    return nil, explain(self, err)
  end
  self._ended = self._ended or reactor.now()
  local status = self:_exit()
  status.out_of_memory = status.out_of_memory or err ~= nil
  return recorded(self, make_result(self, status))
end

--- Wait for its end. What a callback of a background command has raised is raised here again.
---@param timeout number? seconds; default: as long as it runs. It is not killed when they are over.
---@return codecell.CommandResult? result
---@return codecell.Error? err kinds "timeout", "cancelled", "sandbox_gone", "not_found", ...
function Process:wait(timeout)
  options.timeout("wait", timeout, 3)
  check_open(self, "wait")
  local deadline = wait.deadline(timeout)
  repeat
    if self:_closed() then
      return nil, was_closed("wait")
    end
    local result, err = self:try_wait()
    local job = self._job
    if job and job.raised then
      error(job.raised[1], 0)
    elseif result and not (job and job.is_running) then -- else a callback is to come yet
      return result
    elseif result == nil then
      return nil, err
    end
  until not await_news(self, deadline)
  return nil, failure(self, "wait", timeout)
end

--- Kill it and let it go; a connected object only lets go. Idempotent, never raises.
function Process:close()
  local token = self:_token()
  local owner = self._processes
  recorded(self)
  self:_release()
  if owner and not self._origin then
    owner[self] = nil
  end
  if token then
    reactor.wake(token) -- who waits for it learns that there is nothing to wait for
  end
end

-- ---- for the parts of a sandbox ----

-- A program may print faster than it is called: there is an end to it, by the time of the command,
-- and once that is over by the size of what can be kept.
local function take(self, job, called, which, all)
  if not called or self:_closed() then
    return nil
  end
  self:_hold(which, not all)
  local chunk = self:_read(which, CHUNK, not all)
  local left = all and self._sandbox._limits.output + CHUNK or CHUNKS_MOST * CHUNK
  while chunk do
    local ok, raised = job.call(called, chunk)
    job.called = true
    left = left - #chunk
    if not ok then
      return { raised }
    elseif left <= 0 or not all and job.deadline and reactor.now() >= job.deadline then
      return nil
    end
    chunk = not self:_closed() and self:_read(which, CHUNK, not all)
  end
end

-- What is called may wait, and so take the news that the command waits for: `job.called` then asks
-- to look again before the next wait.
local function hand_over(self, job, all)
  job.called = false
  if self:_closed() then
    return nil
  end
  job.raised = job.raised or take(self, job, job.on_stdout, 0, all)
    or take(self, job, job.on_stderr, 1, all)
  return job.raised
end

local function feed(self, job)
  local data = job.stdin
  if type(data) ~= "string" then
    return
  end
  while job.written < #data do
    local count, err = self:_write(data, job.written)
    if not count or count == 0 then
      job.stdin = err and true or data -- nobody reads: the program's own choice
      return
    end
    job.written = job.written + count
  end
  job.stdin = nil
  self:_close_input()
end

local function kill_all(self)
  if self:_closed() then
    return
  end
  local request = self:_signal(9, true)
  if request then
    self._sandbox:_forget(request) -- its end is the answer
  end
  local deadline = wait.deadline(GRACE)
  while not self:_closed() and not self:_finished() do
    if not wait.wait(self, deadline) then
      return
    end
  end
end

local function follow(self, job)
  local clock, has_time = pause.clock(self._sandbox, wait.deadline(job.timeout), job.whole)
  job.written, job.process, self._job = 0, self, job
  local busy = 0
  while true do
    local deadline = clock()
    job.deadline = deadline
    if self:_closed() then
      return nil, was_closed("run")
    end
    feed(self, job)
    local raised = hand_over(self, job, false)
    if raised then
      kill_all(self)
      return nil, nil, raised
    end
    if self:_closed() then
      return nil, was_closed("run")
    end
    local result, err = self:try_wait()
    if result == nil then
      return nil, err
    elseif result then
      raised = hand_over(self, job, true)
      return result, nil, raised
    elseif job.is_awaited and pause.is_over(self._sandbox) then
      return nil, pause.over(self._sandbox, "the command")
    elseif job.called then
      busy = (busy + 1) % BUSY_MOST
      if busy == 0 then
        wait.turn(deadline)
      end
    end
    if (job.called or not wait.wait(self, deadline)) and not has_time() then
      break
    end
  end
  local task = wait.task()
  kill_all(self)
  if task and task.cancelled then
    return nil, wait.failure("the command")
  elseif self:_closed() then
    return nil, was_closed("run")
  end
  self._timed_out = true
  local raised = hand_over(self, job, true)
  local result, err = recorded(self, make_result(self, self:_exit() or { code = -1, signal = 9,
    out_of_memory = false }))
  return result, err, raised
end

--- Run a program to its end: feed it, hand its output on, and kill it when its time is over.
---@param job table `stdin`, `timeout`, `on_stdout`, `on_stderr`, `call`, `is_awaited` by a verb
---@return codecell.CommandResult? result
---@return codecell.Error? err
---@return table? raised holds what a callback raised
function process.run(self, job)
  job.is_running = true
  local result, err, raised = follow(self, job)
  job.is_running = nil
  if not self:_closed() then
    reactor.wake(self:_token()) -- who waits for its end has waited for the last callback
  end
  return result, err, raised
end

local function rest(argv)
  local list = {}
  for i = 2, #argv do
    list[i - 1] = argv[i]
  end
  return list
end

--- Start a program and give the object its fields.
---@param sandbox codecell.Sandbox
---@param details table of the spawn; and `cmd`, `args`, `tag` for the list
---@return codecell.Process? process
---@return codecell.Error? err
function process.start(sandbox, details)
  local envs = details.envs
  local started = reactor.now()
  local self, err = sandbox._backend.spawn(sandbox, details)
  if not self then
    return nil, err
  end
  sandbox._pause.waiting[self] = true
  self._started = started
  self._terminal = details.kind == "terminal"
  self._streams = self._terminal and { "pty" } or { "stdout", "stderr" }
  self._about = { cmd = details.argv[1], args = rest(details.argv), cwd = details.cwd,
    envs = envs or {}, tag = details.tag }
  return self
end

--- Wait until it runs, so that it has a number, or has failed to start.
---@param self codecell.Process
---@return codecell.Process? self
---@return codecell.Error? err kinds "not_found", "permission_denied", ...
function process.ready(self)
  local deadline = wait.deadline(WRITE)
  local state, err = self:_state()
  while state == "starting" do
    if not wait.wait(self, deadline) then
      self:close()
      return nil, wait.failure("start", WRITE, "the sandbox does not answer: close it")
    end
    state, err = self:_state()
  end
  if state == "failed" then
    self:close()
    return nil, err
  end
  self.pid = self:_pid()
  return self
end

return process
