-- Machines of all kinds, and what changes on them while a sandbox is made.

local attack = require "spec.support.attack"
local codecell = require "codecell"

local within = attack.within

describe("what a machine may be like #once", function()
  local function created(before)
    local script = "unshare -m sh -c '" .. before .. " && exec \"$0\" \"$@\"' "
      .. attack.interpreter() .. [==[ -e 'local codecell = require "codecell"
local sandbox, err = codecell.create()
print(sandbox and sandbox:run_code("6 * 7").text or err.kind)' 2>&1]==]
    return attack.host(script)
  end

  it("hides parts of /proc behind the null device, or refuses #S011", function()
    within(function(sandbox)
      local found = attack.outcomes(sandbox, [==[
for path in ("/dev/null", "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/timer_list",
             "/proc/sysrq-trigger"):
    if os.path.exists(path):
        status = os.stat(path)
        report(path, stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3))
]==])
      assert.is_nil(attack.unexpected(found, attack.set("True")))
    end)
    if not attack.root() then
      return pending("needs root to plant a file at /dev/null in a namespace of its own")
    end
    local plant = "file=$(mktemp) && mount --bind $file /dev/null && rm -f $file"
    assert.matches("system\n$", created(plant))
  end)

  it("binds a directory as it was when opened, never what a link leads to #S019", function()
    if not attack.root() then
      return pending("needs root for a folder that sandboxes do not hide")
    end
    local place = attack.host("mktemp -d -p /opt"):match("%S+")
    attack.host(([==[
cd %s && chmod 755 . && mkdir -p a/bin secret/bin && echo canary > secret/key
ln -s secret link
cp /usr/bin/python3 a/bin/python && cp a/bin/python secret/bin/
/usr/bin/python3 -c 'import ctypes, os, time
c = ctypes.CDLL(None)
till = time.time() + 30
while os.path.exists("secret") and time.time() < till:
    c.renameat2(-100, b"a", -100, b"link", 2)' > /dev/null 2>&1 &
]==]):format(place))
    local text = attack.host(([==[
for i in $(seq 40); do CODECELL_PYTHON=%s/a/bin/python %s -e '
  local codecell = require "codecell"
  local sandbox, err = codecell.create()
  local seen = sandbox and sandbox.commands:run("cat %s/a/key").stdout ~= ""
  print(not sandbox and err.stage or seen and "seen" or "made")'
done]==]):format(place, attack.interpreter(), place))
    attack.host("rm -rf " .. place .. "/secret; sleep 0.2; rm -rf " .. place)
    local made, refused = select(2, text:gsub("made\n", "")), select(2, text:gsub("bind\n", ""))
    assert.equal(40, made + refused, text)
    assert.is_true(refused > 0, text)
  end)

  it("needs no room on any disk of the machine #S128", function()
    if not attack.root() then
      return pending("needs root to make a namespace with full and read-only file systems")
    end
    local full = "mount --make-rprivate / && mount -o remount,bind,ro / && "
      .. "mount -t tmpfs -o size=4k none /run && mount -t tmpfs -o ro none /dev/shm && "
      .. "{ head -c 8192 /dev/zero > /run/full; true; } 2>/dev/null"
    assert.matches("^42\n$", created(full))
  end)

  it("makes other names and other random numbers each time #S118", function()
    within(function(first)
      local seen = {}
      local second = assert(codecell.create({ timeout = 60 }))
      for _, sandbox in ipairs({ first, second }) do
        assert.is_nil(seen[sandbox.id])
        seen[sandbox.id] = true
        for _ = 1, 3 do
          local context = assert(sandbox:create_code_context())
          local text = assert(sandbox:run_code([==[
import os, random, secrets, tempfile, uuid
for value in (random.random(), os.urandom(8), secrets.token_hex(), uuid.uuid4(), hash("x"),
              tempfile.mktemp()): print(value)
]==], { context = context })).logs.stdout[1]
          for value in text:gmatch("[^\n]+") do
            assert.is_nil(seen[value])
            seen[value] = true
          end
        end
      end
      second:close()
    end)
  end)
end)
