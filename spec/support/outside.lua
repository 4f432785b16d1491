-- outside.lua -- programs of the host that talk to a sandbox while the reactor is stepped.
local codecell = require "codecell"
local shell = require "spec.support.shell"

local outside = {}

local LONG = 300 -- seconds that no program here takes, nor the tests that one serves

local function exists(path)
  local file = io.open(path, "r")
  if file then
    file:close()
  end
  return file ~= nil
end

--- Start a Python program of the host; answers a function that steps until it has ended, and
--- gives what it printed, and one that says what it has printed so far.
function outside.start(program)
  local folder = shell.folder()
  shell.write(folder .. "/program.py", program)
  os.execute(("(timeout %d /usr/bin/python3 %s/program.py > %s/out 2>&1 < /dev/null; "
    .. ": > %s/ended) > /dev/null 2>&1 &"):format(LONG, folder, folder, folder))
  local function wait()
    local patience = os.time() + LONG
    while not exists(folder .. "/ended") and os.time() < patience do
      codecell.step(0.02)
    end
    local text = shell.read(folder .. "/out")
    shell.remove(folder)
    return text
  end
  return wait, function()
    return shell.read(folder .. "/out") or ""
  end
end

--- Run a Python program of the host to its end, and step meanwhile.
function outside.python(program)
  return (outside.start(program)())
end

--- Start one that serves, and wait for the first line that it prints: a port.
function outside.server(program)
  local wait, printed = outside.start(program)
  local patience = os.time() + LONG
  while not printed():find("\n", 1, true) and os.time() < patience do
    codecell.step(0.02)
  end
  return tonumber(printed():match("^(%d+)")), wait, printed
end

return outside
