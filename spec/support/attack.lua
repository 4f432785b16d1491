-- attack.lua -- runs attacking programs inside a sandbox and watches the host meanwhile.

local codecell = require "codecell"
local own = require "spec.support.own"

local attack = {}

local LONG = 60 -- seconds that no end of a sandbox takes

-- What every attacking Python program begins with: raw system calls by number.
attack.prelude = require("codecell.command.prove.program").prelude

--- Run a Python program in the sandbox; raises unless it could be started.
function attack.python(sandbox, code, options)
  return codecell.assert(
    sandbox.commands:run({ "python3", "-I", "-S", "-c", attack.prelude .. code }, options))
end

--- The lines "name outcome" that the program reported, as a table.
function attack.outcomes(sandbox, code, options)
  local result = attack.python(sandbox, code, options)
  local outcomes, count = {}, 0
  for name, outcome in result.stdout:gmatch("(%S+) (%S+)\n") do
    outcomes[name] = outcome
    count = count + 1
  end
  assert(count > 0, "the attack reported nothing: " .. result.stderr)
  return outcomes, result
end

--- First outcome that is not among `allowed` (a set), as "name outcome"; nil when all are.
function attack.unexpected(outcomes, allowed)
  for name, outcome in pairs(outcomes) do
    if not allowed[outcome] then
      return name .. " " .. outcome
    end
  end
end

function attack.set(...)
  local set = {}
  for _, value in ipairs({ ... }) do
    set[value] = true
  end
  return set
end

--- Output of a shell command on the host.
function attack.host(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Host processes whose command line names this sandbox.
function attack.left_of(id)
  return tonumber(attack.host("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' '\\n' | grep -c '"
    .. "[c]odecell-sandbox " .. id .. "'"))
end

--- Open descriptors of this process.
attack.descriptors = own.descriptors

--- Whether it has no more of them than `before`, after a while for what is still ending.
function attack.descriptors_fall_to(before)
  local deadline = os.time() + LONG
  while own.descriptors() > before and os.time() < deadline do
    codecell.step(0.02)
  end
  return own.descriptors() <= before
end

--- Is this test run by real root?
function attack.root()
  return attack.host("id -u"):match("%d+") == "0"
end

--- Machine name as uname has it; system call numbers below are those of x86_64.
function attack.machine()
  return (attack.host("uname -m"):match("%S+"))
end

--- Name of the interpreter that runs the tests.
function attack.interpreter()
  return os.getenv("CODECELL_LUA") or "lua5.4"
end

--- A sandbox for the body of a test, ended whatever happens; then the three things that must
--- hold after every case: nothing of it is left, the host is as it was, a new sandbox works.
function attack.within(body, options)
  local warm = codecell.assert(codecell.create({ timeout = 60 }))
  warm:close()
  codecell.step(0)
  collectgarbage()
  collectgarbage()
  local sandbox = codecell.assert(codecell.create(options))
  local id = sandbox.id
  local ok, problem = xpcall(function() -- which takes no arguments in Lua 5.1
    body(sandbox)
  end, debug.traceback)
  sandbox:close()
  local deadline = os.time() + LONG
  while attack.left_of(id) > 0 and os.time() < deadline do
    codecell.step(0.05)
  end
  if not ok then
    error(problem, 0)
  end
  assert(attack.left_of(id) == 0, "processes of the sandbox are left")
  local fresh = codecell.assert(codecell.create({ timeout = 60 }))
  local execution = codecell.assert(fresh:run_code("6 * 7"))
  fresh:close()
  assert(execution.text == "42", "the next sandbox does not work")
end

return attack
