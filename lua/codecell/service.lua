--- codecell.Service: sandboxes for many users, by one configuration: made when they are needed,
--- found again, bounded in number and rate, counted, and ended when nobody uses them.
---
---     local service = codecell.service()
---     print(service:execute("6 * 7").text)
local check = require "codecell.service.checks"
local config = require "codecell.config"
local cost = require "codecell.cost"
local downloads = require "codecell.service.downloads"
local ending = require "codecell.service.ending"
local execute = require "codecell.service.execute"
local finding = require "codecell.service.finding"
local gate = require "codecell.service.gate"
local ledger = require "codecell.service.ledger"
local job = require "codecell.service.job"
local jobs = require "codecell.service.jobs"
local log = require "codecell.log"
local merged = require "codecell.merged"
local numbers = require "codecell.service.numbers"
local options = require "codecell.options"
local rates = require "codecell.service.rates"
local reactor = require "codecell.reactor"
local records = require "codecell.service.records"
local report = require "codecell.service.report"
local roster = require "codecell.service.roster"
local rules = require "codecell.service.rules"
local shared = require "codecell.service.shared"
local wait = require "codecell.wait"

local PART = "e2b:service"
local LINE_MOST = 100 -- who may wait for a turn
local PATIENCE = 30 -- seconds that one waits for it
local HISTORY_MOST, HISTORY_BYTES_MOST = 1000, 16 * 1024 * 1024 -- of code

local service = {}

---@class codecell.Service
---@field config codecell.Config read only
local Service = {}
Service.__index = Service

-- ---- what is told ----

--- Tell those who listen.
---@param event string
---@param about table
function Service:_emit(event, about)
  if not self.config.enable_event_emission then
    return
  end
  about.event = event
  for _, called in ipairs(self.listeners[event] or {}) do
    local ok, problem = wait.call(called, about)
    if not ok then
      log.write("error", PART, ("who listens to %s has failed: %s"):format(event,
        tostring(problem)), { event = "listener.error" })
    end
  end
end

