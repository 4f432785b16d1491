--- What a parser inside a sandbox says: data of the code's. Each field is taken by its type or not
--- at all, and there is an end to everything.
local json = require "codecell.json"
local terminal = require "codecell.agent.terminal"
local unicode = require "codecell.agent.unicode"

local report = {}

local TIMEOUT = 20 -- seconds
local VALUES_MOST = 200000 -- of JSON
local NAMES_MOST, NOTES_MOST, INSTALLED_MOST = 1000, 100, 5000
local NAME_MOST, MODULE_MOST, MESSAGE_MOST = 200, 64, 500 -- bytes

--- Run a parser.
---@param sandbox codecell.Sandbox
---@param argv string[]
---@param code string its standard input
---@return codecell.CommandResult? result
---@return codecell.Error? err
function report.run(sandbox, argv, code)
  return sandbox.commands:run(argv, { stdin = code, timeout = TIMEOUT })
end

local function text_of(value, most)
  if type(value) ~= "string" then
    return nil
  end
  return unicode.head(terminal.strip(value:sub(1, 4 * most)), most)
end

local function number_of(value)
  return type(value) == "number" and value >= 1 and value < 2 ^ 31 and value % 1 == 0 and value
    or nil
end

--- A note of a parser.
---@param message string
---@param line integer|string|nil
---@param column integer|string|nil
---@param call string?
---@return codecell.AnalysisNote
function report.note(message, line, column, call)
  return { message = (text_of(message, MESSAGE_MOST):gsub("%s+$", "")),
    line = number_of(tonumber(line)), column = number_of(tonumber(column)),
    call = text_of(call, NAME_MOST) }
end

local function items(list, most)
  local all = {}
  for i, item in ipairs(type(list) == "table" and list or {}) do
    if i > most then
      break
    end
    all[i] = type(item) == "table" and item or {}
  end
  return all
end

local function notes(list)
  local found = {}
  for _, item in ipairs(items(list, NOTES_MOST)) do
    if type(item.message) == "string" then
      found[#found + 1] = report.note(item.message, item.line, item.column, item.call)
    end
  end
  table.sort(found, function(left, right) return (left.line or 0) < (right.line or 0) end)
  return found
end

--- What a parser would say of code that is too much for it.
---@param result codecell.CommandResult
---@return table found
function report.overwhelmed(result)
  local message = "the parser ended before it was done: the code is nested too deeply, or too long"
  if result.timed_out then
    message = "the parser took too long"
  elseif result.out_of_memory then
    message = "the parser ran out of memory; raise limits.memory"
  end
  return { imports = {}, errors = { report.note(message) }, warnings = {} }
end

--- What the parser of a language found, from the JSON that it printed.
---@param result codecell.CommandResult
---@return table found `imports errors warnings is_unfinished installed`
function report.read(result)
  local value = result.exit_code == 0 and json.decode_within(result.stdout,
    { values = VALUES_MOST })
  if type(value) ~= "table" then
    return report.overwhelmed(result)
  end
  local found = { imports = {}, errors = notes(value.errors), warnings = notes(value.warnings),
    is_unfinished = value.is_unfinished == true, installed = {} }
  for _, item in ipairs(items(value.imports, NAMES_MOST)) do
    local name = text_of(item.name, NAME_MOST)
    if name then
      table.insert(found.imports, { name = name, line = number_of(item.line),
        is_missing = item.is_missing == true, is_optional = item.is_optional == true or nil })
    end
  end
  for i, name in ipairs(type(value.installed) == "table" and value.installed or {}) do
    if i <= INSTALLED_MOST and type(name) == "string" and #name <= MODULE_MOST then
      table.insert(found.installed, name)
    end
  end
  return found
end

return report
