--- The programs that attack: Python where the sandbox has it, else the shell.
---
--- An attack reports each try as a line "name outcome" on standard output: the name of an errno,
--- or a word of its own. What it could read it prints as it is: the host knows what to look for,
--- and the program does not.
local json = require "codecell.json"

local program = {}

--- What every attacking Python program begins with: raw system calls by number, and reports.
program.prelude = [[
import ctypes, errno, os, signal, socket, stat, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    "outcome of a raw system call: 'ok' or the name of the errno"
    ctypes.set_errno(0)
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    if libc.syscall(ctypes.c_long(number), *words) != -1:
        return "ok"
    return errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))
def attempt(action, *arguments):
    "outcome of a Python call: 'ok' or the name of the errno"
    try:
        action(*arguments)
        return "ok"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
def report(name, outcome):
    print(str(name).replace(" ", "_"), outcome, flush=True)
]]

-- What the host says of itself; numbers of system calls: [x86_64, aarch64].
local GIVEN = [[
import json
given = json.loads(os.environ["GIVEN"])
column = {"x86_64": 0, "aarch64": 1}.get(os.uname().machine)
def numbered(calls):
    if column is None:
        report("calls", "unknown-machine")
    return {name: numbers[column] for name, numbers in calls.items()} if column is not None else {}
def show(path, size=65536):
    "prints what can be read of a file"
    with open(path, "rb") as file:
        sys.stdout.buffer.write(file.read(size) + b"\n")
        sys.stdout.buffer.flush()
def contents(path):
    try:
        with open(path, "rb") as file:
            return file.read(65536)
    except OSError:
        return b""
def processes():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
]]

-- The shell has no errno: the words of its messages, with LC_ALL=C.
local SHELL = [[
outcome() {
  case "$1" in
    *"No such file"*|*"nonexistent"*|*"not found"*) echo ENOENT;;
    *"Permission denied"*|*"permission denied"*) echo EACCES;;
    *"Read-only file system"*) echo EROFS;;
    *"ot permitted"*|*"must be superuser"*) echo EPERM;;
    *"No such process"*) echo ESRCH;;
    *"esource temporarily"*|*"annot fork"*) echo EAGAIN;;
    *"No space left"*) echo ENOSPC;;
    *) echo "unclear";;
  esac
}
try() { # NAME COMMAND...: what it prints is shown
  name=$1; shift
  if text=$("$@" 2>&1); then printf '%s\n' "$text"; echo "$name ok"
  else echo "$name $(outcome "$text")"; fi
}
write() { ( : >> "$1" ); }
]]

--- How to run an attack.
---@param attack table of attacks.lua
---@param python string? the interpreter; nil: there is none
---@param given table what the host says of itself
---@return string[]? argv nil: it cannot be tried without Python
---@return table<string, string> envs
function program.of(attack, python, given)
  if python then
    local code = program.prelude .. GIVEN .. attack.code
    return { python, "-I", "-S", "-c", code }, { GIVEN = assert(json.encode(given)) }
  elseif attack.shell then
    return { "/bin/sh", "-c", SHELL .. attack.shell, "attack", given.file, given.home,
      tostring(given.pid), given.outside }, { LC_ALL = "C" }
  end
  return nil, {}
end

--- The tries that a program reported, in order, and what it printed besides.
---@param text string
---@return {name: string, outcome: string}[]
function program.outcomes(text)
  local tries = {}
  for name, outcome in ("\n" .. text):gmatch "\n([%w_:/.,*-]+) ([%w_-]+)%f[\n%z]" do
    tries[#tries + 1] = { name = name, outcome = outcome }
  end
  return tries
end

return program
