-- The host under fire: whatever comes out of a sandbox, however much and however long, the program
-- that embeds it stays bounded in time and memory.

local attack = require "spec.support.attack"
local codecell = require "codecell"
local out_of_time = require "spec.support.out_of_time"
local wait_until = require "spec.support.wait_until"

local within = attack.within

local LONG = 60 -- seconds that no end takes

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
    while view: view = view[os.write(4, view):]
]==]

describe("a host that is flooded", function()
  it("does not linger over a connection that a cell passed to it #S055 #S081", function()
    within(function(sandbox)
      local execution = out_of_time(1, function(timeout)
        return assert(sandbox:run_code([==[
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
refused = []
try:
    full.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1000000))
except OSError:
    refused.append("linger")
try:
    socket.socket(fileno=os.dup(3)).sendmsg([bytes(16)],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [full.fileno()]).tobytes())])
except OSError:
    refused.append("pass on")
print(*refused, flush=True)
full.close()
time.sleep(100)
]==], { timeout = timeout }))
      end)
      assert.is_true(execution.timed_out)
      assert.equal("linger pass on\n", table.concat(execution.logs.stdout))
    end, { timeout = 300 })
  end)

  -- A callback that is slower than the flood, and a child that goes on when the cell has ended.
  local function slowly()
    local till = now() + 0.02
    while now() < till do end
  end

  it("ends a cell in time whose output never does, by callbacks too #S080 #S081", function()
    within(function(sandbox)
      local start = now()
      local execution = assert(sandbox:run_code([==[
import os
for _ in range(3): os.fork()
while True: os.write(1, b"x" * 65536)
]==], { timeout = 1, on_stdout = slowly }))
      assert.is_true(execution.timed_out)
      assert.is_true(now() - start < LONG)
    end, { timeout = 300, limits = { output = 2 ^ 20 } })
  end)

  it("ends a command in time whose output never does #S080 #S081", function()
    within(function(sandbox)
      for _, command in ipairs({ "yes & yes & yes", "setsid yes & setsid yes & sleep 100" }) do
        local start = now()
        local result = assert(sandbox.commands:run(command, { timeout = 1, on_stdout = slowly }))
        assert.is_true(result.timed_out)
        assert.is_true(now() - start < LONG)
      end
    end, { timeout = 300, limits = { output = 2 ^ 20 } })
  end)

  it("ends a cell in time that floods its kernel's socket with tiny frames #S052 #S081", function()
    within(function(sandbox)
      local other = assert(codecell.create({ timeout = 300 }))
      local answers, over = 0, false
      codecell.async(function()
        while not over and other:run_code("1 + 1") do
          answers = answers + 1
        end
      end)
      local run = assert(sandbox:start_code([==[
import os, threading
os.set_blocking(4, False)
flood = bytes(16) * 4096
def pour():
    while True:
        try: os.write(4, flood)
        except OSError: pass
for _ in range(3): threading.Thread(target=pour).start()
pour()
]==]))
      wait_until(function() return answers > 3 end)
      assert(run:set_timeout(0.5))
      assert.is_true(assert(run:wait(LONG)).timed_out)
      over = true
      other:close()
    end, { timeout = 300 })
  end)

  it("keeps a bounded number and size of results, and says so #S063", function()
    within(function(sandbox)
      local execution = assert(sandbox:run_code([==[
class Page:
    def _repr_html_(self): return "x" * 4000000
for _ in range(60): display(Page())
]==]))
      assert.is_true(#execution.results < 60)
      assert.same({ kept = #execution.results, total = 60 }, execution.truncated.results)
      execution = assert(sandbox:run_code(forge .. "for _ in range(5000): send(17, b'')"))
      assert.same({ kept = 2000, total = 5000 }, execution.truncated.results)
    end)
  end)

  it("takes no more values from all results of a cell than from one #S064", function()
    within(function(sandbox)
      local results = assert(sandbox:run_code(forge .. [==[
body = b"[" + b"[]," * 300000 + b"[]]"
for _ in range(20): send(17, part(b"json", body) + part(b"x json", body))
]==])).results
      assert.equal(20, #results)
      assert.equal(300001, #results[1].json)
      assert.equal("string", type(results[1].extra.x))
      assert.equal("string", type(results[20].json))
    end)
  end)

  it("takes numbers of an error and of a cell only where they are whole #S054", function()
    within(function(sandbox)
      for _, number in ipairs({ "1e999", "1.5", "-1", "0x10", "nan", ("9"):rep(100000), "" }) do
        local execution = assert(sandbox:run_code(forge .. ("number = b%q\n"):format(number) .. [==[
send(18, part(b"name", b"Error") + part(b"line", number) + part(b"value", b"x" * 9000000))
send(19, part(b"execution_count", number))
]==]))
        assert.is_nil(execution.error.line)
        assert.equal(0, execution.execution_count)
        assert.is_true(#execution.error.value < 5000000)
        assert.matches("Error", codecell.format(execution))
      end
    end)
  end)

  it("takes no table of millions of parts or values from a frame #S064 #S065", function()
    within(function(sandbox)
      local execution = assert(sandbox:run_code(forge .. [==[
send(17, part(b"json", b"[" + b"[]," * 4000000 + b"[]]"))
names = b",".join(b'"%d":1' % i for i in range(1000000))
send(17, part(b"json", b"{" + names + b"}"))
svg = b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><svg>&b;</svg>"
picture = b"<img src='data:image/png;base64,%s'>" % (b"A" * 1000000)
send(17, part(b"svg", svg) + part(b"html", picture))
]==]))
      assert.equal("string", type(execution.results[1].json))
      assert.equal("string", type(execution.results[2].json))
      assert.equal("<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><svg>&b;</svg>",
        execution.results[3].svg)
      assert.equal(1000000 + #"<img src='data:image/png;base64,'>", #execution.results[3].html)
      assert(sandbox:run_code(forge .. "send(17, bytes(4) * 1000000)"))
      assert.equal("2", assert(sandbox:run_code("1 + 1")).text)
    end)
  end)
end)

describe("a host that takes files from a sandbox", function()
  local place
  before_each(function() place = attack.host("mktemp -d"):match("%S+") end)
  after_each(function() os.execute("rm -rf " .. place) end)

  it("makes no link that leads out by way of another link #S060 #S066", function()
    within(function(sandbox)
      assert(sandbox:run_code([==[
import os
os.makedirs("escape/a/b")
os.symlink("../..", "escape/a/b/s")
os.symlink("a/b/s/../../etc/hostname", "escape/x")
os.makedirs("inside/a/b")
open("inside/f", "w").write("kept")
os.symlink("../../f", "inside/a/b/s")
os.symlink("a/b/s", "inside/x")
]==]))
      local done, err = sandbox.files:download("escape", place .. "/escape")
      assert.is_nil(done)
      assert.equal("invalid_argument", err.kind)
      assert.equal("", attack.host("readlink " .. place .. "/escape/x"))
      assert(sandbox.files:download("inside", place .. "/inside"))
      assert.equal("kept", attack.host("cat " .. place .. "/inside/x"))
    end)
  end)

  it("takes no more than the sandbox can hold, whatever sizes say #S066 #S068 #S069", function()
    within(function(sandbox)
      assert(sandbox:run_code([==[
import os
with open("holes", "wb") as file: file.truncate(1 << 40)
os.mkdir("same")
with open("same/0", "wb") as file: file.write(bytes(8 << 20))
for i in range(1, 10): os.link("same/0", "same/%d" % i)
]==]))
      local bytes, err = sandbox.files:read("holes")
      assert.is_nil(bytes)
      assert.equal("limit_exceeded", err.kind)
      local zeros = ("\0"):rep(100)
      assert.equal(zeros, assert(sandbox.files:read("holes", { offset = 5, length = 100 })))
      for _, name in ipairs({ "holes", "same" }) do
        local done
        done, err = sandbox.files:download(name, place .. "/" .. name)
        assert.is_nil(done)
        assert.equal("limit_exceeded", err.kind)
      end
      assert.is_true(tonumber(attack.host("du -sm " .. place):match("%d+")) < 80)
    end, { limits = { disk = 32 * 2 ^ 20 } })
  end)

  it("is told of a listing that is too large, and goes on #S067", function()
    within(function(sandbox)
      assert(sandbox:run_code(
        "import os\nos.mkdir('l')\nfor i in range(9000): os.symlink('x' * 4000, 'l/%d' % i)"))
      local list, err = sandbox.files:list("l")
      assert.is_nil(list)
      assert.equal("limit_exceeded", err.kind)
      assert.matches("list l: it holds more than is told at once .* less depth$", err.message)
      assert.equal("2", assert(sandbox:run_code("1 + 1")).text)
    end)
  end)

  it("is told of paths that are too long, by each verb that looks below a folder #S060", function()
    within(function(sandbox)
      assert(sandbox:run_code("import os\nos.mkdir('d')\nos.chdir('d')\n"
        .. "for i in range(30): os.mkdir('x' * 200); os.chdir('x' * 200)"))
      local _, err = sandbox.files:list("d", { depth = 1000 })
      assert.matches("list d: a name there .* less depth$", err.message)
      _, err = sandbox.files:download("d", "/dev/null/d")
      assert.matches("download d: a name there", err.message)
      assert.equal(1, #assert(sandbox.files:list("d")))
    end)
  end)
end)

describe("descriptors on their way", function()
  it("of one sandbox keep no other from starting, reading or opening a terminal #S055 #S079",
    function()
      local hoard = assert(codecell.create({ timeout = 300 }))
      local process = assert(hoard.commands:run({ "python3", "-c", [==[
import array, os, socket, time
descriptors = array.array("i", [os.open("/dev/null", 0)] * 253).tobytes()
kept = []
try:
    while True:
        kept.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        kept[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
except OSError as error:
    print(error.errno, flush=True)
time.sleep(60)
]==] }, { background = true }))
      assert.equal("109\n", assert(process:read(LONG))) -- ETOOMANYREFS
      local start = os.clock()
      local sandbox, err = codecell.create({ timeout = 300 })
      if sandbox then
        assert(sandbox.pty:create({ cmd = { "true" } })):wait(60)
        assert(sandbox.commands:run("head -c 100000 /dev/zero > file"))
        assert.equal(100000, #assert(sandbox.files:read("file")))
        sandbox:close()
      else -- the host's own limit, as an ordinary user
        assert.equal(109, err.errno)
      end
      assert.is_true(os.clock() - start < 2)
      hoard:close()
    end)
end)

describe("an interpreter of the user's own", function()
  it("never brings along the home or a folder of everything #S001", function()
    local script = [==[
home=$(mktemp -d); mkdir -p "$home/bin" "$home/.local/bin"; echo secret > "$home/key"
for place in "$home/bin" "$home/.local/bin"; do
  cp /usr/bin/python3 "$place/python"
  HOME="$home" CODECELL_PYTHON="$place/python" %s -e '
    local codecell = require "codecell"
    local sandbox = codecell.assert(codecell.create())
    local execution, err = sandbox:run_code("6 * 7")
    local key = sandbox.commands:run("cat " .. os.getenv("HOME") .. "/key")
    print(execution and execution.text or err.kind, key.stdout == "")'
done
rm -rf "$home"]==]
    assert.equal("unsupported\ttrue\nunsupported\ttrue\n",
      attack.host(script:format(attack.interpreter()) .. " 2>&1"))
  end)

  it("does not make the signals and locks of its user scarce #S079", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [==[
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, 40])
timers, number = 0, ctypes.c_int()
while timers < 5000 and libc.timer_create(1, None, ctypes.byref(number)) == 0: timers += 1
print(timers, flush=True)
]==])
      assert.is_true(tonumber(result.stdout) <= 1024, result.stdout)
    end)
  end)
end)
