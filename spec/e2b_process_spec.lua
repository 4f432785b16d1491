local base64 = require "codecell.base64"
local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"
local out_of_time = require "spec.support.out_of_time"

local out, envelope = e2b.out, e2b.envelope
local START = "/process.Process/Start$"

describe("commands in a sandbox of E2B", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  local function answer(body, more)
    local rule = { method = "POST", path = START, body = body, pieces = 7 }
    for name, value in pairs(more or {}) do
      rule[name] = value
    end
    server:script(e2b.rules(rule))
  end

  -- Let what nobody waits for be sent.
  local function wait_for(method, count)
    local patience = os.time() + 60
    while #server:asked("POST", method) < (count or 1) and os.time() < patience do
      codecell.step(0.02)
    end
    assert.equal(count or 1, #server:asked("POST", method))
  end

  local function started(index)
    local request = server:asked("POST", START)[index or 1]
    return json.decode(request.body:sub(6)), request
  end

  it("run as the shell's, with the headers and the deadline of envd", function()
    answer(e2b.process(out "hi\n", out("oh\n", "stderr"), e2b.exit0))
    local result = codecell.assert(sandbox.commands:run("echo hi",
      { cwd = "/tmp", envs = { A = "b" }, user = "root", tag = "t" }))
    assert.equal("hi\n", result.stdout)
    assert.equal("oh\n", result.stderr)
    assert.equal(0, result.exit_code)
    local body, request = started()
    assert.same({ process = { cmd = "/bin/bash", args = { "-c", "echo hi" }, cwd = "/tmp",
      envs = { A = "b" } }, stdin = false, tag = "t" }, body)
    assert.equal("application/connect+json", request.headers["content-type"])
    assert.equal("1", request.headers["connect-protocol-version"])
    assert.equal("50", request.headers["keepalive-ping-interval"])
    assert.equal("65000", request.headers["connect-timeout-ms"])
    assert.equal(e2b.id, request.headers["e2b-sandbox-id"])
    assert.equal("49983", request.headers["e2b-sandbox-port"])
    assert.equal(e2b.token, request.headers["x-access-token"])
    assert.equal("Basic cm9vdDo=", request.headers.authorization)
    assert.is_nil(request.headers["x-api-key"])
  end)

  it("end with a status, which is a result", function()
    answer(e2b.process({ ["end"] = { exitCode = 3, exited = true, status = "exit status 3",
      error = "exit status 3" } }))
    local result = codecell.assert(sandbox.commands:run({ "false" }))
    assert.equal(3, result.exit_code)
    assert.is_nil(result.signal)
  end)

  it("end by a signal as everywhere: -1 and its name", function()
    for status, name in pairs { ["signal: killed"] = "SIGKILL", ["signal: terminated"] = "SIGTERM",
      ["signal: segmentation fault (core dumped)"] = "SIGSEGV" } do
      answer(e2b.process({ ["end"] = { exitCode = -1, status = status, error = status } }))
      local result = codecell.assert(sandbox.commands:run("x"))
      assert.equal(-1, result.exit_code)
      assert.equal(name, result.signal)
    end
  end)

  it("take events in every spelling: keepalives, numbers as text, what is unknown", function()
    answer(envelope { event = { start = { pid = "42" } } }
      .. envelope { event = { keepalive = {} } } .. envelope { event = { later = {} } }
      .. envelope '{"event":{"data":{"stdout":"aGk"}},"more":[1,2]}'
      .. envelope ' { "event" : { "end" : { } } } ' .. envelope({ metadata = {} }, 2))
    local result = codecell.assert(sandbox.commands:run("x"))
    assert.equal("hi", result.stdout)
    assert.equal(0, result.exit_code)
  end)

  it("give callbacks whole characters, in order", function()
    answer(e2b.process(out "a\226\130", out "\172b", out("e", "stderr"), out "\255", e2b.exit0))
    local heard, errs = {}, {}
    codecell.assert(sandbox.commands:run("x", {
      on_stdout = function(text) heard[#heard + 1] = text end,
      on_stderr = function(text) errs[#errs + 1] = text end,
    }))
    assert.equal("a\226\130\172b\255", table.concat(heard))
    for _, text in ipairs(heard) do
      assert.falsy(text:find("^[\128-\191]"))
    end
    assert.equal("e", table.concat(errs))
  end)

  it("keep head and tail of more output than is kept", function()
    local block = ("x"):rep(1000)
    local events = {}
    for i = 1, 40 do
      events[i] = out(("%03d"):format(i) .. block)
    end
    events[41] = e2b.exit0
    server:script(e2b.rules())
    local small = codecell.assert(codecell.create(server:options { limits = { output = 4096 } }))
    small:detach()
    answer(e2b.process((table.unpack or unpack)(events)), { pieces = 1000 }) -- luacheck: ignore
    local result = codecell.assert(small.commands:run("x"))
    assert.same({ kept = 4096, total = 40120 }, result.truncated.stdout)
    assert.equal("001x", result.stdout:sub(1, 4))
    assert.truthy(result.stdout:find("040x", 1, true))
  end)

  it("install packages by what is there", function()
    answer(e2b.process(out "Successfully installed idna-3.7 requests-2.31.0\n", e2b.exit0))
    local result = codecell.assert(sandbox:install({ "requests>=2" }))
    assert.same({ { name = "requests", version = "2.31.0", status = "installed" } },
      result.packages)
    assert.equal("python3", started().process.cmd)
    assert.equal("requests>=2", started().process.args[6])
    answer(e2b.process(out("ERROR: No matching distribution found for nothing_there\n", "stderr"),
      { ["end"] = { exitCode = 1, exited = true } }))
    local none, err = sandbox:install({ "nothing-there>1", "six" }, { language = "py" })
    assert.is_nil(none)
    assert.equal("not_found", err.kind)
    assert.truthy(err.log:find("No matching", 1, true))
    assert.same({ { name = "nothing-there", status = "not_found" },
      { name = "six", status = "not_installed" } }, err.packages)
    answer(e2b.process(out("after connection broken by 'NewConnectionError'\nERROR: No matching "
      .. "distribution found for six\n", "stderr"), { ["end"] = { exitCode = 1, exited = true } }))
    none, err = sandbox:install("six")
    assert.is_nil(none)
    assert.equal("not_installed", err.packages[1].status)
    answer(e2b.process(out("npm error code E404\nnpm error 404  '@a/b@*' is not in this registry.\n"
      .. "npm error A complete log of this run is elsewhere\n", "stderr"),
      { ["end"] = { exitCode = 1, exited = true } }))
    none, err = sandbox:install("@a/b", { language = "js" })
    assert.is_nil(none)
    assert.same({ { name = "@a/b", status = "not_found" } }, err.packages)
    assert.truthy(err.message:find("npm error code E404", 1, true), err.message)
    none, err = sandbox:install("--index-url=http://x")
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)

  it("show no secrets, wherever the pieces are cut", function()
    server:script(e2b.rules())
    local hiding = codecell.assert(codecell.create(server:options {
      secrets = { TOKEN = "hunter2hunter2" } }))
    hiding:detach()
    assert.same({ TOKEN = "hunter2hunter2" },
      json.decode(server:asked("POST", "^/sandboxes$")[1].body).envVars)
    answer(e2b.process(out "is hunt", out "er2hun", out "ter2, hunt", e2b.exit0))
    local heard = {}
    local result = codecell.assert(hiding.commands:run("x",
      { on_stdout = function(text) heard[#heard + 1] = text end }))
    assert.equal("is ***, hunt", result.stdout)
    assert.equal("is ***, hunt", table.concat(heard))
    server:script(e2b.rules({ method = "POST", path = "/execute$", body = e2b.lines(
      { type = "stdout", text = "hunter2" }, { type = "stdout", text = "hunter2" },
      { type = "result", text = "'hunter2hunter2'", is_main_result = true },
      { type = "error", name = "E", value = "hunter2hunter2", traceback = "" },
      { type = "end_of_execution" }) }))
    heard = {}
    local execution = codecell.assert(hiding:run_code("x",
      { on_stdout = function(text) heard[#heard + 1] = text end }))
    assert.same({ "***" }, execution.logs.stdout)
    assert.equal("***", table.concat(heard))
    assert.equal("'***'", execution.text)
    assert.equal("***", execution.error.value)
  end)

  it("make an error of each code that a stream ends with", function()
    for _, case in ipairs(require "spec.cases.e2b.codes") do
      answer(envelope({ error = { code = case[1], message = "because " .. e2b.token } }, 2))
      local result, err = sandbox.commands:run("x")
      assert.is_nil(result)
      assert.equal(case[2], err.kind, case[1] .. ": " .. err.message)
      assert.truthy(err.message:find("because", 1, true))
      assert.falsy(err.message:find(e2b.token, 1, true))
    end
  end)

  it("are timed out where envd says that their time was over", function()
    answer(envelope { event = { start = { pid = 1 } } } .. envelope { event = out "so far" }
      .. envelope({ error = { code = "deadline_exceeded", message = "late" } }, 2))
    local result = codecell.assert(sandbox.commands:run("x"))
    assert.is_true(result.timed_out)
    assert.equal("so far", result.stdout)
  end)

  it("are killed when their time is over here", function()
    local rules = e2b.rules({ method = "POST", path = "SendSignal$", json = {} })
    table.insert(rules, { method = "POST", path = START, hang = true,
      body = envelope { event = { start = { pid = 9 } } } .. envelope { event = out "so far" } })
    server:script(rules)
    local result = out_of_time(0.2, function(timeout)
      return codecell.assert(sandbox.commands:run("x", { timeout = timeout }))
    end)
    assert.is_true(result.timed_out)
    assert.equal("so far", result.stdout)
    assert.same({ process = { pid = 9 }, signal = "SIGNAL_SIGKILL" },
      json.decode(server:asked("POST", "SendSignal")[1].body))
  end)

  it("take input while they run", function()
    local rules = e2b.rules({ method = "POST", path = "SendInput$", json = {} },
      { method = "POST", path = "CloseStdin$", json = {} },
      { method = "POST", path = "SendSignal$", json = {} },
      { method = "POST", path = START, hang = true,
        body = envelope { event = { start = { pid = 7 } } } })
    server:script(rules)
    local process = codecell.assert(sandbox.commands:run("cat",
      { background = true, stdin = true }))
    assert.equal(7, process.pid)
    assert.is_true(process:write("one\0\255"))
    assert.is_true(process:write("two"))
    process:close_input()
    wait_for("CloseStdin")
    local inputs = server:asked("POST", "SendInput")
    assert.equal(2, #inputs)
    assert.same({ process = { pid = 7 }, input = { stdin = base64.encode "one\0\255" } },
      json.decode(inputs[1].body))
    assert.is_true(started().stdin)
    process:close() -- which kills it, since it is ours
    wait_for("SendSignal")
  end)

  it("are listed, connected to, written to and killed by their number", function()
    server:script(e2b.rules(
      { method = "POST", path = "List$", json = { processes = json.list { { pid = 5, tag = "t",
        config = { cmd = "/bin/bash", args = json.list { "-c", "x" }, envs = {} } } } } },
      { method = "POST", path = "Connect$", body = e2b.process(out "later", e2b.exit0) },
      { method = "POST", path = "SendInput$", json = {} },
      { method = "POST", path = "SendSignal$", contains = "SIGTERM", json = {} },
      { method = "POST", path = "SendSignal$", status = 404,
        json = { code = "not_found", message = "process with pid 5 not found" } }))
    local list = codecell.assert(sandbox.commands:list())
    assert.equal(5, list[1].pid)
    assert.equal("t", list[1].tag)
    local process = codecell.assert(sandbox.commands:connect(5))
    assert.equal("later", codecell.assert(process:wait(60)).stdout)
    process:close()
    assert.is_true(sandbox.commands:send_stdin(5, "x"))
    assert.is_true(sandbox.commands:kill(5, "SIGTERM"))
    assert.is_false(sandbox.commands:kill(5))
    local ok, err = sandbox.commands:kill(5, "SIGINT")
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
  end)

  it("have terminals with a size", function()
    server:script(e2b.rules({ method = "POST", path = START, hang = true,
      body = envelope { event = { start = { pid = 3 } } }
        .. envelope { event = out("$ ", "pty") } },
      { method = "POST", path = "Update$", json = {} },
      { method = "POST", path = "SendInput$", json = {} },
      { method = "POST", path = "SendSignal$", json = {} }))
    local terminal = codecell.assert(sandbox.pty:create { rows = 30, cols = 100 })
    local text, stream = terminal:read(5)
    assert.equal("$ ", text)
    assert.equal("pty", stream)
    assert.is_true(terminal:resize(40, 120))
    assert.is_true(terminal:write("ls\n"))
    assert.is_true(terminal:kill())
    assert.same({ size = { cols = 100, rows = 30 } }, started().pty)
    assert.is_nil(started().stdin)
    assert.equal("xterm-256color", started().process.envs.TERM)
    assert.same({ process = { pid = 3 }, pty = { size = { cols = 120, rows = 40 } } },
      json.decode(server:asked("POST", "Update")[1].body))
    assert.same({ process = { pid = 3 }, input = { pty = base64.encode "ls\n" } },
      json.decode(server:asked("POST", "SendInput")[1].body))
    terminal:close()
    assert.equal(1, #server:asked("POST", "SendSignal")) -- it is not killed twice
  end)

  it("are reached on their terminals by their number", function()
    server:script(e2b.rules({ method = "POST", path = "Connect$", hang = true,
      body = envelope { event = { start = { pid = 42 } } }
        .. envelope { event = out("$ ", "pty") } },
      { method = "POST", path = "SendInput$", json = {} },
      { method = "POST", path = "Update$", json = {} }))
    local process = codecell.assert(sandbox.pty:connect(42))
    assert.same({ "$ ", "pty" }, { process:read(5) })
    assert.is_true(process:write("ls\n"))
    assert.same({ process = { pid = 42 }, input = { pty = base64.encode "ls\n" } },
      json.decode(server:asked("POST", "SendInput")[1].body))
    assert.is_true(process:resize(30, 100))
    process:close()
  end)

  it("are killed when their object is collected", function()
    server:script(e2b.rules({ method = "POST", path = START, hang = true,
      body = envelope { event = { start = { pid = 8 } } } },
      { method = "POST", path = "SendSignal$", json = {} }))
    local other = codecell.assert(codecell.create(server:options()))
    other:detach()
    codecell.assert(other.commands:run("sleep 100", { background = true }))
    other = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    wait_for("SendSignal")
  end)

  it("are killed though they were let go before they had begun", function()
    server:script(e2b.rules({ method = "POST", path = START, hang = true, pieces = 4, pause = 0.05,
      body = envelope { event = { start = { pid = 11 } } } },
      { method = "POST", path = "SendSignal$", json = {} }))
    local task = codecell.async(function()
      return sandbox.commands:run("sleep 100", { timeout = 0.1 })
    end)
    assert.is_true(codecell.assert(task:wait(60)).timed_out)
    wait_for("SendSignal")
    assert.same({ process = { pid = 11 }, signal = "SIGNAL_SIGKILL" },
      json.decode(server:asked("POST", "SendSignal")[1].body))
  end)

  it("are let go when an object that was connected is collected, and not killed", function()
    server:script(e2b.rules({ method = "POST", path = "Connect$", pause = 0.01,
      body = envelope { event = { start = { pid = 6 } } },
      endless = envelope { event = { keepalive = {} } } },
      { method = "POST", path = "SendSignal$", json = {} }))
    local process = codecell.assert(sandbox.commands:connect(6))
    local run = process._run
    process = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    local patience = os.time() + 60
    while not run.stream.is_over and os.time() < patience do
      codecell.step(0.02)
    end
    assert.is_true(run.stream.is_over)
    assert.equal(0, #server:asked("POST", "SendSignal"))
  end)

  it("say that the sandbox is gone, when it is #J20 #J21", function()
    local rules = { { method = "POST", path = START, status = 502, json = {
      sandboxId = e2b.id, message = "The sandbox was not found", code = 502 } },
      { method = "GET", path = "^/sandboxes/", status = 404, json = { code = 404 } } }
    server:script(rules)
    local result, err = sandbox.commands:run("x")
    assert.is_nil(result)
    assert.equal("sandbox_gone", err.kind)
    assert.equal(1, #server:asked("GET", "^/sandboxes/"))
    assert.equal(1, #server:asked("POST", START)) -- it is not asked again
  end)

  it("say that the sandbox is paused, when it is", function()
    server:script { { method = "POST", path = START, status = 502, json = { code = 502 } },
      { method = "GET", path = "^/sandboxes/", json = e2b.detail { state = "paused" } } }
    local result, err = sandbox.commands:run("x")
    assert.is_nil(result)
    assert.equal("unavailable", err.kind)
    assert.truthy(err.message:find("paused", 1, true))
  end)

  it("are not sent at all to a sandbox whose time is over #J21", function()
    server:script(e2b.rules())
    local short = codecell.assert(codecell.create(server:options { timeout = 0.05 }))
    short:detach()
    server:script { { method = "GET", path = "^/sandboxes/", status = 404, json = { code = 404 } } }
    local patience = os.clock() + 1
    repeat
      codecell.step(0.05)
    until os.clock() > patience or short._plane.ends_at < require("codecell.reactor").now()
    local execution, err = short:run_code("1")
    assert.is_nil(execution)
    assert.equal("sandbox_gone", err.kind)
    assert.truthy(err.message:find("set_timeout", 1, true))
    assert.equal(0, #server:asked("POST", "."))
  end)

  it("run beside each other", function()
    local rules = {}
    for i = 1, 20 do
      rules[i] = { method = "POST", path = START, times = 1, pieces = 50, pause = 0.01,
        body = e2b.process(out(("%d"):format(i)), e2b.exit0) }
    end
    server:script(rules)
    local tasks, seen = {}, {}
    for i = 1, 20 do
      tasks[i] = codecell.async(function() return sandbox.commands:run("x") end)
    end
    for i = 1, 20 do
      seen[codecell.assert(tasks[i]:wait(20)).stdout] = true
    end
    for i = 1, 20 do
      assert.truthy(seen[tostring(i)])
    end
  end)
end)
