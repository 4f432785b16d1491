-- Sandboxes that may reach some names and no others.
local codecell = require "codecell"
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"
local world = require "spec.support.world"

-- What is used by every program inside: no proxy, the name alone.
local DIRECT = [[
import os, socket, ssl, sys, time
for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]
import urllib.error, urllib.request
def outcome(called):
    try:
        return called()
    except urllib.error.HTTPError as error:
        return "%d %s" % (error.code, error.read().decode().strip())
    except urllib.error.URLError as error:
        return outcome_of(error.reason)
    except Exception as error:
        return outcome_of(error)
def outcome_of(error):
    if isinstance(error, socket.gaierror):
        return "no such name" if error.args[0] in (-2, -5) else "try again"
    return type(error).__name__
def get(url):
    print(outcome(lambda: urllib.request.urlopen(url, timeout=20).read().decode()))
def connect(host, port):
    return socket.create_connection((host, port), 20)
]]

describe("network = {allow = {...}} #user", function()
  local earth = world.new(setup, teardown)
  local sandbox, events

  setup(function()
    events = {}
    local ports = {}
    for _, name in ipairs { "good.example", "other.example", "*.wild.example", "127.0.0.1",
      "private.example", "metadata.example", "carrier.example", "both.example", "mapped.example",
      "nat64.example", "local6.example", "sixtofour.example", "loop.example", "flip.example",
      "missing.example", "silent.example" } do
      ports[#ports + 1] = name .. ":" .. earth.web
      ports[#ports + 1] = name ~= "other.example" and name .. ":" .. earth.echo or nil
    end
    ports[#ports + 1] = "good.example:" .. earth.quiet
    ports[#ports + 1] = "127.0.0.1:" .. earth.quiet
    sandbox = codecell.assert(codecell.create({
      network = { allow = ports, deny = { "denied.wild.example" } },
      on_event = function(event)
        events[#events + 1] = event
      end,
    }))
  end)

  teardown(function()
    sandbox:close()
  end)

  local function run(code, ...)
    local execution = codecell.assert(sandbox:run_code(DIRECT .. code:format(...)))
    assert.is_nil(execution.error, execution.error and execution.error.traceback)
    return table.concat(execution.logs.stdout), execution
  end

  it("reaches an allowed name, with no setting inside #I14 #I15 #E12", function()
    local text, execution = run([[get("http://good.example:%d/x")]], earth.web)
    assert.equal("GET /x 0\n", text)
    assert.same({}, execution.refused)
    assert.is_true(sandbox:supports("network"))
  end)

  it("decides by one form of a name: case and a final dot do not matter", function()
    local text = run([[
get("http://GOOD.example:%d/a")
peer = connect("good.example.", %d)
print(peer.recv(6).decode().strip())]], earth.web, earth.echo)
    assert.equal("GET /a 0\nhello\n", text)
  end)

  it("knows no other name, asks nobody of it, and says what would allow it #S106 #I14", function()
    local before = #events
    local text, execution = run([[
get("http://secret-data.evil.example:%d/x")
get("http://wild.example:%d/x")]], earth.web, earth.web)
    assert.equal("no such name\nno such name\n", text)
    assert.equal("secret-data.evil.example:" .. earth.web, execution.refused[1].what)
    assert.equal("wild.example:" .. earth.web, execution.refused[2].what)
    assert.equal(('network = {allow = {"wild.example:%d"}}'):format(earth.web),
      execution.refused[2].allow)
    assert.truthy(execution.refused[1].why:find("allow list", 1, true))
    codecell.step(0)
    assert.equal(before + 2, #events)
    assert.equal("refused", events[before + 1].type)
    local asked = world.asked(earth)
    assert.falsy(asked:find("evil", 1, true))
    assert.truthy(asked:find("good.example", 1, true))
  end)

  it("reaches every depth below a wildcard, and what is denied wins #S100", function()
    local text, execution = run([[
get("http://a.wild.example:%d/1")
get("http://a.b.wild.example:%d/2")
get("http://denied.wild.example:%d/3")]], earth.web, earth.web, earth.web)
    assert.equal("GET /1 0\nGET /2 0\nno such name\n", text)
    assert.truthy(execution.refused[1].why:find("deny list", 1, true))
  end)

  it("says of an allowed name that does not exist that it does not exist", function()
    local text, execution = run([[get("http://missing.example:%d/")]], earth.web)
    assert.equal("no such name\n", text)
    assert.same({}, execution.refused)
  end)

  it("refuses the ports that an allowed name is not allowed for #S101", function()
    local text, execution = run([[
peer = outcome(lambda: connect("other.example", %d).recv(6))
print(peer)
print(outcome(lambda: connect("good.example", 22)))]], earth.echo)
    assert.equal("ConnectionResetError\nConnectionRefusedError\n", text)
    assert.equal("other.example:" .. earth.echo, execution.refused[1].what)
    assert.equal(('network = {allow = {"other.example:%d"}}'):format(earth.echo),
      execution.refused[1].allow)
  end)

  it("leads an allowed name to no private address #S095 #S096 #S097 #I14", function()
    local text, execution = run([[
for name in ("private", "metadata", "carrier", "mapped", "nat64", "local6", "sixtofour", "loop"):
    get("http://%%s.example:%d/" %% name)]], earth.web)
    assert.equal(("no such name\n"):rep(8), text)
    assert.equal(8, #execution.refused)
    for _, refusal in ipairs(execution.refused) do
      assert.truthy(refusal.why:find("address", 1, true))
    end
    assert.truthy(execution.refused[2].why:find("metadata", 1, true))
  end)

  it("uses the addresses that may be used, and looks again at each resolution #S097", function()
    local text = run([[
get("http://both.example:%d/x")
seen = set()
for _ in range(2):
    seen.add(outcome(lambda: urllib.request.urlopen("http://flip.example:%d/").read().decode()))
    time.sleep(1.1)
print(sorted(seen))]], earth.web, earth.web)
    local first, seen = text:match("^(.-)\n(.-)\n$")
    assert.equal("GET /x 0", first)
    assert.falsy(seen:find("10.0.0.5", 1, true))
    assert.truthy(seen:find("GET / 0", 1, true))
  end)

  it("does not follow to another place what may go to one #S104", function()
    local text, execution = run([[
get("http://good.example:%d/redirect/other.example:%d/there")
get("http://good.example:%d/redirect/evil.example/")
get("http://good.example:%d/redirect/169.254.169.254/latest")]],
      earth.web, earth.web, earth.web, earth.web)
    assert.equal("GET /there 0\nno such name\nOSError\n", text:gsub("TimeoutError", "OSError"))
    assert.equal("evil.example", execution.refused[1].what)
  end)

  it("reaches no service of the host by any name of its loopback #S092", function()
    local text = run([[
for host in ("127.0.0.1", "localhost", "127.8.8.8", "0.0.0.0", "::1", "::ffff:127.0.0.1"):
    def ask():
        peer = connect(host, %d)
        peer.sendall(b"x")
        return peer.recv(6)
    print(outcome(ask))]], earth.echo)
    assert.falsy(text:find("hello", 1, true))
    assert.falsy(text:find("b'", 1, true))
  end)

  it("has no other way out: UDP, other addresses, without a proxy #S091 #S108", function()
    local text = run([[
for family, kind, address in ((2, 1, ("192.0.2.1", 80)), (2, 2, ("192.0.2.1", 53)),
                              (10, 1, ("2001:db8::1", 443)), (2, 1, ("169.254.169.254", 80))):
    print(outcome(lambda: socket.socket(family, kind).connect(address)))
quic = socket.socket(2, 2)
quic.connect((socket.gethostbyname("good.example"), 443))
quic.send(b"x")
quic.settimeout(5)
print(outcome(lambda: quic.recv(1)))]])
    assert.equal(("OSError\n"):rep(4) .. "ConnectionRefusedError\n", text)
  end)

  it("lets the server speak first, and each side end alone", function()
    local text = run([[
peer = connect("good.example", %d)
print(peer.recv(6).decode().strip())
block = bytes(range(256)) * 4096
import threading
def send():
    for _ in range(8):
        peer.sendall(block)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
total = b""
while True:
    data = peer.recv(1 << 18)
    if not data:
        break
    total += data
print(total == block * 8)
peer = connect("good.example", %d)
peer.shutdown(socket.SHUT_WR)
print(peer.makefile("rb").read())]], earth.echo, earth.echo)
    assert.equal("hello\nTrue\nb'hello\\n'\n", text)
  end)

  it("compares the server name of TLS with the name that was asked for #S102", function()
    local text, execution = run([[
def hello(name, pieces):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    data = outgoing.read()
    peer = connect("good.example", %d)
    for at in range(0, len(data), pieces):
        peer.sendall(data[at:at + pieces])
        if pieces < 100:
            time.sleep(0.0005)
    def answer():
        said = peer.recv(100)
        return "alert" if said[:1] == b"\x15" else "passed" if b"first 22" in said else said
    print(outcome(answer))
hello("good.example", 5000)
hello("GOOD.example", 7)
hello("evil.example", 5000)
hello("evil.example", 7)]], earth.quiet)
    assert.equal("passed\npassed\nalert\nalert\n", text)
    assert.truthy(execution.refused[1].why:find("evil.example", 1, true))
  end)

  it("compares the Host of plain HTTP, and refuses what can be read in two ways #S102 #S105",
    function()
      local text = run([[
def send(text):
    peer = connect("good.example", %d)
    peer.sendall(text.replace("\n", "\r\n").replace("|", "\n").encode())
    print(outcome(lambda: peer.recv(300).decode().split("\r\n")[0][:16]))
send("GET / HTTP/1.1\nHost: good.example\n\n")
send("GET / HTTP/1.1\nHost: good.example:%d\n\n")
send("GET / HTTP/1.1\nHost: evil.example\n\n")
send("GET / HTTP/1.1\nHost: good.example\nHost: evil.example\n\n")
send("GET http://evil.example/ HTTP/1.1\nHost: good.example\n\n")
send("GET / HTTP/1.1\n\n")
send("GET / HTTP/1.1\nHost : good.example\n\n")
send("GET / HTTP/1.1\nX: 1\n folded\nHost: good.example\n\n")
send("GET / HTTP/1.1|Host: good.example\n\n")
send("POST / HTTP/1.1\nHost: good.example\nContent-Length: 1\nTransfer-Encoding: chunked\n\n")
send("PRI * HTTP/2.0\n\nSM\n\n")]], earth.web, earth.web)
      assert.equal("HTTP/1.1 200 OK\nHTTP/1.1 200 OK\n" .. ("HTTP/1.1 403 goo\n"):rep(9), text)
    end)

  it("lets other protocols through on a port that is named", function()
    local text = run([[
for first in (b"GET key\r\n", b"\x00\x01\x02", b"HELO", b"EHLO x\r\n"):
    peer = connect("good.example", %d)
    peer.sendall(first)
    print(outcome(lambda: peer.recv(100).decode().strip()))]], earth.quiet)
    assert.equal("9 bytes, first 71\n3 bytes, first 0\n4 bytes, first 72\n8 bytes, first 69\n",
      text)
  end)

  it("takes no name that a resolver or a client might read as another one #S098 #S099", function()
    local text = run([[
import struct
def query(wire, kind=1):
    asked = socket.socket(2, 2)
    asked.settimeout(5)
    asked.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + wire
                 + struct.pack(">HH", kind, 1), ("127.0.0.1", 53))
    answer = asked.recv(600)
    return "%%d %%d" %% (answer[3] & 15, struct.unpack(">H", answer[6:8])[0])
def wire(*labels):
    return b"".join(bytes([len(l)]) + l for l in labels) + b"\x00"
print(query(wire(b"good", b"example")), query(wire(b"GoOd", b"eXAMPLE")))
print(query(wire(b"good", b"example"), 28), query(wire(b"good", b"example"), 16))
for labels in ((b"good.example",), (b"good", b"example\x00"), (b"go od", b"example"),
               (b"127", b"1"), (b"2130706433",), (b"0x7f", b"1"), (b"good", b"ex\xc3\xa4mple"),
               (b"x" * 63,) * 4):
    print(outcome(lambda: query(wire(*labels))))
print(outcome(lambda: query(b"\xc0\x0c")), outcome(lambda: query(b"\x40abc\x00")))]])
    assert.equal("0 1 0 1\n0 0 0 0\n" .. ("3 0\n"):rep(7) .. "1 0\n1 0 1 0\n", text)
  end)

  it("serves programs that know of no proxy: node's fetch and its own resolver", function()
    local code = ([[
const dns = require("dns");
fetch("http://good.example:%d/node").then(r => r.text()).then(async text => {
  console.log(text);
  console.log((await dns.promises.resolve4("good.example"))[0].slice(0, 7));
  try { await fetch("http://evil.example/"); } catch (error) { console.log(error.cause.code); }
});]]):format(earth.web)
    local result = codecell.assert(sandbox.commands:run("node -e '" .. code .. "'"))
    if result.exit_code == 127 or result.stderr:find("fetch is not", 1, true) then
      return pending "node with fetch is not installed"
    end
    assert.equal("GET /node 0\n198.18.\nENOTFOUND\n", result.stdout, result.stderr)
  end)

  it("lets TLS pass unopened: the client checks the server's certificate itself", function()
    local folder = shell.folder()
    local made = shell.run(("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "
      .. "/CN=good.example -addext subjectAltName=DNS:good.example -keyout %s/key -out %s/cert")
      :format(folder, folder))
    if made.status ~= 0 then
      shell.remove(folder)
      return pending "openssl is not installed"
    end
    local port, finish = outside.server(([[
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("%s/cert", "%s/key")
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
for _ in range(2):
    peer, _ = server.accept()
    try:
        peer = context.wrap_socket(peer, server_side=True)
        peer.recv(4096)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        peer.close()
    except (ssl.SSLError, OSError):
        pass]]):format(folder, folder))
    local box = codecell.assert(codecell.create({ network = { allow = {
      "good.example:" .. port, "127.0.0.1:" .. port } } }))
    codecell.assert(box.files:upload(folder .. "/cert", "cert"))
    local execution = codecell.assert(box:run_code(DIRECT .. ([[
url = "https://good.example:%d/"
trusting = ssl.create_default_context(cafile="cert")
print(urllib.request.urlopen(url, context=trusting).read().decode())
get(url)]]):format(port)))
    assert.is_nil(execution.error, execution.error and execution.error.traceback)
    assert.equal("secret\nSSLCertVerificationError\n", table.concat(execution.logs.stdout))
    box:close()
    finish()
    shell.remove(folder)
  end)

  it("counts what goes through", function()
    local before = sandbox:get_metrics().network
    run([[print(len(urllib.request.urlopen("http://good.example:%d/big").read()))]], earth.web)
    local after = sandbox:get_metrics().network
    assert.is_true(after.received - before.received >= 16 * 1024 * 1024)
    assert.is_true(after.sent > before.sent)
    assert.equal(before.connections + 1, after.connections)
  end)

  it("lets many connections wait for their turn, and serves all #S109", function()
    local text = run([[
import asyncio
async def one(number):
    reader, writer = await asyncio.open_connection("good.example", %d)
    await reader.readline()
    writer.write(b"%%d\n" %% number)
    line = await reader.readline()
    writer.close()
    return line == b"%%d\n" %% number
async def main():
    print(sum(await asyncio.gather(*(one(n) for n in range(400)))))
await main()]], earth.echo)
    assert.equal("400\n", text)
  end)
end)

describe("the ports of HTTP and TLS", function()
  local earth = world.new(setup, teardown)

  -- What comes to 80 and 443 of this machine's loopback; nil where they cannot be had.
  local function servers()
    local port, finish, printed = outside.server([[
import socket, threading
try:
    servers = [socket.create_server(("127.0.0.1", port)) for port in (80, 443)]
except OSError:
    print("none", flush=True)
    raise SystemExit
print(1, flush=True)
def serve(server):
    while True:
        peer, _ = server.accept()
        data = peer.recv(4096)
        if data == b"stop":
            break
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.close()
threads = [threading.Thread(target=serve, args=(server,)) for server in servers]
for thread in threads:
    thread.start()
]])
    return port == 1 and finish or nil, printed
  end

  it("take HTTP and TLS for their name, and nothing else #S101 #S102", function()
    local finish = servers()
    if not finish then
      return pending "ports 80 and 443 of the loopback cannot be had here"
    end
    local sandbox = codecell.assert(codecell.create({
      network = { allow = { "good.example", "127.0.0.1" } } }))
    local execution = codecell.assert(sandbox:run_code(DIRECT .. [[
get("http://good.example/")
def send(port, data):
    peer = connect("good.example", port)
    peer.sendall(data)
    def answer():
        said = peer.recv(200)
        return {b"H": said[:12], b"\x15": "alert"}.get(said[:1], said)
    print(outcome(answer))
def hello(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    context.check_hostname = False
    try:
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
send(80, b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
send(80, b"SSH-2.0-x\r\n")
send(443, hello("good.example"))
send(443, hello("evil.example"))
send(443, hello(None))
send(443, b"GET / HTTP/1.1\r\nHost: good.example\r\n\r\n")
send(443, b"SSH-2.0-x\r\n")
print(outcome(lambda: connect("127.0.0.1", 80).recv(1)))]]))
    assert.is_nil(execution.error, execution.error and execution.error.traceback)
    assert.equal("ok\nb'HTTP/1.1 403'\nConnectionResetError\nb'HTTP/1.1 200'\nalert\nalert\n"
      .. "b'HTTP/1.1 403'\nConnectionResetError\nConnectionResetError\n",
      table.concat(execution.logs.stdout))
    sandbox:close()
    outside.python([[
import socket
for port in (80, 443):
    socket.create_connection(("127.0.0.1", port)).sendall(b"stop")]])
    finish()
    assert.truthy(earth.names)
  end)
end)
