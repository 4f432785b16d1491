-- Escape by namespaces, tracing and the rest of the kernel, tried by code that runs inside.

local attack = require "spec.support.attack"

local set, outcomes, within = attack.set, attack.outcomes, attack.within

-- Tests by raw number exist for this architecture.
local function numbered(body)
  return function()
    if attack.machine() ~= "x86_64" then
      return pending("system call numbers are those of x86_64")
    end
    within(body)
  end
end

describe("the kernel as a sandbox sees it #once", function()
  it("makes no new namespace, by unshare or clone #S021 #I01", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
    report("unshare:%x" % bit, call(272, bit))
    if bit != 0x80:
        report("clone:%x" % bit, call(56, bit | 17, 0, 0, 0, 0))
        report("clone_high:%x" % bit, call(56, bit | 17 | (0x7fff << 32), 0, 0, 0, 0))
]])
    assert.is_nil(attack.unexpected(found, set("EPERM")))
  end))

  it("gives no child to our own processes #S021 #S120", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
report("parent", call(56, 0x8000 | 17, 0, 0, 0, 0))
report("parent high", call(56, 0x8000 | 17 | (0x7fff << 32), 0, 0, 0, 0))
]])
    assert.is_nil(attack.unexpected(found, set("EPERM")))
  end))

  it("does not know clone3, so that libc falls back to clone #S022", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
import threading
report("clone3", call(435, ctypes.create_string_buffer(88), 88))
thread = threading.Thread(target=lambda: report("thread", "ran"))
thread.start()
thread.join()
]])
    assert.same({ clone3 = "ENOSYS", thread = "ran" }, found)
  end))

  it("enters no namespace #S023", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
import glob
for path in glob.glob("/proc/[0-9s]*/ns/*"):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        continue
    report(path, call(308, fd, 0))
    os.close(fd)
]])
    assert.is_nil(attack.unexpected(found, set("EPERM")))
  end))

  it("traces nobody and reads nobody's memory #S025", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
child = os.fork()
if child == 0:
    time.sleep(20)
    os._exit(0)
for name, pid in (("child", child), ("self", os.getpid()), ("first", 1)):
    report("attach:" + name, call(101, 16, pid, 0, 0))
    report("seize:" + name, call(101, 0x4206, pid, 0, 0))
    report("readv:" + name, call(310, pid, 0, 0, 0, 0, 0))
    report("writev:" + name, call(311, pid, 0, 0, 0, 0, 0))
    report("kcmp:" + name, call(312, pid, os.getpid(), 0, 0, 0))
report("traceme", call(101, 0, 0, 0, 0))
report("getfd", call(438, 0, 0, 0))
os.kill(child, 9)
]])
    assert.is_nil(attack.unexpected(found, set("EPERM")))
  end))

  it("does not let the first process be starved or limited #S026 #S027", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
two = (ctypes.c_ulong * 2)(1, 1)
report("prlimit", call(302, 1, 0, ctypes.byref(two), 0))
report("setpriority", call(141, 0, 1, 19))
report("setpriority:user", call(141, 2, 1000, 19))
report("ioprio:user", call(251, 3, 1000, 3 << 13))
report("affinity", call(203, 1, 8, ctypes.byref(ctypes.c_ulong(1))))
report("scheduler", call(144, 1, 3, ctypes.byref(ctypes.c_int(0))))
report("param", call(142, 1, ctypes.byref(ctypes.c_int(0))))
report("setattr", call(314, 1, ctypes.create_string_buffer(48), 0))
report("ioprio", call(251, 1, 1, 0))
report("oom", attempt(lambda: open("/proc/1/oom_score_adj", "w").write("1000")))
]])
    assert.is_nil(attack.unexpected(found, set("EPERM", "EACCES")))
    attack.python(sandbox, "deadline = time.time() + 3\nwhile time.time() < deadline: pass")
    assert.equal("2", assert(sandbox:run_code("1 + 1")).text)
  end))

  it("refuses the machine's switches and its newest corners #S028 #S033", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
evil = {"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
        "io_uring_enter": 426, "io_uring_register": 427, "kexec_load": 246,
        "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "add_key": 248, "request_key": 249, "keyctl": 250, "fanotify_init": 300,
        "fanotify_mark": 301, "quotactl": 179, "acct": 163, "swapon": 167, "swapoff": 168,
        "syslog": 103, "reboot": 169, "settimeofday": 164, "adjtimex": 159,
        "clock_settime": 227, "sethostname": 170, "setdomainname": 171, "iopl": 172,
        "ioperm": 173, "mbind": 237, "move_pages": 279, "lookup_dcookie": 212, "vhangup": 153,
        "quotactl_fd": 443, "process_madvise": 440,
        "io_setup": 206, "io_submit": 209, "io_destroy": 207}
for name, number in evil.items():
    report(name, call(number, 0, 0, 0, 0, 0, 0))
for number in range(463, 600):
    report("new:%d" % number, call(number, 0, 0, 0, 0, 0, 0))
]])
    assert.is_nil(attack.unexpected(found, set("EPERM", "ENOSYS")))
    for number = 500, 599 do
      assert.equal("ENOSYS", found["new:" .. number])
    end
  end))

  it("does not take the x32 entry #S029", numbered(function(sandbox)
    local result = attack.python(sandbox, [[report("getpid", call(0x40000000 + 39))]])
    assert.is_true(result.signal == "SIGSYS" or result.stdout:find("ENOSYS", 1, true) ~= nil)
  end))

  it("kills what uses the 32-bit entry, with SIGSYS #S030", numbered(function(sandbox)
    local result = attack.python(sandbox, [[
import mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")   # mov $20,%eax; int $0x80; ret
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
print("before", flush=True)
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
print("after", flush=True)
]])
    assert.equal("before\n", result.stdout)
    assert.equal("SIGSYS", result.signal)
    assert.equal(-1, result.exit_code)
  end))

  it("compares the words that the kernel reads, not more #S031", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
import pty
master, terminal = pty.openpty()
for name, request in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541c), ("TIOCCONS", 0x541d),
                      ("TIOCSETD", 0x5423)):
    for high in (0, 1, 0xffffffff):
        words = ctypes.c_ulong(request | high << 32)
        ctypes.set_errno(0)
        result = libc.syscall(ctypes.c_long(16), ctypes.c_long(terminal), words,
                              ctypes.create_string_buffer(b"x"))
        outcome = "ok" if result == 0 else errno.errorcode[ctypes.get_errno()]
        report("%s:%x" % (name, high), outcome)
]])
    assert.is_nil(attack.unexpected(found, set("EPERM")))
  end))

  it("filters every process and thread from the first instruction #S034", function()
    within(function(sandbox)
      sandbox:run_code("1")
      local found = outcomes(sandbox, [[
import threading
event = threading.Event()
threading.Thread(target=event.wait, daemon=True).start()
for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
    for task in os.listdir("/proc/%s/task" % pid):
        lines = open("/proc/%s/task/%s/status" % (pid, task))
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        report(pid + "/" + task, fields["Seccomp"].strip() + fields["NoNewPrivs"].strip())
]])
      assert.is_nil(attack.unexpected(found, set("21")))
    end)
  end)

  it("keeps memory that is not executable so #S035", numbered(function(sandbox)
    local found = outcomes(sandbox, [[
report("read-implies-exec", call(135, 0x0400000))
report("back", call(135, 0))
]])
    assert.same({ ["read-implies-exec"] = "EPERM", back = "ok" }, found)
  end))

  it("has no sockets but unix, internet and routing netlink #S036", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
for family in range(0, 46):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        protocol = {2: 1, 10: 58}.get(family, 0) if kind == socket.SOCK_RAW else 0
        outcome = attempt(lambda: socket.socket(family, kind, protocol).close())
        if family in (1, 2, 10) or (family == 16 and kind != socket.SOCK_STREAM):
            if kind == socket.SOCK_RAW and family in (2, 10):
                report("raw:%d" % family, outcome)
            continue
        report("%d:%d" % (family, kind), outcome)
for family in (2, 10):
    for kind, protocol in ((1, 132), (5, 132), (5, 0), (6, 33), (1, 262), (2, 136), (4, 0)):
        report("inet:%d:%d:%d" % (family, kind, protocol),
               attempt(lambda: socket.socket(family, kind, protocol).close()))
report("upper", attempt(lambda: socket.socket().setsockopt(6, 31, b"tls")))
report("netlink:audit", attempt(lambda: socket.socket(16, socket.SOCK_RAW, 9).close()))
]])
      assert.equal("EPERM", found["raw:2"])
      assert.equal("EPERM", found["raw:10"])
      for _, name in ipairs({ "raw:2", "raw:10", "0:1", "0:2", "0:3" }) do
        found[name] = nil
      end
      assert.is_nil(attack.unexpected(found,
        set("EAFNOSUPPORT", "ESOCKTNOSUPPORT", "EPROTONOSUPPORT", "ENOPROTOOPT")))
    end)
  end)

  it("leaves no core dump and keeps that limit #S037", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
import resource
report("limit", "%d,%d" % resource.getrlimit(resource.RLIMIT_CORE))
try:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    report("lower", "ok")
except (OSError, ValueError):
    report("lower", "refused")
]])
      assert.same({ limit = "1,1", lower = "refused" }, found)
    end)
  end)

  it("grants no real-time scheduling, no negative nice, no locked memory #S038", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
report("fifo", attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))))
report("nice", attempt(os.nice, -5))
import mmap
page = mmap.mmap(-1, 256 << 20)
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
locked = libc.mlock(ctypes.c_void_p(address), ctypes.c_size_t(256 << 20))
report("mlock", "ok" if locked == 0 else errno.errorcode[ctypes.get_errno()])
# However many huge pages the machine has: mmap, memfd_create, shmget.
for size in (0, 21 << 26):
    report("huge:%d" % size, attempt(mmap.mmap, -1, 2 << 20, 0x40022 | size))
