-- What happens when the time of a sandbox is up: it ends, or it is paused.

local codecell = require "codecell"
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local SOON = 0.2 -- seconds of a sandbox that is to be paused at its deadline
local LONG = 60 -- seconds that nothing here takes

local function create(options)
  options = options or {}
  options.timeout, options.on_timeout = options.timeout or LONG, "pause"
  return codecell.assert(codecell.create(options))
end

local function run(sandbox, code, options)
  return codecell.assert(sandbox:run_code(code, options))
end

local function is_paused(sandbox)
  return function()
    return sandbox:get_info().state == "paused"
  end
end

-- Let its deadline come; it has the same again after a resume.
local function expire(sandbox)
  codecell.assert(sandbox:set_timeout(SOON))
  wait_until(is_paused(sandbox))
end

local function assert_over(value, err)
  assert.is_nil(value)
  assert.equal("timeout", err.kind)
  assert.matches("reached its deadline and is paused", err.message)
end

describe("a sandbox with on_timeout = \"pause\" #S123", function()
  local sandbox
  before_each(function()
    sandbox = create()
  end)
  after_each(function()
    sandbox:close()
  end)

  it("is paused at its deadline, with its variables, files and processes", function()
    run(sandbox, "x = 41")
    local ticking = codecell.assert(sandbox.commands:run("while :; do sleep 0.01; done",
      { background = true }))
    expire(sandbox)
    assert.is_false(sandbox:is_running())
    assert.equal(sandbox.id, codecell.list({ state = "paused" })[1].id)
    sandbox.files:write("kept", "text")
    codecell.assert(sandbox:resume())
    assert.equal("42", run(sandbox, "x + 1").text)
    assert.equal("text", sandbox.files:read("kept"))
    assert.is_true(ticking:kill())
  end)

  it("stands still although the host does not look at it", function()
    codecell.assert(sandbox.commands:run(
      "(while :; do echo >>/tmp/ticks; sleep 0.005; done) & sleep 0.1", { background = true }))
    wait_until(function() return sandbox.files:exists("/tmp/ticks") end)
    codecell.assert(sandbox:set_timeout(SOON))
    os.execute("sleep 1.5") -- nothing is stepped
    local before = sandbox.files:get_info("/tmp/ticks").size
    os.execute("sleep 0.1")
    assert.equal(before, sandbox.files:get_info("/tmp/ticks").size)
    assert.equal("paused", sandbox:get_info().state)
  end)

  it("has as much time again after resume as it was given last, and is paused again", function()
    expire(sandbox)
    for _ = 1, 2 do
      codecell.assert(sandbox:resume())
      assert.equal("running", sandbox:get_info().state)
      wait_until(is_paused(sandbox))
    end
    codecell.assert(sandbox:set_timeout(LONG)) -- it has time, and stays paused
    assert.equal("paused", sandbox:get_info().state)
    codecell.assert(sandbox:resume())
    assert.equal("2", run(sandbox, "1 + 1").text)
    assert.is_true(sandbox:get_info().end_at > os.time() + LONG / 2)
  end)

  it("is resumed by connect", function()
    run(sandbox, "x = 41")
    expire(sandbox)
    local other = codecell.assert(codecell.connect(sandbox.id))
    assert.equal("42", run(other, "x + 1").text)
    other:close()
  end)

  it("tells on_event, and starts nothing until it is resumed", function()
    local events = {}
    local told = create({ on_event = function(event) events[#events + 1] = event end })
    expire(told)
    wait_until(function() return #events > 0 end)
    assert.same({ { type = "paused", sandbox = told.id } }, events)
    local done, err = told:run_code("1")
    assert.is_nil(done)
    assert.equal("unavailable", err.kind)
    done, err = told.commands:run("true")
    assert.is_nil(done)
    assert.equal("unavailable", err.kind)
    told:close()
  end)

  it("tells who waits for a cell, which goes on after resume", function()
    run(sandbox, "x = 1")
    codecell.assert(sandbox:set_timeout(SOON))
    assert_over(sandbox:run_code("import time\nfor i in range(60):\n time.sleep(0.01)\nx = 2"))
    codecell.assert(sandbox:set_timeout(LONG))
    codecell.assert(sandbox:resume())
    local execution = run(sandbox, "print('next')\nx")
    assert.equal("2", execution.text)
    assert.equal("next\n", execution.logs.stdout[1])
    assert.is_false(execution.state_lost)
  end)

  it("interrupts a cell that was left and does not end in the time of the next one", function()
    run(sandbox, "x = 1")
    codecell.assert(sandbox:set_timeout(SOON))
    assert_over(sandbox:run_code("import time\ntime.sleep(1000)"))
    codecell.assert(sandbox:set_timeout(LONG))
    codecell.assert(sandbox:resume())
    assert.is_true(run(sandbox, "x", { timeout = 0.3 }).timed_out)
    local execution = run(sandbox, "x")
    assert.same({ "1", false }, { execution.text, execution.state_lost })
  end)

  it("tells who waits in line, for a command, for output, for a run", function()
    local busy = codecell.assert(sandbox:start_code("import time\nfor i in range(60):\n"
      .. " time.sleep(0.01)\n'done'"))
    local command = codecell.assert(sandbox.commands:run("sleep 1; echo out",
      { background = true }))
    codecell.assert(sandbox:set_timeout(SOON))
    assert_over(sandbox.commands:run("sleep 1000"))
    assert_over(command:wait())
    assert_over(command:read())
    assert_over(busy:wait())
    codecell.assert(sandbox:set_timeout(LONG))
    codecell.assert(sandbox:resume())
    assert.equal("out\n", codecell.assert(command:wait(LONG)).stdout)
    assert.equal("done", codecell.assert(busy:wait(LONG)).text)
  end)

  it("tells all coroutines that wait, and none of them hangs", function()
    local waiting = {}
    for i = 1, 3 do
      waiting[i] = codecell.async(function()
        return sandbox:run_code("import time\ntime.sleep(1000)")
      end)
    end
    waiting[4] = codecell.async(function() return sandbox.commands:run("sleep 1000") end)
    codecell.assert(sandbox:set_timeout(SOON))
    for i = 1, 4 do
      assert_over(waiting[i]:wait(LONG))
    end
  end)

  it("keeps its deadline when it was paused before", function()
    local seconds, done = SOON
    repeat
      codecell.assert(sandbox:pause())
      codecell.assert(sandbox:set_timeout(seconds))
      os.execute("sleep " .. seconds * 2)
      codecell.assert(sandbox:resume()) -- which gives it as much again, enough or not
      done = sandbox:run_code("1 + 1")
      seconds = seconds * 3
    until done or seconds > 20
    assert.equal("2", codecell.assert(done).text)
  end)

  it("cuts no connection, and one whose other end is gone ends", function()
    local server = codecell.assert(sandbox.commands:run({ "python3", "-c", [[
import socket
server = socket.create_server(("127.0.0.1", 8080))
print("ready", flush=True)
peer, _ = server.accept()
while data := peer.recv(100):
    peer.sendall(data)
print("ended", flush=True)
server.accept()[0].recv(100)]] }, { background = true }))
    assert.equal("ready\n", server:read(LONG))
    local folder = shell.folder()
    local wait, printed = outside.start(([[
import os, socket, time
def connect():
    return socket.create_connection(("127.0.0.1", %d), 30)
peer = connect()
def talk(text):
    peer.sendall(text)
    print(peer.recv(100).decode(), flush=True)
talk(b"before")
while not os.path.exists("%s/paused"):
    time.sleep(0.01)
talk(b"meanwhile")
peer.close()
peer = connect()
print("second", flush=True)
try:
    print(peer.recv(100))
except ConnectionResetError:
    print(b"")]]):format(codecell.assert(sandbox:get_host(8080)):match("%d+$"), folder))
    wait_until(function() return printed():find("before", 1, true) end)
    expire(sandbox)
    codecell.assert(sandbox:set_timeout(LONG))
    shell.write(folder .. "/paused", "")
    codecell.step(0.1)
    assert.equal("before\n", printed())
    codecell.assert(sandbox:resume())
    wait_until(function() return printed():find("second", 1, true) end)
    assert.equal("ended\n", server:read(LONG))
    codecell.assert(sandbox:pause())
    assert.is_true(sandbox:kill())
    assert.equal("before\nmeanwhile\nsecond\nb''\n", wait())
    shell.remove(folder)
  end)

  it("can be copied while it is paused, ended, and closed", function()
    sandbox.files:write("kept", "text")
    expire(sandbox)
    local copy = codecell.assert(sandbox:fork())
    assert.equal("text", copy.files:read("kept"))
    assert.equal("paused", sandbox:get_info().state)
    copy:close()
    assert.is_true(sandbox:kill())
    assert.is_false(sandbox:kill())
  end)

  it("comes from a pool as well", function()
    local pool = codecell.assert(codecell.pool({ size = 1 }))
    codecell.assert(pool:wait(LONG))
    local warm = create({ warm = true, timeout = SOON })
    assert.equal(1, pool:stats().taken)
    pool:close()
    wait_until(is_paused(warm))
    codecell.assert(warm:resume())
    warm:close()
  end)
end)

describe("a sandbox with on_timeout = \"kill\" #S123", function()
  it("ends at its deadline although it is paused, which resume says", function()
    local sandbox = codecell.assert(codecell.create())
    codecell.assert(sandbox:pause())
    codecell.assert(sandbox:set_timeout(SOON))
    os.execute("sleep 0.5")
    local ok, err = sandbox:resume()
    assert.is_nil(ok)
    assert.truthy(err.kind == "sandbox_gone" or err.kind == "timeout")
    sandbox:close()
  end)
end)