--- Keep a run in the history.
---@param one table
function Service:_remember(one)
  local history = self.past
  history[#history + 1] = one
  self.past_bytes = self.past_bytes + #one.code
  while #history > HISTORY_MOST or self.past_bytes > HISTORY_BYTES_MOST do
    self.past_bytes = self.past_bytes - #table.remove(history, 1).code
  end
  self:_emit("run", merged(one))
end

-- ---- verbs ----

local function check_open(self, verb)
  if self.is_closed then
    error(verb .. ": the service is closed", 3)
  end
end

--- Make a sandbox.
---@param given table? of `codecell.create`: `envs secrets metadata network limits template timeout
---cwd user mounts packages name read_only gpu on_event on_timeout`; and `timeout_ms`, `owner` (the
---user it is for: others cannot see it), `key` (by which its owner finds it again: a second create
---with it gives the same one)
---@return codecell.Sandbox? sandbox `degraded_from`: the mode that another stands in for, as the
---setting `fallback` allows
---@return codecell.Error|boolean|nil err with `cause`: "auth", "rate_limited", "network",
---"resources", "template"; kind "limit_exceeded" with `word` "budget"; true: it was there already
function Service:create(given)
  check_open(self, "create")
  given = options.check("create", given, rules.create)
  local entry, err = finding.get(self, given)
  return entry and entry.sandbox, err
end

--- Those that live, oldest first.
---@param filter {owner: string?, metadata: table<string, string>?}?
---@return table[] list `id owner key metadata state started_at end_at idle degraded_from`, times in
---seconds
function Service:list(filter)
  check_open(self, "list")
  filter = options.check("list", filter, { owner = { type = "name" },
    metadata = { type = "metadata" } })
  local list = {}
  for _, entry in ipairs(self.roster:list(filter.owner)) do
    local about = entry.sandbox._about
    local matches = true
    for name, value in pairs(filter.metadata or {}) do
      matches = matches and entry.metadata[name] == value
    end
    if matches then
      list[#list + 1] = { id = entry.id, owner = entry.owner, key = entry.key,
        metadata = merged(entry.metadata), started_at = about.started_at,
        end_at = about.started_at + about.timeout, timeout = about.timeout,
        state = entry.sandbox._backend.state(entry.sandbox),
        degraded_from = entry.sandbox.degraded_from,
        idle = entry.users == 0 and self.clock() - entry.used or 0 }
    end
  end
  return list
end

--- One of them.
---@param id string
---@param owner string? nil: the program itself, which may have all
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err kinds "not_found", "sandbox_gone"
function Service:get(id, owner)
  check_open(self, "get")
  options.argument("get", "id", id, "name")
  local entry, err = self.roster:find("get", id, owner)
  if entry then
    entry.used = self.clock()
  end
  return entry and entry.sandbox, err
end

--- End one.
---@param id string
---@param owner string?
---@return boolean? killed false: there is none
---@return codecell.Error? err it could not be ended, and is still there
function Service:kill(id, owner)
  check_open(self, "kill")
  options.argument("kill", "id", id, "name")
  local entry = self.roster:find("kill", id, owner)
  if not entry then
    return false
  end
  return ending.finish(self, entry, "killed")
end

-- The sandbox that a call means, made if it names none or one under a key.
local function finder(self, given)
  return function()
    if given.sandbox then
      return self.roster:find("execute", given.sandbox, given.owner, "runner")
    end
    return finding.get(self, merged(given.create, { owner = given.owner, key = given.key,
      is_temporary = not given.key or nil }))
  end
end

--- Run code. Without `sandbox` and `key` in a sandbox of its own, which is ended at once.
---@param code string at most max_code_size bytes
---@param given table|string|nil a language; or `language`, `sandbox` (an id), `key` (of a session:
---made at first use, kept), `create` (options of a sandbox that is made for it), `owner`,
---`context`, `envs`, `stdin`, `packages` (installed before), `final_answer`,
---`timeout` (execution_timeout; at most max_execution_time), `patience` (seconds to wait for a
---turn), `on_stdout on_stderr on_result on_error`
---@return codecell.Reply? reply
---@return codecell.Error? err the code was not run: kinds "rate_limited", "unavailable" (err.word
---"overloaded": too many at the same time), "invalid_argument", "not_found", "sandbox_gone", ...
function Service:execute(code, given)
  check_open(self, "execute")
  if type(given) == "string" then
    given = { language = given }
  end
  given = merged(options.check("execute", given, rules.execute))
  return execute.run(self, code, given, finder(self, given))
end

--- Start code that may take long, and go on; the host's loop, or whatever waits, drives it.
---@param code string
---@param given table? as of `execute`; without `timeout` it may take max_execution_time
---@return codecell.Job? job
---@return codecell.Error? err kind "system"
function Service:start(code, given)
  check_open(self, "start")
  given = merged(options.check("start", given, rules.execute))
  return job.start(self, code, given, finder(self, given))
end

--- The session of a conversation, in this service.
---@param given {user: string, conversation: string, ip: string?, create: table?} as of
---`codecell.session`
---@return codecell.Session session
function Service:session(given)
  check_open(self, "session")
  options.argument("session", "options", given, "table")
  return require("codecell.session").session(merged(given, { service = self }))
end

--- Run code in a sandbox of its own, whatever else there is.
---@param code string
---@param given table|string|nil as of `execute`, without `sandbox` and `key`
---@return codecell.Reply? reply
---@return codecell.Error? err
function Service:run_once(code, given)
  if type(given) == "table" and (given.sandbox or given.key) then
    error("run_once: it runs in a sandbox of its own; use execute for sandbox and key", 2)
  end
  return self:execute(code, given)
end

--- Run many pieces of code, several at the same time.
---@param list table[] each a code, or a table of options of `execute` with `code`
---@param given {concurrency: integer?}? default: max_concurrent_executions
---@return table[] outcomes in the order of the jobs: `reply`, or `err`
function Service:map(list, given)
  check_open(self, "map")
  local outcomes = jobs.run(self, list, given) -- no tail call: mistakes are told of the caller
  return outcomes
end

--- Let others use a sandbox, each with rights of its own.
---@param id string
---@param given {agents: string[], rights: string|table<string, string>|nil, owner: string?} rights:
---"runner" (runs code, reads and writes files; default) or "reader" (reads files and events), of
---all or by the names of agents
---@return table<string, codecell.Shared>? handles by the names of agents
---@return codecell.Error? err kinds "not_found", "sandbox_gone"
function Service:share(id, given)
  check_open(self, "share")
  local handles, err = shared.share(self, id, given)
  return handles, err
end

--- Hear of events: "sandbox.create", "sandbox.kill", "run", "refused", "error_rate", "security".
---@param event string
---@param called fun(about: table)
---@return true
function Service:on(event, called)
  options.argument("on", "event", event, "choice", { choices = { "sandbox.create",
    "sandbox.kill", "run", "refused", "error_rate", "security" } })
  options.argument("on", "called", called, "function")
  self.listeners[event] = self.listeners[event] or {}
  table.insert(self.listeners[event], called)
  return true
end

--- Numbers of now.
---@return table stats `mode active paused idle pool_ready pool_size running waiting created
---utilization` (busy seconds of the sandboxes that live by their seconds alive)
function Service:stats()
  check_open(self, "stats")
  local entries, now = self.roster:list(), self.clock()
  local idle, busy, alive = 0, 0, 0
  for _, entry in ipairs(entries) do
    idle = idle + (entry.users == 0 and 1 or 0)
    busy, alive = busy + entry.busy_seconds, alive + now - entry.made
  end
  local pool = self.pool and self.pool:stats() or { ready = 0 }
  return { mode = self.config.mode, active = #entries, idle = idle, pool_ready = pool.ready,
    pool_size = self.config.pool_size, running = self.gate.busy, waiting = #self.gate.line,
    created = self.ledger.created, utilization = alive > 0 and math.min(1, busy / alive) or 0 }
end

--- Counts since it was made; `codecell.metrics.openmetrics(service)` gives them as a text.
---@return table metrics `runs_total` (rows of status, kind, language and value), `seconds` by stage
---(count, sum, mean), `utilization sandboxes created failures_last_minute failures_last_hour`
function Service:metrics()
  check_open(self, "metrics")
  return numbers.table(self)
end

--- What was used, and what it has cost.
---@return table usage `cost` and `currency` of all, `date` of the prices, `lines` by user, day and
---backend: `user day backend sandboxes seconds cost currency runs failed`; `hours`: runs by the
---hour of the day (UTC, 0 to 23); `limits`: what the most that was measured suggests
function Service:usage()
  check_open(self, "usage")
  local lines, total = self.ledger:usage()
  return { cost = total, currency = self.prices.currency, date = self.prices.date, lines = lines,
    hours = merged(self.ledger.hours), limits = report.limits(self.ledger.peaks) }
end

--- The runs so far, oldest first; the last thousand, and at most 16 MiB of code.
---@param filter {since: number?, owner: string?}? since: seconds of os.time
---@return table[] runs `at owner sandbox_id language code success kind seconds`
function Service:history(filter)
  check_open(self, "history")
  filter = options.check("history", filter, { since = { type = "number" },
    owner = { type = "name" } })
  local list = {}
  for _, one in ipairs(self.past) do
    if (not filter.since or one.at >= filter.since)
      and (not filter.owner or one.owner == filter.owner) then
      list[#list + 1] = merged(one)
    end
  end
  return list
end

--- Read the configuration again; sandboxes that live stay as they are.
---@return boolean? ok true
---@return codecell.Error? err kind "invalid_argument"; the old configuration stays
function Service:reload()
  check_open(self, "reload")
  local found, err = config.get(self.overrides)
  local audit
  if found then
    audit, err = check(found, self.prices)
  end
  if audit == nil then
    return nil, err
  end
  log.configure(found)
  self.config, self.outage, self.audit = found, nil, audit
  self.rates:set(found.rate_limit_per_min)
  self.gate:set(found.max_concurrent_executions)
  if self.pool then
    self.pool:close()
    self.pool = nil
  end
  return true
end

--- Write a file in one of the sandboxes.
---@param id string
---@param path string
---@param data string
---@return codecell.EntryInfo? entry
---@return codecell.Error? err
function Service:write_file(id, path, data)
  local found, err = self:get(id)
  if not found then
    return nil, err
  end
  return found.files:write(path, data)
end

--- Read a file of one of the sandboxes.
---@param id string
---@param path string
---@return string? data
---@return codecell.Error? err
function Service:read_file(id, path)
  local found, err = self:get(id)
  if not found then
    return nil, err
  end
  return found.files:read(path)
end

--- End all sandboxes, and the service. Idempotent.
function Service:close()
  if self.is_closed then
    return
  end
  self.is_closed = true -- from now on none is made
  for _, entry in ipairs(self.roster:list()) do
    if not ending.finish(self, entry, "closed") then
      entry.sandbox:close()
    end
  end
  downloads.forget(self, math.huge)
  ending.rest(self)
  if self.pool then
    self.pool:close()
    self.pool = nil
  end
  if service.default == self then
    service.default = nil
  end
end

-- ---- the module ----

local function unkept(problem)
  log.write("error", PART, "usage_file cannot be written: " .. problem, { event = "usage.unkept" })
end

-- What a program gives besides settings.
local function take_others(given)
  local others = { mock = given.mock, clock = given.clock or reactor.now,
    prices = cost.prices(given.prices), policy = given.policy }
  given.mock, given.clock, given.prices, given.policy = nil, nil, nil, nil
  if others.policy ~= nil and not require("codecell.policy").is(others.policy) then
    error("service: policy: what codecell.policy.new returns expected", 4)
  end
  return others
end

local function say_start(found)
  log.configure(found)
  for _, text in ipairs(found.warnings) do
    log.write("warning", PART, text, { event = "config.warning" })
  end
  log.write("info", PART, ("E2B Service initialized (mode: %s, pool size: %d)"):format(found.mode,
    found.pool_size), { event = "service.start", mode = found.mode,
    pool_size = found.pool_size })
end

local function new(overrides)
  local given = merged(overrides)
  local others = take_others(given)
  local found, err = config.get(given)
  local ok, audit, keep
  if found then
    ok, err = reactor.get()
  end
  if ok then
    audit, err = check(found, others.prices)
    ok = audit ~= nil
  end
  if ok and found.usage_file then
    keep, err = records.writer(found.usage_file, unkept)
    ok = keep
  end
  if not ok then
    return nil, err
  end
  local clock = others.clock
  local self = setmetatable(merged(others, { config = found, overrides = given, audit = audit,
    ledger = ledger.new(clock, others.prices, keep), past = {}, past_bytes = 0,
    downloads = {}, makers = {}, listeners = {}, promises = {},
    rates = rates.new(found.rate_limit_per_min, clock) }), Service)
  self.roster = roster.new(clock, function(entry, why)
    ending.settle(self, entry, why)
  end)
  self.gate = gate.new({ most = found.max_concurrent_executions, line_most = LINE_MOST,
    patience = PATIENCE, what = "execute", knob = "max_concurrent_executions" })
  say_start(found)
  return self
end

--- The service of this Lua state, or one of its own.
---@param overrides table? settings of `codecell.config`, and `mock` (answers of the mock backend),
---`prices`, `clock` (a function that gives seconds), `policy` (as of codecell.policy.new, asked for
---each owner); nil: the state's own, made at first use
---@return codecell.Service? service
---@return codecell.Error? err kinds "invalid_argument": the configuration is wrong,
---"unauthenticated": production without a key
function service.service(overrides)
  if overrides ~= nil then
    options.argument("service", "config", overrides, "table")
    local made, problem = new(overrides)
    return made, problem
  end
  local err
  if not service.default or service.default.is_closed then
    service.default, err = new({})
  end
  return service.default, err
end

--- The service that a caller has named, or that of this Lua state.
---@param given codecell.Service?
---@return codecell.Service? service
---@return codecell.Error? err of `service`
function service.of(given)
  if given then
    return given
  end
  return service.service()
end

return service
