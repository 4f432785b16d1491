-- Pools: sandboxes that are ready before anybody asks for one.

local codecell = require "codecell"
local core = require "codecell.core"
local host = require "spec.support.host"
local in_sandbox = require "spec.support.in_sandbox"
local one_pool = require "spec.support.one_pool"
local reactor = require "codecell.reactor"
local wait_until = require "spec.support.wait_until"

local LONG = 60 -- seconds that nothing here takes

local function ask(sandbox, code, language)
  return codecell.assert(sandbox:run_code(code, { language = language or "python" }))
end

-- Of those that nobody has taken: there is no other way to learn them.
local function ids_of(pool)
  local ids = {}
  for i, member in ipairs(pool.stock) do
    ids[i] = member.sandbox.id
  end
  return ids
end

local function process_of(id)
  for _, one in ipairs(core.sandboxes()) do
    if one.id == id then
      return one.pid
    end
  end
end

local function lives(id)
  return process_of(id) ~= nil
end

-- Without stepping the reactor.
local function kill_from_outside(id)
  local path = ("/proc/%d/stat"):format(process_of(id))
  assert.is_true(core.kill_sandbox(id))
  local deadline = codecell.reactor():now() + LONG
  local state
  repeat
    local file = io.open(path, "rb")
    local text = file and file:read("*a") -- nil once it is gone
    state = text and text:match("^.*%) (%a)") or "X"
    if file then
      file:close()
    end
    assert.is_true(codecell.reactor():now() < deadline, "it does not end")
  until state == "X" or state == "Z"
end

local function take(options, body)
  options = options or {}
  options.warm = true
  in_sandbox(options, body)
end

