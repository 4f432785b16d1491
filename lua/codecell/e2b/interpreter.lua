--- The code interpreter of a sandbox of E2B: contexts, and one stream of JSON lines a cell.
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local failure = require "codecell.e2b.failure"
local lines = require "codecell.e2b.lines"
local output = require "codecell.process.output"
local plane = require "codecell.e2b.plane"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"
local turns = require "codecell.context.turns"
local urls = require "codecell.http.url"
local wait = require "codecell.wait"

local interpreter = {}

local CODE = plane.CODE
local RESULTS_MOST = 2000 -- of a cell
local RESULT_BYTES_MOST = 134217728 -- of all results of a cell
local SILENCE = 60 -- seconds without even a keepalive: the connection is gone
local SOON = 0.05 -- seconds in which an answer ends after its last line
local TEXT_MOST = 1048576 -- bytes that a callback gets at once
local SHORT = { js = "javascript", ts = "typescript", py = "python", sh = "bash" }

---@class codecell.E2bRunner what runs the cells of one context
---@field sandbox table
---@field context codecell.Context
---@field line table[] for codecell.turns
---@field remote string? id that the server knows; nil: the default context of the language
local Runner = {}
Runner.__index = Runner

-- ---- one cell ----

local function tell(run, called, value)
  if called and not run.problem then
    local ok, problem = run.job.call(called, value)
    if not ok then
      run.problem = { problem }
    end
  end
end

local function hand_over(run, which, called)
  local text = called and run.outputs[which]:read(TEXT_MOST, true)
  while text do
    tell(run, called, text)
    text = run.outputs[which]:read(TEXT_MOST, true)
  end
end

local function print_to(which, name)
  return function(run, event)
    if type(event.text) == "string" then
      run.outputs[which]:add(event.text)
      hand_over(run, which, run.job[name])
    end
  end
end

local heard = { stdout = print_to(0, "on_stdout"), stderr = print_to(1, "on_stderr") }

heard.number_of_executions = function(run, event)
  run.execution.execution_count = shape.number(event.execution_count) or 0
end

heard.error = function(run, event)
  local told = {}
  for _, name in ipairs({ "name", "value", "traceback" }) do
    told[name] = type(event[name]) == "string" and event[name] or ""
  end
  run.execution.error = secrets.hide_all(run.mask, told)
  tell(run, run.job.on_error, told)
end

