-- Ports of a sandbox, as programs of the host reach them.
local codecell = require "codecell"
local attack = require "spec.support.attack"
local one_sandbox = require "spec.support.one_sandbox"
local outside = require "spec.support.outside"

describe("sandbox:get_host #user", function()
  local sandbox = one_sandbox(teardown)

  -- A server inside on that port; its program is Python.
  local function serve(port, program)
    local process = codecell.assert(sandbox().commands:run({ "python3", "-c", program },
      { background = true }))
    assert.is_true(codecell.assert(sandbox():wait_port(port, 30)))
    return process
  end

  local ECHO = [[
import asyncio
async def echo(reader, writer):
    while True:
        data = await reader.read(1 << 18)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", %d, backlog=256)
    await server.serve_forever()
asyncio.run(main())
]]

  it("is supported", function()
    assert.is_true(sandbox():supports("host"))
  end)

  it("gives an address of the loopback, the same each time", function()
    local host = codecell.assert(sandbox():get_host(8000))
    assert.truthy(host:find("^127%.0%.0%.1:%d+$"))
    assert.equal(host, sandbox():get_host(8000))
    assert.not_equal(host, sandbox():get_host(8001))
  end)

  it("serves web pages of a server inside #F23", function()
    local server = serve(8000, [[
import http.server, os
os.makedirs("/tmp/site")
os.chdir("/tmp/site")
open("index.html", "w").write("<title>inside</title>")
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), http.server.SimpleHTTPRequestHandler
  ).serve_forever()]])
    local text = outside.python(([[
import urllib.request
for _ in range(3):
    print(urllib.request.urlopen("http://%s/").read().decode())
]]):format(sandbox():get_host(8000)))
    assert.equal(("<title>inside</title>\n"):rep(3), text)
    server:close()
  end)

  it("lets a connection change its protocol, and end one way at a time", function()
    local server = serve(8002, [[
import socket
server = socket.create_server(("127.0.0.1", 8002))
while True:
    peer, _ = server.accept()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        more = peer.recv(1000)
        if not more:
            break
        head += more
    if b"Upgrade: echo" in head:
        peer.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n"
                     b"Connection: Upgrade\r\n\r\n")
        total = b""
        while True:
            data = peer.recv(1000)
            if not data:
                break
            total += data
            peer.sendall(data)
        peer.sendall(b"|after your end: %d" % len(total))
    peer.close()]])
    local text = outside.python(([[
import socket
host, port = "%s".split(":")
peer = socket.create_connection((host, int(port)))
peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    head += peer.recv(1000)
print(head.split(b"\r\n")[0].decode())
for word in (b"\x81\x05hello", b"\x00\xff" * 10):
    peer.sendall(word)
    got = b""
    while len(got) < len(word):
        got += peer.recv(1000)
    print(got == word)
peer.shutdown(socket.SHUT_WR)
rest = b""
while True:
    data = peer.recv(1000)
    if not data:
        break
    rest += data
print(rest.decode())
]]):format(sandbox():get_host(8002)))
    assert.equal("HTTP/1.1 101 Switching Protocols\nTrue\nTrue\n|after your end: 27\n", text)
    server:close()
  end)

  it("carries 100 MB both ways at once, byte for byte", function()
    local server = serve(8003, ECHO:format(8003))
    local text = outside.python(([[
import hashlib, socket, threading
host, port = "%s".split(":")
peer = socket.create_connection((host, int(port)))
block = bytes(range(256)) * 4096
def send():
    for _ in range(100):
        peer.sendall(block)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
total, got = 0, hashlib.sha256()
while True:
    data = peer.recv(1 << 18)
    if not data:
        break
    got.update(data)
    total += len(data)
wanted = hashlib.sha256()
for _ in range(100):
    wanted.update(block)
print(total, got.digest() == wanted.digest())
]]):format(sandbox():get_host(8003)))
    assert.equal("104857600 True\n", text)
    server:close()
  end)

  it("carries 200 connections at a time", function()
    local server = serve(8004, ECHO:format(8004))
    local text = outside.python(([[
import socket
host, port = "%s".split(":")
peers = [socket.create_connection((host, int(port)), 20) for _ in range(200)]
for number, peer in enumerate(peers):
    peer.sendall(b"%%d\n" %% number)
good = 0
for number, peer in enumerate(peers):
    good += peer.makefile("rb").readline() == b"%%d\n" %% number
print(good)
]]):format(sandbox():get_host(8004)))
    assert.equal("200\n", text)
    server:close()
  end)

  it("holds no more of what nobody reads than its buffers do", function()
    local server = serve(8005, [[
import socket
server = socket.create_server(("127.0.0.1", 8005))
server.accept() # the knock
peer, _ = server.accept()
peer.settimeout(3)
total = 0
try:
    while total < 1 << 30:
        total += peer.send(b"x" * 65536)
except TimeoutError:
    pass
print(total < 64 << 20)]])
    local finish = outside.start(([[
import socket, time
host, port = "%s".split(":")
peer = socket.create_connection((host, int(port)))
time.sleep(6)
]]):format(sandbox():get_host(8005)))
    local result = codecell.assert(server:wait(30))
    assert.equal("True\n", result.stdout)
    finish()
  end)

  it("resets who comes while nobody listens inside", function()
    local text = outside.python(([[
import socket
host, port = "%s".split(":")
peer = socket.create_connection((host, int(port)))
try:
    print(peer.recv(1))
except ConnectionResetError:
    print("reset")
]]):format(sandbox():get_host(9999)))
    assert.equal("reset\n", text)
  end)

  it("listens on the loopback alone, and leads to its own sandbox only #S111 #S112", function()
    local server = serve(8006, ECHO:format(8006))
    local other = codecell.assert(codecell.create())
    local host = sandbox():get_host(8006)
    local foreign = codecell.assert(other:get_host(8006))
    local text = outside.python(([[
import socket
for where in ("%s", "%s"):
    host, port = where.split(":")
    try:
        peer = socket.create_connection((host, int(port)))
        peer.sendall(b"whose")
        print(peer.recv(5).decode())
    except ConnectionResetError:
        print("reset")
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    probe.connect(("192.0.2.1", 9))
    own = probe.getsockname()[0]
except OSError:
    own = "127.0.0.2"
try:
    socket.create_connection((own, int("%s".split(":")[1])), 2)
    print("open")
except OSError:
    print("closed")
]]):format(host, foreign, host))
    assert.equal("whose\nreset\nclosed\n", text)
    other:close()
    server:close()
  end)

  it("ends with the sandbox, and leaves no descriptor open", function()
    local before = attack.descriptors()
    local box = codecell.assert(codecell.create())
    local host = codecell.assert(box:get_host(8000))
    box:close()
    local ok, problem = pcall(box.get_host, box, 8000)
    assert.is_false(ok)
    assert.truthy(tostring(problem):find("sandbox is closed", 1, true))
    local text = outside.python(([[
import socket
host, port = "%s".split(":")
try:
    socket.create_connection((host, int(port)), 2)
except ConnectionRefusedError:
    print("refused")
]]):format(host))
    assert.equal("refused\n", text)
    assert.is_true(attack.descriptors_fall_to(before))
  end)

  it("blames the caller for what is no port", function()
    for _, port in ipairs { 0, 65536, 1.5 } do
      assert.has_error(function()
        sandbox():get_host(port)
      end)
    end
  end)
end)
