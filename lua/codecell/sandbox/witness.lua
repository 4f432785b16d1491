--- Who sees what a sandbox does: its audit, which has a record before each verb that changes
--- something and one after; the host's spans; and whoever is told of security.
---
--- It stands between the verbs and the backend, so that no verb passes it by.
local contents = require "codecell.audit.contents"
local log = require "codecell.log"
local reactor = require "codecell.reactor"
local security = require "codecell.sandbox.security"
local spans = require "codecell.spans"
local task = require "codecell.task"
local texts = require "codecell.audit.texts"
local wait = require "codecell.wait"

local witness = {}

local unpack = require "codecell.unpack"

local PART = "codecell:audit"
local STOP, CONTINUE = 19, 18
-- What has no outcome that is worth a record: reading tells what was to be read.
local AT_ONCE = { read = true }

local function with_sandbox(sandbox, content)
  content.sandbox = sandbox.id
  return content
end

-- What was done although it could not be recorded that it was.
local function unrecorded(verb, err)
  err.message = ("%s was done, and what came of it could not be recorded: %s"):format(verb,
    err.message)
  return err
end

--- An error as a record has it.
---@param err any
---@param mask userdata? of secrets
---@return {kind: string, message: string}
function witness.failure(err, mask)
  return { kind = type(err) == "table" and err.kind or "raised",
    message = texts.pack(tostring(err), true, mask) }
end

--- Record what is about to be done.
---@param sandbox codecell.Sandbox
---@param event string
---@param content table
---@param is_alone boolean? no outcome follows
---@return integer|false|nil number false: there is no audit
---@return codecell.Error? err it is not to be done
function witness.before(sandbox, event, content, is_alone)
  if not sandbox._audit then
    return false
  end
  return sandbox._audit:_add({ event = event, phase = not is_alone and "before" or nil },
    with_sandbox(sandbox, content))
end

--- Record what came of it.
---@param sandbox codecell.Sandbox
---@param event string
---@param number integer|false as of `before`
---@param content table
---@return integer|true|nil done
---@return codecell.Error? err
function witness.after(sandbox, event, number, content)
  if not number then
    return true
  end
  return sandbox._audit:_add({ event = event, phase = "after", of = number },
    with_sandbox(sandbox, content))
end

--- Do something between its two records, in a span of its own.
---@param sandbox codecell.Sandbox
---@param act table `event`, `name` (of the span), `attributes`, `parent`; `before()` and
---`after(value)` give the contents
---@param called function which gives a value, or nil, err
---@param ... any its arguments
---@return any value
---@return codecell.Error? err
function witness.act(sandbox, act, called, ...)
  local number, err = false
  if sandbox._audit then
    number, err = witness.before(sandbox, act.event, act.before(), act.is_alone)
    if not number then
      return nil, err
    end
    number = not act.is_alone and number
  end
  local span = spans.start(act.name or act.event, act.attributes or {}, act.parent)
  local began, masked = reactor.now(), security.masked(sandbox)
  local ok, value
  ok, value, err = wait.call(called, ...)
  local problem = not ok and value or value == nil and err or nil
  security.look(sandbox, act.name or act.event, masked, ok and value, ok and err)
  spans.finish(span, problem or act.problem and ok and act.problem(value),
    act.told and ok and act.told(value))
  local content = ok and value and act.after and number and act.after(value) or {}
  content.seconds = contents.time(reactor.now() - began)
  content.err = problem and witness.failure(problem, sandbox._mask) or content.err
  local done, unable = witness.after(sandbox, act.event, number, content)
  if not ok then
    error(value, 0)
  elseif not done then
    return nil, unrecorded(act.name or act.event, unable)
  end
  return value, err
end

local function base_attributes(sandbox, more)
  more["codecell.sandbox.id"], more["codecell.backend"] = sandbox.id, sandbox.backend
  local subject = sandbox._audit and sandbox._audit.subject
  more["enduser.id"] = subject
  return more
end

witness.attributes = base_attributes

-- ---- what a backend is asked ----

local function problem_of(execution)
  if type(execution) ~= "table" then
    return nil
  end
  local failure = execution.error
  return failure and setmetatable({ kind = failure.name }, { __tostring = function()
    return failure.name .. ": " .. tostring(failure.value)
  end }) or execution.timed_out and "out of time" or nil
end