local function size_of(event)
  local size = 0
  for _, value in pairs(event) do
    size = size + (type(value) == "string" and #value or 64)
  end
  return size
end

-- Pictures come in base64.
local function formats_of(event)
  local formats = {}
  for name, value in pairs(event) do
    if name == "png" or name == "jpeg" or name == "pdf" then
      value = type(value) == "string" and base64.decode(value) or nil
    elseif name == "chart" or name == "extra" then
      value = shape.table(value)
    end
    formats[name] = value
  end
  return formats
end

heard.result = function(run, event)
  local done = run.execution
  run.seen, run.bytes = run.seen + 1, run.bytes + size_of(event)
  if #done.results >= RESULTS_MOST or run.bytes > RESULT_BYTES_MOST then
    done.truncated = done.truncated or {}
    done.truncated.results = { kept = #done.results, total = run.seen }
    return
  end
  local result = secrets.hide_all(run.mask,
    execution.decoded(formats_of(event), event.is_main_result == true))
  done.results[#done.results + 1] = result
  if result.is_main_result and not run.has_main then
    run.has_main, done.text = true, result.text
  end
  tell(run, run.job.on_result, result)
end

-- What the stream says until its end: "done", "problem", "late", "stopped", or nil, err.
local function follow(run, response, deadline)
  local reader = lines.reader("run_code")
  while true do
    local event, err = reader:next()
    if event and event.type == "end_of_execution" then
      return "done"
    elseif event and heard[event.type] then
      heard[event.type](run, event)
    elseif event == nil then
      return nil, err
    end
    if run.problem then
      return "problem"
    elseif event == false then
      local left = deadline - reactor.now()
      local chunk
      if left > 0 then
        chunk, err = response:read(math.min(left, SILENCE))
      end
      if chunk then
        reader:add(chunk)
      elseif run.is_stopped then
        return "stopped"
      elseif reactor.now() >= deadline then
        local task = wait.task()
        return task and task.cancelled and "cancelled" or "late"
      else
        return nil, err, true
      end
    end
  end
end

local function take_output(run)
  for which, called in pairs({ [0] = "on_stdout", "on_stderr" }) do
    run.outputs[which]:finish()
    hand_over(run, which, run.job[called])
  end
  execution.take_output(run.execution, {
    _kept = function(_, which) return run.outputs[which]:kept() end,
  })
end

local function say_mishap(run, told)
  run.execution.error = told
  tell(run, run.job.on_error, told)
end

-- The connection was lost, and nobody can know what became of the code.
local function lost(self, err)
  if err and (err.kind == "cancelled" or err.kind == "protocol") then
    return err
  end
  local broken = errors.new("unavailable",
    "run_code: the connection broke off before the end of the code"
    .. (err and ": " .. err.message or ""))
  return self.sandbox._plane:explain(broken, "run_code", CODE)
end

local function body_of(self, job)
  local envs = {}
  for name, value in pairs(self.sandbox._environment.added) do
    envs[name] = value
  end
  for name, value in pairs(job.envs or {}) do
    envs[name] = value
  end
  return transport.body({ code = job.code, context_id = self.remote,
    language = not self.remote and self.context.language or nil,
    env_vars = next(envs) ~= nil and envs or nil })
end

local function open(self, job, deadline)
  local there = self.sandbox._plane
  local token = there.record.token()
  return there:open("run_code", CODE, {
    method = "POST", path = "/execute", body = body_of(self, job),
    headers = { { "Content-Type", "application/json" }, token and { "X-Access-Token", token } },
    timeout = math.max(deadline - reactor.now(), 0.001),
  })
end

-- The server says by its error alone that the interpreter was replaced, and of the run after it
-- nothing. An error that code has raised has a traceback of more than its name.
local function note_loss(self, done)
  local problem = done.error
  local has_died = problem ~= nil and problem.name == "KernelDiedError"
    and problem.traceback == problem.name .. ": " .. problem.value
  done.state_lost = has_died or self.is_lost == true
  self.is_lost = has_died
end

local function conclude(self, run, outcome)
  take_output(run)
  note_loss(self, run.execution)
  if outcome == "late" then
    run.execution.timed_out = true
    say_mishap(run, execution.late(run.job.timeout))
  elseif outcome == "stopped" then
    say_mishap(run, execution.mishap("KeyboardInterrupt", "the code was interrupted"))
  end
  self.count = run.execution.execution_count
end

local function run_cell(self, job, began, deadline)
  local limit, mask = self.sandbox._limits.output, self.sandbox._mask
  local run = { job = job, execution = execution.new(self.context.language, self.context.id),
    outputs = { [0] = output.new(limit, mask), output.new(limit, mask) }, mask = mask,
    seen = 0, bytes = 0 }
  local sent = reactor.now()
  local response, err = open(self, job, deadline)
  if not response then
    if err.kind == "timeout" and reactor.now() >= deadline then
      conclude(self, run, "late")
      return run.execution
    end
    return nil, err
  end
  self.run, run.response = run, response
  local outcome, broken
  outcome, err, broken = follow(run, response, deadline)
  if outcome == "done" then
    response:rest(SOON)
  end
  response:close() -- which interrupts code that still runs
  self.run = nil
  if not outcome then
    return nil, broken and lost(self, err) or err
  elseif outcome == "cancelled" then
    return nil, wait.failure("run_code")
  end
  conclude(self, run, outcome)
  local done, now = run.execution, reactor.now()
  done.timings.queue, done.timings.run, done.seconds = sent - began, now - sent, now - began
  return done, run.problem
end

--- Run a cell.
---@param job table as of `Kernel:execute`
---@return codecell.Execution? execution
---@return codecell.Error? err
function Runner:execute(job)
  if job.stdin then
    return nil, errors.unsupported("stdin of code", "e2b", "write it to a file, and read that")
  end
  return turns.execute(self, job, run_cell)
end

--- Interrupt the cell of that job, whatever the signal: E2B knows nothing else.
---@param job table
---@return boolean? sent nil: it still waits for its turn
function Runner:signal(job)
  local run = self.run
  if not run or run.job ~= job then
    return nil
  end
  run.is_stopped = true
  run.response:close()
  return true
end

--- Whether there is something that can take a cell.
---@return boolean
function Runner:is_alive() -- luacheck: no self
  return true
end

-- ---- contexts ----

local contexts = {}
interpreter.contexts = contexts

local Context = {}
Context.__index = Context

--- E2B cannot copy the variables of a context.
---@return nil
---@return codecell.Error err kind "unsupported"
function Context:fork() -- luacheck: no self
  return nil, errors.unsupported("fork of a context", "e2b", "run its code again in another one")
end

local function plain(language)
  language = language:lower():match("^%s*(.-)%s*$")
  return SHORT[language] or language == "" and "python" or language
end

-- What runs the cells of a context of the server. Keeps its place while it is known.
local function runner_of(sandbox, id, language, cwd)
  local kernels = sandbox._contexts.kernels
  local found = kernels[id]
  if not found then
    local context = setmetatable({ id = id, language = language, cwd = cwd }, Context)
    found = setmetatable({ sandbox = sandbox._owner, context = context, line = {}, remote = id },
      Runner)
    kernels[id] = found
  end
  return found
end

local function read_context(sandbox, what, given)
  local found = shape.table(given)
  local id = found and shape.text(found.id)
  if not id then
    return nil, failure.protocol(what, "no id of a context")
  end
  return runner_of(sandbox, id, shape.text(found.language) or "python",
    shape.text(found.cwd)).context
end

local function call(sandbox, what, method, path, body)
  return sandbox._plane:json(what, CODE, {
    method = method, path = path, body = body and transport.body(body),
    headers = body and { { "Content-Type", "application/json" } }, is_safe = method == "GET",
  })
end

--- The context that code of a language runs in without one: the server chooses it.
---@param sandbox table
---@param language string
---@return codecell.Context context
function contexts.default(sandbox, language)
  language = plain(language)
  local defaults = sandbox._contexts.defaults
  if not defaults[language] then
    local runner = runner_of(sandbox, "default-" .. language, language)
    runner.remote = nil
    defaults[language] = runner.context
  end
  return defaults[language]
end

--- What runs the cells of a context; the server knows whether there is one of that id.
---@param sandbox table
---@param wanted codecell.Context|string
---@return codecell.E2bRunner runner
function contexts.kernel(sandbox, _, wanted)
  local id = type(wanted) == "table" and wanted.id or wanted
  return runner_of(sandbox, tostring(id), type(wanted) == "table" and wanted.language or "")
end

---@return codecell.Context? context
---@return codecell.Error? err
function contexts.create(sandbox, language, cwd)
  local answer, err = call(sandbox, "create_code_context", "POST", "/contexts",
    { language = plain(language), cwd = cwd })
  if answer == nil then
    return nil, err
  end
  return read_context(sandbox, "create_code_context", answer)
end

---@return codecell.Context[]? list oldest first
---@return codecell.Error? err
function contexts.list(sandbox)
  local answer, err = call(sandbox, "list_code_contexts", "GET", "/contexts")
  if answer == nil then
    return nil, err
  end
  local list = {}
  for i, one in ipairs(shape.table(answer) or {}) do
    list[i], err = read_context(sandbox, "list_code_contexts", one)
    if not list[i] then
      return nil, err
    end
  end
  return list
end

-- The id by which the server knows a context; that of a default one is the first of its language.
local function remote_of(sandbox, runner)
  if runner.remote then
    return runner.remote
  end
  local list, err = contexts.list(sandbox)
  for _, one in ipairs(list or {}) do
    if one.language == runner.context.language then
      return one.id
    end
  end
  return nil, err or errors.new("not_found",
    ("the sandbox has no context of %s yet"):format(runner.context.language))
end

local function act(sandbox, runner, what, method, rest)
  local id, err = remote_of(sandbox, runner)
  local answer
  if id then
    answer, err = call(sandbox, what, method, "/contexts/" .. urls.encode(id) .. rest)
  end
  if answer == nil then
    return nil, err
  end
  return true
end

---@return true? done
---@return codecell.Error? err
function contexts.restart(sandbox, runner)
  return act(sandbox, runner, "restart_code_context", "POST", "/restart")
end

---@return true? done
---@return codecell.Error? err
function contexts.remove(sandbox, runner)
  local ok, err = act(sandbox, runner, "remove_code_context", "DELETE", "")
  if ok then
    runner.is_removed = true
    sandbox._contexts.kernels[runner.context.id] = nil
  end
  return ok, err
end

return interpreter
