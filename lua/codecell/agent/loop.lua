--- The loop between a model and a sandbox: ask, run the code of the answer, tell what it did, until
--- there is an answer or a reason to stop.
---
---     local outcome = codecell.agent.loop { prompt = "What is the median of 3, 1, 2?", ask = ask }
---     print(outcome.answer)
local answers = require "codecell.agent.loop.answers"
local blocks = require "codecell.agent.blocks"
local errors = require "codecell.errors"
local missing = require "codecell.agent.loop.missing"
local options = require "codecell.options"
local policy = require "codecell.policy"
local reactor = require "codecell.reactor"
local repair = require "codecell.agent.repair"
local result_of_error = require("codecell.tools.result").of_error
local system = require "codecell.agent.loop.system"
local tools = require "codecell.tools"
local usage = require "codecell.agent.loop.usage"
local wait = require "codecell.wait"
local watch = require "codecell.agent.loop.watch"

local STEPS, REPAIRS = 10, 3
local IDLE = 15 -- seconds without a word

---@class codecell.LoopOptions
---@field ask fun(messages: table[], about: codecell.LoopAsk): any, any the model: gets the
---conversation, gives a text, a message with tool calls, or a whole response of its provider, in
---the dialect; or nil and why. It may wait
---@field prompt string? the first message of the user; or
---@field messages table[]? a conversation to go on with; not changed
---@field system (string|false)? told first; default: how to run code here, by what is there
---@field dialect codecell.Dialect? of messages ("openai"); not "mcp"
---@field sandbox any these as of `codecell.tools.kit`: where code runs; default: one of its own
---@field service codecell.Service?
---@field user string?
---@field session string?
---@field create table?
---@field languages string[]?
---@field timeout number?
---@field vision boolean?
---@field agent string?
---@field output codecell.ToolBudget? what the model is told of each run; of the kit its `budget`
---@field policy codecell.Policy? asked before each verb; lets a missing package be installed
---@field approve function? who is asked by the policy
---@field final_answer boolean? whether code may give one (true)
---@field tools boolean? the model calls tools, and code in its words is not run (false: the code of
---its answers runs, in fenced blocks; calls are answered all the same)
---@field untagged string? the language of blocks that name none; default: they are not run
---@field max_steps integer? answers of the model (10)
---@field max_repairs integer? answers in a row whose code fails (3)
---@field budget codecell.LoopBudget?
---@field count (fun(text: string): number)? tokens of a text
---@field on_step (fun(event: codecell.LoopEvent): false?)? hears what happens; false stops the loop
---@field on_idle (fun(seconds: number): false?)? called when code has said nothing for so long;
---false stops the code
---@field idle number? seconds of that (15)

---@class codecell.LoopAsk
---@field step integer
---@field system string? what is to be told first; in "openai" dialects it is a message as well
---@field tools table[]? to be offered, in the dialect; nil: none
---@field seconds number? left of the budget
---@field usage codecell.LoopUsage so far

---@class codecell.LoopEvent
---@field type "reply"|"call"|"result"|"install"|"idle"|"stop"
---@field step integer
---@field text string? of a reply
---@field tool string? of a call and its result
---@field arguments table?
---@field result codecell.ToolResult?
---@field package string? of an install
---@field seconds number? of idle
---@field stopped string?

---@class codecell.LoopOutcome
---@field stopped "answer"|"steps"|"repeats"|"budget"|"cancelled"|"error" "repeats": the same error
---twice in a row
---@field answer string? the text of the answer; nil: there is none, or it is a value
---@field final any what code gave to `final_answer`
---@field err codecell.Error? of "error", "repeats", "budget" and "cancelled"
---@field messages table[] the whole conversation, in the dialect
---@field executions codecell.Execution[]
---@field results codecell.ToolResult[] of every call and block
---@field installed string[] packages that were missing
---@field usage codecell.LoopUsage

---@class codecell.Loop
local Loop = {}
Loop.__index = Loop

local KIT = { "agent", "approve", "count", "create", "languages", "policy", "sandbox", "service",
  "session", "timeout", "user", "vision" }

