-- Requests to `codecell serve` that come together, and clients that go in the middle of theirs.
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("requests to codecell serve that come together #M10 #user", function()
  local server, folder
  setup(function()
    folder = shell.folder()
    server = gateway.start()
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  -- The same request three times at once: the bodies of the answers.
  local function thrice(path, body, header)
    local words = ("curl -sS --max-time 30 -X POST -H 'X-API-Key: %s' -H %s "
      .. "-H 'Content-Type: application/json' -d %s %s%s"):format(gateway.key,
      shell.quote(header or "Accept: */*"), shell.quote(json.encode(body)), server.url, path)
    shell.run(("for i in 1 2 3; do %s > %s/$i & done; wait"):format(words, folder))
    local answers = {}
    for i = 1, 3 do
      answers[i] = json.decode(shell.read(("%s/%d"):format(folder, i)))
    end
    return answers
  end

  -- Say the beginning of a request, do something, then say the rest of it: its whole answer.
  local function in_two_parts(head, body, between)
    return shell.run("python3 -", { stdin = ([[
import socket, subprocess
peer = socket.create_connection(("127.0.0.1", %s), 20)
body = %q
peer.sendall(("%s\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %%d\r\n\r\n"
              %% len(body)).encode())
subprocess.run(%q, shell=True, check=True, stdout=subprocess.DEVNULL)
peer.sendall(body.encode())
while True:
    piece = peer.recv(65536)
    if not piece:
        break
    print(piece.decode(), end="")
]]):format(server.port, body, head:gsub("\n", "\\r\\n"), between) }).stdout
  end

  local function end_it(record)
    return ("curl -sS -X DELETE -H 'X-API-Key: %s' %s/sandboxes/%s"):format(gateway.key, server.url,
      record.sandboxID)
  end

  it("make one sandbox where they have the same key of their own", function()
    local answers = thrice("/v2/sandboxes", { templateID = "base", timeout = 60 },
      "Idempotency-Key: once")
    assert.is_string(answers[1].sandboxID)
    assert.equal(answers[1].sandboxID, answers[2].sandboxID)
    assert.equal(answers[1].sandboxID, answers[3].sandboxID)
    server:ask("/sandboxes/" .. answers[1].sandboxID, { method = "DELETE" })
  end)

  it("resume a sandbox once", function()
    local record = server:create()
    local place = "/sandboxes/" .. record.sandboxID
    assert.equal(204, (server:ask(place .. "/pause", { method = "POST",
      body = { memory = false } })))
    for _, answer in ipairs(thrice(place .. "/connect", { timeout = 60 })) do
      assert.equal(record.sandboxID, answer.sandboxID)
    end
    local count = 0
    for _, entry in ipairs(select(2, server:ask("/v2" .. place .. "/logs")).logs) do
      count = count + (entry.message == "Sandbox resumed" and 1 or 0)
    end
    assert.equal(1, count)
    server:ask(place, { method = "DELETE" })
  end)

  it("say that the sandbox is over, though it was there when they began #J20", function()
    local record = server:create()
    local routed = ("\nE2b-Sandbox-Id: %s\nE2b-Sandbox-Port: 49999"):format(record.sandboxID)
    local said = in_two_parts("POST /execute HTTP/1.1" .. routed, '{"code": "1"}', end_it(record))
    assert.matches("^HTTP/1.1 502 .*The sandbox was not found", said)
    record = server:create()
    said = in_two_parts(("POST /sandboxes/%s/pause HTTP/1.1\nX-API-Key: %s"):format(
      record.sandboxID, gateway.key), "{}", end_it(record))
    assert.matches("^HTTP/1.1 404 .*it was killed at", said)
    assert.equal("", server:problems())
  end)

  it("are not waited for once their clients have gone #F23", function()
    local record = server:create()
    server:ask("/files?path=server.py", { method = "POST", to = record,
      kind = "application/octet-stream", body = [[
import socket
listener = socket.create_server(("127.0.0.1", 8000))
print("on", flush=True)
while True:
    peer = listener.accept()[0]
    peer.recv(65536)
    open("asked", "w").close()
    print("over" if peer.recv(65536) == b"" else "more", file=open("heard", "w"))
]] })
    local _, text = server:ask("/execute", { method = "POST", to = record, port = 49999,
      body = { code = "import subprocess\none = subprocess.Popen(['python3', 'server.py'], "
        .. "stdout=subprocess.PIPE)\none.stdout.readline()" } })
    assert.matches("on", type(text) == "table" and json.encode(text) or text)
    local function has(name)
      return (server:ask("/files?path=" .. name, { to = record })) == 200
    end
    os.execute(("curl -s -H 'E2b-Sandbox-Id: %s' -H 'E2b-Sandbox-Port: 8000' %s > /dev/null & "
      .. "echo $! > %s/client"):format(record.sandboxID, server.url, folder))
    wait_until(function() return has("asked") end)
    os.execute("kill " .. shell.read(folder .. "/client"))
    wait_until(function() return has("heard") end)
    server:ask("/sandboxes/" .. record.sandboxID, { method = "DELETE" })
  end)
end)
