-- WebSockets to what listens in a sandbox, through `codecell serve`.
local authority = require "spec.support.authority"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local wait_until = require "spec.support.wait_until"
local web_socket = require "spec.support.web_socket"

local function start(is_secure)
  if is_secure then
    return authority.is_possible() and gateway.start_with_domain("sandbox.test")
  end
  return gateway.start()
end

for _, is_secure in ipairs { false, true } do
  describe(("WebSockets through codecell serve%s #C09 #M10 #user"):format(
    is_secure and ", by HTTPS" or ""), function()
    local server, record, to
    setup(function()
      server = start(is_secure)
      if not server then
        return
      end
      record = server:create({ network = { allowPublicTraffic = false,
        maskRequestHost = "localhost:${PORT}" } })
      server:ask("/files?path=server.py", { method = "POST", to = record,
        kind = "application/octet-stream", body = web_socket.server })
      local _, text = server:ask("/execute", { method = "POST", to = record, port = 49999,
        headers = { "E2B-Traffic-Access-Token: " .. record.trafficAccessToken },
        body = { code = "import subprocess\none = subprocess.Popen(['python3', 'server.py'], "
          .. "stdout=subprocess.PIPE)\none.stdout.readline()" } })
      assert.matches("on", type(text) == "table" and json.encode(text) or text)
      to = { port = server.port, trust = server.trust and server.trust .. "/ca.pem" or "",
        host = ("8000-%s.%s"):format(record.sandboxID, server.domain or "localhost"),
        fields = "E2B-Traffic-Access-Token: " .. record.trafficAccessToken .. "\r\n" }
    end)
    teardown(function()
      if server then
        server:stop()
      end
    end)
    before_each(function()
      if not server then
        pending "openssl is not installed"
      end
    end)

    it("carry frames both ways, told the host that was asked for", function()
      assert.equal("/chat?a=b localhost:8000\nhello\n300000\nbye\nover\n", web_socket.client(to, [[
peer, said = open_socket()
print(said)
print(receive(peer)[1].decode())
send(peer, 2, b"x" * 300000, b"1234")
print(len(receive(peer)[1]))
send(peer, 8, b"bye", b"1234")
print(receive(peer)[1].decode())
print("over" if peer.recv(10) == b"" else "open")
]]))
    end)

    it("have a fast side wait for a slow one", function()
      assert.equal("waited, and all came\n", web_socket.client(to, [[
import select
peer, said = open_socket()
receive(peer)
peer.setblocking(False)
again = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
frame = b"\x82\xff" + struct.pack("!Q", 1 << 20) + b"\0\0\0\0" + b"x" * (1 << 20)
frames, heard, left, is_reading = 0, 0, memoryview(b""), False
# More than all buffers between the two take, then what is left of a frame.
while not is_reading or left or heard < frames * (10 + (1 << 20)):
    if not left and not is_reading:
        assert frames < 512
        frames, left = frames + 1, memoryview(frame)
    try:
        if left:
            left = left[peer.send(left[:65536]):]
    except again:
        is_reading = is_reading or not select.select([], [peer], [], 1)[1]
    try:
        if is_reading:
            data = peer.recv(65536)
            assert data
            heard += len(data)
    except again:
        select.select([peer], [peer] if left else [], [], 1)
print("waited, and all came")
]]))
    end)

    it("need the token of what is not public, and somebody who listens", function()
      assert.matches("^None HTTP/1.1 403 [^\n]*\nNone HTTP/1.1 502 [^\n]*\n$", web_socket.client(to,
        [[
print(*open_socket(fields=""))
HOST = HOST.replace("8000-", "8001-")
print(*open_socket())
]]))
    end)

    it("are refused as the server does it", function()
      local status, body = server:ask("/", { host = to.host, headers = {
        is_secure and "X-A: b" or "Host: " .. to.host, to.fields:match("[^\r]+"),
        "Connection: Upgrade", "Upgrade: other" } })
      assert.same({ 426, "no\r\n" }, { status, body })
    end)

    it("end with either side", function()
      assert.equal("hello\n", web_socket.client(to, [[
peer, said = open_socket()
print(receive(peer)[1].decode())
peer.close()
]]))
      wait_until(function()
        return server:ask("/files?path=/tmp/vanished", { to = record }) == 200
      end)
      local program = web_socket.client(to, ([[
peer, said = open_socket()
receive(peer)
other = connect()
other.sendall(b"DELETE /sandboxes/%s HTTP/1.1\r\nHost: %s\r\nX-API-Key: %s\r\n\r\n")
try:
    print(peer.recv(10))
except OSError:
    print(b"")
]]):format(record.sandboxID, is_secure and "api." .. server.domain or "localhost", gateway.key))
      assert.equal("b''\n", program)
      assert.equal("", server:problems())
    end)
  end)
end