local OPTIONS = {
  ask = { type = "function" },
  budget = { type = "table", fields = { chars = { type = "integer", least = 1 },
    cost = { type = "number", above = 0 }, seconds = { type = "number", above = 0 },
    tokens = { type = "integer", least = 1 } } },
  dialect = { type = "choice",
    choices = { "openai", "openai_responses", "anthropic", "gemini" } },
  final_answer = { type = "boolean" }, idle = { type = "number", above = 0 },
  max_repairs = { type = "integer", least = 0 }, max_steps = { type = "integer", least = 1 },
  messages = { type = "table" }, on_idle = { type = "function" },
  on_step = { type = "function" }, output = { type = "table" }, prompt = { type = "data" },
  system = { type = "either", expected = "string or false",
    rules = { string = { type = "data" }, boolean = { type = "boolean" } } },
  tools = { type = "boolean" }, untagged = { type = "name" },
}
for _, name in ipairs(KIT) do -- which checks them itself
  OPTIONS[name] = { type = "anything" }
end

-- ---- telling ----

function Loop:tell(event)
  event.step = self.usage.steps
  local on_step = self.given.on_step
  if on_step and on_step(event) == false then
    self.is_cancelled = true
  end
end

function Loop:stop(stopped, err)
  local outcome = self.outcome
  if not outcome.stopped then
    outcome.stopped, outcome.err = stopped, err
    self.usage:exhausted(self.budget, self.began)
    self:tell({ type = "stop", stopped = stopped })
  end
end

local function cancelled()
  return errors.new("cancelled", "agent.loop was cancelled")
end

-- ---- running ----

-- Seconds that a call may take: no more than are left.
function Loop:seconds()
  local budget = self.budget.seconds
  if not budget then
    return nil
  end
  self.usage:exhausted(self.budget, self.began)
  local own = self.kit.place:timeout() or math.huge
  return math.min(math.max(budget - self.usage.seconds, 0.001), own, 86400)
end

function Loop:about()
  return { final_answer = self.given.final_answer ~= false or nil, timeout = self:seconds() }
end

function Loop:call(tool, given, about)
  return watch.call(self, function(watched)
    return self.kit:call(tool, given, watched)
  end, about or self:about()) or result_of_error(tool, cancelled())
end

-- Run code; install what it could not import, where nothing else can have happened, and run it
-- again.
function Loop:run_code(block)
  local given = { code = block.code, language = block.language }
  local result = self:call("run_code", given)
  local execution = result.execution
  local package = self.given.policy and self.usage.executions == 0 and execution
    and missing.package(execution, block.code)
  if not package then
    return result
  end
  self:tell({ type = "install", package = package })
  local installed = self:call("install", { packages = { package }, language = block.language },
    { timeout = self:seconds() })
  if installed.is_error then
    return result
  end
  self.outcome.installed[1] = package
  return self:call("run_code", given)
end

-- ---- judging ----

local FATAL = { sandbox_gone = true, unauthenticated = true, system = true, protocol = true }

local function key_of(result)
  local failed = result.execution and result.execution.error
  if failed then
    return failed.name .. ": " .. failed.value
  end
  return result.word .. ": " .. (result.err and result.err.message or result.text)
end

