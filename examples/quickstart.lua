-- quickstart.lua [FOLDER] -- three answers of a language model become text, a
-- table and a chart. Their code runs in one sandbox on this machine; the chart
-- is saved in FOLDER (default: here) and drawn where the terminal can. With
-- E2B_MODE, or a key in E2B_API_KEY, it runs where that says: E2B_MODE=mock
-- executes nothing, and says so.
local codecell = require "codecell"

local HERE = arg[0]:match "^(.*)/[^/]*$" or "."
local FOLDER = arg[1] or "."
-- A pipe gets plain text and no drawing.
local TERMINAL = require("codecell.core").isatty(1)

local function read(name)
  local file = assert(io.open(HERE .. "/answers/" .. name, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function now()
  return codecell.reactor():now()
end

local function say(text, ...)
  io.stdout:write(text:format(...), "\n")
  io.stdout:flush()
end

-- A failure of the machine, not of the code: what is missing and what helps.
local function must(value, err)
  if value then
    return value
  end
  say("%s", tostring(err))
  if err.hint and not tostring(err):find(err.hint, 1, true) then
    say("  %s", err.hint)
  end
  say("'codecell doctor' says what this machine can do.")
  os.exit(1, true)
end

-- Python is there, but not what the code imports.
local function advise(execution)
  local problem = execution.error
  if problem and problem.name == "ModuleNotFoundError" then
    say("This machine's Python lacks a module. On Debian or Ubuntu type:\n"
      .. "  apt install python3-pandas python3-matplotlib")
  end
end

local function save(execution, name)
  for _, result in ipairs(execution.results) do
    if result.png then
      local path = FOLDER .. "/" .. name
      local file = assert(io.open(path, "wb"))
      file:write(result.png)
      file:close()
      return path, result.png
    end
  end
end

local function draw(sandbox, png)
  local drawing = TERMINAL and codecell.media.draw(png, {
    pixels = function(columns, rows)
      return codecell.media.thumbnail(sandbox, png, columns, rows)
    end,
  })
  if drawing then
    say("%s", drawing)
  end
end

local first_answer -- when the first code had run

-- Runs the code of one answer. Returns the last Execution and its seconds.
local function interpret(sandbox, name)
  local execution
  local started = now()
  for _, block in ipairs(codecell.blocks.scan(read(name))) do
    if block.runnable then
      execution = must(sandbox:run_code(block.code, { language = block.language }))
      first_answer = first_answer or now()
      say("%s", codecell.format(execution, { style = TERMINAL and "ansi" or "text" }))
      advise(execution)
      if execution.error then
        return execution, now() - started
      end
    end
  end
  return assert(execution, "no code in " .. name), now() - started
end

local settings = must(codecell.config())
local backend = (settings.is_chosen or settings.api_key) and settings.backend or "local"
if backend == "local" then
  must(codecell.languages.program "python") -- which the answers are written in
end
local started = now()
local sandbox = must(codecell.create({ backend = backend }))
local created = now() - started
must(sandbox.files:write("sales.csv", read "sales.csv"))

say "1. The answer to: Fibonacci numbers up to 10"
local failed = interpret(sandbox, "fibonacci.md").error
say("  %.1f ms to create, %.1f ms to the first answer\n", created * 1000,
  (first_answer - started) * 1000)

say "2. The answer to: statistics of this CSV file"
local execution, seconds = interpret(sandbox, "statistics.md")
failed = failed or execution.error
say("  %.0f ms\n", seconds * 1000)

say "3. The answer to: sine and cosine in one chart"
execution, seconds = interpret(sandbox, "chart.md")
failed = failed or execution.error
local path, png = save(execution, "chart.png")
if png then
  draw(sandbox, png)
  say("  %.0f ms, saved as %s\n", seconds * 1000, path)
end
sandbox:close()

if failed then
  say("One of the answers failed: %s", failed.name)
  os.exit(1, true)
end
