-- A server of HTTP, and clients that do what they should and others.
local codecell = require "codecell"
local core = require "codecell.core"
local http = require "codecell.http"
local outside = require "spec.support.outside"
local server = require "codecell.server"
local shell = require "spec.support.shell"
local wait = require "codecell.wait"
local wait_until = require "spec.support.wait_until"

-- What clients of the host need.
local CLIENT = [[
import http.client, socket, sys, time
PORT = %d
def connect():
    peer = socket.create_connection(("127.0.0.1", PORT), 20)
    return peer
def all_of(peer):
    data = b""
    try:
        while True:
            more = peer.recv(65536)
            if not more:
                break
            data += more
    except ConnectionResetError:
        data += b"<reset>"
    return data
def raw(text, end=False):
    peer = connect()
    try:
        peer.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
        if end:
            peer.shutdown(socket.SHUT_WR)
        return all_of(peer).decode("latin-1")
    except OSError as error:
        return "<%%s>" %% type(error).__name__
]]

local function count(folder)
  local pipe = assert(io.popen(("ls /proc/%d/%s | wc -l"):format(core.getpid(), folder)))
  local found = pipe:read("*n")
  pipe:close()
  return found
end

describe("a server of HTTP", function()
  local handlers, made, place, base, events

  setup(function()
    made = codecell.assert(server.new(function(request)
      local handler = handlers[request.path]
      if handler then
        return handler(request)
      end
      local body, err = request:all(2 ^ 26)
      return request:reply(200, { { "X-Length", body and #body or err.kind } },
        ("%s %s %s"):format(request.method, request.target, body and #body or err.kind))
    end, { idle = 5, connections = 200 }))
    place = codecell.assert(made:listen())
    base = ("http://%s:%d"):format(place.host, place.port)
  end)

  before_each(function()
    handlers, events = {}, {}
  end)

  teardown(function()
    made:close()
  end)

  local function client(program, ...)
    return outside.python(CLIENT:format(place.port) .. program:format(...))
  end

  local function get(path, given)
    given = given or {}
    given.url = base .. path
    local response = codecell.assert(http.request(given))
    return codecell.assert(response:all(2 ^ 26)), response
  end

  it("gives a handler method, target as it was sent, fields and body", function()
    handlers["/a%20b"] = function(request)
      events[1] = { request.method, request.target, request.path, request.query,
        request.headers["x-a"], request.headers["host"], request:all(100) }
      request:reply(201, { ["X-B"] = "c" }, "done")
    end
    local body, response = get("/a%20b?c=%20d&&e", { method = "PUT", body = "hello",
      headers = { { "X-A", "1" }, { "x-a", "2" } } })
    assert.same({ "done", 201, "c", "4" },
      { body, response.status, response.headers["x-b"], response.headers["content-length"] })
    assert.same({ "PUT", "/a%20b?c=%20d&&e", "/a%20b", "c=%20d&&e", "1, 2",
      "127.0.0.1:" .. place.port, "hello" }, events[1])
  end)

  it("lets go of a client whose body nobody reads, and which is silent #S109", function()
    local patient = codecell.assert(server.new(function(request)
      request:reply(405, {}, "no")
    end, { idle = 300 }))
    local at = codecell.assert(patient:listen())
    -- Nothing but the end of the connection ends the program.
    assert.equal("over\n", outside.python(CLIENT:format(at.port) .. [[
peer = connect()
peer.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
time.sleep(0.1)
peer.sendall(b"y" * 1000)
all_of(peer)
print("over")]]))
    patient:close()
  end)

  it("reads bodies as they come, chunked or not, and has the client wait", function()
    for _, length in ipairs { false, 3000000 } do
      local left = 300
      assert.equal("POST /x 3000000", get("/x", { method = "POST", length = length or nil,
        body = function()
          left = left - 1
          return left >= 0 and ("y"):rep(10000) or nil
        end }))
    end
    handlers["/refused"] = function(request)
      local body, err = request:all(1000)
      assert.is_nil(body)
      request:reply(413, {}, err.kind)
    end
    local body, response = get("/refused", { method = "POST", body = ("x"):rep(1000000) })
    assert.same({ "limit_exceeded", 413 }, { body, response.status })
  end)

  it("sends bodies as they are written, and has the handler wait", function()
    handlers["/stream"] = function(request)
      request:start(200, { { "Content-Type", "text/plain" } })
      for i = 1, 3000 do
        codecell.assert(request:write(("%05d"):format(i):rep(2000)))
        events[1] = i
      end
      request:finish()
    end
    local response = codecell.assert(http.request({ url = base .. "/stream" }))
    wait_until(function()
      return (events[1] or 0) > 10
    end)
    for _ = 1, 20 do
      codecell.step(0.01)
    end
    assert.truthy(events[1] < 3000) -- nobody reads
    assert.equal(30000000, #codecell.assert(response:all(2 ^ 26)))
    assert.equal("chunked", response.headers["transfer-encoding"])
  end)

  it("answers HEAD without a body, and a client of HTTP/1.0", function()
    local body, response = get("/x", { method = "HEAD" })
    assert.same({ "", "9" }, { body, response.headers["content-length"] })
    handlers["/stream"] = function(request)
      request:start(200)
      request:write("abc")
      request:finish()
    end
    local text = client [[print(raw("GET /stream HTTP/1.0\r\n\r\n"))]]
    assert.truthy(text:find("\r\n\r\nabc\n", 1, true), text)
    assert.falsy(text:find("chunked", 1, true))
  end)

  it("serves one request after the other on a connection, and what was sent early", function()
    local text = client [[
peer = http.client.HTTPConnection("127.0.0.1", PORT)
for i in range(3):
    peer.request("POST", "/%%d" %% i, b"x" * i)
    print(peer.getresponse().read().decode())
print(raw("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
          "GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").count("HTTP/1.1 200"))]]
    assert.equal("POST /0 0\nPOST /1 1\nPOST /2 2\n2\n", text)
  end)

  it("answers curl", function()
    if shell.run("command -v curl").status ~= 0 then
      return pending "curl is not installed"
    end
    local text = outside.python(([[
import subprocess
print(subprocess.run(["env", "-u", "LD_PRELOAD", "curl", "-sS", "-T", "-", "%s/up"],
                     input=b"x" * 3000000, capture_output=True, timeout=30))]]):format(base))
    assert.truthy(text:find("PUT /up 3000000", 1, true), text)
  end)

  it("answers 500 for a handler that raises or says nothing, and cuts off what is not complete",
    function()
      handlers["/raise"] = function()
        error("boom", 0)
      end
      handlers["/nothing"] = function() end
      handlers["/half"] = function(request)
        request:start(200, nil, 100)
        request:write("abc")
      end
      local ended = outside.start(CLIENT:format(place.port) .. [[
print(raw("GET /raise HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))]])
      local ok, raised
      repeat
        ok, raised = pcall(codecell.step, 0.1)
      until not ok
      assert.equal("boom", raised) -- by the step that ran it
      assert.truthy(ended():find("^HTTP/1.1 500 "))
      local _, response = get "/nothing"
      assert.equal(500, response.status)
      local got, err = http.request({ url = base .. "/half" })
      if got then
        got, err = got:all(1000)
      end
      assert.is_nil(got)
      assert.equal("unavailable", err.kind)
    end)

  it("raises for an answer that cannot be one", function()
    local function raised(called)
      return select(2, pcall(called))
    end
    handlers["/x"] = function(request)
      for _, given in ipairs { { 42 }, { "200" }, { 200, { A = "b\r\nc: d" } },
        { 200, { ["a b"] = "c" } }, { 200, { ["Content-Length"] = "5" } } } do
        events[#events + 1] = raised(function()
          request:start(given[1], given[2])
        end)
      end
      events[#events + 1] = raised(function()
        request:write("x")
      end)
      request:reply(204)
      events[#events + 1] = raised(function()
        request:start(200)
      end)
    end
    local _, response = get "/x"
    assert.equal(204, response.status)
    assert.equal(7, #events)
    for _, event in ipairs(events) do
      assert.truthy(tostring(event):find("^spec/server_spec.lua:%d+: "), tostring(event))
    end
  end)

  it("refuses what two readers could take for two things, or what is no request", function()
    local text = client [[
for request in (
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 2\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
    "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "GET /a HTTP/1.1\r\n\r\n",
    "GET  HTTP/1.1\r\nHost: x\r\n\r\n",
):
    answer = raw(request, True)
    print("no" if " 200 " not in answer else answer)]]
    assert.equal(("no\n"):rep(11), text)
  end)

  it("bounds the head of a request, and how long it may take", function()
    local text = client [[
large = "X-A: " + "a" * 40000 + "\r\n"
print(raw("GET /a HTTP/1.1\r\nHost: x\r\n" + large + "Connection: close\r\n\r\n")[:12])
print(raw("GET /a HTTP/1.1\r\nHost: x\r\n" + ("X-A: " + "a" * 1000 + "\r\n") * 300)[:12])
print(raw("GET /" + "a" * 300000 + " HTTP/1.1\r\nHost: x\r\n\r\n")[:12])]]
    assert.truthy(text:find("^HTTP/1.1 200\nHTTP/1.1 4%d%d\nHTTP/1.1 4%d%d\n")
      or text:find("^HTTP/1.1 200\n.*<"), text)
  end)

  it("tells a handler whose client has gone, and ends its waits if it wants that", function()
    handlers["/read"] = function(request)
      local _, err = request:all(2 ^ 26)
      events.read = err
    end
    handlers["/write"] = function(request)
      request:start(200)
      local ok, err
      repeat
        ok, err = request:write(("x"):rep(100000))
      until not ok
      events.write = err
    end
    handlers["/wait"] = function(request)
      request:end_with_client()
      local _, err = http.request({ url = base .. "/never" })
      events.wait = err
    end
    handlers["/never"] = function()
      wait.key({}) -- for ever
    end
    client [[
import struct
def vanish(text):
    peer = connect()
    peer.sendall(text.encode())
    time.sleep(0.1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
vanish("POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
vanish("GET /write HTTP/1.1\r\nHost: x\r\n\r\n")
vanish("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")]]
    wait_until(function()
      return events.read and events.write and events.wait
    end)
    assert.equal("unavailable", events.read.kind)
    assert.equal("unavailable", events.write.kind)
    assert.equal("cancelled", events.wait.kind)
  end)

  it("lets no more in than it may, and the next ones once others have left", function()
    local gate = {}
    local small = codecell.assert(server.new(function(request)
      if request.path == "/held" and not gate.open then
        wait.key(gate)
      elseif request.path == "/open" then
        gate.open = true
        codecell.async(function() require("codecell.reactor").wake(gate) end)
      end
      request:reply(200, nil, "hello")
    end, { connections = 4 }))
    local there = codecell.assert(small:listen())
    local text = outside.python(CLIENT:format(there.port) .. [[
def ask(peer, path):
    peer.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
opener = connect()
opener.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
opener.recv(1000)
busy = [connect() for _ in range(3)]
for one in busy:
    ask(one, b"/held")
time.sleep(0.1)
peer = connect()
ask(peer, b"/")
peer.settimeout(20)
print(all_of(peer).endswith(b"hello"), opener.recv(10))
again = connect()
ask(again, b"/open")
for one in busy + [again]:
    one.settimeout(20)
    print(all_of(one).endswith(b"hello"))]])
    assert.equal("True b''\n" .. ("True\n"):rep(4), text)
    small:close()
  end)

  it("closes the connection that is longest idle when it is full", function()
    local small = codecell.assert(server.new(function(request)
      request:reply(200, nil, "hello")
    end, { connections = 4 }))
    local there = codecell.assert(small:listen())
    local text = outside.python(CLIENT:format(there.port) .. [[
idle = [connect() for _ in range(40)]
peer = connect()
peer.settimeout(20)
peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
print(all_of(peer).endswith(b"hello"))
idle[0].settimeout(20)
print(idle[0].recv(10))]])
    assert.equal("True\nb''\n", text)
    small:close()
  end)

  it("listens at an abstract socket, which is no file", function()
    local one = codecell.assert(server.new(function(request) request:reply(200, nil, "here") end))
    local name = "@codecell-test-" .. core.random_id(12)
    assert.same({ unix = name }, codecell.assert(one:listen({ unix = name })))
    assert.truthy(shell.run("cat /proc/net/unix").stdout:find(" " .. name .. "\n", 1, true))
    local _, err = one:listen({ unix = name })
    assert.truthy(err)
    one:close()
    assert.falsy(shell.run("cat /proc/net/unix").stdout:find(" " .. name .. "\n", 1, true))
  end)

  it("can be at a socket of the file system, which it removes", function()
    local folder = shell.folder()
    local path = folder .. "/socket"
    local one = codecell.assert(server.new(function(request)
      request:reply(200, nil, "hello")
    end))
    assert.same({ unix = path }, codecell.assert(one:listen({ unix = path })))
    local _, err = one:listen({ unix = path })
    assert.truthy(err)
    _, err = one:listen({ host = "localhost" })
    assert.equal("invalid_argument", err.kind)
    local text = outside.python(([[
import os, socket
peer = socket.socket(socket.AF_UNIX)
peer.connect("%s")
peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
data = b""
while True:
    more = peer.recv(1000)
    if not more:
        break
    data += more
print(data.endswith(b"hello"), oct(os.stat("%s").st_mode & 0o777))]]):format(path, path))
    assert.equal("True 0o600\n", text)
    one:close()
    assert.equal(0, #shell.run("ls " .. folder).stdout)
    shell.remove(folder)
  end)

  it("serves many at once, and leaves no descriptor, no thread and no signal handler", function()
    local function signals()
      local status = shell.read("/proc/self/status")
      return status:match("SigIgn:%s*%x+") .. status:match("SigCgt:%s*%x+")
        .. status:match("SigBlk:%s*%x+")
    end
    local before, threads, handled = count "fd", count "task", signals()
    local text = client [[
peers = [connect() for _ in range(150)]
for i, peer in enumerate(peers):
    peer.sendall(("POST /%%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" %% i).encode())
for peer in peers[100:]:
    peer.close()
for peer in peers[:100]:
    peer.sendall(b"x" * 1000)
print(sum(b" 200 " in peer.recv(1000) for peer in peers[:100]))]]
    assert.equal("100\n", text)
    wait_until(function()
      return count "fd" <= before
    end)
    assert.equal(threads, count "task")
    assert.equal(handled, signals())
  end)

  it("can be closed and collected while requests are open", function()
    local before = count "fd"
    for i, way in ipairs { "close", "collect" } do
      local one = codecell.assert(server.new(function(request)
        events[#events + 1] = "in"
        local body, err = request:all(1000)
        events[#events + 1] = body or err.kind
      end))
      local there = codecell.assert(one:listen())
      local ended = outside.start(CLIENT:format(there.port) .. [[
print(raw("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"))]])
      wait_until(function()
        return #events == 2 * i - 1
      end)
      if way == "close" then
        one:close()
        one:close()
        assert.truthy(one:is_closed())
      end
      one = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      local text = ended()
      assert.truthy(text == "\n" or text == "<reset>\n", text)
      wait_until(function()
        return #events == 2 * i and count "fd" <= before
      end)
    end
    assert.same({ "in", "unavailable", "in", "unavailable" }, events)
  end)

  it("says what to install where libmicrohttpd is missing", function()
    local found = package.loaded["codecell.microhttpd"]
    package.loaded["codecell.microhttpd"] = nil
    package.preload["codecell.microhttpd"] = function()
      error("libmicrohttpd.so.12: cannot open shared object file")
    end
    local one, err = server.new(print)
    package.preload["codecell.microhttpd"] = nil
    package.loaded["codecell.microhttpd"] = found
    assert.is_nil(one)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.hint:find("libmicrohttpd12", 1, true))
  end)
end)