-- Keep what was done, and whether there is a reason to stop in it.
function Loop:note(result)
  local outcome, execution = self.outcome, result.execution
  outcome.results[#outcome.results + 1] = result
  if execution then
    outcome.executions[#outcome.executions + 1] = execution
    self.usage.executions = self.usage.executions + 1
    if execution.final ~= nil then
      outcome.final = execution.final
      self:stop("answer")
    end
  elseif result.err and result.err.kind == "cancelled" and not self.is_idle then
    self:stop("cancelled", result.err)
  elseif result.err and FATAL[result.err.kind] then
    self:stop("error", result.err)
  end
end

-- Of an answer whose code has failed, or nil: it has not.
function Loop:judge(failed)
  local key = failed and key_of(failed)
  self.repairs = key and self.repairs + 1 or 0
  if key and key == self.last_failure then
    self:stop("repeats", errors.new("limit_exceeded", "agent.loop: the same error twice in a row: "
      .. key:gsub("%c+", " "):sub(1, 200)))
  elseif self.repairs > self.max_repairs then
    self:stop("error", errors.new("limit_exceeded", ("agent.loop: the code of %d answers in a row "
      .. "has failed; raise max_repairs"):format(self.repairs)))
  end
  self.last_failure = key
end

-- ---- an answer ----

function Loop:add(message, text)
  self.outcome.messages[#self.outcome.messages + 1] = message
  if text then
    self.usage:add_text(text)
  end
end

-- Those that can run, and one that was cut, which cannot.
function Loop:blocks_in(answer)
  if self.given.tools then
    return {}
  end
  local found = blocks.scan(answer.text, { languages = self.kit.place:about().languages,
    stop_reason = answer.stop_reason, untagged = self.given.untagged })
  local runnable, cut = {}, nil
  for _, block in ipairs(found) do
    if block.runnable then
      runnable[#runnable + 1] = block
    elseif not block.closed and block.language and not block.quoted then
      cut = block
    end
  end
  return runnable, cut
end

local SILENT = "The code was stopped: it had said nothing for %g s. Let it print what it does, or "
  .. "do less at once.\n"

function Loop:tell_of(block, result)
  if not result.is_error then
    return result.text
  elseif self.is_idle then
    return SILENT:format(self.idle)
  end
  local attempt = self.repairs + 1
  return repair.prompt(result, { code = block.code, language = block.language,
    attempt = attempt <= self.max_repairs and attempt or nil, most = self.max_repairs > 0
      and self.max_repairs or nil })
end

-- Run them in order, until one fails.
function Loop:run_blocks(runnable)
  local told, results, failed = {}, {}, nil
  for i, block in ipairs(runnable) do
    local result = self:run_code(block)
    self:note(result)
    local title = #runnable > 1 and ("Block %d of %d:\n\n"):format(i, #runnable) or ""
    told[i], results[i] = title .. self:tell_of(block, result), result
    failed = result.is_error and result or nil
    if failed or self.outcome.stopped or self.is_cancelled then
      break
    end
  end
  if #told < #runnable then
    told[#told + 1] = #told + 1 == #runnable and "The last block was not run.\n"
      or ("The last %d blocks were not run.\n"):format(#runnable - #told)
  end
  local text = table.concat(told, "\n")
  self:add(answers.told(self.dialect, text, results), text)
  self:judge(failed)
end

local CUT = "The code was not run: the answer ended before its block did (%s). Send the code "
  .. "again, complete, in smaller pieces if it is long.\n"

function Loop:tell_cut(block)
  local text = CUT:format(block.why)
  self:add(answers.told(self.dialect, text), text)
  self:judge({ word = "syntax", text = text })
end

-- Call the tools that it asks for; false: none.
function Loop:handle(answer)
  local messages, results = watch.call(self, function(about)
    return self.kit:handle(self.dialect, answer.message, about)
  end, self:about())
  if not messages then
    self:stop("cancelled", cancelled())
    return true
  end
  local failed
  for i, result in ipairs(results) do
    self:note(result)
    self.usage:add_text(result.text)
    failed = failed or result.is_error and results[i] or nil
  end
  for _, message in ipairs(messages) do
    self:add(message)
  end
  if messages[1] then
    self:judge(failed)
  end
  return messages[1] ~= nil
end

function Loop:take(answer)
  if self:handle(answer) then
    return
  end
  local runnable, cut = self:blocks_in(answer)
  if runnable[1] then
    self:run_blocks(runnable)
  elseif cut then
    self:tell_cut(cut)
  elseif answer.text:find("%S") then
    self.outcome.answer = answer.text
    self:stop("answer")
  else
    self:stop("error", errors.new("unavailable", "agent.loop: the model's answer is empty"))
  end
end

-- ---- the loop ----

function Loop:ask()
  local reply, err = self.given.ask(self.outcome.messages, { step = self.usage.steps + 1,
    tools = self.given.tools and self.kit:schemas(self.dialect) or nil, system = self.system,
    usage = self.usage, seconds = self:seconds() })
  if type(reply) ~= "string" and type(reply) ~= "table" then
    err = errors.is(err) and err
      or errors.new("unavailable", "agent.loop: the model gave no answer: " .. tostring(err))
    return nil, err
  end
  self.usage.steps = self.usage.steps + 1
  local answer = answers.read(self.dialect, reply)
  for _, entry in ipairs(answer.entries) do
    self:add(entry)
  end
  local ok
  ok, err = self.usage:add_answer(answer, self.given.count, self.budget)
  self:tell({ type = "reply", text = answer.text })
  return ok and answer, err
end

-- Whether there is a reason not to go on.
function Loop:is_over()
  local used = self.usage:exhausted(self.budget, self.began)
  if self.is_cancelled then
    self:stop("cancelled", cancelled())
  elseif used then
    self:stop("budget", errors.new("limit_exceeded", ("agent.loop: budget.%s (%.14g) is used up; "
      .. "raise it"):format(used, self.budget[used])))
  end
  return self.outcome.stopped ~= nil
end

function Loop:run()
  while not self:is_over() do
    if self.usage.steps >= self.max_steps then
      self:stop("steps")
      break
    end
    local answer, err = self:ask()
    if not answer then
      self:stop(err.kind == "cancelled" and "cancelled" or "error", err)
    elseif not self:is_over() then
      self:take(answer)
    end
  end
  return self.outcome
end

local function kit_of(self, given)
  local about = { budget = given.output }
  for _, name in ipairs(KIT) do
    about[name] = given[name]
  end
  function about.on_event(event)
    if event.type == "result" and self.outcome.stopped then
      return nil -- of a call that was left behind
    end
    self:tell({ type = event.type, tool = event.tool, arguments = event.arguments,
      result = event.result })
    return not (event.type == "call" and self:is_over()) -- also of several calls in one answer
  end
  return tools.kit(about)
end

local function begin_messages(self, given)
  local messages = {}
  for i, message in ipairs(given.messages or {}) do
    messages[i] = message
  end
  local first = messages[1] and messages[1].role
  if given.system ~= false and first ~= "system" and first ~= "developer" then
    self.system = given.system
      or system.text(self.kit.place:about(), given)
    if self.dialect == "openai" or self.dialect == "openai_responses" then
      table.insert(messages, 1, { role = "system", content = self.system })
    end
  end
  if given.prompt then
    messages[#messages + 1] = answers.told(self.dialect, given.prompt)
  end
  return messages
end

--- Run the loop; see codecell.LoopOptions.
---@param given codecell.LoopOptions
---@return codecell.LoopOutcome?
---@return codecell.Error?
return function(given)
  given = options.check("agent.loop", given, OPTIONS, 4)
  options.argument("agent.loop", "ask", given.ask, "function", nil, 4)
  if not given.prompt and not (given.messages and given.messages[1]) then
    error("agent.loop: prompt or messages expected", 3)
  elseif given.policy ~= nil and not policy.is(given.policy) then
    error("agent.loop: policy: what codecell.policy.new returns expected", 3)
  end
  local ok, err = reactor.get()
  if not ok then
    return nil, err
  end
  local self = setmetatable({ given = given, dialect = given.dialect or "openai", repairs = 0,
    budget = given.budget or {}, max_steps = given.max_steps or STEPS,
    max_repairs = given.max_repairs or REPAIRS, idle = given.idle or IDLE }, Loop)
  self.usage, self.began = usage.new()
  self.kit = kit_of(self, given)
  self.outcome = { messages = begin_messages(self, given), executions = {}, results = {},
    installed = {}, usage = self.usage }
  local outcome
  ok, outcome = wait.call(self.run, self)
  self.kit:close()
  if not ok then
    error(outcome, 0) -- of the user's functions
  end
  return outcome
end
