--- Attacks on the kernel itself, in the form of lua/codecell/command/prove/attacks.lua.
---
--- The calls get arguments that no kernel accepts (null pointers, descriptors -1), so that nothing
--- happens to the machine where one is let through: it says EFAULT, EINVAL or EBADF then.
local SECCOMP = "the call filter (seccomp)"
local CAPABILITY = "no capabilities (no_new_privs)"
local OWNER = "no rights there (user namespace)"

local REFUSED = { EPERM = SECCOMP, ENOSYS = SECCOMP }

return {
  {
    name = "mount, pivot, change the root", group = "kernel", is_harmless = true,
    tried = "mount, remount, umount, pivot_root, chroot, fsopen, open_tree, move_mount, ...",
    code = [[
for name, number in numbered({
        "mount": (165, 40), "umount": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
        "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
        "open_tree": (428, 428), "move_mount": (429, 429), "mount_setattr": (442, 442),
        "open_by_handle": (304, 265), "swapon": (167, 224), "swapoff": (168, 225)}).items():
    report(name, call(number, -1, -1, -1, -1, -1))]],
    shell = [[try mount mount -t tmpfs none /tmp]],
    blocked = { EPERM = SECCOMP, ENOSYS = SECCOMP, EACCES = OWNER },
  },
  {
    name = "make or enter namespaces", group = "kernel", is_harmless = true,
    tried = "unshare, clone, clone3 and setns: user, mount, network, PID and the others",
    code = [[
calls = numbered({"unshare": (272, 97), "clone": (56, 220), "clone3": (435, 435),
                  "setns": (308, 268)})
for kind, bit in (("time", 0x80), ("mount", 0x20000), ("cgroup", 0x2000000), ("uts", 0x4000000),
                  ("ipc", 0x8000000), ("user", 0x10000000), ("pid", 0x20000000),
                  ("net", 0x40000000)) if calls else ():
    report("unshare:" + kind, call(calls["unshare"], bit))
    for name, more in (("clone:", 0), ("clone-high:", 0x7fff << 32)) if bit != 0x80 else ():
        parent = os.getpid()
        outcome = call(calls["clone"], bit | signal.SIGCHLD | more, 0, 0, 0, 0)
        if os.getpid() != parent or os.getpid() == 1:
            os._exit(0)
        report(name + kind, outcome)
if calls:
    report("clone3", call(calls["clone3"], 0, 0))
    for pid in processes():
        for kind in ("mnt", "net", "pid", "user"):
            try:
                file = os.open("/proc/%d/ns/%s" % (pid, kind), os.O_RDONLY)
            except OSError:
                continue
            report("setns:%d:%s" % (pid, kind), call(calls["setns"], file, 0))]],
    shell = [[
try user unshare -U true; try mount unshare -m true; try net unshare -n true]],
    blocked = REFUSED,
  },
  {
    name = "become another user", group = "kernel",
    tried = "setuid, setgid, setgroups, capabilities, a set-user-ID program",
    code = [[
import shutil
report("setuid", attempt(os.setuid, 0))
report("setgid", attempt(os.setgid, 0))
report("setresuid", attempt(os.setresuid, 0, 0, 0))
report("setgroups", attempt(os.setgroups, [0]))
lines = open("/proc/self/status").read()
held = [line for line in lines.splitlines() if line.startswith("Cap") and int(line[7:], 16)]
report("capabilities", "held" if held else "none")
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
effective = os.popen("/tmp/id -u").read().strip()
report("set-user-id", "same" if effective == str(os.getuid()) and effective != "" else "other")
os.remove("/tmp/id")]],
    shell = [[
try chown chown 0 /bin/sh
case $(grep -c 'Cap...:.*[1-9a-f]' /proc/self/status) in 0) echo "capabilities none";; *)
  echo "capabilities held";; esac]],
    blocked = { EPERM = CAPABILITY, EINVAL = "no root in its user namespace", none = CAPABILITY,
      same = CAPABILITY, EROFS = "a mount that is read-only" },
  },
  {
    name = "switches of the machine", group = "kernel", is_harmless = true,
    tried = "modules, kexec, reboot, clock, host name, quota, accounting, ports",
    code = [[
for name, number in numbered({
        "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
        "kexec_load": (246, 104), "kexec_file": (320, 294), "reboot": (169, 142),
        "settimeofday": (164, 170), "clock_settime": (227, 112), "clock_adjtime": (305, 266),
        "sethostname": (170, 161), "setdomainname": (171, 162), "quotactl": (179, 60),
        "acct": (163, 89), "syslog": (103, 116)}).items():
    report(name, call(number, -1, -1, -1, -1, -1, -1))]],
    blocked = REFUSED,
  },
  {
    name = "corners of the kernel", group = "kernel", is_harmless = true,
    tried = "bpf, perf, io_uring, userfaultfd, keys, fanotify, placement of memory, new calls",
    code = [[
for name, number in numbered({
        "bpf": (321, 280), "perf_event_open": (298, 241), "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "userfaultfd": (323, 282),
        "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
        "fanotify_init": (300, 262), "mbind": (237, 235), "move_pages": (279, 239),
        "unknown": (599, 599)}).items():
    report(name, call(number, -1, -1, -1, -1, -1, -1))
for name, numbers in (("personality", (135, 92)),):
    for name, number in numbered({name: numbers}).items():
        report(name, call(number, 0x0400000))]],
    blocked = REFUSED,
  },
  {
    name = "run without the filter", group = "kernel", is_harmless = true,
    tried = "every process and thread: is seccomp in force, can privileges be gained",
    code = [[
for pid in processes():
    for thread in os.listdir("/proc/%d/task" % pid):
        path = "/proc/%d/task/%s/status" % (pid, thread)
        fields = dict(line.split(":", 1) for line in open(path) if ":" in line)
        held = fields["Seccomp"].strip() == "2" and fields["NoNewPrivs"].strip() == "1"
        report("%d/%s" % (pid, thread), "filtered" if held else "free")]],
    shell = [[
for file in /proc/[0-9]*/status; do
  case "$(grep -E '^(Seccomp|NoNewPrivs):' "$file" | tr -d '\n\t ')" in
    NoNewPrivs:1Seccomp:2) echo "$file filtered";; "") ;; *) echo "$file free";; esac
done]],
    blocked = { filtered = SECCOMP },
  },
  {
    name = "another architecture's entry", group = "kernel", machine = "x86_64",
    tried = "system calls of 32-bit programs (int 0x80) and of x32",
    code = [[
import mmap
report("x32", call(0x40000000 + 39))
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3") # mov $20,%eax; int $0x80; ret
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
ctypes.CFUNCTYPE(ctypes.c_int)(address)()
report("int80", "ran")]],
    signal = "SIGSYS", -- what ends it
    blocked = { ENOSYS = SECCOMP, SIGSYS = SECCOMP },
  },
  {
    name = "dump core, lock memory, hurry", group = "kernel",
    tried = "the core limit, real-time scheduling, negative nice, limits of the first process",
    code = [[
import resource
def limit():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ValueError:
        raise OSError(errno.EPERM, "")
report("core", attempt(limit))
report("real-time", attempt(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))))
report("nice", attempt(os.nice, -5))
report("limit-of-first", attempt(lambda: resource.prlimit(1, resource.RLIMIT_CPU, (1, 1))))
report("nice-of-first", attempt(lambda: os.setpriority(os.PRIO_PROCESS, 1, 19)))]],
    blocked = { EPERM = SECCOMP .. ", or no capability", EACCES = CAPABILITY },
  },
}
