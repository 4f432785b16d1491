-- screen.lua -- runs a command on a terminal of its own, types, and looks at what comes.
local json = require "cjson"
local shell = require "spec.support.shell"

local screen = {}

--- Take steps, which terminal.py explains, with a command line: {seen = {...}, rest, status,
--- is_restored, missing}.
---@param line string of the shell
---@param steps table[]
---@param options {rows: integer?, columns: integer?, variables: string?}?
function screen.run(line, steps, options)
  options = options or {}
  local lines = {}
  for i, step in ipairs(steps) do
    lines[i] = json.encode(step)
  end
  local terminal = shell.quote(os.getenv "PWD" .. "/spec/support/terminal.py")
  local result = shell.run(("TERM=xterm-256color %s python3 %s %d %d sh -c %s"):format(
    options.variables or "", terminal, options.rows or 24, options.columns or 80,
    shell.quote("exec " .. line)),
    { stdin = table.concat(lines, "\n"), time = 120 })
  assert(result.status == 0, result.stderr)
  local answer = json.decode(result.stdout)
  if answer.missing then
    error(("%q did not come; there was %q after %q"):format(answer.missing, answer.rest,
      table.concat(answer.seen)), 2)
  end
  return answer
end

return screen
