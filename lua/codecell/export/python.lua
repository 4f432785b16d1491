--- A Python script of the Python cells of a session, what they showed in comments.
---
--- Cells begin with "# %%", as editors know them. What is no plain Python is still run: a cell that
--- awaits at its top level, or that raised, stands in a string for `run_cell`, which goes on after
--- it; "!command" becomes a call of subprocess. Magics and cells of other languages are comments.
local shown = require "codecell.export.shown"

local python = {}

local RUN_CELL = [[
import ast, asyncio, inspect, traceback

def run_cell(code):
    """Run a cell that awaits at its top level, or that may raise."""
    try:
        code = compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        awaited = eval(code, globals())
        if inspect.iscoroutine(awaited):
            run_cell.loop.run_until_complete(awaited)
    except Exception:
        traceback.print_exc()

run_cell.loop = asyncio.new_event_loop()
]]

local DISPLAY = [[
try:
    from IPython.display import display
except ImportError:
    display = print
]]

local ESCAPES = { ["\\"] = "\\\\", ["'"] = "\\'", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

-- A text as a literal of Python, on a line.
local function literal(text)
  return "'" .. text:gsub("[%z\1-\31\\'\127]", function(letter)
    return ESCAPES[letter] or ("\\x%02x"):format(letter:byte())
  end) .. "'"
end

local function in_string(code)
  local lines = {}
  for line in (code .. "\n"):gmatch("[^\n]*\n") do
    lines[#lines + 1] = "    " .. literal(line)
  end
  return "run_cell(\n" .. table.concat(lines, "\n") .. "\n)\n"
end

-- "!command", "names = !command", "%magic", "names = %magic", "name?": what it is in a script.
local function plain_line(line)
  local margin, name, command = line:match("^(%s*)([%a_][%w_]*)%s*=%s*!(.*)$")
  if name then
    return ("%s%s = subprocess.run(%s, shell=True, capture_output=True, text=True)"
      .. ".stdout.splitlines()"):format(margin, name, literal(command)), true
  end
  margin, command = line:match("^(%s*)!!?(.*)$")
  if margin then
    return ("%ssubprocess.run(%s, shell=True)"):format(margin, literal(command)), true
  end
  margin = line:match("^(%s*)%%") or line:match("^(%s*)[%w_.]+%s*=%s*%%[%a]")
    or line:match("^(%s*)%??[%a_][%w_.]*%?%??%s*$") and line:find("?", 1, true)
      and line:match("^%s*")
  return margin and ("%spass  # %s"):format(margin, line:match("^%s*(.*)$")) or line
end

-- Follow a line of Python: `state.quote` is what ends the text that is open after it, `depth`
-- counts open brackets, `goes_on` says that the next line belongs to it.
local function follow(line, state)
  local at = 1
  while at <= #line do
    local first = line:find(state.quote and "[\\" .. state.quote:sub(1, 1) .. "]"
      or "['\"#()%[%]{}]", at)
    local letter = first and line:sub(first, first)
    if not first or letter == "#" and not state.quote then
      break
    elseif letter == "\\" then
      at = first + 2
    elseif state.quote then
      local is_end = line:sub(first, first + #state.quote - 1) == state.quote
      at = first + (is_end and #state.quote or 1)
      state.quote = not is_end and state.quote or nil
    elseif letter == "'" or letter == '"' then
      local three = letter:rep(3)
      state.quote = line:sub(first, first + 2) == three and three or letter
      at = first + #state.quote
    else
      state.depth = math.max(0, state.depth + (letter:find("[(%[{]") and 1 or -1))
      at = first + 1
    end
  end
  state.goes_on = line:sub(-1) == "\\"
  if state.quote and #state.quote == 1 and not state.goes_on then
    state.quote = nil
  end
end

-- The code with its lines of IPython made plain, and whether a program is started by it.
local function plain_code(code)
  local lines, state, starts = {}, { depth = 0 }, false
  for line in (code:gsub("\r\n?", "\n") .. "\n"):gmatch("([^\n]*)\n") do
    local started
    if not state.quote and state.depth == 0 and not state.goes_on then
      line, started = plain_line(line)
      starts = starts or started
    end
    lines[#lines + 1] = line
    follow(line, state)
  end
  return table.concat(lines, "\n"), starts
end

local function title(cell, number)
  local words = { ("# %%%% cell %d"):format(number) }
  words[#words + 1] = cell.language ~= "python" and "[" .. shown.line(cell.language) .. "]" or nil
  words[#words + 1] = cell.number > 1 and ("context %d"):format(cell.number) or nil
  words[#words + 1] = cell.failure and "raised " .. shown.line(cell.failure.name or "an error")
    or nil
  return table.concat(words, " ") .. "\n"
end

local function body(cell, needs)
  if cell.language ~= "python" or cell.code:find("^%s*%%%%") then
    return shown.prefixed("# ", shown.plain(cell.code))
  end
  local code, starts = plain_code(cell.code)
  needs.subprocess = needs.subprocess or starts
  needs.display = needs.display or code:find("%f[%w_]display%(") ~= nil
  if cell.failure or code:find("%z") or code:find("%f[%w_]await%f[^%w_]")
    or code:find("%f[%w_]async%s") then
    needs.run_cell = true
    return in_string(code)
  end
  return code .. (code:sub(-1) == "\n" and "" or "\n")
end

local function comments(cell)
  local text = cell.execution and shown.text(cell.execution) or ""
  return text ~= "" and shown.prefixed("#> ", text) or ""
end

--- The script.
---@param cells table[] see codecell.export
---@param about {title: string?, forgotten: integer}
---@return string
function python.write(cells, about)
  local parts, needs, contexts = {}, {}, 1
  for i, cell in ipairs(cells) do
    contexts = math.max(contexts, cell.language == "python" and cell.number or 1)
    parts[i] = "\n" .. title(cell, i) .. body(cell, needs) .. comments(cell)
  end
  local head = { "#!/usr/bin/env python3\n" }
  for _, line in ipairs({ about.title and shown.line(about.title) or "", shown.forgotten(about)
    or "", contexts > 1 and ("These cells ran in %d contexts, each with variables of its own; "
    .. "here they share them."):format(contexts) or "" }) do
    head[#head + 1] = line ~= "" and "# " .. line .. "\n" or nil
  end
  head[#head + 1] = needs.subprocess and "import subprocess\n" or nil
  head[#head + 1] = needs.display and DISPLAY or nil
  head[#head + 1] = needs.run_cell and RUN_CELL or nil
  return table.concat(head) .. table.concat(parts)
end

return python
