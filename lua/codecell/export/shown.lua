--- What a cell shows, as text: what documents hold below their code, and what they are compared
--- with.
local cut = require "codecell.agent.format.cut"
local json = require "codecell.json"
local terminal = require "codecell.agent.terminal"

local shown = {}

--- Text of the sandbox without anything that steers a reader: lines that were written over keep
--- their last state, escape sequences are removed, control characters are made visible.
---@param text string
---@return string
function shown.plain(text)
  return terminal.strip(cut.collapse(text))
end

local BLANKS = { [9] = true, [10] = true, [13] = true, [32] = true }

--- A text without the blanks and newlines at its end. Not by a pattern: those take quadratic time
--- on long runs of them.
---@param text string
---@return string
function shown.trimmed(text)
  local last = #text
  while BLANKS[text:byte(last)] do
    last = last - 1
  end
  return text:sub(1, last)
end

--- One short line of it.
---@param text string
---@return string
function shown.line(text)
  return (shown.plain(text:sub(1, 400)):gsub("[\n\t]", " "))
end

local LONG = 4000

--- The error in one line: "ZeroDivisionError: division by zero".
---@param failure codecell.ExecutionError
---@return string
function shown.failure(failure)
  local value = failure.value or ""
  return shown.trimmed(shown.plain(((failure.name or "Error") .. (value ~= "" and ": " .. value
    or "")):sub(1, LONG)))
end

--- The error with where it happened.
---@param failure codecell.ExecutionError
---@return string
function shown.traceback(failure)
  local text = failure.traceback
  if type(text) ~= "string" or text == "" then
    return shown.failure(failure)
  end
  return shown.trimmed(shown.plain(text))
end

-- The text of a result; nil: it is a picture, or has none.
local function result_text(result)
  for _, format in ipairs({ "text", "markdown", "latex" }) do
    if type(result[format]) == "string" then
      return result[format]
    end
  end
  return result.json ~= nil and json.encode(result.json) or nil
end

--- All of it: what was printed, then results, then the error.
---@param execution codecell.Execution
---@param failure string? how the error is told; default: with its traceback
---@return string text without a newline at its end
function shown.text(execution, failure)
  local parts = {}
  local function add(text)
    if text and text ~= "" then
      parts[#parts + 1] = (shown.plain(text):gsub("\n$", ""))
    end
  end
  add(table.concat(execution.logs.stdout))
  add(table.concat(execution.logs.stderr))
  for _, result in ipairs(execution.results) do
    if not (result.png or result.jpeg or result.svg) then
      add(result_text(result))
    end
  end
  if execution.error then
    parts[#parts + 1] = failure or shown.traceback(execution.error)
  end
  return table.concat(parts, "\n")
end

--- Lines with a prefix each, which nothing in them can leave.
---@param prefix string
---@param text string
---@return string ends with a newline
function shown.prefixed(prefix, text)
  local lines = {}
  text = text:gsub("\r\n?", "\n")
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    lines[#lines + 1] = line == "" and prefix:gsub(" +$", "") or prefix .. line
  end
  return table.concat(lines, "\n") .. "\n"
end

--- When something was, in UTC.
---@param at integer seconds of os.time
---@return string "2026-01-31T12:00:00Z"
function shown.time(at)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", at)
end

--- That cells are missing, in a sentence; nil: none are.
---@param about {forgotten: integer}
---@return string?
function shown.forgotten(about)
  if about.forgotten > 0 then
    return ("%d earlier cells are not kept any more and missing here"):format(about.forgotten)
  end
end

return shown
