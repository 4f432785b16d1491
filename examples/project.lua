-- project.lua [FOLDER] -- code works on a project, and nothing happens to it before it is approved.
-- FOLDER (default: a small project made here) is mounted under an overlay: the code changes it at
-- will, the changes are shown as a diff, and those that you approve are made in the folder.
local codecell = require "codecell"

local FOLDER = arg[1]

local CODE = [[
import os, pathlib
os.chdir("/home/user/project")
greeting = pathlib.Path("greet.py")
greeting.write_text(greeting.read_text().replace("print('Hello')",
    "import sys\nprint('Hello,', sys.argv[1] if len(sys.argv) > 1 else 'world')"))
pathlib.Path("notes.txt").unlink()
pathlib.Path("test_greet.py").write_text("import subprocess\n"
    "assert subprocess.check_output(['python3', 'greet.py', 'you']) == b'Hello, you\\n'\n")
exec(pathlib.Path("test_greet.py").read_text())
print("tests pass")
]]

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

if not FOLDER then
  FOLDER = os.tmpname()
  os.remove(FOLDER)
  assert(os.execute("mkdir " .. FOLDER))
  write(FOLDER .. "/greet.py", "# Says hello.\nprint('Hello')\n")
  write(FOLDER .. "/notes.txt", "Greet by name.\n")
end

local sandbox = codecell.assert(codecell.create {
  mounts = { { host = FOLDER, path = "/home/user/project", mode = "overlay" } },
})

local execution = codecell.assert(sandbox:run_code(CODE))
io.write(table.concat(execution.logs.stdout), execution.error and execution.error.traceback or "")

-- What it did, so far only in the sandbox.
local approved = {}
for _, change in ipairs(codecell.assert(sandbox:changes { diff = true })) do
  print(("%s %s"):format(change.op, change.path))
  io.write(change.diff or "")
  if change.op ~= "remove" then -- somebody's decision: here, that nothing is removed
    approved[#approved + 1] = change.path
  end
end

local outcome = codecell.assert(sandbox:apply { paths = approved })
for _, change in ipairs(outcome.applied) do
  print("applied " .. change.host:match("[^/]*$"))
end
for _, failed in ipairs(outcome.failed) do
  print("not applied: " .. tostring(failed.err))
end
for _, change in ipairs(codecell.assert(sandbox:changes())) do
  print("left: " .. change.op .. " " .. change.path)
end
sandbox:close()

if not arg[1] then
  os.execute("rm -r " .. FOLDER)
end
