--- Sessions pasted with their prompts: what was typed, and what was answered.
local prompt = {}

-- What a Python prompt is followed by, or nil.
local function python_input(line)
  return line:match("^%s*>>> (.*)$") or line:match("^%s*>>>$") and ""
    or line:match("^In %[%d*%]: ?(.*)$")
end

local function python_more(line)
  return line:match("^%s*%.%.%. ?(.*)$") or line:match("^   +%.%.%.: ?(.*)$")
end

-- No prompt is longer. These patterns take quadratic time on a long line that matches none.
local PROMPT_MAX = 160

-- "$ ls", "user@host:~$ ls", "(venv) $ ls", "bash-5.1$ ls", "root@host:/# ls".
local function shell_input(line)
  local head = line:sub(1, PROMPT_MAX)
  local past = head:match("^%s*%$ ()")
    or head:match("^%([%w_.-]+%) %$ ()")
    or head:match("^[%w_.-]+@[%w_.-]+[^%s$#]*[$#] ()")
    or head:match("^%([%w_.-]+%) [%w_.-]+@[%w_.-]+[^%s$#]*[$#] ()")
    or head:match("^%a*sh%-[%d.]+[$#] ()")
  return past and line:sub(past) or head:find("^%s*%$$") and "" or nil
end

-- A "> " continues a command only while the command is incomplete.
local function shell_more(line, previous)
  if previous:find("\\$") or previous:find("[|&]%s?$") then
    return line:match("^> ?(.*)$") or line
  end
  return line:match("^> (.*)$")
end

-- Walk the lines of a session: its examples, what was typed and what was answered to it. Returns
-- nil when nothing in it is a prompt.
local function walk(code, input, more)
  local examples, before, open, number = {}, {}, false, 0
  for line in (code .. "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    local example, text = examples[#examples], input(line)
    local continued = not text and open and more(line, example.typed[#example.typed])
    if text then
      open = true
      examples[#examples + 1] = { typed = { text }, answered = {}, line = number }
    elseif continued then
      example.typed[#example.typed + 1] = continued
    else
      open = false
      table.insert(example and example.answered or before, line)
    end
  end
  return examples[1] and examples, before
end

local function find(code, language, is_session)
  local first = code:match("^%s*([^\n]*)") or ""
  if language == "python" and (is_session or python_input(first)) then
    return walk(code, python_input, python_more)
  elseif language == "bash" and (is_session or first:find("^%$ %S")) then
    return walk(code, shell_input, shell_more)
  end
end

--- The examples of a session.
---@param code string
---@param language string? canonical name
---@param is_session boolean its info string, or its beginning, says that it is one
---@return {typed: string[], answered: string[], line: integer}[]? examples nil when this is none
function prompt.examples(code, language, is_session)
  return (find(code, language, is_session))
end

--- Separate a session's input from its output.
---@param code string
---@param language string? canonical name
---@param is_session boolean the info string says so ("pycon", "console")
---@return string? code what was typed, without prompts; nil when this is no session
---@return string? expected what was answered
function prompt.split(code, language, is_session)
  local examples, answered = find(code, language, is_session)
  if not examples then
    return nil
  end
  local typed = {}
  for _, example in ipairs(examples) do
    for _, line in ipairs(example.typed) do
      typed[#typed + 1] = line
    end
    for _, line in ipairs(example.answered) do
      answered[#answered + 1] = line
    end
  end
  while typed[#typed] == "" do
    typed[#typed] = nil -- the empty line that ends a statement
  end
  return table.concat(typed, "\n"), table.concat(answered, "\n")
end

return prompt
