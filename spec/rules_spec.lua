-- Secrets that never enter: headers that are added outside of the sandbox.
local codecell = require "codecell"
local json = require "codecell.json"
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"
local web = require "spec.support.web"
local world = require "spec.support.world"

local KEY = "Bearer k3y-that-never-enters"

-- By the proxy, and as programs do that know of none; and bytes as they are.
local INSIDE = [[
import os, socket, urllib.request, urllib.error
proxies = {k: v for k, v in os.environ.items() if k.lower().endswith("_proxy")}
class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given):
        return None
def get(url, direct=False, **given):
    handlers = [Stay] + ([urllib.request.ProxyHandler({})] if direct else [])
    try:
        with urllib.request.build_opener(*handlers).open(
                urllib.request.Request(url, **given), timeout=20) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return "%%d %%s %%s" %% (error.code, error.read().decode().strip(),
                              error.headers.get("Location", ""))
    except Exception as error:
        return type(error).__name__ + " " + str(error)
def raw(text, port=1008, host="127.0.0.1", wait=20):
    peer = socket.create_connection((host, port), wait)
    data = b""
    try:
        peer.sendall(text.encode("latin-1"))
        while True:
            more = peer.recv(65536)
            if not more:
                break
            data += more
    except OSError as error:
        data += ("<%%s>" %% type(error).__name__).encode()
    return data.decode("latin-1")
HTTP, HTTPS = %d, %d
HOST = "good.example:%%d" %% HTTPS
BASE = "http://" + HOST
]]

