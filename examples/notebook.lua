-- notebook.lua FILE [FOLDER] -- runs a notebook written as Markdown: its prose is
-- printed, its code runs cell by cell in one session a language, and what comes
-- out stands below each cell. Pictures are saved in FOLDER (default: here).
--
--   lua examples/notebook.lua examples/notebooks/python.md
--
-- examples/notebooks/ has one for each language.
local codecell = require "codecell"

local path, FOLDER = arg[1], arg[2] or "."
if not path then
  io.stderr:write("usage: notebook.lua FILE [FOLDER]\n")
  os.exit(2, true)
end

local file = assert(io.open(path, "rb"))
local text = file:read("*a")
file:close()

local sandbox = codecell.assert(codecell.create())
local pictures = 0
local is_whole = true -- every cell could be run

local function save(execution)
  for _, result in ipairs(execution.results) do
    if result.png then
      pictures = pictures + 1
      local name = ("%s/figure-%d.png"):format(FOLDER, pictures)
      local picture = assert(io.open(name, "wb"))
      picture:write(result.png)
      picture:close()
      print("    saved as " .. name)
    end
  end
end

local function indented(lines, margin)
  return margin .. lines:gsub("\n$", ""):gsub("\n", "\n" .. margin)
end

-- What may run; or why not, and what to install.
local function can_run(language)
  local program, err = codecell.languages.program(language)
  return program ~= nil, err and err.message
end

local function run(code, language)
  local execution, err = sandbox:run_code(code, { language = language })
  if not execution then -- not run at all: the language is not installed, say
    is_whole = false
    return print("Not run: " .. tostring(err) .. "\n")
  end
  print(("In [%d], %s:\n%s\n"):format(execution.execution_count, language, indented(code, "    ")))
  local shown = codecell.format(execution, { style = "text" })
  if shown ~= "" then
    print(indented(shown, "  > "))
    save(execution)
    print()
  end
end

-- Prose and cells in the order of the file.
local at = 1
for _, block in ipairs(codecell.blocks.scan(text, { languages = can_run })) do
  local prose = text:sub(at, block.first - 1):gsub("^%s+", ""):gsub("%s+$", "")
  if prose ~= "" then
    print(prose .. "\n")
  end
  if block.runnable then
    run(block.code, block.language)
  else
    is_whole = false
    print("Not run: " .. block.why .. "\n")
  end
  at = block.last + 1
end
sandbox:close()
os.exit(is_whole and 0 or 3, true)
