-- Attacks on the host through the network that it gives to a sandbox.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local inside = require "spec.support.inside"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"
local world = require "spec.support.world"

describe("a hostile user of a network #user", function()
  local earth = world.new(setup, teardown)
  local sandbox, run

  local function allow()
    local list = { "*.wild.example" }
    for _, name in ipairs({ "good.example", "flip.example", "127.0.0.1" }) do
      for _, port in ipairs({ earth.web, earth.echo, earth.quiet }) do
        list[#list + 1] = name .. ":" .. port
      end
    end
    return { allow = list }
  end

  setup(function()
    sandbox = codecell.assert(codecell.create({ network = allow() }))
    run = inside.runner(sandbox)
  end)

  teardown(function()
    sandbox:close()
  end)

  it("gets the same answer by a relay, another process or a copied header #S107", function()
    local text = run([[
import subprocess, sys, threading
relay = socket.create_server(("127.0.0.1", 8010))
def serve():
    while True:
        peer, _ = relay.accept()
        far = socket.create_connection(("127.0.0.1", 1008))
        def copy(one, other):
            try:
                while data := one.recv(65536):
                    other.sendall(data)
            except OSError:
                pass # the other thread has closed it
            finally:
                other.close()
        threading.Thread(target=copy, args=(peer, far), daemon=True).start()
        threading.Thread(target=copy, args=(far, peer), daemon=True).start()
threading.Thread(target=serve, daemon=True).start()
program = '''
import socket, sys
peer = socket.create_connection(("127.0.0.1", 8010))
peer.sendall(sys.argv[1].encode())
print(peer.makefile("rb").readline()[9:].decode().strip())'''
def ask(text):
    print(subprocess.run([sys.executable, "-c", program, text], capture_output=True,
                         text=True).stdout.strip())
for extra in ("", "X-Forwarded-Host: good.example\r\n", "X-Real-IP: 127.0.0.1\r\n",
              "Proxy-Authorization: Basic eDp4\r\n"):
    ask("GET http://evil.example/ HTTP/1.1\r\nHost: good.example\r\n" + extra + "\r\n")
ask("CONNECT evil.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n")
ask("GET http://good.example:%d/x HTTP/1.1\r\nHost: x\r\n\r\n")]], earth.web)
    assert.equal(("403 evil.example:80 refused: not in the allow list\n"):rep(4)
      .. "403 evil.example:443 refused: not in the allow list\n200 OK\n", text)
  end)

  it("reaches nothing of the host through the proxy either #S092 #S095 #S096 #S098", function()
    local text = run([[
for host in ("127.0.0.1", "localhost", "127.8.8.8", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]",
             "[::ffff:7f00:1]", "169.254.169.254", "100.100.100.200", "[fd00:ec2::254]",
             "metadata.google.internal", "10.0.0.1", "192.168.0.1", "172.16.0.1", "224.0.0.1",
             "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]",
             "198.18.0.1", "198.19.255.255"):
    print(proxy("GET http://%%s:80/ HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1],
          proxy("CONNECT %%s:443 HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1])
for host in ("0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::1%%25lo]", "a@127.0.0.1",
             "good.example:80@127.0.0.1", "good.example%%2f", "[good.example]", "good..example"):
    print(proxy("CONNECT %%s:443 HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1])]])
    assert.equal(("403 403\n"):rep(21) .. ("400\n"):rep(10), text)
  end)

  it("leads to its own sandbox's policy only, whoever else has another #S111", function()
    local other = codecell.assert(codecell.create({ network = { allow = { "other.example:"
      .. earth.web, "127.0.0.1:" .. earth.web } } }))
    local ask = ("get('http://good.example:%d/')\nget('http://other.example:%d/')")
      :format(earth.web, earth.web)
    assert.truthy(run(ask):find("^GET / 0\n403 other.example"))
    assert.truthy(inside.runner(other)(ask):find("^403 good.example.*\nGET / 0\n$"))
    -- An address that the one has given to a name is nobody's in the other.
    local address = run([[
for name in ("a.wild.example", "b.wild.example", "c.wild.example", "a.b.wild.example"):
    found = outcome(lambda: socket.gethostbyname(name))
print(found)]]):match("%S+")
    assert.truthy(address:find("^198%.18%."))
    local text = inside.runner(other)([[
print(proxy("GET http://%s:%d/ HTTP/1.1\r\nHost: x\r\n\r\n").split(" ")[1])]], address, earth.web)
    assert.equal("403\n", text)
    other:close()
  end)

  it("keeps nobody waiting: the host's loop and other sandboxes go on #S109", function()
    local before = attack.descriptors()
    local other = codecell.assert(codecell.create({ network = allow() }))
    local flood = codecell.assert(sandbox.commands:run({ "python3", "-c", ([[
import os, resource, socket, sys, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))
for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]
on = True
def proxies():
    kept = []
    while on:
        try:
            peer = socket.socket()
            peer.setblocking(False)
            peer.connect_ex(("127.0.0.1", 1008))
            kept.append(peer)
        except OSError:
            kept.clear()
def heads():
    while on:
        try:
            peer = socket.create_connection(("127.0.0.1", 1008), 1)
            peer.sendall(b"GET http://good.example:%d/ HTTP/1.1\r\n" + b"X: y\r\n" * 5000)
        except OSError:
            pass
def names():
    asked = socket.socket(2, 2)
    wire = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x06%%06d\x00\x00\x01\x00\x01"
    i = 0
    while on:
        i += 1
        asked.sendto(wire %% i, ("127.0.0.1", 53))
def big():
    while on:
        try:
            peer = socket.create_connection(("good.example", %d), 1)
            peer.recv(6)
            block = bytes(1 << 20)
            while on:
                peer.sendall(block)
                peer.recv(1 << 20)
        except OSError:
            pass
threads = [threading.Thread(target=f) for f in (proxies, heads, names, big, big)]
for thread in threads:
    thread.start()
print("on", flush=True)
sys.stdin.read()
on = False
for thread in threads:
    thread.join()]]):format(earth.web, earth.echo) }, { background = true, stdin = true }))
    assert.equal("on\n", flood:read(60))
    for _ = 1, 10 do
      local text = inside.runner(other)([[get("http://good.example:%d/quick")]], earth.web)
      assert.equal("GET /quick 0\n", text)
    end
    assert.is_false(flood:try_wait())
    flood:close_input()
    flood:wait()
    other:close()
    assert.equal("GET /after 0\n", run([[
get("http://good.example:%d/after")]], earth.web))
    assert.is_true(attack.descriptors_fall_to(before))
  end)

  it("leaves no connection behind, however it ends it #S109", function()
    run([[get("http://good.example:%d/x")]], earth.web)
    wait_until(function() return sandbox:get_metrics().network.open == 0 end)
    local before = attack.descriptors()
    run([[
def one(port, end):
    peer = socket.create_connection(("good.example", port), 20)
    end(peer)
    return peer
def reset(peer):
    peer.sendall(b"y")
    peer.recv(1, socket.MSG_PEEK) # what is not read makes it a reset
    peer.close()
def half(peer):
    peer.sendall(b"x")
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
    peer.close()
for port in (%d, %d):
    for end in (reset, half, socket.socket.close,
                lambda peer: (peer.shutdown(socket.SHUT_RD), peer.close())):
        for _ in range(20):
            one(port, end)
for head in (b"", b"GET ", b"CONNECT good.example:%d HTTP/1.1\r\n\r\n", b"\x05", b"\x05\x01\x00",
             b"GET http://evil.example/ HTTP/1.1\r\n\r\n"):
    for end in (socket.socket.close, lambda peer: (peer.shutdown(socket.SHUT_WR), peer.close())):
        for _ in range(10):
            peer = socket.create_connection(("127.0.0.1", 1008), 20)
            peer.sendall(head)
            end(peer)]], earth.echo, earth.quiet, earth.echo)
    assert.is_true(attack.descriptors_fall_to(before))
    assert.equal(0, sandbox:get_metrics().network.open)
  end)

  it("leaves descriptors to the host for other things #S109", function()
    local folder = shell.folder()
    shell.write(folder .. "/host.lua", ([[
local codecell = require "codecell"
codecell.setup({ name_servers = { "127.0.0.1:%d" } })
local sandbox = codecell.assert(codecell.create({ network = {
  allow = { "good.example:%d", "127.0.0.1:%d" } } }))
local low = {}
for i = 1, 4 do
  low[i] = io.open("/dev/null")
end
local greedy = codecell.assert(sandbox.commands:run({ "python3", "-c", [=[
import socket
peers = []
for _ in range(200):
    peers.append(socket.create_connection(("good.example", %d), 20))
print("all", flush=True)
for peer in peers:
    peer.settimeout(0.5)
    try:
        peer.recv(6)
    except OSError:
        print("waits", flush=True)
        break
input()]=] }, { background = true, stdin = true }))
local said = ""
repeat
  said = said .. codecell.assert(greedy:read(20))
until said == "all\nwaits\n"
for i = 1, 4 do -- a low number that comes free is not the sign of room for many
  low[i]:close()
  greedy:read(0.3)
end
local other = codecell.assert(codecell.create())
print(codecell.assert(other:run_code("6 * 7")).text)
codecell.assert(greedy:write("\n"))
greedy:wait(20)
print(codecell.assert(sandbox:run_code("1 + 1")).text)
]]):format(earth.names, earth.echo, earth.echo, earth.echo))
    local result = shell.run(("ulimit -S -n 160; %s %s/host.lua"):format(shell.lua, folder))
    assert.equal("42\n2\n", result.stdout, result.stderr)
    shell.remove(folder)
  end)

  it("has as many names as it may, and those it knows go on #S109", function()
    local text = run([[
asked = socket.socket(2, 2)
asked.settimeout(20)
def code(name):
    labels = b"".join(bytes([len(l)]) + l for l in name.encode().split(b"."))
    asked.sendto(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01",
                 ("127.0.0.1", 53))
    return asked.recv(600)[3] & 15
counts = {}
for i in range(4300):
    found = code("n%%d.wild.example" %% i)
    counts[found] = counts.get(found, 0) + 1
print(sorted(counts), counts[3] > 4000, counts[2] > 100)
get("http://good.example:%d/still")]], earth.web)
    assert.equal("[2, 3] True True\nGET /still 0\n", text)
  end)
end)

describe("what cannot be kept from an allowed name", function()
  it("is said in the documentation: shared front ends and hidden server names #S103", function()
    local file = assert(io.open("docs/security.md"))
    local text = file:read("*a"):gsub("%s+", " ")
    file:close()
    for _, warning in ipairs({ "a name on a shared front end (a content delivery network) may "
      .. "serve others", "encrypted hello",
      "Whatever may be sent to an allowed name can carry data out",
      "no wildcard of a provider that gives names to everybody" }) do
      assert.truthy(text:find(warning, 1, true), warning)
    end
  end)
end)
