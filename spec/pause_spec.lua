-- Sandboxes that stand still, and copies of them.

local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local LONG = 60 -- seconds that nothing here takes

local function run(sandbox, code, options)
  return codecell.assert(sandbox:run_code(code, options))
end

-- Let so much time pass for the sandbox.
local function let_pass(seconds)
  local deadline = codecell.reactor():now() + seconds
  while codecell.reactor():now() < deadline do
    codecell.step(deadline - codecell.reactor():now())
  end
end

describe("pause #user", function()
  local sandbox = one_sandbox(teardown, { timeout = 600 })

  it("lets all code stand still, in every process, until resume #S123", function()
    local ticking = codecell.assert(sandbox().commands:run(
      "(while :; do echo >>/tmp/ticks; sleep 0.005; done) & wait", { background = true }))
    local function ticks()
      local entry = sandbox().files:get_info("/tmp/ticks")
      return entry and entry.size or 0
    end
    repeat
      codecell.step(0.01)
    until ticks() > 2
    codecell.assert(sandbox():pause())
    let_pass(0.1) -- a stop takes its moment on a busy machine
    local before = ticks()
    let_pass(0.2)
    assert.equal(before, ticks())
    codecell.assert(sandbox():resume())
    repeat
      codecell.step(0.01)
    until ticks() > before
    ticking:close()
    sandbox().commands:run("pkill -f ticks")
  end)

  it("is not undone by code that wakes itself up: it stands still, or pause fails #S087", function()
    local waking = codecell.assert(sandbox().commands:run([[python3 -c '
import os, signal
for i in range(3):
    if os.fork() == 0:
        with open("/tmp/wakes%d" % i, "wb", 0) as file:
            while True:
                os.kill(-1, signal.SIGCONT)
                file.write(b"x")
os.wait()']], { background = true }))
    local function wakes()
      local sum = 0
      for i = 0, 2 do
        local entry = sandbox().files:get_info("/tmp/wakes" .. i)
        sum = sum + (entry and entry.size or 0)
      end
      return sum
    end
    repeat
      codecell.step(0.01)
    until wakes() > 10
    local ok, err = sandbox():pause()
    local before = wakes()
    let_pass(0.1)
    if ok then
      assert.equal(before, wakes())
      codecell.assert(sandbox():resume())
    else
      assert.equal("unavailable", err.kind)
    end
    waking:close()
    sandbox().commands:run("pkill -9 -f wakes; rm -f /tmp/wakes*")
    assert.equal("running", sandbox():get_info().state)
  end)

  it("stops nothing for good when it is cancelled", function()
    run(sandbox(), "x = 1")
    local pausing = codecell.async(function() return sandbox():pause() end)
    pausing:cancel()
    local ok, err = pausing:wait(LONG)
    assert.is_nil(ok)
    assert.equal("cancelled", err.kind)
    assert.equal("running", sandbox():get_info().state)
    local stopped = codecell.assert(sandbox().commands:run("grep -l '^State:.T' /proc/*/status"))
    assert.equal("", stopped.stdout)
  end)

  it("shows in its state; list and connect know of it", function()
    codecell.assert(sandbox():pause())
    codecell.assert(sandbox():pause())
    assert.equal("paused", sandbox():get_info().state)
    assert.is_false(sandbox():is_running())
    assert.equal(sandbox().id, codecell.list({ state = "paused" })[1].id)
    local other = codecell.assert(codecell.connect(sandbox().id))
    assert.equal("running", other:get_info().state)
    assert.is_true(sandbox():is_running())
    assert.equal("3", run(other, "1 + 2").text)
    other:close()
    assert.equal(0, #codecell.list({ state = "paused" }))
  end)

  it("starts nothing meanwhile, and says why", function()
    run(sandbox(), "x = 1")
    codecell.assert(sandbox():pause())
    local context = sandbox():list_code_contexts()[1]
    for verb, call in pairs({
      run_code = function() return sandbox():run_code("x") end,
      start_code = function() return sandbox():start_code("x") end,
      command = function() return sandbox().commands:run("true") end,
      pty = function() return sandbox().pty:create() end,
      fork = function() return context:fork() end,
    }) do
      local value, err = call()
      assert.is_nil(value, verb)
      assert.equal("unavailable", err.kind)
      assert.truthy(err.message:find("call resume first", 1, true), err.message)
    end
    codecell.assert(sandbox():resume())
    assert.equal("1", run(sandbox(), "x").text)
  end)

  it("leaves its files to be read and written #N14", function()
    codecell.assert(sandbox():pause())
    codecell.assert(sandbox().files:write("note", "written meanwhile"))
    assert.equal("written meanwhile", sandbox().files:read("note"))
    codecell.assert(sandbox():resume())
    assert.equal("written meanwhile", run(sandbox(), "print(open('note').read(), end='')")
      .logs.stdout[1])
  end)

  it("takes nothing of the time of a running cell, or of a command", function()
    local cell = codecell.assert(sandbox():start_code(
      "import os, time\nwhile not os.path.exists('/tmp/go'): time.sleep(0.01)\n'whole'",
      { timeout = 2 }))
    local command = codecell.async(function()
      return sandbox().commands:run("until [ -e /tmp/go ]; do sleep 0.01; done; echo whole",
        { timeout = 2 })
    end)
    codecell.step(0.05)
    codecell.assert(sandbox():pause())
    let_pass(2.2)
    assert.is_false(cell:poll())
    codecell.assert(sandbox().files:write("/tmp/go", ""))
    codecell.assert(sandbox():resume())
    local done = codecell.assert(cell:wait(LONG))
    assert.is_nil(done.error)
    assert.equal("'whole'", ("'%s'"):format(done.text))
    assert.equal("whole\n", codecell.assert(command:wait(LONG)).stdout)
  end)

  it("takes nothing of the time of a cell that waits for its turn", function()
    local cell = codecell.assert(sandbox():start_code("import time\ntime.sleep(0.3)"))
    local queued = codecell.assert(sandbox():start_code("'its turn'", { timeout = 2 }))
    codecell.assert(sandbox():pause())
    let_pass(2.5)
    codecell.assert(sandbox():resume())
    codecell.assert(cell:wait(LONG))
    assert.equal("its turn", codecell.assert(queued:wait(LONG)).text)
  end)

  it("leaves a cell that never ends to its timeout, after resume", function()
    local cell = codecell.assert(sandbox():start_code("while True: pass", { timeout = 0.3 }))
    codecell.step(0.05)
    codecell.assert(sandbox():pause())
    let_pass(0.4)
    codecell.assert(sandbox():resume())
    local done = codecell.assert(cell:wait(LONG))
    assert.equal("TimeoutError", done.error.name)
    assert.is_false(done.state_lost)
  end)

  it("does not put off the end of the sandbox: resume says that it is gone #S123", function()
    local short = codecell.assert(codecell.create())
    run(short, "1")
    codecell.assert(short:pause())
    codecell.assert(short:set_timeout(0.4))
    let_pass(0.6)
    local ok, err = short:resume()
    assert.is_nil(ok)
    assert.equal("sandbox_gone", err.kind)
    short:close()
  end)

  it("can be put off, killed and closed", function()
    local one = codecell.assert(codecell.create())
    run(one, "1")
    codecell.assert(one:pause())
    codecell.assert(one:set_timeout(500))
    assert.is_true(one:kill())
    one:close()
    local other = codecell.assert(codecell.create())
    codecell.assert(other:pause()) -- nothing runs in it yet
    codecell.assert(other:resume())
    assert.equal("1", run(other, "1").text)
    codecell.assert(other:pause())
    other:close()
    assert.is_false((pcall(other.resume, other)))
  end)

  it("is a feature that it has", function()
    assert.is_true(sandbox():supports("pause"))
    assert.is_true(sandbox():supports("fork"))
  end)
end)

describe("fork #user", function()
  local sandbox = one_sandbox(teardown, { timeout = 600, metadata = { user = "7" },
    limits = { memory = 512 * 1024 * 1024 }, envs = { COLOR = "red" } })

  local function fork(options, body)
    local copy = codecell.assert(sandbox():fork(options))
    local ok, problem = pcall(body, copy)
    copy:close()
    if not ok then
      error(problem, 0)
    end
  end

  it("makes a sandbox with the same files, and with variables of its own", function()
    local large = ("0123456789abcdef"):rep(20000)
    codecell.assert(sandbox().files:write("deep/er/large", large))
    codecell.assert(sandbox().files:write("/tmp/small", "s"))
    sandbox().commands:run("chmod 700 deep/er/large; ln -s er/large deep/link; mkdir empty; "
      .. "mkfifo pipe; printf '' >none; ln -s /etc/passwd outside")
    run(sandbox(), "x = 1")
    fork(nil, function(copy)
      assert.are_not.equal(sandbox().id, copy.id)
      assert.is_true(large == copy.files:read("deep/er/large"))
      assert.equal("s", copy.files:read("/tmp/small"))
      assert.equal(7 * 64, copy.files:get_info("deep/er/large").mode)
      assert.equal("er/large", copy.files:get_info("deep/link").symlink_target)
      assert.equal("/etc/passwd", copy.files:get_info("outside").symlink_target)
      assert.equal("dir", copy.files:get_info("empty").type)
      assert.equal("", copy.files:read("none"))
      assert.is_false(copy.files:exists("pipe"))
      assert.equal("NameError", run(copy, "x").error.name)
      copy.files:write("deep/er/large", "changed")
      assert.is_true(large == sandbox().files:read("deep/er/large"))
    end)
    assert.equal("1", run(sandbox(), "x").text)
  end)

  it("has the options of the first, but for those that are given", function()
    sandbox():set_envs({ SHAPE = "round" })
    fork({ name = "second", timeout = 99 }, function(copy)
      local info = copy:get_info()
      assert.equal("second", info.name)
      assert.equal(99, info.timeout)
      assert.same({ user = "7" }, info.metadata)
      assert.equal(512 * 1024 * 1024, info.limits.memory.value)
      assert.equal("red round\n", copy.commands:run("echo $COLOR $SHAPE").stdout)
    end)
    assert.is_false((pcall(sandbox().fork, sandbox(), { colour = "red" })))
  end)

  it("of a paused one leaves it paused", function()
    codecell.assert(sandbox():pause())
    fork(nil, function(copy)
      assert.equal("paused", sandbox():get_info().state)
      assert.equal("2", run(copy, "1 + 1").text)
    end)
    codecell.assert(sandbox():resume())
  end)

  local SHAPES = "cd /home/user/shapes && find . -printf '%p %m %T@ %l\\n' | sort"

  it("has the rights and times of all that it copies, closed ones too", function()
    codecell.assert(sandbox().commands:run([[
mkdir -p shapes/open shapes/shut/in/ner shapes/fixed/sub
echo a >shapes/open/file; echo b >shapes/shut/in/ner/file; echo c >shapes/fixed/sub/file
echo d >shapes/hidden; ln -s open shapes/link
touch -h -d '2001-02-03 04:05:06.75' shapes/link shapes/hidden shapes/*/* shapes/*/*/*
chmod 0 shapes/hidden shapes/shut/in/ner/file; chmod 755 shapes/open/file
touch -d '1999-01-01' shapes/*/*/ shapes/*/
chmod 0555 shapes/fixed/sub; chmod 0500 shapes/fixed; chmod 0 shapes/shut/in/ner shapes/shut]]))
    fork(nil, function(copy)
      local closed = "chmod 700 shapes/shut shapes/shut/in/ner; " .. SHAPES
      local first, second = sandbox().commands:run(closed), copy.commands:run(closed)
      local function rounded(text) -- to what a number of Lua can tell
        return (text:gsub("(%.%d%d%d%d%d)%d+", "%1"))
      end
      assert.equal(rounded(first.stdout), rounded(second.stdout))
      assert.matches("fixed/sub 555 915148800", second.stdout)
      assert.matches("hidden 0 981173106%.75", second.stdout)
      assert.equal("a b c d ", copy.commands:run("cd shapes; chmod -R u+rwX .; cat open/file "
        .. "shut/in/ner/file fixed/sub/file hidden | tr '\\n' ' '").stdout)
    end)
    codecell.assert(sandbox().commands:run("chmod -R u+rwX shapes; rm -r shapes"))
  end)

  it("can be made several at once; the first goes on when the last is made", function()
    codecell.assert(sandbox().commands:run(
      "mkdir many; for i in $(seq 500); do echo $i >many/$i; done"))
    local making = {}
    for i = 1, 3 do
      making[i] = codecell.async(function() return sandbox():fork() end)
    end
    local resumed
    repeat
      codecell.step(0.02)
      local state = sandbox():get_info().state
      if state == "paused" and resumed == nil then
        resumed = sandbox():resume() -- it does, once nobody copies any more
      end
    until making[1]:poll() ~= false and making[2]:poll() ~= false and making[3]:poll() ~= false
    for i = 1, 3 do
      local copy = codecell.assert(making[i]:wait())
      assert.equal("500\n", copy.commands:run("cat many/500; rm -r many").stdout)
      copy:close()
    end
    assert.equal("running", sandbox():get_info().state)
    assert.equal("2", run(sandbox(), "1 + 1").text)
    sandbox().commands:run("rm -r many")
  end)

  it("that is cancelled leaves the first running", function()
    codecell.assert(sandbox().commands:run(
      "mkdir many; for i in $(seq 2000); do echo >many/$i; done"))
    local count = #codecell.list()
    local forking = codecell.async(function() return sandbox():fork() end)
    repeat
      codecell.step(0.01)
    until #codecell.list() > count
    local second = codecell.assert(codecell.connect(codecell.list()[count + 1].id))
    repeat until second.files:exists("many/1")
    forking:cancel()
    second:close()
    local copy, err = forking:wait(LONG)
    assert.is_nil(copy)
    assert.equal("cancelled", err.kind)
    assert.equal(count, #codecell.list())
    assert.equal("running", sandbox():get_info().state)
    assert.equal("2", run(sandbox(), "1 + 1").text)
    sandbox().commands:run("rm -r many")
  end)

  it("ends with no_space where the files have none, and leaves nothing", function()
    sandbox().commands:run("head -c 3000000 /dev/zero >big")
    local count = #codecell.list()
    local copy, err = sandbox():fork({ limits = { disk = 2 * 1024 * 1024 } })
    assert.is_nil(copy)
    assert.equal("no_space", err.kind)
    assert.equal(count, #codecell.list())
    assert.equal("1", run(sandbox(), "1").text)
  end)
end)
