--- Why a program failed: errors from what a compiler or an interpreter has printed.
local execution = require "codecell.execution"

local failure = {}

local TEXT_MOST = 16384 -- bytes of a traceback
local LINE_MOST = 512 -- bytes of a line that are looked at

-- What the signals of a faulty program mean.
local MEANINGS = {
  SIGABRT = "it gave up: an assertion, or an exception that nobody took",
  SIGBUS = "it used memory that is not there",
  SIGFPE = "an impossible division",
  SIGILL = "an instruction that does not exist",
  SIGKILL = "it was killed",
  SIGPIPE = "it wrote to a pipe that nobody reads",
  SIGSEGV = "it used memory that is not its own",
  SIGSYS = "a system call that is not allowed",
  SIGTERM = "it was asked to end",
  SIGTRAP = "a check of its own failed",
  SIGXFSZ = "a file grew too large",
}

-- Half of a long text is worth more than none: the first errors, and how it ended.
local function shortened(text)
  if #text <= TEXT_MOST then
    return text
  end
  local head = text:sub(1, TEXT_MOST / 2):match("^(.*\n)") or ""
  local tail = text:sub(-TEXT_MOST / 2):match("\n(.*)$") or ""
  return ("%s... %d bytes left out ...\n%s"):format(head, #text - #head - #tail, tail)
end

--- A text without the private folder in the names of its files.
---@param text string
---@param folder string
---@return string
function failure.relative(text, folder)
  return (text:gsub(folder:gsub("%p", "%%%0") .. "/", ""))
end

local function escaped(text)
  return (text:gsub("%p", "%%%0"))
end

local MARKS = { ":", " line ", " on line " }

-- The line of the user's file that a text names, and where: "main.c:3:", "at main.pl line 3.".
local function place_in(text, file)
  local name = escaped(file:match("[^/]+$"))
  local first, line
  for _, mark in ipairs(MARKS) do
    local at, _, digits = text:find(name .. mark .. "(%d+)")
    if at and (not first or at < first) then
      first, line = at, execution.number(digits)
    end
  end
  return line, first
end

-- The line that an interpreter names when it gives up, and what it says of the end: the first of
-- both, as lists of calls have them, or the last, as those do that end by saying why. What names no
-- place is the program's own, whose last words count.
local function words_of_end(text, file, which)
  local place, first, last
  for line in text:gmatch("[^\n]+") do
    local start = line:sub(1, LINE_MOST)
    local is_warning = start:find("^%a*%s*[Ww]arning")
    local found = not is_warning and (not place or which == "last") and place_in(line, file)
    place = found or place
    if start:find("%S") then
      last, first = start, first or not is_warning and start or nil
    end
  end
  return place, place and which ~= "last" and first or last
end

-- An error and not a warning, nor a line of the program that is quoted.
local function is_error(line)
  local lower = line:sub(1, LINE_MOST):lower()
  if lower:find("^%s*%d*%s*|") then
    return false
  end
  return lower:find("^error") or lower:find("[:%s]error[:%s%[]")
    or lower:find("undefined reference", 1, true) or lower:find("multiple definition", 1, true)
end

-- The first line that is an error, and where it starts; else the first that names a place.
local function first_error(text, file)
  local start = 1
  for line, after in text:gmatch("([^\n]*)\n?()") do
    if is_error(line) then
      return line, start
    end
    start = after
  end
  local _, at = place_in(text, file)
  at = at or 1
  local line_start = at - #text:sub(math.max(1, at - LINE_MOST), at - 1):match("[^\n]*$")
  return text:match("[^\n]+", line_start), line_start
end

local WHOLE = "\nThe code of a %s cell is a whole program: there is no %q in it.\n"

--- The error of a program that was not compiled.
---@param text string what the compiler said
---@param file string name of the source
---@param language table `name`, `whole`
---@param code string
---@return codecell.ExecutionError
function failure.of_compiler(text, file, language, code)
  local value, start = first_error(text, file)
  local traceback = shortened(text)
  if language.whole and not code:find("%f[%w_]" .. language.whole .. "%f[^%w_]") then
    traceback = traceback .. WHOLE:format(language.name, language.whole)
  end
  value = value and value:sub(1, LINE_MOST) or "the compiler failed and said nothing"
  return { name = "CompileError", value = value,
    traceback = traceback, line = place_in(text:sub(start or 1), file) or place_in(text, file) }
end

--- The error of a program that ended badly. What it printed is in its logs.
---@param result codecell.CommandResult
---@param file string name of the source
---@param folder string that it is in
---@param which "first"|"last"|nil place of the source in what it printed that the error is at
---@return codecell.ExecutionError? failure nil: it did not
function failure.of_program(result, file, folder, which)
  local place, words = words_of_end(failure.relative(result.stderr, folder), file, which)
  local name, value
  if result.signal then
    local meaning = MEANINGS[result.signal]
    name = "SignalError"
    value = "the program was ended by " .. result.signal .. (meaning and ": " .. meaning or "")
  elseif result.exit_code ~= 0 then
    name = "ExitError"
    value = ("the program ended with status %d"):format(result.exit_code)
      .. (words and ": " .. words or "")
  else
    return nil
  end
  return { name = name, value = value, traceback = name .. ": " .. value, line = place,
    exit_code = not result.signal and result.exit_code or nil }
end

return failure
