-- `codecell serve`, asked by the library's own client of E2B.
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local out_of_time = require "spec.support.out_of_time"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("codecell serve, for the backend e2b #C09 #M10 #user", function()
  local server, sandbox
  setup(function()
    server = gateway.start()
    sandbox = codecell.assert(codecell.create(server:options({ network = "none", timeout = 120,
      metadata = { kind = "test", ["k é"] = "v&=" }, envs = { A = "1" } })))
  end)
  teardown(function()
    sandbox:close()
    server:stop()
  end)

  it("runs code, and keeps its variables", function()
    local done = codecell.assert(sandbox:run_code("x = 20\nprint('out')\nx + 1"))
    assert.equal("21", done.text)
    assert.equal("out\n", table.concat(done.logs.stdout))
    assert.equal(1, done.execution_count)
    done = codecell.assert(sandbox:run_code("import os\n(x, os.environ['A'], os.environ['B'])",
      { envs = { B = "2" } }))
    assert.equal("(20, '1', '2')", done.text)
    assert.equal("ZeroDivisionError", sandbox:run_code("1 / 0").error.name)
  end)

  it("tells that it is isolated as a sandbox of this machine, and not by a machine of its own",
  function()
    local info = codecell.assert(sandbox:get_info())
    assert.equal("kernel", info.isolation)
    assert.equal("kernel", info.limits.memory.by)
    assert.equal("kernel", codecell.assert(codecell.list(server:options()))[1].isolation)
  end)

  it("streams what code prints and shows, in its order", function()
    local told = {}
    local function tell(value)
      told[#told + 1] = type(value) == "table" and "=" .. value.text or value
    end
    codecell.assert(sandbox:run_code("print('a', flush=True)\ndisplay('b')\n'c'",
      { on_stdout = tell, on_result = tell }))
    assert.same({ "a\n", "=b", "=c" }, told)
  end)

  it("runs more commands in a row than it remembers #slow", function()
    for _ = 1, 1100 do
      assert.equal(0, codecell.assert(sandbox.commands:run({ "true" })).exit_code)
    end
  end)

  it("has contexts, and the languages of this machine", function()
    local context = codecell.assert(sandbox:create_code_context({ cwd = "/tmp" }))
    local done = sandbox:run_code("import os\nq = 1\nos.getcwd()", { context = context })
    assert.equal("/tmp", done.text)
    assert.equal("NameError", sandbox:run_code("q").error.name)
    codecell.assert(sandbox:restart_code_context(context))
    assert.equal("NameError", sandbox:run_code("q", { context = context }).error.name)
    codecell.assert(sandbox:remove_code_context(context))
    assert.equal("not_found", select(2, sandbox:run_code("q", { context = context })).kind)
    done = codecell.assert(sandbox:run_code("echo $((1 + 1))", { language = "bash" }))
    assert.equal("2\n", table.concat(done.logs.stdout))
  end)

  it("interrupts code whose client has gone, and keeps its variables", function()
    local late = out_of_time(1, function(timeout)
      return codecell.assert(sandbox:run_code("y = 7\nprint('on', flush=True)\nwhile True: pass",
        { on_stdout = function() codecell.reactor() end, timeout = timeout }))
    end)
    assert.is_true(late.timed_out)
    assert.equal("7", codecell.assert(sandbox:run_code("y", { timeout = 20 })).text)
  end)

  it("runs commands, with input, folders and statuses", function()
    local result = codecell.assert(sandbox.commands:run("echo $B; echo oh >&2; pwd; exit 3",
      { envs = { B = "b" }, cwd = "/tmp" }))
    assert.same({ "b\n/tmp\n", "oh\n", 3 }, { result.stdout, result.stderr, result.exit_code })
    local cat = codecell.assert(sandbox.commands:run("cat", { background = true, stdin = true }))
    assert.equal(cat.pid, sandbox.commands:list()[1].pid)
    codecell.assert(cat:write("text"))
    cat:close_input()
    assert.equal("text", codecell.assert(cat:wait(60)).stdout)
    local sleep = codecell.assert(sandbox.commands:run("exec sleep 60", { background = true }))
    assert.is_true(sleep:kill("SIGTERM"))
    assert.equal(-1, codecell.assert(sleep:wait(60)).exit_code)
    assert.is_false(sandbox.commands:kill(99999))
    result = codecell.assert(sandbox.commands:run("sleep 60", { timeout = 0.3 }))
    assert.is_true(result.timed_out)
  end)

  it("has terminals", function()
    local terminal = codecell.assert(sandbox.pty:create({ rows = 20, cols = 70 }))
    codecell.assert(terminal:resize(30, 100))
    codecell.assert(terminal:write("stty size; exit\n"))
    assert.matches("30 100", codecell.assert(terminal:wait(60)).stdout)
  end)

  it("has files, whatever is in them", function()
    local bytes = ("\0\255\r\n--x"):rep(50000)
    local entry = codecell.assert(sandbox.files:write("a b/ü.bin", bytes))
    assert.equal("/home/user/a b/ü.bin", entry.path)
    assert.equal(bytes, codecell.assert(sandbox.files:read("a b/ü.bin")))
    assert.equal("\255\r\n", sandbox.files:read("a b/ü.bin", { offset = 1, length = 3 }))
    codecell.assert(sandbox.commands:run("ln -s 'a b/ü.bin' link; mkdir -p d/e; ln -s nowhere no"))
    entry = codecell.assert(sandbox.files:get_info("link"))
    assert.same({ "symlink", "/home/user/a b/ü.bin" }, { entry.type, entry.symlink_target })
    local names = {}
    for i, one in ipairs(codecell.assert(sandbox.files:list("d", { depth = 2 }))) do
      names[i] = one.path
    end
    assert.same({ "/home/user/d/e" }, names)
    assert.is_false(sandbox.files:make_dir("d"))
    assert.equal("/home/user/f/g", codecell.assert(sandbox.files:rename("d/e", "f/g")).path)
    codecell.assert(sandbox.files:remove("f"))
    assert.is_false(sandbox.files:exists("f/g"))
    assert.equal("not_found", select(2, sandbox.files:read("f")).kind)
    assert.equal("invalid_argument", select(2, sandbox.files:read("d")).kind)
  end)

  it("tells what happens in a folder", function()
    codecell.assert(sandbox.files:make_dir("w"))
    local watcher = codecell.assert(sandbox.files:watch_dir("w"))
    codecell.assert(sandbox.files:write("w/x", "1"))
    local event = codecell.assert(watcher:read(10))
    assert.same({ "x", "create" }, { event.name, event.type })
    watcher:close()
  end)

  it("is listed, told of, given time, paused and resumed", function()
    local page = codecell.assert(codecell.list(server:options({ metadata = { ["k é"] = "v&=" } })))
    assert.same({ sandbox.id }, { page[1].id, page[2] })
    page = codecell.assert(codecell.list(server:options({ metadata = { kind = "other" } })))
    assert.equal(0, #page)
    codecell.assert(sandbox:set_timeout(500))
    local info = codecell.assert(sandbox:get_info())
    assert.is_true(info.end_at > os.time() + 400)
    assert.equal("running", info.state)
    codecell.assert(sandbox:pause())
    assert.equal("paused", sandbox:get_info().state)
    assert.is_false(sandbox:is_running())
    codecell.assert(sandbox:resume())
    assert.equal("20", codecell.assert(sandbox:run_code("x")).text)
    assert.is_true(codecell.assert(sandbox:get_metrics()).memory_used > 0)
  end)

  it("is kept as a snapshot, and copied #slow", function()
    codecell.assert(sandbox.files:write("kept", "text"))
    local copy = codecell.assert(sandbox:fork())
    assert.equal("text", copy.files:read("kept"))
    copy:close()
    local kept = codecell.assert(sandbox:create_snapshot())
    local other = codecell.assert(codecell.create(server:options({ template = kept.id,
      network = "none" })))
    assert.equal("text", other.files:read("kept"))
    other:close()
  end)

  it("leads to the ports of a sandbox by their names #F23", function()
    local web = codecell.assert(sandbox.commands:run({ "python3", "-m", "http.server", "8123",
      "--directory", "/tmp", "--bind", "127.0.0.1" }, { background = true }))
    assert.is_true(codecell.assert(sandbox:wait_port(8123, 30)))
    local name = codecell.assert(sandbox:get_host(8123))
    assert.truthy(name:find("^8123%-" .. sandbox.id .. "%.localhost:%d+$"), name)
    codecell.assert(sandbox.files:write("/tmp/page", "inside"))
    local asked = shell.run(("curl -sS -m 20 -w ' %%{http_code}' http://%s/page"):format(name))
    assert.equal("inside 200", asked.stdout, asked.stderr)
    web:close()
  end)

  it("takes files packed, and gives them packed", function()
    local text = ("all the same "):rep(100000)
    assert.equal(#text, codecell.assert(sandbox.files:write("packed", text, { gzip = true })).size)
    assert.equal(text, sandbox.files:read("packed"))
    assert.equal(text, sandbox.files:read("packed", { gzip = true }))
    codecell.assert(sandbox.files:write("empty", "", { gzip = true }))
    assert.equal("", sandbox.files:read("empty", { gzip = true }))
  end)

  it("gives URLs that need no token, for files #F22", function()
    codecell.assert(sandbox.files:write("signed", "text"))
    local http = require "codecell.http"
    local url = codecell.assert(sandbox:download_url("signed", { expiration = 60 }))
    assert.equal("text", codecell.assert(http.request({ url = url })):all(100))
    local response = codecell.assert(http.request({ url = url:gsub("signature=", "%0x") }))
    assert.equal(401, response.status)
  end)

  it("is gone once it is killed", function()
    local one = codecell.assert(codecell.create(server:options({ network = "none" })))
    local waiting = codecell.async(function()
      return one.commands:run("sleep 60")
    end)
    codecell.step(0.2)
    local path = "/sandboxes/" .. one.id
    assert.equal(204, (server:ask(path, { method = "DELETE" }))) -- by somebody else
    assert.equal(404, (server:ask(path, { method = "DELETE" })))
    assert.equal("sandbox_gone", select(2, waiting:wait(60)).kind)
    assert.equal("sandbox_gone", select(2, one.commands:run("true")).kind)
    one:close()
  end)

  it("is gone for calls that it had not answered when it was killed", function()
    for _, call in ipairs({
      function(one) return one.commands:run("true") end,
      function(one) return one.commands:run("true", { cwd = "/tmp" }) end,
      function(one) return one.files:list("/") end,
      function(one) return one.files:write("file", "text") end,
      function(one) return one.files:read("/etc/passwd") end,
      function(one) return one:run_code("1") end,
    }) do
      local one = codecell.assert(codecell.create(server:options({ network = "none" })))
      shell.run("kill -STOP $(grep -lsa '^codecell-sandbox " .. one.id
        .. "' /proc/[0-9]*/cmdline | cut -d/ -f3)") -- so that it answers nothing
      local open = server:metric("codecell_requests_open")
      local waiting = codecell.async(function() return call(one) end)
      wait_until(function() return server:metric("codecell_requests_open") > open end)
      server:ask("/sandboxes/" .. one.id, { method = "DELETE" })
      local _, err = waiting:wait(60)
      assert.equal("sandbox_gone", err.kind, err)
      one:close()
    end
    assert.equal("", server:problems())
  end)
end)
