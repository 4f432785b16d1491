-- `codecell serve` as a service: its end, its keys and quotas, and what it tells its operator.
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local hostile = require "spec.support.hostile"
local json = require "codecell.json"
local http_server = require "codecell.server"
local shell = require "spec.support.shell"

describe("the end of codecell serve #M10 #user", function()
  it("lets requests in progress finish, takes no others, and leaves with status 0", function()
    local text, log = hostile.service(gateway.key, [[
program = serve("--grace", "30", "--log")
create()
kept = connect("GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
print(status_of(kept.recv(1000)))
code = connect(post("/execute", json.dumps({"code": "import time, os\nprint('on', flush=True)\n"
    "while not os.path.exists('go'): time.sleep(0.01)\n'done'"}), CODE))
while b"on" not in code.recv(1000):
    pass
go = connect("POST /files?path=go HTTP/1.1\r\nHost: x\r\n%sContent-Length: 2\r\n"
    "Content-Type: application/octet-stream\r\n\r\ng" % ENVD)
until(lambda: b"codecell_requests_open 3\n" in all_of(connect(get("/metrics", API))))
program.send_signal(signal.SIGTERM)
def health():
    kept.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    return status_of(kept.recv(1000))
until(lambda: health() != 200)
try:
    connect()
except ConnectionRefusedError:
    print("refused")
go.sendall(b"o")
print(b'"done"' in all_of(code), b" 200 " in go.recv(1000))
print(program.wait(30))]])
    assert.equal("200\nrefused\nTrue True\n0\n", text)
    assert.matches('"event":"draining","requests":2', log)
    assert.matches('"event":"sandbox_ended","key":"1","reason":"stopped"', log)
  end)

  it("says at 503 that it ends, to who is still connected", function()
    assert.equal("503 draining close\n503\n0\n", (hostile.service(gateway.key, [[
program = serve("--grace", "30")
create()
stream = connect(start("exec " + SLEEP))
until(lambda: sleepers())
some = [connect("GET /health HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
for one in some:
    one.recv(1000)
program.send_signal(signal.SIGINT)
def refused():
    try:
        connect().close()
    except ConnectionError:
        return True
until(refused)
some[0].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
data = all_of(some[0])
print(status_of(data), json.loads(body_of(data))["status"],
    "close" if b"Connection: close" in data else "")
some[1].sendall(get("/v2/sandboxes", API).encode())
print(status_of(all_of(some[1])))
stream.close()
print(program.wait(30))]])))
  end)

  it("tells who listens that it has ended, when their time is over", function()
    assert.equal("unavailable\nTrue\n0 []\n", (hostile.service(gateway.key, [[
program = serve("--grace", "0.2")
create()
stream = connect(start("exec " + SLEEP))
code = connect(post("/execute", '{"code": "import time\\nprint(1, flush=True)\\ntime.sleep(99)"}',
    CODE))
while b'"stdout"' not in code.recv(1000):
    pass
until(lambda: sleepers())
program.send_signal(signal.SIGTERM)
data = all_of(stream)
print(json.loads(data[data.rindex(b'{"error"'):].split(b"\r")[0])["error"]["code"])
print(b"end_of_execution" not in all_of(code))
print(program.wait(30), sleepers())]])))
  end)

  it("is at once with a second signal, whatever goes on", function()
    assert.equal("-15 True\n", (hostile.service(gateway.key, [[
program = serve("--grace", "600", "--log")
create()
stream = connect(start("exec " + SLEEP))
until(lambda: sleepers())
program.send_signal(signal.SIGTERM)
until(lambda: b"draining" in open(FOLDER + "/log", "rb").read())
program.send_signal(signal.SIGTERM)
print(program.wait(30), until(lambda: not sleepers()))]])))
  end)

  it("leaves nothing behind when it is killed, and starts again at the same port #I16", function()
    assert.equal("-9 True\n201\n-9 True\n", (hostile.service(gateway.key, [[
program = serve()
create()
some = [connect(start("%s & exec %s" % (SLEEP, SLEEP))) for _ in range(2)]
code = connect(post("/execute", json.dumps({"code": "import os; os.system('%s')" % SLEEP}), CODE))
until(lambda: len(sleepers()) == 5)
paused = ID
assert ask(post("/sandboxes/%s/pause" % paused, "", API)) == 204
program.kill()
print(program.wait(30), until(lambda: not sleepers()))
port = PORT
program = serve(port=port)
assert PORT == port
create()
print(201)
stream = connect(start("exec " + SLEEP))
until(lambda: len(sleepers()) == 1)
program.kill()
print(program.wait(30), until(lambda: not sleepers()))]])))
  end)
end)

describe("the operator of codecell serve #M10 #user", function()
  local server, folder
  local keys = { alice = "e2b_" .. ("a"):rep(40), bob = "e2b_" .. ("b"):rep(40) }
  setup(function()
    folder = shell.folder()
    shell.write(folder .. "/keys", ("# who may ask\nalice %s\n\nbob  %s # and bob\n"):format(
      keys.alice, keys.bob))
    server = gateway.start(("--api-key %s --api-keys %s/keys --log --max-sandboxes 4 "):format(
      gateway.key, folder) .. "--key-sandboxes 2 --max-timeout 400 --memory 256M --disk 64M "
      .. "--processes 64 --cpu 1.5")
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  local function ask(who, path, given)
    given = given or {}
    given.key = keys[who] or gateway.key
    return server:ask(path, given)
  end

  local function create(who, more)
    local body = { templateID = "base", timeout = 60, secure = true,
      allow_internet_access = false }
    for name, value in pairs(more or {}) do
      body[name] = value
    end
    return ask(who, "/sandboxes", { method = "POST", body = body })
  end

  local function finish(who, record)
    assert.equal(204, (ask(who, "/sandboxes/" .. record.sandboxID, { method = "DELETE" })))
  end

  it("gives each key sandboxes of its own: another's is as one that never was #I03 #J20", function()
    local _, one = create("alice", { metadata = { of = "alice" } })
    local path = "/sandboxes/" .. one.sandboxID
    assert.equal(200, (ask("alice", path)))
    for _, who in ipairs({ "bob", "operator" }) do
      local status, body = ask(who, path)
      assert.same({ 404, ('Sandbox "%s" doesn\'t exist or you don\'t have access to it'):format(
        one.sandboxID) }, { status, body.message })
      for _, verb in ipairs({ "timeout", "pause", "connect", "snapshots", "fork", "refreshes" }) do
        assert.equal(404, (ask(who, path .. "/" .. verb, { method = "POST",
          body = { timeout = 30 } })), verb)
      end
      assert.equal(404, (ask(who, path .. "/network", { method = "PUT", body = {} })))
      assert.equal(404, (ask(who, path, { method = "DELETE" })))
      assert.same({}, (select(2, ask(who, "/v2/sandboxes"))))
      assert.same({}, (select(2, ask(who, "/sandboxes"))))
      assert.same({ sandboxes = {} }, (select(2, ask(who,
        "/sandboxes/metrics?sandbox_ids=" .. one.sandboxID))))
    end
    assert.equal(one.sandboxID, select(2, ask("alice", "/v2/sandboxes"))[1].sandboxID)
    finish("alice", one)
  end)

  it("shows nobody the snapshots of another, and lets nobody use them", function()
    local _, one = create("alice")
    local status, kept = ask("alice", "/sandboxes/" .. one.sandboxID .. "/snapshots",
      { method = "POST", body = {} })
    assert.equal(201, status)
    assert.equal(kept.snapshotID, select(2, ask("alice", "/snapshots"))[1].snapshotID)
    assert.same({}, (select(2, ask("bob", "/snapshots"))))
    assert.equal(404, (create("bob", { templateID = kept.snapshotID })))
    assert.equal(404, (ask("bob", "/templates/" .. kept.snapshotID, { method = "DELETE" })))
    assert.equal(204, (ask("alice", "/templates/" .. kept.snapshotID, { method = "DELETE" })))
    finish("alice", one)
  end)

  it("lets a key have so many, and all of them so many, and says when there are more", function()
    local _, first = create("alice")
    local _, second = create("alice", { timeout = 30 })
    local status, body, head = create("alice")
    assert.same({ 429, 429 }, { status, body.code })
    assert.matches("of one key at once %(2%) is reached", body.message)
    assert.matches("\nRateLimit%-Limit: 2\r\nRateLimit%-Remaining: 0\r\n", head)
    local seconds = tonumber(head:match("\nRetry%-After: (%d+)\r\n"))
    assert.is_true(seconds >= 1 and seconds <= 30)
    assert.equal(tostring(seconds), head:match("\nRateLimit%-Reset: (%d+)\r\n"))
    local _, third = create("bob")
    local _, fourth = create("bob")
    status, body = create("operator")
    assert.equal(429, status)
    assert.matches("sandboxes at once %(4%) is reached", body.message)
    local _, list = ask("bob", "/sandboxes/" .. third.sandboxID .. "/fork", { method = "POST",
      body = { count = 2, timeout = 30 } })
    assert.same({ 429, 429 }, { list[1].error.code, list[2].error.code })
    for _, record in ipairs({ first, second }) do
      finish("alice", record)
    end
    finish("bob", third)
    finish("bob", fourth)
    assert.equal(201, (create("alice")))
    finish("alice", ask("alice", "/v2/sandboxes") and select(2, ask("alice", "/v2/sandboxes"))[1])
  end)

  it("limits the time and the weight of a sandbox #I12", function()
    local status, body = create("alice", { timeout = 401 })
    assert.same({ 400, "timeout cannot be greater than 400 seconds" }, { status, body.message })
    local _, one = create("alice", { timeout = 400 })
    local path = "/sandboxes/" .. one.sandboxID
    assert.equal(400, (ask("alice", path .. "/timeout", { method = "POST",
      body = { timeout = 401 } })))
    assert.equal(400, (ask("alice", path .. "/connect", { method = "POST",
      body = { timeout = 401 } })))
    local _, told = ask("alice", path)
    assert.same({ 2, 256, 64 }, { told.cpuCount, told.memoryMB, told.diskSizeMB })
    local _, text = server:ask("/execute", { to = one, port = 49999, method = "POST",
      body = { code = "len(bytearray(400 << 20))" } })
    assert.not_matches('"text":"419430400"', text)
    status = server:ask("/files?path=large", { to = one, method = "POST",
      kind = "application/octet-stream", body = ("x"):rep(65 * 2 ^ 20) })
    assert.equal(507, status)
    finish("alice", one)
  end)

  it("refuses more requests a second of one key than there may be #I11", function()
    local slow = gateway.start(("--api-key %s --api-keys %s/keys --rate 0.02"):format(gateway.key,
      folder))
    local function list(key)
      return slow:ask("/v2/sandboxes", { key = key })
    end
    assert.equal(200, (list()))
    local status, body, head = list()
    assert.same({ 429, { code = 429, message = "Rate limit exceeded" } }, { status, body })
    assert.matches("\nRetry%-After: %d+\r\nRateLimit%-Limit: 1\r\nRateLimit%-Remaining: 0\r\n"
      .. "RateLimit%-Reset: %d+\r\n", head)
    assert.equal(200, (list(keys.bob)))
    assert.equal(401, (list("e2b_0")))
    assert.equal(200, (slow:ask("/health", { key = false })))
    slow:stop()
  end)

  it("has metrics that a strict reader of OpenMetrics takes, with the first key alone", function()
    local _, one = create("alice")
    server:ask("/execute", { to = one, port = 49999, method = "POST", body = { code = "1" } })
    server:ask("/process.Process/Start", { to = one, method = "POST", body = "",
      kind = "application/connect+json" })
    for _, key in ipairs({ false, keys.alice, keys.bob }) do
      assert.equal(401, (server:ask("/metrics", { key = key })))
    end
    local status, text, head = server:ask("/metrics", { key = false,
      headers = { "Authorization: Bearer " .. gateway.key } })
    assert.equal(200, status)
    assert.matches("Content%-Type: application/openmetrics%-text; version=1.0.0; "
      .. "charset=utf%-8\r\n", head)
    local read = require("spec.support.openmetrics")(text)
    assert.equal(1, read.codecell_sandboxes.samples['codecell_sandboxes{state="running"}'])
    assert.is_true(read.codecell_cells.samples.codecell_cells_total >= 1)
    assert.is_true(read.codecell_sandboxes_ended.samples[
      'codecell_sandboxes_ended_total{reason="asked"}'] >= 5)
    assert.is_true(read.codecell_limited.samples.codecell_limited_total >= 2)
    assert.is_true(read.process_resident_memory_bytes.samples.process_resident_memory_bytes > 1e6)
    assert.equal("histogram", read.codecell_request_seconds.kind)
    finish("alice", one)
  end)

  it("has a log of requests and events, with no secret in it", function()
    local _, one = create("bob", { allow_internet_access = true, autoPause = true })
    server:ask("/files?path=x&signature=v1_secretsignature", { to = one })
    ask("bob", "/sandboxes/" .. one.sandboxID .. "/pause", { method = "POST", body = {} })
    ask("bob", "/sandboxes/" .. one.sandboxID .. "/connect", { method = "POST",
      body = { timeout = 30 } })
    server:ask("/path/of/theirs?secretquery", { to = one, port = 8080,
      headers = { "E2b-Traffic-Access-Token: secrettoken" } })
    finish("bob", one)
    local text, events, last = server:problems(), {}, nil
    for line in text:gmatch("[^\n]+") do
      local told = json.decode(line)
      assert.is_string(told.time)
      if told.event == "request" then
        assert.matches("^%w+%-%d+$", told.request)
        assert.is_true(told.seconds >= 0 and told.sent >= 0 and told.received >= 0)
        last = told
      elseif told.sandbox == one.sandboxID then
        events[#events + 1] = told.event .. (told.reason or "")
        assert.equal("bob", told.key)
      end
    end
    assert.same({ "sandbox_created", "sandbox_paused", "sandbox_resumed", "sandbox_endedasked" },
      events)
    assert.same({ "DELETE", 204, "control", "bob" }, { last.method, last.status, last.plane,
      last.key })
    for _, secret in ipairs({ keys.alice, keys.bob, gateway.key, one.envdAccessToken, "secret",
      "theirs" }) do
      assert.is_nil(text:find(secret, 1, true), secret)
    end
  end)

  it("answers without keys to names of this machine alone", function()
    local open = gateway.start("--no-auth --domain sandbox.test")
    local function status(...)
      return (open:ask("/v2/sandboxes", { key = false, headers = { ... } }))
    end
    for _, host in ipairs({ "localhost", "LOCALHOST:3000", "127.0.0.1:1", "[::1]:3000",
      "sandbox.test", "api.sandbox.test:8443", "api.localhost" }) do
      assert.equal(200, status("Host: " .. host), host)
    end
    for _, host in ipairs({ "evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
      "evilsandbox.test", "sandbox.test.evil" }) do
      assert.equal(403, status("Host: " .. host), host)
    end
    assert.equal(200, status("Host: localhost:9", "Origin: http://localhost:9"))
    for _, from in ipairs({ "http://evil.example", "null", "http://localhost",
      "http://8000-iabc.localhost:9" }) do
      assert.equal(403, status("Host: localhost:9", "Origin: " .. from), from)
    end
    open:stop()
  end)

  it("is told what is wrong with its options", function()
    for words, wanted in pairs({
      ["--no-auth --host 0.0.0.0"] = "anybody who reaches 0.0.0.0",
      ["--api-key short"] = "at least 8 characters",
      ["--api-keys /no/such/file"] = "cannot read",
      ["--memory 1M"] = "memory", ["--memory much"] = "needs a size",
      ["--rate 0"] = "above 0", ["--grace never"] = "needs seconds",
      ["--api-key e2b_00000000 --api-key e2b_00000000"] = "given twice",
    }) do
      local result = shell.run(shell.codecell .. " serve --port 0 " .. words)
      assert.equal(2, result.status, words)
      assert.matches(wanted, result.stderr, 1, true)
    end
  end)

  it("is told which port is taken, and what names another", function()
    local taken = codecell.assert(http_server.new(function() end))
    local port = codecell.assert(taken:listen()).port
    local result = shell.run(("%s serve --port %d"):format(shell.codecell, port))
    taken:close()
    assert.equal(125, result.status)
    assert.matches(("127.0.0.1:%d: listen: Address already in use; --port"):format(port),
      result.stderr, 1, true)
  end)

  it("is told which address is none of this machine's, and what takes one", function()
    local wrong = { ["192.0.2.1"] = "listen: Cannot assign requested address",
      localhost = "listen: localhost is not an address" }
    for host, why in pairs(wrong) do
      for _, words in ipairs { "serve --port", "mcp --http" } do
        local result = shell.run(("timeout 60 %s %s 0 --host %s"):format(shell.codecell, words,
          host))
        assert.not_equal(0, result.status)
        assert.matches(("%s:0: %s; --host takes an address"):format(host, why), result.stderr, 1,
          true)
      end
    end
  end)
end)
