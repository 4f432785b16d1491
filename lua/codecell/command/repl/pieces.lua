--- Whether code that is being typed is a whole piece, or goes on in the next line.
---
--- By the words and brackets of each language, without running anything. What is whole and wrong is
--- for the language to say.
local pieces = {}

local CLOSING = { ["("] = ")", ["["] = "]", ["{"] = "}" }

local function set(words)
  local found = {}
  for word in words:gmatch("%S+") do
    found[word] = true
  end
  return found
end

-- Of each language: what begins a comment, what strings stand between (with "lines" if they may
-- have several, "whole" if nothing in them is special), words that open and close, words and signs
-- behind which more must come.
local RULES = {
  python = {
    comment = "#",
    strings = { { '"""', '"""', "lines" }, { "'''", "'''", "lines" }, { '"', '"' },
      { "'", "'" } },
    after = set "\\", opening = {}, closing = {},
  },
  javascript = {
    comment = "//", block = { "/*", "*/" },
    strings = { { "`", "`", "lines" }, { '"', '"' }, { "'", "'" } },
    after = set ", . = + - * / % < > & | ^ ? : ! ~", opening = {}, closing = {},
    has_patterns = true,
  },
  lua = {
    comment = "--", long = true,
    strings = { { '"', '"' }, { "'", "'" } },
    opening = set "function do then repeat", closing = set "end until elseif",
    after = set ", . = + - * / % < > ^ ~ # : and or not local in",
  },
  bash = {
    comment = "#",
    strings = { { '"', '"', "lines" }, { "'", "'", "whole" }, { "`", "`", "lines" } },
    opening = set "if do case", closing = set "fi done esac", is_first = true,
    after = set "\\ | &&",
  },
}
RULES.typescript = RULES.javascript

