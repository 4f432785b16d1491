-- What an execution tells of the processors, memory and network that it has used.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local wait_until = require "spec.support.wait_until"

local BURN = [[
import time
end = time.process_time() + 1
while time.process_time() < end: pass
]]

describe("usage of an execution #user", function()
  local sandbox = one_sandbox(teardown, { timeout = 600 })

  local function usage(code, options)
    local execution = codecell.assert(sandbox():run_code(code, options))
    assert.is_nil(execution.error)
    return execution.usage
  end

  -- A second, as BURN takes. A busy machine may count late, and then for what it has not seen.
  local function about_a_second(found)
    assert.is_true(found > 0.4 and found < 4, found)
  end

  it("is the processor time of the code, however long it took #K06", function()
    about_a_second(usage(BURN).cpu_seconds)
    local slept = usage("import time; time.sleep(0.8)")
    assert.is_true(slept.cpu_seconds >= 0 and slept.cpu_seconds < 0.4)
    assert.is_nil(slept.estimated)
  end)

  it("has that of the programs that the code has waited for #K06", function()
    codecell.assert(sandbox().files:write("burn.py", BURN))
    about_a_second(usage("import subprocess, sys\n"
      .. "subprocess.run([sys.executable, 'burn.py']).returncode").cpu_seconds)
    local slept = usage("import time; time.sleep(0.1)") -- what has ended is still counted
    assert.is_true(slept.cpu_seconds >= 0)
  end)

  it("is not more than all that its sandbox has used, whatever a callback takes #K06", function()
    local own = codecell.assert(codecell.create())
    local execution = codecell.assert(own:run_code([[
import os, time
print("begun", flush=True)
while not os.path.exists("go"): time.sleep(0.01)
end = time.process_time() + 0.3
while time.process_time() < end: pass]], { on_stdout = function()
      codecell.assert(own.commands:run("sleep 2; touch go"))
    end }))
    assert.is_nil(execution.error)
    local all = codecell.assert(own._backend.ask(own, "metrics", "metrics")).cpu_seconds
    own:close()
    assert.is_true(execution.usage.cpu_seconds <= all, execution.usage.cpu_seconds)
  end)

  it("is that of each cell alone, and of a program too #K06", function()
    codecell.assert(sandbox().commands:run("python3 burn.py"))
    assert.is_true(usage("import time; time.sleep(0.8)").cpu_seconds < 0.4)
    about_a_second(usage("python3 burn.py", { language = "bash" }).cpu_seconds)
    about_a_second(usage("do { ($user, $system) = times } while $user + $system < 1",
      { language = "perl" }).cpu_seconds)
  end)

  it("has the peaks of memory and processes, and the disk #K06", function()
    codecell.assert(sandbox().files:write("kept", "x"))
    local used = usage("import time; text = 'x' * 50000000; time.sleep(0.5); del text")
    assert.is_true(used.memory_peak > 50000000)
    assert.is_true(used.processes_peak >= 1)
    assert.is_true(used.disk_used > 0)
    assert.is_nil(used.network_in)
  end)

  it("is how long it took, where that was short, and says so #K06", function()
    local execution
    wait_until(function() -- a busy machine may make it long
      execution = codecell.assert(sandbox():run_code("1"))
      return execution.usage.estimated
    end)
    assert.is_true(execution.usage.cpu_seconds > 0 and execution.usage.cpu_seconds < 1)
  end)

  it("is there when the code fails, runs out of time or ends its interpreter #K06", function()
    local failed = codecell.assert(sandbox():run_code(BURN .. "1 / 0"))
    about_a_second(failed.usage.cpu_seconds)
    local late = codecell.assert(sandbox():run_code("while True: pass", { timeout = 2 }))
    assert.is_true(late.timed_out and late.usage.cpu_seconds > 0)
    local died = codecell.assert(sandbox():run_code(BURN .. "import os; os._exit(3)"))
    about_a_second(died.usage.cpu_seconds)
  end)
end)
