-- The processes of `codecell serve`, asked by curl while another client listens to them.
local codecell = require "codecell"
local envelope = require "codecell.e2b.envelope"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local run = require "codecell.gateway.envd.run"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local STREAM = "application/connect+json"

describe("the processes of codecell serve #M10 #user", function()
  local server, record, folder
  setup(function()
    folder = shell.folder()
    server = gateway.start()
    record = server:create()
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  local function messages(text)
    local list, reader = {}, envelope.reader("the answer")
    reader:add(text)
    local message = reader:next()
    while message do
      list[#list + 1] = message
      message = reader:next()
    end
    return list
  end

  local function call(method, body)
    return server:ask("/process.Process/" .. method, { method = "POST", body = body, to = record })
  end

  -- Ask with several messages.
  local function stream(method, list)
    local bytes = {}
    for i, message in ipairs(list) do
      bytes[i] = envelope.encode(json.encode(message))
    end
    local status, text = server:ask("/process.Process/" .. method, { method = "POST",
      kind = STREAM, body = table.concat(bytes), to = record })
    return messages(text), status
  end

  -- A client that listens until the end, into a file.
  local function start(name, words, more)
    local body = { process = { cmd = "/bin/sh", args = { "-c", words } }, stdin = true, tag = name }
    for key, value in pairs(more or {}) do
      body[key] = value
    end
    shell.write(folder .. "/" .. name, envelope.encode(json.encode(body)))
    os.execute(("curl -sN -X POST -H 'Content-Type: %s' -H 'E2b-Sandbox-Id: %s' "
      .. "-H 'E2b-Sandbox-Port: 49983' -H 'X-Access-Token: %s' --data-binary @%s/%s "
      .. "%s/process.Process/Start > %s/%s.out &"):format(STREAM, record.sandboxID,
      record.envdAccessToken, folder, name, server.url, folder, name))
    local patience, process = os.time() + 20, nil
    repeat
      for _, one in ipairs(select(2, call("List", {})).processes or {}) do
        process = one.tag == name and one or process
      end
    until process or os.time() > patience
    return assert(process)
  end

  local function end_of(name)
    local patience = os.time() + 20
    repeat
      local list = messages(shell.read(folder .. "/" .. name .. ".out") or "")
      local last = list[#list - 1]
      if last and last.event and last.event["end"] then
        return last.event["end"], list
      end
      os.execute("sleep 0.05")
    until os.time() > patience
  end

  local function data(text)
    return { data = { input = { stdin = require("codecell.base64").encode(text) } } }
  end

  it("take input by a stream, and messages that say nothing", function()
    local process = start("reader", "read a; read b; read c; echo $a-$b-$c; exit 3")
    local list, status = stream("StreamInput", { { start = { process = { pid = process.pid } } },
      data("one\ntw"), { keepalive = json.decode("{}") }, data("o\nthree\n") })
    assert.same({ 200, {}, {} }, { status, list[1], list[2] })
    local told, all = end_of("reader")
    assert.equal(3, told.exitCode)
    assert.equal("b25lLXR3by10aHJlZQo=", all[2].event.data.stdout)
  end)

  it("refuse input by a stream that nobody can take", function()
    local none = stream("StreamInput", { { start = { process = { tag = "none" } } }, data("x") })
    assert.equal("not_found", none[1].error.code)
    assert.equal("not_found", stream("StreamInput", {})[1].error.code)
    start("closed", "sleep 60", { stdin = false })
    local list = stream("StreamInput", { { start = { process = { tag = "closed" } } }, data("x") })
    assert.equal("internal", list[1].error.code)
    list = stream("StreamInput", { { start = { process = { tag = "closed" } } },
      { data = { input = { pty = "eA==" } } } })
    assert.equal("invalid_argument", list[1].error.code)
    assert.equal(200, (call("SendSignal", { process = { tag = "closed" },
      signal = "SIGNAL_SIGKILL" })))
    assert.equal(-1, end_of("closed").exitCode)
  end)

  it("have ended when a kill is answered", function()
    local process = start("killed", "sleep 60")
    local function is_there()
      return (server:ask("/filesystem.Filesystem/Stat", { method = "POST", to = record,
        body = { path = "/proc/" .. process.pid } })) == 200
    end
    assert.is_true(is_there())
    assert.equal(200, (call("SendSignal", { process = { pid = process.pid },
      signal = "SIGNAL_SIGKILL" })))
    assert.is_false(is_there())
    assert.equal(404, (call("SendSignal", { process = { pid = process.pid },
      signal = "SIGNAL_SIGKILL" })))
  end)

  it("have ended for who asks, though nobody takes what they have said", function()
    local sandbox = codecell.assert(codecell.create())
    local process = codecell.assert(sandbox.commands:run({ "yes" }, { background = true }))
    local function nothing() end
    local one = { add_run = nothing, keep_ended = nothing, log = nothing }
    local started = run.new(one, process, { about = {} })
    local heard = started:listen()
    started:begin(one)
    wait_until(function() return heard.feed.size > 2 ^ 20 end) -- more is waited for
    assert.is_true(started:kill(9))
    codecell.assert(codecell.async(function()
      started:await_end()
      return true
    end):wait(60))
    assert.is_true(started:has_ended())
    assert.is_nil(started.over)
    heard.left()
    wait_until(function() return started.over ~= nil end)
    sandbox:close()
  end)

  it("are found by their tags, each by its own", function()
    start("first", "read line; exit 4")
    start("second", "read line; exit 5")
    assert.equal(200, (call("SendInput", { process = { tag = "second" },
      input = { stdin = "Cg==" } })))
    assert.equal(5, end_of("second").exitCode)
    assert.equal(200, (call("CloseStdin", { process = { tag = "first" } })))
    assert.equal(4, end_of("first").exitCode)
    assert.equal(404, (call("SendInput", { process = { tag = "first" },
      input = { stdin = "Cg==" } })))
  end)
end)
