-- Names, as code in a sandbox with a network asks for them.
local codecell = require "codecell"
local inside = require "spec.support.inside"
local outside = require "spec.support.outside"
local world = require "spec.support.world"

local STREAM = [[
import struct
def wire(name, kind=1):
    labels = b"".join(bytes([len(l)]) + l for l in name.encode().split(b"."))
    question = (b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\x00"
                + struct.pack(">HH", kind, 1))
    return struct.pack(">H", len(question)) + question
def caller():
    return socket.create_connection(("127.0.0.1", 53), 20)
def answer(peer):
    size = peer.recv(2, socket.MSG_WAITALL)
    if len(size) < 2:
        return "ended"
    data = peer.recv(struct.unpack(">H", size)[0], socket.MSG_WAITALL)
    return "%%d %%d" %% (data[3] & 15, struct.unpack(">H", data[6:8])[0])
]]

describe("names by connection #user", function()
  local earth = world.new(setup, teardown)
  local sandbox, run

  setup(function()
    sandbox = codecell.assert(codecell.create({ network = { allow = {
      "good.example", "other.example", "silent.example", "127.0.0.1" } } }))
    local bare = inside.runner(sandbox)
    run = function(code, ...)
      return bare(STREAM .. code, ...)
    end
  end)

  teardown(function()
    sandbox:close()
  end)

  it("are answered as by datagram", function()
    local text, execution = run([[
peer = caller()
for name in ("good.example", "evil.example", "GOOD.example", "localhost"):
    peer.sendall(wire(name))
    print(answer(peer))
peer.sendall(wire("good.example", 28))
print(answer(peer))]])
    assert.equal("0 1\n3 0\n0 1\n0 1\n0 0\n", text)
    assert.equal("evil.example", execution.refused[1].what)
  end)

  it("serve a C library that asks so alone", function()
    local result = codecell.assert(sandbox.commands:run(
      "RES_OPTIONS=use-vc getent ahostsv4 good.example; RES_OPTIONS=use-vc getent hosts x.example"))
    assert.truthy(result.stdout:find("^198%.18%.%d+%.%d+%s"))
    assert.equal(2, result.exit_code)
  end)

  it("come one after the other, in any pieces", function()
    local text = run([[
peer = caller()
peer.sendall(wire("good.example") * 3 + wire("evil.example"))
print([answer(peer) for _ in range(4)])
for byte in wire("other.example"):
    peer.sendall(bytes([byte]))
print(answer(peer))
peer.sendall(wire("good.example"))
peer.shutdown(socket.SHUT_WR)
print(answer(peer), answer(peer))]])
    assert.equal("['0 1', '0 1', '0 1', '3 0']\n0 1\n0 1 ended\n", text)
  end)

  it("are bounded: what is no question ends the connection, and few are open at a time #S109",
    function()
      local text = run([[
for hostile in (b"\xff\xff" + b"x" * 700, b"\x00\x00", b"\x00\x03abc",
                b"\x02\x59" + bytes(601)):
    peer = caller()
    peer.sendall(hostile)
    print(outcome(lambda: answer(peer)).split()[0])
idle = [caller() for _ in range(60)]
silent = caller()
for peer in idle:
    peer.close()
silent.sendall(wire("good.example"))
print(answer(silent))
flood = caller()
flood.setblocking(False)
sent = 0
try:
    while sent < 1 << 26:
        sent += flood.send(wire("good.example") * 100)
except OSError:
    pass
print(sent < 1 << 26, outcome(lambda: socket.gethostbyname("good.example"))[:6])]])
      assert.equal("ended\nended\nended\nended\n0 1\nTrue 198.18\n",
        (text:gsub("ConnectionResetError", "ended")))
    end)

  it("leave nothing behind when who asked has gone before the answer", function()
    local text = run([[
for _ in range(20):
    peer = caller()
    peer.sendall(wire("silent.example"))
    peer.close()
peer = caller()
peer.sendall(wire("good.example"))
print(answer(peer))]])
    assert.equal("0 1\n", text)
    assert.is_number(earth.names)
  end)
end)

describe("a name that has an IPv6 address alone #user", function()
  local earth = world.new(setup, teardown)

  it("is reached by programs that know of none, and by the address where it is named", function()
    local port, wait = outside.server([[
import socket
try:
    server = socket.create_server(("::1", 0), family=socket.AF_INET6)
except OSError:
    print("none", flush=True)
    raise SystemExit
print(server.getsockname()[1], flush=True)
for _ in range(2):
    peer, _ = server.accept()
    peer.sendall(b"six\n")
    peer.close()]])
    if not port then
      wait()
      return pending "this machine has no IPv6"
    end
    local sandbox = codecell.assert(codecell.create({ network = { allow = {
      "six.example:" .. port, "[::1]:" .. port } } }))
    local text = inside.runner(sandbox)([[
peer = socket.create_connection(("six.example", %d), 20)
print(peer.getpeername()[0][:7], peer.recv(4))
print(outcome(lambda: socket.getaddrinfo("six.example", 1, socket.AF_INET6))[:8])
print(proxy("CONNECT [::1]:%d HTTP/1.1\r\n\r\n", 9)[-4:].strip())]], port, port)
    assert.equal("198.18. b'six\\n'\ngaierror\nsix\n", text)
    sandbox:close()
    wait()
    assert.is_number(earth.names)
  end)
end)
