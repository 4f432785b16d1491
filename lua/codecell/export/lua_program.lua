--- A Lua program that runs the cells of a session again, in a sandbox of its own.
---
--- What each showed stands after it as "-->", which is what the program prints: `codecell doctest
--- --host-lua` compares the two, for a block of Markdown that holds it.
local format = require "codecell.agent.format"
local shown = require "codecell.export.shown"

local lua_program = {}

local BUDGET = 100000 -- characters that are shown of a cell

local HEAD = [=[
local codecell = require "codecell"
local sandbox = codecell.assert(codecell.create())

local function run(options, code)
  local execution = codecell.assert(sandbox:run_code(code, options))
  io.write(codecell.format.text(execution, { budget = %d }))
end
]=]

-- A text as Lua has it: in long brackets where they keep each byte, else quoted.
local function literal(text)
  if text:find("[%z\r]") or not text:find("\n") then
    return (("%q"):format(text):gsub("\\\n", "\\n"))
  end
  local level = 0
  while text:find("]" .. ("="):rep(level), 1, true) do
    level = level + 1
  end
  local marks = ("="):rep(level)
  return ("[%s[\n%s]%s]"):format(marks, text, marks)
end

local function options_of(cell)
  if cell.number > 1 then
    return ("context = %s_%d"):format(cell.language:gsub("[^%w]", "_"), cell.number)
  end
  return ("language = %q"):format(cell.language)
end

-- The context of a cell, at the first of its cells.
local function context_of(cell, made)
  local name = options_of(cell):match("^context = (.*)$")
  if not name or made[name] then
    return ""
  end
  made[name] = true
  return ("\nlocal %s = codecell.assert(sandbox:create_code_context { language = %q })\n")
    :format(name, cell.language)
end

--- The program.
---@param cells table[] see codecell.export
---@param about {title: string?, forgotten: integer}
---@return string
function lua_program.write(cells, about)
  local parts, made = {}, {}
  for _, line in ipairs({ about.title and shown.line(about.title) or "",
    shown.forgotten(about) or "" }) do
    parts[#parts + 1] = line ~= "" and "-- " .. line .. "\n" or nil
  end
  parts[#parts + 1] = HEAD:format(BUDGET)
  for _, cell in ipairs(cells) do
    parts[#parts + 1] = context_of(cell, made)
    parts[#parts + 1] = ("\nrun({ %s }, %s)\n"):format(options_of(cell), literal(cell.code))
    local text = cell.execution and format.text(cell.execution, { budget = BUDGET }) or ""
    if text ~= "" then
      parts[#parts + 1] = shown.prefixed("--> ", (text:gsub("\n$", "")))
    end
  end
  parts[#parts + 1] = "\nsandbox:close()\n"
  return table.concat(parts)
end

return lua_program
