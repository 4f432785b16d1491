-- What code changed in a folder under an overlay, and how it is made there.
local codecell = require "codecell"
local shell = require "spec.support.shell"

-- Of the machine, not of a user namespace.
local function is_root()
  return shell.run([[test "$(id -u)" = 0 && grep -q ' 0  *0  *4294967295$' /proc/self/uid_map]])
    .status == 0
end

describe("a project #user", function()
  local top, folder, sandbox

  before_each(function()
    top = shell.folder()
    folder = top .. "/p"
    shell.run([[mkdir -p p/sub/deep p/.git/hooks && cd p && printf 'one\ntwo\n' > a.txt &&
      echo b > sub/b && echo c > sub/deep/c && echo m > mode && ln -s a.txt link && echo s > same]],
      { folder = top })
  end)

  after_each(function()
    if sandbox then
      sandbox:close()
      sandbox = nil
    end
    shell.run("chmod -R u+rwx " .. top)
    shell.remove(top)
  end)

  local function start(options)
    options = options or {}
    options.mounts = options.mounts or { { host = folder, mode = "overlay" } }
    sandbox = codecell.assert(codecell.create(options))
    return sandbox
  end

  local function inside(code)
    if not sandbox then
      start()
    end
    local execution = codecell.assert(sandbox:run_code("import os, shutil, subprocess\n"
      .. "os.chdir('/home/user/p')\n" .. code))
    assert.is_nil(execution.error and execution.error.traceback)
  end

  local function outside(line)
    local result = shell.run(line, { folder = folder })
    assert.equal("", result.stderr)
    return result.stdout
  end

  -- "op name" of each, without the path of the folder.
  local function brief(list)
    local words = {}
    for i, change in ipairs(list) do
      words[i] = (change.op and change.op .. " " or "") .. (change.path:match("/p/(.*)$")
        or change.path)
    end
    return words
  end

  local function changes(options)
    return codecell.assert(sandbox:changes(options))
  end

  local function apply(options)
    return codecell.assert(sandbox:apply(options or { all = true }))
  end

  -- The one failure of that path.
  local function why(outcome, name)
    for _, failed in ipairs(outcome.failed) do
      if failed.path:sub(-#name) == name then
        return failed.err
      end
    end
  end

  describe("changes", function()
    it("lists what was created, written, removed and made executable, by path", function()
      inside([[
open("a.txt", "a").write("three\n")
shutil.rmtree("sub")
os.chmod("mode", 0o755)
os.makedirs("new/dir"); open("new/dir/f", "w").write("f")
os.remove("link"); os.symlink("b.txt", "link")
open("same", "r+").write("s\n"); os.utime("same")
open("touched", "w"); os.remove("touched")
]])
      local list = changes()
      assert.same({ "write a.txt", "write link", "chmod mode", "create new", "create new/dir",
        "create new/dir/f", "remove sub", "remove sub/b", "remove sub/deep", "remove sub/deep/c" },
        brief(list))
      assert.same({ path = "/home/user/p/a.txt", op = "write", type = "file", was = "file",
        size = 14, mode = 420, host = folder .. "/a.txt" }, list[1])
      assert.equal("b.txt", list[2].target)
      assert.equal(493, list[3].mode)
      assert.equal("dir", list[4].type)
      assert.equal("file", list[10].was)
      assert.is_nil(list[10].type)
      assert.is_nil(list.truncated)
    end)

    it("is nothing where nothing was changed, and only what is asked for", function()
      start()
      assert.same({}, changes())
      inside("open('x', 'w'); os.mkdir('d'); open('d/y', 'w')")
      assert.same({ "create d", "create d/y" }, brief(changes({ paths = { "p/d/" } })))
      assert.same({ "create x" }, brief(changes({ paths = { "/home/user/p/x", "~/q" } })))
    end)

    it("tells a directory that was removed and made again by what differs", function()
      inside("shutil.rmtree('sub'); os.makedirs('sub/deep'); open('sub/b', 'w').write('b\\n')\n"
        .. "open('sub/new', 'w')")
      assert.same({ "remove sub/deep/c", "create sub/new" }, brief(changes()))
    end)

    it("tells what became something else", function()
      inside("shutil.rmtree('sub'); open('sub', 'w').write('s'); os.remove('a.txt')\n"
        .. "os.mkdir('a.txt')")
      local list = changes()
      assert.same({ "write a.txt", "write sub", "remove sub/b", "remove sub/deep",
        "remove sub/deep/c" }, brief(list))
      assert.equal("file", list[1].was)
      assert.equal("dir", list[1].type)
    end)

    it("has diffs of texts, and says why there is none", function()
      inside([[
open("a.txt", "w").write("one\n2\n")
open("bin", "wb").write(bytes(8))
open("hole", "wb").truncate(1 << 40)
open("long", "w").write("x" * (2 << 20))
open("lines", "w").write("\n" * 60000)
os.remove("same")
os.symlink("x", "l")
]])
      local by = {}
      for _, change in ipairs(changes({ diff = true })) do
        by[change.path:match("/p/(.*)$")] = change
      end
      assert.equal("--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n", by["a.txt"].diff)
      assert.equal("--- a/same\n+++ /dev/null\n@@ -1 +0,0 @@\n-s\n", by.same.diff)
      assert.equal("binary", by.bin.omitted)
      assert.equal("too large", by.hole.omitted)
      assert.equal("too large", by.long.omitted)
      assert.equal("too large", by.lines.omitted)
      assert.is_nil(by.l.diff)
      assert.is_nil(by.l.omitted)
    end)

    it("tells names of any bytes as they are, and thousands of them", function()
      inside([[
for name in ("new\nline", "-rf", "\x1b[31m", "a" * 255, "~", "..."):
    open(name, "w")
open(b"\xff", "w")
os.mkdir("many")
for i in range(5000):
    open("many/%d" % i, "w")
]])
      local list = changes()
      local words = brief(list)
      assert.equal(5008, #list)
      assert.same({ "create \27[31m", "create -rf", "create ...", "create " .. ("a"):rep(255) },
        { words[1], words[2], words[3], words[4] })
      assert.equal("create \255", words[5008])
    end)

    it("does not wait for pipes, follow links or lose its way in what is nested deep", function()
      inside([[
os.mkfifo("pipe")
os.symlink("/", "root"); os.symlink(".", "loop")
for i in range(3000):
    os.mkdir("d"); os.chdir("d")
]])
      local list = changes({ diff = true })
      assert.is_true(list.truncated)
      assert.same({ "create loop", "create pipe", "create root" },
        { brief(list)[#list - 2], brief(list)[#list - 1], brief(list)[#list] })
      sandbox:run_code("os.chdir('/')")
    end)

    it("says that it is not all where the code closed a directory", function()
      inside("os.mkdir('shut'); open('shut/x', 'w'); os.chmod('shut', 0)")
      local list = changes()
      assert.is_true(list.truncated)
      assert.same({ "create shut" }, brief(list))
    end)

    it("sees through code that ends whatever it can, once that stands still #S059", function()
      start()
      codecell.assert(sandbox.commands:run([[exec python3 -c "
import os
open('/home/user/p/made', 'w').write('m')
while True:
    for name in os.listdir('/proc'):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            try:
                os.kill(int(name), 9)
            except OSError:
                pass
"]], { background = true }))
      require("spec.support.wait_until")(function() return sandbox.files:exists("p/made") end)
      local list, err = sandbox:changes()
      assert.is_true(list ~= nil or err.message:find("pause the sandbox first", 1, true) ~= nil)
      codecell.assert(sandbox:pause())
      assert.same({ "create made" }, brief(changes({ diff = true })))
      assert.same({ "create made" }, brief(apply().applied))
    end)

    it("is unsupported where there is no overlay", function()
      start({ mounts = { { host = folder } } })
      for _, verb in ipairs({ "changes", "apply" }) do
        local none, err = sandbox[verb](sandbox, verb == "apply" and { all = true } or nil)
        assert.is_nil(none)
        assert.equal("unsupported", err.kind)
      end
      assert.is_true(sandbox:supports("mounts"))
      assert.is_true(sandbox:supports("changes"))
    end)
  end)

  describe("apply", function()
    it("makes the changes that are approved, and no others", function()
      inside("open('a.txt', 'w').write('A'); open('n', 'w').write('N'); os.remove('same')")
      local outcome = apply({ paths = { "p/a.txt", "p/same" } })
      assert.same({ "write a.txt", "remove same" }, brief(outcome.applied))
      assert.same({}, outcome.failed)
      assert.equal("A", shell.read(folder .. "/a.txt"))
      assert.is_nil(shell.read(folder .. "/same"))
      assert.is_nil(shell.read(folder .. "/n"))
    end)

    it("makes all of them, whatever they are", function()
      inside([[
os.makedirs("new/dir"); open("new/dir/f", "w").write("f"); os.chmod("new", 0o555)
shutil.rmtree("sub"); open("sub", "w").write("now a file")
os.remove("a.txt"); os.mkdir("a.txt"); open("a.txt/in", "w").write("in")
os.remove("link"); os.symlink("sub", "link"); os.symlink("../a.txt", "a.txt/up")
os.chmod("mode", 0o755)
open("run.sh", "w").write("#!/bin/sh\n"); os.chmod("run.sh", 0o750)
]])
      local outcome = apply()
      assert.same({}, brief(outcome.failed))
      assert.equal("now a file", shell.read(folder .. "/sub"))
      assert.equal("555 directory\n755 regular file\n750 regular file\n",
        outside("stat -c '%a %F' new mode run.sh"))
      assert.equal("sub\n../a.txt\n", outside("readlink link a.txt/up"))
      assert.equal("f", shell.read(folder .. "/new/dir/f"))
      assert.same({}, changes())
      assert.equal("", outside("find . -name '.codecell*'"))
    end)

    it("makes them no change any more, while the code goes on", function()
      inside("open('a.txt', 'w').write('1'); os.mkdir('d'); open('d/x', 'w')")
      apply()
      assert.same({}, changes())
      inside("open('a.txt', 'w').write('22'); os.remove('d/x')")
      assert.same({ "write a.txt", "remove d/x" }, brief(changes()))
      assert.same({}, apply().failed)
      assert.equal("22", shell.read(folder .. "/a.txt"))
      assert.equal("", outside("ls d"))
    end)

    it("keeps the owner, and takes set-user-ID, set-group-ID and sticky bits", function()
      if is_root() then
        shell.run("chown -R 12345:12346 " .. folder)
      end
      local owner = outside("stat -c %u:%g a.txt")
      inside([[
open("a.txt", "w").write("A"); os.chmod("a.txt", 0o4755)
open("n", "w").write("N"); os.chmod("n", 0o6777)
os.mkdir("d"); os.chmod("d", 0o3777)
]])
      assert.same({}, brief(apply().failed))
      assert.equal("755\n777\n777\n", outside("stat -c %a a.txt n d"))
      assert.equal(owner:rep(3), outside("stat -c %u:%g a.txt n d"))
      assert.same({}, changes())
    end)

    it("refuses what was changed here since, and does the rest", function()
      inside([[
open("a.txt", "a").write("code\n"); open("made", "w").write("code"); os.remove("same")
shutil.rmtree("sub"); open("mode", "a").write("x"); open("fine", "w")
os.remove("link"); os.symlink("x", "link")
]])
      changes({ paths = { "p/mode" } })
      outside("echo host >> a.txt; echo host > made; echo host > same; echo > sub/host; rm mode; "
        .. "rm link; mkdir link")
      local outcome = apply()
      assert.same({ "create fine", "remove sub/b", "remove sub/deep", "remove sub/deep/c" },
        brief(outcome.applied))
      for _, name in ipairs({ "a.txt", "made", "same", "sub", "mode", "link" }) do
        local err = why(outcome, "/" .. name)
        assert.equal("already_exists", err and err.kind)
        assert.is_nil(err.message:find("\n"))
      end
      assert.equal("one\ntwo\nhost\n", shell.read(folder .. "/a.txt"))
      assert.equal("host\n", shell.read(folder .. "/made"))
      assert.same({}, brief(apply({ paths = { "p/a.txt", "p/made" }, force = true }).failed))
      assert.equal("one\ntwo\ncode\n", shell.read(folder .. "/a.txt"))
    end)

    it("writes what was shown, and not what the code made of it since", function()
      inside("open('a.txt', 'w').write('good'); open('n', 'w').write('good')\n"
        .. "open('m', 'w').write('good')")
      changes({ diff = true })
      -- As long, and with the time that it had; through a mapping of memory, which leaves no trace.
      inside([[
import mmap
past = os.stat("a.txt")
open("a.txt", "r+").write("evil"); os.utime("a.txt", ns=(past.st_atime_ns, past.st_mtime_ns))
with open("n", "r+b") as file:
    mmap.mmap(file.fileno(), 0)[:] = b"evil"
os.chmod("m", 0o777)
]])
      local outcome = apply()
      assert.same({}, outcome.applied)
      assert.equal(3, #outcome.failed)
      assert.equal("one\ntwo\n", shell.read(folder .. "/a.txt"))
      assert.is_nil(shell.read(folder .. "/n"))
      assert.equal("", outside("find . -name '.codecell*'"))
      changes({ diff = true })
      assert.same({}, apply().failed)
    end)

    it("makes no link that leads out, no device, socket or pipe, and nothing in .git unasked #S066",
      function()
        inside([[
for i, target in enumerate(("/etc/passwd", "../x", "sub/../../x", "sub/deep/../../../x", "..")):
    os.symlink(target, "out%d" % i)
os.mkfifo("pipe")
import socket; socket.socket(socket.AF_UNIX).bind("socket")
open(".git/hooks/pre-commit", "w").write("#!/bin/sh\n")
os.makedirs("sub/.GIT"); open("sub/.GIT/config", "w")
]])
        local outcome = apply()
        assert.same({}, brief(outcome.applied))
        assert.equal(10, #outcome.failed)
        assert.equal("denied_by_policy", why(outcome, "out1").kind)
        assert.equal("unsupported", why(outcome, "pipe").kind)
        assert.equal("denied_by_policy", why(outcome, "pre-commit").kind)
        assert.equal("denied_by_policy", why(outcome, "config").kind)
        assert.same({}, apply({ paths = { "p/.git" } }).failed)
        assert.equal("#!/bin/sh\n", shell.read(folder .. "/.git/hooks/pre-commit"))
      end)

    it("stops at what the sandbox may hold, for each file by itself #S066", function()
      start({ limits = { disk = 8 * 2 ^ 20 } })
      inside([[
open("hole", "wb").truncate(1 << 40)
open("big", "wb").write(bytes(5 << 20)); os.link("big", "again")
open("z", "w").write("z")
]])
      local outcome = apply()
      assert.equal("limit_exceeded", why(outcome, "hole").kind)
      assert.equal("limit_exceeded", why(outcome, "big").kind)
      assert.same({ "create again", "create z" }, brief(outcome.applied))
      assert.equal("5242880\n", outside("stat -c %s again"))
    end)

    it("takes names for what they are", function()
      inside([[
for name in ("-rf", "new\nline", "\x1b[2J", "a b", "*", "$(touch x)", "a" * 255):
    open(name, "w").write(name)
open(b"\xff\xfe", "w").write("bytes")
]])
      assert.same({}, brief(apply().failed))
      assert.equal("-rf", shell.read(folder .. "/-rf"))
      assert.equal("new\nline", shell.read(folder .. "/new\nline"))
      assert.equal("bytes", shell.read(folder .. "/\255\254"))
      assert.equal(("a"):rep(255), shell.read(folder .. "/" .. ("a"):rep(255)))
      assert.is_nil(shell.read(folder .. "/x"))
    end)

    it("asks for the directories that it needs, and tells that they were made", function()
      inside("os.makedirs('x/y'); open('x/y/f', 'w').write('f'); open('x/other', 'w')")
      assert.same({ "create x", "create x/y", "create x/y/f" },
        brief(apply({ paths = { "p/x/y/f" } }).applied))
      assert.same({ "create x/other" }, brief(changes()))
    end)

    it("tells of paths at which there is nothing, and wants to be told what", function()
      start()
      local outcome = apply({ paths = { "p/nothing", "a\nb" } })
      assert.equal("not_found", why(outcome, "p/nothing").kind)
      assert.is_nil(why(outcome, "a\nb").message:find("\n"))
      for _, wrong in ipairs({ {}, { all = true, paths = {} }, { all = false }, { path = "x" } }) do
        assert.is_false(pcall(sandbox.apply, sandbox, wrong))
      end
      sandbox:close()
      assert.is_false(pcall(sandbox.apply, sandbox, { all = true }))
      assert.is_false(pcall(sandbox.changes, sandbox))
    end)

    it("writes where the folder is that was mounted, though another came to its path", function()
      inside("open('n', 'w').write('n')")
      shell.run("mv p moved && mkdir p", { folder = top })
      assert.same({}, apply().failed)
      assert.equal("n", shell.read(top .. "/moved/n"))
      assert.equal("", outside("ls"))
    end)

    it("ends with the sandbox that another coroutine closes, and tells how far it came", function()
      inside("for i in range(200): open('%03d' % i, 'wb').write(bytes(100000))")
      local one = codecell.async(function() return sandbox:apply({ all = true }) end)
      local two = codecell.async(function() return sandbox:changes({ diff = true }) end)
      require("spec.support.wait_until")(function()
        return outside("ls | wc -l") ~= outside("ls -d a.txt link mode same sub | wc -l")
      end)
      sandbox:close()
      local outcome = codecell.assert(one:wait())
      assert.equal(200, #outcome.applied + #outcome.failed)
      for _, failed in ipairs(outcome.failed) do
        assert.equal("cancelled", failed.err.kind)
      end
      local none, err = two:wait()
      assert.is_true(none ~= nil or err.kind == "cancelled")
      assert.equal("", outside("find . -name '.codecell*'"))
      assert.equal("", outside("find . -name '[0-9]*' ! -size 100000c"))
    end)

    it("never leads out, whatever is swapped here meanwhile #S059", function()
      shell.run("mkdir outside outside/deep", { folder = top })
      inside("for i in range(300): open('sub/deep/%d' % i, 'w').write('x')\n"
        .. "open('sub/deep/c', 'w').write('x')")
      local swapper = io.popen(("cd %s && while [ ! -e done ]; do mv p/sub p/kept; "
        .. "ln -s ../outside p/sub; rm p/sub; mv p/kept p/sub; "
        .. "done; echo over"):format(top))
      local outcome = apply()
      shell.write(top .. "/done", "")
      swapper:read("*a")
      swapper:close()
      assert.is_true(#outcome.applied + #outcome.failed >= 301)
      assert.equal("outside\noutside/deep\n", shell.run("find outside", { folder = top }).stdout)
    end)

    it("is not led anywhere by what the code swaps meanwhile #S059", function()
      shell.write(top .. "/canary", "secret")
      inside([[
import threading, time
os.makedirs("d/e")
for i in range(200): open("d/e/%d" % i, "w").write("x" * 100)
over = False
def swap():
    while not over:
        os.rename("d", "k"); os.symlink("/etc", "d"); os.remove("d"); os.rename("k", "d")
thread = threading.Thread(target=swap); thread.start()
]])
      for _ = 1, 3 do
        local outcome = apply()
        for _, failed in ipairs(outcome.failed) do
          assert.is_string(failed.err.kind)
        end
      end
      inside("over = True; thread.join()")
      assert.equal("", outside("find . -type l ! -name link"))
      assert.equal("", outside("find . -name passwd"))
      for line in outside("find . -path './[dk]/e/*' -size -100c"):gmatch("[^\n]+") do
        assert.equal("nothing", line) -- half of a file
      end
    end)
  end)

  describe("in the home of a template", function()
    it("tells what was changed, and leaves the template as it is", function()
      local home = top .. "/home"
      shell.run("mkdir -p home/templates/t", { folder = top })
      shell.write(top .. "/build.lua", ([[
local codecell = require "codecell"
local sandbox = codecell.assert(codecell.create())
sandbox.files:write("kept.txt", "kept\n")
sandbox.files:write("gone.txt", "gone\n")
print(codecell.assert(sandbox:create_snapshot()).id)
sandbox:close()
local id = io.read()
]]):gsub("local id = io.read%(%)\n", ""))
      local made = shell.run(("CODECELL_HOME=%s %s %s/build.lua"):format(home, shell.lua, top))
      local id = made.stdout:match("^(%S+)\n")
      assert.is_string(id, made.stderr)
      shell.write(top .. "/use.lua", ([[
local codecell = require "codecell"
local sandbox = codecell.assert(codecell.create({ template = %q,
  mounts = { { host = %q, mode = "overlay" } } }))
sandbox:run_code("import os; open('kept.txt', 'a').write('more\\n'); os.remove('gone.txt')")
for _, change in ipairs(codecell.assert(sandbox:changes({ diff = true }))) do
  print(change.op, change.path, change.host)
  io.write(change.diff)
end
local outcome = sandbox:apply({ paths = { "kept.txt" } })
print(outcome.failed[1].err.kind)
local fork = codecell.assert(sandbox:fork())
print(fork.files:read("kept.txt"), fork.files:exists("gone.txt"))
]]):format(id, folder))
      local used = shell.run(("CODECELL_HOME=%s %s %s/use.lua"):format(home, shell.lua, top))
      assert.equal("", used.stderr)
      assert.equal("remove\t/home/user/gone.txt\tnil\n--- a/gone.txt\n+++ /dev/null\n"
        .. "@@ -1 +0,0 @@\n-gone\nwrite\t/home/user/kept.txt\tnil\n--- a/kept.txt\n"
        .. "+++ b/kept.txt\n@@ -1 +1,2 @@\n kept\n+more\nunsupported\nkept\nmore\n\tfalse\n",
        used.stdout)
    end)
  end)
end)
