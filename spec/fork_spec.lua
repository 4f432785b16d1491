-- A context with a copy of the variables of another.

local codecell = require "codecell"
local attack = require "spec.support.attack"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local LONG = 60 -- seconds that nothing here takes

describe("context:fork #user", function()
  local sandbox_of = one_sandbox(teardown, { timeout = 600 })
  local sandbox, origin
  local idle -- processes, without any context

  local function run(context, code, options)
    options = options or {}
    options.context = context
    return codecell.assert(sandbox:run_code(code, options))
  end

  local function processes()
    return codecell.assert(sandbox:get_metrics()).processes
  end

  before_each(function()
    sandbox = sandbox_of()
    idle = idle or processes()
    origin = codecell.assert(sandbox:create_code_context())
  end)

  after_each(function()
    for _, context in ipairs(sandbox:list_code_contexts()) do
      sandbox:remove_code_context(context)
    end
  end)

  it("copies the variables; from then on each has its own", function()
    run(origin, "values = [1, 2]\ndef total(): return sum(values)")
    local copy = codecell.assert(origin:fork())
    assert.are_not.equal(origin.id, copy.id)
    assert.equal("python", copy.language)
    run(copy, "values.append(10)")
    assert.equal("13", run(copy, "total()").text)
    assert.equal("3", run(origin, "total()").text)
    run(origin, "values.append(100)")
    assert.equal("13", run(copy, "total()").text)
  end)

  it("goes on counting, and remembers what was run before", function()
    run(origin, "7")
    local copy = codecell.assert(origin:fork())
    local next_one = run(copy, "_ * 6, In[1], Out[1]")
    assert.equal("(42, '7', 7)", next_one.text)
    assert.equal(2, next_one.execution_count)
    assert.equal(2, run(origin, "1").execution_count)
  end)

  it("gives each its own output, results, errors and lines of them", function()
    run(origin, "def fail():\n    raise ValueError('here')")
    local copy = codecell.assert(origin:fork())
    local one = codecell.assert(sandbox:start_code("import time\ntime.sleep(0.1)\nprint('one')\n1",
      { context = origin }))
    local other = run(copy, "import sys\nprint('other')\nprint('bad', file=sys.stderr)\n2")
    assert.same({ "other\n" }, other.logs.stdout)
    assert.same({ "bad\n" }, other.logs.stderr)
    assert.equal("2", other.text)
    local done = codecell.assert(one:wait(LONG))
    assert.same({ "one\n" }, done.logs.stdout)
    assert.equal("1", done.text)
    local failed = run(copy, "fail()").error
    assert.equal("ValueError", failed.name)
    assert.truthy(failed.traceback:find("raise ValueError('here')", 1, true))
  end)

  it("keeps the folder, and the variables of the environment, of before and since", function()
    sandbox:set_envs({ BEFORE = "1" })
    run(origin, "import os\nos.chdir('/tmp')")
    local copy = codecell.assert(origin:fork())
    sandbox:set_envs({ SINCE = "2" })
    assert.equal("('/tmp', '1', '2')",
      run(copy, "os.getcwd(), os.environ['BEFORE'], os.environ['SINCE']").text)
  end)

  it("has chance of its own", function()
    run(origin, "import random, tempfile\nrandom.seed(1)")
    local copy = codecell.assert(origin:fork())
    local again = codecell.assert(origin:fork())
    local seen = {}
    for _, context in ipairs({ origin, copy, again }) do
      local text = run(context, "random.random(), tempfile.mktemp()").text
      assert.is_nil(seen[text])
      seen[text] = true
    end
  end)

  it("has arrays of numpy, and its threads", function()
    if run(origin, "import numpy\nm = numpy.ones((300, 300))\n(m @ m).sum()").error then
      return pending("numpy is not installed")
    end
    local copy = codecell.assert(origin:fork())
    run(copy, "m[0, 0] = 5")
    assert.truthy(run(copy, "(m @ m).sum()").text:find("27002", 1, true))
    assert.truthy(run(origin, "(m @ m).sum()").text:find("27000000", 1, true))
  end)

  it("can be forked again, and outlives its origin", function()
    run(origin, "x = 1")
    local copy = codecell.assert(origin:fork())
    run(copy, "x += 1")
    local again = codecell.assert(copy:fork())
    run(again, "x += 1")
    sandbox:remove_code_context(copy)
    sandbox:remove_code_context(origin)
    assert.equal("3", run(again, "x").text)
  end)

  it("has descriptors, signals, timers, mask and group like a new one #S121", function()
    local look = "import os, signal, sys\n"
      .. "fds = sorted(os.readlink('/proc/self/fd/' + n).split(':')[0]\n"
      .. "    for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n))\n"
      .. "lines = [line for line in open('/proc/self/status')\n"
      .. "  if line[:3] in ('Sig', 'Cap') and line[:4] != 'SigQ' or line[:5] == 'Umask'\n"
      .. "  or line[:7] == 'Threads']\n"
      .. "print(fds, lines, os.getcwd(), [signal.getitimer(n) for n in range(3)],\n"
      .. "    os.getpgid(0) == os.getsid(0) == os.getpid())"
    run(origin, "import signal\nsignal.setitimer(signal.ITIMER_REAL, 1000)")
    local copy = codecell.assert(origin:fork())
    local new = codecell.assert(sandbox:create_code_context())
    local found = run(copy, look).logs.stdout[1]
    -- The one more is what it shares with the process that stands for it.
    assert.equal(run(new, look).logs.stdout[1], (found:gsub(", 'socket'", "", 1)))
  end)

  it("is interrupted like any other, and keeps its variables then", function()
    run(origin, "x = 1")
    local copy = codecell.assert(origin:fork())
    local late = out_of_time(0.3, function(timeout)
      return run(copy, "x = 2\nprint('on', flush=True)\nwhile True: pass", { timeout = timeout })
    end)
    assert.equal("TimeoutError", late.error.name)
    assert.is_false(late.state_lost)
    assert.equal("2", run(copy, "x").text)
    assert.equal("1", run(origin, "x").text)
  end)

  it("does not hear what interrupts its origin", function()
    run(origin, "x = 1")
    local copy = codecell.assert(origin:fork())
    local running = codecell.assert(sandbox:start_code("import time\ntime.sleep(0.5)\n'whole'",
      { context = copy }))
    local late = run(origin, "while True: pass", { timeout = 0.1 })
    assert.equal("TimeoutError", late.error.name)
    assert.equal("whole", codecell.assert(running:wait(LONG)).text)
  end)

  it("is gone with all its processes once it is removed, also in the middle of a cell", function()
    run(origin, "x = 1")
    local copy = codecell.assert(origin:fork())
    local running = codecell.assert(sandbox:start_code("print(1)\nwhile True: pass",
      { context = copy, on_stdout = function()
        sandbox:remove_code_context(copy)
      end }))
    running:wait(LONG)
    sandbox:remove_code_context(origin)
    wait_until(function()
      return processes() == idle
    end)
  end)

  it("that ends itself is replaced, and says that its variables are lost", function()
    run(origin, "x = 1")
    local copy = codecell.assert(origin:fork())
    local ended = run(copy, "import os\nos._exit(0)")
    assert.equal("KernelDiedError", ended.error.name)
    assert.is_true(ended.state_lost)
    local again, err = copy:fork() -- of what is not there any more
    assert.is_nil(again)
    assert.equal("unavailable", err.kind)
    assert.equal("NameError", run(copy, "x").error.name)
    assert.equal("1", run(origin, "x").text)
  end)

  it("of a context without a process is a new one", function()
    local copy = codecell.assert(origin:fork())
    assert.equal("1", run(copy, "1").text)
  end)

  it("waits for the running cell", function()
    local running = codecell.assert(sandbox:start_code("import time\ntime.sleep(0.2)\nx = 5",
      { context = origin }))
    local copy = codecell.assert(origin:fork())
    assert.equal("5", run(copy, "x").text)
    assert.is_nil(codecell.assert(running:wait(LONG)).error)
  end)

  it("goes on with asyncio in both", function()
    run(origin, "import asyncio\nasync def later(): await asyncio.sleep(0.01); return 'done'")
    run(origin, "await later()")
    local copy = codecell.assert(origin:fork())
    for _ = 1, 2 do
      assert.equal("done", run(copy, "await later()").text)
      assert.equal("done", run(origin, "await later()").text)
    end
  end)

  it("is refused where a copy would be broken: threads, waiting tasks", function()
    run(origin, "import threading\nstop = threading.Event()\n"
      .. "thread = threading.Thread(target=stop.wait)\nthread.start()")
    local copy, err = origin:fork()
    assert.is_nil(copy)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find("threads run in this context", 1, true), err.message)
    run(origin, "stop.set()\nthread.join()\nimport asyncio\n"
      .. "task = asyncio.create_task(asyncio.sleep(100))")
    copy, err = origin:fork()
    assert.is_nil(copy)
    assert.truthy(err.message:find("asyncio", 1, true), err.message)
    run(origin, "task.cancel()")
    run(origin, "1")
    assert.truthy(origin:fork())
    assert.equal("1", run(origin, "1").text)
  end)

  it("is made whatever the code does with children that end #S133", function()
    run(origin, [[
import os, signal, subprocess
x = 1
signal.signal(signal.SIGCHLD, signal.SIG_IGN)]])
    assert.equal("1", run(codecell.assert(origin:fork()), "x").text)
    run(origin, [[
def take_all(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
signal.signal(signal.SIGCHLD, take_all)
for i in range(3):
    subprocess.Popen(["true"])]])
    local copy = codecell.assert(origin:fork())
    assert.equal("True", run(copy, "signal.getsignal(signal.SIGCHLD) is take_all").text)
    assert.equal("set()", run(copy, "signal.pthread_sigmask(signal.SIG_BLOCK, [])").text)
    assert.equal("True", run(origin, "signal.getsignal(signal.SIGCHLD) is take_all").text)
  end)

  it("is made for a host that ignores its children #S133", function()
    local text = attack.host(("trap '' CHLD; exec %s -e %s 2>&1"):format(attack.interpreter(),
      shell.quote([[
local codecell = require "codecell"
local sandbox = codecell.assert(codecell.create())
local context = sandbox:list_code_contexts()[1]
codecell.assert(sandbox:run_code("x = 41"))
print(sandbox:run_code("x + 1", { context = codecell.assert(context:fork()) }).text)
sandbox:close()]])))
    assert.equal("42\n", text)
  end)

  it("is refused in other languages, with a hint", function()
    local languages = require "codecell.languages"
    for _, one in ipairs(languages.list()) do
      if one.available and one.sort ~= "jupyter" and one.name ~= "python" then
        local context = codecell.assert(sandbox:create_code_context({ language = one.name }))
        local copy, err = context:fork()
        assert.is_nil(copy)
        assert.equal("unsupported", err.kind)
        assert.truthy(err.hint:find("only contexts of Python", 1, true))
      end
    end
  end)

  it("raises once the sandbox is closed, and knows of a removed context", function()
    sandbox:remove_code_context(origin)
    local copy, err = origin:fork()
    assert.is_nil(copy)
    assert.equal("not_found", err.kind)
    local other = codecell.assert(codecell.create())
    local context = other:list_code_contexts()[1] or codecell.assert(other:create_code_context())
    other:close()
    assert.is_false((pcall(context.fork, context)))
  end)

  it("of a context that is removed while it waits is given up", function()
    local running = codecell.assert(sandbox:start_code("import time\ntime.sleep(60)",
      { context = origin }))
    local copy, err
    local forking = codecell.async(function() copy, err = origin:fork() end)
    sandbox:remove_code_context(origin)
    forking:wait(LONG)
    running:wait(LONG)
    assert.is_nil(copy)
    assert.equal("cancelled", err.kind)
  end)

  it("believes no number of a process that there cannot be #S122", function()
    for _, number in ipairs({ "1e999", "0x1p9", "-1.25", "99999999", "nan" }) do
      local context = codecell.assert(sandbox:create_code_context())
      run(context, ([[
import gc
kernel = next(one for one in gc.get_objects()
              if type(one).__name__ == 'Kernel' and hasattr(one, 'anchor'))
send = kernel.send
def forge(frame=None, *options):
    at = (frame or b'').find(b'pid')
    if at > 0:
        frame = frame[:at + 3] + (%d).to_bytes(4, 'little') + b'%s'
        frame = (len(frame) - 16).to_bytes(4, 'little') + frame[4:]
    send(frame, *options)
kernel.send = forge]]):format(#number, number))
      local count = #sandbox:list_code_contexts()
      local copy, err = context:fork()
      assert.is_nil(copy)
      assert.equal("system", err.kind)
      assert.equal(count, #sandbox:list_code_contexts())
      assert.equal("2", run(context, "1 + 1").text)
    end
  end)

  it("gives its wire to nobody else who asks for it #S122", function()
    run(origin, "x = 1")
    local thief = codecell.assert(sandbox:create_code_context())
    local stealing = codecell.assert(sandbox:start_code([[
import os, socket, time
got, end = 0, time.time() + 30
while not os.path.exists("/tmp/enough") and time.time() < end:
    for name in os.listdir("/tmp"):
        if not name.startswith(".codecell-"):
            continue
        try:
            with socket.socket(socket.AF_UNIX) as thief:
                thief.settimeout(1)
                thief.connect("/tmp/" + name)
                got += len(socket.recv_fds(thief, 1, 9)[1])
        except OSError:
            pass
got
]], { context = thief }))
    for _ = 1, 5 do
      local copy, err = origin:fork()
      assert.is_true(copy ~= nil or err.kind == "system")
      if copy then
        assert.equal("1", run(copy, "x").text)
      end
    end
    codecell.assert(sandbox.files:write("/tmp/enough", ""))
    assert.equal("0", codecell.assert(stealing:wait(LONG)).text)
  end)
end)
