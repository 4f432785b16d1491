-- world.lua -- a small world on the loopback for sandboxes with a network: a name server, a web
-- server, an echo, and one that records what it is told. All in one Python program of the host.
local codecell = require "codecell"
local outside = require "spec.support.outside"
local shell = require "spec.support.shell"

local PROGRAM = [==[
import asyncio, signal, socket, struct, sys

NAMES = {
    "good.example": ["127.0.0.1"], "other.example": ["127.0.0.1"],
    "a.wild.example": ["127.0.0.1"], "a.b.wild.example": ["127.0.0.1"],
    "wild.example": ["127.0.0.1"], "denied.wild.example": ["127.0.0.1"],
    "private.example": ["10.0.0.5"], "metadata.example": ["169.254.169.254"],
    "carrier.example": ["100.100.100.200"], "both.example": ["10.0.0.5", "127.0.0.1"],
    "mapped.example": ["::ffff:10.0.0.5"], "nat64.example": ["64:ff9b::a00:5"],
    "local6.example": ["fd00:ec2::254"], "sixtofour.example": ["2002:a00:5::1"],
    "loop.example": ["127.0.0.2"], "six.example": ["::1"],
    "public.example": ["93.184.215.14"], # never connected to
}
asked = []
flips = [0]

def addresses(name):
    if name == "flip.example":
        flips[0] += 1
        return ["127.0.0.1" if flips[0] % 2 else "10.0.0.5"]
    return NAMES.get(name)

class Resolver(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, peer):
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        name = ".".join(labels).lower()
        asked.append(name)
        if name == "silent.example":
            return
        if kind == 28 and name == "flip.example":
            found = []
        else:
            found = addresses(name)
        records = []
        for address in found or []:
            packed = socket.inet_pton(10 if ":" in address else 2, address)
            if (kind, len(packed)) in ((1, 4), (28, 16)):
                records.append(b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(packed))
                               + packed)
        code = 0 if found is not None else 3
        self.transport.sendto(data[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records),
                              0, 0) + data[12:at + 5] + b"".join(records), peer)

async def web(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    line = head.split(b"\r\n")[0].decode()
    method, path, _ = line.split(" ")
    fields = dict(row.lower().split(": ", 1) for row in head.decode().split("\r\n")[1:] if row)
    body = await reader.readexactly(int(fields.get("content-length", 0)))
    status, extra = "200 OK", ""
    if path == "/asked":
        answer = "\n".join(asked)
    elif path == "/head":
        answer = head.decode()
    elif path.startswith("/redirect/"):
        status, extra, answer = "302 Found", "Location: http://%s\r\n" % path[10:], ""
    elif path == "/big":
        answer = "x" * (16 << 20)
    else:
        answer = "%s %s %d" % (method, path, len(body))
    writer.write(("HTTP/1.1 %s\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                  % (status, extra, len(answer), answer)).encode())
    await writer.drain()
    writer.close()

async def echo(reader, writer):
    writer.write(b"hello\n") # the server speaks first
    while True:
        data = await reader.read(1 << 18)
        if not data:
            break
        writer.write(data)
        await writer.drain()
    writer.close()

async def quiet(reader, writer):
    data = await reader.read(4096)
    writer.write(b"%d bytes, first %d\n" % (len(data), data[0] if data else -1))
    writer.close()

async def main():
    loop = asyncio.get_running_loop()
    resolver, _ = await loop.create_datagram_endpoint(Resolver, ("127.0.0.1", 0))
    ports = [resolver.get_extra_info("sockname")[1]]
    for serve in (web, echo, quiet):
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    await loop.run_in_executor(None, sys.stdin.read)

asyncio.run(main())
]==]

local world = {}

--- Call inside `describe` with busted's `setup` and `teardown`: a table with the ports `names`,
--- `web`, `echo` and `quiet` once the setup has run.
function world.new(setup, teardown)
  local self = {}
  setup(function()
    local folder = shell.folder()
    shell.write(folder .. "/world.py", PROGRAM)
    self.folder = folder
    os.execute(("mkfifo %s/life"):format(folder))
    os.execute(("timeout 900 /usr/bin/python3 %s/world.py < %s/life > %s/ports 2> %s/errors &")
      :format(folder, folder, folder, folder))
    self.life = assert(io.open(folder .. "/life", "w"))
    local patience = os.time() + 60
    local ports
    repeat
      codecell.step(0.02)
      ports = { (shell.read(folder .. "/ports") or ""):match("^(%d+) (%d+) (%d+) (%d+)\n") }
    until #ports == 4 or os.time() > patience
    self.names, self.web = tonumber(ports[1]), tonumber(ports[2])
    self.echo, self.quiet = tonumber(ports[3]), tonumber(ports[4])
    codecell.setup({ name_servers = { "127.0.0.1:" .. self.names } })
  end)
  teardown(function()
    codecell.setup({ name_servers = {} })
    self.life:close()
    shell.remove(self.folder)
  end)
  return self
end

--- What the name server was asked for so far.
function world.asked(self)
  return outside.python(([[
import urllib.request
print(urllib.request.urlopen("http://127.0.0.1:%d/asked").read().decode())]]):format(self.web))
end

return world
