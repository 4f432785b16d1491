--- Attacks on the machine's resources, on deadlines and on secrets, in the form of
--- lua/codecell/command/prove/attacks.lua.
---
--- Every bomb is bounded by numbers of its own: where a limit does not hold, the machine loses
--- no more than half a GiB, and 300 processes that sleep for some seconds. `limit` is the limit
--- that must stop it: what keeps that one here is what `true` in `blocked` stands for.
--- `look(result)` sees what the program cannot know of itself.
local MIB = 2 ^ 20

local hunger = {
  -- Of the sandbox that they are tried in.
  limits = { memory = 128 * MIB, processes = 32, disk = 16 * MIB, files = 64, output = MIB },
}

local HOST = "the host, which keeps the time"

local function stopped(name, how)
  return function(result)
    if result.timed_out then
      return { { name = name, outcome = "stopped" } }
    end
    return { { name = name, outcome = how or "went-on" } }
  end
end

-- What a bomb of memory came to: it says how far it got, if it is not ended for it.
local function look_at_memory(result)
  if result.timed_out then
    return { { name = "memory", outcome = "unbounded" } }
  elseif result.out_of_memory or result.signal == "SIGKILL" then
    return { { name = "at:" .. (result.stdout:match "(%d+)%D*$" or "0"), outcome = "killed" } }
  end
  return {}
end

local function look_at_output(result)
  local cut = result.truncated and result.truncated.stdout
  local is_cut = cut and #result.stdout <= MIB and cut.total == 16 * MIB
  return { { name = ("%d-of-%d"):format(#result.stdout, cut and cut.total or #result.stdout),
    outcome = is_cut and "cut" or "kept" } }
end

hunger.attacks = {
  {
    name = "fork bomb", group = "resources", limit = "processes", timeout = 10,
    tried = "300 processes, where 32 are allowed",
    code = [[
children, outcome = [], "unbounded"
try:
    while len(children) < 300:
        child = os.fork()
        if child == 0:
            time.sleep(5)
            os._exit(0)
        children.append(child)
except OSError as error:
    outcome = errno.errorcode[error.errno]
for child in children: os.kill(child, 9)
for child in children: os.waitpid(child, 0)
report("after-%d" % len(children), outcome)]],
    shell = [[
(i=0; while [ $i -lt 300 ]; do sleep 5 & i=$((i+1)); done; echo "forks unbounded") 2>/tmp/forks
case $(cat /tmp/forks) in *ork*) echo "forks EAGAIN";; esac
kill -9 0 # its group: itself, and all that sleep]],
    blocked = { EAGAIN = true },
  },
  {
    name = "memory bomb", group = "resources", limit = "memory", timeout = 20,
    tried = "512 MiB, where 128 MiB are allowed",
    code = [[
blocks = []
try:
    while len(blocks) < 64:
        blocks.append(bytearray(b"x") * (8 << 20))
        print(8 * len(blocks), flush=True)
    report("memory", "unbounded")
except MemoryError:
    count = len(blocks)
    del blocks
    report("at:%d" % (8 * count), "ENOMEM")]],
    look = look_at_memory,
    blocked = { ENOMEM = "resource limit (setrlimit)", killed = true },
  },
  {
    name = "memory bomb of many", group = "resources", limit = "memory", timeout = 40,
    tried = "8 processes of 64 MiB each, where 128 MiB are allowed in all",
    code = [[
said, full = os.pipe()
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        block = bytearray(b"x") * (64 << 20)
        os.close(full)
        time.sleep(60)
        os._exit(0)
    children.append(child)
os.close(full)
os.read(said, 1) # until all of them hold their memory, at the same time, or are gone
until = time.time() + 20 # a machine may be slow to end them
while len(children) > 2 and time.time() < until:
    time.sleep(0.05)
    children = [child for child in children if os.waitpid(child, os.WNOHANG)[0] == 0]
report("of-8-live-%d" % len(children), "killed" if len(children) <= 2 else "unbounded")]],
    look = look_at_memory,
    blocked = { killed = true },
  },
  {
    name = "disk bomb", group = "resources", limit = "disk", timeout = 20,
    tried = "64 MiB in the home, /tmp, /dev/shm and /dev each, where 16 MiB are allowed",
    code = [[
for folder in ("/home/user", "/tmp", "/dev/shm", "/dev", "/run"):
    path, outcome = folder + "/bomb", "unbounded"
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(64): file.write(bytes(1 << 20))
    except OSError as error:
        outcome = errno.errorcode[error.errno]
    finally:
        attempt(os.remove, path)
    report(folder, outcome)]],
    shell = [[
for folder in /home/user /tmp /dev/shm; do
  try $folder dd if=/dev/zero of=$folder/bomb bs=1048576 count=64; rm -f $folder/bomb; done]],
    blocked = { ENOSPC = true, EACCES = true, EROFS = true, ENOENT = true },
  },
  {
    name = "open files without end", group = "resources", limit = "files",
    tried = "4096 files, where 64 are allowed",
    code = [[
files, outcome = [], "unbounded"
try:
    while len(files) < 4096: files.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    outcome = errno.errorcode[error.errno]
report("after-%d" % len(files), outcome)]],
    blocked = { EMFILE = true },
  },
  {
    name = "output flood", group = "resources", limit = "output",
    tried = "16 MiB on standard output, where 1 MiB is kept",
    code = [[
for _ in range(256): sys.stdout.buffer.write(b"y" * 65536)]],
    shell = [[dd if=/dev/zero bs=65536 count=256 2>/dev/null | tr '\000' y]],
    look = look_at_output,
    blocked = { cut = true },
  },
  {
    name = "leave the control group", group = "resources",
    tried = "to find a cgroup file system, and to write to it",
    code = [[
mounts = [line.split()[4] for line in open("/proc/self/mountinfo") if " - cgroup" in line]
report("mounted", "none" if not mounts else "there")
for name in ("cgroup.procs", "tasks", "release_agent"):
    report(name, attempt(lambda: os.close(os.open("/sys/fs/cgroup/" + name, os.O_WRONLY))))]],
    shell = [[
grep -q ' - cgroup' /proc/self/mountinfo && echo "mounted there" || echo "mounted none"]],
    blocked = { none = "no cgroup file system inside", ENOENT = "no cgroup file system inside",
      EACCES = "no cgroup file system inside", EROFS = "a mount that is read-only" },
  },
  {
    name = "never end", group = "deadlines", timeout = 0.5,
    tried = "a loop with every signal blocked and ignored, for 20 s",
    code = [[
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
for number in (2, 15): signal.signal(number, signal.SIG_IGN)
end = time.time() + 20
while time.time() < end: pass]],
    shell = [[trap '' HUP INT TERM; while :; do :; done]],
    look = stopped "loop",
    blocked = { stopped = HOST },
  },
  {
    name = "stop instead of ending", group = "deadlines", timeout = 0.5,
    tried = "SIGSTOP to itself and everything, so that no signal is taken",
    code = [[
attempt(os.kill, -1, signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)]],
    shell = [[kill -STOP -1; kill -STOP $$]],
    look = stopped "stopped",
    blocked = { stopped = HOST },
  },
}

return hunger
