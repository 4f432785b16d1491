-- Real programs that know nothing of a sandbox, through its network, with and without its proxy.
local codecell = require "codecell"
local registry = require "spec.support.registry"
local world = require "spec.support.world"

local BARE = "for name in $(env | grep -i _proxy= | cut -d= -f1); do unset $name; done; "

describe("programs in a sandbox with a network #user", function()
  local earth = world.new(setup, teardown)
  local server, sandbox

  setup(function()
    server = registry.start()
    local allow = {}
    for _, port in ipairs({ server.plain, server.secret }) do
      allow[#allow + 1] = "good.example:" .. port
      allow[#allow + 1] = "127.0.0.1:" .. port
    end
    sandbox = codecell.assert(codecell.create({ network = { allow = allow },
      limits = { disk = 1024 * 1024 * 1024 } }))
    assert(sandbox.files:upload(server.folder .. "/cert", "cert"))
  end)

  teardown(function()
    sandbox:close()
    server.close()
  end)

  -- Both ways: directly, as by a program that knows of no proxy, and by the proxy.
  local function both(program, command, expected, refused)
    if codecell.assert(sandbox.commands:run("command -v " .. program)).exit_code ~= 0 then
      return pending(program .. " is not installed")
    end
    command = command:gsub("PLAIN", tostring(server.plain)):gsub("SECRET", tostring(server.secret))
    for _, prefix in ipairs({ BARE, "" }) do
      local result = codecell.assert(sandbox.commands:run(prefix .. command, { timeout = 60 }))
      local text = result.stdout .. result.stderr
      assert.truthy(text:find(expected, 1, true), prefix .. command .. "\n" .. text)
    end
    for _, prefix in ipairs(refused and { BARE, "" } or {}) do
      local result = codecell.assert(sandbox.commands:run(prefix .. refused, { timeout = 60 }))
      assert.not_equal(0, result.exit_code, result.stdout)
    end
  end

  it("curl #I14 #I15", function()
    both("curl", "curl -sS http://good.example:PLAIN/host; "
      .. "curl -sS --cacert cert https://good.example:SECRET/page",
      ("good.example:%d\n<html><head><title>A small page"):format(server.plain),
      "curl -sSf http://other.example/ || curl -sSf https://other.example/")
  end)

  it("wget", function()
    both("wget", "wget -q -O - http://good.example:PLAIN/host; "
      .. "wget -q -O - --ca-certificate=cert https://good.example:SECRET/page",
      ("good.example:%d\n<html><head><title>A small page"):format(server.plain),
      "wget -q -O - --tries=1 https://other.example/")
  end)

  it("git", function()
    both("git", "rm -rf copy && git -c http.sslCAInfo=/home/user/cert clone -q "
      .. "https://good.example:SECRET/repository.git copy && cat copy/file",
      "text\n", "git clone -q https://other.example/repository.git other")
  end)

  it("pip", function()
    both("pip", "rm -rf target && python3 -m pip install -q --no-cache-dir --target target "
      .. "--disable-pip-version-check --trusted-host good.example "
      .. "-i http://good.example:PLAIN/simple/ tiny && PYTHONPATH=target "
      .. "python3 -c 'import tiny; print(tiny.value)'", "42\n",
      "python3 -m pip install -q --retries 0 --target t --disable-pip-version-check "
      .. "-i https://other.example/simple/ tiny")
  end)

  it("npm", function()
    both("npm", "rm -rf node_modules && npm install --silent --no-audit --no-fund "
      .. "--no-update-notifier --registry http://good.example:PLAIN/npm/ tiny && "
      .. "node -p 'require(\"tiny\")'", "42\n",
      "npm install --silent --fetch-retries 0 --registry https://other.example/ tiny")
  end)

  it("node, by fetch", function()
    both("node", [[NODE_EXTRA_CA_CERTS=cert node -e '
fetch("https://good.example:SECRET/api").then(r => r.json()).then(d => console.log(d.items.length))
  .catch(e => console.log(e.cause))']], "3\n",
      [[node -e 'fetch("https://other.example/").catch(e => process.exit(3))']])
  end)

  it("openssl, which sends a name, another one or none #S102", function()
    both("openssl", "openssl s_client -connect good.example:SECRET -servername good.example "
      .. "-CAfile cert </dev/null", "Verify return code: 0 (ok)",
      ("openssl s_client -connect good.example:%d -servername evil.example </dev/null")
        :format(server.secret))
  end)

  it("python, by urllib and by requests where it is installed", function()
    both("python3", [[python3 -c '
import ssl, urllib.request
context = ssl.create_default_context(cafile="cert")
print(urllib.request.urlopen("https://good.example:SECRET/api", context=context).read())
try:
    import requests
except ImportError:
    raise SystemExit
print(requests.get("https://good.example:SECRET/api", verify="cert").json())']],
      '{"items": [1, 2, 3]}', [[python3 -c 'import urllib.request
urllib.request.urlopen("https://other.example/")']])
  end)

  it("has one request on a connection of plain HTTP, which was looked at #S105", function()
    local result = codecell.assert(sandbox.commands:run({ "python3", "-c", ([[
import socket
def responses(text):
    peer = socket.create_connection(("good.example", %d), 20)
    peer.sendall(text.replace("\n", "\r\n").encode())
    return peer.makefile("rb").read().decode().count("HTTP/1.1 200")
one = "GET /host HTTP/1.1\nHost: good.example\nConnection: keep-alive\n%%s\n"
print(responses(one %% "" + one %% ""))
print(responses(one %% "Proxy-Connection: keep-alive\nKeep-Alive: timeout=9\n" + one %% ""))]])
      :format(server.plain) }))
    assert.equal("1\n1\n", result.stdout, result.stderr)
  end)

  it("goes on with a web socket where the server does, and with nothing else #S105", function()
    local result = codecell.assert(sandbox.commands:run({ "python3", "-c", ([[
import socket
def wish(path, then, protocol="websocket"):
    peer = socket.create_connection(("good.example", %d), 20)
    peer.sendall(("GET %%s HTTP/1.1\r\nHost: good.example\r\nConnection: Upgrade\r\n"
                  "Upgrade: %%s\r\n\r\n" %% (path, protocol)).encode())
    first = peer.recv(4096)
    while first[9:12] == b"200" and not first.endswith(b"good.example\n"):
        first += peer.recv(4096) # the whole of the answer, however it comes
    try:
        peer.sendall(then)
        rest = (first + peer.makefile("rb").read()).split(b"\r\n\r\n", 1)[1]
        return first[9:12].decode(), rest[:26]
    except ConnectionResetError:
        return first[9:12].decode(), "reset"
print(wish("/socket", b"GET / HTTP/1.1\r\n"))
print(wish("/host", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"))
print(wish("/host", b"", "h2c"), wish("/host", b"", "websocket, h2c"))
print(wish("/host", b"GET / HTTP/1.1\r\n\r\n", "other"))]]):format(server.plain) }))
    local refusal = ("%d "):format(server.plain)
    assert.truthy(result.stdout:find("('101', b'echo GET / HTTP/1.1", 1, true), result.stdout)
    assert.truthy(result.stdout:find("('200', b'good.example\\nHTTP/1.1 403", 1, true),
      result.stdout)
    assert.truthy(result.stdout:find(("('403', b'good.example:%srefused"):format(refusal), 1,
      true), result.stdout)
    assert.truthy(result.stdout:find("\n('200', b'good.example\\n')\n", 1, true), result.stdout)
    assert.is_number(earth.names)
  end)
end)
