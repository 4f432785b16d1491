-- What the environment says of proxies and authorities, for requests that heed it; and HTTP/2.
local authority = require "spec.support.authority"
local codecell = require "codecell"
local http = require "codecell.http"
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"
local web = require "spec.support.web"

-- Leads everything to this machine, and tells what it was asked: by HTTP, CONNECT and SOCKS.
local PROXY = [==[
import base64, os, socket, socketserver, struct, threading
seen = []
def copy(one, other):
    try:
        while True:
            data = one.recv(65536)
            if not data:
                break
            other.sendall(data)
    except OSError:
        pass
    for peer in (one, other):
        try:
            peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
class Proxy(socketserver.BaseRequestHandler):
    def handle(self):
        peer = self.request
        first = peer.recv(1, socket.MSG_PEEK)
        if first == b"\x05":
            peer.recv(100)
            peer.sendall(b"\x05\x00")
            data = peer.recv(300)
            name = data[5:5 + data[4]].decode() if data[3] == 3 else "address"
            port = struct.unpack("!H", data[-2:])[0]
            seen.append("SOCKS %s" % name)
            peer.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        else:
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(65536)
            if b"/asked" in head.split(b"\r\n")[0]:
                text = "\n".join(seen).encode()
                seen.clear()
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                             % len(text) + text)
                return
            seen.append(head.decode().replace("\r\n", "|"))
            if b"refused" in head.split(b"\r\n")[0]:
                peer.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
                return
            method, where = head.decode().split(" ")[:2]
            if method == "CONNECT":
                port = int(where.split(":")[1])
                peer.sendall(b"HTTP/1.1 200 Go\r\nX-Proxy: said\r\n\r\n")
            else:
                port = int(where.split("/")[2].split(":")[1])
        server = socket.create_connection(("127.0.0.1", port))
        if first != b"\x05" and method != "CONNECT":
            server.sendall(head)
        thread = threading.Thread(target=copy, args=(server, peer), daemon=True)
        thread.start()
        copy(peer, server)
        thread.join()
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Proxy)
print(server.server_address[1], flush=True)
threading.Timer(50, os._exit, [0]).start()
server.serve_forever()
]==]

