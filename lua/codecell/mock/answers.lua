--- The answers of the backend mock: scripted, recorded, or that nothing was executed.
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local json = require "codecell.json"

local answers = {}

local NOTICE = "mock: nothing was executed"

--- The rule of the option `mock` of create.
answers.rule = { type = "table", fields = {
  answers = { type = "either", expected = "list or function",
    rules = { table = { type = "table" }, ["function"] = { type = "function" } } },
  cassette = { type = "text" },
  files = { type = "table" },
} }

local function matches(rule, kind, text)
  local wanted = rule[kind]
  if wanted == nil then
    return rule.code == nil and rule.command == nil
  end
  return wanted == text or rule.plain ~= true and text:find(wanted) ~= nil
end

--- The scripted answer to code or to a command.
---@param script table|function|nil list of {code or command = text or pattern, times, ...answer}; a
---function gets "code" or "command" and the text
---@param kind "code"|"command"
---@param text string
---@return table? answer
function answers.find(script, kind, text)
  if type(script) == "function" then
    return script(kind, text)
  end
  for _, rule in ipairs(script or {}) do
    local used = rule.times == nil or (rule.used or 0) < rule.times
    if used and matches(rule, kind, text) then
      rule.used = (rule.used or 0) + 1
      return rule
    end
  end
end

local function logs_of(text)
  return text ~= nil and text ~= "" and { text } or {}
end

local function error_of(given)
  if type(given) == "string" then
    local name, value = given:match("^([%w_.]+): (.*)$")
    given = { name = name or "Error", value = value or given }
  end
  return { name = given.name or "Error", value = given.value or "",
    traceback = given.traceback or ("%s: %s"):format(given.name or "Error", given.value or "") }
end

--- An Execution as a script says it.
---@param context codecell.Context
---@param given table? `stdout stderr text results error`; nil: the notice that nothing was executed
---@return codecell.Execution
function answers.execution(context, given)
  local done = execution.new(context.language, context.id)
  given = given or { text = NOTICE }
  done.logs.stdout, done.logs.stderr = logs_of(given.stdout), logs_of(given.stderr)
  for i, formats in ipairs(given.results or {}) do
    done.results[i] = execution.decoded(formats, formats.is_main_result == true)
  end
  if given.text then
    done.results[#done.results + 1] = execution.decoded({ text = given.text }, true)
  end
  for _, result in ipairs(done.results) do
    if result.is_main_result and not done.text then
      done.text = result.text
    end
  end
  done.error = given.error and error_of(given.error) or nil
  return done
end

--- An Execution as it was recorded.
---@param context codecell.Context
---@param recorded any
---@return codecell.Execution? done
---@return codecell.Error? err kind "protocol"
function answers.recorded(context, recorded)
  if type(recorded) ~= "table" or type(recorded.logs) ~= "table"
    or type(recorded.results) ~= "table" then
    return nil, errors.new("protocol", "run_code: what was recorded is no execution")
  end
  local done = execution.new(context.language, context.id)
  for name, value in pairs(recorded) do
    if value ~= json.null then
      done[name] = value
    end
  end
  done.context = context.id
  for i, formats in ipairs(recorded.results) do
    done.results[i] = execution.decoded(formats, formats.is_main_result == true)
  end
  return done
end

--- What a command answers that nobody has scripted.
---@return table
function answers.command()
  return { stdout = "", stderr = NOTICE .. "\n", code = 0 }
end

return answers
