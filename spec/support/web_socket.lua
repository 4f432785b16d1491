-- web_socket.lua -- a server of WebSockets for the inside of a sandbox, and a client for the host.
local outside = require "spec.support.outside"

local web_socket = {}

local FRAMES = [==[
import base64, hashlib, os, socket, ssl, struct, sys, threading, time

def accept_of(key):
    text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()

def exactly(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data

def head_of(peer):
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += exactly(peer, 1)
    lines = data.decode().split("\r\n")
    return lines[0], {key.lower(): value for key, value in
                      (line.split(": ", 1) for line in lines[1:] if ": " in line)}

def send(peer, kind, data, mask=b""):
    size = len(data)
    bit = 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, bit | size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, bit | 127, size)
    if mask:
        data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
    peer.sendall(head + mask + data)

def receive(peer):
    first, second = exactly(peer, 2)
    size = second & 127
    if size > 125:
        size = struct.unpack("!Q", exactly(peer, 8))[0]
    mask = exactly(peer, 4) if second & 0x80 else b""
    data = exactly(peer, size)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(data)) if any(mask) else data
]==]

local SERVER = [==[
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 8000))
listener.listen(50)

def serve(peer):
    first, fields = head_of(peer)
    if fields.get("upgrade") != "websocket":
        peer.sendall(b"HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"4\r\nno\r\n\r\n0\r\n\r\n")
        return
    peer.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n\r\n"
                  % accept_of(fields["sec-websocket-key"])).encode())
    send(peer, 1, ("%s %s" % (first.split()[1], fields["host"])).encode())
    try:
        while True:
            kind, data = receive(peer)
            send(peer, kind, data)
            if kind == 8:
                break
    except (EOFError, OSError):
        open("/tmp/vanished", "a").write("one\n")
    finally:
        peer.close()

print("on", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
]==]

local CLIENT = [==[
PORT, TRUST, HOST, FIELDS = %d, "%s", "%s", "%s"
def connect():
    peer = socket.create_connection(("127.0.0.1", PORT), 20)
    if TRUST:
        context = ssl.create_default_context(cafile=TRUST)
        peer = context.wrap_socket(peer, server_hostname=HOST.split(":")[0])
    return peer
def open_socket(path="/chat?a=b", fields=FIELDS):
    peer = connect()
    key = base64.b64encode(os.urandom(16)).decode()
    # A first frame right behind the head.
    peer.sendall(("GET %%s HTTP/1.1\r\nHost: %%s\r\nUpgrade: websocket\r\nConnection: keep-alive, "
                  "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %%s\r\n%%s\r\n"
                  %% (path, HOST, key, fields)).encode() + b"\x81\x85abcd\x09\x07\x0f\x08\x0e")
    first, fields = head_of(peer)
    if " 101 " not in first:
        return None, first
    assert fields["sec-websocket-accept"] == accept_of(key)
    return peer, receive(peer)[1].decode()
]==]

--- The program of the server, which listens at port 8000 and says what was asked for, then echoes.
web_socket.server = FRAMES .. SERVER

--- Run a client: `port` and `trust` (a file of certificates, or "") of the gateway, `host` and
--- `fields` (lines) of its requests. What it prints.
function web_socket.client(to, program)
  return outside.python(FRAMES .. CLIENT:format(to.port, to.trust, to.host, to.fields:gsub("\r\n",
    "\\r\\n")) .. program)
end

return web_socket
