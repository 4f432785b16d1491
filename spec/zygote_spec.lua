-- Zygotes: kernels of a pool that are forked from an interpreter which has done the imports.

local codecell = require "codecell"
local attack = require "spec.support.attack"
local core = require "codecell.core"
local host = require "spec.support.host"
local in_sandbox = require "spec.support.in_sandbox"
local one_pool = require "spec.support.one_pool"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local LONG = 60 -- seconds that nothing here takes

local function ask(sandbox, code, options)
  local done = codecell.assert(sandbox:run_code(code, options))
  assert(not done.error, done.error and done.error.traceback)
  return done
end

local function printed(sandbox, code)
  return table.concat(ask(sandbox, code).logs.stdout)
end

local function number(sandbox, code)
  return tonumber(ask(sandbox, code).text)
end

-- The options of a pool, and of what takes from it.
local function with(options, more)
  local all = {}
  for _, values in ipairs({ options, more or {} }) do
    for name, value in pairs(values) do
      all[name] = value
    end
  end
  return all
end

local function take(options, called)
  in_sandbox(with({ warm = true }, options), called)
end

local function is_there(module)
  local ok = os.execute("/usr/bin/python3 -c 'import " .. module .. "' 2>/dev/null")
  return ok == true or ok == 0
end


local function lives(pid)
  local file = io.open("/proc/" .. pid .. "/status", "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text ~= nil and text:find("State:%s+[ZX]") == nil
end

-- Process numbers of the zygote of a full pool and of its stem. Others may run on this machine: the
-- warden of a sandbox that waits has the stem for a parent, and so has the zygote.
local function processes(pool)
  for _, one in ipairs(core.sandboxes()) do
    if one.id == pool.stock[1].sandbox.id then
      local stem = attack.host(("cat /proc/%d/status"):format(one.pid)):match("PPid:%s*(%d+)")
      local found = attack.host(("grep -l '^PPid:[[:space:]]*%s$' $(grep -l "
        .. "'^NSpid:.*[[:space:]]30000$' /proc/[0-9]*/status 2>/dev/null)"):format(stem))
      return assert(found:match("/proc/(%d+)/"), "it has no zygote"), stem
    end
  end
end

-- How many they have.
local function descriptors(zygote, stem)
  return tonumber(attack.host(("ls /proc/%s/fd /proc/%s/fd | wc -l"):format(zygote, stem)))
end

describe("a zygote #user #once", function()
  local OPTIONS = { size = 1 }
  OPTIONS.imports = { "random", "uuid", "tempfile", "ctypes", "secrets", "ssl" }
  OPTIONS.imports[#OPTIONS.imports + 1] = is_there("numpy") and "numpy" or nil
  local MEMORY = 512 * 1024 * 1024
  OPTIONS.limits = { memory = MEMORY, processes = 16 }
  local pool = one_pool(teardown, OPTIONS)
  local LIKE = { limits = OPTIONS.limits }

  it("is what the kernels of a pool with imports are forked from #D21", function()
    assert.equal("ready", pool():stats().zygote)
    assert.is_nil(pool():stats().zygote_error)
    take(LIKE, function(sandbox)
      assert.equal("(2, 0, True)",
        ask(sandbox, "import os, sys\nos.getpid(), os.getppid(), 'uuid' in sys.modules").text)
    end)
  end)

  it("serves a create too for which nothing is ready", function()
    pool()
    local before = pool():stats().missed
    local first = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    local second = codecell.assert(codecell.create(with({ warm = true, envs = { A = "b" } }, LIKE)))
    assert.is_true(pool():stats().missed > before)
    assert.equal("(2, 0, True, 'b')", ask(second,
      "import os, sys\nos.getpid(), os.getppid(), 'uuid' in sys.modules, os.environ['A']").text)
    first:close()
    second:close()
  end)

  it("gives each of a hundred forks chance, names and identifiers of its own #S118", function()
    pool()
    local code = "import random, uuid, tempfile, secrets, os, ssl, platform\n"
      .. "a = [random.random(), random.getrandbits(64), uuid.uuid4(), uuid.uuid1(), "
      .. "tempfile.mktemp(), next(tempfile._get_candidate_names()), secrets.token_hex(8), "
      .. "os.urandom(8).hex(), ssl.RAND_bytes(8).hex(), random.SystemRandom().random()]\n"
      .. "try:\n    import numpy\n"
      .. "    a += [numpy.random.rand(), numpy.random.default_rng().random()]\n"
      .. "except ImportError:\n    pass\n"
      .. "print(*a, sep='\\n')"
    local seen, ids, lines = {}, {}, 0
    local zygote, stem = processes(pool())
    local kept = descriptors(zygote, stem)
    for _ = 1, 100 do
      local sandbox = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
      for word in printed(sandbox, code):gmatch("%S+") do
        assert.is_nil(seen[word], word)
        seen[word], lines = true, lines + 1
      end
      assert.is_nil(ids[sandbox.id])
      ids[sandbox.id] = true
      sandbox:close()
    end
    assert.is_true(lines >= 1000)
    wait_until(function() -- nor does the stem or the zygote keep anything of them
      return descriptors(zygote, stem) <= kept
    end)
  end)

  it("hands down nothing: descriptors, timers, threads, locks, masks, folder #S121", function()
    pool()
    take(LIKE, function(sandbox)
      assert.equal("['/dev/null', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe']\n",
        printed(sandbox, "import os\nfd = '/proc/self/fd/'\n"
          .. "print([os.readlink(fd + n).split(':')[0]\n"
          .. "for n in sorted(os.listdir(fd)) if os.path.exists(fd + n)])"))
      assert.equal("((0.0, 0.0), (0.0, 0.0), set(), 1, '/home/user', 18, 2, 2)\n", printed(sandbox,
        "import os, signal, threading\n"
        .. "print((signal.getitimer(signal.ITIMER_REAL), signal.getitimer(signal.ITIMER_PROF),\n"
        .. "signal.pthread_sigmask(signal.SIG_BLOCK, []), len(os.listdir('/proc/self/task')),\n"
        .. "os.getcwd(), os.umask(18), os.getsid(0), os.getpgid(0)))"))
      assert.equal("False OSError []\n", printed(sandbox, [[
import _imp, os
def tty():
    try:
        os.open('/dev/tty', os.O_RDWR)
    except OSError as error:
        return type(error).__name__
name = [entry for entry in os.environ if 'PRELOAD' in entry or 'SEAL' in entry]
print(_imp.lock_held(), tty(), name)
]]))
      assert.equal("", printed(sandbox, "import subprocess\n"
        .. "print(subprocess.run(['sh', '-c', 'env | grep -e PRELOAD -e SEALED'],"
        .. " capture_output=True, text=True).stdout, end='')"))
      -- Registered anew, a restartable sequence says on which processor it is.
      assert.equal("True", ask(sandbox, "import ctypes, os\nc = ctypes.CDLL(None)\nseen = []\n"
        .. "for cpu in sorted(os.sched_getaffinity(0)):\n    os.sched_setaffinity(0, [cpu])\n"
        .. "    seen.append(c.sched_getcpu() == cpu)\nall(seen)").text)
    end)
  end)

  it("makes a session the same as a kernel that starts by itself #S121", function()
    pool()
    local code = [[
import os, resource, signal, sys
wanted = ('Umask', 'Uid', 'Gid', 'Groups', 'Threads', 'SigBlk', 'SigIgn', 'SigPnd',
          'ShdPnd', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp',
          'CoreDumping', 'THP_enabled', 'Cpus_allowed')
for line in open('/proc/self/status'):
    name, value = line.split(':')[:2]
    if name == 'SigCgt': # above are those of the C library, once a thread has been made
        print(int(value, 16) & 0x7fffffff)
    elif name in wanted:
        print(line, end='')
for name in sorted(dir(resource)):
    if name.startswith('RLIMIT_'):
        print(name, resource.getrlimit(getattr(resource, name)))
for name in 'oom_score_adj', 'timerslack_ns', 'personality', 'cgroup', 'mountinfo', 'loginuid':
    try:
        print(name, open('/proc/self/' + name).read())
    except OSError as error:
        print(name, error.strerror)
for name in sorted(os.listdir('/proc/self/ns')):
    print(os.readlink('/proc/self/ns/' + name))
print(sorted(os.environ.items()), os.uname(), os.getcwd(), os.getpriority(0, 0),
      os.sched_getscheduler(0), os.getgroups(), os.path.realpath(sys.executable))
print([signal.getsignal(number) for number in range(1, 65) if number != 2])
print([os.get_inheritable(number) for number in range(5)], os.isatty(0))
print(sys.argv, sys.flags, sys.path, os.access('/', os.W_OK), sys.getrecursionlimit())
]]
    take(LIKE, function(sandbox)
      local second = codecell.assert(sandbox:create_code_context({ language = "python" }))
      local other = table.concat(ask(sandbox, code, { context = second }).logs.stdout)
      local own = printed(sandbox, code):gmatch("[^\n]*")
      for line in other:gmatch("[^\n]*") do
        assert.equal(line, own())
      end
    end)
  end)

  it("leaves a session without rights, behind all walls of any other code #S120", function()
    pool()
    take(LIKE, function(sandbox)
      local status = printed(sandbox, "print(open('/proc/self/status').read())")
      for _, set in ipairs({ "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" }) do
        assert.equal("0000000000000000", status:match(set .. ":%s*(%x+)"), set)
      end
      assert.equal("1", status:match("NoNewPrivs:%s*(%d)"))
      assert.equal("2", status:match("Seccomp:%s*(%d)"))
      assert.equal("{'EPERM'}\n", printed(sandbox, attack.prelude .. [[
seen = set()
for name in os.listdir('/proc/self/ns'):
    space = os.open('/proc/self/ns/' + name, os.O_RDONLY)
    seen.add(call(308, space, 0))  # setns
    os.close(space)
for number in 272, 165, 161, 155, 101, 310, 311, 312, 438:  # unshare, mount, ... pidfd_getfd
    seen.add(call(number, 0x10000000, 0, 0, 0, 0))
print(seen)
]]))
    end)
  end)

  it("cannot be seen, signalled, traced, limited or read #S120", function()
    pool()
    local zygote, stem = processes(pool())
    take(LIKE, function(sandbox)
      local other = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
      ask(other, "secret = 'of the other'")
      local outcomes = {}
      for name, outcome in printed(sandbox, attack.prelude .. [[
report('processes', ','.join(n for n in os.listdir('/proc') if n.isdigit()))
for pid in (30000, 3, 4, 5, os.getppid()):
    for name in 'mem', 'maps', 'fd', 'environ', 'root', 'cwd', 'exe':
        path = '/proc/%d/%s' % (pid, name)
        report('open%d%s' % (pid, name), attempt(os.open, path, os.O_RDONLY))
    if pid:
        for signal_number in 0, 9, 15, 19:
            report('kill%d.%d' % (pid, signal_number), attempt(os.kill, pid, signal_number))
        report('ptrace%d' % pid, call(101, 16, pid, 0, 0))
        report('pidfd%d' % pid, call(434, pid, 0))
        report('prlimit%d' % pid, call(302, pid, 0, 0, 0))
        report('setpriority%d' % pid, call(141, 0, pid, 5))
        report('affinity%d' % pid, call(203, pid, 8, ctypes.c_char_p(b'\1' + bytes(7))))
        report('read%d' % pid, call(310, pid, 0, 0, 0, 0, 0))
for name in 'mem', 'maps', 'fd', 'environ', 'root', 'cwd', 'exe':
    report('reaper' + name, attempt(os.listdir if name == 'fd' else open, '/proc/1/' + name))
]]):gmatch("(%S+) (%S+)\n") do
        outcomes[name] = outcome
      end
      assert.equal("1,2", outcomes.processes)
      outcomes.processes = nil
      for name, outcome in pairs(outcomes) do
        assert.truthy(outcome == "ENOENT" or outcome == "ESRCH" or outcome == "EPERM"
          or outcome == "EACCES", name .. " " .. outcome)
      end
      assert.equal("of the other", ask(other, "secret").text)
      other:close()
    end)
    assert.is_true(lives(zygote) and lives(stem))
    assert.equal("ready", pool():stats().zygote)
  end)

  it("has no file, socket, queue or name that a session could reach #S120", function()
    pool()
    take(LIKE, function(sandbox)
      assert.equal("[] [] False\n", printed(sandbox,
        "import os\nnamed = [row for row in open('/proc/net/unix') if '/' in row or '@' in row]\n"
        .. "there = [name for name in os.listdir('/run') if name != 'bin']\n" -- of the root itself
        .. "print(there, named, os.path.exists('/run/fork.so'))"))
      assert.equal("[1, 1, 1]\n", printed(sandbox, -- the heads of the tables
        "print([len(open('/proc/sysvipc/' + n).readlines()) for n in ('shm', 'msg', 'sem')])"))
      -- What it runs is mapped from where nobody can write.
      assert.equal("set()\n", printed(sandbox, [[
import os
bad = set()
for line in open('/proc/self/maps'):
    words = line.split(None, 5)
    path = words[5].strip() if len(words) > 5 else ''
    if path.startswith('/') and os.access(path, os.W_OK):
        bad.add(path)
    if 's' in words[1] and 'w' in words[1]:
        bad.add(line)
print(bad)
]]))
      assert.equal("True\n", printed(sandbox, attack.prelude .. [[
import json
seen = set()
for path in json.__file__, os.path.dirname(json.__file__) + '/new.py', '/run/fork.so':
    seen.add(attempt(open, path, 'a'))
print(seen <= {'EROFS', 'EACCES'})
]]))
    end)
  end)

  it("is not poisoned by what a session does to its modules #S120", function()
    pool()
    take(LIKE, function(sandbox)
      ask(sandbox, "import random, uuid, sys, builtins\nrandom.random = lambda: 'poison'\n"
        .. "uuid.uuid4 = None\nsys.modules['tempfile'] = None\nbuiltins.poison = 1\n"
        .. "sys.path.insert(0, '/poison')\nimport os\nos.environ['POISON'] = '1'\n"
        .. "import atexit\natexit.register(print, 'poison')\n"
        .. "import ctypes\nctypes.CDLL(None).setenv(b'CODECELL_SEALED', b'1', 1)\n"
        .. "pid = os.fork()\nif not pid:\n    os._exit(7)\nos.waitpid(pid, 0)")
    end)
    for _ = 1, 2 do
      take(LIKE, function(sandbox)
        assert.equal("(True, True, True, False, False, False)", ask(sandbox,
          "import random, uuid, tempfile, builtins, sys, os\n(random.random() != 'poison', "
          .. "uuid.uuid4 is not None, tempfile is not None, hasattr(builtins, 'poison'), "
          .. "'/poison' in sys.path, 'POISON' in os.environ)").text)
      end)
    end
  end)

  it("puts its sessions under the limits of their sandboxes #S061", function()
    pool()
    take(LIKE, function(sandbox)
      local limits = sandbox:get_info().limits
      local done = codecell.assert(sandbox:run_code(
        "try:\n    a = bytearray(600 << 20)\nexcept MemoryError:\n    print('refused')"))
      assert.equal("refused\n", table.concat(done.logs.stdout), limits.memory.by)
      local forks = number(sandbox, [[
import os, signal
children = []
try:
    while len(children) < 100:
        pid = os.fork()
        if not pid:
            signal.pause()
        children.append(pid)
except OSError:
    pass
for pid in children:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
len(children)
]])
      assert.is_true(forks < 16, forks)
      -- Seen from its own group, which else were above it.
      assert.equal(codecell.assert(sandbox.commands:run({ "cat", "/proc/self/cgroup" })).stdout,
        printed(sandbox, "print(open('/proc/self/cgroup').read(), end='')"))
      -- sudo allows this program no core, and a sandbox gets no more than its host.
      local core_size = shell.run("ulimit -Hc").stdout == "0\n" and 0 or 1
      local wanted = ("(16384, %d, %d)\n"):format(core_size, core_size)
      assert.equal(wanted, printed(sandbox, "import resource as r\n"
        .. "print((r.getrlimit(r.RLIMIT_NOFILE)[1] * 16, *r.getrlimit(r.RLIMIT_CORE)))"))
    end)
  end)

  it("has a session that eats too much ended, and not itself", function()
    pool()
    take(LIKE, function(sandbox)
      local done = codecell.assert(sandbox:run_code([[
import os, time
for _ in range(6):
    if not os.fork():
        a = bytearray(200 << 20)
        for at in range(0, len(a), 4096):
            a[at] = 1
        time.sleep(60)
a = bytearray(100 << 20)
for at in range(0, len(a), 4096):
    a[at] = 1
time.sleep(60)
]], { timeout = 3 }))
      assert.is_true(done.error ~= nil or sandbox:_state() == "running")
      local gone = sandbox:get_metrics()
      assert.truthy(not gone or gone.memory_used <= 2 * MEMORY)
    end)
    take(LIKE, function(sandbox)
      assert.equal("2", ask(sandbox, "1+1").text)
    end)
    assert.equal("ready", pool():stats().zygote)
  end)

  it("has sessions that are interrupted, timed out and replaced as any kernel", function()
    pool()
    take(LIKE, function(sandbox)
      ask(sandbox, "kept = 41")
      local late = codecell.assert(sandbox:run_code("while True: pass", { timeout = 0.2 }))
      assert.is_true(late.timed_out)
      assert.equal("42", ask(sandbox, "kept + 1").text)
      local dead = codecell.assert(sandbox:run_code("import os\nos.kill(os.getpid(), 9)"))
      assert.equal("KernelDiedError", dead.error.name)
      assert.truthy(dead.error.value:find("SIGKILL"), dead.error.value)
      assert.is_true(dead.state_lost)
      assert.equal("(True, False)", ask(sandbox,
        "import os, sys\nos.getppid() == 0, 'kept' in globals()").text)
      local left = codecell.assert(sandbox:run_code("import os\nos._exit(3)"))
      assert.truthy(left.error.value:find("status 3"), left.error.value)
    end)
  end)

  it("has sessions with contexts, copies of them, pauses, metrics and commands", function()
    pool()
    take(LIKE, function(sandbox)
      ask(sandbox, "value = 5\nsum(range(5000000))")
      local second = codecell.assert(sandbox:create_code_context({ language = "python" }))
      assert.equal("False", ask(sandbox, "'value' in globals()", { context = second }).text)
      local default = sandbox:list_code_contexts()[1]
      local copy = codecell.assert(default:fork())
      assert.equal("6", ask(sandbox, "value + 1", { context = copy }).text)
      assert.equal("5", ask(sandbox, "value").text)
      codecell.assert(sandbox:pause())
      codecell.assert(sandbox:resume())
      assert.equal("5", ask(sandbox, "value").text)
      local metrics = codecell.assert(sandbox:get_metrics())
      assert.is_true(metrics.processes >= 1)
      assert.is_true(metrics.cpu_used_pct > 0)
      assert.equal("hello\n", codecell.assert(sandbox.commands:run({ "echo", "hello" })).stdout)
      codecell.assert(sandbox:restart_code_context(default))
      assert.equal("False", ask(sandbox, "'value' in globals()").text)
      local other = codecell.assert(sandbox:fork())
      assert.equal("2", ask(other, "1+1").text)
      other:close()
    end)
  end)

  it("keeps a session and other contexts of its sandbox apart #S122", function()
    pool()
    take(LIKE, function(sandbox)
      local second = codecell.assert(sandbox:create_code_context({ language = "python" }))
      local code = "import os\nseen = []\nfor pid in %s:\n"
        .. "    for name in 'mem', 'maps', 'fd/3', 'environ':\n"
        .. "        try:\n            os.close(os.open('/proc/%%d/%%s' %% (pid, name), 0))\n"
        .. "            seen.append('ok')\n"
        .. "        except OSError as error:\n            seen.append(error.strerror)\n"
        .. "(os.getpid(), set(seen))"
      local other = ask(sandbox, "import os\nos.getpid()", { context = second }).text
      assert.equal("(2, {'Permission denied'})",
        ask(sandbox, code:format("[" .. other .. "]")).text)
      assert.equal(("(%s, {'Permission denied'})"):format(other),
        ask(sandbox, code:format("[2]"), { context = second }).text)
    end)
  end)

  it("starts what is run first only: after a command a kernel starts by itself", function()
    pool()
    local first = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    local second = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    codecell.assert(second.commands:run({ "true" }))
    assert.equal("2", ask(second, "1+1").text)
    first:close()
    second:close()
  end)

  it("leaves nothing of a sandbox that is closed", function()
    pool()
    local sandbox = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    ask(sandbox, "import os\nos.fork() or __import__('time').sleep(60)")
    local id = sandbox.id
    sandbox:close()
    wait_until(function()
      for _, one in ipairs(core.sandboxes()) do
        if one.id == id then
          return false
        end
      end
      return true
    end)
  end)

  it("is not missed by a create that has just found it", function()
    local its = pool()
    local first = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    local zygote = processes(pool())
    local second = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    attack.host("kill -9 " .. zygote) -- which nobody here knows yet
    assert.equal("ready", its:stats().zygote)
    local third = codecell.assert(codecell.create(with({ warm = true }, LIKE)))
    assert.equal("2", ask(third, "1+1").text)
    assert.is_false(ask(third, "1").state_lost)
    assert.equal("2", ask(second, "1+1").text)
    first:close()
    second:close()
    third:close()
  end)

  it("is made again when it has ended", function()
    local its = pool()
    take(LIKE, function() end) -- what was ready may have been of the one before
    wait_until(function()
      return its:stats().zygote == "ready" and its:stats().ready == 1
    end)
    attack.host("kill -9 " .. processes(its))
    wait_until(function()
      return its:stats().zygote == "failed"
    end)
    take(LIKE, function(sandbox)
      assert.equal("2", ask(sandbox, "1+1").text)
    end)
    wait_until(function()
      return its:stats().zygote == "ready" and its:stats().ready == 1
    end)
    take(LIKE, function(sandbox)
      assert.equal("0", ask(sandbox, "import os\nos.getppid()").text)
    end)
  end)
end)

describe("a pool without a zygote #user", function()
  it("says which import fails, and goes on by itself", function()
    local pool = codecell.assert(codecell.pool({ size = 1, imports = { "no_such_module" } }))
    local ok, err = pool:wait(LONG)
    assert.is_nil(ok)
    assert.equal("invalid_argument", err.kind)
    assert.equal("failed", pool:stats().zygote)
    assert.equal("ModuleNotFoundError: No module named 'no_such_module'",
      pool:stats().zygote_error)
    pool:close()
  end)

  it("has none where there is nothing to import", function()
    local pool = codecell.assert(codecell.pool({ size = 1 }))
    codecell.assert(pool:wait(LONG))
    assert.is_nil(pool:stats().zygote)
    pool:close()
  end)

  it("has none for what has come out of a sandbox or an image #S120", function()
    local zygote = require "codecell.pool.zygote"
    assert.is_table(zygote.new({}, { "python" }, { "random" }))
    for _, brings in ipairs({ { home = { "/folder" } }, { root = "/folder" },
      { offer = { policy = { given = { install = { "a" } } } } } }) do
      assert.is_nil(zygote.new(brings, { "python" }, { "random" }))
    end
    assert.is_nil(zygote.new({}, { "lua" }, { "random" }))
  end)
end)

describe("a pool with a zygote #user", function()
  it("leaves no process when it is closed, or its host is killed #S124", function()
    local pool = codecell.assert(codecell.pool({ size = 1, imports = { "random" } }))
    codecell.assert(pool:wait(LONG))
    local zygote, stem = processes(pool)
    assert.is_true(lives(zygote) and lives(stem))
    pool:close()
    wait_until(function()
      return not lives(zygote) and not lives(stem)
    end)
    local killed = host.run("local codecell = require 'codecell'\n"
      .. "local pool = codecell.assert(codecell.pool({ size = 1, imports = { 'random' } }))\n"
      .. "codecell.assert(pool:wait(60))\n"
      .. "for _, one in ipairs(require('codecell.core').sandboxes()) do\n"
      .. "  if one.id == pool.stock[1].sandbox.id then\n"
      .. "    print(io.open('/proc/' .. one.pid .. '/status'):read('*a'):match('PPid:%s*%d+'))\n"
      .. "  end\n"
      .. "end\n"
      .. "io.stdout:flush()\n"
      .. "os.execute('kill -9 $PPID')\n")
    stem = killed.stdout:match("PPid:%s*(%d+)")
    wait_until(function() -- it is the first process of a namespace: with it all others are gone
      return not lives(stem)
    end)
  end)

  it("has the network that create asks for, and root's view #I03", function()
    for _, more in ipairs({ { network = { allow = { "a.example" } } }, { root_view = true } }) do
      local options = with({ size = 1, imports = { "random" } }, more)
      local pool = codecell.assert(codecell.pool(options))
      codecell.assert(pool:wait(LONG))
      assert.equal("ready", pool:stats().zygote)
      local sandbox = codecell.assert(codecell.create(with({ warm = true }, more)))
      assert.equal(1, pool:stats().taken)
      local uid, proxy, parent = printed(sandbox,
        "import os\nprint(os.getuid(), os.environ.get('http_proxy'), os.getppid())")
        :match("(%S+) (%S+) (%S+)")
      assert.equal(more.root_view and "0" or "1000", uid)
      assert.equal(more.network and "http://127.0.0.1:1008" or "None", proxy)
      assert.equal("0", parent)
      sandbox:close()
      pool:close()
    end
  end)

  it("gives each session a loop of its own when asyncio is there", function()
    local pool = codecell.assert(codecell.pool({ size = 1, imports = { "asyncio" } }))
    codecell.assert(pool:wait(LONG))
    assert.equal("ready", pool:stats().zygote)
    take(nil, function(sandbox)
      assert.equal("(0, False, True)", ask(sandbox, "import asyncio, os\nawait asyncio.sleep(0)\n"
        .. "(os.getppid(), asyncio.get_event_loop().is_closed(), "
        .. "asyncio.get_running_loop() is asyncio.get_event_loop())").text)
      assert.equal("7", ask(sandbox, "async def f():\n    return 7\n"
        .. "task = asyncio.create_task(f())\nawait task").text)
    end)
    pool:close()
  end)

  it("shares what pandas takes: a session has 10 MB of its own at most", function()
    if not is_there("pandas") then
      return pending("pandas is not installed")
    end
    local pool = codecell.assert(codecell.pool({ size = 2, imports = { "pandas" } }))
    codecell.assert(pool:wait(LONG))
    local other = codecell.assert(codecell.create({ warm = true }))
    local sandbox = codecell.assert(codecell.create({ warm = true }))
    local sizes = ask(sandbox, [[
import pandas
pandas.DataFrame({"a": range(100), "b": [i * 0.5 for i in range(100)]}).describe()
rows = dict(line.split(':') for line in open('/proc/self/smaps_rollup').readlines()[1:])
size = lambda name: int(rows[name].split()[0])
print(size('Private_Clean') + size('Private_Dirty'), size('Rss'))
]]).logs.stdout[1]
    local private, resident = sizes:match("(%d+) (%d+)")
    assert.is_true(tonumber(private) <= 10240, private)
    assert.is_true(5 * tonumber(private) <= tonumber(resident), sizes)
    other:close()
    sandbox:close()
    pool:close()
  end)
end)
