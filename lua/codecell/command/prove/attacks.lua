--- Attacks by single programs on what is outside: files, processes, the network.
---
--- Each is `{ name =, group =, tried =, code =, shell =, blocked =, is_harmless = }`. `blocked`
--- says which outcomes of a try mean that it was stopped, and by what; any other, and the word of
--- the victim anywhere in what the program prints, means that it got through. So does silence.
--- `is_harmless`: it may be tried outside of a sandbox too, to see that it can succeed.
--- `is_visit`: it needs the listener.
local processes = require "codecell.command.processes"

local ROOT = "a root of its own (mount namespace)"
local NAMESPACE = "its own processes (PID namespace)"
local OWNER = "no rights there (user namespace)"
local NETWORK = "an empty network (network namespace)"
local SECCOMP = "the call filter (seccomp)"
local READ_ONLY = "a mount that is read-only"
local CAPABILITY = "no capabilities (no_new_privs)"

-- What connecting says where there is nothing but a loopback of one's own.
local NO_ROUTE = {
  ECONNREFUSED = "its own loopback (network namespace)", ENETUNREACH = NETWORK,
  EADDRNOTAVAIL = NETWORK, EHOSTUNREACH = NETWORK, EACCES = NETWORK, EAFNOSUPPORT = NETWORK,
}

-- Prints what a listener says to whoever comes.
local VISIT = [[
def visit(name, family, address):
    visitor = socket.socket(family)
    visitor.settimeout(1)
    def go():
        visitor.connect(address)
        visitor.sendall(b"GET / HTTP/1.0\r\n\r\n")
        print(visitor.makefile("rb").read(4096))
    try:
        report(name, attempt(go))
    except TimeoutError:
        report(name, "ETIMEDOUT")
]]

-- Whether the command line of this program came out.
local function look_at_processes(result)
  local own = processes.read("/proc/self/cmdline"):gsub("[%z\n]", " ")
  return { { name = "host", outcome = result.stdout:find(own, 1, true) and "seen" or "hidden" } }
end

