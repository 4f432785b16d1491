-- Faults of the host: killed, forked, closed in odd ways, short of descriptors.

local attack = require "spec.support.attack"
local codecell = require "codecell"

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Run a Lua program in a process of its own; returns what it wrote.
local function run(program, before)
  return attack.host((before or "") .. " " .. attack.interpreter()
    .. " -e " .. quoted(program) .. " 2>&1")
end

local LONG = 60 -- seconds that nothing here takes

local function gone(id)
  local deadline = os.time() + LONG
  while attack.left_of(id) > 0 do
    if os.time() > deadline then
      return false
    end
    attack.host("sleep 0.05")
  end
  return true
end

local opening = [[
local codecell = require "codecell"
local function create() return codecell.assert(codecell.create({ timeout = 60 })) end
]]

describe("a host that ends", function()
  for name, ending in pairs({
    ["by SIGKILL"] = [[io.stdout:flush(); os.execute("kill -9 $PPID")]],
    ["by SIGTERM"] = [[io.stdout:flush(); os.execute("kill -15 $PPID")]],
    ["by os.exit"] = [[os.exit(0)]],
    ["by os.exit with close"] = [[os.exit(0, true)]],
    ["by an error"] = [[error("stop")]],
    ["by falling off its end"] = "",
    ["with an error in a finalizer"] = [[
      local function fail() error("in gc") end
      keep = newproxy and newproxy(true) or setmetatable({}, { __gc = fail })
      if newproxy then getmetatable(keep).__gc = fail end]],
    ["inside a coroutine"] = [[coroutine.wrap(function() create(); os.exit(0, true) end)()]],
    ["with a process open"] =
      [[process = codecell.assert(first.commands:run("sleep 1000", { background = true }))]],
  }) do
    it(name .. " leaves nothing #S124 #S126 #D15 #D17 #D23 #I05 #I16", function()
      local text = run(opening .. [[
        first = create() local second = create()
        first.commands:run("setsid sleep 1000 >/dev/null 2>&1 & true")
        print(first.id) print(second.id)
      ]] .. ending)
      local count = 0
      for id in text:gmatch("(i[a-z0-9]+)\n") do
        if #id == 21 then
          count = count + 1
          assert.is_true(gone(id))
        end
      end
      assert.equal(2, count, text)
    end)
  end

  it("in the middle of a create leaves nothing #S124", function()
    for delay = 0, 9 do
      local text = run(opening .. ([[
        io.stdout:setvbuf("no")
        os.execute("(sleep 0.0%d; kill -9 $PPID) >/dev/null 2>&1 &")
        while true do local s = create() io.write(s.id, "\n") s:close() end
      ]]):format(delay))
      for id in text:gmatch("(i[a-z0-9]+)\n") do
        if #id == 21 then
          assert.is_true(gone(id))
        end
      end
    end
  end)
end)