describe("a pool #user", function()
  local LANGUAGES = { "python", "bash", "lua" }
  local full = one_pool(teardown, { size = 2, languages = LANGUAGES })

  it("gives create a sandbox that was made ahead #D21 #D22", function()
    local pool = full()
    local before = pool:stats()
    local oldest = ids_of(pool)[1]
    assert.is_true(lives(oldest))
    take(nil, function(sandbox)
      assert.equal(oldest, sandbox.id)
      assert.equal("2", ask(sandbox, "1 + 1").text)
      local after = pool:stats()
      assert.equal(before.taken + 1, after.taken)
      assert.equal(before.missed, after.missed)
    end)
  end)

  it("makes another one while the reactor is stepped, and no more than its size", function()
    local pool = full()
    take(nil, function()
      wait_until(function()
        return pool:stats().ready == 2
      end)
      assert.equal(0, pool:stats().making)
    end)
  end)

  it("has its kernels started: the first code meets no start", function()
    full()
    take(nil, function(sandbox)
      local started = sandbox:get_metrics().processes
      for _, language in ipairs(LANGUAGES) do
        ask(sandbox, language == "bash" and "echo 1" or "1", language)
      end
      assert.equal(started, sandbox:get_metrics().processes)
    end)
  end)

  it("leaves nothing of a rehearsal: counts, variables, files, output #S119 #S121", function()
    full()
    take(nil, function(sandbox)
      local first = ask(sandbox, "sorted(name for name in dir() if name[0] != '_'), In[:-1], Out")
      assert.equal("(['In', 'Out'], [''], {})", first.text)
      assert.equal(1, first.execution_count)
      assert.same({}, first.logs.stdout)
      assert.same({}, first.files_changed)
      local shell = ask(sandbox, 'echo "$? [$!] $(find ~ /tmp /dev/shm | wc -l)"', "bash")
      assert.equal(1, shell.execution_count)
      assert.same({ "0 [] 3\n" }, shell.logs.stdout) -- the three places themselves
      assert.equal(1, ask(sandbox, "1", "lua").execution_count)
      assert.equal(2, ask(sandbox, "1").execution_count)
      assert.equal(sandbox:list_code_contexts()[1].id, first.context)
    end)
  end)

  it("has a hash secret of its own in each, where nothing is imported #S118", function()
    full()
    local seen = {}
    for _ = 1, 2 do
      take(nil, function(sandbox)
        local secret = ask(sandbox, "hash('codecell')").text
        assert.is_nil(seen[secret])
        seen[secret] = true
      end)
    end
  end)

  it("hands on a process as a new one: descriptors, signals, threads, timers #S121", function()
    full()
    local look = "import os, signal, sys, threading\n"
      .. "fds = sorted(os.readlink('/proc/self/fd/' + n).split(':')[0]\n"
      .. "    for n in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + n))\n"
      .. "lines = [line for line in open('/proc/self/status')\n"
      .. "  if line[:3] in ('Sig', 'Cap') and line[:4] != 'SigQ' or line[:5] == 'Umask'\n"
      .. "  or line[:7] == 'Threads']\n"
      .. "print(fds, lines, os.getcwd(), [signal.getitimer(n) for n in range(3)],\n"
      .. "    threading.active_count(), os.getpgid(0) == os.getpid(), sys.argv, sys.path)"
    local function looks_like(options)
      local sandbox = codecell.assert(codecell.create(options))
      local text = ask(sandbox, look).logs.stdout[1]
      sandbox:close()
      return text
    end
    assert.equal(looks_like(), looks_like({ warm = true }))
  end)

  it("gives what create asks: name, metadata, envs, time from now, contexts", function()
    full()
    local before = os.time()
    take({ name = "mine", metadata = { user = "7" }, envs = { GREETING = "hello there" },
      timeout = 77 }, function(sandbox)
      local info = sandbox:get_info()
      assert.equal("mine", info.name)
      assert.same({ user = "7" }, info.metadata)
      assert.equal(77, info.timeout)
      assert.is_true(info.started_at >= before)
      assert.equal(info.started_at + 77, info.end_at)
      assert.equal("hello there", ask(sandbox, 'import os\nprint(os.environ["GREETING"], end="")')
        .logs.stdout[1])
      assert.equal("hello there\n", ask(sandbox, "echo $GREETING", "bash").logs.stdout[1])
      assert.equal("hello there", ask(sandbox, 'os.getenv("GREETING")', "lua").text)
      assert.equal("hello there\n", sandbox.commands:run("echo $GREETING").stdout)
    end)
    take(nil, function(sandbox)
      assert.same({}, sandbox:get_info().metadata)
      assert.is_nil(sandbox:get_info().name)
    end)
  end)

  it("ends a sandbox at the time that create has given it", function()
    full()
    take({ timeout = 2 }, function(sandbox)
      wait_until(function()
        return not sandbox:is_running()
      end)
    end)
  end)

  it("counts no work of before to the user's", function()
    full()
    take(nil, function(sandbox)
      assert.is_true(sandbox:get_metrics().cpu_used_pct < 1000)
    end)
  end)

  it("is passed over by a create that asks for anything else", function()
    local pool = full()
    local taken = pool:stats().taken
    for _, options in ipairs({
      { limits = { memory = 512 * 1024 * 1024 } }, { limits = { code = 1000 } }, { cwd = "/tmp" },
      { root_view = true }, { envs = { PYTHONHASHSEED = "0" } }, { envs = { TZ = "UTC+3" } },
      { envs = { LD_LIBRARY_PATH = "/tmp" } }, { envs = { OPENSSL_CONF = "/dev/null" } },
    }) do
      take(options, function(sandbox)
        assert.is_true(sandbox:is_running())
      end)
    end
    local cold = codecell.assert(codecell.create()) -- not asked to be warm
    cold:close()
    assert.equal(taken, pool:stats().taken)
    take({ limits = { memory = 1024 * 1024 * 1024 }, network = "none" }, function() end)
    assert.equal(taken + 1, pool:stats().taken)
  end)

  it("starts the other languages that create names", function()
    full()
    take({ languages = { "lua", "javascript" } }, function(sandbox)
      assert.equal(1, ask(sandbox, "1", "lua").execution_count)
      if sandbox:run_code("1", { language = "javascript" }) then
        assert.equal(2, ask(sandbox, "1", "javascript").execution_count)
      end
    end)
  end)

  it("is in no list, and cannot be reached, before it is taken #I03", function()
    for _, id in ipairs(ids_of(full())) do
      assert.is_nil((codecell.connect(id)))
      assert.is_false(codecell.kill(id))
      for _, info in ipairs(codecell.list()) do
        assert.are_not.equal(id, info.id)
      end
    end
  end)

  it("finds that one has died, and makes another #D21", function()
    local pool = full()
    local before = pool:stats()
    for _, id in ipairs(ids_of(pool)) do
      kill_from_outside(id)
      assert.equal(2, pool:stats().ready)
    end
    take(nil, function(sandbox) -- nobody has stepped
      assert.equal("2", ask(sandbox, "1 + 1").text)
    end)
    wait_until(function()
      return pool:stats().ready == 2
    end)
    assert.equal(before.died + 2, pool:stats().died)
  end)

  it("keeps no loop alive, neither full nor while it makes more", function()
    local pool = full()
    local busy = false
    reactor.watch(function(now)
      busy = busy or now
    end)
    take(nil, function()
      wait_until(function()
        return pool:stats().ready == 2
      end)
    end)
    reactor.watch(nil)
    assert.is_false(busy)
  end)

  it("lets the reactor sleep once it is full", function()
    full()
    wait_until(function()
      return not codecell.step(0)
    end)
  end)
end)

