-- `codecell serve`, asked by curl: statuses, routes, tokens, and clients that mean no good.
local envelope = require "codecell.e2b.envelope"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local STREAM = "application/connect+json"

describe("codecell serve, asked by curl #M10 #N08 #user", function()
  local server, record
  setup(function()
    server = gateway.start()
    record = server:create()
  end)
  teardown(function() server:stop() end)

  local function ask(path, given)
    given = given or {}
    given.to = given.to or record
    return server:ask(path, given)
  end

  local function call(method, body, more)
    local given = { method = "POST", body = body }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    return ask("/" .. method, given)
  end

  -- The messages of a stream.
  local function stream(method, body, more)
    local given = { kind = STREAM, body = envelope.encode(json.encode(body)) }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    given.method = "POST"
    local status, text = ask("/" .. method, given)
    local list, reader = {}, envelope.reader("the answer")
    reader:add(type(text) == "string" and text or "")
    local message, last = reader:next()
    local is_end
    while message do
      list[#list + 1], is_end = message, last
      message, last = reader:next()
    end
    return list, status, is_end
  end

  local function start(words, more)
    local body = { process = { cmd = "/bin/sh", args = json.list({ "-c", words }) },
      stdin = false }
    return stream("process.Process/Start", body, more)
  end

  it("needs the key of the control plane #J03 #N01", function()
    assert.equal(200, (server:ask("/v2/sandboxes")))
    for _, key in ipairs({ false, "e2b_1", gateway.key .. "0" }) do
      local status, body = server:ask("/v2/sandboxes", { key = key })
      assert.equal(401, status)
      assert.same({ 401, "Invalid API key" }, { body.code, body.message })
    end
    assert.equal(200, (server:ask("/health", { key = false })))
  end)

  it("needs the token of a sandbox, and that of no other", function()
    local other = server:create()
    local status, body = call("process.Process/List", {}, { key = false })
    assert.equal(401, status)
    assert.equal(401, body.code)
    local wrong = { sandboxID = record.sandboxID, envdAccessToken = other.envdAccessToken }
    assert.equal(401, (call("process.Process/List", {}, { to = wrong })))
    assert.equal(401, (ask("/files?path=x", { to = wrong })))
    assert.equal(401, (ask("/files?path=x", { key = false })))
    assert.equal(200, (call("process.Process/List", {}, { to = other })))
    assert.equal(204, (ask("/health", { key = false })))
    assert.equal(204, (server:ask("/sandboxes/" .. other.sandboxID, { method = "DELETE" })))
    assert.equal(502, (ask("/health", { to = other })))
  end)

  it("says of what is not there which of them it is #J20", function()
    local id = "i00000000000000000000"
    for _, path in ipairs({ "", "/timeout", "/connect", "/pause", "/metrics", "/snapshots" }) do
      local method = (path == "" or path == "/metrics") and "GET" or "POST"
      local status, body = server:ask("/sandboxes/" .. id .. path, { method = method,
        body = method == "POST" and { timeout = 5 } or nil })
      assert.equal(404, status, path)
      assert.equal(404, body.code)
      assert.equal(('Sandbox "%s" doesn\'t exist or you don\'t have access to it'):format(id),
        body.message)
    end
    local status, body = ask("/health", { to = { sandboxID = id } })
    assert.same({ 502, 502, id }, { status, body.code, body.sandboxId })
    status, body = ask("/", { port = 8765 })
    assert.same({ 502, 8765, "The sandbox is running but port is not open" },
      { status, body.port, body.message })
    assert.equal(404, (ask("/init", { method = "POST", body = {} })))
    assert.equal(404, (call("process.Process/Nothing", {})))
  end)

  it("finds its way by names as well as by headers, and refuses half of them", function()
    local id = record.sandboxID
    local function at(...)
      return (server:ask("/health", { key = false, headers = { ... } }))
    end
    assert.equal(204, at("Host: 49983-" .. id .. ".example.com"))
    assert.equal(204, at("Host: 49983-" .. id .. "-6532622b.localhost:3000"))
    assert.equal(200, at("Host: api.example.com"))
    assert.equal(400, at("Host: 99999-" .. id .. ".example.com"))
    assert.equal(400, at("Host: 49983-UPPER.example.com"))
    assert.equal(400, at("E2b-Sandbox-Id: " .. id))
    assert.equal(400, at("E2b-Sandbox-Id: ../" .. id, "E2b-Sandbox-Port: 49983"))
    assert.equal(400, at("E2b-Sandbox-Id: " .. id, "E2b-Sandbox-Port: 0x1"))
  end)

  it("refuses what cannot be created, with the reason", function()
    local cases = {
      [{ timeout = 0 }] = 400, [{ timeout = 1e9 }] = 400, [{ timeout = "x" }] = 400,
      [{ templateID = "nothing" }] = 404, [{ templateID = "../etc" }] = 400,
      [{ templateID = json.null }] = 400, [{ autoPauseMemory = false }] = 400,
      [{ envVars = { ["A=B"] = "1" } }] = 400, [{ network = { denyOut = { "name" } } }] = 400,
      [{ network = { allowPublicTraffic = false }, secure = false }] = 400,
      [{ volumeMounts = { { name = "v", path = "/mnt/v" } } }] = 404,
    }
    for more, wanted in pairs(cases) do
      local body = { templateID = "base", timeout = 60 }
      for name, value in pairs(more) do
        body[name] = value
      end
      local status, told = server:ask("/sandboxes", { method = "POST", body = body })
      assert.same({ wanted, wanted }, { status, told.code }, json.encode(more))
      assert.is_string(told.message)
    end
    for _, text in ipairs({ "{", "[1]", "nul", ("["):rep(1000), '"x"' }) do
      assert.equal(400, (server:ask("/sandboxes", { method = "POST", body = text })))
    end
    assert.equal(413, (server:ask("/sandboxes", { method = "POST",
      body = '{"a":"' .. ("x"):rep(2 ^ 20) .. '"}' })))
    assert.equal(501, (server:ask("/volumes", { method = "POST", body = { name = "v" } })))
  end)

  it("runs processes as streams of envelopes that begin and end", function()
    local list, status, is_end = start "printf out; printf err >&2; exit 3"
    assert.equal(200, status)
    assert.is_number(list[1].event.start.pid)
    assert.same({ exitCode = 3, exited = true, status = "exit status 3", error = "exit status 3" },
      list[#list - 1].event["end"])
    assert.same({}, list[#list])
    assert.is_true(is_end)
    list = start "true"
    assert.same({ exited = true, status = "exit status 0" }, list[#list - 1].event["end"])
    list = start "kill -9 $$"
    assert.same({ exitCode = -1, status = "signal: killed", error = "signal: killed" },
      list[#list - 1].event["end"])
  end)

  it("ends a program at the client's deadline, and says so", function()
    local list = start("sleep 60", { headers = { "Connect-Timeout-Ms: 200" } })
    assert.equal("deadline_exceeded", list[#list].error.code)
    local _, body = call("process.Process/List", {})
    assert.is_nil(body.processes)
  end)

  it("ends with a program that was killed, though others print on, and answers", function()
    local script = [==[
import json, struct, sys, urllib.request
port, ident, token = int(sys.argv[1]), sys.argv[2], sys.argv[3]
fields = {"E2b-Sandbox-Id": ident, "E2b-Sandbox-Port": "49983", "X-Access-Token": token}
def call(method, body):
    return json.load(urllib.request.urlopen(urllib.request.Request(
        "http://127.0.0.1:%d/process.Process/%s" % (port, method), json.dumps(body).encode(),
        dict(fields, **{"Content-Type": "application/json"}), method="POST"), timeout=10))
body = json.dumps({"process": {"cmd": "/bin/sh", "args": ["-c", "yes & wait"]}}).encode()
stream = urllib.request.urlopen(urllib.request.Request(
    "http://127.0.0.1:%d/process.Process/Start" % port, b"\0" + struct.pack(">I", len(body)) + body,
    dict(fields, **{"Content-Type": "application/connect+json"}), method="POST"), timeout=10)
def message():
    size = struct.unpack(">I", stream.read(5)[1:])[0]
    return json.loads(stream.read(size))
pid = message()["event"]["start"]["pid"]
assert "data" in message()["event"]
assert pid in [one["pid"] for one in call("List", {})["processes"]]
call("SendSignal", {"process": {"pid": pid}, "signal": "SIGNAL_SIGKILL"})
assert pid not in [one["pid"] for one in call("List", {}).get("processes", [])]
last = message()
while "end" not in last["event"]:
    last = message()
assert last["event"]["end"]["exitCode"] == -1, last
]==]
    local other = server:create()
    local result = shell.run(("/usr/bin/python3 - %s %s %s"):format(server.port, other.sandboxID,
      other.envdAccessToken), { stdin = script })
    assert.equal(0, result.status, result.stderr)
    server:ask("/sandboxes/" .. other.sandboxID, { method = "DELETE" })
  end)

  it("says that it is still there while nothing happens", function()
    local list = start("sleep 1.2", { headers = { "Keepalive-Ping-Interval: 1" } })
    assert.same({ keepalive = {} }, list[2].event)
  end)

  it("tells wrong calls by the codes of Connect", function()
    local status, body = call("process.Process/SendSignal",
      { process = { pid = 9999 }, signal = "SIGNAL_SIGKILL" })
    assert.same({ 404, "not_found" }, { status, body.code })
    status, body = call("filesystem.Filesystem/Stat", { path = "nope" })
    assert.same({ 404, "not_found" }, { status, body.code })
    status, body = call("filesystem.Filesystem/Stat", { path = "~root/x" })
    assert.same({ 400, "invalid_argument" }, { status, body.code })
    status, body = call("filesystem.Filesystem/Stat", { path = "a\0b" })
    assert.same({ 400, "invalid_argument" }, { status, body.code })
    status, body = call("filesystem.Filesystem/MakeDir", { path = "/etc/passwd" })
    assert.equal(400, status, json.encode(body))
    status, body = call("process.Process/List", {}, { headers = {
      "Authorization: Basic cm9vdDo=" } })
    assert.same({ 401, "unauthenticated" }, { status, body.code })
    assert.equal(415, (call("process.Process/List", {}, { kind = "text/plain" })))
    local list
    list, status = stream("process.Process/Start", { process = { cmd = 5 } })
    assert.same({ 200, "invalid_argument" }, { status, list[1].error.code })
    list = stream("process.Process/Start", { process = { cmd = "/nope" } })
    assert.equal("invalid_argument", list[1].error.code)
    list = stream("process.Process/Start", { process = { cmd = "true" } },
      { headers = { "Connect-Timeout-Ms: 1e3" } })
    assert.equal("invalid_argument", list[1].error.code)
    list = stream("process.Process/Connect", { process = { pid = 9999 } })
    assert.equal("not_found", list[1].error.code)
    for _, bytes in ipairs({ "", "\0\0\0\0\9{}", "\1\0\0\0\2{}", "\0\255\255\255\255" }) do
      list, status = stream("process.Process/Start", {}, { body = bytes })
      assert.same({ 200, "invalid_argument" }, { status, list[1].error.code })
    end
  end)

  it("writes and reads files, whole, in parts and in forms", function()
    local status, body = ask("/files?path=a%20b", { method = "POST", body = "0123456789",
      kind = "application/octet-stream" })
    assert.equal(200, status)
    assert.same({ { path = "/home/user/a b", name = "a b", type = "file" } },
      { { path = body[1].path, name = body[1].name, type = body[1].type } })
    local text, head
    status, text, head = ask("/files?path=a%20b", { headers = { "Range: bytes=2-4" } })
    assert.same({ 206, "234" }, { status, text })
    assert.matches("Content%-Range: bytes 2%-4/10", head)
    assert.equal(416, (ask("/files?path=a%20b", { headers = { "Range: bytes=20-" } })))
    local form = '--x\r\nContent-Disposition: form-data; name="file"; filename="p/q"\r\n\r\n'
      .. "--x in it\r\n--x--\r\n"
    status, body = ask("/files", { method = "POST", body = form,
      kind = "multipart/form-data; boundary=x" })
    assert.same({ 200, "/home/user/p/q" }, { status, body[1].path })
    assert.equal("--x in it", select(2, ask("/files?path=p/q")))
    for _, wrong in ipairs({ form:sub(1, -9), "", "--x", "--x\r\n--x--" }) do
      assert.equal(400, (ask("/files", { method = "POST", body = wrong == "" and " " or wrong,
        kind = "multipart/form-data; boundary=x" })))
    end
    assert.equal(400, (ask("/files", { method = "POST", body = "x", kind = "text/plain" })))
    assert.equal(404, (ask("/files?path=nope")))
    assert.equal(400, (ask("/files?path=/tmp")))
    assert.equal(401, (ask("/files?path=x&username=root")))
  end)

  it("passes requests on to what listens inside", function()
    local list = start("cd /tmp && echo page > index.html && "
      .. "(python3 -m http.server 8080 > /dev/null 2>&1 &) ; "
      .. "for i in $(seq 100); do python3 -c 'import socket; socket.create_connection("
      .. "(\"127.0.0.1\", 8080))' 2> /dev/null && break; sleep 0.05; done")
    assert.is_truthy(list[#list - 1].event["end"].exited, json.encode(list))
    local status, text = ask("/index.html", { port = 8080, key = false })
    assert.same({ 200, "page\n" }, { status, text })
    assert.equal(404, (ask("/nothing", { port = 8080, key = false })))
  end)

  it("tells the code the host that was asked for, or the one that it is to be told", function()
    local program = "import http.server\nclass Echo(http.server.BaseHTTPRequestHandler):\n"
      .. " def do_POST(self):\n  body = self.rfile.read(int(self.headers['Content-Length']))\n"
      .. "  self.send_response(201)\n  self.end_headers()\n"
      .. "  self.wfile.write(self.headers['Host'].encode() + b' ' + body)\n"
      .. " def log_message(self, *all): pass\n"
      .. "http.server.HTTPServer(('', 8090), Echo).serve_forever()"
    for _, case in ipairs({ { nil, "name.example.com" }, { "me:${PORT}", "me:8090" } }) do
      local one = server:create({ network = { maskRequestHost = case[1] } })
      ask("/files?path=echo.py", { to = one, method = "POST", body = program,
        kind = "application/octet-stream" })
      start("(python3 echo.py > /dev/null 2>&1 &); for i in $(seq 100); do python3 -c 'import "
        .. "socket; socket.create_connection((\"127.0.0.1\", 8090))' 2> /dev/null && break; "
        .. "sleep 0.05; done", { to = one })
      local status, text = ask("/x?y=%20z", { to = one, port = 8090, key = false, method = "POST",
        body = "sent", headers = { "Host: name.example.com" } })
      assert.same({ 201, case[2] .. " sent" }, { status, text })
      server:ask("/sandboxes/" .. one.sandboxID, { method = "DELETE" })
    end
  end)

  it("tells watchers what the entry is, to who asks for it, and keeps events until then", function()
    local _, made = call("filesystem.Filesystem/CreateWatcher",
      { path = "/home/user", includeEntry = true })
    local id = made.watcherId
    ask("/files?path=seen", { method = "POST", body = "123", kind = "application/octet-stream" })
    local found
    for _ = 1, 100 do
      local _, got = call("filesystem.Filesystem/GetWatcherEvents", { watcherId = id })
      for _, event in ipairs(got.events or {}) do
        found = found or event.name == "seen" and event
      end
      if found then break end
      os.execute "sleep 0.02"
    end
    assert.equal("/home/user/seen", found.entry.path)
    assert.same({}, (select(2, call("filesystem.Filesystem/RemoveWatcher", { watcherId = id }))))
    assert.equal(404, (call("filesystem.Filesystem/GetWatcherEvents", { watcherId = id })))
  end)

  it("keeps the ports of a sandbox without public traffic for who has its token", function()
    local other = server:create({ network = { allowPublicTraffic = false } })
    assert.equal(403, (ask("/", { to = other, port = 8080 })))
    assert.equal(403, (ask("/contexts", { to = other, port = 49999 })))
    assert.equal(502, (ask("/", { to = other, port = 8080, headers = {
      "E2B-Traffic-Access-Token: " .. other.trafficAccessToken } })))
    server:ask("/sandboxes/" .. other.sandboxID, { method = "DELETE" })
  end)

  it("counts the cells of a language that keeps no session from 1, failed ones too", function()
    for number = 1, 2 do
      local _, text = ask("/execute", { method = "POST", port = 49999,
        body = { code = "int main(", language = "c" } })
      if text:find("apt-get", 1, true) then
        return pending("there is no compiler of C")
      end
      assert.equal(number, json.decode(text:match("^[^\n]+")).execution_count)
    end
  end)

  it("runs code as lines of JSON, and tells its failures by status", function()
    local function execute(body)
      return ask("/execute", { method = "POST", port = 49999, body = body })
    end
    local status, text = execute({ code = "print('é')\n{'a': [1]}" })
    assert.equal(200, status)
    local types = {}
    for line in (type(text) == "string" and text or ""):gmatch("[^\n]+") do
      types[#types + 1] = json.decode(line).type
    end
    assert.same({ "number_of_executions", "stdout", "result", "end_of_execution" }, types)
    text = select(2, execute({ code = "[1.0, 2]" }))
    assert.truthy(text:find('"json":[1.0,2]', 1, true), text) -- 1 is no fraction elsewhere
    assert.equal(400, (execute({ code = "1", language = "python", context_id = "x" })))
    status, text = execute({ code = "1", context_id = "x" })
    assert.same({ 404, "Context x not found" }, { status, text })
    assert.equal(422, (execute({})))
    for _, body in ipairs({ "{", { code = 1 }, { code = "1", env_vars = { A = 1 } },
      { code = "1", language = { "python" } } }) do
      assert.equal(422, (execute(body)))
    end
    assert.equal(500, (execute({ code = "1", language = "klingon" })))
    status, text = ask("/contexts", { port = 49999 })
    assert.same({ 200, "python" }, { status, text[1].language })
    assert.equal(404, (ask("/contexts/x", { method = "DELETE", port = 49999 })))
  end)

  it("makes one sandbox for one key of a request, however often that is sent", function()
    local function make(key)
      return select(2, server:ask("/v2/sandboxes", { method = "POST",
        body = { templateID = "base" }, headers = { "Idempotency-Key: " .. key } }))
    end
    local first, again, other = make "a", make "a", make "b"
    assert.equal(first.sandboxID, again.sandboxID)
    assert.equal(64, #first.envdAccessToken)
    assert.not_equal(first.sandboxID, other.sandboxID)
    for _, one in ipairs({ first, other }) do
      assert.equal(204, (server:ask("/sandboxes/" .. one.sandboxID, { method = "DELETE" })))
    end
    other = make "a"
    assert.not_equal(first.sandboxID, other.sandboxID)
    server:ask("/sandboxes/" .. other.sandboxID, { method = "DELETE" })
  end)

  it("gives pages of a list, and refuses a cursor that it did not give", function()
    local others = { server:create(), server:create() }
    local status, page, head = server:ask("/v2/sandboxes?limit=2&order=asc")
    assert.same({ 200, 2, record.sandboxID }, { status, #page, page[1].sandboxID })
    local cursor = head:match("X%-Next%-Token: (%S+)")
    status, page, head = server:ask("/v2/sandboxes?limit=2&order=asc&nextToken="
      .. cursor:gsub("=", "%%3D"):gsub("+", "%%2B"))
    assert.same({ 200, 1, others[2].sandboxID }, { status, #page, page[1].sandboxID })
    assert.is_nil(head:match("X%-Next%-Token"))
    for _, query in ipairs({ "nextToken=x", "limit=0", "limit=x", "startedAfter=x" }) do
      assert.equal(400, (server:ask("/v2/sandboxes?" .. query)), query)
    end
    for _, one in ipairs(others) do
      server:ask("/sandboxes/" .. one.sandboxID, { method = "DELETE" })
    end
  end)

  it("goes on after clients that vanish, trickle or shout", function()
    local script = [[
import socket, sys, time
port = int(sys.argv[1]); ident = sys.argv[2]; token = sys.argv[3]
def connect(data):
    one = socket.create_connection(("127.0.0.1", port)); one.sendall(data); return one
open_ones = [connect(b"GET /v2/sandboxes HTTP/1.1\r\nHost: x\r\nX-A: ") for _ in range(300)]
for data in (b"\x00" * 4096, b"GET / HTTP/9.9\r\n\r\n", b"A" * 200000,
             b"POST /sandboxes HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
             b"POST /sandboxes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
             b"GET http://x/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n"):
    try:
        connect(data).close()
    except OSError:
        pass
body = b'{"code":"import time\\nopen(\'began\',\'w\').close()\\nwhile True: time.sleep(0.01)"}'
head = ("POST /execute HTTP/1.1\r\nHost: x\r\nE2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 49999\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (ident, len(body)))
running = connect(head.encode() + body)
look = ("GET /files?path=began HTTP/1.1\r\nHost: x\r\nE2b-Sandbox-Id: %s\r\n"
        "E2b-Sandbox-Port: 49983\r\nX-Access-Token: %s\r\nConnection: close\r\n\r\n"
        % (ident, token))
for _ in range(400):
    one = connect(look.encode())
    if b" 200 " in one.recv(100):
        break
    time.sleep(0.02)
running.close()    # in the middle of it: the code is interrupted
]]
    local result = shell.run(("/usr/bin/python3 - %s %s %s"):format(server.port,
      record.sandboxID, record.envdAccessToken), { stdin = script })
    assert.equal(0, result.status, result.stderr)
    local status, text = ask("/execute", { method = "POST", port = 49999,
      body = { code = "'free'" } })
    assert.equal(200, status)
    assert.matches("free", text)
    assert.equal("", server:problems())
  end)

  it("listens to no page of a browser where it asks for no key", function()
    local open = gateway.start("--no-auth")
    local body = { templateID = "base" }
    assert.equal(403, (open:ask("/sandboxes", { method = "POST", body = body, key = false,
      headers = { "Origin: http://example.com" } })))
    assert.equal(201, (open:ask("/sandboxes", { method = "POST", body = body, key = false })))
    open:stop()
  end)

  it("tells how many there are, as OpenMetrics does", function()
    local status, text = server:ask("/metrics")
    assert.equal(200, status)
    assert.matches('codecell_sandboxes{state="running"} 1\n', text, 1, true)
    assert.matches("# EOF\n$", text)
    assert.equal(401, (server:ask("/metrics", { key = false })))
  end)

  it("answers browsers that ask before they ask", function()
    local status, _, head = server:ask("/v2/sandboxes", { method = "OPTIONS", key = false })
    assert.equal(204, status)
    assert.matches("Access%-Control%-Allow%-Origin: %*", head)
  end)
end)
