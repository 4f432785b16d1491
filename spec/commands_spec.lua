local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local wait_until = require "spec.support.wait_until"
local out_of_time = require "spec.support.out_of_time"

describe("commands:run #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(cmd, options)
    return codecell.assert(sandbox().commands:run(cmd, options))
  end

  it("runs a string by the shell", function()
    local result = run("echo out; echo err >&2; exit 3")
    assert.equal("out\n", result.stdout)
    assert.equal("err\n", result.stderr)
    assert.equal(3, result.exit_code)
    assert.is_nil(result.signal)
    assert.is_false(result.timed_out)
    assert.is_false(result.out_of_memory)
    assert.is_nil(result.truncated)
    assert.truthy(result.seconds > 0)
  end)

  it("runs a list of arguments as it is", function()
    assert.equal("a b;$HOME\n", run({ "echo", "a b;$HOME" }).stdout)
  end)

  it("says not_found for a program that there is not", function()
    local result, err = sandbox().commands:run({ "no-such-program" })
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
    assert.truthy(err.message:find("no-such-program", 1, true))
    result, err = sandbox().commands:run({ "no-such-program" }, { background = true })
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
  end)

  it("says not_found for a directory that there is not", function()
    local result, err = sandbox().commands:run({ "true" }, { cwd = "/nowhere" })
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
  end)

  it("runs in the home directory, or where it is told", function()
    assert.equal("/home/user\n", run("pwd").stdout)
    assert.equal("/tmp\n", run("pwd", { cwd = "/tmp" }).stdout)
  end)

  it("adds variables to the environment", function()
    assert.equal("1 /home/user\n", run("echo $A $HOME", { envs = { A = "1" } }).stdout)
  end)

  it("feeds standard input, and ends it", function()
    local text = ("0123456789"):rep(50000)
    assert.equal("500000\n", run("wc -c", { stdin = text }).stdout)
    assert.equal("", run("cat").stdout)
    assert.equal(0, run("true", { stdin = text }).exit_code)
  end)

  it("gives exit_code -1 and the name of the signal that ended it", function()
    local result = run("kill -TERM $$")
    assert.equal(-1, result.exit_code)
    assert.equal("SIGTERM", result.signal)
  end)

  it("kills what runs too long, with all that it started, and keeps the output", function()
    local result = out_of_time(0.3, function(timeout)
      return run("echo begun; sleep 60 & sleep 60", { timeout = timeout })
    end)
    assert.is_true(result.timed_out)
    assert.equal("begun\n", result.stdout)
    assert.equal("SIGKILL", result.signal)
    assert.equal(-1, result.exit_code)
    -- They were killed at once; the last may take a moment to be gone.
    assert.equal("none\n",
      run("while pgrep -x sleep > /dev/null; do :; done; echo none").stdout)
  end)

  it("ends 100 ms after the command, for what it left behind to be read", function()
    local result = run("sleep 30 & echo done")
    assert.equal("done\n", result.stdout)
    assert.truthy(result.seconds < 5)
    run("pkill sleep || true")
  end)

  it("calls back as output comes", function()
    local out, err = {}, {}
    run("echo one; sleep 0.05; echo two; echo three >&2", {
      on_stdout = function(text) out[#out + 1] = text end,
      on_stderr = function(text) err[#err + 1] = text end,
    })
    assert.same({ "one\n", "two\n" }, out)
    assert.same({ "three\n" }, err)
  end)

  it("raises what a callback raises, and kills the command", function()
    local ok, problem = pcall(function()
      sandbox().commands:run("while true; do echo x; done",
        { on_stdout = function() error("enough", 0) end })
    end)
    assert.is_false(ok)
    assert.equal("enough", problem)
  end)

  it("a callback may wait", function()
    local inner
    run("echo x", { on_stdout = function() inner = run("echo inner").stdout end })
    assert.equal("inner\n", inner)
  end)

  it("keeps head and tail of a flood", function()
    local small = codecell.assert(codecell.create({ limits = { output = 8192 } }))
    local result = codecell.assert(small.commands:run("seq 1 20000"))
    assert.equal(108894, result.truncated.stdout.total)
    assert.truthy(result.truncated.stdout.kept <= 8192)
    assert.equal(result.truncated.stdout.kept, #result.stdout)
    assert.truthy(result.stdout:find("^1\n2\n"))
    assert.truthy(result.stdout:find("20000\n$"))
    small:close()
  end)

  it("refuses another user", function()
    local result, err = sandbox().commands:run("id", { user = "root" })
    assert.is_nil(result)
    assert.equal("unsupported", err.kind)
  end)

  it("gives the code no more processes than limits.processes #I12", function()
    local small = codecell.assert(codecell.create({ limits = { processes = 32 } }))
    local result = codecell.assert(small.commands:run({ "python3", "-c", [[
import errno, os
count = 0
try:
    while count < 64:
        if os.fork() == 0:
            os.read(os.pipe()[0], 1)
        count += 1
except OSError as error:
    print(errno.errorcode[error.errno], count <= 34)]] }))
    assert.equal("EAGAIN True\n", result.stdout)
    small:close()
  end)
end)

describe("background commands #user", function()
  local sandbox = one_sandbox(teardown)

  it("end when a callback raises, and wait raises it again", function()
    local process = codecell.assert(sandbox().commands:run("echo x; sleep 60", {
      background = true,
      on_stdout = function() error("enough", 0) end,
    }))
    assert.has_error(function() process:wait(20) end, "enough")
    process:close()
  end)

  it("wait for callbacks that wait, so that these do not pile up", function()
    local active, most, bytes = 0, 0, 0
    local gate = codecell.async(function() sandbox().commands:run("sleep 0.5") end)
    local process = codecell.assert(sandbox().commands:run("yes | head -c 8000000", {
      background = true,
      on_stdout = function(chunk)
        active, bytes = active + 1, bytes + #chunk
        most = math.max(most, active)
        gate:wait(60)
        active = active - 1
      end,
    }))
    local deadline = codecell.reactor():now() + 20
    while (bytes < 8000000 or active > 0) and codecell.reactor():now() < deadline do
      codecell.step(0.1)
    end
    assert.equal(8000000, bytes)
    assert.equal(0, active)
    assert.truthy(most <= 64)
    process:close()
  end)

  it("have called with all their output when wait comes back", function()
    for _ = 1, 30 do
      local heard
      local process = codecell.assert(sandbox().commands:run("echo x",
        { background = true, on_stdout = function(chunk) heard = chunk end }))
      process:wait(20)
      process:close()
      assert.equal("x\n", heard)
    end
  end)

  it("call whatever can be called", function()
    local heard = {}
    local process = codecell.assert(sandbox().commands:run("echo x", {
      background = true,
      on_stdout = setmetatable({}, { __call = function(_, chunk) heard[1] = chunk end }),
    }))
    process:wait(20)
    process:close()
    assert.same({ "x\n" }, heard)
    process = codecell.assert(sandbox().commands:run("echo x",
      { background = true, on_stdout = string.rep })) -- of C; what it raises is told
    assert.has_error(function() process:wait(20) end)
    process:close()
  end)

  it("are in the list until they end, and found by their number", function()
    local commands = sandbox().commands
    local process = codecell.assert(commands:run("sleep 60",
      { background = true, tag = "sleeper", cwd = "/tmp", envs = { A = "1" } }))
    local list = commands:list()
    assert.equal(1, #list)
    assert.equal(process.pid, list[1].pid)
    assert.equal("sleeper", list[1].tag)
    assert.equal("/tmp", list[1].cwd)
    assert.same({ A = "1" }, list[1].envs)
    assert.same({ "-c", "sleep 60" }, list[1].args)
    assert.is_true(codecell.assert(commands:kill(process.pid)))
    assert.equal("SIGKILL", codecell.assert(process:wait(60)).signal)
    assert.is_false(commands:kill(process.pid))
    assert.same({}, commands:list())
    process:close()
  end)

  it("live on when nobody holds the object", function()
    local commands = sandbox().commands
    codecell.assert(commands:run("sleep 60", { background = true }))
    collectgarbage()
    collectgarbage()
    assert.equal(1, #commands:list())
    assert.is_true(commands:kill(commands:list()[1].pid, "TERM"))
    wait_until(function() return #commands:list() == 0 end) -- it takes its time to die
  end)

  it("take input by their number", function()
    local commands = sandbox().commands
    local process = codecell.assert(commands:run("cat", { background = true, stdin = true }))
    assert.is_true(codecell.assert(commands:send_stdin(process.pid, "hello\n")))
    assert.equal("hello\n", (process:read(10)))
    assert.is_true(codecell.assert(commands:close_stdin(process.pid)))
    assert.equal("hello\n", codecell.assert(process:wait(60)).stdout)
    process:close()
    local ok, err = commands:send_stdin(99999, "x")
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
  end)

  it("connect gives a second object, which only lets go", function()
    local commands = sandbox().commands
    local process = codecell.assert(commands:run("cat", { background = true, stdin = true }))
    local other = codecell.assert(commands:connect(process.pid))
    assert.equal(process.pid, other.pid)
    assert.is_true(codecell.assert(other:write("x\n")))
    other:close()
    assert.error_matches(function() other:read(10) end, "process is closed")
    assert.equal("x\n", (process:read(10)))
    process:close()
    assert.same({}, commands:list())
  end)

  it("call back during step, each time in a coroutine of its own", function()
    local seen = {}
    local process = codecell.assert(sandbox().commands:run("echo one; sleep 0.05; echo two", {
      background = true,
      on_stdout = function(text)
        seen[#seen + 1] = text
        codecell.assert(sandbox().commands:run("true")) -- may wait
      end,
    }))
    codecell.assert(process:wait(60))
    for _ = 1, 20 do
      codecell.step(0.01)
    end
    assert.equal("one\ntwo\n", table.concat(seen))
    process:close()
  end)

  it("end at a timeout of their own", function()
    local process = codecell.assert(sandbox().commands:run("sleep 60",
      { background = true, timeout = 0.2 }))
    local result = codecell.assert(process:wait(60))
    assert.equal("SIGKILL", result.signal)
    process:close()
  end)
end)
