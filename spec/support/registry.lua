-- registry.lua -- a web server on the loopback with what package managers and git ask for, and
-- one that speaks TLS. In one Python program of the host, which keeps connections open.
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"

local PROGRAM = [==[
import base64, hashlib, http.server, io, json, os, ssl, tarfile, threading, zipfile

folder = "%s"
os.chdir(folder)

def wheel():
    data = io.BytesIO()
    info = "tiny-1.0.dist-info/"
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("tiny.py", "value = 42\n")
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr(info + "WHEEL",
                         "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "tiny.py,,\n%%sMETADATA,,\n%%sWHEEL,,\n%%sRECORD,,\n"
                         %% (info, info, info))
    return data.getvalue()

def package():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name, text in (("package.json", '{"name":"tiny","version":"1.0.0","main":"i.js"}'),
                           ("i.js", "module.exports = 42\n")):
            entry = tarfile.TarInfo("package/" + name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()

WHEEL, PACKAGE = wheel(), package()

class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments):
        pass
    def answer(self, data, kind="text/html"):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
    def do_GET(self):
        host = self.headers["Host"]
        if self.path == "/simple/tiny/":
            self.answer(b'<a href="/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>')
        elif self.path.endswith(".whl"):
            self.answer(WHEEL, "application/octet-stream")
        elif self.path == "/npm/tiny":
            digest = base64.b64encode(hashlib.sha512(PACKAGE).digest()).decode()
            self.answer(json.dumps({"name": "tiny", "dist-tags": {"latest": "1.0.0"}, "versions": {
                "1.0.0": {"name": "tiny", "version": "1.0.0", "main": "i.js", "dist": {
                    "tarball": "http://%%s/npm/tiny.tgz" %% host,
                    "integrity": "sha512-" + digest}}}}).encode(), "application/json")
        elif self.path == "/npm/tiny.tgz":
            self.answer(PACKAGE, "application/octet-stream")
        elif self.path == "/page":
            self.answer(b"<html><head><title>A small page</title></head><body>text</body></html>")
        elif self.path == "/api":
            self.answer(json.dumps({"items": [1, 2, 3]}).encode(), "application/json")
        elif self.path == "/socket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"echo " + self.rfile.readline())
            self.close_connection = True
        elif self.path == "/host":
            self.answer(host.encode() + b"\n")
        else:
            super().do_GET()

plain = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
secret = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if os.path.exists("cert"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert", "key")
    secret.socket = context.wrap_socket(secret.socket, server_side=True,
                                        do_handshake_on_connect=False)
for server in (plain, secret):
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(plain.server_address[1], secret.server_address[1], flush=True)
while os.path.exists("alive"):
    threading.Event().wait(0.05)
]==]

local registry = {}

--- Start it; `folder` is what it shows, with `cert` and `key` for TLS if openssl made them, and
--- `repository.git`, if git did.
---@return table server {plain=port, secret=port, folder=, close=function}
function registry.start()
  local folder = shell.folder()
  shell.write(folder .. "/alive", "")
  shell.run(("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=good.example "
    .. "-addext subjectAltName=DNS:good.example -keyout key -out cert 2>/dev/null"):format(folder))
  shell.run(("cd %s && git init -q work && cd work && echo text > file && git add file && "
    .. "git -c user.name=a -c user.email=a@b.example commit -q -m first && cd .. && "
    .. "git clone -q --bare work repository.git && cd repository.git && git update-server-info")
    :format(folder))
  local plain, wait, printed = outside.server(PROGRAM:format(folder))
  return { plain = plain, secret = tonumber(printed():match("^%d+ (%d+)\n")), folder = folder,
    close = function()
      os.remove(folder .. "/alive")
      wait()
      shell.remove(folder)
    end }
end

return registry
