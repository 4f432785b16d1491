local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"
local shell = require "spec.support.shell"

-- Let what was queued be sent.
local function step_until(condition)
  local patience = os.time() + 60
  while not condition() and os.time() < patience do
    codecell.step(0.02)
  end
  return condition()
end

describe("the control plane of E2B", function()
  local server
  setup(function() server = e2b.start() end)
  teardown(function() server:stop() end)

  -- A sandbox, with these rules for what comes after; the log begins after it was made.
  local function with_sandbox(rules, options)
    server:script(e2b.rules())
    local sandbox = codecell.assert(codecell.create(server:options(options)))
    sandbox:detach()
    server:script(rules)
    return sandbox
  end

  local function created(options)
    server:script(e2b.rules())
    local sandbox, err = codecell.create(server:options(options))
    if sandbox then
      sandbox:detach()
      return json.decode(server:asked("POST", "^/sandboxes$")[1].body), sandbox
    end
    return nil, err
  end

  it("makes a sandbox of the code interpreter's template, secure, by the key #C09 #D02", function()
    server:script(e2b.rules())
    local sandbox = codecell.assert(codecell.create(server:options()))
    assert.equal(e2b.id, sandbox.id)
    assert.equal("e2b", sandbox.backend)
    local request = server:asked("POST", "^/sandboxes$")[1]
    assert.same({ templateID = "code-interpreter-v1", timeout = 300, secure = true,
      allow_internet_access = true }, json.decode(request.body))
    assert.equal(e2b.key, request.headers["x-api-key"])
    assert.equal("application/json", request.headers["content-type"])
    assert.truthy(request.headers["user-agent"]:find "^codecell")
    sandbox:close()
    assert.truthy(step_until(function() return #server:asked("DELETE", e2b.id) == 1 end))
    assert.equal(e2b.key, server:asked("DELETE", e2b.id)[1].headers["x-api-key"])
  end)

  it("says in the body what create was asked for #E12", function()
    assert.same({ templateID = "mine", timeout = 61, secure = false, allow_internet_access = false,
      metadata = { a = "b" }, envVars = { NAME = "value" }, autoPause = true,
      autoResume = { enabled = true } }, (created { template = "mine", timeout = 60.001,
        secure = false, network = "none", metadata = { a = "b" }, envs = { NAME = "value" },
        on_timeout = "pause", auto_resume = true }))
    local body = created { on_timeout = "pause", keep_memory = false, network = "open" }
    assert.is_false(body.autoPauseMemory)
    assert.is_true(body.allow_internet_access)
    assert.is_false(created({ on_timeout = "kill" }).autoPause)
    assert.same({ allowOut = { "api.x.com", "1.1.1.1" }, denyOut = { "0.0.0.0/0" },
      allowPublicTraffic = false, maskRequestHost = "localhost:${PORT}" },
      created { network = { allow = { "api.x.com", "1.1.1.1" } }, public_traffic = false,
        host_mask = "localhost:${PORT}" }.network)
    assert.same({ allowOut = {}, denyOut = { "8.8.8.8" } },
      created { network = { allow = "open", deny = { "8.8.8.8" } } }.network)
  end)

  it("refuses before anything is sent what E2B does not have", function()
    for kind, list in pairs {
      unsupported = { { gpu = true }, { limits = { memory = 2 ^ 30 } }, { root_view = true },
        { read_only = true },
        { network = { allow = { "a.b:8443" } } }, { network = { allow = { "a.b" },
          deny = { "c.d" } } }, { network = { allow = "open", deny = { "c.d" } } } },
      invalid_argument = { { auto_resume = true }, { keep_memory = false },
        { on_timeout = "pause", auto_resume = true, keep_memory = false } },
    } do
      for _, options in ipairs(list) do
        local body, err = created(options)
        assert.is_nil(body)
        assert.equal(kind, err.kind, err.message)
        assert.same({}, server:requests())
      end
    end
  end)

  it("ends a sandbox whose envd is too old to be spoken to", function()
    server:script { { method = "POST", path = "^/sandboxes$", status = 201,
      json = e2b.record { envdVersion = "0.0.9" } },
      { method = "DELETE", path = "^/sandboxes/", status = 204 } }
    local sandbox, err = codecell.create(server:options())
    assert.is_nil(sandbox)
    assert.equal("unsupported", err.kind)
    assert.equal(1, #server:asked("DELETE", e2b.id))
  end)

  it("reaches a sandbox that is there, and leaves it when the object is closed", function()
    server:script { { method = "POST", path = "/connect$", json = e2b.record() },
      { method = "DELETE", path = "^/sandboxes/", status = 204 } }
    local sandbox = codecell.assert(codecell.connect(e2b.id, server:options { timeout = 60 }))
    assert.equal("/sandboxes/" .. e2b.id .. "/connect", server:requests()[1].path)
    assert.same({ timeout = 60 }, json.decode(server:requests()[1].body))
    sandbox:close()
    for _ = 1, 5 do
      codecell.step(0.02)
    end
    assert.equal(0, #server:asked("DELETE", e2b.id))
  end)

  it("says not_found of a sandbox that is not there #J20", function()
    server:script { { method = "POST", path = "/connect$", status = 404,
      json = { code = 404, message = "Sandbox \"x\" doesn't exist" } } }
    local sandbox, err = codecell.connect("inothing", server:options())
    assert.is_nil(sandbox)
    assert.equal("not_found", err.kind)
    sandbox, err = codecell.connect("../../x", server:options())
    assert.is_nil(sandbox)
    assert.equal("not_found", err.kind)
  end)

  it("ends what is collected, by a request that nobody waits for", function()
    server:script(e2b.rules())
    codecell.assert(codecell.create(server:options()))
    collectgarbage()
    collectgarbage()
    assert.truthy(step_until(function() return #server:asked("DELETE", e2b.id) == 1 end))
  end)

  it("ends what is left when a program ends, with close or without, or by an error", function()
    local exits = { "", "sandbox:close()", "error('x')" }
    for _, last in ipairs(exits) do
      server:script(e2b.rules())
      local program = ("local sandbox = require('codecell').create({backend = 'e2b', api_key = %q, "
        .. "api_url = %q}) assert(sandbox) %s"):format(e2b.key, server.url, last)
      shell.run(("%s -e %s"):format(shell.lua, shell.quote(program)), { folder = "." })
      assert.equal(1, #server:asked("DELETE", e2b.id), last)
    end
  end)

  it("ends many at once, each by one request, over a bounded number of connections", function()
    server:script(e2b.rules())
    local made = {}
    for i = 1, 100 do
      made[i] = codecell.assert(codecell.create(server:options()))
    end
    for _, sandbox in ipairs(made) do
      sandbox:close()
      sandbox:close()
    end
    local folder = ("/proc/%d/fd"):format(require("codecell.core").getpid())
    local open = tonumber(shell.run("ls " .. folder .. " | wc -l").stdout)
    assert.truthy(open < 64 + 40, open .. " descriptors")
    assert.truthy(step_until(function() return #server:asked("DELETE", e2b.id) == 100 end))
  end)

  it("needs nothing of this machine's sandboxes: it starts no process", function()
    server:script(e2b.rules({ method = "POST", path = "^/execute$", body = e2b.lines(
      { type = "result", text = "42", is_main_result = true }, { type = "end_of_execution" }) },
      { method = "POST", path = "Start$", body = e2b.process(e2b.exit0) },
      { method = "GET", path = "^/files", body = "x" }))
    local program = ([[local codecell = require "codecell"
      local sandbox = codecell.assert(codecell.create { backend = "e2b", api_key = %q,
        api_url = %q, sandbox_url = %q })
      io.write(codecell.assert(sandbox:run_code("x")).text)
      codecell.assert(sandbox.commands:run("x"))
      codecell.assert(sandbox.files:read("x"))
      local pid = require("codecell.core").getpid()
      local children = assert(io.open(("/proc/%%d/task/%%d/children"):format(pid, pid)))
      io.write(" children: ", children:read("*a"), ".")
      sandbox:close()]]):format(e2b.key, server.url, server.url)
    local result = shell.run(("PATH=/nowhere %s -e %s"):format(shell.run("command -v "
      .. shell.lua).stdout:gsub("\n", ""), shell.quote(program)), { folder = "." })
    assert.equal("42 children: .", result.stdout, result.stderr)
  end)

  it("does not end what was detached", function()
    local sandbox = with_sandbox { { method = "DELETE", path = ".", status = 204 } }
    assert.is_true(sandbox:detach())
    sandbox:close()
    sandbox = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    for _ = 1, 5 do
      codecell.step(0.02)
    end
    assert.same({}, server:requests())
  end)

  it("kills, and says false of what was gone", function()
    local sandbox = with_sandbox { { method = "DELETE", path = ".", times = 1, status = 204 },
      { method = "DELETE", path = ".", status = 404, json = { code = 404 } } }
    assert.is_true(sandbox:kill())
    assert.is_false(sandbox:kill())
    local execution, err = sandbox:run_code("1")
    assert.is_nil(execution)
    assert.equal("sandbox_gone", err.kind)
    assert.is_false(codecell.kill(e2b.id, server:options()))
    server:script { { method = "DELETE", path = ".", times = 1, status = 502 },
      { method = "DELETE", path = ".", status = 404, json = { code = 404 } } }
    assert.is_true(codecell.kill(e2b.id, server:options())) -- it was the first that has ended it
  end)

  it("tells what is known of a sandbox", function()
    local sandbox = with_sandbox({ { method = "GET", path = e2b.id, json = e2b.detail() } },
      { name = "mine" })
    local info = codecell.assert(sandbox:get_info())
    assert.equal(e2b.id, info.id)
    assert.equal("mine", info.name)
    assert.equal("running", info.state)
    assert.equal("microvm", info.isolation)
    assert.equal(1785578400, info.started_at)
    assert.equal(1024 * 1048576, info.limits.memory.value)
    assert.same({ kind = "test" }, info.metadata)
  end)

  it("tells what it uses, from envd as long as the cloud has nothing", function()
    local metric = { timestamp = "2026-08-01T10:00:00Z", cpuCount = 2, cpuUsedPct = 12.5,
      memUsed = 100, memTotal = 200, diskUsed = 300, diskTotal = 400 }
    local sandbox = with_sandbox { { method = "GET", path = "/metrics", times = 1,
      json = json.list { metric } }, { method = "GET", path = "^/sandboxes/.*/metrics",
      json = json.list {} }, { method = "GET", path = "^/metrics$",
      json = { cpu_count = 4, cpu_used_pct = 1, mem_used = 7, mem_total = 8 } } }
    local metrics = codecell.assert(sandbox:get_metrics())
    assert.same({ cpu_count = 2, cpu_used_pct = 12.5, memory_used = 100, memory_total = 200,
      disk_used = 300, disk_total = 400, time = 1785578400 }, metrics)
    assert.equal(7, codecell.assert(sandbox:get_metrics()).memory_used)
  end)

  it("tells what it has used, of a time", function()
    local sandbox = with_sandbox { { method = "GET", path = "/metrics", json = json.list {
      { timestampUnix = 1, timestamp = "2026-08-01T10:00:00Z", memUsed = 1 },
      { timestamp = "2026-08-01T10:00:05Z", memUsed = 2 } } } }
    local list = codecell.assert(sandbox:get_metrics { from = 1785578399.5, to = 1785578405.5 })
    assert.same({ 1785578400, 1, 1785578405, 2 }, { list[1].time, list[1].memory_used,
      list[2].time, list[2].memory_used })
    assert.truthy(server:requests()[1].path:find("?start=1785578399&end=1785578406", 1, true))
  end)

  it("asks of sandboxes by their number alone", function()
    server:script { { method = "GET", path = e2b.id, json = e2b.detail { state = "paused" } },
      { method = "POST", path = e2b.id .. "/timeout$", status = 204 },
      { method = "POST", path = e2b.id .. "/pause$", times = 1, status = 204 },
      { method = "POST", path = e2b.id .. "/pause$", status = 409, json = { code = 409 } } }
    local account = codecell.e2b.account { api_key = e2b.key, api_url = server.url }
    assert.equal("paused", codecell.assert(account:get_info(e2b.id)).state)
    assert.is_true(account:set_timeout(e2b.id, 5))
    assert.is_true(account:pause(e2b.id))
    assert.is_false(account:pause(e2b.id, { keep_memory = false }))
    local none, err = account:get_info("inothing")
    assert.is_nil(none)
    assert.equal("system", err.kind) -- the script has no such rule
  end)

  it("sets its time, in whole seconds and rounded up", function()
    local sandbox = with_sandbox { { method = "POST", path = "/timeout$", status = 204 } }
    assert.is_true(sandbox:set_timeout(60.5))
    assert.same({ timeout = 61 }, json.decode(server:requests()[1].body))
  end)

  it("pauses and resumes, and starts nothing in between #D26", function()
    local sandbox = with_sandbox { { method = "POST", path = "/pause$", times = 1, status = 204 },
      { method = "POST", path = "/pause$", status = 409, json = { code = 409 } },
      { method = "POST", path = "/connect$", status = 201, json = e2b.record() } }
    assert.is_true(sandbox:pause { keep_memory = false })
    assert.same({ memory = false }, json.decode(server:requests()[1].body))
    local execution, err = sandbox:run_code("1")
    assert.is_nil(execution)
    assert.equal("unavailable", err.kind)
    assert.is_false(sandbox:is_running())
    assert.is_true(sandbox:pause())
    assert.is_true(sandbox:resume())
    assert.equal("/sandboxes/" .. e2b.id .. "/connect", server:requests()[3].path)
  end)

  it("changes what it may reach", function()
    local sandbox = with_sandbox { { method = "PUT", path = "/network$", status = 204 } }
    assert.is_true(sandbox:update_network("none"))
    assert.is_true(sandbox:update_network { allow = { "a.example" } })
    local requests = server:requests()
    assert.same({ allow_internet_access = false }, json.decode(requests[1].body))
    assert.same({ allow_internet_access = true, allowOut = { "a.example" },
      denyOut = { "0.0.0.0/0" } }, json.decode(requests[2].body))
  end)

  it("keeps snapshots and makes copies", function()
    local sandbox = with_sandbox {
      { method = "POST", path = "/snapshots$", status = 201,
        json = { snapshotID = "snap:1", names = json.list { "a" } } },
      { method = "POST", path = "/fork$", times = 1, status = 201,
        json = json.list { { sandbox = e2b.record { sandboxID = "icopy" } } } },
      { method = "POST", path = "/fork$", status = 201,
        json = json.list { { error = { code = 404, message = "gone" } } } },
      { method = "DELETE", path = ".", status = 204 },
    }
    assert.same({ id = "snap:1", names = { "a" } }, (sandbox:create_snapshot { name = "a" }))
    local copy = codecell.assert(sandbox:fork { timeout = 60 })
    assert.equal("icopy", copy.id)
    local requests = server:requests()
    assert.same({ name = "a" }, json.decode(requests[1].body))
    assert.same({ timeout = 60, count = 1 }, json.decode(requests[2].body))
    copy:detach()
    local none, err = sandbox:fork()
    assert.is_nil(none)
    assert.equal("sandbox_gone", err.kind)
  end)

  it("lists page by page, with filters in their three layers", function()
    server:script {
      { method = "GET", path = "nextToken=more", json = json.list { e2b.detail() } },
      { method = "GET", path = "^/v2/sandboxes", headers = { ["X-Next-Token"] = "more" },
        json = json.list { e2b.detail { sandboxID = "ione", state = "paused" } } },
    }
    local account = codecell.e2b.account { api_key = e2b.key, api_url = server.url }
    local page = codecell.assert(account:list { metadata = { ["k \195\169"] = "v&=" },
      state = "paused", limit = 1 })
    assert.equal("ione", page[1].id)
    assert.equal("paused", page[1].state)
    assert.equal("more", page.next)
    local asked = server:requests()[1].path
    assert.truthy(asked:find("metadata=k%252520%2525C3%2525A9%3Dv%252526%25253D", 1, true), asked)
    assert.truthy(asked:find("state=paused", 1, true))
    local second = codecell.assert(codecell.list(server:options { next = page.next }))
    assert.equal(e2b.id, second[1].id)
    assert.is_nil(second.next)
  end)

  it("knows templates and snapshots of the account", function()
    server:script {
      { method = "GET", path = "aliases/mine$", json = { templateID = "t", public = false } },
      { method = "GET", path = "aliases/theirs$", status = 403, json = { code = 403 } },
      { method = "GET", path = "aliases/", status = 404, json = { code = 404 } },
      { method = "GET", path = "^/v2/templates", json = json.list { { templateID = "t",
        names = json.list { "mine" }, cpuCount = 2, memoryMB = 512 } } },
      { method = "GET", path = "^/snapshots", json = json.list { { snapshotID = "s:1",
        names = json.list {} } } },
      { method = "DELETE", path = "^/templates/s%3A1$", times = 1, status = 204 },
      { method = "DELETE", path = "^/templates/", status = 404, json = { code = 404 } },
    }
    local account = codecell.e2b.account { api_key = e2b.key, api_url = server.url }
    assert.is_true(account:has_template "mine")
    assert.is_true(account:has_template "theirs")
    assert.is_false(account:has_template "nobodys")
    assert.equal("mine", codecell.assert(account:templates())[1].names[1])
    assert.equal("s:1", codecell.assert(account:snapshots { sandbox = "x" })[1].id)
    assert.is_true(account:remove_template "s:1")
    assert.is_false(account:remove_template "s:1")
  end)

  it("is what the command runs code by, and what doctor looks at #N01 #J01", function()
    server:script(e2b.rules({ method = "GET", path = "^/v2/sandboxes", json = json.list {} },
      { method = "POST", path = "^/execute$", body = e2b.lines(
        { type = "stdout", text = "hi\n" }, { type = "end_of_execution" }) }))
    local environment = ("env E2B_API_KEY=%s E2B_API_URL=%s E2B_SANDBOX_URL=%s "):format(e2b.key,
      server.url, server.url)
    local result = shell.run(environment .. shell.codecell .. " run --mode production -c 'x'")
    assert.equal("hi\n", result.stdout, result.stderr)
    assert.equal(1, #server:asked("DELETE", e2b.id))
    result = shell.run(environment .. shell.codecell .. " doctor --backend e2b")
    assert.truthy(result.stdout:find("the key is taken", 1, true), result.stdout)
    assert.falsy(result.stdout:find("microvm", 1, true), result.stdout) -- it is not E2B's cloud
    assert.equal(0, result.status)
    result = shell.run("env -u E2B_API_KEY " .. shell.codecell .. " run --backend e2b -c 1")
    assert.truthy(result.stderr:find("No E2B_API_KEY provided", 1, true))
  end)

  it("takes the template that E2B_TEMPLATE_ID names, where none is given #B11", function()
    for named, taken in pairs({ mine = "mine", [""] = "code-interpreter-v1" }) do
      server:script(e2b.rules({ method = "POST", path = "^/execute$",
        body = e2b.lines({ type = "end_of_execution" }) }))
      local result = shell.run(("env E2B_TEMPLATE_ID=%s E2B_API_KEY=%s E2B_API_URL=%s "
        .. "E2B_SANDBOX_URL=%s %s run --mode production -c 'x'"):format(named, e2b.key, server.url,
        server.url, shell.codecell))
      assert.equal(0, result.status, result.stderr)
      assert.equal(taken, json.decode(server:asked("POST", "^/sandboxes$")[1].body).templateID)
    end
  end)

  it("signs URLs of files, and needs a token for one that expires #F22", function()
    local sandbox = with_sandbox {}
    local url = codecell.assert(sandbox:download_url("a b", { user = "root" }))
    assert.truthy(url:find(server.url .. "/files?username=root&path=a%20b&signature=v1_", 1, true))
    assert.falsy(url:find(e2b.token, 1, true))
    assert.truthy(codecell.assert(sandbox:upload_url("a", { expiration = 60 }))
      :find("signature_expiration=%d+$"))
    assert.equal("8080-" .. e2b.id .. ".e2b.app", sandbox:get_host(8080))
  end)

  it("gives the token that visitors need where ports are not public", function()
    server:script { { method = "POST", path = "^/sandboxes$", status = 201,
      json = e2b.record { trafficAccessToken = "t0ken", domain = "eu.example" } } }
    local sandbox = codecell.assert(codecell.create(server:options { public_traffic = false }))
    sandbox:detach()
    assert.equal("t0ken", sandbox:get_traffic_token())
    assert.equal("8080-" .. e2b.id .. ".eu.example", sandbox:get_host(8080))
    assert.is_nil(with_sandbox({}):get_traffic_token())
  end)

  it("has nothing to make in debug mode", function()
    server:script {}
    local sandbox = codecell.assert(codecell.create { backend = "e2b", debug = true,
      sandbox_url = server.url })
    assert.equal("debug_sandbox_id", sandbox.id)
    assert.equal("localhost:8080", sandbox:get_host(8080))
    assert.is_true(sandbox:set_timeout(60))
    assert.is_true(sandbox:kill())
    sandbox:close()
    assert.same({}, server:requests())
  end)
end)
