--- One piece of code, from the caller's words to the reply: checked, counted, run, recorded.
local ending = require "codecell.service.ending"
local errors = require "codecell.errors"
local languages = require "codecell.languages"
local log = require "codecell.log"
local reactor = require "codecell.reactor"
local reply = require "codecell.service.reply"
local runs = require "codecell.log.runs"
local wait = require "codecell.wait"
local watching = require "codecell.service.watching"
local words = require "codecell.agent.words"

local execute = {}

local PART = "e2b:service"

local function refuse(kind, word, message, hint)
  local err = errors.new(kind, message, hint)
  err.word = word
  return nil, err
end

local function is_allowed(service, language)
  local allowed = service.config.allowed_languages
  if not allowed or #allowed == 0 then
    return true
  end
  for _, name in ipairs(allowed) do
    local found = languages.find(name)
    if found and found.name == language then
      return true
    end
  end
  return false
end

-- What can be said before anything is made.
local function check(service, code, given)
  local most = service.config.max_code_size
  if type(code) ~= "string" or code == "" then
    return refuse("invalid_argument", "invalid", "execute: code is required")
  elseif #code > most then
    return refuse("invalid_argument", "invalid", ("execute: the code has %d bytes, at most %d "
      .. "are taken; split it, or raise max_code_size"):format(#code, most))
  end
  local found, err = languages.find(given.language or "python")
  if not found then
    return nil, err
  elseif not is_allowed(service, found.name) then
    return refuse("denied_by_policy", "denied", ("execute: %s is not one of the allowed "
      .. "languages: %s"):format(found.name, table.concat(service.config.allowed_languages, ", ")))
  end
  return found.name
end

-- Within what the configuration allows, and a word about it if that is less than was asked.
local function timeout_of(service, given, warnings)
  local config = service.config
  local timeout = given.timeout or config.execution_timeout
  if timeout > config.max_execution_time then
    warnings[#warnings + 1] = ("timeout %g s is more than max_execution_time; %g s count"):format(
      timeout, config.max_execution_time)
    timeout = config.max_execution_time
  elseif given.timeout and given.timeout >= 10000 then
    warnings[#warnings + 1] = ("timeout is in seconds: %g of them"):format(given.timeout)
  end
  return timeout
end

-- Somebody who wants to stop it, or to give it more time, is given the run.
local function run_or_start(sandbox, code, about, on_start)
  if not on_start then
    return sandbox:run_code(code, about)
  end
  local installed
  if about.packages and about.packages[1] then
    local err
    installed, err = sandbox:install(about.packages, { language = about.language })
    if not installed then
      return nil, err
    end
  end
  about.packages = nil
  local run, err = sandbox:start_code(code, about)
  if not run then
    return nil, err
  end
  on_start(run, sandbox)
  local execution
  execution, err = run:wait()
  if execution and installed then
    execution.timings.install, execution.packages = installed.seconds, installed.packages
  end
  return execution, err
end

local function run_in(service, entry, code, language, given, warnings)
  local queued, began = given.queued or 0, reactor.now()
  local execution, err = run_or_start(entry.sandbox, code, {
    language = not given.context and language or nil, context = given.context,
    envs = given.envs, stdin = given.stdin, timeout = timeout_of(service, given, warnings),
    packages = given.packages, final_answer = given.final_answer,
    on_stdout = given.on_stdout, on_stderr = given.on_stderr, on_result = given.on_result,
    on_error = given.on_error,
  }, given.on_start)
  entry.busy_seconds = entry.busy_seconds + reactor.now() - began
  if not execution then
    return nil, err
  end
  execution.timings = execution.timings or { run = execution.seconds }
  execution.timings.queue = (execution.timings.queue or 0) + queued
  return execution
end

local RUNS_LEAST = 10 -- in a minute; fewer say little

-- Once when it is passed, and again after it was below.
local function watch_error_rate(service)
  local failures, total = service.ledger:recent(60)
  local failed = 0
  for _, count in pairs(failures) do
    failed = failed + count
  end
  local is_high = total >= RUNS_LEAST and failed / total >= service.config.error_rate
  if is_high and not service.is_alarmed then
    service:_emit("error_rate", { rate = failed / total, runs = total, failures = failures })
  end
  service.is_alarmed = is_high
end

local function count(service, about)
  if service.config.enable_metrics then
    service.ledger:run(about)
    watch_error_rate(service)
  end
end

local function record(service, entry, code, language, owner, made)
  local word = made.details and made.details.kind
  service:_remember({ at = os.time(), owner = owner, sandbox_id = entry.id, language = language,
    code = code, success = made.success, kind = word, seconds = made.execution_time,
    key = entry.key })
  count(service, { language = language, word = word, timings = made.timings, owner = owner,
    backend = entry.sandbox.backend, usage = made.usage })
end

local function fail(service, language, owner, err)
  local word = words.of_error(err).word
  log.write("error", PART, "Code execution error: " .. err.message, { event = "run.refused",
    kind = word })
  service:_emit("refused", { kind = word, message = err.message, owner = owner })
  count(service, { language = language, word = word, timings = {}, owner = owner })
  return nil, err
end

-- Before anything was made for it.
local function turn_away(service, language, owner, err)
  watching.refuse(service, owner, language, err)
  return fail(service, language, owner, err)
end

-- A language there is none of is whatever a model has said: no name for a count.
local function counted_as(language)
  local found = languages.find(language or "python")
  return found and found.name or "other"
end

-- What may raise: a user's callback, and options that cannot be.
local function take_turn(service, turn, job)
  local entry, err = job.find()
  if not entry then
    return nil, err
  end
  service.roster:hold(entry)
  turn.entry = entry
  runs.start(entry.sandbox, job.language, job.code)
  return run_in(service, entry, job.code, job.language, job.given, turn.warnings)
end

local function told(service, turn, code, execution)
  local sandbox = turn.entry.sandbox
  runs.finish(sandbox, execution)
  if sandbox.degraded_from then
    turn.warnings[#turn.warnings + 1] = ("%s could not be reached; backend %s stands in for it, "
      .. "as fallback allows"):format(sandbox.degraded_from, sandbox.backend)
  end
  return reply.of(execution, { sandbox_id = turn.entry.id, warnings = turn.warnings, code = code,
    most = service.config.max_output_length, degraded_from = sandbox.degraded_from })
end

-- The turn is over, whatever came of it.
local function leave(service, entry, err)
  if entry then
    service.roster:release(entry, err)
  end
  service.gate:leave()
end

local function end_temporary(service, entry)
  if entry and entry.is_temporary then
    ending.finish(service, entry, "closed")
  end
end

local function run(service, code, given, find)
  local language, err = check(service, code, given)
  if not language then
    return turn_away(service, counted_as(given.language), given.owner, err)
  end
  local ok, waited
  ok, err = service.rates:admit(given.owner)
  if ok then
    local began = reactor.now()
    ok, err = service.gate:enter(given.patience)
    waited = reactor.now() - began
  end
  if not ok then
    return turn_away(service, language, given.owner, err)
  end
  given.queued = waited
  local turn = { warnings = {} }
  local execution
  ok, execution, err = wait.call(take_turn, service, turn, { code = code, language = language,
    given = given, find = find })
  leave(service, turn.entry, ok and err or nil)
  if not ok then
    end_temporary(service, turn.entry)
    error(execution, 0)
  end
  local made
  if execution then
    made = told(service, turn, code, execution)
    record(service, turn.entry, code, language, given.owner, made)
  else
    fail(service, language, given.owner, err)
  end
  end_temporary(service, turn.entry)
  return made, err
end

--- Run code in a sandbox of the service.
---@param service codecell.Service
---@param code string
---@param given table checked options of `Service:execute`
---@param find fun(): codecell.ServiceEntry?, codecell.Error? the sandbox, made if need be
---@return codecell.Reply? reply
---@return codecell.Error? err the code was not run
function execute.run(service, code, given, find)
  return watching.span("execute", { ["codecell.language"] = counted_as(given.language),
    ["enduser.id"] = given.owner }, run, service, code, given, find)
end

return execute
