local attack = require "spec.support.attack"
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local wait_until = require "spec.support.wait_until"

describe("Process #user", function()
  local sandbox = one_sandbox(teardown)

  local function start(cmd, options)
    options = options or {}
    options.background = true
    return codecell.assert(sandbox().commands:run(cmd, options))
  end

  -- What was killed is seen until it is reaped.
  local function ends(pattern)
    wait_until(function()
      return codecell.assert(sandbox().commands:run({ "pgrep", "-f", pattern })).stdout == ""
    end)
  end

  it("reads chunks with the name of their stream, and nil at the end", function()
    local process = start("echo out; echo err >&2")
    local seen = {}
    while true do
      local chunk, stream = process:read(10)
      if not chunk then
        assert.is_nil(stream)
        break
      end
      seen[stream] = (seen[stream] or "") .. chunk
    end
    assert.same({ stdout = "out\n", stderr = "err\n" }, seen)
    process:close()
  end)

  it("says timeout when nothing comes, and can be read again", function()
    local process = start("sleep 0.2; echo late")
    local chunk, err = process:read(0.02)
    assert.is_nil(chunk)
    assert.equal("timeout", err.kind)
    assert.equal("late\n", (process:read(10)))
    process:close()
  end)

  it("try_read and try_wait answer at once", function()
    local process = start("read line; echo $line; exit 4", { stdin = true })
    assert.is_false(process:try_read())
    assert.is_false(process:try_wait())
    assert.is_true(codecell.assert(process:write("hello\n")))
    assert.equal("hello\n", (process:read(10)))
    assert.equal(4, codecell.assert(process:wait(60)).exit_code)
    assert.equal(4, process:try_wait().exit_code)
    process:close()
  end)

  it("writes more than a pipe takes, while it is read", function()
    local process = start("cat > big; wc -c < big", { stdin = true })
    local data = ("x"):rep(1000000)
    assert.is_true(codecell.assert(process:write(data)))
    process:close_input()
    assert.equal("1000000\n", codecell.assert(process:wait(60)).stdout)
    process:close()
  end)

  it("write says timeout when nobody reads", function()
    local process = start("sleep 60", { stdin = true })
    local ok, err = process:write(("x"):rep(1000000), 0.1)
    assert.is_nil(ok)
    assert.equal("timeout", err.kind)
    process:close()
  end)

  it("wait says timeout and leaves it running; its result has all output", function()
    local process = start("echo first; sleep 0.2; echo second")
    assert.equal("first\n", (process:read(10)))
    local result, err = process:wait(0.02)
    assert.is_nil(result)
    assert.equal("timeout", err.kind)
    assert.equal("first\nsecond\n", codecell.assert(process:wait(60)).stdout)
    process:close()
  end)

  it("takes signals by name or number, and raises for one that is none", function()
    for _, signal in ipairs({ "sigterm", "SIGTERM", "TERM", 15 }) do
      local process = start({ "sleep", "60" })
      assert.is_true(codecell.assert(process:kill(signal)))
      assert.equal("SIGTERM", codecell.assert(process:wait(60)).signal)
      assert.is_false(process:kill())
      process:close()
    end
    local process = start({ "sleep", "60" })
    assert.has_error(function() process:kill("SIGNOTHING") end)
    assert.has_error(function() process:kill(0) end)
    assert.has_error(function() process:kill(1.5) end)
    process:close()
  end)

  it("kills what it started too, where that is asked for", function()
    local process = start("sleep 61 & sleep 61")
    codecell.step(0.05)
    assert.is_true(codecell.assert(process:kill("SIGKILL", { group = true })))
    codecell.assert(process:wait(60))
    ends("sleep 6[1]")
    process:close()
  end)

  it("close kills it, is idempotent, and makes verbs raise", function()
    local process = start("sleep 62")
    process:close()
    process:close()
    assert.has_error(function() process:read() end)
    assert.has_error(function() process:wait() end)
    assert.has_error(function() process:kill() end)
    assert.has_error(function() process:write("x") end)
    ends("sleep 6[2]")
  end)

  it("ends with an error when its sandbox ends", function()
    local box = codecell.assert(codecell.create())
    local process = codecell.assert(box.commands:run("sleep 60", { background = true }))
    box:kill()
    local result, err = process:wait(60)
    assert.is_nil(result)
    assert.truthy(err.kind == "sandbox_gone" or err.kind == "cancelled", tostring(err))
    process:close()
    box:close()
  end)

  it("leaves no descriptor behind", function()
    start("true"):close()
    codecell.step(0.1)
    local before = attack.descriptors()
    for _ = 1, 5 do
      local process = start("cat", { stdin = true })
      process:close()
    end
    assert.is_true(attack.descriptors_fall_to(before))
  end)

  it("holds no descriptor once it has ended, though it is kept for its result", function()
    start("true"):close()
    codecell.step(0.1)
    local before = attack.descriptors()
    local program = start("read line", { stdin = true })
    local terminal = codecell.assert(sandbox().pty:create({ cmd = "read line" }))
    for _, process in ipairs({ program, terminal }) do
      assert.is_true(process:write("x\n"))
      assert.equal(0, codecell.assert(process:wait(60)).exit_code)
    end
    assert.is_true(attack.descriptors_fall_to(before))
    local written, err = program:write("x\n")
    assert.is_nil(written)
    assert.matches("does not read any more", err.message)
    assert.equal(0, program:wait(60).exit_code)
    terminal:close()
  end)

  it("holds none either where the one who reads finds the end of its output", function()
    start("true"):close()
    codecell.step(0.1)
    local before = attack.descriptors()
    local program = start("head -c 100000 /dev/zero", { stdin = true })
    program:_hold(0, true) -- as a callback does: nothing is read ahead
    wait_until(function() return program:_state() == "exited" end)
    local count = 0
    for chunk in function() return (program:try_read()) end do
      count = count + #chunk
    end
    assert.equal(100000, count)
    assert.is_true(attack.descriptors() <= before)
    program:close()
  end)
end)

describe("close while another coroutine waits #user", function()
  local sandbox = one_sandbox(teardown)

  it("ends its wait with cancelled", function()
    local process = codecell.assert(sandbox().commands:run("sleep 60", { background = true }))
    local tasks = {
      codecell.async(function() return select(2, process:read()) end),
      codecell.async(function() return select(2, process:wait()) end),
    }
    codecell.step(0.02)
    process:close()
    for _, task in ipairs(tasks) do
      assert.equal("cancelled", task:wait(60).kind)
    end
  end)

  it("restarting a context cancels its cell", function()
    local context = codecell.assert(sandbox():create_code_context())
    local task = codecell.async(function()
      return select(2, sandbox():run_code("import time; time.sleep(60)", { context = context }))
    end)
    codecell.step(0.05)
    assert.is_true(sandbox():restart_code_context(context))
    assert.equal("cancelled", task:wait(60).kind)
    assert.equal("2", codecell.assert(sandbox():run_code("1 + 1", { context = context })).text)
  end)
end)
