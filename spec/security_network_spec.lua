-- A sandbox without a network, and what of the host it could still reach.

local attack = require "spec.support.attack"

local set, outcomes, within = attack.set, attack.outcomes, attack.within

-- A listener on the host, and its port; it ends when the first visitor has come. `address` is
-- a Python expression.
local function listen(family, address)
  local program = ([[
import socket
server = socket.socket(%d)
server.bind(%s)
server.listen(64)
server.settimeout(60)
print(server.getsockname()[1] if server.family == 2 else "", flush=True)
visitor, _ = server.accept()
visitor.settimeout(10)
print("quiet" if visitor.recv(8) == b"host" else "reached")
]]):format(family, address)
  local listener = assert(io.popen("exec /usr/bin/python3 -c '" .. program .. "'"))
  return listener, listener:read("*l")
end

-- The host visits the listener, which says "quiet" if nobody was there before.
local function first_visitor(listener, family, address)
  attack.host(([[/usr/bin/python3 -c 'import socket
visitor = socket.socket(%d)
visitor.connect(%s)
visitor.send(b"host")' 2>&1]]):format(family, address))
  local text = listener:read("*a")
  listener:close()
  return text
end

describe("network none #once", function()
  it("has no way out, by any protocol #S091 #I04", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for address in ("192.0.2.1", "10.0.0.1", "169.254.169.254", "255.255.255.255"):
    report("tcp:" + address, attempt(lambda: socket.create_connection((address, 80), 2)))
    report("udp:" + address, attempt(lambda: socket.socket(2, 2).connect((address, 53))))
report("tcp6", attempt(lambda: socket.create_connection(("2001:db8::1", 80), 2)))
report("udp6", attempt(lambda: socket.socket(10, 2).connect(("2001:db8::1", 53))))
fast = socket.socket()
report("fastopen", attempt(lambda: fast.sendto(b"x", 0x20000000, ("192.0.2.1", 80))))
report("sctp", attempt(lambda: socket.socket(2, 1, 132)))
for kind, protocol in ((3, 1), (3, 6), (3, 255)):
    report("raw%d" % protocol, attempt(lambda: socket.socket(2, kind, protocol)))
    report("raw6%d" % protocol, attempt(lambda: socket.socket(10, kind, protocol)))
report("packet", attempt(lambda: socket.socket(17, 3, 0x300)))
report("vsock", attempt(lambda: socket.socket(40, 1)))
report("ping", attempt(lambda: socket.socket(2, 2, 1).connect(("192.0.2.1", 0))))
report("mptcp", attempt(lambda: socket.socket(2, 1, 262).connect(("192.0.2.1", 80))))
report("interfaces", ",".join(name for _, name in socket.if_nameindex()))
]])
      assert.equal("lo", found.interfaces)
      found.interfaces = nil
      assert.is_nil(attack.unexpected(found, set("ENETUNREACH", "EACCES", "EPROTONOSUPPORT",
        "ENOPROTOOPT", "EPERM", "EADDRNOTAVAIL", "EAFNOSUPPORT")))
    end)
  end)

  it("answers names at once instead of hanging", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
start = time.time()
try:
    socket.getaddrinfo("example.com", 80)
except socket.gaierror as error:
    print("gaierror", time.time() - start < 20)
]])
      assert.equal("gaierror True\n", result.stdout)
    end)
  end)

  it("does not reach services of the host on loopback #S092 #I04", function()
    local listener, port = listen(2, '("0.0.0.0", 0)')
    within(function(sandbox)
      local found = outcomes(sandbox, ([[
for address in ("127.0.0.1", "127.8.8.8", "0.0.0.0", "::1", "::ffff:127.0.0.1"):
    report(address, attempt(lambda: socket.create_connection((address, %s), 2)))
]]):format(port))
      assert.is_nil(attack.unexpected(found, set("ECONNREFUSED", "ENETUNREACH", "EADDRNOTAVAIL")))
    end)
    assert.equal("quiet\n", first_visitor(listener, 2, ('("127.0.0.1", %s)'):format(port)))
  end)

  it("does not reach abstract sockets of the host #S093", function()
    local path = os.tmpname()
    os.remove(path)
    local address = '"\\0codecell-attack-' .. path:match("[^/]+$") .. '"'
    local listener = listen(1, address)
    within(function(sandbox)
      local found = outcomes(sandbox, ([[
report("connect", attempt(lambda: socket.socket(1).connect(%s)))
]]):format(address))
      assert.is_nil(attack.unexpected(found, set("ECONNREFUSED", "EPERM")))
    end)
    assert.equal("quiet\n", first_visitor(listener, 1, address))
  end)

  it("sees no service socket by path #S094", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for top, folders, files in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(top, f) not in ("/proc", "/usr")]
    for name in files:
        if stat.S_ISSOCK(os.lstat(os.path.join(top, name)).st_mode):
            report(os.path.join(top, name), "socket")
report("walked", "ok")
]])
      assert.same({ walked = "ok" }, found)
    end)
  end)

  it("has a loopback of its own that works", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
server = socket.create_server(("127.0.0.1", 8080))
client = socket.create_connection(("127.0.0.1", 8080))
peer, _ = server.accept()
client.sendall(b"hello")
print(peer.recv(5).decode())
]])
      assert.equal("hello\n", result.stdout)
    end)
  end)
end)
