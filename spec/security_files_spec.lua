-- Escape by the file system and procfs, tried by code that runs inside.

local attack = require "spec.support.attack"

local set, outcomes, within = attack.set, attack.outcomes, attack.within

describe("the file system of a sandbox #once", function()
  local canary

  setup(function()
    canary = os.tmpname()
    local file = assert(io.open(canary, "w"))
    file:write("canary of the host")
    file:close()
  end)

  teardown(function()
    os.remove(canary)
  end)

  it("does not have the host's files #S001 #I02 #M22", function()
    within(function(sandbox)
      local found = outcomes(sandbox, ([[
report("canary", attempt(open, %q))
for path in ("/etc/shadow", "/root", "/var/log", "/boot", "/home/user/../../etc/sudoers",
             "/sys/kernel"):
    if path == "/root":
        report(path, attempt(os.listdir, path + "/.ssh"))
    else:
        report(path, attempt(os.stat, path))
]]):format(canary))
      assert.is_nil(attack.unexpected(found, set("ENOENT", "EACCES")))
    end)
  end)

  it("does not have them behind /proc/PID/root, cwd or fd either #S002", function()
    within(function(sandbox)
      local found = outcomes(sandbox, ([[
canary = %q
tried = 0
for pid in [p for p in os.listdir("/proc") if p.isdigit()] + ["self"]:
    for route in ("root", "cwd", "root/..", "cwd/../../..", "root/proc/1/root"):
        tried += 1
        if attempt(open, "/proc/%%s/%%s%%s" %% (pid, route, canary)) == "ok":
            report("reached", route)
    for fd in range(16):
        for up in ("", "/..", "/../../../.."):
            tried += 1
            if attempt(open, "/proc/%%s/fd/%%d%%s%%s" %% (pid, fd, up, canary)) == "ok":
                report("reached", fd)
report("tried", tried)
]]):format(canary))
      assert.is_nil(found.reached)
      assert.is_true(tonumber(found.tried) > 100)
    end)
  end)

  it("has no trace of the old root among its mounts #S003", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[print(open("/proc/self/mountinfo").read())]])
      local allowed = set("/", "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
        "/proc", "/home/user", "/tmp")
      for line in result.stdout:gmatch("[^\n]+") do
        local point = line:match("^%d+ %d+ %S+ %S+ (%S+)")
        if point then
          local documented = allowed[point] or point:find("^/etc/") or point:find("^/dev/")
            or point:find("^/proc/")
          assert.is_truthy(documented, "undocumented mount: " .. line)
        end
      end
    end)
  end)

  it("gives programs descriptors 0 to 2 alone, whatever the host has open #S004 #S045", function()
    local left = {}
    for i = 1, 40 do
      left[i] = assert(io.open("/etc/hostname", "r"))
    end
    within(function(sandbox)
      local result = assert(sandbox.commands:run({ "ls", "/proc/self/fd" }))
      assert.equal("0\n1\n2\n3\n", result.stdout) -- 3 is the directory that ls reads
      local execution = assert(sandbox:run_code([[
import os, stat
kinds = set()
for name in os.listdir("/proc/self/fd"):
    try:
        mode = os.stat(int(name)).st_mode
    except OSError:
        continue # the directory that was listed
    if stat.S_ISFIFO(mode):
        kinds.add("pipe")
    elif stat.S_ISSOCK(mode):
        kinds.add("socket")
    else:
        kinds.add(os.readlink("/proc/self/fd/" + name))
sorted(kinds)]]))
      assert.equal("['/dev/null', 'pipe']", execution.text) -- its wire is two pipes
      assert.equal("/home/user", assert(sandbox:run_code("os.getcwd()")).text:gsub("'", ""))
    end)
    for i = 1, 40 do
      left[i]:close()
    end
  end)

  it("cannot be written but in home, tmp and shm #S005 #A04", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for line in open("/proc/self/mountinfo"):
    point = line.split()[4]
    if point in ("/home/user", "/tmp", "/dev/shm") or point.startswith("/proc"):
        continue
    if not os.path.isdir(point):
        continue
    name = point.rstrip("/") + "/attack"
    report("create:" + point, attempt(lambda: os.open(name, os.O_CREAT | os.O_WRONLY, 0o600)))
    report("tmpfile:" + point, attempt(lambda: os.open(point, os.O_TMPFILE | os.O_WRONLY, 0o600)))
for point in ("/", "/etc", "/usr/bin", "/var", "/run", "/opt", "/home"):
    name = point.rstrip("/") + "/attack"
    report("create:" + point, attempt(lambda: os.open(name, os.O_CREAT | os.O_WRONLY)))
]])
      assert.is_nil(attack.unexpected(found,
        set("EROFS", "EACCES", "EPERM", "EOPNOTSUPP", "ENOENT", "ENOTDIR")))
      local free = outcomes(sandbox, [[
for point in ("/home/user", "/tmp", "/dev/shm"):
    report(point, attempt(lambda: os.open(point + "/mine", os.O_CREAT | os.O_WRONLY, 0o600)))
]])
      assert.is_nil(attack.unexpected(free, set("ok")))
    end)
  end)

  it("cannot be remounted, mounted over or left #S006 #S010 #S020 #S024", function()
    if attack.machine() ~= "x86_64" then
      return pending("system call numbers are those of x86_64")
    end
    within(function(sandbox)
      local found = outcomes(sandbox, [[
def text(value): return ctypes.c_char_p(value)
report("remount", call(165, 0, text(b"/usr"), 0, 32 | 4096, 0))
report("proc", call(165, text(b"proc"), text(b"/tmp"), text(b"proc"), 0, 0))
report("sysfs", call(165, text(b"sysfs"), text(b"/tmp"), text(b"sysfs"), 0, 0))
report("overlay", call(165, text(b"overlay"), text(b"/tmp"), text(b"overlay"), 0,
                       text(b"lowerdir=/usr,upperdir=/tmp,workdir=/tmp")))
report("umount2", call(166, text(b"/proc/sys"), 2))
report("pivot_root", call(155, text(b"/tmp"), text(b"/tmp")))
report("chroot", call(161, text(b"/tmp")))
report("open_tree", call(428, -100, text(b"/usr"), 1))
report("move_mount", call(429, -100, text(b"/tmp"), -100, text(b"/usr"), 0))
report("fsopen", call(430, text(b"proc"), 0))
report("fsconfig", call(431, 0, 0, 0, 0, 0))
report("fsmount", call(432, 0, 0, 0))
report("fspick", call(433, -100, text(b"/usr"), 0))
report("mount_setattr", call(442, -100, text(b"/usr"), 0, 0, 0))
]])
      assert.is_nil(attack.unexpected(found, set("EPERM")))
    end)
  end)

  it("keeps /proc/sys and the other switches of the kernel closed #S007 #S008", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
count = 0
for top, folders, files in os.walk("/proc/sys"):
    for name in files:
        count += 1
        outcome = attempt(lambda: os.close(os.open(os.path.join(top, name), os.O_WRONLY)))
        if outcome not in ("EROFS", "EACCES", "EPERM", "ENOENT"):
            report(os.path.join(top, name), outcome)
for path in ("/proc/sysrq-trigger", "/proc/irq/0/smp_affinity", "/proc/acpi/wakeup",
             "/proc/sys/kernel/core_pattern", "/proc/sys/fs/binfmt_misc/register",
             "/proc/sys/kernel/ns_last_pid", "/proc/sys/user/max_user_namespaces",
             "/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory"):
    outcome = attempt(lambda: os.write(os.open(path, os.O_WRONLY), b"1"))
    if path == "/proc/sysrq-trigger" and outcome == "ok" and stat.S_ISCHR(os.stat(path).st_mode):
        outcome = "masked"
    report(path, outcome)
report("count", "EROFS" if count > 100 else "too_few")
]])
      assert.is_nil(attack.unexpected(found, set("EROFS", "EACCES", "EPERM", "ENOENT", "masked")))
    end)
  end)

  it("hides what the kernel tells of the machine #S009", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for path in ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
             "/sys/firmware", "/sys/kernel/debug"):
    try:
        with open(path, "rb") as file:
            report(path, "empty" if file.read(1) == b"" else "readable")
    except OSError as error:
        report(path, errno.errorcode[error.errno])
