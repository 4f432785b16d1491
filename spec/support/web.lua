-- web.lua -- a web server of the host, once without and once with TLS, whose answers are what its
-- paths ask for: right ones and wrong ones. Its certificates are of an authority of its own.
local authority = require "spec.support.authority"
local codecell = require "codecell"
local shell = require "spec.support.shell"

local PROGRAM = [==[
import asyncio, gzip, json, ssl, sys

seen = []    # heads of the requests, as text

def fields_of(head):
    return {key.lower(): value for key, value in
            (row.split(": ", 1) for row in head.split("\r\n")[1:] if ": " in row)}

async def body_of(reader, fields):
    if fields.get("transfer-encoding") == "chunked":
        size = 0
        while True:
            length = int((await reader.readline()).strip(), 16)
            size += length
            await reader.readexactly(length + 2)
            if length == 0:
                return size
    left = size = int(fields.get("content-length", 0))
    while left > 0:
        left -= len(await reader.readexactly(min(left, 65536)))
    return size

async def answer(reader, writer, head, path):
    fields = fields_of(head)
    def say(status, text, extra=""):
        data = text.encode()
        writer.write(("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n"
                      % (status, extra, len(data))).encode())
        if not head.startswith("HEAD "):
            writer.write(data)
    if path == "/early":
        say("413 Too large", "no more")
        await writer.drain()
        await asyncio.sleep(0.05)
        return False
    if path == "/slow-to-take":
        await asyncio.sleep(0.2)
    size = await body_of(reader, fields)
    if path == "/head":
        say("200 OK", head)
    elif path == "/seen":
        say("200 OK", json.dumps(seen))
    elif path == "/peer":
        say("200 OK", str(writer.get_extra_info("peername")[1]))
    elif path.startswith("/redirect/"):
        say("302 Found", "", "Location: %s\r\n" % path[10:])
    elif path == "/moved":
        say("308 Permanent Redirect", "", "Location: /size\r\n")
    elif path == "/fields":
        say("200 OK", "x", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty:\r\nBad Name: x\r\n"
            "X-Tab: a\tb\r\nConnection: x-hop, keep-alive\r\nX-Hop: 1\r\n")
    elif path == "/interim":
        for _ in range(5):
            writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        say("200 OK", "after")
    elif path == "/chunks":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Late: 1\r\n\r\n")
    elif path == "/big":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (32 << 20))
        for _ in range(512):
            writer.write(b"x" * 65536)
            await writer.drain()
    elif path == "/endless":
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(20000): # more than anyone takes
            writer.write(b"x" * 65536)
            await writer.drain()
    elif path == "/gzip":
        data = gzip.compress(b"0" * 1000000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
                     % len(data) + data)
    elif path == "/bomb":
        data = gzip.compress(b"0" * 50000000)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n%x\r\n"
                     % len(data) + data + b"\r\n0\r\n\r\n")
    elif path == "/empty":
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif path == "/not-modified":
        writer.write(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n")
    elif path == "/stream":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for i in range(3):
            writer.write(b"6\r\nevent\n\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    elif path == "/short":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
        return False
    elif path == "/cut-chunk":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        return False
    elif path == "/bad-chunk":
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n")
        return False
    elif path == "/two-lengths":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde")
        return False
    elif path == "/garbage":
        writer.write(b"\x00\x01\x02 what is this?\r\n\r\n")
        return False
    elif path == "/long-head":
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for _ in range(1000):
                writer.write(b"X-A: " + b"a" * 1000 + b"\r\n")
                await writer.drain()
        except OSError:
            return False
    elif path == "/long-line":
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        try:
            for _ in range(100):
                writer.write(b"a" * 65536)
                await writer.drain()
        except OSError:
            return False
    elif path == "/no-answer":
        return False
    elif path == "/reset":
        import socket, struct
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                   struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False
    elif path == "/silent":
        await asyncio.sleep(60)
        return False
    elif path == "/half-head":
        writer.write(b"HTTP/1.1 200 OK\r\nX-")
        await writer.drain()
        await asyncio.sleep(60)
        return False
    else:
        say("200 OK", "%s %s %d" % (head.split(" ")[0], path, size))
    await writer.drain()
    return True

async def serve(reader, writer):
    is_last = False # the next request is not answered
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            seen.append(head)
            del seen[:-20]
            if is_last:
                break
            is_last = head.split(" ")[1] == "/last"
            if not await answer(reader, writer, head, head.split(" ")[1].split("?")[0]):
                break
    except (OSError, asyncio.IncompleteReadError, ValueError):
        pass
    finally:
        writer.close()

async def main():
    folder = sys.argv[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder + "/server.pem", folder + "/server.key")
    ports = []
    for tls in (None, context):
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
]==]

local web = {}

web.is_possible = authority.is_possible

--- A server: `http` and `https` are its ports, `ca` whom to trust. `web.stop` ends it.
function web.start()
  local folder = shell.folder()
  authority.make(folder, { "DNS:good.example", "DNS:other.example", "IP:127.0.0.1" })
  shell.write(folder .. "/web.py", PROGRAM)
  os.execute(("mkfifo %s/life"):format(folder))
  os.execute(("timeout 900 /usr/bin/python3 %s/web.py %s < %s/life > %s/ports 2> %s/errors &")
    :format(folder, folder, folder, folder, folder))
  local self = { folder = folder, ca = folder .. "/ca.pem" }
  self.life = assert(io.open(folder .. "/life", "w"))
  local patience = os.time() + 60
  repeat
    codecell.step(0.02)
    local http, https = (shell.read(folder .. "/ports") or ""):match("^(%d+) (%d+)\n")
    self.http, self.https = tonumber(http), tonumber(https)
  until self.https or os.time() > patience
  assert(self.https, shell.read(folder .. "/errors"))
  return self
end

function web.stop(self)
  self.life:close()
  shell.remove(self.folder)
end

return web