describe("http.request by the environment", function()
  local server, proxy, client

  setup(function()
    if web.is_possible() then
      server = web.start()
      proxy = outside.server(PROXY)
      client = codecell.assert(http.client({}))
    end
  end)
  teardown(function()
    if server then
      web.stop(server)
      client:close()
    end
  end)
  before_each(function()
    if not server then
      pending "openssl is not installed"
    end
  end)

  -- A program of its own, since no Lua changes its environment.
  local function ask(variables, url, more)
    shell.write(server.folder .. "/ask.lua", ([[
local http = require "codecell.http"
local response, err = http.request({ url = %q, environment = true, timeout = 10,
  headers = { { "X-API-Key", "e2b_secret" } }, %s })
if response then
  local body, broken = response:all(2 ^ 20)
  print(response.status, body or broken.kind)
else
  print(err.kind, err.stage, err.message)
end]]):format(url, more or ""))
    local clean = "env -u HTTP_PROXY -u http_proxy -u HTTPS_PROXY -u https_proxy -u ALL_PROXY "
      .. "-u all_proxy -u NO_PROXY -u no_proxy -u SSL_CERT_FILE -u SSL_CERT_DIR -u CURL_CA_BUNDLE "
    return shell.run(clean .. variables .. " " .. shell.lua .. " " .. server.folder
      .. "/ask.lua").stdout
  end

  local function asked()
    local response = codecell.assert(client:request({ url = ("http://127.0.0.1:%d/asked"):format(
      proxy) }))
    return codecell.assert(response:all(65536))
  end

  local function https(path)
    return ("https://good.example:%d%s"):format(server.https, path)
  end

  it("goes by HTTPS_PROXY, which hears nothing of what is for the server", function()
    local said = ask(("HTTPS_PROXY=http://me:pass@127.0.0.1:%d SSL_CERT_FILE=%s"):format(proxy,
      server.ca), https "/head")
    assert.matches("^200\t.*X%-API%-Key: e2b_secret", said)
    assert.is_nil(said:find("Proxy", 1, true))
    local heard = asked()
    assert.matches(("^CONNECT good.example:%d HTTP/1.1|"):format(server.https), heard)
    assert.matches("Proxy%-Authorization: Basic bWU6cGFzcw==|", heard)
    assert.is_nil(heard:find("e2b_secret", 1, true))
  end)

  it("goes by HTTP_PROXY, ALL_PROXY and SOCKS, whose proxies find the names", function()
    local url = ("http://nowhere.example:%d/plain"):format(server.http)
    assert.equal("200\tGET /plain 0\n", (ask(("HTTP_PROXY=127.0.0.1:%d"):format(proxy), url):gsub(
      "http://[^/]*", "")))
    assert.matches("^GET http://nowhere.example:", asked())
    local said = ask(("all_proxy=socks5://127.0.0.1:%d CURL_CA_BUNDLE=%s"):format(proxy,
      server.ca), https "/a")
    assert.equal("200\tGET /a 0\n", said)
    assert.equal("SOCKS good.example", asked())
  end)

  it("goes around the proxy where NO_PROXY says so, and where a server was told of one", function()
    local url = ("http://127.0.0.1:%d/plain"):format(server.http)
    for _, names in ipairs { "127.0.0.1", "*", "a.example,127.0.0.1:" .. server.http } do
      assert.equal("200\tGET /plain 0\n", ask(("http_proxy=http://127.0.0.1:%d NO_PROXY='%s'")
        :format(proxy, names), url))
    end
    assert.equal("200\tGET /plain 0\n", ask(("REQUEST_METHOD=GET HTTP_PROXY=http://127.0.0.1:%d")
      :format(proxy), url))
    assert.equal("", asked())
  end)

  it("trusts whom SSL_CERT_FILE, SSL_CERT_DIR and CURL_CA_BUNDLE name, and nobody else", function()
    local way = ("HTTPS_PROXY=http://127.0.0.1:%d "):format(proxy)
    assert.matches("^protocol\t", ask(way, https "/a"))
    assert.matches("^200\t", ask(way .. "CURL_CA_BUNDLE=" .. server.ca, https "/a"))
    local folder = server.folder .. "/trusted"
    assert(shell.run(("mkdir %s && cp %s %s/ && openssl rehash %s"):format(folder, server.ca,
      folder, folder)).status == 0)
    assert.matches("^200\t", ask(way .. "SSL_CERT_DIR=" .. folder, https "/a"))
    assert.matches("^protocol\t", ask(way .. "SSL_CERT_FILE=" .. server.ca,
      ("https://127.0.0.2:%d/a"):format(server.https)))
    assert.matches("^invalid_argument\t", ask("SSL_CERT_FILE=/nowhere",
      ("https://127.0.0.1:%d/a"):format(server.https)))
    asked()
  end)

  it("says what is wrong with a proxy, and no password #I22", function()
    local said = ask(("HTTPS_PROXY=http://me:pass@127.0.0.1:%d"):format(proxy),
      "https://refused.example/")
    assert.matches("^unavailable\tconnect\tGET https://refused.example: .*407", said)
    assert.is_nil(said:find("pass", 1, true))
    said = ask("HTTPS_PROXY=ftp://me:pass@127.0.0.1:1", https "/a")
    assert.matches("^invalid_argument\t.*http://host:port or socks5://host:port expected", said)
    assert.is_nil(said:find("pass", 1, true))
    assert.matches("^unavailable\tconnect\t", ask("HTTPS_PROXY=http://127.0.0.1:1", https "/a"))
    asked()
  end)

  it("is refused where a proxy would get around what may be reached", function()
    assert.has_error(function() http.client({ environment = true, public = true }) end,
      "client: environment: a proxy would get around public and policy")
  end)

  it("gives up when the whole takes too long", function()
    local response = codecell.assert(http.request({ url = ("http://127.0.0.1:%d/endless"):format(
      server.http), whole = 0.3 }))
    local err
    repeat
      local chunk
      chunk, err = response:read()
    until not chunk
    assert.equal("timeout", err.kind)
    response:close()
    local silent = select(2, http.request({ url = ("http://127.0.0.1:%d/silent"):format(
      server.http), whole = 0.2, timeout = 50 }))
    assert.equal("timeout", silent.kind)
  end)
end)

describe("http.request to a server of HTTP/2", function()
  it("shares one connection, and otherwise speaks HTTP/1.1", function()
    if not authority.is_possible() or shell.run("command -v node").status ~= 0 then
      return pending "openssl or node is not installed"
    end
    local folder = shell.folder()
    authority.make(folder, { "IP:127.0.0.1" })
    shell.write(folder .. "/server.js", ([[
const fs = require('fs')
let sessions = 0
const server = require('http2').createSecureServer({ allowHTTP1: true,
  cert: fs.readFileSync('%s/server.pem'), key: fs.readFileSync('%s/server.key') }, (req, res) => {
  let size = 0
  req.on('data', (data) => { size += data.length })
  req.on('end', () => res.end([req.httpVersion, sessions, size].join(' ')))
})
server.on('session', () => { sessions++ })
server.listen(0, '127.0.0.1', () => fs.writeFileSync('%s/port', server.address().port + '\n'))
setTimeout(() => process.exit(), 40000)]]):format(folder, folder, folder))
    os.execute(("env -u LD_PRELOAD node %s/server.js > /dev/null 2>&1 & echo $! > %s/pid"):format(
      folder, folder))
    local port
    for _ = 1, 400 do
      port = (shell.read(folder .. "/port") or ""):match("^(%d+)\n")
      if port then
        break
      end
      codecell.step(0.05)
    end
    local client = codecell.assert(http.client({ ca_file = folder .. "/ca.pem" }))
    local function ask(share)
      local response = codecell.assert(client:request({ url = "https://127.0.0.1:" .. port .. "/",
        method = "POST", body = ("x"):rep(300000), share = share }))
      return codecell.assert(response:all(1000))
    end
    assert.equal("2.0 1 300000", ask(true))
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = codecell.async(ask, true)
    end
    for i = 1, 20 do
      assert.equal("2.0 1 300000", tasks[i]:wait(20))
    end
    assert.matches("^1.1 %d+ 300000$", ask())
    client:close()
    os.execute(("kill $(cat %s/pid)"):format(folder))
    shell.remove(folder)
  end)
end)
