-- The proxy of a sandbox with a network, one that is open, and policies that are none.
local codecell = require "codecell"
local attack = require "spec.support.attack"
local inside = require "spec.support.inside"
local world = require "spec.support.world"

local runner = inside.runner

describe("the proxy of a sandbox #user", function()
  local earth = world.new(setup, teardown)
  local sandbox, run

  setup(function()
    sandbox = codecell.assert(codecell.create({ network = { allow = {
      "good.example:" .. earth.web, "good.example:" .. earth.echo, "127.0.0.1:" .. earth.web,
      "127.0.0.1:" .. earth.echo, "private.example:" .. earth.web, "good.example:" .. earth.quiet,
      "127.0.0.1:" .. earth.quiet } } }))
    run = runner(sandbox)
  end)

  teardown(function()
    sandbox:close()
  end)

  it("is named in the environment, and carries requests of every program #I14", function()
    local text = run([[
print(os.environ["HTTP_PROXY"] == os.environ["https_proxy"] == "http://127.0.0.1:1008")
get("http://good.example:%d/x?y=1")]], earth.web)
    assert.equal("True\nGET /x?y=1 0\n", text)
  end)

  it("sends on what the server expects: one request, no word for the proxy", function()
    local text = run([[
body = b"x" * 100000
head = ("POST http://good.example:%d/up HTTP/1.1\r\nHost: evil.example\r\n"
        "Proxy-Authorization: secret\r\nA:b\r\nConnection: keep-alive\r\n"
        "Content-Length: 100000\r\n\r\n").encode()
peer = socket.create_connection(("127.0.0.1", 1008))
peer.sendall(head + body)
print(peer.makefile("rb").read().split(b"\r\n\r\n")[1].decode())
print(proxy("GET http://good.example:%d/head HTTP/1.1\r\nHost: x\r\nProxy-X: y\r\nA:b\r\n\r\n", 9)
  .split("\r\n\r\n", 1)[1].replace("\r\n", "|"))]], earth.web, earth.web)
    assert.equal(("POST /up 100000\nGET /head HTTP/1.1|Host: good.example:%d|A: b"
      .. "|Connection: close||\n"):format(earth.web), text)
  end)

  it("says why it refuses, where programs show it #S107", function()
    local text, execution = run([[
get("http://evil.example/")
get("http://private.example:%d/")
print(outcome(lambda: urllib.request.urlopen("https://evil.example/")))]], earth.web)
    assert.equal("403 evil.example:80 refused: not in the allow list\n"
      .. "403 private.example:" .. earth.web .. " refused: it leads to 10.0.0.5, private\n"
      .. "URLError <urlopen error Tunnel connection failed: 403 evil.example:443 refused: "
      .. "not in the allow list>\n", text)
    assert.equal(3, #execution.refused)
    assert.equal('network = {allow = {"evil.example"}}', execution.refused[3].allow)
  end)

  it("opens tunnels, and none to other ports #S101", function()
    local text = run([[
peer = socket.create_connection(("127.0.0.1", 1008))
peer.sendall(b"CONNECT good.example:%d HTTP/1.1\r\nHost: x\r\n\r\n")
stream = peer.makefile("rb")
print(stream.readline().decode().strip(), stream.readline() == b"\r\n")
print(stream.readline().decode().strip())
peer.sendall(b"\x01back\n")
print(stream.readline())
for port in ("22", "25", "6379", "0", "65536", "443 ", "", "0443", "+443", "443/"):
    print(proxy("CONNECT good.example:%%s HTTP/1.1\r\nHost: x\r\n\r\n" %% port).split(" ")[1])]],
      earth.echo)
    assert.equal("HTTP/1.1 200 Connection established True\nhello\nb'\\x01back\\n'\n"
      .. ("403\n"):rep(3) .. ("400\n"):rep(7), text)
  end)

  it("takes a name in one form, and an address in one #S098 #S099", function()
    local text = run([[
hosts = ["good.example@evil.example", "evil.example#.good.example", "evil.example#@good.example",
  "good.example:%d@evil.example", "good..example", ".good.example", "good.example..",
  "good.ex\xc3\xa4mple", "good%%2eexample", "good.example\x00", "good\tx", "x" * 254,
  "[good.example]", "0x7f.1", "2130706433", "0177.0.0.1", "127.1", "[::ffff:7f00:1%%25lo]", "::1"]
for host in hosts:
    answer = proxy("CONNECT %%s:%d HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1]
    plain = proxy("GET http://%%s:%d/ HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1]
    if (answer, plain) != ("400", "400"):
        print(host, answer, plain)
for host in ("[::ffff:10.0.0.5]", "10.0.0.5", "[::1]", "localhost", "169.254.169.254",
             "xn--good-example", "_x.good.example", "127.0.0.2"):
    print(proxy("CONNECT %%s:%d HTTP/1.1\r\nHost: x\r\n\r\n" %% host).split(" ")[1])]],
      earth.web, earth.web, earth.web, earth.web)
    assert.equal(("403\n"):rep(8), text)
  end)

  it("reaches an address that the policy names", function()
    local text = run([[
print(proxy("GET http://127.0.0.1:%d/named HTTP/1.1\r\nHost: x\r\n\r\n", 9)[-12:])]], earth.web)
    assert.equal("GET /named 0\n", text)
  end)

  it("refuses what two readers might take for two requests #S105", function()
    local text = run([[
head = "GET http://good.example:%d/ HTTP/1.1\r\nHost: x\r\n"
for text in ("\r\n", "X: 1\n\r\n", " folded\r\n\r\n", "X : 1\r\n\r\n", "Host: y\r\n\r\n",
             "X: a\x00b\r\n\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
             "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", "Upgrade: h2c\r\n\r\n"):
    print(proxy(head + text).split(" ")[1])
print(proxy("GET / HTTP/1.1\r\nHost: good.example\r\n\r\n").split(" ")[1])
print(proxy("GET https://good.example/ HTTP/1.1\r\nHost: x\r\n\r\n").split(" ")[1])]], earth.web)
    assert.equal("200\n" .. ("400\n"):rep(10), text)
  end)

  it("sends one request a connection, whatever comes after it #S105", function()
    local text = run([[
text = ("GET http://good.example:%d/1 HTTP/1.1\r\nHost: x\r\n\r\n"
        "GET http://good.example:%d/2 HTTP/1.1\r\nHost: evil\r\n\r\n")
print(proxy(text, 9).count("HTTP/1.1 200"))]], earth.web, earth.web)
    assert.equal("1\n", text)
  end)

  it("compares the server name in a tunnel as well #S102", function()
    local text, execution = run([[
import ssl
def hello(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        ssl.create_default_context().wrap_bio(incoming, outgoing,
          server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    peer = socket.create_connection(("127.0.0.1", 1008))
    peer.sendall(b"CONNECT good.example:%d HTTP/1.1\r\n\r\n" + outgoing.read())
    data = peer.makefile("rb").read().split(b"\r\n\r\n", 1)[1]
    print(data[:1] == b"\x15" or data.split(b",")[1])
hello("good.example")
hello("evil.example")]], earth.quiet)
    assert.equal("b' first 22\\n'\nTrue\n", text)
    assert.equal("good.example:" .. earth.quiet, execution.refused[1].what)
  end)

  it("speaks SOCKS 5, with the same decision", function()
    local text = run([[
import struct
def socks(request, greeting=b"\x05\x01\x00", pieces=1000):
    peer = socket.create_connection(("127.0.0.1", 1008), 20)
    data = greeting + request
    for at in range(0, len(data), pieces):
        peer.sendall(data[at:at + pieces])
    stream = peer.makefile("rb")
    method = stream.read(2)
    answer = stream.read(10)
    return peer, stream, answer[1] if len(answer) > 1 else method
def name(host, port, command=1):
    return b"\x05" + bytes([command]) + b"\x00\x03" + bytes([len(host)]) + host \
        + struct.pack(">H", port)
for pieces in (1000, 1):
    peer, stream, answer = socks(name(b"good.example", %d), pieces=pieces)
    print(answer, stream.readline())
print(socks(b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack(">H", %d))[2])
print(socks(name(b"evil.example", 443))[2], socks(name(b"good.example", 22))[2])
print(socks(name(b"a\x00b", 443))[2], socks(name(b"127.1", 443))[2])
print(socks(name(b"good.example", 80, 2))[2], socks(name(b"good.example", 80, 3))[2])
print(outcome(lambda: socks(name(b"good.example", 80), b"\x05\x01\x02")[2]))
print(outcome(lambda: socks(name(b"good.example", 80), b"\x04\x01\x00")[2]))]],
      earth.echo, earth.echo)
    assert.truthy(text:find("^0 b'hello\\n'\n0 b'hello\\n'\n0\n2 2\n2 2\n7 7\n"), text)
  end)

  it("reads a head of some size, for some time, and no more #S109", function()
    local text = run([[
print(outcome(lambda: proxy("GET http://good.example:%d/ HTTP/1.1\r\n" + "X: y\r\n" * 100000)[:12]))
print(outcome(lambda: proxy("x" * 100000)[:12]))
idle = [socket.create_connection(("127.0.0.1", 1008)) for _ in range(100)]
get("http://good.example:%d/still")]], earth.web, earth.web)
    assert.truthy(text:find("GET /still 0\n$"), text)
    assert.falsy(text:find("200", 1, true))
  end)
end)

describe("network = \"open\" #user", function()
  local earth = world.new(setup, teardown)

  it("reaches every name, and no address that is nobody's business #E12 #S095", function()
    local sandbox = codecell.assert(codecell.create({ network = "open" }))
    local text, execution = runner(sandbox)([[
import struct
for name in ("private.example", "metadata.example", "loop.example"):
    get("http://%%s/" %% name)
for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]
for address in ("10.0.0.5", "169.254.169.254", "192.168.1.1", "[fd00:ec2::254]",
                "[64:ff9b::a00:5]", "[::ffff:10.0.0.5]"):
    get("http://%%s/" %% address)
wire = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x06public\x07example\x00\x00\x01\x00\x01"
for server in ("127.0.0.1", "8.8.8.8", "192.0.2.53"):
    asked = socket.socket(2, 2)
    asked.settimeout(10)
    asked.connect((server, 53))
    asked.send(wire)
    print(socket.inet_ntoa(asked.recv(600)[-4:]).startswith("198.18."))
print(outcome(lambda: socket.create_connection(("192.0.2.1", 8080), 5)).split()[0])
own = socket.create_server(("0.0.0.0", 8099))
peer = socket.create_connection(("127.0.0.1", 8099))
print(own.accept()[0].getpeername()[0])]], earth.web)
    assert.equal("403 private.example:80 refused: it leads to 10.0.0.5, private\n"
      .. "403 metadata.example:80 refused: it leads to 169.254.169.254, metadata\n"
      .. "403 loop.example:80 refused: it leads to 127.0.0.2, loopback\n",
      text:match("^.-\n.-\n.-\n"))
    assert.equal(6, select(2, text:gsub("\n403 %S+ refused: it is %S+, %S+", "")))
    assert.equal("metadata.example:80 refused: it leads to a metadata address: "
      .. "169.254.169.254, metadata", execution.refused[2].message)
    assert.equal("10.0.0.5:80 refused: it is an address that must be named: 10.0.0.5, private; "
      .. 'allow it with network = {allow = {"10.0.0.5"}}', execution.refused[4].message)
    assert.is_nil(execution.refused[5].allow)
    assert.truthy(text:find("True\nTrue\nTrue\nConnectionRefusedError\n127.0.0.1\n$"), text)
    assert.is_true(#execution.refused >= 8)
    assert.equal("open", sandbox:get_info().network)
    sandbox:close()
  end)
end)

describe("a network policy", function()
  local function refused(network)
    local ok, problem = pcall(function()
      return (codecell.create({ network = network }))
    end)
    assert.is_false(ok)
    return tostring(problem)
  end

  it("is checked entry by entry, and blames the caller #S100", function()
    for _, entry in ipairs { "*", "*.com", "", "a b", "good.example:0", "good.example:65536",
      "good.example:", "a*b.example", "*.*.example.com", "x.*.example", "127.1", "0x7f.1",
      "2130706433", "good..example", "b\195\164r.example", "0.0.0.0/0", "10.0.0.0/33",
      "[::1", "https://good.example", "good.example/x", ("x"):rep(64) .. ".example" } do
      local problem = refused({ allow = { entry } })
      assert.truthy(problem:find("create: network: ", 1, true), entry .. ": " .. problem)
      assert.truthy(problem:find("proxy_spec", 1, true), problem)
    end
  end)

  it("names the keys that there are", function()
    assert.truthy(refused({ alow = {} }):find('did you mean "allow"', 1, true))
    assert.truthy(refused("opened"):find("one of none, open", 1, true))
  end)

  it("needs c-ares, and says so where it is missing", function()
    local loaded = package.loaded["codecell.names"]
    package.loaded["codecell.names"] = nil
    package.preload["codecell.names"] = function()
      error("libcares.so.2: cannot open shared object file")
    end
    local sandbox, err = codecell.create({ network = "open" })
    package.preload["codecell.names"] = nil
    package.loaded["codecell.names"] = loaded
    assert.is_nil(sandbox)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.hint:find("install c-ares", 1, true))
  end)

  it("has what on_event raises raised by the next step", function()
    local sandbox = codecell.assert(codecell.create({ network = { allow = {} },
      on_event = function(event)
        error("no " .. event.what, 0)
      end }))
    local raised = {}
    local task = codecell.async(function()
      return sandbox.commands:run("getent ahostsv4 x.example")
    end)
    while task:poll() == false do
      local ok, problem = pcall(codecell.step, 1)
      raised[#raised + 1] = not ok and problem or nil
    end
    assert.equal("no x.example", raised[1])
    sandbox:close()
  end)

  it("has a bound for the ports that it names", function()
    local allow = {}
    for port = 1, 63 do
      allow[port] = "good.example:" .. 2000 + port
    end
    assert.truthy(refused({ allow = allow }):find("at most 62 ports", 1, true))
  end)

  it("leaves no descriptor of a network behind", function()
    attack.within(function() end, { network = { allow = { "good.example:8443" } } })
    local before = attack.descriptors()
    for _ = 1, 3 do
      attack.within(function(sandbox)
        sandbox:run_code("import urllib.request; urllib.request.urlopen('http://x.example')")
      end, { network = { allow = { "good.example:8443" } } })
    end
    assert.is_true(attack.descriptors_fall_to(before))
  end)
end)
