-- Attacks on the host from the other side: name servers and servers that mean harm.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local inside = require "spec.support.inside"
local shell = require "spec.support.shell"
local outside = require "spec.support.outside"

-- A name server that answers as the first label of a name says, and a server that does harm as
-- the first byte that it gets says.
local PROGRAM = [==[
import os, random, socket, struct, threading, time
random.seed(1)

def name(text):
    return b"".join(bytes([len(l)]) + l.encode() for l in text.split(".")) + b"\x00"
def record(owner, kind, data, ttl=0):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data
def address(owner, text, ttl=0):
    return record(owner, 1, socket.inet_aton(text), ttl)

SELF = b"\xc0\x0c"
def answer(query, by_stream=False):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1").lower())
        at += 1 + query[at]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    head, question, how = query[:2], query[12:at + 5], labels[0]
    flags, records, tail = 0x8180, [], b""
    if how == "garbage":
        return os.urandom(random.randrange(1, 500))
    if how == "cut":
        return head + struct.pack(">HHHHH", flags, 1, 5, 0, 0) + question + SELF + b"\x00"
    if how == "silent":
        return None
    if how == "foreign":
        head = bytes(2) if head != bytes(2) else b"\x01\x01"
    if how == "pointers":
        return head + struct.pack(">HHHHH", flags, 1, 9, 0, 0) + question + (
            b"\xc0" + bytes([12 + len(question)])) * 40
    if how == "truncated" and not by_stream:
        flags |= 0x200
    if how == "refused":
        flags |= 5
    if kind == 1:
        if how == "loop":
            records = [record(SELF, 5, SELF)]
        elif how == "chain":
            last = SELF
            for i in range(40):
                target = name("c%d.chain.example" % i)
                records.append(record(last, 5, target))
                last = target
            records.append(address(last, "127.0.0.1"))
        elif how == "inward":
            target = name("localhost")
            records = [record(SELF, 5, target), address(target, "127.0.0.53")]
        elif how == "poison":
            records = [address(SELF, "127.0.0.1", 600)]
            tail = address(name("good.example"), "10.6.6.6", 86400)
        elif how == "many":
            records = [address(SELF, "10.0.%d.%d" % (i // 200, i % 200)) for i in range(1, 60)]
        elif how == "eternal":
            records = [address(SELF, "127.0.0.1", 0x7fffffff)]
        elif how in ("good", "harm", "foreign") or by_stream:
            records = [address(SELF, "127.0.0.1")]
    return (head + struct.pack(">HHHHH", flags, 1, len(records), 0, 1 if tail else 0) + question
            + b"".join(records) + tail)

streams = socket.create_server(("127.0.0.1", 0))
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(streams.getsockname())
def resolve_stream():
    while True:
        peer, _ = streams.accept()
        threading.Thread(target=converse, args=(peer,), daemon=True).start()
def converse(peer):
    with peer, peer.makefile("rb") as stream:
        while True:
            size = stream.read(2)
            if len(size) < 2:
                return
            found = answer(stream.read(struct.unpack(">H", size)[0]), True)
            peer.sendall(struct.pack(">H", len(found)) + found)
def resolve():
    while True:
        query, peer = names.recvfrom(2000)
        found = answer(query)
        if found is not None:
            names.sendto(found, peer)

server = socket.create_server(("127.0.0.1", 0), backlog=200)
kept = []
def serve(peer):
    try:
        how = peer.recv(1)
        if how == b"r": # a reset in the middle of an answer
            peer.send(b"half")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == b"n": # never reads, never ends
            kept.append(peer)
            return
        elif how == b"e": # sends without end
            while True:
                peer.sendall(bytes(1 << 16))
        elif how == b"d": # one byte at a time
            for _ in range(200):
                peer.send(b".")
                time.sleep(0.001)
        elif how == b"G":
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        peer.close()
    except OSError:
        pass
def accept():
    while True:
        peer, _ = server.accept()
        threading.Thread(target=serve, args=(peer,), daemon=True).start()

for target in (resolve, resolve_stream, accept):
    threading.Thread(target=target, daemon=True).start()
print(server.getsockname()[1], names.getsockname()[1], flush=True)
while not os.path.exists("%s"):
    time.sleep(0.05)
]==]

describe("a hostile world #user #once", function()
  local folder, port, wait, sandbox, run

  setup(function()
    folder = shell.folder()
    local printed
    port, wait, printed = outside.server((PROGRAM:gsub('"%%s"%):\n    time', function()
      return ('"%s/end"):\n    time'):format(folder)
    end)))
    codecell.setup({ name_servers = { "127.0.0.1:" .. printed():match("^%d+ (%d+)") } })
    local allow = { "127.0.0.1:" .. port }
    for _, name in ipairs({ "good", "harm", "garbage", "cut", "silent", "foreign", "pointers",
      "truncated", "refused", "loop", "chain", "inward", "poison", "many", "eternal" }) do
      allow[#allow + 1] = name .. ".example:" .. port
    end
    sandbox = codecell.assert(codecell.create({ network = { allow = allow } }))
    run = inside.runner(sandbox)
  end)

  teardown(function()
    sandbox:close()
    codecell.setup({ name_servers = {} })
    shell.write(folder .. "/end", "")
    wait()
    shell.remove(folder)
  end)

  it("of name servers: nothing that they answer leads inside or holds up others #S097", function()
    local text = run([[
import threading
os.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
found = {}
def ask(name):
    try:
        found[name] = socket.gethostbyname(name + ".example")[:7]
    except OSError as error:
        found[name] = error.args[0]
names = ("garbage cut silent foreign pointers refused loop chain inward poison many "
         "eternal").split()
threads = [threading.Thread(target=ask, args=(name,)) for name in names]
for thread in threads:
    thread.start()
get("http://good.example:%d/")
for thread in threads:
    thread.join()
get("http://good.example:%d/")
for name in ("inward", "many", "loop", "garbage", "pointers"):
    print(name, found[name] in (-2, -3))
print(found["poison"], found["eternal"])
ask("truncated")
print(found["truncated"])
get("http://good.example:%d/")]], port, port, port)
    assert.equal("ok\nok\ninward True\nmany True\nloop True\ngarbage True\npointers True\n"
      .. "198.18. 198.18.\n198.18.\nok\n", text)
  end)

  it("of servers: no bytes are kept that nobody takes, and an end is an end #S109", function()
    local before = attack.descriptors()
    local text = run([[
import threading
def go(how):
    peer = socket.create_connection(("127.0.0.1", 1008), 30)
    peer.sendall(b"CONNECT harm.example:%d HTTP/1.1\r\n\r\n")
    while not peer.recv(1) == b"\n" or not peer.recv(2) == b"\r\n":
        pass
    peer.sendall(how)
    return peer
print(outcome(lambda: go(b"r").makefile("rb").read()))
print(len(go(b"d").makefile("rb").read()))
never = [go(b"n") for _ in range(20)]
sent = 0
for peer in never:
    peer.setblocking(False)
    try:
        while sent < 1 << 30:
            sent += peer.send(bytes(1 << 16))
    except BlockingIOError:
        pass
print(sent < 1 << 30)
endless = [go(b"e") for _ in range(20)]
get("http://good.example:%d/")]], port, port)
    assert.truthy(text:find("^ConnectionResetError.-\n200\nTrue\nok\n$"), text)
    local memory = tonumber(attack.host("grep VmRSS /proc/$PPID/status"):match("%d+"))
    assert.is_true(memory < 400 * 1024, memory .. " KiB")
    run([[
for peer in never + endless:
    peer.close()
del never, endless]])
    local patience = os.time() + 20
    -- What was sent to a server that does not read is still on its way.
    while sandbox:get_metrics().network.open > 20 and os.time() < patience do
      codecell.step(0.02)
    end
    assert.is_true(attack.descriptors_fall_to(before + 2 * 20))
  end)
end)
