-- Where the log goes: a function, a file of JSON lines, standard error, the system's log.
local cjson = require "cjson"
local codecell = require "codecell"
local core = require "codecell.core"
local log = codecell.log
local shell = require "spec.support.shell"

describe("codecell.log", function()
  local folder

  setup(function()
    folder = shell.folder()
  end)

  teardown(function()
    shell.remove(folder)
  end)

  after_each(function()
    log.sink, log.level, log.format = nil, nil, nil
  end)

  local function lines_of(text)
    local lines = {}
    for line in text:gmatch("[^\n]+") do
      lines[#lines + 1] = line
    end
    return lines
  end

  it("gives a function level, message, fields and part, from the level on that is wanted #K09",
    function()
      local heard = {}
      log.sink = function(level, message, fields, part)
        heard[#heard + 1] = { level, message, fields.event, part }
      end
      log.write("debug", "e2b:service", "little", { event = "a" })
      log.write("error", "e2b:service", "much", { event = "b" })
      log.level = "debug"
      log.write("debug", "e2b:service", "little", { event = "c" })
      assert.same({ { "error", "much", "b", "e2b:service" },
        { "debug", "little", "c", "e2b:service" } }, heard)
    end)

  it("shows nothing that a terminal obeys, or that turns the reading direction", function()
    local program = [[require("codecell").log.write("error", "e2b:service",
      "a\27]2;title\7 \194\155" .. "2J \226\128\174 back\nnext", {})]]
    local told = shell.run("CODECELL_LOG=text " .. shell.lua .. " -e " .. shell.quote(program))
    assert.falsy(told.stderr:find("[%z\1-\9\11-\31]"))
    assert.falsy(told.stderr:find("\194[\128-\159]"))
    assert.falsy(told.stderr:find("\226\128\174", 1, true))
    assert.equal(1, #lines_of(told.stderr))
    assert.truthy(told.stderr:find("ERROR e2b:service a", 1, true))
  end)

  it("adds lines of JSON to a file, and says how many it could not #K09", function()
    local path = folder .. "/log.jsonl"
    log.sink = codecell.assert(log.file(path))
    local service = codecell.assert(codecell.service({ mode = "mock", pool_size = 0 }))
    service:execute("a\n\0\255")
    service:close()
    local events = {}
    for i, line in ipairs(lines_of(shell.read(path))) do
      local one = cjson.decode(line)
      assert.truthy(one.time:find("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$"))
      events[i] = one.event
    end
    assert.same({ "service.start", "sandbox.create", "run.start", "run.end", "sandbox.kill" },
      events)
    os.remove(path)
    assert.equal(0, shell.run("mkdir " .. shell.quote(path)).status)
    log.write("info", "p", "lost")
    shell.remove(path)
    log.write("info", "p", "kept")
    assert.equal("kept (1 before it were not taken)", cjson.decode(shell.read(path)).message)
    local _, err = log.file(folder .. "/none/x")
    assert.equal("invalid_argument", err.kind)
  end)

  it("tells fields that are false as well", function()
    local line = require "codecell.log.line"
    local one = cjson.decode(line.json("error", "m", { event = "run.end", success = false,
      level = "mine" }, "p"))
    assert.is_false(one.success)
    assert.equal("error", one.level)
  end)

  it("sends the system's log one datagram an event, and never waits for it #K09", function()
    local path = folder .. "/socket"
    local taker = io.popen(("exec /usr/bin/python3 spec/support/datagrams.py %s"):format(
      shell.quote(path)))
    assert.equal("ready", taker:read("*l"))
    log.sink = log.syslog({ path = path, facility = "local3", name = "my app" })
    log.write("error", "e2b:service", "two\nlines", { event = "a" })
    log.write("info", "e2b:service", ("x"):rep(100000), { text = ("y"):rep(100000) })
    core.host_datagram(path, "end")
    local first, second = taker:read("*l"), taker:read("*l")
    taker:close()
    assert.truthy(first:find("^<155>%u%l%l [ %d]%d %d%d:%d%d:%d%d my_app%[" .. core.getpid()
      .. '%]: e2b:service two lines {"event":"a"}$'), first)
    assert.truthy(second:find("^<158>"))
    assert.is_true(#second < 2048)
    for _ = 1, 1000 do -- nobody takes them
      log.write("info", "p", "lost")
    end
    local ok, err = log.syslog({ path = folder .. "/none" })("info", "x", {}, "p")
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
    assert.has_error(function() log.syslog({ facility = "kernel" }) end)
  end)

  it("is not held up by a system's log that is full #K09", function()
    local path = folder .. "/full"
    local taker = io.popen(("exec /usr/bin/python3 -c 'import os, socket, sys, time\n"
      .. "taker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ntaker.bind(sys.argv[1])\n"
      .. "print(os.getpid(), flush=True)\ntime.sleep(60)' %s"):format(shell.quote(path)))
    local id = taker:read("*n")
    log.sink = log.syslog({ path = path })
    for _ = 1, 1000 do
      log.write("info", "p", ("x"):rep(500))
    end
    local ok, err = log.sink("info", "x", {}, "p")
    shell.run("kill " .. id)
    taker:close()
    assert.is_nil(ok)
    assert.equal("unavailable", err.kind)
  end)

  it("goes where it would without, where the system has none #K09", function()
    local told = shell.run("CODECELL_LOG=syslog " .. shell.lua .. " -e " .. shell.quote(
      'local log = require("codecell").log; '
      .. 'require("codecell.log.sinks").syslog = function() return function() end end; '
      .. 'log.write("info", "p", "said")'))
    assert.truthy(told.stderr:find("INFO p said\n", 1, true))
  end)

  it("writes what is wanted from the level on that its program says #B16", function()
    local program = shell.lua .. " -e " .. shell.quote('local c = require "codecell"; '
      .. 'c.log.level = os.getenv "LEVEL"; c.service():execute("1")')
    local told = shell.run("E2B_MODE=mock LEVEL=debug " .. program)
    assert.truthy(told.stderr:find("Executing Python code", 1, true))
    assert.is_nil(shell.run("E2B_MODE=mock LEVEL=error " .. program).stderr
      :find("Executing Python code", 1, true))
  end)

  it("is shown by DEBUG for codecell run, too #B15", function()
    local told = shell.run("DEBUG='e2b:*' " .. shell.codecell .. " run --mode mock -c 1")
    assert.truthy(told.stderr:find("e2b:", 1, true), told.stderr)
  end)
end)
