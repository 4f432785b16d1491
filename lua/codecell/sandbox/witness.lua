--- Who sees what a sandbox does: its audit, which has a record before each verb that changes
--- something and one after; the host's spans; and whoever is told of security.
---
--- It stands between the verbs and the backend, so that no verb passes it by.
local audit = require "codecell.audit"
local contents = require "codecell.audit.contents"
local log = require "codecell.log"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local security = require "codecell.sandbox.security"
local spans = require "codecell.spans"
local texts = require "codecell.audit.texts"
local wait = require "codecell.wait"

local witness = {}

local unpack = table.unpack or unpack -- luacheck: ignore

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

local function failure_of(err)
  return { kind = type(err) == "table" and err.kind or "raised",
    message = texts.pack(tostring(err), true) }
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
  content.err = problem and failure_of(problem) or content.err
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
  local done, unable = witness.after(sandbox, "command", number, { err = failure_of(err) })
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
end

-- ---- making one ----

local function audit_of(event, given)
  if type(given) == "table" and not audit.is(given) then
    error(event .. ": audit: a path or what codecell.audit.open gives expected", 5)
  elseif type(given) == "string" then
    return audit.open({ path = given })
  end
  return given
end

-- What has happened already can only be told of in the log.
local function unlogged(number, err)
  if not number then
    log.write("error", PART, tostring(err), { event = "audit.unrecorded" })
  end
end

-- What its code is refused, or has shown, is told there too.
local function told_to(audited, given)
  local called = given.on_event
  if not audited or given.backend ~= nil and given.backend ~= "local" then
    return called
  end
  return function(event)
    if event.class == "security" then
      unlogged(audited:write({ event = "security", sandbox = event.sandbox, sort = event.sort,
        message = event.message, times = event.times }))
    end
    return called and called(event)
  end
end

local function with(options, audited)
  local all = {}
  for name, value in pairs(options) do
    all[name] = value
  end
  all.on_event, all.audit = told_to(audited, options), nil
  return all
end

-- One that is being made.
local Begun = {}
Begun.__index = Begun

-- The same policy, whose decisions are recorded and told.
local function policy_of(self, policy)
  if not policy or not require("codecell.policy").is(policy) then
    return policy
  end
  local seen, called = {}, policy._on_decision
  for name, value in pairs(policy) do
    seen[name] = value
  end
  function seen._on_decision(decision)
    if self.audited then
      unlogged(self.audited:write({ event = "decision", sandbox = self.id, verb = decision.verb,
        decision = decision.effect, rule = decision.rule, answer = decision.answer,
        reason = decision.reason }))
    end
    if decision.effect == "deny" and self.made then
      security.tell(self.made, "policy", ("%s was denied by %s"):format(decision.verb,
        tostring(decision.rule)), { verb = decision.verb, reason = decision.reason })
    end
    return called and called(decision)
  end
  return setmetatable(seen, getmetatable(policy))
end

--- Begin to make a sandbox, whose verbs are to be seen.
---@param event "create"|"connect"
---@param options table checked options of create
---@return table? begun `options` to make it with, and `settle`
---@return codecell.Error? err it is not to be made
function witness.begin(event, options)
  local audited, err = audit_of(event, options.audit)
  if err then
    return nil, err
  end
  local number
  if audited then
    number, err = audited:_add({ event = event, phase = "before" }, contents.create(options,
      options.secrets and secrets.mask(options.secrets) or nil))
    if not number then
      return nil, err
    end
  end
  local span = spans.start(event, { ["codecell.backend"] = options.backend or "local" })
  spans.leave(span)
  local self = setmetatable({ event = event, audited = audited, number = number, span = span,
    on_event = options.on_event, options = with(options, audited) }, Begun)
  self.options.policy = policy_of(self, options.policy)
  return self
end

--- Record that it was made, or why not, and see what it does from now on.
---@param made codecell.Sandbox?
---@param err codecell.Error?
---@return codecell.Sandbox? made
---@return codecell.Error? err
function Begun:settle(made, err)
  spans.finish(self.span, err, made and { ["codecell.sandbox.id"] = made.id } or nil)
  self.made, self.id = made, made and made.id
  if made and not made._witness then
    made._told = self.on_event
    witness.attach(made, self.audited)
  end
  if not self.audited then
    return made, err
  end
  local ok, unable = self.audited:_add({ event = self.event, phase = "after", of = self.number },
    made and { sandbox = made.id, isolation = made._backend.isolation }
    or { err = failure_of(err) })
  if ok then
    return made, err
  elseif made then
    made:close()
  end
  return nil, unable
end

-- ---- verbs that no backend is asked for ----

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

witness.names = contents.names

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

--- Record the end of a sandbox. Nothing keeps it from ending: what cannot be recorded is logged.
---@param sandbox codecell.Sandbox
---@param event "kill"|"close"|"ended"
---@param why string?
function witness.ends(sandbox, event, why)
  if not sandbox._audit or sandbox._end_is_told then
    return
  end
  sandbox._end_is_told = true
  unlogged(witness.before(sandbox, event, { why = why }, true))
end

return witness