lines = open("/proc/kallsyms").readlines()[:50] if os.path.exists("/proc/kallsyms") else []
report("kallsyms", "readable" if any(int(line.split()[0], 16) for line in lines) else "empty")
]])
      assert.is_nil(attack.unexpected(found, set("ENOENT", "EACCES", "EPERM", "empty")))
    end)
  end)

  it("has a boot of its own, and shows no file systems of the machine #S009", function()
    local function boot(sandbox)
      return (attack.python(sandbox, [[print(open("/proc/sys/kernel/random/boot_id").read())
print(os.listdir("/proc/fs"))]]).stdout)
    end
    within(function(sandbox)
      local first = boot(sandbox)
      assert.matches("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+\n\n%[%]\n$", first)
      assert.equal(37, #first:match("^[^\n]*\n"))
      local file = io.open("/proc/sys/kernel/random/boot_id")
      if file then
        assert.not_equal(file:read("*l"), first:match("^[^\n]*"))
        file:close()
      end
      assert.equal(first, boot(sandbox))
      within(function(other)
        assert.not_equal(first, boot(other))
      end)
    end)
  end)

  it("never lets the program that started it be overwritten #S012 #S044", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for name in ("mem", "fd", "environ", "maps", "root", "exe", "cwd", "syscall", "stack"):
    path = "/proc/1/" + name
    if name in ("exe", "cwd", "root"):
        report("link:" + name, attempt(os.readlink, path))
    if name == "fd":
        report(name, attempt(os.listdir, path))
    elif name in ("root", "cwd"):
        report(name, attempt(os.listdir, path))
    elif name in ("environ", "maps"):
        try:
            report(name, "empty" if open(path, "rb").read() == b"" else "readable")
        except OSError as error:
            report(name, errno.errorcode[error.errno])
    else:
        report(name, attempt(open, path, "r+b" if name in ("mem", "exe") else "rb"))
report("own_exe", attempt(open, "/proc/self/exe", "r+b"))
]])
      assert.is_nil(attack.unexpected(found,
        set("EACCES", "EPERM", "ENOENT", "EROFS", "ETXTBSY", "empty")))
    end)
  end)

  it("gives programs pipes of its own as standard streams #S013 #S032", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for fd in (1, 2):
    report(fd, "fifo" if stat.S_ISFIFO(os.fstat(fd).st_mode) else "other")
report(0, "null" if os.fstat(0).st_rdev == os.stat("/dev/null").st_rdev else "other")
report("reopen", attempt(lambda: os.close(os.open("/proc/self/fd/1", os.O_WRONLY))))
report("tty", attempt(open, "/dev/tty"))
]])
      assert.same(
        { ["0"] = "null", ["1"] = "fifo", ["2"] = "fifo", reopen = "ok", tty = "ENXIO" }, found)
      local fed = assert(sandbox.commands:run(
        { "python3", "-c", "import os,stat; print(stat.S_ISFIFO(os.fstat(0).st_mode))" },
        { stdin = "" }))
      assert.equal("True\n", fed.stdout)
    end)
  end)

  it("refuses files by handle, devices and what they would open #S014 #S016", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
handle = ctypes.create_string_buffer(b"\x08\0\0\0\x01\0\0\0" + bytes(8))
report("handle", call(304, -100, handle, 0))
report("mknod-block", attempt(os.mknod, "/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0)))
report("mknod-char", attempt(os.mknod, "/tmp/mem", 0o600 | stat.S_IFCHR, os.makedev(1, 1)))
for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kvm", "/dev/fuse", "/dev/net/tun",
             "/dev/sda", "/dev/vda", "/dev/kmsg", "/dev/loop0", "/dev/dri/card0",
             "/dev/userfaultfd", "/dev/uinput"):
    report(path, attempt(open, path))
]])
      assert.is_nil(attack.unexpected(found, set("EPERM", "ENOENT", "EACCES")))
      local flags = outcomes(sandbox, [[
for line in open("/proc/self/mountinfo"):
    point, options = line.split()[4], line.split()[5].split(",")
    if "nosuid" not in options or ("nodev" not in options and not point.startswith("/dev")):
        report(point, ",".join(options))
report("checked", "ok")
]])
      assert.same({ checked = "ok" }, flags)
    end)
  end)

  it("gives set-user-ID programs nothing #S015", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[
import shutil, subprocess
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
print(subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip(), os.getuid())
]])
      local effective, own = result.stdout:match("(%d+) (%d+)")
      assert.equal(own, effective)
    end)
  end)

  it("bounds what /dev and /dev/shm can hold #S017 #S077 #I13", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
def fill(path):
    total, block = 0, bytes(1 << 20)
    try:
        with open(path, "wb", buffering=0) as file:
            while total < 1 << 30:
                total += file.write(block)
    except OSError as error:
        return errno.errorcode[error.errno], total
    finally:
        if os.path.exists(path): os.remove(path)
    return "unbounded", total
for path in ("/dev/attack", "/dev/shm/attack", "/tmp/attack", "/home/user/attack", "/run/attack"):
    outcome, total = fill(path)
    report(path, outcome)
    if outcome == "ENOSPC" and total > 20 << 20: report(path, total)
report("again", fill("/tmp/again")[0])
]], { timeout = 120 })
      assert.is_nil(attack.unexpected(found, set("ENOSPC", "EACCES", "EROFS", "EPERM")))
      assert.equal("ENOSPC", found["/tmp/attack"])
      assert.equal("ENOSPC", found["/dev/shm/attack"])
      assert.equal("ENOSPC", found["/home/user/attack"])
    end, { limits = { disk = 16 * 2 ^ 20 } })
  end)
end)
