-- What a sandbox without a network says of what it was refused.
local codecell = require "codecell"

describe("network = \"none\" #user", function()
  local events, sandbox

  setup(function()
    events = {}
    sandbox = codecell.assert(codecell.create({ on_event = function(event)
      events[#events + 1] = event
    end }))
  end)

  teardown(function()
    sandbox:close()
  end)

  local function run(code, language)
    return codecell.assert(sandbox:run_code(code, { language = language }))
  end

  it("says what was refused, and what would allow it #H12 #I14", function()
    local execution = run([[
import urllib.request
urllib.request.urlopen("https://api.example.com/data")]])
    assert.equal("URLError", execution.error.name)
    assert.equal(1, #execution.refused)
    assert.equal('api.example.com:443 refused: network is none; allow it with '
      .. 'network = {allow = {"api.example.com"}}', execution.refused[1].message)
    assert.equal("network is none", execution.refused[1].why)
    assert.equal("api.example.com", events[1].what)
    assert.equal("refused", events[1].type)
    assert.same({}, run("1").refused)
  end)

  it("knows it from the question for the name, not from what the code says of it", function()
    local execution = run([[
import socket
for host, port in (("db.example", 5432), ("www.example", 80)):
    try:
        socket.create_connection((host, port))
    except OSError:
        pass
print("nothing wrong")
for name in ("localhost", "x.localhost"):
    print(socket.gethostbyname(name))]])
    assert.equal("nothing wrong\n127.0.0.1\n127.0.0.1\n", table.concat(execution.logs.stdout))
    assert.equal(2, #execution.refused)
    assert.equal('network = {allow = {"db.example:5432"}}', execution.refused[1].allow)
    assert.equal('network = {allow = {"www.example"}}', execution.refused[2].allow)
    assert.equal("other.example:443",
      run('echo "$(getent hosts other.example)" # https://other.example/', "bash").refused[1].what)
  end)

  it("looks for the port of a name in so much of the code, and no more", function()
    local code = "import socket\ntry:\n    socket.gethostbyname('far.' + 'example')\n"
      .. "except OSError:\n    pass\n%s# https://far.example/\n"
    assert.equal("far.example:443", run(code:format("")).refused[1].what)
    assert.equal("far.example", run(code:format(("#\n"):rep(40000))).refused[1].what)
  end)

  it("says it of an address too, which its own kernel refuses #S091 #H12", function()
    local execution = run("import socket\nsocket.create_connection(('192.0.2.1', 80))")
    assert.equal("OSError", execution.error.name)
    assert.equal("[Errno 101] Network is unreachable", execution.error.value)
    assert.equal('192.0.2.1:80 refused: network is none; allow it with '
      .. 'network = {allow = {"192.0.2.1"}}', execution.refused[1].message)
    execution = run([[
import socket
socket.create_connection((".".join(["192", "0", "2", "1"]), 8080))]])
    assert.equal("an address refused: network is none", execution.refused[1].message)
    assert.is_nil(execution.refused[1].allow)
  end)

  it("answers any number of names and any bytes, and tells so many #S109", function()
    local execution = run([[
import os, random, socket
asked = socket.socket(2, 2)
asked.connect(("127.0.0.1", 53))
for i in range(3000):
    asked.send(os.urandom(random.randrange(0, 700)))
for i in range(300):
    try:
        socket.gethostbyname("n%d.example" % i)
    except OSError:
        pass
flood = socket.socket(2, 2)
wire = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x06%06d\x00\x00\x01\x00\x01"
for i in range(20000):
    flood.sendto(wire % i, ("127.0.0.1", 53))
print("done")]])
    assert.equal("done\n", table.concat(execution.logs.stdout))
    -- How many depends on when the host looks: the engine keeps 64 until then, an execution tells
    -- 100 at most.
    assert.truthy(#execution.refused >= 1 and #execution.refused <= 100, #execution.refused)
    assert.truthy(execution.refused[1].what:find("example", 1, true))
    assert.equal("2", run("1 + 1").results[1].text)
    assert.is_truthy(sandbox.files:list("."))
  end)
end)
