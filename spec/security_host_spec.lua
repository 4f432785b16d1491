-- Attacks on the host through what it reads: paths, names, bytes, sizes.

local attack = require "spec.support.attack"
local codecell = require "codecell"

local within = attack.within

local function contents(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

describe("the host's file verbs", function()
  it("resolve links inside, never on the host #S018 #S058 #I02", function()
    local canary = os.tmpname()
    local file = assert(io.open(canary, "w"))
    file:write("canary")
    file:close()
    within(function(sandbox)
      attack.python(sandbox, ([[
os.symlink(%q, "/home/user/canary")
os.symlink("/etc/shadow", "/home/user/shadow")
os.symlink("/proc/self/environ", "/home/user/environ")
os.symlink("/", "/home/user/root")
os.symlink("/etc/passwd", "/home/user/passwd")
]]):format(canary))
      for _, path in ipairs({ "canary", "shadow", "root" .. canary, "root/etc/shadow" }) do
        local text, err = sandbox.files:read(path)
        assert.is_nil(text)
        assert.is_true(err.kind == "not_found" or err.kind == "permission_denied",
          path .. " " .. err.kind)
      end
      local environment, err = sandbox.files:read("environ")
      assert.is_true(environment == nil or environment == "", tostring(err))
      local users = assert(sandbox.files:read("passwd"))
      assert.is_nil(users:find(os.getenv("USER") or "host-user", 1, true))
    end)
    assert.equal("canary", contents(canary))
    os.remove(canary)
  end)

  it("stay inside while the code swaps files and links #S059", function()
    local canary = os.tmpname()
    within(function(sandbox)
      local swapper = assert(sandbox.commands:run({ "python3", "-c", attack.prelude .. ([[
os.makedirs("/home/user/a", exist_ok=True)
while True:
    for target in ("/home/user/a/x", %q, "/etc/passwd", "/usr/bin/env"):
        for action in (lambda: os.unlink("/home/user/x"), lambda: os.rmdir("/home/user/x"),
                       lambda: os.symlink(target, "/home/user/x")):
            attempt(action)
    attempt(lambda: os.mkdir("/home/user/x"))
]]):format(canary) }, { background = true }))
      for i = 1, 300 do
        sandbox.files:write("x", "attack " .. i)
        sandbox.files:read("x")
        sandbox.files:list(".")
        sandbox.files:rename("x", "y")
        sandbox.files:remove("y")
      end
      swapper:kill()
      assert.is_true(assert(sandbox.files:exists("/usr/bin/env")))
    end)
    assert.equal("", contents(canary))
    os.remove(canary)
  end)

  it("give names back as the bytes they are #S060", function()
    within(function(sandbox)
      attack.python(sandbox, [[
for name in (b"new\nline", b"\xff\xfe", b"..hidden", b"-rf", b" space ", b"'quote\"", b"n" * 255):
    open(b"/home/user/" + name, "w").close()
]])
      local names = {}
      for _, entry in ipairs(assert(sandbox.files:list("."))) do
        names[entry.name] = true
      end
      for _, name in ipairs({ "new\nline", "\255\254", "..hidden", "-rf", " space ", "'quote\"",
        ("n"):rep(255) }) do
        assert.is_true(names[name], string.format("%q", name))
        assert.equal("", assert(sandbox.files:read("/home/user/" .. name)))
      end
      for _, path in ipairs({ ("n"):rep(256), ("d/"):rep(2100) .. "x" }) do
        local entry, err = sandbox.files:write(path, "x")
        assert.is_nil(entry)
        assert.equal("invalid_argument", err.kind)
      end
      assert.has_error(function()
        sandbox.files:read("a\0b")
      end)
    end)
  end)

  it("download nothing that leads outside #S060 #S066", function()
    local target = os.tmpname()
    os.remove(target)
    within(function(sandbox)
      attack.python(sandbox, [[
os.makedirs("/home/user/tree/inner")
open("/home/user/tree/inner/file", "w").write("content")
os.chmod("/home/user/tree/inner/file", 0o4755)
os.symlink("/etc/passwd", "/home/user/tree/absolute")
os.symlink("../../../../../../etc/passwd", "/home/user/tree/climbing")
os.symlink("inner/file", "/home/user/tree/staying")
os.symlink("/tmp", "/home/user/tree/folder")
os.mkfifo("/home/user/tree/fifo")
]])
      local refused, err = sandbox.files:download("tree", target)
      assert.is_nil(refused)
      assert.matches('links = "skip"', err.message, 1, true)
      attack.host("rm -rf " .. target)
      codecell.assert(sandbox.files:download("tree", target, { links = "skip" }))
    end)
    assert.equal("content", contents(target .. "/inner/file"))
    local listed = attack.host("cd " .. target
      .. " && find . -type l -printf '%l\\n' -o -type p -o -perm /7000")
    for link in listed:gmatch("[^\n]+") do
      assert.equal("inner/file", link)
    end
    attack.host("rm -rf " .. target)
  end)

  it("read regular files alone, and never wait for one #S068", function()
    within(function(sandbox)
      attack.python(sandbox, [[os.mkfifo("/home/user/fifo")]])
      for path, kind in pairs({
        ["/dev/zero"] = "invalid_argument",
        ["/dev/null"] = "invalid_argument",
        ["/home"] = "invalid_argument",
        ["/proc/kmsg"] = true,
        fifo = "invalid_argument",
        nothing = "not_found",
      }) do
        local text, err = sandbox.files:read(path)
        assert.is_nil(text, path)
        assert.is_true(kind == true or err.kind == kind, path .. " gave " .. err.kind)
      end
    end)
  end)

  it("end a file that grows while it is read #S069", function()
    within(function(sandbox)
      local writer = assert(sandbox.commands:run(
        "while :; do head -c 100000 /dev/zero >> grow; done", { background = true }))
      for _ = 1, 20 do
        local text = sandbox.files:read("grow")
        assert.is_true(text == nil or #text <= 512 * 2 ^ 20)
      end
      writer:kill()
    end, { limits = { disk = 32 * 2 ^ 20 } })
  end)

  it("bound a listing #S067", function()
    within(function(sandbox)
      attack.python(sandbox, [[
os.mkdir("/home/user/many")
for number in range(120000): os.close(os.open("/home/user/many/%d" % number, os.O_CREAT))
]], { timeout = 60 })
      local list, err = sandbox.files:list("many")
      assert.is_true((list and #list == 120000) or err.kind == "limit_exceeded")
    end)
  end)

  it("say no_space when the store is full #S077", function()
    within(function(sandbox)
      local entry, err = sandbox.files:write("large", ("x"):rep(32 * 2 ^ 20))
      assert.is_nil(entry)
      assert.equal("no_space", err.kind)
      assert.truthy(sandbox.files:write("small", "x"))
    end, { limits = { disk = 16 * 2 ^ 20 } })
  end)
end)

describe("what comes out of a sandbox", function()
  local every = {}
  for byte = 0, 255 do
    every[byte + 1] = string.char(byte)
  end
  every = table.concat(every)

  it("keeps all 256 bytes, and makes valid JSON #S062 #D11 #D12", function()
    within(function(sandbox)
      local result = attack.python(sandbox, "os.write(1, bytes(range(256)))")
      assert.equal(every, result.stdout)
      assert(sandbox.files:write("bytes", every))
      assert.equal(every, assert(sandbox.files:read("bytes")))
      local execution = assert(sandbox:run_code("import os\n_ = os.write(1, bytes(range(256)))"))
      assert.equal(every, table.concat(execution.logs.stdout))
      local raised = assert(sandbox:run_code("raise ValueError('nul \\0 and \\udcff')"))
      assert.equal("ValueError", raised.error.name)
      local decoded = codecell.json.decode(codecell.json.encode({ raised.error.value, every }))
      assert.equal(2, #decoded)
    end)
  end)

  it("is output when it looks like a frame #S046", function()
    within(function(sandbox)
      local frame = "\\x01\\x00\\x00\\x00\\x13\\x00\\x00\\x00" .. ("\\x00"):rep(8) .. "x"
      local execution = assert(sandbox:run_code(
        "import os\nfor fd in (1, 2): os.write(fd, b'" .. frame .. "')\n'end'"))
      local expected = "\1\0\0\0\19\0\0\0" .. ("\0"):rep(8) .. "x"
      assert.equal(expected, table.concat(execution.logs.stdout))
      assert.equal(expected, table.concat(execution.logs.stderr))
      assert.equal("'end'", "'" .. execution.text:gsub("'", "") .. "'")
    end)
  end)

  it("cannot be forged for another cell or context #S047 #S122", function()
    within(function(sandbox)
      for _, payload in ipairs({ "bytes(64)", "b'\\xff' * 64",
        "b'\\x00\\x00\\x00\\x00\\x13\\x00\\x00\\x00' + bytes(8)" }) do
        local execution = codecell.assert(sandbox:run_code(
          "import os\nfor fd in range(3, 64):\n  try: os.write(fd, " .. payload
            .. ")\n  except OSError: pass\n"))
        assert.truthy(execution)
        assert.equal("42", assert(sandbox:run_code("6 * 7")).text)
      end
      local other = assert(sandbox:create_code_context())
      assert(sandbox:run_code("secret = 'of-the-first'"))
      local found = assert(sandbox:run_code([[
import os
reached = []
for pid in [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]:
    for name in ("mem", "fd/3", "fd/4"):
        try:
            open("/proc/%s/%s" % (pid, name), "r+b").close()
            reached.append(pid + name)
        except OSError:
            pass
reached]], { context = other }))
      assert.equal("[]", found.text)
    end)
  end)

  it("is data, whatever code it spells #S071 #S072", function()
    within(function(sandbox)
      local text = "'return os.exit(1)'; $(exit) `id` \\n -rf --"
      assert.equal(text .. "\n", assert(sandbox.commands:run({ "printf", "%s\n", text })).stdout)
      for _, word in ipairs({ "-x", "--help", "$(id)", "a b", "'", '"', "new\nline", "*" }) do
        assert.equal(word .. "|", assert(sandbox.commands:run({ "printf", "%s|", word })).stdout)
      end
      local execution = assert(sandbox:run_code("{'__index': 'return os.exit(1)', '__gc': 1}"))
      local metatable = getmetatable(execution.results[1].json)
      assert.is_nil(metatable and metatable.__gc)
    end)
  end)

  it("is bounded when a result is huge, hangs or raises #S063 #S064", function()
    within(function(sandbox)
      local execution = codecell.assert(sandbox:run_code([[
class Huge:
    def _repr_html_(self): return "x" * (300 << 20)
    def __repr__(self): return "huge"
Huge()]], { timeout = 30 }))
      assert.is_true(#((execution.results[1] or {}).html or "") <= 64 * 2 ^ 20)
      execution = codecell.assert(sandbox:run_code([[
class Raising:
    def _repr_html_(self): raise ValueError("no")
    def __repr__(self): return "raising"
Raising()]]))
      assert.truthy(execution)
      execution = codecell.assert(sandbox:run_code([[
class Hanging:
    def __repr__(self):
        while True: pass
Hanging()]], { timeout = 1 }))
      assert.is_true(execution.timed_out)
      execution = codecell.assert(sandbox:run_code(
        "nest = []\nfor _ in range(100000): nest = [nest]\nnest"))
      assert.truthy(execution)
      execution = codecell.assert(sandbox:run_code(
        "[1e999, float('nan'), 10 ** 400, {'a': 2 ** 70}]"))
      assert.truthy(execution.results[1])
      assert.equal("42", assert(sandbox:run_code("6 * 7")).text)
    end)
  end)

  it("never grows the host by what is not read #S053", function()
    within(function(sandbox)
      local process = assert(sandbox.commands:run("sleep 60", { background = true, stdin = true }))
      local before = tonumber(attack.host("awk '/VmRSS/{print $2}' /proc/$PPID/status"))
      local data, sent = ("x"):rep(2 ^ 20), 0
      local task = codecell.async(function()
        while sent < 64 do
          if not process:write(data) then
            return
          end
          sent = sent + 1
        end
      end)
      task:wait(1)
      local after = tonumber(attack.host("awk '/VmRSS/{print $2}' /proc/$PPID/status"))
      assert.is_true(sent < 64)
      assert.is_true(after - before < 8192, after - before)
      process:kill()
      task:wait(60)
    end)
  end)

  it("does not keep another sandbox waiting #S052", function()
    within(function(sandbox)
      local flood = assert(sandbox.commands:run("yes", { background = true }))
      local other = assert(codecell.create())
      for i = 1, 20 do
        assert.equal(tostring(i + 1), assert(other:run_code(i .. " + 1", { timeout = 10 })).text)
      end
      other:close()
      flood:kill()
    end)
  end)

  it("refuses injected names before anything is sent #S070", function()
    within(function(sandbox)
      for _, bad in ipairs({ "a\0b", "a\nb", "a\rb" }) do
        assert.has_error(function()
          codecell.create({ metadata = { [bad] = "x" } })
        end)
        assert.has_error(function()
          codecell.create({ envs = { [bad] = "x" } })
        end)
        assert.has_error(function()
          sandbox.commands:run("true", { envs = { [bad] = "x" } })
        end)
        assert.has_error(function()
          codecell.create({ name = bad })
        end)
      end
      assert.has_error(function()
        codecell.create({ envs = { ["A=B"] = "x" } })
      end)
    end)
  end)

  it("of another sandbox is not to be found #I03 #S111", function()
    within(function(sandbox)
      local other = assert(codecell.create())
      assert(sandbox.files:write("/tmp/mine", "mine"))
      assert(sandbox.files:write("/dev/shm/mine", "mine"))
      local process = assert(sandbox.commands:run("exec -a visible-mark sleep 60",
        { background = true }))
      local found = attack.outcomes(other, [[
for path in ("/tmp/mine", "/dev/shm/mine"): report(path, attempt(os.stat, path))
names = [open("/proc/%s/cmdline" % p).read() for p in os.listdir("/proc") if p.isdigit()]
report("processes", "seen" if any(n.startswith("visible-mark") for n in names) else "none")
report("hostname", socket.gethostname())
]])
      assert.equal("ENOENT", found["/tmp/mine"])
      assert.equal("ENOENT", found["/dev/shm/mine"])
      assert.equal("none", found.processes)
      assert.equal("sandbox", found.hostname)
      process:kill()
      other:close()
    end)
  end)
end)
