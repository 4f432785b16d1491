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

-- Walk the lines of a session. Returns nil when nothing in it is a prompt.
local function split(code, input, more)
  local typed, answered, found, open = {}, {}, false, false
  for line in (code .. "\n"):gmatch("([^\n]*)\n") do
    local text = input(line)
    local continued = not text and open and more(line, typed[#typed])
    if text then
      found, open = true, true
      typed[#typed + 1] = text
    elseif continued then
      typed[#typed + 1] = continued
    else
      open = false
      answered[#answered + 1] = line
    end
  end
  if not found then
    return nil
  end
  while typed[#typed] == "" do
    typed[#typed] = nil -- the empty line that ends a statement
  end
  return table.concat(typed, "\n"), table.concat(answered, "\n")
end

--- Separate a session's input from its output.
---@param code string
---@param language string? canonical name
---@param is_session boolean the info string says so ("pycon", "console")
---@return string? code what was typed, without prompts; nil when this is no session
---@return string? expected what was answered
function prompt.split(code, language, is_session)
  local first = code:match("^%s*([^\n]*)") or ""
  if language == "python" and (is_session or python_input(first)) then
    return split(code, python_input, python_more)
  elseif language == "bash" and (is_session or first:find("^%$ %S")) then
    return split(code, shell_input, shell_more)
  end
  return nil
end

return prompt
