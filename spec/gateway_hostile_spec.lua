-- `codecell serve`, and clients that mean no good: each gets the right status or is cut off,
-- nothing hangs, nothing is left, and others are served meanwhile.
local gateway = require "spec.support.gateway"
local hostile = require "spec.support.hostile"
local json = require "codecell.json"

local function start(more)
  local server = gateway.start(("--api-key %s %s"):format(gateway.key, more), 0, "ulimit -n 1200;")
  local record = server:create({ timeout = 300 })
  server:ask("/execute", { to = record, port = 49999, method = "POST", body = { code = "1" } })
  return server, record
end

describe("codecell serve, attacked #user", function()
  local server, record, memory, descriptors
  setup(function()
    server, record = start("--connections 12 --max-upload 16M")
    memory, descriptors = server:weight()
  end)
  teardown(function() server:stop() end)

  local function attack(program)
    return hostile.python(server, gateway.key, record, program)
  end

  -- Each request of the program's `tests` has the status that stands there with it.
  local function statuses(program)
    assert.equal("ok\n", attack(program .. [[

wrong = [(name, status, found) for name, (status, data) in tests.items()
    for found in [ask(data)] if found != status]
print(wrong or "ok")]]))
  end

  it("takes no request that can be read in two ways", function()
    statuses [[
def two(lines):
    head = "POST /sandboxes HTTP/1.1\r\nHost: x\r\n%s%s\r\n\r\n" % (API, lines)
    return head + "0\r\n\r\nGET /health HTTP/1.1\r\n"
tests = {
    "length and chunks": (400, two("Content-Length: 5\r\nTransfer-Encoding: chunked")),
    "two lengths": (400, two("Content-Length: 5\r\nContent-Length: 5")),
    "a list of lengths": (400, two("Content-Length: 5, 5")),
    "identity": (400, two("Transfer-Encoding: identity")),
    "no coding that is known": (400, two("Transfer-Encoding: xchunked")),
    "chunks twice": (400, two("Transfer-Encoding: chunked, chunked")),
    "a blank before the colon": (400, two("Transfer-Encoding : chunked")),
    "a line that goes on": (400, get("/health", "X-A: a\r\n b: c\r\n")),
    "a carriage return": (400, get("/health", "X-A: a\rX-B: b\r\n")),
    "a name with a blank": (400, get("/health", "X A: a\r\n")),
    "no colon": (400, get("/health", "X-A\r\n")),
    "two hosts": (400, get("/health", "Host: y\r\n")),
    "no host": (400, "GET /health HTTP/1.1\r\n\r\n"),
}
answers = all_of(connect(tests["length and chunks"][1]))
assert answers.count(b"HTTP/1.1 ") == 1, answers]]
  end)

  it("takes no wrong lengths, and no wrong chunks", function()
    statuses [[
def sized(length):
    return "POST /sandboxes HTTP/1.1\r\nHost: x\r\n%sContent-Length: %s\r\n\r\n{}" % (API, length)
def chunked(body):
    return get("/sandboxes", API + "Transfer-Encoding: chunked\r\n", "POST") + body
tests = {
    "-2": (400, sized("-2")), "+2": (400, sized("+2")), "0x2": (400, sized("0x2")),
    "2 2": (400, sized("2 2")), "nothing": (400, sized("")), "huge": (413, sized("9" * 30)),
    "zz": (400, chunked("zz\r\n{}\r\n0\r\n\r\n")), "-": (400, chunked("-2\r\n{}\r\n0\r\n\r\n")),
    "0x": (400, chunked("0x2\r\n{}\r\n0\r\n\r\n")),
    "ff": (413, chunked("f" * 20 + "\r\n{}\r\n0\r\n\r\n")),
    "longer": (400, chunked("2\r\n{}XX0\r\n\r\n")),
}]]
  end)

  it("bounds what a request begins with", function()
    statuses [[
tests = {
    "a long path": (414, get("/" + "a" * 200000)),
    "a long field": (431, get("/health", "X-A: %s\r\n" % ("a" * 200000))),
    "many fields": (431, get("/health", "".join("X-%d: a\r\n" % i for i in range(20000)))),
    "empty lines": (414, "\r\n" * 100000),
    "no HTTP": (505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (None, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\n" * 500),
    "a method that is none": (401, get("/sandboxes", "", "G@T" * 1000)),
    "a method that is not here": (405, get("/health", "", "TRACE")),
}]]
  end)

  it("finds no way out of its paths", function()
    statuses [[
sandbox = "/sandboxes/" + ID
tests = {
    "up": (401, get("/sandboxes/../metrics")), "up, in percent": (404,
        get("/sandboxes/%2e%2e/%2e%2e/etc/passwd", API)),
    "absolute": (401, get("http://elsewhere/../etc/passwd")),
    "twice": (404, get("//v2/sandboxes", API)), "NUL": (404, get(sandbox + "%00", API)),
    "no number": (404, get("/sandboxes/%zz", API)), "CONNECT": (401, get("x:1", "", "CONNECT")),
    "a file above": (404, get("/files?path=../../../etc/shadow", ENVD)),
    "a file with a NUL": (400, get("/files?path=a%00b", ENVD)),
    "a long one": (400, get("/files?path=" + "a" * 5000, ENVD)),
    "of the machine": (404, get("/files?path=/proc/1/root/etc/hostname", ENVD)),
    "no range": (416, get("/files?path=/etc/passwd", ENVD + "Range: bytes=9999999-\r\n")),
    "many ranges": (200, get("/files?path=/etc/passwd", ENVD + "Range: bytes=%s0-1\r\n"
        % ("0-1," * 5000))),
}]]
  end)

  it("puts nothing of a path into its answer's fields", function()
    assert.equal("200 True\n", attack [[
name = "a%0d%0aX-Evil:%201%22"
assert ask(post("/files?path=" + name, "text", ENVD, "application/octet-stream")) == 200
head = all_of(connect(get("/files?path=" + name, ENVD))).split(b"\r\n\r\n")[0]
print(status_of(head), not any(line.lower().startswith(b"x-evil") for line in head.split(b"\r\n")))
]])
  end)

  it("takes no wrong key, token, signature or half a place", function()
    statuses [[
forged = "/files?path=x&signature=v1_" + "A" * 43
tests = {
    "no key": (401, get("/v2/sandboxes")),
    "another": (401, get("/v2/sandboxes", "X-API-Key: e\r\n")),
    "the key twice": (401, get("/v2/sandboxes", API + "X-API-Key: e2b_0\r\n")),
    "a part of it": (401, get("/v2/sandboxes", "X-API-Key: %s\r\n" % KEY[:-1])),
    "no token": (401, get("/files?path=x", BARE)),
    "two tokens": (401, get("/files?path=x", ENVD + "X-Access-Token: a\r\n")),
    "the key as a token": (401, get("/files?path=x", BARE + "X-Access-Token: %s\r\n" % KEY)),
    "a forged signature": (401, get(forged, BARE)), "of nobody": (401, get(forged)),
    "an old one": (401, get(forged + "&signature_expiration=1", BARE)),
    "an odd time": (401, get(forged + "&signature_expiration=1e9", BARE)),
    "two places": (400, get("/health", ENVD + "E2b-Sandbox-Id: iother\r\n")),
    "two ports": (400, get("/health", ENVD + "E2b-Sandbox-Port: 22\r\n")),
    "a name against the fields": (502, "GET /health HTTP/1.1\r\nConnection: close\r\n"
        "Host: 49983-iaaaaaaaaaaaaaaaaaaaa.x\r\n%s\r\n" % ENVD),
}]]
  end)

  it("looks for few signatures that are of nobody, and goes on with those of somebody", function()
    assert.equal("True\n200\n", attack [[
forged = "/files?path=x&signature=v1_" + "A" * 43
many = ("GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % forged) * 99 + get(forged)
data = all_of(connect(many))
print(b"HTTP/1.1 401" in data and b"HTTP/1.1 429" in data)
time.sleep(0.1)
assert ask(post("/files?path=signed", "text", ENVD, "application/octet-stream")) == 200
import base64, hashlib
digest = hashlib.sha256(("signed:read::" + TOKEN).encode()).digest()
url = "/files?path=signed&signature=v1_" + base64.b64encode(digest).decode().rstrip("=")
url = url.replace("+", "%2B").replace("/", "%2F").replace("%2Ffiles", "/files")
print(ask(get(url)))]])
  end)

  it("reads no JSON without bounds, and serves others meanwhile", function()
    statuses [[
tests = {
    "deep": (400, post("/sandboxes", "[" * 100000, API)),
    "wide": (400, post("/sandboxes", '{"a":[%s0]}' % ("0," * 400000), API)),
    "blanks": (500, post("/contexts", json.dumps({"language": "a" + " " * 200000 + "b"}), CODE)),
    "keys": (400, post("/sandboxes", json.dumps({str(i): 1 for i in range(80000)}), API)),
    "long": (413, post("/sandboxes", '{"a":"%s"}' % ("x" * (1 << 21)), API)),
    "code": (422, post("/execute", '{"a":[%s0]}' % ("0," * 2000000), CODE)),
    "a number": (400, post("/sandboxes", "1", API)), "half": (400, post("/sandboxes", "{", API)),
    "bytes": (400, post("/sandboxes", b'{"\xff', API)),
    "nothing that is JSON": (422, post("/execute", '{"code":null}', CODE)),
}
assert others_are_served()]]
  end)

  it("takes no frames of wrong lengths and flags", function()
    assert.equal("ok\n", attack [[
bodies = { "compressed": frame(b"{}", 1), "cut off": frame(b"{}", 0, 100), "none": b"",
    "huge": frame(b"{}", 0, 0xffffffff), "empty": frame(b""), "no object": frame(b"[]"),
    "no JSON": frame(b"{"), "noise": b"\xff" * 50, "end alone": frame(b"{}", 2) }
for name, body in bodies.items():
    data = all_of(connect(post("/process.Process/Start", body, ENVD, STREAM)))
    told = body_of(data)
    assert status_of(data) == 200 and told[0] == 2, (name, data)
    assert json.loads(told[5:])["error"]["code"] == "invalid_argument", (name, data)
assert ask(post("/process.Process/List", "{}", ENVD, STREAM)) == 415
assert ask(post("/process.Process/Start", "{}", ENVD)) == 415
print("ok")]])
  end)

  it("serves others while many say nothing, or trickle", function()
    assert.equal("True\nTrue\nTrue\n", attack [[
silent = [connect() for _ in range(600)] # more than there may be: the oldest are closed
print(others_are_served())
slow = [connect("GET /health HTTP/1.1\r\nX-A: ") for _ in range(200)]
for one in slow[100:]:
    one.sendall(b"a")
print(others_are_served())
keys = [connect("POST /sandboxes HTTP/1.1\r\nHost: x\r\n%sContent-Length: 1000\r\n\r\n{" % API)
    for _ in range(100)]
print(others_are_served())]])
  end)

  it("keeps so many watchers of a sandbox, those of folders that are gone among them", function()
    assert.equal("429\n", attack [[
def call(name, body):
    return ask(post("/filesystem.Filesystem/" + name, json.dumps(body), ENVD))
status, made = 200, 0
while status == 200 and made < 100:
    assert call("MakeDir", {"path": "watched%d" % made}) == 200
    status = call("CreateWatcher", {"path": "watched%d" % made})
    assert call("Remove", {"path": "watched%d" % made}) == 200
    made += 1
print(status)]])
  end)

  it("cuts off who takes too long with a first request #slow", function()
    assert.equal("True\n", attack [[
one, began = connect("GET /health HTTP/1.1\r\nX-A: "), time.time()
one.settimeout(0.5)
while True:
    try:
        one.sendall(b"a")
        if not one.recv(1):
            break
    except TimeoutError:
        assert time.time() - began < 60
    except ConnectionError:
        break
print(time.time() - began < 60)]])
  end)

  it("holds so many bytes of all bodies together, and gives them back", function()
    assert.equal("429 200 200\nTrue\n", attack [[
first = connect("POST /process.Process/SendInput HTTP/1.1\r\nHost: x\r\n%s"
    "Content-Length: %d\r\nContent-Type: application/json\r\n\r\n" % (ENVD, 13 << 20))
first.sendall(b" " * (12 << 20))
while b"codecell_held_bytes 12582912\n" not in all_of(connect(get("/metrics", API))):
    time.sleep(0.01)
large = b" " * (12 << 20)
print(ask(post("/process.Process/SendInput", large, ENVD)),
    ask(post("/process.Process/Start", frame(large), ENVD, STREAM)),
    ask(post("/files?path=large", large, ENVD, "application/octet-stream"))) # is held by nobody
first.close()
for _ in range(1000):
    if ask(post("/process.Process/List", large, ENVD)) == 200:
        break
    time.sleep(0.05)
print(others_are_served())]])
    assert.equal(0, server:metric("codecell_held_bytes"))
  end)

  it("lets so many in to one sandbox, and says how many", function()
    local told = attack [[
some = [connect(start("exec sleep 100")) for _ in range(12)]
for one in some:
    one.recv(1000)
data = all_of(connect(post("/process.Process/List", "{}", ENVD)))
print(status_of(data), body_of(data).decode())
assert others_are_served()
for one in some:
    one.close()
while ask(post("/process.Process/List", "{}", ENVD)) != 200:
    pass
end_all()]]
    local status, body = told:match("^(%d+) (.*)\n$")
    assert.equal("429", status)
    assert.same({ code = 429, connectionLimit = 12, sandboxId = record.sandboxID,
      message = "Too many connections to the sandbox" }, json.decode(body))
  end)

  it("interrupts code at once whose client has gone in its midst", function()
    assert.equal("True\n", attack [[
code = "import time\ni = 0\nwhile True:\n  i += 1\n" \
    "  open('beat', 'w').write(str(i))\n  print(i, flush=True)\n  time.sleep(0.005)"
def beat():
    return body_of(all_of(connect(get("/files?path=beat", ENVD))))
for how in (0, 1):
    one = connect(post("/execute", json.dumps({"code": code}), CODE))
    while b'"10' not in one.recv(1000):
        pass
    if how: # a reset, and not an end
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    data = all_of(connect(post("/execute", '{"code": "\'free\'"}', CODE))) # in the same context
    assert b'"free"' in data, data
last = beat()
time.sleep(0.1)
print(last == beat())]])
  end)

  it("writes nothing of an upload that was cut off", function()
    assert.equal("404\n", attack [[
one = connect("POST /files?path=half HTTP/1.1\r\nHost: x\r\n%sContent-Length: 1000\r\n"
    "Content-Type: application/octet-stream\r\n\r\nhalf" % ENVD)
one.close()
assert others_are_served()
print(ask(get("/files?path=half", ENVD)))]])
  end)

  it("tells what goes on to so many, and keeps no large metadata", function()
    assert.equal("200 429\n413 400 201\n", attack [[
def live():
    one = connect(get("/codecell/live", API))
    return one, status_of(one.recv(4096))
some = [live() for _ in range(17)]
print(some[15][1], some[16][1])
for one, _ in some:
    one.close()
def create(size):
    return ask(post("/sandboxes", json.dumps({"templateID": "base", "timeout": 1,
        "metadata": {"a": "x" * size}}), API))
print(create(1 << 20), create(16384), create(16383))]])
  end)

  it("lists many files, and serves others meanwhile", function()
    assert.equal("3000 True\n", attack [[
code = "import os\nos.mkdir('many')\nfor i in range(3000): open('many/%04d' % i, 'w').close()"
assert ask(post("/execute", json.dumps({"code": code}), CODE)) == 200
data = all_of(connect(post("/filesystem.Filesystem/ListDir", '{"path": "many"}', ENVD)))
names = [one["name"] for one in json.loads(body_of(data))["entries"] ]
print(len(names), names == sorted(names))]])
  end)

  it("is as it was, after all that", function()
    local patience = os.time() + 30
    local weight, count = server:weight()
    while (count > descriptors + 2 or weight >= memory + 131072) and os.time() < patience do
      os.execute("sleep 0.1")
      weight, count = server:weight()
    end
    assert.is_true(count <= descriptors + 2, ("%d descriptors of %d"):format(count, descriptors))
    assert.is_true(weight < memory + 131072, ("%d of %d kB"):format(weight, memory))
    assert.equal(1, server:metric("codecell_requests_open"))
    assert.equal("", server:problems())
    local _, text = server:ask("/execute", { to = record, port = 49999, method = "POST",
      body = { code = "6 * 7" } })
    assert.matches('"42"', text)
  end)
end)

-- One of its own: a collector that has seen large bodies lets as much garbage gather again.
describe("codecell serve before hostile programs #user", function()
  local server, record
  setup(function() server, record = start("") end)
  teardown(function() server:stop() end)

  local function attack(program)
    return hostile.python(server, gateway.key, record, program)
  end

  it("keeps none of the trailers and interim answers that code sends without end", function()
    local before, own = server:weight(), server:create({ timeout = 100 })
    assert.equal("200 502 True\n", hostile.python(server, gateway.key, own, [[
program = """
import socket, threading
def serve(port, first, more):
    made = socket.create_server(("127.0.0.1", port))
    while True:
        one, _ = made.accept()
        one.recv(65536)
        try:
            one.sendall(first)
            while True:
                one.sendall(more * 1000)
        except OSError:
            one.close()
OK = b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n"
threading.Thread(target=serve, args=(8001, OK, b"X-A: " + b"a" * 50 + b"\\r\\n")).start()
serve(8002, b"", b"HTTP/1.1 103 E\\r\\nA: b\\r\\n\\r\\n")
"""
assert ask(post("/files?path=endless.py", program, ENVD, "application/octet-stream")) == 200
running = connect(start("exec python3 endless.py"))
def status(port):
    place = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: %d\r\n" % (ID, port)
    data = all_of(connect(get("/", place)))
    return status_of(data), b"is not open" in data
for port in (8001, 8002):
    while status(port)[1]:
        time.sleep(0.05)
print(status(8001)[0], status(8002)[0], others_are_served())]]))
    server:ask("/sandboxes/" .. own.sandboxID, { method = "DELETE" })
    local now = server:weight()
    assert.is_true(now < before + 32768, ("%d of %d kB"):format(now, before))
  end)

  it("passes on so many fields of a request and of an answer #S109", function()
    assert.equal("200 431 502 True\n", attack [[
program = """
import socket
made = socket.create_server(("127.0.0.1", 8003))
while True:
    one, _ = made.accept()
    many = 300 if one.recv(65536).startswith(b"GET /many ") else 1
    one.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n" + b"A: b\\r\\n" * many + b"\\r\\n")
    one.close()
"""
assert ask(post("/files?path=fields.py", program, ENVD, "application/octet-stream")) == 200
running = connect(start("exec python3 fields.py"))
place = "E2b-Sandbox-Id: %s\r\nE2b-Sandbox-Port: 8003\r\n" % ID
while b"is not open" in all_of(connect(get("/", place))):
    time.sleep(0.05)
print(ask(get("/", place)), ask(get("/", place + "A: b\r\n" * 300)), ask(get("/many", place)),
    others_are_served())
end_all()]])
    assert.equal("", server:problems())
  end)

  it("keeps little of what a client does not read, and holds the program up", function()
    local before = server:weight()
    assert.equal("True True\n", attack [[
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
one.connect(("127.0.0.1", PORT))
one.sendall(start("while :; do head -c 1000000 /dev/zero; echo . >> turns; done"))
code = connect(post("/execute", '{"code": "while True: print(chr(120) * 100000)"}', CODE))
def turns():
    return len(body_of(all_of(connect(get("/files?path=turns", ENVD)))))
last, still = -1, 0
for _ in range(600): # until it stands still
    time.sleep(0.05)
    now = turns()
    still = still + 1 if now == last and now > 0 else 0
    last = now
    if still == 20:
        break
print(still == 20, others_are_served())
one.close()
code.close()
end_all()]])
    local now = server:weight()
    assert.is_true(now < before + 65536, ("%d of %d kB"):format(now, before))
  end)
end)