return {
  {
    name = "read the host's files", group = "files", is_harmless = true,
    tried = "a private temporary file and one in the home, also through /proc",
    code = [[
for path in (given["file"], given["home"]):
    report(path, attempt(show, path))
    for way in ("root", "cwd"):
        outcomes = {attempt(show, "/proc/%d/%s%s" % (pid, way, path)) for pid in processes()}
        for outcome in sorted(outcomes):
            report("/proc/*/%s%s" % (way, path), outcome)]],
    shell = [[
for path in "$1" "$2"; do
  try "$path" cat "$path"
  for way in root cwd; do
    for pid in $(ls /proc); do
      case $pid in *[!0-9]*) continue;; esac
      try "/proc/$pid/$way$path" cat "/proc/$pid/$way$path"
    done
  done
done]],
    blocked = { ENOENT = ROOT, EACCES = OWNER, ENOTDIR = ROOT },
  },
  {
    name = "write outside", group = "files",
    tried = "to /, /etc, /usr and the machine's programs, the home and the temporary folder",
    code = [[
name = given["name"]
for path in ("/" + name, "/etc/" + name, "/usr/" + name, "/usr/bin/" + name,
             given["home"] + ".written"):
    report(path, attempt(lambda: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))))
for path in ("/etc/passwd", "/usr/bin/env"):
    report(path, attempt(lambda: os.close(os.open(path, os.O_WRONLY))))
report(given["file"], attempt(lambda: os.close(os.open(given["file"], os.O_WRONLY))))
with open(given["outside"], "w"): pass # in a temporary folder of its own, or so the host will see
]],
    shell = [[
for path in / /etc/ /usr/ /usr/bin/; do try "$path" write "$path$0-written"; done
for path in /etc/passwd /usr/bin/env "$1"; do
  try "$path" sh -c ': < "$0" && : >> "$0"' "$path"; done
: > "$4"]],
    blocked = { EROFS = READ_ONLY, ENOENT = ROOT, EACCES = OWNER, EPERM = OWNER },
  },
  {
    name = "change the kernel's settings", group = "files", is_harmless = true,
    tried = "to open what is below /proc/sys and /sys for writing; nothing is written",
    code = [[
paths = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/vm/drop_caches",
         "/proc/sys/kernel/ns_last_pid", "/proc/sys/user/max_user_namespaces",
         "/proc/sys/fs/binfmt_misc/register", "/proc/irq/0/smp_affinity", "/proc/1/oom_score_adj",
         "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/fs/cgroup/cgroup.procs",
         "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cgroup.subtree_control"]
for top, folders, files in os.walk("/proc/sys/kernel"):
    paths += [os.path.join(top, name) for name in files]
for path in paths:
    report(path, attempt(lambda: os.close(os.open(path, os.O_WRONLY))))
device = os.stat("/dev/null").st_rdev
trigger = os.stat("/proc/sysrq-trigger") if os.path.exists("/proc/sysrq-trigger") else None
report("/proc/sysrq-trigger", "masked" if trigger is None or trigger.st_rdev == device else "there")
]],
    shell = [[
for path in /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/1/oom_score_adj \
    /proc/sys/vm/drop_caches /sys/fs/cgroup/cgroup.procs; do try "$path" write "$path"; done]],
    blocked = { EROFS = READ_ONLY, EACCES = OWNER, EPERM = OWNER, ENOENT = "it is not there",
      masked = "the null device lies over it" },
  },
  {
    name = "read kernel memory and logs", group = "files",
    tried = "kcore, kmsg, kallsyms, keys, timer_list, sched_debug, firmware",
    code = [[
for path in ("/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/sched_debug",
             "/sys/firmware", "/sys/kernel/debug", "/dev/mem", "/dev/kmsg"):
    def read():
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            report(path, "empty" if file.read(1) == b"" else "readable")
    outcome = attempt(read)
    if outcome != "ok": report(path, outcome)
lines = open("/proc/kallsyms").readlines()[:50] if os.path.exists("/proc/kallsyms") else []
report("/proc/kallsyms", "readable" if any(int(line.split()[0], 16) for line in lines) else "empty")
]],
    blocked = { ENOENT = "it is not there", EACCES = OWNER, EPERM = OWNER,
      empty = "the null device lies over it" },
  },
  {
    name = "make or open devices", group = "files",
    tried = "mknod, disks, /dev/mem, kvm, fuse, tun, userfaultfd, uinput",
    code = [[
report("mknod-block", attempt(os.mknod, "/tmp/disk", 0o600 | stat.S_IFBLK, os.makedev(259, 4095)))
report("mknod-char", attempt(os.mknod, "/tmp/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3)))
for path in ("/dev/mem", "/dev/port", "/dev/kvm", "/dev/fuse", "/dev/net/tun", "/dev/sda",
             "/dev/vda", "/dev/nvme0n1", "/dev/loop0", "/dev/userfaultfd", "/dev/uinput",
             "/dev/vsock"):
    report(path, attempt(lambda: os.close(os.open(path, os.O_RDWR))))]],
    shell = [[
try mknod mknod /tmp/null c 1 3
for path in /dev/mem /dev/kvm /dev/fuse /dev/sda /dev/vda; do try "$path" write "$path"; done]],
    blocked = { ENOENT = "a /dev of its own", EPERM = OWNER, EACCES = OWNER, EROFS = READ_ONLY },
  },
  {
    name = "see the host's processes", group = "processes", is_harmless = true,
    tried = "every command line and environment in /proc",
    code = [[
for pid in processes():
    for name in ("cmdline", "environ"):
        text = contents("/proc/%d/%s" % (pid, name))
        sys.stdout.buffer.write(text.translate(bytes.maketrans(b"\0\n", b"  ")) + b"\n")
]],
    shell = [[
for file in /proc/[0-9]*/cmdline /proc/[0-9]*/environ; do
  { tr '\000\n' '  ' < "$file"; } 2>/dev/null; echo
done]],
    look = look_at_processes,
    blocked = { hidden = NAMESPACE },
  },
  {
    name = "trace and read other processes", group = "processes", is_harmless = true,
    tried = "ptrace, process_vm_readv, /proc/PID/mem, kcmp, pidfd_getfd: of the host and of PID 1",
    code = [[
calls = numbered({"ptrace": (101, 117), "readv": (310, 270), "writev": (311, 271),
                  "kcmp": (312, 272), "getfd": (438, 438), "madvise": (440, 440)})
class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
def readv(pid):
    buffer = ctypes.create_string_buffer(32)
    here, there = Vector(ctypes.addressof(buffer), 32), Vector(given["address"], 32)
    outcome = call(calls["readv"], pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
    print(buffer.raw)
    return outcome
def memory(pid):
    with open("/proc/%d/mem" % pid, "rb", 0) as file:
        file.seek(given["address"])
        print(file.read(32))
for name, pid in (("host", given["pid"]), ("first", 1)) if calls else ():
    report("attach:" + name, call(calls["ptrace"], 0x4206, pid, 0, 0)) # PTRACE_SEIZE: nothing stops
    report("readv:" + name, readv(pid))
    report("writev:" + name, call(calls["writev"], pid, 0, 0, 0, 0, 0))
    report("kcmp:" + name, call(calls["kcmp"], pid, os.getpid(), 0, 0, 0))
    report("memory:" + name, attempt(memory, pid))
if calls:
    report("traceme", call(calls["ptrace"], 0, 0, 0, 0))
    report("getfd", call(calls["getfd"], 0, 0, 0))]],
    blocked = { EPERM = SECCOMP, ENOENT = NAMESPACE, EACCES = OWNER },
  },
  {
    name = "signal processes outside", group = "processes",
    tried = "by number, by pidfd, and all at once; and the first process inside",
    code = [[
host = given["pid"]
if host in processes(): # the number is also one of its own
    report("host", "own-number")
else:
    for number in (0, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH): # harmless where they arrive
        report("host:%d" % number, attempt(os.kill, host, number))
    report("host:group", attempt(os.killpg, host, 0))
    report("host:pidfd", attempt(lambda: os.close(os.pidfd_open(host))))
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
attempt(os.kill, -1, signal.SIGUSR1)
for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, signal.SIGSEGV):
    attempt(os.kill, 1, number)
time.sleep(0.05)
report("first", "alive" if os.path.exists("/proc/1") else "gone")]],
    shell = [[
for number in 0 18 23 28; do try "host:$number" kill -$number "$3"; done]],
    blocked = { ESRCH = NAMESPACE, ["own-number"] = NAMESPACE,
      alive = "PID 1 takes no signal of its own" },
  },
  {
    name = "reach the host's loopback", group = "network", is_harmless = true, is_visit = true,
    tried = "a listener of the host at 127.0.0.1, by every name of the loopback",
    code = VISIT .. [[
for address in ("127.0.0.1", "127.8.8.8", "0.0.0.0"):
    visit(address, socket.AF_INET, (address, given["port"]))
for address in ("::1", "::ffff:127.0.0.1"):
    visit(address, socket.AF_INET6, (address, given["port"]))]],
    blocked = NO_ROUTE,
  },
  {
    name = "reach the machine's addresses", group = "network",
    tried = "each address of its interfaces, its neighbours and the networks beyond",
    code = VISIT .. [[
for address in given["addresses"] + ["192.0.2.1", "10.0.0.1", "172.17.0.1", "255.255.255.255"]:
    visit(address, socket.AF_INET, (address, given["port"] or 9))
    report("datagram:" + address, attempt(lambda: socket.socket(2, 2).connect((address, 53))))
visit("2001:db8::1", socket.AF_INET6, ("2001:db8::1", 80))
report("interfaces", ",".join(sorted(n for _, n in socket.if_nameindex())).replace(",", "-"))]],
    blocked = { ENETUNREACH = NETWORK, EHOSTUNREACH = NETWORK, EADDRNOTAVAIL = NETWORK,
      EACCES = NETWORK, EAFNOSUPPORT = NETWORK, lo = NETWORK },
  },
  {
    name = "reach metadata services", group = "network",
    tried = "169.254.169.254, 100.100.100.200, fd00:ec2::254: the keys of clouds",
    code = VISIT .. [[
for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200"):
    visit(address, socket.AF_INET, (address, 80))
visit("fd00:ec2::254", socket.AF_INET6, ("fd00:ec2::254", 80))]],
    blocked = { ENETUNREACH = NETWORK, EHOSTUNREACH = NETWORK, EADDRNOTAVAIL = NETWORK,
      EAFNOSUPPORT = NETWORK },
  },
  {
    name = "reach sockets by name", group = "network", is_harmless = true, is_visit = true,
    tried = "the host's abstract Unix sockets, and sockets in the file system",
    code = VISIT .. [[
visit("abstract", socket.AF_UNIX, "\0" + given["name"])
for name in given["abstract"]:
    visit("abstract-of-others", socket.AF_UNIX, "\0" + name)
for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket",
             "/run/systemd/private", "/run/containerd/containerd.sock", "/run/podman/podman.sock"):
    visit(path, socket.AF_UNIX, path)]],
    blocked = { ECONNREFUSED = NETWORK, EPERM = "its own domain (Landlock)", ENOENT = ROOT,
      EACCES = OWNER },
  },
  {
    name = "open raw and unusual sockets", group = "network",
    tried = "raw, packet, vsock, netlink, XDP, AF_ALG, SCTP, Bluetooth",
    code = [[
for name, kind in {"raw": (2, 3, 1), "raw6": (10, 3, 58), "packet": (17, 3, 0x300),
                   "vsock": (40, 1, 0), "audit": (16, 3, 9), "netfilter": (16, 3, 12),
                   "xdp": (44, 3, 0), "alg": (38, 5, 0), "sctp": (2, 1, 132),
                   "bluetooth": (31, 3, 1), "tipc": (30, 1, 0)}.items():
    report(name, attempt(lambda: socket.socket(*kind).close()))]],
    blocked = { EPERM = CAPABILITY, EACCES = CAPABILITY, EAFNOSUPPORT = SECCOMP,
      EPROTONOSUPPORT = SECCOMP, ESOCKTNOSUPPORT = SECCOMP },
  },
}
