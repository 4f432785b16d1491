-- Folders of this machine in a sandbox: read, written, or under an overlay.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local shell = require "spec.support.shell"

-- Of the machine, not of a user namespace.
local function is_root()
  return shell.run([[test "$(id -u)" = 0 && grep -q ' 0  *0  *4294967295$' /proc/self/uid_map]])
    .status == 0
end

describe("a mount #user", function()
  local top, folder

  before_each(function()
    top = shell.folder()
    folder = top .. "/project"
    shell.run(("mkdir -p %s/sub && cd %s && echo hello > a.txt && echo inner > sub/b.txt "
      .. "&& chmod 600 a.txt"):format(folder, folder))
  end)

  after_each(function()
    shell.remove(top)
  end)

  local function with(mounts, body, more)
    local options = more or {}
    options.mounts = mounts
    local sandbox = codecell.assert(codecell.create(options))
    local ok, problem = pcall(body, sandbox)
    sandbox:close()
    assert(ok, problem)
  end

  local function refused(mount)
    local sandbox, err = codecell.create({ mounts = { mount } })
    assert.is_nil(sandbox)
    return err
  end

  it("shows a folder to be read, and to be read alone #I02 #S005", function()
    with({ { host = folder } }, function(sandbox)
      assert.equal("hello\n", codecell.assert(sandbox.files:read("project/a.txt")))
      local outcomes = attack.outcomes(sandbox, [[
os.chdir("/home/user/project")
report("create", attempt(open, "new", "w"))
report("write", attempt(open, "a.txt", "a"))
report("remove", attempt(os.remove, "a.txt"))
report("make", attempt(os.mkdir, "d"))
report("mode", attempt(os.chmod, "a.txt", 0o777))
report("rename", attempt(os.rename, "a.txt", "c"))
]])
      assert.is_nil(attack.unexpected(outcomes, { EROFS = true }))
    end)
    assert.equal("hello\n", shell.read(folder .. "/a.txt"))
  end)

  it("under an overlay can be changed at will, and stays as it was", function()
    with({ { host = folder, path = "/work", mode = "overlay" } }, function(sandbox)
      local execution = codecell.assert(sandbox:run_code([[
import os, shutil
os.chdir("/work")
open("a.txt", "a").write("more\n")
shutil.rmtree("sub")
os.mkdir("sub")
open("sub/c", "w").write("c")
os.chmod("a.txt", 0o755)
sorted(os.listdir()), os.listdir("sub"), open("a.txt").read(), os.stat("a.txt").st_uid
]]))
      assert.is_nil(execution.error)
      assert.equal("(['a.txt', 'sub'], ['c'], 'hello\\nmore\\n', 1000)", execution.text)
    end)
    local listed = shell.run("ls -RA && stat -c %a a.txt && cat a.txt", { folder = folder })
    assert.equal(".:\na.txt\nsub\n\n./sub:\nb.txt\n600\nhello\n", listed.stdout)
  end)

  it("to be written is the folder itself", function()
    if is_root() then
      shell.run("chown -R 12345:12345 " .. folder)
    end
    local owner = shell.run("stat -c %u:%g " .. folder).stdout
    with({ { host = folder, mode = "write" } }, function(sandbox)
      codecell.assert(sandbox.files:write("project/made/by.txt", "code"))
      codecell.assert(sandbox.files:remove("project/a.txt"))
    end)
    assert.equal("code", shell.read(folder .. "/made/by.txt"))
    assert.is_nil(shell.read(folder .. "/a.txt"))
    assert.equal(owner, shell.run("stat -c %u:%g " .. folder .. "/made/by.txt").stdout)
  end)

  it("to be written is refused where it would make files of root", function()
    if not is_root() then
      return pending("only for a program of root")
    end
    local err = refused({ host = folder, mode = "write" })
    assert.equal("denied_by_policy", err.kind)
    assert.matches("belongs to root", err.message, 1, true)
  end)

  it("of a folder that belongs to somebody else can be read, not changed", function()
    local foreign = { host = "/usr/share", path = "/data" }
    with({ foreign }, function(sandbox)
      assert.is_true(#codecell.assert(sandbox.files:list("/data")) > 0)
    end)
    foreign.mode = "overlay"
    if not is_root() then
      local err = refused(foreign)
      assert.equal("permission_denied", err.kind)
      assert.matches("belongs to uid 0", err.message, 1, true)
    end
  end)

  it("has colons, commas, blanks and backslashes in its name, or lies where only its user may go",
    function()
      local odd = top .. "/a:b,c d\\e"
      shell.run(("mkdir %s && echo x > %s/f && chmod 700 %s"):format(shell.quote(odd),
        shell.quote(odd), top))
      with({ { host = odd, path = "x", mode = "overlay" } }, function(sandbox)
        assert.equal("x\n", codecell.assert(sandbox.files:read("x/f")))
        local seen = attack.python(sandbox, [[print(open("/proc/self/mountinfo").read())]])
        assert.is_nil(seen.stdout:find("a:b", 1, true)) -- an overlay does not tell what it covers
      end)
    end)

  it("lies below /home/user, /tmp, /data, /media, /mnt, /srv, /work or /workspace", function()
    local mounts = {}
    for i, path in ipairs({ "in/the/home", "/tmp/x", "/data", "/media/a/b", "/media/c", "/mnt",
      "/srv/s", "/work", "/workspace/w" }) do
      mounts[i] = { host = folder, path = path, mode = i % 2 == 0 and "overlay" or "read" }
    end
    with(mounts, function(sandbox)
      for _, mount in ipairs(mounts) do
        assert.equal("inner\n", codecell.assert(sandbox.files:read(mount.path .. "/sub/b.txt")))
      end
      local outcomes = attack.outcomes(sandbox, [[
for path in "/media/x", "/media/a/x", "/srv/x", "/x":
    report(path, attempt(open, path, "w"))
report("beside", attempt(os.mkdir, "/home/user/in/own"))
]])
      assert.equal("ok", outcomes.beside)
      outcomes.beside = nil
      assert.is_nil(attack.unexpected(outcomes, { EROFS = true }))
    end)
  end)

  it("anywhere else, in another one, or with options that are none, is a mistake of the caller",
    function()
      local function raises(text, ...)
        local ok, problem = pcall(codecell.create, { mounts = { ... } })
        assert.is_false(ok)
        assert.matches(text, problem, 1, true)
      end
      for _, path in ipairs({ "/", "/etc", "/etc/x", "/usr/lib", "/proc/x", "/dev/shm/x", "/tmp",
        "/homes", "/home", "/home/other" }) do
        raises("is no place for a mount", { host = folder, path = path })
      end
      raises('no "." or ".."', { host = folder, path = "../x" })
      raises('no "." or ".."', { host = folder, path = "/work/../etc" })
      raises("NUL", { host = folder, path = "a\0b" })
      raises("NUL", { host = "a\0b" })
      raises("at most 255 bytes", { host = folder, path = ("x"):rep(300) })
      raises("one of read, overlay, write", { host = folder, mode = "rw" })
      raises('did you mean "path"', { host = folder, pth = "x" })
      raises("is missing", { path = "x" })
      raises("got string", folder)
      raises("lie in one another", { host = folder, path = "a" }, { host = folder, path = "a/b" })
      raises("lie in one another", { host = folder }, { host = folder })
    end)

  it("of what is not there, no folder, a link or closed says which it is", function()
    shell.run("ln -s project link && mkdir closed && chmod 0 closed", { folder = top })
    for path, kind in pairs({ ["/missing"] = "not_found", ["/link"] = "invalid_argument",
      ["/link/"] = "invalid_argument", ["/project/a.txt"] = "invalid_argument" }) do
      local err = refused({ host = top .. path, path = "x" })
      assert.equal(kind, err.kind)
      assert.matches(top, err.message, 1, true)
      assert.is_nil(err.message:find("\n"))
    end
    if not is_root() then
      assert.equal("permission_denied", refused({ host = top .. "/closed" }).kind)
    end
  end)

  it("never shows processes, devices and settings of the machine #I02", function()
    for _, path in ipairs({ "/", "/proc", "/proc/sys", "/sys", "/dev", "/dev/shm", "/dev/pts" }) do
      -- Of a machine that has it mounted: in another root, /sys may be a folder as any other.
      if path ~= "/sys" or shell.run("test -d /sys/kernel").status == 0 then
        assert.equal("denied_by_policy", refused({ host = path, path = "/data" }).kind)
      end
    end
  end)

  it("with a socket or a pipe in it is refused, unless it is said to be meant #S094", function()
    for _, make in ipairs({ "mkfifo f", "python3 -c 'import socket; "
      .. "socket.socket(socket.AF_UNIX).bind(\"s\")'" }) do
      local within = folder .. "/sub/deep"
      shell.run("mkdir -p " .. within)
      assert.equal(0, shell.run(make, { folder = within }).status)
      local err = refused({ host = folder })
      assert.equal("denied_by_policy", err.kind)
      assert.matches("sockets = true", err.message, 1, true)
      with({ { host = folder, sockets = true } }, function(sandbox)
        assert.equal(1, #codecell.assert(sandbox.files:list("project/sub/deep")))
      end)
      shell.remove(within)
    end
    shell.run("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"s\")'",
      { folder = top })
    assert.equal("denied_by_policy", refused({ host = top .. "/s" }).kind)
  end)

  it("with a socket in a directory that its owner may not list is refused as well #S094", function()
    shell.run("mkfifo sub/f && chmod 300 sub", { folder = folder })
    local err = refused({ host = folder })
    shell.run("chmod 700 sub", { folder = folder })
    assert.equal("denied_by_policy", err.kind)
  end)

  it("under an overlay reaches no socket or pipe of this machine #S094", function()
    shell.write(top .. "/serve.py", [[
import os, select, socket
server = socket.socket(socket.AF_UNIX); server.bind("s"); server.listen()
os.mkfifo("f")
pipe = os.open("f", os.O_RDONLY | os.O_NONBLOCK)
open("ready", "w").write("yes")
came = []
while not os.path.exists("over"):
    came = came or select.select([server, pipe], [], [], 0.02)[0]
print("reached" if came else "alone")
]])
    local server = io.popen(("cd %s && timeout 20 /usr/bin/python3 ../serve.py"):format(folder))
    while shell.read(folder .. "/ready") ~= "yes" do
      codecell.step(0.01)
    end
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      local outcomes = attack.outcomes(sandbox, [[
os.chdir("/home/user/project")
report("socket", attempt(socket.socket(socket.AF_UNIX).connect, "s"))
report("pipe", attempt(os.open, "f", os.O_WRONLY | os.O_NONBLOCK))
]])
      assert.same({ socket = "ECONNREFUSED", pipe = "ENXIO" }, outcomes)
    end)
    shell.write(folder .. "/over", "")
    assert.equal("alone\n", server:read("*a"))
    server:close()
  end)

  it("keeps links inside: what leads out of it leads to nothing of this machine #S018", function()
    shell.write(top .. "/canary", "secret")
    shell.run("ln -s ../canary out; ln -s " .. top .. "/canary absolute", { folder = folder })
    for _, mode in ipairs({ "read", "overlay" }) do
      with({ { host = folder, mode = mode } }, function(sandbox)
        for _, name in ipairs({ "out", "absolute" }) do
          local _, err = sandbox.files:read("project/" .. name)
          assert.equal("not_found", err.kind)
        end
      end)
    end
  end)

  it("gives no set-user-ID program, and takes the bit from what it copies up #S020", function()
    shell.run("cp /bin/true t; chmod 4755 t", { folder = folder })
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      local outcomes = attack.outcomes(sandbox, [[
os.chdir("/home/user/project")
line = [l for l in open("/proc/self/mountinfo") if " /home/user/project " in l][0]
report("nosuid", "nosuid" in line and "nodev" in line and "userxattr" in line)
open("t", "ab").write(b"x")
report("mode", oct(os.stat("t").st_mode & 0o7777))
report("whiteout", attempt(os.mknod, "w", stat.S_IFCHR, 0))
report("xattr", attempt(os.setxattr, "t", "user.overlay.opaque", b"y"))
report("trusted", attempt(os.setxattr, "t", "trusted.overlay.opaque", b"y"))
]])
      assert.equal("True", outcomes.nosuid)
      assert.equal("0o755", outcomes.mode)
      for _, name in ipairs({ "whiteout", "trusted" }) do
        assert.not_equal("ok", outcomes[name])
      end
    end)
  end)

  it("keeps what belongs to others in it from being changed, and lets it be read", function()
    if not is_root() then
      return pending("only root can make such files")
    end
    shell.run("echo x > other && chmod 666 other && chown 4321:4321 other", { folder = folder })
    for _, mode in ipairs({ "read", "overlay" }) do
      with({ { host = folder, mode = mode } }, function(sandbox)
        local outcomes = attack.outcomes(sandbox, [[
os.chdir("/home/user/project")
report("read", attempt(open, "other"))
report("owner", os.stat("other").st_uid)
report("write", attempt(open, "other", "a"))
report("own", os.stat("a.txt").st_uid)
]])
        assert.equal("ok", outcomes.read)
        assert.equal("65534", outcomes.owner)
        assert.equal("1000", outcomes.own)
        assert.is_true(outcomes.write == "EOVERFLOW" or outcomes.write == "EACCES"
          or outcomes.write == "EROFS")
      end)
    end
  end)

  it("is told by get_info", function()
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      assert.same({ { host = folder, path = "/home/user/project", mode = "overlay" } },
        sandbox:get_info().mounts)
    end)
  end)

  it("counts against the disk of the sandbox with what is written over it", function()
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      local outcomes = attack.outcomes(sandbox, [[
report("fill", attempt(lambda: open("/home/user/project/big", "wb").write(bytes(12 << 20))))
]])
      assert.equal("ENOSPC", outcomes.fill)
    end, { limits = { disk = 8 * 2 ^ 20 } })
  end)

  it("is no wall for files:rename", function()
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      local entry = codecell.assert(sandbox.files:rename("project/sub", "project/moved"))
      assert.equal("/home/user/project/moved", entry.path)
      assert.equal("inner\n", codecell.assert(sandbox.files:read("project/moved/b.txt")))
      codecell.assert(sandbox.files:rename("project/a.txt", "/tmp/deep/a"))
      assert.equal("hello\n", codecell.assert(sandbox.files:read("/tmp/deep/a")))
      assert.is_false(sandbox.files:exists("project/a.txt"))
    end)
  end)

  it("is in a fork too, with what was changed in the first", function()
    with({ { host = folder, mode = "overlay" } }, function(sandbox)
      codecell.assert(sandbox:run_code("import os, shutil; os.chdir('project')\n"
        .. "shutil.rmtree('sub'); open('n', 'w').write('n'); os.chmod('a.txt', 0o755)"))
      local fork = codecell.assert(sandbox:fork())
      local names = {}
      for i, change in ipairs(codecell.assert(fork:changes())) do
        names[i] = change.op .. " " .. change.path:match("project/(.*)")
      end
      assert.same({ "chmod a.txt", "create n", "remove sub", "remove sub/b.txt" }, names)
      assert.equal("n", codecell.assert(fork.files:read("project/n")))
      fork:close()
    end)
  end)

  it("of a pool is as it was after the rehearsal, whatever its mode", function()
    if is_root() then
      shell.run("chown -R 12345:12345 " .. folder)
    end
    local mounts = { { host = folder, mode = "write" },
      { host = folder, path = "/tmp/a/b", mode = "write" } }
    local pool = codecell.assert(codecell.pool({ size = 1, mounts = mounts }))
    codecell.assert(pool:wait())
    with(mounts, function(sandbox)
      assert.equal(1, pool:stats().taken)
      assert.equal("hello\n", codecell.assert(sandbox.files:read("project/a.txt")))
    end, { warm = true })
    pool:close()
    assert.equal("inner\n", shell.read(folder .. "/sub/b.txt"))
  end)

  it("leaves nothing of itself behind: no mount, no descriptor, no process", function()
    with({ { host = folder, mode = "overlay" } }, function() end)
    collectgarbage()
    collectgarbage()
    local before = attack.descriptors()
    for _ = 1, 3 do
      with({ { host = folder, mode = "overlay" }, { host = folder, path = "/work" } },
        function() end)
    end
    collectgarbage()
    collectgarbage()
    assert.is_true(attack.descriptors_fall_to(before)) -- the end is heard a moment later
    assert.equal("", shell.run("grep " .. top .. " /proc/self/mountinfo").stdout)
    assert.equal(0, shell.run("rm -r " .. folder).status)
  end)

  it("is what was at its path when it was opened, never what a link leads to #S019", function()
    local done = top .. "/done"
    local swapper = io.popen(("cd %s && while [ ! -e %s ]; do mv project kept; "
      .. "ln -s /etc project; rm project; mv kept project; done"):format(top, done))
    finally(function()
      shell.write(done, "")
      swapper:close()
    end)
    for _ = 1, 50 do
      local sandbox, err = codecell.create({ mounts = { { host = folder, path = "/data" } } })
      if sandbox then
        assert.equal("inner\n", codecell.assert(sandbox.files:read("/data/sub/b.txt")))
        sandbox:close()
      else
        assert.is_true(err.kind == "not_found" or err.kind == "invalid_argument", tostring(err))
      end
    end
  end)
end)

describe("a sandbox without files #user", function()
  it("has a home that cannot be written to, and /tmp #H11 #I26", function()
    local sandbox = codecell.assert(codecell.create({ read_only = true }))
    local outcomes = attack.outcomes(sandbox, [[
report("home", attempt(open, "/home/user/x", "w"))
report("make", attempt(os.mkdir, "/home/user/d"))
report("tmp", attempt(open, "/tmp/x", "w"))
]])
    assert.same({ home = "EROFS", make = "EROFS", tmp = "ok" }, outcomes)
    assert.equal("/tmp/.cache", codecell.assert(sandbox:run_code(
      "import os; os.environ['XDG_CACHE_HOME']")).text)
    local _, err = sandbox.files:write("x", "y")
    assert.equal("permission_denied", err.kind)
    sandbox:close()
  end)
end)