describe("the sandboxes of a pool under load #user", function()
  it("are not reached by what the user of another one does #S119 #S120", function()
    local pool = codecell.assert(codecell.pool({ size = 2 }))
    codecell.assert(pool:wait(LONG))
    local waiting = {}
    for i, member in ipairs(pool.stock) do
      waiting[i] = process_of(member.sandbox.id)
    end
    take({}, function(first)
      local text = table.concat(ask(first, ([[
import builtins, json, os, pathlib, signal, socket, subprocess, sys
home = pathlib.Path.home()
site = pathlib.Path(subprocess.run([sys.executable, "-m", "site", "--user-site"],
                                   capture_output=True, text=True).stdout.strip())
site.mkdir(parents=True, exist_ok=True)
(site / "sitecustomize.py").write_text("import builtins; builtins.len = None")
for rc in ".bashrc", ".profile", ".pythonrc":
    (home / rc).write_text("exit 1")
pathlib.Path("/tmp/mark").write_text("x")
listener = socket.create_server(("127.0.0.1", 7777))
sleeper = subprocess.Popen(["sleep", "1000"], start_new_session=True)
os.environ["PYTHONSTARTUP"] = os.environ["POISON"] = "/tmp/mark"
for pid in %s:
    for attack in (lambda: os.kill(pid, signal.SIGKILL), lambda: open("/proc/%%d/mem" %% pid)):
        try:
            attack()
            print("reached", pid)
        except OSError:
            pass
builtins.len = json.dumps = lambda *_: "poisoned"
print(len([]))]]):format(("[%s]"):format(table.concat(waiting, ", ")))).logs.stdout)
      assert.equal("poisoned\n", text)
    end)
    assert.is_true(pool:stats().ready >= 1) -- which is older than what was made since
    take({}, function(second)
      local found = ask(second, [[
import json, os, pathlib, socket
print(len([]), json.dumps([1]), os.environ.get("POISON"), os.path.exists("/tmp/mark"),
      sorted(os.listdir(pathlib.Path.home())), socket.socket().connect_ex(("127.0.0.1", 7777)) != 0,
      sorted(pid for pid in os.listdir("/proc") if pid.isdigit()))]])
      assert.equal("0 [1] None False [] True ['1', '2']\n", found.logs.stdout[1])
    end)
    assert.equal(0, pool:stats().died)
    pool:close()
  end)

  it("are each of one user alone #S119 #I03", function()
    local pool = codecell.assert(codecell.pool({ size = 3, languages = { "bash" } }))
    local seen = {}
    for i = 1, 12 do
      if i % 2 == 0 then
        pool:wait(LONG)
      end
      take({ envs = { ME = tostring(i) } }, function(sandbox)
        assert.is_nil(seen[sandbox.id])
        seen[sandbox.id] = true
        local found = ask(sandbox, 'echo "[$mark$(cat ~/mark 2>/dev/null)]$ME"; mark=1; '
          .. "echo 1 >~/mark; trap : EXIT; alias echo=false; (sleep 100 &)", "bash")
        assert.equal(("[]%d\n"):format(i), found.logs.stdout[1])
      end)
    end
    pool:close()
  end)
end)