describe("network = {rules = {...}} #user", function()
  local earth = world.new(setup, teardown)
  local server, sandbox, events, place

  local function options()
    local names = { place, "127.0.0.1:" .. server.https, "other.example:" .. server.https,
      "good.example:" .. server.http, "127.0.0.1:" .. server.http }
    return { allow = names,
      rules = { [place] = { headers = { Authorization = KEY, ["X-Two"] = "2" },
        ca_file = server.ca } } }
  end

  setup(function()
    if not web.is_possible() then
      return
    end
    server, events = web.start(), {}
    place = "good.example:" .. server.https
    sandbox = codecell.assert(codecell.create({ network = options(),
      on_event = function(event)
        events[#events + 1] = event
      end }))
  end)

  teardown(function()
    if server then
      sandbox:close()
      web.stop(server)
    end
  end)

  before_each(function()
    if not server then
      pending "openssl is not installed"
    end
  end)

  local function run(code, ...)
    local execution = codecell.assert(sandbox:run_code(INSIDE:format(server.http, server.https)
      .. code:format(...)))
    assert.is_nil(execution.error, execution.error and execution.error.traceback)
    return table.concat(execution.logs.stdout), execution
  end

  -- What the server has seen of late: nothing of it came from us but by the rules.
  local function seen()
    return outside.python(([[
import ssl, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:%d/seen").read().decode())]])
      :format(server.http))
  end

  local function count(text, part)
    return select(2, text:gsub(part:gsub("%p", "%%%0"), ""))
  end

  it("adds the headers outside, by the proxy and for who knows of none #S116", function()
    local text = run [[
print(get(BASE + "/head", headers={"X-Mine": "1"}))
print(get(BASE + "/head", direct=True, headers={"X-Mine": "1"}))]]
    assert.equal(2, count(text, "Authorization: " .. KEY))
    assert.equal(2, count(text, "X-Two: 2"))
    assert.equal(2, count(text, "X-Mine: 1"))
    assert.equal(2, count(text, "Host: " .. place))
  end)

  it("streams both ways, whatever the methods and sizes are", function()
    assert.equal("POST /size 3000000\nPUT /size 5\nDELETE /size 0\n33554432\nabcdefg\n", run [[
print(get(BASE + "/size", data=b"x" * 3000000))
print(get(BASE + "/size", data=b"hello", method="PUT", direct=True))
print(get(BASE + "/size", method="DELETE"))
print(len(get(BASE + "/big")))
print(get(BASE + "/chunks"))]])
    local text = run [[
chunks = "POST /size HTTP/1.1\r\nHost: %%s\r\nTransfer-Encoding: chunked\r\n\r\n" %% HOST
print(raw("POST " + BASE + "/size" + chunks[10:] + "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n"))
print(raw("HEAD " + BASE + "/size HTTP/1.1\r\nHost: x\r\n\r\n"))
print(raw("GET " + BASE + "/empty HTTP/1.1\r\nHost: x\r\n\r\n"))
print(raw("GET " + BASE + "/not-modified HTTP/1.1\r\nHost: x\r\n\r\n"))
print(raw("GET " + BASE + "/fields HTTP/1.1\r\nHost: x\r\n\r\n"))]]
    assert.truthy(text:find("POST /size 8", 1, true), text)
    assert.truthy(text:find("Content-Length: 12\r\n", 1, true), text)
    assert.truthy(text:find("HTTP/1.1 204 ", 1, true), text)
    assert.truthy(text:find("HTTP/1.1 304 ", 1, true), text)
    assert.truthy(text:find("Set%-Cookie: a=1\r\n.*Set%-Cookie: b=2\r\n"), text)
    assert.falsy(text:find("X-Hop", 1, true), text)
  end)

  it("lets code neither replace nor double them, in any spelling #S117", function()
    local text = run [[
for name in ("Authorization", "authorization", "AUTHORIZATION", "X-Two", "X_Two", "x_TWO"):
    print(get(BASE + "/head", headers={name: "mine"}))
print(raw("GET " + BASE + "/head HTTP/1.1\r\nHost: x\r\nAuthorization: mine\r\nX-Two: mine\r\n"
          "Authorization: mine\r\nConnection: Authorization, X-Two\r\n\r\n"))]]
    assert.equal(7, count(text, "Authorization: " .. KEY))
    assert.equal(7, count(text, "X-Two: 2"))
    assert.falsy(text:find("mine", 1, true), text)
  end)

  it("gives them to no other name, port or scheme #S117", function()
    run [[
for direct in (False, True):
    for url in ("http://other.example:%%d/", "http://good.example:%%d/"):
        get((url %% HTTP if "good" in url else url %% HTTPS) + "elsewhere", direct)
    get("https://good.example:%%d/elsewhere" %% HTTPS, direct)
    get("http://127.0.0.1:%%d/elsewhere" %% HTTPS, direct)
    get("http://127.0.0.1:%%d/elsewhere" %% HTTP, direct)
    get(BASE + "@other.example:%%d/elsewhere" %% HTTP, direct)
raw("CONNECT good.example:%%d HTTP/1.1\r\n\r\n" %% HTTP
    + "GET /elsewhere HTTP/1.1\r\nHost: good.example\r\n\r\n", wait=0.3)
]]
    local text = seen()
    assert.truthy(text:find("elsewhere", 1, true))
    for head in text:gmatch('"(.-)"') do
      if head:find("elsewhere", 1, true) then
        assert.falsy(head:find(KEY, 1, true), head)
      end
    end
  end)

  it("hands a redirect back as it is, and goes nowhere else with it #S117", function()
    local text = run([[
print(get(BASE + "/redirect/http://other.example:%%d/stolen" %% HTTP))
print(get(BASE + "/redirect/https://127.0.0.1:%%d/stolen" %% HTTPS))]])
    assert.equal(("302  http://other.example:%d/stolen\n302  https://127.0.0.1:%d/stolen\n")
      :format(server.http, server.https), text)
    assert.falsy(seen():find("GET /stolen", 1, true))
  end)

  it("passes on the one request that was decided by #S117", function()
    local text = run [[
second = "GET http://other.example:%%d/smuggled HTTP/1.1\r\nHost: other.example\r\n\r\n" %% HTTP
third = "GET /smuggled HTTP/1.1\r\nHost: other.example\r\n\r\n"
def ask(head, body=""):
    print(raw("GET " + BASE + "/head HTTP/1.1\r\n" + head + "\r\n" + body, wait=5)[:12])
for more in (second, third):
    ask("Host: " + HOST + "\r\n", more)
    ask("Host: " + HOST + "\r\nContent-Length: 0\r\n", more)
    ask("Host: " + HOST + "\r\nConnection: keep-alive\r\n", more)
ask("Host: " + HOST + "\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", third)
ask("Host: " + HOST + "\r\nContent-Length: 0\r\nContent-Length: 50\r\n", third)
ask("Host: " + HOST + "\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", third)
ask("Host: " + HOST + "\r\nTransfer-Encoding: xchunked\r\n", third)
ask("Host: " + HOST + "\r\nHost: other.example\r\n")
ask("Host: " + HOST + "\r\n Host: other.example\r\n")
ask("Host: " + HOST + "\r\nX-A: b\nHost: other.example\r\n")
ask("Host: " + HOST + "\r\nX-A: b\rHost: other.example\r\n")
ask("Host: " + HOST + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", third)
ask("Host: other.example\r\n")
print(raw("TRACE " + BASE + "/head HTTP/1.1\r\nHost: x\r\n\r\n")[:12])
print(raw("GET " + BASE + "/head#x HTTP/1.1\r\nHost: x\r\n\r\n")[:12])]]
    local ok, bad = "HTTP/1.1 200\n", "HTTP/1.1 400\n"
    assert.equal(ok:rep(6) .. bad:rep(7) .. bad .. ok:rep(2) .. "HTTP/1.1 405\n" .. bad,
      text)
    text = seen()
    assert.falsy(text:find("smuggled", 1, true))
    assert.falsy(text:find("Upgrade", 1, true))
  end)

  it("answers what cannot be passed on, and raises nothing outside", function()
    local text = run [[
for request in (
    "GET " + BASE + "/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET " + BASE + "/head HTTP/1.1\r\nHost: x\r\n" + "a: b\r\n" * 300 + "\r\n",
    "GET " + BASE + "/head HTTP/1.1\r\nHost: x\r\nX-\xff: b\r\n\r\n",
    "GE-T " + BASE + "/head HTTP/1.1\r\nHost: x\r\nX-A: \xff\r\n\r\n",
    "POST " + BASE + "/size HTTP/1.1\r\nContent-Length: 10\r\n\r\n" + "x" * 100000,
    "POST " + BASE + "/early HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1000000,
):
    print(raw(request)[:12])]]
    assert.equal("HTTP/1.1 400\nHTTP/1.1 400\nHTTP/1.1 400\nHTTP/1.1 200\nHTTP/1.1 200\n"
      .. "HTTP/1.1 413\n", text)
    run [[
peers = []
for i in range(100):
    peer = socket.create_connection(("127.0.0.1", 1008), 20)
    peer.sendall(("GET " + BASE + "/silent HTTP/1.1\r\nHost: x\r\n\r\n").encode())
    peers.append(peer)
del peer, peers]]
    wait_until(function()
      return sandbox:get_metrics().network.open == 0
    end)
  end)

  it("tells the code what went wrong outside, without a word of the header #S116", function()
    local text = run [[
for path in ("/short", "/cut-chunk", "/bomb", "/no-answer", "/reset", "/garbage", "/long-head"):
    print(path, get(BASE + path))
print(get(BASE.replace("good", "loop") + "/x"))]]
    assert.equal(5, count(text, "502 GET https://good.example:" .. server.https .. ": "), text)
    assert.equal(2, count(text, "IncompleteRead("), text)
    assert.truthy(text:find("403 ", 1, true), text)
    assert.falsy(text:find("k3y", 1, true), text)
  end)

  it("has the server wait while the code does not read, and lets go when it leaves",
    function()
      run [[
import time
peers = []
for i in range(5):
    peer = socket.create_connection(("127.0.0.1", 1008), 20)
    peer.sendall(("GET " + BASE + "/endless HTTP/1.1\r\nHost: x\r\n\r\n").encode())
    peer.recv(10)
    peers.append(peer)]]
      local before = sandbox:get_metrics().network.received
      for _ = 1, 20 do
        codecell.step(0.01)
      end
      local traffic = sandbox:get_metrics().network
      assert.equal(5, traffic.open)
      assert.truthy(traffic.received - before < 2 ^ 24)
      run "del peers, peer"
      wait_until(function()
        return sandbox:get_metrics().network.open == 0
      end)
    end)

  it("shows nowhere what the values are #S116", function()
    assert.same({ headers = { "Authorization", "X-Two" } },
      sandbox:get_info().network.rules[place])
    run [[get("http://third.example/")]]
    for _, thing in ipairs { sandbox:get_info(), sandbox:get_metrics(), events,
      { tostring(sandbox) } } do
      assert.falsy(json.encode(thing):find("k3y", 1, true))
    end
    local text = run [[
print(dict(os.environ))
import glob
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
    try:
        print(open(path, "rb").read())
    except OSError:
        pass]]
    assert.falsy(text:find("k3y", 1, true))
  end)

  it("keeps, changes and takes away rules of a living sandbox", function()
    local mine = codecell.assert(codecell.create({ network = options() }))
    local function head()
      return table.concat(codecell.assert(mine:run_code(INSIDE:format(server.http, server.https)
        .. 'print(get(BASE + "/head"))')).logs.stdout)
    end
    local given = options()
    given.rules = nil
    assert.truthy(mine:update_network(given)) -- the name is still allowed
    assert.truthy(head():find(KEY, 1, true))
    given.rules = { [place] = { headers = { Authorization = "another" }, ca_file = server.ca } }
    assert.truthy(mine:update_network(given))
    local text = head()
    assert.truthy(text:find("Authorization: another", 1, true))
    assert.falsy(text:find("X-Two", 1, true))
    given.rules = {}
    assert.truthy(mine:update_network(given))
    assert.falsy(head():find("Authorization", 1, true)) -- plain HTTP, to a port of TLS
    assert.is_nil(mine:get_info().network.rules)
    mine:close()
  end)

  it("says where a name leads to that may not be reached outside either", function()
    local given = options()
    table.remove(given.allow, 2) -- the address
    local mine = codecell.assert(codecell.create({ network = given }))
    local execution = codecell.assert(mine:run_code(INSIDE:format(server.http, server.https)
      .. 'print(get(BASE + "/head"))'))
    assert.truthy(execution.logs.stdout[1]:find("^403 .*127.0.0.1 is not allowed: loopback"))
    assert.equal(place, execution.refused[1].what)
    assert.equal(('network = {allow = {%q, "127.0.0.1:%d"}}'):format(place, server.https),
      execution.refused[1].allow)
    mine:close()
  end)

  it("goes with a copy of the sandbox, and with one of a pool that was made for it", function()
    local function head(mine)
      local execution = codecell.assert(mine:run_code(INSIDE:format(server.http, server.https)
        .. 'print(get(BASE + "/head"))'))
      return execution.logs.stdout[1]
    end
    local pool = codecell.assert(codecell.pool({ network = options(), size = 1 }))
    assert(pool:wait(30))
    local warm = codecell.assert(codecell.create({ network = options(), warm = true }))
    assert.equal(1, pool:stats().taken)
    local copy = codecell.assert(warm:fork())
    assert.truthy(head(warm):find(KEY, 1, true))
    assert.truthy(head(copy):find(KEY, 1, true))
    pool:close()
    warm:close()
    copy:close()
  end)

  it("cannot be kept where a library is missing, and says which", function()
    local found = package.loaded["codecell.microhttpd"]
    package.loaded["codecell.microhttpd"] = nil
    package.preload["codecell.microhttpd"] = function()
      error("libmicrohttpd.so.12: cannot open shared object file")
    end
    local made, err = codecell.create({ network = options() })
    local without = options()
    without.rules = nil
    local other = codecell.create({ network = without })
    package.preload["codecell.microhttpd"] = nil
    package.loaded["codecell.microhttpd"] = found
    assert.is_nil(made)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.hint:find("libmicrohttpd12", 1, true))
    other:close() -- which needs none
  end)

  it("is what an example shows", function()
    local line = ("API_KEY=k3y %s examples/secret.lua https://%s/head 127.0.0.1:%d 127.0.0.1:%d %s")
      :format(shell.lua, place, earth.names, server.https, server.ca)
    local result = shell.run(line, { folder = "." })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("\nAuthorization: Bearer k3y\r\n", 1, true), result.stdout)
    assert.truthy(result.stdout:find("\nadded outside: Authorization\n$"), result.stdout)
  end)

  it("lets a sandbox go while requests are open", function()
    local mine = codecell.assert(codecell.create({ network = options() }))
    codecell.assert(mine:run_code(INSIDE:format(server.http, server.https) .. [[
peer = socket.create_connection(("127.0.0.1", 1008), 20)
peer.sendall(("GET " + BASE + "/silent HTTP/1.1\r\nHost: x\r\n\r\n").encode())]]))
    codecell.step(0.05)
    local weak = setmetatable({ mine }, { __mode = "v" })
    mine = nil -- luacheck: ignore
    wait_until(function()
      collectgarbage()
      return weak[1] == nil
    end)
  end)

  it("raises for a rule that could not be kept, and never shows a value #S117", function()
    local function raised(rules, allow)
      local ok, problem = pcall(function()
        codecell.create({ network = { allow = allow or { "a.example" }, rules = rules } })
      end)
      assert.is_false(ok)
      assert.truthy(tostring(problem):find("^spec/rules_spec.lua:%d+: create: "), problem)
      assert.falsy(tostring(problem):find("k3y", 1, true), problem)
      return problem
    end
    for name, value in pairs { Host = "k3y", ["content-length"] = "k3y", Connection = "k3y",
      ["Transfer-Encoding"] = "k3y", ["Proxy-Authorization"] = "k3y", Upgrade = "k3y", TE = "k3y",
      ["Keep-Alive"] = "k3y", Trailer = "k3y", Expect = "k3y", ["A B"] = "k3y", [""] = "k3y",
      A = "k3y\r\nB: c", B = "k3y\n", C = "k3y\0", D = false } do
      raised({ ["a.example"] = { headers = { [name] = value } } })
    end
    for _, rules in ipairs { { ["a.example"] = {} }, { ["a.example"] = "k3y" },
      { ["a.example"] = { headers = {} } }, { ["a.example"] = { headers = "k3y" } },
      { ["a.example"] = { headers = { A = "b" }, other = "k3y" } }, { [1] = {} },
      { ["*.a.example"] = { headers = { A = "k3y" } } },
      { ["10.0.0.1"] = { headers = { A = "k3y" } } },
      { ["a.example:0"] = { headers = { A = "k3y" } } },
      { ["a.example"] = { headers = { A = "k3y" } }, ["A.example."] = { headers = { A = "k" } } },
    } do
      raised(rules)
    end
    local rules = { ["b.example"] = { headers = { A = "k3y" } } }
    assert.truthy(raised(rules):find("b.example: b.example:80 is not in the allow list", 1, true))
    assert.truthy(raised(rules, { "b.example:80" }):find("b.example:443 is not in", 1, true))
    assert.truthy(raised(rules, { "b.example:443" }):find("b.example:80 is not in", 1, true))
    rules = { ["b.example:8443"] = { headers = { A = "k3y" } } }
    assert.truthy(raised(rules, { "b.example" }):find("b.example:8443 is not in", 1, true))
  end)
end)