local function execute(real, sandbox, kernel, job)
  return witness.act(sandbox, {
    event = "run", name = "run_code", parent = job.parent,
    attributes = base_attributes(sandbox, { ["codecell.language"] = kernel.context.language,
      ["codecell.context.id"] = kernel.context.id, ["codecell.code.size"] = #job.code }),
    before = function() return contents.run(sandbox, kernel, job) end,
    after = function(execution) return contents.execution(sandbox, execution) end,
    problem = problem_of,
    told = function(execution)
      return execution and { ["codecell.execution.count"] = execution.execution_count }
    end,
  }, real.execute, sandbox, kernel, job)
end

-- Of a command, when somebody learns of its end, or lets it go.
local function note_end(sandbox, process, number, span)
  local before = process._recorded
  process._recorded = function(self, result)
    local content = sandbox._audit and contents.ended(sandbox, self, result)
    spans.finish(span, not result and "it was let go before its end" or nil, result and {
      ["process.exit.code"] = result.exit_code, ["process.pid"] = self.pid } or nil)
    security.look(sandbox, "command", self._masked_before, result)
    local ok, err = true
    if content then
      ok, err = witness.after(sandbox, "command", number, content)
    end
    if before and ok then
      ok, err = before(self, result)
    end
    if not ok then
      return nil, unrecorded("the command", err)
    end
    return true
  end
end

local function spawn(real, sandbox, details)
  local number, err = false
  if sandbox._audit then
    number, err = witness.before(sandbox, "command", contents.command(sandbox, details))
    if not number then
      return nil, err
    end
  end
  local span = spans.start("command", base_attributes(sandbox, {
    ["process.command"] = details.argv[1], ["process.working_directory"] = details.cwd }))
  spans.leave(span)
  local masked = security.masked(sandbox)
  local process
  process, err = real.spawn(sandbox, details)
  if process then
    process._masked_before = masked
    note_end(sandbox, process, number, span)
    return process
  end
  spans.finish(span, err)
  local done, unable = witness.after(sandbox, "command", number,
    { err = witness.failure(err, sandbox._mask) })
  return nil, done and err or unable
end

-- Files, and signals to everything at once.
local function ask(real, sandbox, what, operation, ...)
  local describe = contents.files[operation]
  local signal = operation == "signal" and select(2, ...)
  if not describe or signal == STOP or signal == CONTINUE then -- verbs of their own
    return real.ask(sandbox, what, operation, ...)
  end
  local event, arguments = operation, { ... }
  if operation == "append" then
    event = "write"
  end
  return witness.act(sandbox, {
    event = event, name = "files." .. event, is_alone = AT_ONCE[operation],
    attributes = base_attributes(sandbox, { ["file.path"] = type((...)) == "string" and (...)
      or nil }),
    before = function() return describe(sandbox, unpack(arguments, 1, 4)) end,
  }, real.ask, sandbox, what, operation, ...)
end

local function named(verb, event, describe)
  return function(real, sandbox, ...)
    local given = ...
    return witness.act(sandbox, {
      event = event, attributes = base_attributes(sandbox, {}),
      before = function() return describe(given) end,
    }, real[verb], sandbox, ...)
  end
end

local OTHERS = {
  set_timeout = named("set_timeout", "timeout", function(seconds)
    return { timeout = seconds }
  end),
}

-- Contexts are made and ended by verbs of a table of their own.
local function contexts(real, sandbox)
  local function seen(action, describe)
    return function(...)
      local given = { ... }
      return witness.act(sandbox, {
        event = "context", attributes = base_attributes(sandbox, {}),
        before = function()
          local content = describe(unpack(given, 1, 4))
          content.action = action
          return content
        end,
        after = function(made)
          return { context = type(made) == "table" and made.id or nil }
        end,
      }, real.contexts[action], ...)
    end
  end
  local function of_kernel(_, kernel)
    return { context = kernel.context.id, language = kernel.context.language }
  end
  return setmetatable({
    create = seen("create", function(_, language, cwd)
      return { language = language, cwd = cwd }
    end),
    restart = seen("restart", of_kernel),
    remove = seen("remove", of_kernel),
  }, { __index = real.contexts })
end

-- It may end by itself: at its time, or out of memory.
local function await_end(sandbox)
  local weak = setmetatable({ sandbox }, { __mode = "v" })
  reactor.listen(sandbox:_token(), function()
    local known = weak[1]
    if not known or known:_closed() then
      return false
    end
    local state, err = known:_state()
    if state == "gone" then
      task.async(witness.ends, known, "ended", err and err.message)
    end
    return state ~= "gone"
  end)
end

--- See what a sandbox does from now on.
---@param sandbox codecell.Sandbox
---@param audited codecell.Audit?
function witness.attach(sandbox, audited)
  local real = sandbox._backend
  local backend = setmetatable({ contexts = contexts(real, sandbox) }, { __index = real })
  for name, called in pairs(OTHERS) do
    backend[name] = function(...) return called(real, ...) end
  end
  function backend.execute(...) return execute(real, ...) end
  function backend.spawn(...) return spawn(real, ...) end
  function backend.ask(...) return ask(real, ...) end
  sandbox._audit, sandbox._backend, sandbox._witness = audited, backend, witness
  sandbox._unseen = real
  if audited and sandbox.backend == "local" then
    await_end(sandbox)
  end
end

-- ---- verbs that no backend is asked for ----

--- Say in the log what has happened and could not be recorded.
---@param number integer? of the record
---@param err codecell.Error?
function witness.unlogged(number, err)
  if not number then
    log.write("error", PART, tostring(err), { event = "audit.unrecorded" })
  end
end

local OUTCOMES = {
  fork = function(copy) return { copy = copy.id } end,
  install = function(done)
    return { packages = texts.copy(done.packages), cached = done.cached }
  end,
  snapshot = function(kept) return { snapshot = kept.id } end,
}

--- One of those, in a sandbox that may have nobody who looks on.
---@param sandbox codecell.Sandbox
---@param event string
---@param describe fun(): table content, made where it is recorded
---@param called function
---@param ... any its arguments
---@return any value
---@return codecell.Error? err
function witness.verb(sandbox, event, describe, called, ...)
  if not sandbox._audit and not spans.are_wanted() then
    return called(...)
  end
  return witness.act(sandbox, { event = event, attributes = base_attributes(sandbox, {}),
    before = describe, after = OUTCOMES[event] }, called, ...)
end

--- Call a function of the host, which the code has asked for.
---@param sandbox codecell.Sandbox
---@param name string "tools.search"
---@param list any[] arguments
---@param called fun(): table?, codecell.Error? the result as `value`
---@return table? result
---@return codecell.Error? err
function witness.call(sandbox, name, list, called)
  local mask = sandbox._mask
  return witness.act(sandbox, {
    event = "call", name = "call " .. name,
    attributes = base_attributes(sandbox, { ["codecell.function"] = name }),
    before = function() return { name = name, arguments = texts.copy(list, mask) } end,
    after = function(result) return { result = texts.copy(result.value, mask) } end,
  }, called)
end

--- Record what a program that runs is given.
---@param process codecell.Process
---@param event "input"|"signal"
---@param value string|integer
---@return true? recorded
---@return codecell.Error? err it is not to be done
function witness.note_process(process, event, value)
  local sandbox = process._sandbox
  local content = { pid = process.pid, signal = event == "signal" and value or nil }
  if event == "input" and sandbox._audit then
    content.data = texts.pack(value, sandbox._audit.code, sandbox._mask)
  end
  return witness.note(sandbox, event, content)
end

--- Where spans that are begun in another task belong.
---@return table? context
function witness.here()
  return spans.are_wanted() and spans.current() or nil
end

witness.names, witness.packages = contents.names, contents.packages

--- Record what has happened at once, if there is an audit.
---@param sandbox codecell.Sandbox
---@param event string
---@param content table
---@return true? recorded
---@return codecell.Error? err it is not to be done
function witness.note(sandbox, event, content)
  local number, err = witness.before(sandbox, event, content, true)
  return number ~= nil or nil, err
end

--- Record what is done in any case, since it ends something: a signal to code that runs.
---@param sandbox codecell.Sandbox
---@param event string
---@param content table
function witness.tell(sandbox, event, content)
  if sandbox._audit then
    witness.unlogged(witness.before(sandbox, event, content, true))
  end
end

--- Record the end of a sandbox. Nothing keeps it from ending: what cannot be recorded is logged.
---@param sandbox codecell.Sandbox
---@param event "kill"|"close"|"ended"
---@param why string?
function witness.ends(sandbox, event, why)
  if not sandbox._end_is_told then
    sandbox._end_is_told = true
    witness.tell(sandbox, event, { why = why })
  end
end

return witness
