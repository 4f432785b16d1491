--- What a model is told of code that failed, so that it can mend it.
local errors = require "codecell.errors"
local format = require "codecell.agent.format"
local known = require "codecell.packages.known"
local options = require "codecell.options"
local terminal = require "codecell.agent.terminal"
local unicode = require "codecell.agent.unicode"
local words = require "codecell.agent.words"

local repair = {}

local LINE_MOST = 200 -- characters of a line of code that is shown

local GIVEN = {
  attempt = { type = "integer", least = 1 }, code = { type = "data" },
  language = { type = "name" }, most = { type = "integer", least = 1 },
}

local MANAGERS = { python = "pip", javascript = "npm", typescript = "npm" }
local MISSING = {
  pip = { name = "ModuleNotFoundError", pattern = "^No module named '([%w_]+)" },
  npm = { name = "Error", pattern = "^Cannot find module '([^'./][^']*)'" },
}

--- The module that code wanted and that is not there.
---@param execution codecell.Execution
---@return string? module the first part of its name
---@return "pip"|"npm"|nil manager
function repair.missing_module(execution)
  local manager, failed = MANAGERS[execution.language], execution.error
  local way = manager and MISSING[manager]
  local module = way and failed and failed.name == way.name
    and (failed.value or ""):match(way.pattern)
  if module and manager == "npm" then
    module = module:match("^@[^/]+/[^/]+") or module:match("^[^/]+")
  end
  return module or nil, module and manager or nil
end

-- One line of what sandboxed code has a say in.
local function line_of(text)
  text = terminal.strip(unicode.repair(text)):gsub("[%c`]", " ")
  return unicode.head(text, LINE_MOST)
end

-- The line of the code that an error names.
local function place_in(code, number)
  local count = 0
  for line in (code .. "\n"):gmatch("([^\n]*)\n") do
    count = count + 1
    if count == number then
      return line:find("%S") and line_of(line:match("^%s*(.*)$")) or nil
    end
  end
end

local function add_place(out, execution, code)
  local number = execution.error and execution.error.line
  local line = code and number and place_in(code, number)
  if line then
    out[#out + 1] = ("Line %d of the code: `%s`"):format(number, line)
  end
end

local function add_module(out, execution)
  local module, manager = repair.missing_module(execution)
  local package = module and known.package_of(manager, module)
  if package then
    out[#out + 1] = ("The module %s comes with the package %s, which is not installed."):format(
      module, package)
  end
end

-- What is not the code's fault is not mended by other code of the same kind.
local function add_request(out, given, language, word)
  if word.fault ~= "code" and word.word ~= "invalid" then
    out[#out + 1] = "Go on in another way, or answer without code."
    return
  end
  local fence = language and ("in one ```%s block"):format(language) or "in one fenced block"
  local count = given.attempt and given.most
    and (" This is attempt %d of %d."):format(given.attempt, given.most) or ""
  out[#out + 1] = ("Send the corrected code %s.%s"):format(fence, count)
end

-- What happened, the word for it, and the execution that it happened in.
local function of_execution(execution)
  local word = words.of_execution(execution)
  if not word then
    return nil
  end
  return ("%s\nWhat to do (%s): %s"):format(format(execution), word.word, word.model), word,
    execution
end

local function of_error(err)
  local reason = err.reason and not err.message:find(err.reason, 1, true)
    and "\nReason: " .. err.reason or ""
  local word = words.of_error(err)
  return ("The code was not run: %s%s\nWhat to do (%s): %s"):format(err.message, reason, word.word,
    word.model), word
end

local function report_of(result)
  if errors.is(result) then
    return of_error(result)
  elseif result.parts and result.text then -- of a kit
    return result.is_error and result.text:gsub("\n+$", "") or nil,
      words.by_word[result.word] or words.by_word.internal, result.execution
  end
  return of_execution(result.execution or result)
end

--- What to tell a model whose code has failed: what it did, what to do about it, the line that the
--- error names, the package of a module that is missing.
---@param result codecell.Execution|codecell.Reply|codecell.ToolResult|codecell.Error
---@param given {code: string?, language: string?, attempt: integer?, most: integer?}? code: what
---was run; attempt, most: of repairs, are told where both are given
---@return string? prompt nil: nothing failed
function repair.prompt(result, given)
  options.argument("repair_prompt", "result", result, "table")
  given = options.check("repair_prompt", given, GIVEN)
  local report, word, execution = report_of(result)
  if not report then
    return nil
  end
  local out = { report }
  if execution then
    add_place(out, execution, given.code)
    add_module(out, execution)
  end
  add_request(out, given, given.language or execution and execution.language, word)
  return table.concat(out, "\n\n") .. "\n"
end

return repair
