--- Languages whose interpreter or compiler has a way to parse and no more.
local report = require "codecell.analyze.report"
local scan = require "codecell.analyze.scan"

local others = {}

local ERRORS_MOST, LINES_MOST, LINE_MOST = 20, 200, 500

-- How each is asked, and how it tells an error: a pattern for line, column (or not) and message.
local PARSERS = {
  bash = { arguments = { "--noprofile", "--norc", "-n" },
    line = "^[^\n]-line (%d+): (.*)$", unfinished = "unexpected end of file",
    unfinished_too = "unexpected EOF while looking for" },
  c = { arguments = { "-fsyntax-only", "-x", "c", "-" },
    place = "^<stdin>:(%d+):(%d+): (.*)$", word = "error: ", unfinished = "at end of input" },
  cpp = { arguments = { "-fsyntax-only", "-x", "c++", "-" },
    place = "^<stdin>:(%d+):(%d+): (.*)$", word = "error: ", unfinished = "at end of input" },
  php = { arguments = { "-d", "display_errors=stderr", "-d", "log_errors=0", "-l" },
    last = "^(.-) in [^\n]- on line (%d+)$", unfinished = "unexpected end of file",
    unfinished_too = "Unclosed '" },
  ruby = { arguments = { "-c", "-" }, line = "^%-:(%d+): (.*)$",
    unfinished = "unexpected end%-of%-input" },
}

local function read_line(parser, line)
  if parser.place then
    local at, column, message = line:match(parser.place)
    local from = message and message:find(parser.word, 1, true)
    return from and report.note(message:sub(from + #parser.word), at, column)
  elseif parser.last then
    local message, at = line:match(parser.last)
    return message and report.note(message:gsub("^PHP ", ""), at)
  end
  local at, message = line:match(parser.line)
  return at and not message:find("^`") and report.note(message, at) -- bash repeats the line
end

local function errors_of(parser, result)
  local list, count = {}, 0
  for line in (result.stderr .. result.stdout):gmatch("[^\n]+") do
    count = count + 1
    if count > LINES_MOST or #list >= ERRORS_MOST then
      break
    end
    list[#list + 1] = read_line(parser, line:sub(1, LINE_MOST)) or nil
  end
  return list
end

local function is_unfinished(parser, list)
  for _, note in ipairs(list) do
    if note.message:find(parser.unfinished)
      or parser.unfinished_too and note.message:find(parser.unfinished_too) then
      return true
    end
  end
  return false
end

-- Headers that the compiler says it did not find.
local function note_headers(found)
  local missing = {}
  for _, note in ipairs(found.errors) do
    local header = note.message:match("^([^:]+): No such file or directory")
      or note.message:match("^'([^']+)' file not found")
    missing[header or ""] = true
  end
  for _, import in ipairs(found.imports) do
    import.is_missing = missing[import.name] or nil
  end
end

--- Look at code.
---@param sandbox codecell.Sandbox
---@param code string
---@param language string
---@param way table of `languages.way`
---@return table? found
---@return codecell.Error? err
function others.look(sandbox, code, language, way)
  local parser, argv = PARSERS[language], { way.program }
  for _, word in ipairs(parser.arguments) do
    argv[#argv + 1] = word
  end
  local prepare = way.language.prepare
  local result, err = report.run(sandbox, argv, prepare and prepare(code) or code)
  if not result then
    return nil, err
  end
  local found = { imports = {}, errors = errors_of(parser, result), warnings = {} }
  if result.exit_code ~= 0 and #found.errors == 0 then
    found.errors = report.overwhelmed(result).errors
  end
  found.is_unfinished = is_unfinished(parser, found.errors)
  if language == "c" or language == "cpp" then
    found.imports = scan.c(code)
    note_headers(found)
  end
  return found
end

return others
