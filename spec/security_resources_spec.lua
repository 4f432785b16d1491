-- Resource abuse: everything has a bound, and the host stays well meanwhile.

local attack = require "spec.support.attack"
local codecell = require "codecell"
local out_of_time = require "spec.support.out_of_time"

local within = attack.within

-- The sandbox still answers after an attack.
local function works(sandbox)
  assert.equal("2", assert(sandbox:run_code("1 + 1")).text)
end

describe("a hungry program #once", function()
  it("is stopped by the process limit, by fork and by thread #S074 #I10 #I12", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
children, problem = [], None
try:
    while len(children) < 200:
        pid = os.fork()
        if pid == 0:
            for number in range(1, 32): attempt(lambda: signal.signal(number, signal.SIG_IGN))
            time.sleep(30)
            os._exit(0)
        children.append(pid)
except OSError as error:
    problem = errno.errorcode[error.errno]
print(len(children), problem)
import threading
for pid in children[:-1]: os.kill(pid, 9); os.waitpid(pid, 0)
threads = 0
event = threading.Event()
try:
    while threads < 200:
        threading.Thread(target=event.wait, daemon=True).start()
        threads += 1
except RuntimeError:
    pass
print(threads, flush=True)
os._exit(0)
]])
      local forked, why, threads = result.stdout:match("(%d+) (%S+)\n(%d+)")
      assert.equal("EAGAIN", why)
      assert.is_true(tonumber(forked) <= 32 and tonumber(forked) >= 20, forked)
      assert.is_true(tonumber(threads) <= 32, threads)
      works(sandbox)
    end, { limits = { processes = 32 } })
  end)

  it("may be a fork bomb and still ends with its command #S074 #S089 #I09", function()
    within(function(sandbox)
      local result = codecell.assert(sandbox.commands:run(
        { "python3", "-c", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass" },
        { timeout = 1 }))
      assert.is_true(result.timed_out)
    end, { limits = { processes = 64 } })
  end)

  it("loses only itself to the memory limit, and that is said #S075 #I12", function()
    within(function(sandbox)
      local execution = assert(sandbox:run_code(
        "block = []\nwhile True: block.append(bytearray(1 << 20))"))
      local name = execution.error.name
      assert.is_true(name == "MemoryError" or name == "OutOfMemoryError", name)
      assert.equal(name == "OutOfMemoryError", execution.out_of_memory == true)
      works(sandbox)
    end, { limits = { memory = 128 * 2 ^ 20 } })
  end)

  it("cannot exceed the memory of the sandbox by many processes #S076", function()
    within(function(sandbox)
      local by = assert(sandbox:get_info()).limits.memory.by
      assert.is_true(by == "cgroup2" or by == "cgroup1" or by == "watchdog", tostring(by))
      local result = attack.python(sandbox, [[
children = []
for _ in range(8):
    pid = os.fork()
    if pid == 0:
        hog = bytearray(b"x") * (100 << 20)
        time.sleep(60)
        os._exit(0)
    children.append(pid)
until = time.time() + 50 # a hog fills its memory as fast as the machine can
while len(children) > 2 and time.time() < until:
    children = [pid for pid in children if os.waitpid(pid, os.WNOHANG)[0] == 0]
    time.sleep(0.05)
print(len(children), flush=True)
]], { timeout = 100 })
      local left = tonumber(result.stdout)
      assert.is_true(left == nil or left <= 2, result.stdout)
      if by ~= "watchdog" then -- which acts a tenth of a second late
        local metrics = codecell.assert(sandbox:get_metrics())
        assert.is_true(metrics.memory_peak <= 257 * 2 ^ 20, tostring(metrics.memory_peak))
      end
    end, { limits = { memory = 256 * 2 ^ 20 } })
  end)

  it("cannot keep more in sockets than a part of its memory #S076", function()
    within(function(sandbox)
      if assert(sandbox:get_info()).limits.memory.by == "watchdog" then
        return pending("without control groups nothing counts what sockets hold")
      end
      local result = attack.python(sandbox, [[
import socket
listener = socket.create_server(("127.0.0.1", 0))
pairs, total = [], 0
for _ in range(400):
    near = socket.create_connection(listener.getsockname())
    pairs.append((near, listener.accept()[0]))
    near.setblocking(False)
    try:
        while True: total += near.send(bytes(1 << 18))
    except BlockingIOError:
        pass
    print(total >> 20, flush=True)
]], { timeout = 60 })
      local most = tonumber(result.stdout:match("(%d+)\n$")) -- of one that was killed too
      assert.is_true(most < 256, result.stdout:sub(-100))
      assert.equal("yes\n", assert(sandbox.commands:run("echo yes")).stdout)
    end, { limits = { memory = 256 * 2 ^ 20 } })
  end)

  it("runs out of inodes before the machine does #S078", function()
    within(function(sandbox)
      local found = attack.outcomes(sandbox, [[
os.mkdir("/tmp/many")
outcome, count = "unbounded", 0
try:
    while count < 3000000:
        os.close(os.open("/tmp/many/%d" % count, os.O_CREAT | os.O_WRONLY))
        count += 1
except OSError as error:
    outcome = errno.errorcode[error.errno]
report("files", outcome)
]], { timeout = 100 })
      assert.equal("ENOSPC", found.files)
      assert.is_true(assert(sandbox.files:remove("/tmp/many")))
    end, { limits = { disk = 64 * 2 ^ 20 } })
  end)

  it("runs out of descriptors and watches of its own #S079", function()
    within(function(sandbox)
      local found = attack.outcomes(sandbox, [[
files, outcome = [], "unbounded"
try:
    while len(files) < 5000: files.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    outcome = errno.errorcode[error.errno]
report("files", outcome)
for fd in files: os.close(fd)
watches, outcome = 0, "unbounded"
try:
    while watches < 1000:
        if libc.inotify_init() < 0: raise OSError(ctypes.get_errno(), "")
        watches += 1
except OSError as error:
    outcome = errno.errorcode[error.errno]
report("inotify", outcome)
]])
      assert.equal("EMFILE", found.files)
      assert.equal("EMFILE", found.inotify)
      local own = attack.host(
        [[/usr/bin/python3 -c 'import ctypes; print(ctypes.CDLL(None).inotify_init() >= 0)']])
      assert.equal("True\n", own)
    end)
  end)

  it("leaves terminals to others #S079", function()
    within(function(sandbox)
      local found = attack.outcomes(sandbox, [[
terminals, outcome = 0, "unbounded"
try:
    while terminals < 1000:
        os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
        terminals += 1
except OSError as error:
    outcome = errno.errorcode[error.errno]
report("terminals", outcome)
report("count", terminals)
]])
      assert.equal("ENOSPC", found.terminals)
      assert.equal("128", found.count)
      assert(assert(sandbox.pty:create({ cmd = { "true" } })):wait(20))
    end)
  end)

  it("floods standard output and is cut, counted and survived #S080 #I10", function()
    within(function(sandbox)
      local result = codecell.assert(sandbox.commands:run(
        "yes | head -c 50000000; yes x | head -c 50000000 >&2"))
      assert.is_true(#result.stdout <= 2 ^ 20)
      assert.equal(50000000, result.truncated.stdout.total)
      assert.is_true(#result.stderr <= 2 ^ 20)
      assert.equal(50000000, result.truncated.stderr.total)
      assert.is_true(assert(sandbox.commands:run("yes", { timeout = 0.5 })).timed_out)
      local execution = assert(sandbox:run_code("for i in range(300000): print('line', i)"))
      assert.is_true(#table.concat(execution.logs.stdout) <= 2 ^ 20)
      assert.is_true(execution.truncated.stdout.total > 3000000)
      assert.matches("^line 0\n", execution.logs.stdout[1])
      assert.matches("line 299999\n$", table.concat(execution.logs.stdout))
      works(sandbox)
    end, { limits = { output = 2 ^ 20 } })
  end)

  for name, code in pairs({
    ["a loop"] = "while True: pass",
    ["a sleep"] = "import time\ntime.sleep(1000)",
    ["blocked signals"] = "import signal\n"
      .. "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\nwhile True: pass",
    ["a loop in C"] = "sum(range(10 ** 13))",
    ["a regular expression"] = "import re\nre.match('(a*)*b', 'a' * 40)",
    ["a caught interrupt"] = "while True:\n"
      .. "  try:\n    while True: pass\n  except BaseException: pass",
    ["ignored signals"] = "import signal\n"
      .. "for n in (2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
    ["a destructor"] = "class D:\n  def __del__(self):\n    while True: pass\nd = D()\ndel d",
    ["a stop of itself"] = "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
  }) do
    it("ends " .. name .. " at the deadline of its cell #S081 #S082 #S083 #S087 #I09", function()
      within(function(sandbox)
        local execution = out_of_time(1, function(timeout)
          return assert(sandbox:run_code("print('begun', flush=True)\n" .. code,
            { timeout = timeout }))
        end)
        assert.is_true(execution.timed_out)
        assert.equal("begun\n", table.concat(execution.logs.stdout))
        assert.truthy(execution.error)
        works(sandbox)
      end)
    end)
  end

  it("keeps the variables when an interrupted cell stops #S081", function()
    within(function(sandbox)
      assert(sandbox:run_code("x = 41"))
      local execution = assert(sandbox:run_code("while True: pass", { timeout = 0.5 }))
      assert.is_true(execution.timed_out)
      assert.is_falsy(execution.state_lost)
      assert.equal("42", assert(sandbox:run_code("x + 1")).text)
    end)
  end)

  it("ends with the sandbox whatever it forked and wherever it hid #S084", function()
    local id
    within(function(sandbox)
      id = sandbox.id
      codecell.assert(sandbox.commands:run(
        "for i in 1 2 3; do setsid sh -c 'trap \"\" TERM HUP INT; exec -a hidden-" .. id
          .. " sleep 1000' >/dev/null 2>&1 </dev/null & done; (setsid sleep 1001 & ) ; true"))
    end)
    assert.equal("0\n", attack.host("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' ' '"
      .. " | grep -c '[h]idden-" .. id .. "'"))
  end)

  it("lets a command return although a child holds its output #S085", function()
    within(function(sandbox)
      local result = codecell.assert(sandbox.commands:run("sleep 1000 & echo done"))
      assert.equal("done\n", result.stdout)
      -- The shell may have ended before its child is the program.
      assert.equal(0, codecell.assert(sandbox.commands:run(
        "until pgrep -fx 'sleep 1000'; do sleep 0.05; done", { timeout = 60 })).exit_code)
    end)
  end)

  it("leaves no zombie of ten thousand orphans #S086", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
for _ in range(2000):
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.waitpid(pid, 0)
deadline = time.time() + 60
while time.time() < deadline:
    count = len([p for p in os.listdir("/proc") if p.isdigit()])
    if count <= 3: break
    time.sleep(0.05)
print(count)
]], { timeout = 300 })
      assert.is_true(tonumber(result.stdout) <= 3, result.stdout)
    end)
  end)

  it("finds no cgroup to leave #S088", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
mounts = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup" in line]
print(mounts, os.path.exists("/sys/fs/cgroup/cgroup.procs"))
]])
      assert.equal("[] False\n", result.stdout)
    end)
  end)

  it("signals everything and hurts only what it started #S043", function()
    within(function(sandbox)
      assert(sandbox:run_code("kept = 1"))
      for _, code in ipairs({
        "for n in range(1, 65):\n  attempt(lambda: os.kill(1, n))\nprint('alive')",
        "attempt(lambda: os.kill(-1, 9))",
        "attempt(lambda: os.kill(-1, signal.SIGSTOP))\nos._exit(0)",
      }) do
        attack.python(sandbox, code, { timeout = 2 })
      end
      assert(sandbox:run_code("1"))
      assert.is_true(sandbox:is_running())
      works(sandbox)
    end)
  end)

  it("cannot stretch a deadline by stopping everything #S087 #S090", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
attempt(lambda: os.kill(-1, signal.SIGSTOP))
os.kill(os.getpid(), signal.SIGSTOP)
]], { timeout = 1 })
      assert.is_true(result.timed_out)
    end)
  end)
end)