local function starts(text, at, what)
  return what and text:sub(at, at + #what - 1) == what
end

-- Behind the string that begins there; nil: it has no end yet.
local function skip_string(text, at, rule)
  local close, lines = rule[2], rule[3]
  local i = at + #rule[1]
  while i <= #text do
    local char = text:sub(i, i)
    if char == "\\" and lines ~= "whole" then
      i = i + 2
    elseif starts(text, i, close) then
      return i + #close
    elseif char == "\n" and not lines then
      return i -- wrong, and over
    else
      i = i + 1
    end
  end
  return nil, not lines and text:sub(-1) ~= "\\"
end

local function skip_long(text, at)
  local level = text:match("^%[(=*)%[", at)
  if not level then
    return false
  end
  local _, last = text:find("]" .. level .. "]", at, true)
  return last and last + 1
end

-- A pattern of JavaScript, which begins as a division does.
local function skip_pattern(text, at, last)
  if last and not last:find("^[%(,=:%[!&|?{};+%-*%%~^<>]$") and last ~= "return" then
    return false
  end
  local rest = text:match("^/[^\n]-[^\\]/%a*()", at)
  return rest or false
end

-- A comment or a string that begins there: where it ends, or nil when it has no end; false: none.
local function skip(text, at, rules, last)
  if rules.block and starts(text, at, rules.block[1]) then
    local _, till = text:find(rules.block[2], at + 2, true)
    return till and till + 1
  elseif starts(text, at, rules.comment) and not (rules.is_first and at > 1
      and not text:find("^[%s;]", at - 1)) then
    if rules.long and text:find("^%[=*%[", at + 2) then
      return skip_long(text, at + 2)
    end
    return text:find("\n", at, true) or #text + 1
  elseif rules.long and text:find("^%[=*%[", at) then
    return skip_long(text, at)
  elseif rules.has_patterns and text:sub(at, at) == "/" then
    return skip_pattern(text, at, last)
  end
  for _, rule in ipairs(rules.strings) do
    if starts(text, at, rule[1]) then
      local till, is_wrong = skip_string(text, at, rule)
      return till or is_wrong and #text + 1 or nil
    end
  end
  return false
end

-- In a shell such words count where a command may begin.
local function counts(rules, text, at)
  if not rules.is_first then
    return true
  end
  local before = text:sub(1, at - 1)
  return before:find("^%s*$") or before:find("[\n;&|({]%s*$")
    or before:find("%f[%w]then%s+$") or before:find("%f[%w]do%s+$")
    or before:find("%f[%w]else%s+$") or before:find("%f[%w]in%s+$")
end

-- How deep the end of the text is, and the last thing before it; nil: inside of a string.
local function scan(text, rules)
  local stack, depth, last, lines = {}, 0, nil, {}
  local i = 1
  while i <= #text do
    local till = skip(text, i, rules, last)
    local char = text:sub(i, i)
    if till == nil then
      return nil
    elseif till then
      last = starts(text, i, rules.comment) and last or '"'
      i = till
    elseif char == "\n" then
      if #stack == 0 then
        lines[#lines + 1] = last
      end
      i = i + 1
    elseif char:find("%s") then
      i = i + 1
    elseif char:find("[%w_]") then
      local word = text:match("^[%w_]+", i)
      if counts(rules, text, i) then
        depth = depth + (rules.opening[word] and 1 or 0) - (rules.closing[word] and 1 or 0)
      end
      last, i = word, i + #word
    else
      if CLOSING[char] then
        stack[#stack + 1] = CLOSING[char]
      elseif char == stack[#stack] then
        stack[#stack] = nil
      end
      last, i = (char == "&" and last == "&") and "&&" or char, i + 1
    end
  end
  return #stack + math.max(depth, 0), last, lines
end

local DOCUMENT = "%f[<]<<(%-?)%s*['\"]?([%a_][%w_]*)['\"]?()"

-- Input of a command that stands in the lines behind it.
local function awaits_document(text)
  for mark, name, from in text:gmatch(DOCUMENT) do
    local pattern = "\n" .. (mark == "-" and "\t*" or "") .. name .. "\n"
    if not (text:sub(from) .. "\n"):find(pattern) then
      return true
    end
  end
  return false
end

-- A suite is over at a line that is empty.
local function awaits_suite(text, last, lines)
  if text:match("[^\n]*$"):find("^%s*$") then
    return false
  elseif last == ":" or text:match("[^\n]*$"):find("^@") or text:find("^%%%%") then
    return true
  end
  for _, sign in ipairs(lines) do
    if sign == ":" then
      return true
    end
  end
  return false
end

--- Whether more must come.
---@param text string
---@param language string
---@return boolean
function pieces.is_open(text, language)
  local rules = RULES[language]
  if not text:find("%S") then
    return false
  elseif not rules then -- a program: an empty line ends it
    return not text:match("[^\n]*$"):find("^%s*$")
  end
  local depth, last, lines = scan(text, rules)
  if not depth or depth > 0 then
    return true
  elseif language == "python" then
    return last == "\\" or awaits_suite(text, last, lines)
  elseif language == "bash" and awaits_document(text) then
    return true
  end
  local is_step = last and text:find("%+%+%s*$") or text:find("%-%-%s*$")
  return last ~= nil and rules.after[last] == true and not is_step
end

-- Lines of a Python suite that go on at its left.
local GOES_ON = set "else elif except finally case"

--- Whether a line that comes next belongs to a suite of Python that is open.
---@param line string
---@return boolean
function pieces.goes_on(line)
  return line:find("^%s") ~= nil or line == "" or GOES_ON[line:match("^%a*")] == true
    or line:find("^[%)%]}]") ~= nil
end

--- What the line behind a text begins with.
---@param text string
---@param language string
---@return string blanks
function pieces.indent(text, language)
  local line = text:match("[^\n]*$")
  local blanks = line:match("^[ \t]*")
  if language ~= "python" then
    return line:find("[%({%[]%s*$") and blanks .. "  " or blanks
  elseif line:find(":%s*$") or line:find("[%(%[{]%s*$") then
    return blanks .. "    "
  elseif line:find("^%s*return%f[^%w]") or line:find("^%s*pass%s*$")
    or line:find("^%s*break%s*$") or line:find("^%s*continue%s*$")
    or line:find("^%s*raise%f[^%w]") then
    return blanks:sub(1, -5)
  end
  return blanks
end

return pieces
