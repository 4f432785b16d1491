local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

describe("pty:create #user", function()
  local sandbox = one_sandbox(teardown)

  local function read_until(process, pattern)
    local text = ""
    while not text:find(pattern) do
      local chunk, stream = process:read(10)
      assert(chunk, tostring(stream) .. " after " .. text)
      assert.equal("pty", stream)
      text = text .. chunk
    end
    return text
  end

  it("runs a program on a terminal of its own", function()
    local process = codecell.assert(sandbox().pty:create({ cmd = "tty; stty size" }))
    local text = read_until(process, "24 80")
    assert.truthy(text:find("/dev/pts/", 1, true))
    assert.equal(0, codecell.assert(process:wait(60)).exit_code)
    process:close()
  end)

  it("runs a shell that one can type to", function()
    local process = codecell.assert(sandbox().pty:create())
    assert.is_true(codecell.assert(process:write("echo $((40 + 2)); exit 5\n")))
    read_until(process, "[^%d]42\r")
    assert.equal(5, codecell.assert(process:wait(60)).exit_code)
    process:close()
  end)

  it("has the size that it was given, and can be resized", function()
    local process = codecell.assert(sandbox().pty:create({
      rows = 10, cols = 33, cmd = "stty size; read line; stty size" }))
    read_until(process, "10 33")
    assert.is_true(codecell.assert(process:resize(50, 132)))
    assert.is_true(codecell.assert(process:write("\n")))
    read_until(process, "50 132")
    assert.has_error(function() process:resize(0, 80) end)
    process:close()
  end)

  it("passes ^C on as an interrupt", function()
    local process = codecell.assert(sandbox().pty:create({ cmd = "echo ready; sleep 60" }))
    read_until(process, "ready")
    assert.is_true(codecell.assert(process:write("\3")))
    local result = codecell.assert(process:wait(60))
    assert.truthy(result.signal == "SIGINT" or result.exit_code == 130)
    process:close()
  end)

  it("says not_found for a program that there is not", function()
    local process, err = sandbox().pty:create({ cmd = { "no-such-program" } })
    assert.is_nil(process)
    assert.equal("not_found", err.kind)
  end)

  it("is among the commands that can be listed and killed", function()
    local process = codecell.assert(sandbox().pty:create({ cmd = { "sleep", "60" } }))
    assert.equal(process.pid, sandbox().commands:list()[1].pid)
    assert.is_true(sandbox().commands:kill(process.pid))
    codecell.assert(process:wait(60))
    process:close()
  end)
end)