describe("a host that stays", function()
  it("closes what it has in any order, the reactor first", function()
    local text = run(opening .. [[
      local sandbox = create()
      local process = sandbox.commands:run("sleep 60", { background = true })
      local task = codecell.async(function() sandbox:run_code("while True: pass") end)
      codecell.step(0.05)
      codecell.reactor():close()
      sandbox:close()
      process:close()
      collectgarbage()
      print(sandbox:is_running(), task:poll())
    ]])
    assert.equal("false\tfalse\n", text)
  end)

  it("keeps its descriptors, children and signals #S133 #I16", function()
    local text = run([[
      local own = require "spec.support.own"
      local before = own.belongings()
    ]] .. opening .. [[
      local function cycle()
        local sandbox = create()
        sandbox:run_code("print(1)")
        sandbox.commands:run("echo x")
        sandbox:close()
        while sandbox:_state() ~= "gone" do codecell.step(1) end
      end
      cycle()
      local descriptors = own.descriptors()
      for _ = 1, 5 do cycle() end
      print(own.descriptors() == descriptors)
      print(own.belongings() == before, before)
    ]])
    assert.matches("^true\ntrue\tchildren: none\nthreads: 1\n", text)
  end)

  it("is told when its descriptors are used up, and loses none #S127", function()
    local text = run(opening .. [[
      local count = 0
      local kept = {}
      local err
      while count < 200 do
        local sandbox
        sandbox, err = codecell.create({ timeout = 60 })
        if not sandbox then break end
        count = count + 1
        kept[count] = sandbox
      end
      print(count > 0, err and err.kind, err and err.errno, tostring(err))
      kept[1]:close() kept[2]:close() kept[3]:close() kept[4]:close()
      for _ = 1, 100 do codecell.step(0.01) end
      print(codecell.create({ timeout = 60 }) ~= nil)
    ]], "ulimit -n 40;")
    assert.matches("^true\tsystem\t24\t[^\n]*descriptor[^\n]*\ntrue\n$", text)
  end)

  it("gives what it starts none of our descriptors, its libraries' included #S133 #I16", function()
    local text = run([[
      local codecell = require "codecell"
      local function inherited()
        local pipe = io.popen("echo /proc/self/fd/*")
        local text = pipe:read("*a")
        pipe:close()
        return text
      end
      local before = inherited()
      local server = codecell.assert(require("codecell.server").new(function() end))
      local _, err = codecell.connect("none", {
        backend = "e2b", api_key = "e2b_0000", api_url = "http://127.0.0.1:9" })
      local sandbox = codecell.assert(codecell.create({ network = { allow = { "a.test" } } }))
      sandbox:run_code("1")
      print(err.kind, inherited() == before, server ~= nil)
    ]])
    assert.equal("unavailable\ttrue\ttrue\n", text)
  end)

  it("that may write no files is told so by an error, and not by a signal #S128 #S133", function()
    local text = run([[
      local codecell = require "codecell"
      local sandbox, err = codecell.create()
      print(sandbox, err.kind, err.errno, err.hint)
    ]], "ulimit -f 0;")
    assert.equal("nil\tsystem\t27\traise the limit of the size of files (ulimit -f)\n", text)
    local left = run(opening .. [[
      local sandbox = create()
      local content = ("x"):rep(2 ^ 20)
      local ok, err = sandbox.files:write("large", content)
      print(ok, err.errno, sandbox.commands:run("echo alive").stdout)
    ]], "ulimit -f 800;")
    assert.equal("nil\t27\talive\n\n", left)
  end)

  it("works with its standard streams closed #S133", function()
    local result = os.tmpname()
    local program = ([[
      local codecell = require "codecell"
      local server = require("codecell.server").new(function() end)
      codecell.connect("none", {
        backend = "e2b", api_key = "e2b_0000", api_url = "http://127.0.0.1:9" })
      local sandbox = codecell.create()
      local execution = sandbox and sandbox:run_code("6 * 7")
      local file = io.open(%q, "w") -- the first number that is free
      file:write(execution and execution.text or "failed", server and " served at " or "")
      file:write(io.popen("readlink /proc/$PPID/fd/0"):read("*a"))
      file:close()
    ]]):format(result)
    os.execute(attack.interpreter() .. " -e " .. quoted(program) .. " 0<&- 1>&- 2>&-")
    local file = assert(io.open(result))
    assert.equal("42 served at " .. result .. "\n", file:read("*a"))
    file:close()
    os.remove(result)
  end)

  it("learns of a killed first process at once, in every kind of call #S130", function()
    for _, call in ipairs({
      "sandbox:run_code('import time; time.sleep(300)')",
      "sandbox.commands:run('sleep 300')",
      "sandbox.commands:run('sleep 300', {background = true}):wait(200)",
    }) do
      local text = run(opening .. ([[
        local sandbox = create()
        sandbox:run_code("1")
        os.execute("(sleep 0.3; for p in $(grep -lsa '^codecell-sandbox " .. sandbox.id ..
          "' /proc/[0-9]*/cmdline); do kill -9 $(basename $(dirname $p)); done) >/dev/null 2>&1 &")
        local start = codecell.reactor():now()
        local value, err = %s
        print(value == nil and err.kind or (value.error and value.error.name) or value.signal)
        print(codecell.reactor():now() - start < 60, sandbox:is_running())
        local again, why = sandbox:run_code("1")
        print(again, why.kind)
        print(create():run_code("6 * 7").text)
      ]]):format(call))
      assert.matches("^sandbox_gone\ntrue\tfalse\nnil\tsandbox_gone\n42\n$", text)
    end
  end)

  it("keeps its sandboxes when the stem is killed, and makes more #S130", function()
    local text = run(opening .. [[
      local sandbox = create()
      sandbox:run_code("x = 41")
      -- the parent of its first process, and nobody else's stem
      os.execute("p=$(grep -lsa '^codecell-sandbox " .. sandbox.id .. "' /proc/[0-9]*/cmdline); "
        .. "kill -9 $(awk '/^PPid/ { print $2 }' ${p%/cmdline}/status); sleep 0.2")
      print(sandbox:run_code("x + 1").text)
      print(create():run_code("6 * 7").text)
    ]])
    assert.equal("42\n42\n", text)
  end)

  it("needs no file of its own once it is loaded #S135", function()
    local text = run(opening .. [[
      local sandbox = create()
      local path = io.open("/proc/self/maps"):read("*a"):match("(/%S+/codecell/core%.so)")
      print(path ~= nil)
      package.cpath = "" package.path = package.path
      print(create():run_code("6 * 7").text)
    ]])
    assert.equal("true\n42\n", text)
  end)

  it("may ignore SIGCHLD and block signals #S133", function()
    local text = attack.host("/usr/bin/python3 -c " .. quoted([[
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
os.execvp(sys.argv[1], sys.argv[1:])
]]) .. " " .. attack.interpreter() .. " -e " .. quoted(opening .. [[
      local sandbox = create()
      print(sandbox.commands:run("exit 3").exit_code, sandbox:run_code("6 * 7").text)
    ]]) .. " 2>&1")
    assert.equal("3\t42\n", text)
  end)

  it("ends what it collects #D15 #I16", function()
    local id
    local function drop()
      local sandbox = assert(codecell.create({ timeout = 60 }))
      id = sandbox.id
      assert.equal(1, math.min(1, attack.left_of(id)))
    end
    drop()
    collectgarbage()
    collectgarbage()
    assert.is_true(gone(id))
  end)

  it("that never steps still gets its deadlines kept #D17 #D19 #I09", function()
    local sandbox = assert(codecell.create({ timeout = 1 }))
    assert(sandbox.commands:run("setsid sleep 1000 >/dev/null 2>&1 & true"))
    assert.is_true(gone(sandbox.id))
    local execution, err = sandbox:run_code("1")
    assert.is_nil(execution)
    assert.equal("sandbox_gone", err.kind)
    sandbox:close()
  end)

  it("can stop a limit of sandboxes and says so #S134", function()
    local text = run(opening .. [[
      codecell.setup({ max_sandboxes = 3 })
      local kept = { create(), create(), create() }
      local sandbox, err = codecell.create()
      print(sandbox, err.kind)
      print(tostring(err))
      kept[1]:close()
      print(codecell.create() ~= nil)
    ]])
    assert.equal("nil\tlimit_exceeded\ncreate: 3 sandboxes live in this Lua state; close some, "
      .. "or raise max_sandboxes in setup\ntrue\n", text)
  end)

  it("counts those that pools keep, which give way to users #S134", function()
    local text = run(opening .. [[
      codecell.setup({ max_sandboxes = 2 })
      local pool = codecell.assert(codecell.pool({ size = 3 }))
      local ok, err = pool:wait(60)
      print(ok, err.kind)
      print(tostring(err))
      print(pool:stats().ready + pool:stats().making <= 2)
      local kept = { create(), create() }
      while pool:stats().making > 0 do codecell.step(1) end
      print(pool:stats().ready)
      local sandbox
      sandbox, err = codecell.create()
      print(sandbox, err.kind)
      kept[1]:close()
      pool:wait(60)
      codecell.step(0.3)
      print(codecell.create({ warm = true }) ~= nil)
    ]])
    assert.equal("nil\tlimit_exceeded\npool: 2 sandboxes live in this Lua state, 2 of them for "
      .. "pools; close some, or raise max_sandboxes in setup\n"
      .. "true\n0\nnil\tlimit_exceeded\ntrue\n", text)
  end)
end)