describe("a pool with imports #user", function()
  local has = {}
  for _, module in ipairs({ "pandas", "matplotlib" }) do
    has[module] = os.execute("/usr/bin/python3 -c 'import " .. module .. "' 2>/dev/null")
    has[module] = has[module] == true or has[module] == 0
  end
  local full = one_pool(teardown, { size = 2,
    imports = { "pandas", "matplotlib.pyplot", "random" } })

  it("has them loaded, and nothing else of them is left #D21", function()
    if not (has.pandas and has.matplotlib) then
      return pending("pandas or matplotlib is not installed")
    end
    full()
    take(nil, function(sandbox)
      local first = ask(sandbox, "import sys, os\n"
        .. "'pandas' in sys.modules, 'matplotlib.pyplot' in sys.modules, 'pandas' in globals(), "
        .. "sys.modules['matplotlib.pyplot'].get_fignums(), os.listdir('/home/user'), "
        .. "os.listdir('/tmp'), os.getcwd()")
      assert.equal("(True, True, False, [], [], [], '/home/user')", first.text)
      assert.equal(1, #first.results)
      local figure = ask(sandbox, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\n"
        .. "plt.gcf().number")
      assert.equal("1", figure.text)
      assert.truthy(figure.results[1].png or figure.results[2].png)
    end)
  end)

  it("has chance of its own in each #S121", function()
    if not (has.pandas and has.matplotlib) then
      return pending("pandas or matplotlib is not installed")
    end
    full()
    local seen = {}
    for _ = 1, 2 do
      take(nil, function(sandbox)
        local text = ask(sandbox, "import random, numpy, uuid, tempfile\n"
          .. "print(random.random(), numpy.random.rand(), uuid.uuid4(), tempfile.mktemp(), "
          .. "sep='\\n')").logs.stdout[1]
        for word in text:gmatch("%S+") do
          assert.is_nil(seen[word], word)
          seen[word] = true
        end
      end)
    end
  end)

  it("says which import fails", function()
    local pool = codecell.assert(codecell.pool({ imports = { "no_such_module" } }))
    local ok, err = pool:wait(LONG)
    assert.is_nil(ok)
    assert.equal("invalid_argument", err.kind)
    assert.truthy(err.message:find("No module named 'no_such_module'", 1, true), err.message)
    assert.equal(err, pool:stats().error)
    assert.equal(0, pool:stats().ready)
    pool:close()
  end)
end)

describe("codecell.pool", function()
  it("raises for what cannot be meant", function()
    for _, options in ipairs({ { size = 0 }, { size = 1.5 }, { sizes = 2 }, { imports = "pandas" },
      { imports = { "os; import sys" } }, { imports = { "" } }, { languages = "python" },
      { limits = { memory = 1 } } }) do
      assert.is_false((pcall(codecell.pool, options)))
    end
  end)

  it("returns what this machine or this backend has not", function()
    local pool, err = codecell.pool({ languages = { "cobolt" } })
    assert.is_nil(pool)
    assert.equal("invalid_argument", err.kind)
    pool, err = codecell.pool({ template = "no-such-template" })
    assert.is_nil(pool)
    assert.truthy(err.kind == "unsupported" or err.kind == "not_found")
  end)

  it("ends with close all that nobody has taken, and nothing else", function()
    local pool = codecell.assert(codecell.pool({ size = 2, languages = { "bash" } }))
    codecell.assert(pool:wait(LONG))
    local left = ids_of(pool)
    take(nil, function(sandbox)
      pool:close()
      pool:close()
      wait_until(function()
        return not lives(left[2])
      end)
      assert.equal("1\n", ask(sandbox, "echo 1", "bash").logs.stdout[1])
    end)
    local ok, err = pool:wait(1)
    assert.is_nil(ok)
    assert.equal("cancelled", err.kind)
    take(nil, function(sandbox) -- a cold one
      assert.is_true(sandbox:is_running())
    end)
  end)

  it("can be closed before anything is ready", function()
    for steps = 0, 2 do
      local pool = codecell.assert(codecell.pool({ size = 3 }))
      for _ = 1, steps do
        codecell.step(1)
      end
      pool:close()
      wait_until(function()
        return not codecell.step(0)
      end)
      assert.equal(0, pool:stats().ready)
      assert.equal(0, pool:stats().made)
    end
  end)

  it("ends with the Lua state, full or not #S126", function()
    for _, last in ipairs({ "", "os.exit(true, true)", "error('the end')" }) do
      local result = host.run(([[
        local codecell = require "codecell"
        local pool = codecell.assert(codecell.pool({ size = 3, languages = { "bash" } }))
        repeat
          codecell.step(1)
        until pool:stats().ready > 0
        for _, member in ipairs(pool.stock) do
          print("id " .. member.sandbox.id)
        end
        io.stdout:flush()
        %s]]):format(last))
      assert.is_true(host.leaves_nothing(result.stdout), result.stderr)
    end
  end)
end)
