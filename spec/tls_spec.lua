-- A server that speaks TLS, and clients that do what they should and others.
local authority = require "spec.support.authority"
local codecell = require "codecell"
local http = require "codecell.http"
local outside = require "spec.support.outside"
local server = require "codecell.server"
local shell = require "spec.support.shell"

local CLIENT = [[
import socket, ssl, time
PORT, FOLDER = %d, "%s"
def context(**fields):
    made = ssl.create_default_context(cafile=FOLDER + "/ca.pem")
    for name, value in fields.items():
        setattr(made, name, value)
    return made
def plain():
    return socket.create_connection(("127.0.0.1", PORT), 20)
def secure(made=None):
    return (made or context()).wrap_socket(plain(), server_hostname="good.example")
def all_of(peer):
    data = b""
    try:
        while True:
            more = peer.recv(65536)
            if not more:
                return data.decode()
            data += more
    except OSError as error:
        return data.decode() + "<%%s>" %% type(error).__name__
ASK = b"GET %%s HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n"
]]

describe("a server of HTTP with a certificate", function()
  local folder, made, place, client, texts
  setup(function()
    if not authority.is_possible() then
      return
    end
    folder = shell.folder()
    authority.make(folder, { "DNS:good.example", "IP:127.0.0.1" })
    texts = { certificate = shell.read(folder .. "/server.pem"),
      key = shell.read(folder .. "/server.key") }
    made = codecell.assert(server.new(function(request)
      if request.path == "/cut" then
        request:start(200)
        request:write("some")
        return request:abort()
      elseif request.path == "/large" then
        return request:reply(200, nil, ("x"):rep(5000000))
      end
      local body = request:all(2 ^ 26)
      request:reply(200, nil, ("%s %d"):format(request.path, #body))
    end, { certificate = texts.certificate, key = texts.key, first = 2 }))
    place = codecell.assert(made:listen())
    client = codecell.assert(http.client({ ca_file = folder .. "/ca.pem" }))
  end)
  teardown(function()
    if made then
      made:close()
      client:close()
      shell.remove(folder)
    end
  end)
  before_each(function()
    if not made then
      pending "openssl is not installed"
    end
  end)

  local function run(program)
    return outside.python(CLIENT:format(place.port, folder) .. program)
  end

  local function ask(path, given)
    given = given or {}
    given.url = ("https://127.0.0.1:%d%s"):format(place.port, path)
    local response, err = client:request(given)
    if not response then
      return nil, err
    end
    return response:all(2 ^ 26)
  end

  it("answers, also what is long both ways, and on connections that are kept", function()
    assert.equal("/a 0", ask("/a"))
    assert.equal("/b 3000000", ask("/b", { method = "POST", body = ("y"):rep(3000000) }))
    assert.equal(5000000, #codecell.assert(ask("/large")))
    assert.equal("/c 0", ask("/c"))
  end)

  it("speaks TLS 1.2 and 1.3, and HTTP/1.1 by ALPN", function()
    assert.equal("TLSv1.2 http/1.1\nTLSv1.3 http/1.1\n", run([[
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    made = context(minimum_version=version, maximum_version=version)
    made.set_alpn_protocols(["h2", "http/1.1"])
    peer = secure(made)
    print(peer.version(), peer.selected_alpn_protocol())
]]))
  end)

  it("speaks nothing older", function()
    assert.equal("refused\n", run([[
import warnings
warnings.simplefilter("ignore")
made = context(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
made.set_ciphers("ALL:@SECLEVEL=0")
try:
    secure(made)
    print("spoke")
except (ssl.SSLError, OSError):
    print("refused")
]]))
  end)

  it("shows that an answer was broken off", function()
    local body, err = ask("/cut")
    assert.same({ nil, "unavailable" }, { body, err and err.kind })
  end)

  it("is waited for by nobody when others speak HTTP, nothing, or half of something #S109",
  function()
    assert.equal("over over over over\n", run([[
peers = [plain() for _ in range(4)]
peers[0].sendall(ASK % b"/plain")
peers[1].sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
answered = secure()
answered.sendall(ASK % b"/meanwhile")
assert all_of(answered).endswith("/meanwhile 0")
# A byte now and then puts off nothing.
began = time.time()
peers[3].sendall(b"\x16\x03\x01\x02\x00")
try:
    while time.time() - began < 100:
        peers[3].sendall(b"\x01")
        time.sleep(0.1)
    print("held")
except OSError:
    pass
print(*("over" if "HTTP" not in all_of(peer) else "answered" for peer in peers))
]]))
  end)

  it("says what is wrong with a certificate or a key", function()
    local function problem(certificate, key)
      local one, err = server.new(print, { certificate = certificate, key = key })
      assert.is_nil(one)
      assert.equal("invalid_argument", err.kind)
      return err.message
    end
    assert.matches("^certificate: not the chain of one in PEM", problem("none", texts.key))
    assert.matches("^certificate: ", problem(texts.key, texts.key))
    assert.matches("^key: not a private key in PEM", problem(texts.certificate, "none"))
    assert.matches("^the key is not that of the certificate",
      problem(texts.certificate, shell.read(folder .. "/ca.key")))
    local locked = shell.run(("openssl pkcs8 -topk8 -in %s/server.key -passout pass:secret")
      :format(folder)).stdout
    assert.matches("^key: it has a password", problem(texts.certificate, locked))
    assert.has_error(function() server.new(print, { key = texts.key }) end,
      "server: a certificate and its key belong together")
  end)
end)
