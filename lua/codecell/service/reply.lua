--- What a call of the service gives back for code: the Execution, and its outcome in few fields.
local parts = require "codecell.agent.format.parts"
local terminal = require "codecell.agent.terminal"
local unicode = require "codecell.agent.unicode"
local words = require "codecell.agent.words"

local reply = {}

local MOCKED = "[mock: nothing was executed]"

---@class codecell.Reply: codecell.Execution
---@field success boolean the code ran to its end without an error
---@field output string what it printed, cut to max_output_length
---@field text string? its value; on the mock backend it says that nothing was executed
---@field execution_time number seconds of the run alone
---@field sandbox_id string
---@field degraded_from string? the mode that another stands in for, as `fallback` allows
---@field details table? of a failure: `message` ("Name: value"), `kind` (a word), `error_name line
---column traceback`, `retryable fault hint`
---@field warnings string[]
local Reply = {}

function Reply.__index(self, name)
  return self.execution[name]
end

-- The last line of the code that a traceback names: ours, and that of the cloud's interpreter.
local function line_in(traceback)
  local found
  for line in traceback:gmatch("[Cc]ell[^\n]-, line (%d+)") do
    found = tonumber(line)
  end
  return found
end

-- "File "<cell>", line 1 ... column": where an error says so.
local function place_of(failed)
  local traceback = terminal.strip(failed.traceback or "")
  local column = traceback:match("\n( *)%^")
  return failed.line or line_in(traceback), column and #column > 0 and #column or nil
end

local function details_of(execution)
  local word = words.of_execution(execution)
  if not word then
    return nil
  end
  local failed = execution.error
  local line, column = place_of(failed)
  return {
    message = ("%s: %s"):format(failed.name, failed.value), -- as the documents show it
    kind = word.word, retryable = word.retryable, fault = word.fault, hint = word.model,
    developer_hint = word.developer, stage = word.phase, error_name = failed.name,
    error_value = failed.value, traceback = failed.traceback, line = line,
    column = word.word == "syntax" and column or nil,
    timeout_stage = execution.timed_out and "run" or nil,
  }
end

local function output_of(execution, most)
  local text = table.concat(execution.logs.stdout)
  local output = parts.cut(text, most)
  return output, text ~= output and unicode.length(text) > most
end

--- The reply of an Execution.
---@param execution codecell.Execution
---@param about {sandbox_id: string, most: integer, warnings: string[], code: string,
---degraded_from: string?}
---@return codecell.Reply
function reply.of(execution, about)
  local details = details_of(execution)
  local output, is_cut = output_of(execution, about.most)
  local text = execution.text
  if execution.mock then
    text = text and MOCKED .. " " .. text or MOCKED
  end
  return setmetatable({
    execution = execution, success = details == nil, details = details, output = output,
    text = text, execution_time = execution.timings and execution.timings.run
      or execution.seconds, sandbox_id = about.sandbox_id, warnings = about.warnings,
    code = about.code, is_cut = is_cut or nil, degraded_from = about.degraded_from,
    truncated = execution.truncated or is_cut and { output = { kept = #output } } or nil,
  }, Reply)
end

return reply