report("huge:file", attempt(os.memfd_create, "huge", 4))
report("huge:segment", "EPERM" if libc.shmget(0, 2 << 20, 0o4000 | 0o1600) < 0 else "ok")
]])
      assert.is_nil(attack.unexpected(found, set("EPERM", "ENOMEM", "EACCES", "EAGAIN")))
    end)
  end)

  it("inherits no precedence of its host #S038", function()
    local favoured = "nice -n -7 ionice -c 1 chrt -f 5 "
    if attack.host(favoured .. "echo yes 2>/dev/null") ~= "yes\n" then
      return pending("needs the right to real time")
    end
    local script = [==[
      local codecell = require "codecell"
      local sandbox = codecell.assert(codecell.create())
      print(sandbox.commands:run("chrt -p $$; ionice -p $$; nice").stdout)
      print(sandbox.commands:run("chrt -p 1; nice").stdout)]==]
    local told = attack.host(favoured .. attack.interpreter() .. " -e '" .. script .. "' 2>&1")
    local _, normal = told:gsub("SCHED_OTHER", "")
    assert.equal(2, normal, told)
    assert.is_nil(told:find("realtime", 1, true), told)
    assert.is_nil(told:find("-7", 1, true), told)
  end)

  it("is made by a process that does not run before its host", function()
    within(function(sandbox)
      local policy = attack.host("for place in /proc/[0-9]*; do if tr '\\000' ' ' < $place/cmdline"
        .. " | grep -q '^codecell-sandbox " .. sandbox.id .. "'; then"
        .. " awk '/^PPid/ {print $2}' $place/status; fi; done 2>/dev/null")
      assert.equal("SCHED_BATCH", attack.host("chrt -p " .. policy):match("SCHED_%u+"))
    end)
  end)

  it("holds no capability in a kernel, a command or a terminal #S039", function()
    within(function(sandbox)
      local code = [[print("".join(l for l in open("/proc/self/status") if l.startswith("Cap")))]]
      local none = ""
      for _, set_name in ipairs({ "Inh", "Prm", "Eff", "Bnd", "Amb" }) do
        none = none .. "Cap" .. set_name .. ":\t0000000000000000\n"
      end
      assert.equal(none .. "\n", attack.python(sandbox, code).stdout)
      assert.equal(none .. "\n", table.concat(assert(sandbox:run_code(code)).logs.stdout))
      local terminal = assert(sandbox.pty:create({ cmd = { "grep", "Cap", "/proc/self/status" } }))
      local result = assert(terminal:wait(60))
      assert.equal(none, (result.stdout:gsub("\r\n", "\n")))
    end)
  end)

  it("is never the machine's root #S040", function()
    within(function(sandbox)
      local found = outcomes(sandbox, [[
report("uid", os.getuid())
report("owner", os.stat("/proc/version").st_uid)
report("map", open("/proc/self/uid_map").read().split()[1])
]])
      assert.equal("1000", found.uid)
      assert.equal("65534", found.owner)
      assert.not_equal("0", found.map)
    end)
  end)

  it("keeps no group of the host, or says so #S041", function()
    within(function(sandbox)
      local result = attack.python(sandbox, [[print(sorted(set(os.getgroups()) - {1000}))]])
      if result.stdout ~= "[]\n" then
        local kept = assert(sandbox:get_info()).isolation
        assert.truthy(tostring(kept):find("group", 1, true))
      end
    end)
  end)

  it("is refused where the machine has no user namespaces, with the remedy #S042", function()
    if not attack.root() then
      return pending("needs root to lower a limit in a namespace of its own")
    end
    local script = [[
      unshare -U -r -- sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"' \
        %s -e 'local c = require "codecell"; local s, e = c.create();
               print(s, e.kind, e.errno, e.stage, e.hint)'
    ]]
    local text = attack.host(script:format(attack.interpreter()) .. " 2>&1")
    assert.matches("^nil\tunsupported\t%d+\tnamespaces\t.*max_user_namespaces", text)
  end)
end)
