-- The host under fire: whatever comes out of a sandbox, however much and however long, the program
-- that embeds it stays bounded in time and memory.

local attack = require "spec.support.attack"
local codecell = require "codecell"

local within = attack.within

local function now()
  return codecell.reactor():now()
end

-- A cell that knows the number of its own request and can so speak as its kernel does.
local forge = [==[
import gc, os, struct
kernel = [o for o in gc.get_objects() if type(o).__name__ == "Kernel"][0]
def part(name, value):
    return struct.pack("<I", len(name)) + name + struct.pack("<I", len(value)) + value
def send(kind, payload, number=None):
    view = memoryview(struct.pack("<IIQ", len(payload), kind, number or kernel.request) + payload)
    while view: view = view[os.write(3, view):]
]==]

describe("a host that is flooded", function()
  it("does not linger over a connection that a cell passed to it #S055 #S081", function()
    within(function(sandbox)
      local start = now()
      local execution = assert(sandbox:run_code([==[
import array, os, socket, struct, time
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
full = socket.create_connection(listener.getsockname())
other, _ = listener.accept()
full.setblocking(False)
try:
    while True: full.send(bytes(65536))
except BlockingIOError:
    pass
try:
    full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1000000))
except OSError:
    print("refused", flush=True)
socket.socket(fileno=os.dup(3)).sendmsg([bytes(16)],
    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [full.fileno()]).tobytes())])
full.close()
time.sleep(100)
]==], { timeout = 1 }))
      assert.is_true(execution.timed_out)
      assert.equal("refused\n", table.concat(execution.logs.stdout))
      assert.is_true(now() - start < 5)
    end, { timeout = 30 })
  end)
end)
