-- What a cell has changed below /home/user, as its execution tells.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"

local LOOKS = 2000 -- of 10 ms, for what comes at once or never

-- "create a.txt 5, remove b 0", names below the home.
local function told(execution)
  local list = {}
  for i, change in ipairs(execution.files_changed) do
    list[i] = ("%s %s %d"):format(change.op, change.path:gsub("^/home/user/", ""), change.size)
  end
  return table.concat(list, ", ")
end

describe("files_changed #user", function()
  local sandbox = one_sandbox(teardown)

  local function cell(code, options)
    return codecell.assert(sandbox():run_code(code, options))
  end

  local function changed(code, options)
    return told(cell(code, options))
  end

  it("is empty when a cell changes nothing", function()
    assert.same({}, cell("x = 1").files_changed)
    assert.same({}, cell("open('/tmp/elsewhere', 'w').write('x')").files_changed)
    assert.same({}, cell("   ").files_changed)
  end)

  it("tells what was created, written and removed, with absolute paths and sizes", function()
    local execution = cell("open('a.txt', 'w').write('hello')")
    assert.same({ { path = "/home/user/a.txt", op = "create", size = 5 } },
      execution.files_changed)
    assert.equal("write a.txt 7", changed("open('a.txt', 'a').write('!!')"))
    assert.equal("", changed("open('a.txt').read()"))
    assert.equal("remove a.txt 0", changed("import os; os.remove('a.txt')"))
    assert.equal("", changed("open('brief', 'w').close(); os.remove('brief')"))
  end)

  it("tells a file that was written again at once, with as many bytes", function()
    changed("open('same', 'w').write('0')")
    for i = 1, 5 do
      assert.equal("write same 1", changed(("open('same', 'w').write('%d')"):format(i)))
    end
  end)

  it("tells a file that was written through an open descriptor, or replaced", function()
    changed("f = open('kept', 'w')")
    assert.equal("write kept 2", changed("f.write('ab'); f.flush()"))
    assert.equal("write kept 3", changed("f.write('c'); f.flush(); f.close()"))
    assert.equal("write kept 1",
      changed("open('/home/user/.new', 'w').write('z'); os.replace('.new', 'kept')"))
  end)

  it("tells files in directories, new ones too, and links, by path", function()
    assert.equal("create d/e/f 1, create d/l 3",
      changed("os.makedirs('d/e'); open('d/e/f', 'w').write('1'); os.symlink('e/f', 'd/l')"))
    assert.equal("write d/e/f 2", changed("open('d/e/f', 'w').write('22')"))
    assert.equal("remove d/e/f 0, remove d/l 0, create g/e/f 2, create g/l 3",
      changed("os.rename('d', 'g')"))
    assert.equal("remove g/e/f 0, remove g/l 0", changed("import shutil; shutil.rmtree('g')"))
  end)

  it("does not tell what programs keep for themselves", function()
    assert.equal("create project/main.py 0", changed([[
for path in (".cache/x", "project/__pycache__/main.pyc", ".config/matplotlib/f", ".npm/x",
             ".ipython/profile/h", "project/.git/HEAD", "node_modules/p/index.js"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write("noise")
open("project/main.py", "w").close()]]))
  end)

  it("does not tell what the program or a command did between two cells", function()
    codecell.assert(sandbox().files:write("by_host", "1"))
    codecell.assert(sandbox().commands:run("echo 1 > by_command"))
    assert.equal("create by_cell 0", changed("open('by_cell', 'w').close()"))
    assert.equal("remove by_command 0, remove by_host 0",
      changed("os.remove('by_host'); os.remove('by_command')"))
  end)

  it("is told in every language, and of every context", function()
    local codes = {
      bash = "echo > by_bash", javascript = "fs.writeFileSync('by_javascript', '\\n')",
      lua = "io.open('by_lua', 'w'):write('\\n'):close()",
      perl = "open(F, '>', 'by_perl'); print F \"\\n\";",
      ruby = "File.write('by_ruby', \"\\n\")",
      typescript = "fs.writeFileSync('by_typescript' as string, '\\n')",
    }
    for _, language in ipairs(codecell.languages.list()) do
      if codes[language.name] and language.available then
        assert.equal(("create by_%s 1"):format(language.name),
          changed(codes[language.name], { language = language.name }))
      end
    end
    local context = codecell.assert(sandbox():create_code_context({ cwd = "/tmp" }))
    assert.equal("create by_other 0",
      changed("open('/home/user/by_other', 'w').close()", { context = context }))
  end)

  it("is told of cells that run out of time, and of kernels that die", function()
    local name
    local late = out_of_time(0.5, function(timeout)
      name = "late" .. timeout
      return cell(("open('%s', 'w').close()\nprint('on', flush=True)\nwhile True: pass")
        :format(name), { timeout = timeout })
    end)
    assert.is_true(late.timed_out)
    assert.equal("create " .. name .. " 0", told(late))
    local dead = cell("import os\nopen('dead', 'w').close()\nos._exit(3)")
    assert.equal("KernelDiedError", dead.error.name)
    assert.equal("create dead 0", told(dead))
    local failed = cell("open('failed', 'w').close()\n1 / 0")
    assert.equal("create failed 0", told(failed))
  end)

  it("is told of runs in the background", function()
    local run = codecell.assert(sandbox():start_code("open('later', 'w').close()"))
    assert.equal("create later 0", told(codecell.assert(run:wait(20))))
  end)

  it("is told once of cells that run at the same time", function()
    local other = codecell.assert(sandbox():create_code_context())
    local slow = codecell.assert(sandbox():start_code(
      "import os, time\nopen('one', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)",
      { context = other }))
    for _ = 1, LOOKS do
      if sandbox().files:exists("one") then
        break
      end
      codecell.step(0.01)
    end
    local first = told(cell("open('go', 'w').close()"))
    local second = told(codecell.assert(slow:wait(20)))
    assert.equal("create go 0, create one 0", first .. second)
  end)

  it("is bounded, and says how much there was #I13", function()
    local execution = cell("for i in range(1500): open('many%04d' % i, 'w').close()")
    assert.equal(1000, #execution.files_changed)
    assert.same({ kept = 1000, total = 1500 }, execution.truncated.files_changed)
    assert.equal("/home/user/many0000", execution.files_changed[1].path)
    assert.equal("/home/user/many0999", execution.files_changed[1000].path)
    execution = cell("import os\nfor i in range(1500): os.remove('many%04d' % i)")
    assert.same({ kept = 1000, total = 1500 }, execution.truncated.files_changed)
    assert.equal("", changed("1"))
  end)
end)

describe("files_changed against hostile code #user", function()
  it("never follows a link, nor takes one for a directory #S001 #S059", function()
    attack.within(function(sandbox)
      local execution = codecell.assert(sandbox:run_code([[
import os
os.makedirs("/tmp/outside"); open("/tmp/outside/file", "w").write("x")
os.symlink("/tmp/outside", "link"); os.symlink("/", "root"); os.symlink(".", "loop")
open("link/file", "w").write("y")]]))
      assert.equal("create link 12, create loop 1, create root 1", told(execution))
    end)
  end)

  it("says that nobody can tell, where there is more than is kept #S067", function()
    attack.within(function(sandbox)
      local execution = codecell.assert(sandbox:run_code(
        "import os\nfor i in range(8200): os.mkdir(str(i))\nopen('0/f', 'w').close()"))
      assert.equal(0, #execution.files_changed)
      assert.same({ kept = 0, total = 0, unknown = true }, execution.truncated.files_changed)
      execution = codecell.assert(sandbox:run_code("import shutil\nshutil.rmtree('0')\n"
        .. "for i in range(1, 8200): os.rmdir(str(i))"))
      for _ = 1, LOOKS do -- it is not looked for all the time
        if not execution.truncated then
          break
        end
        codecell.step(0.01)
        execution = codecell.assert(sandbox:run_code("open('again', 'w').close()"))
      end
      assert.equal("create other 0",
        told(codecell.assert(sandbox:run_code("open('other', 'w').close()"))))
    end)
  end)

  it("is right without watches, which code can take away", function()
    attack.within(function(sandbox)
      local hog = codecell.assert(sandbox.commands:run({ "python3", "-c", [[
import ctypes, sys
libc = ctypes.CDLL(None)
while libc.inotify_init() >= 0: pass
print("all", flush=True)
sys.stdin.read()]] }, { background = true, stdin = true }))
      assert.equal("all\n", codecell.assert(hog:read(10)))
      local function changed(code)
        return told(codecell.assert(sandbox:run_code(code)))
      end
      assert.equal("create a 1", changed("open('a', 'w').write('1')"))
      assert.equal("write a 1", changed("open('a', 'w').write('2')"))
      assert.equal("", changed("1"))
      codecell.assert(sandbox.files:write("b", ""))
      assert.equal("remove a 0", changed("import os; os.remove('a')"))
      hog:close()
    end)
  end)

  it("bears names of any bytes, and trees without end", function()
    attack.within(function(sandbox)
      local execution = codecell.assert(sandbox:run_code([[
import os
open(b"\xff\n\x01", "w").close()
for i in range(3000):
    os.mkdir("d"); os.chdir("d")
open("deep", "w").close()
os.chdir("/home/user")
os.mkdir("closed"); open("closed/in", "w").close(); os.chmod("closed", 0)]]))
      assert.equal("create \255\n\1 0", told(execution))
      assert.is_true(execution.truncated.files_changed.unknown)
      execution = codecell.assert(sandbox:run_code("1"))
      assert.is_true(execution.truncated.files_changed.unknown)
      codecell.assert(sandbox.files:remove("d"))
      assert.is_nil(codecell.assert(sandbox:run_code("1")).truncated)
    end)
  end)
end)

describe("files_changed of a host that is root", function()
  it("is right without the descriptor that tells of changes #S055 #S079", function()
    attack.within(function(sandbox)
      local hoard = codecell.assert(sandbox.commands:run({ "python3", "-c", [==[
import array, os, socket, sys
descriptors = array.array("i", [os.open("/dev/null", 0)] * 253).tobytes()
kept = []
try:
    while True:
        kept.append(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
        kept[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
except OSError as error:
    print(error.errno, flush=True)
sys.stdin.read()]==] }, { background = true, stdin = true }))
      assert.equal("109\n", codecell.assert(hoard:read(10))) -- ETOOMANYREFS
      local execution, err = sandbox:run_code("open('a', 'w').write('1')")
      if not execution then -- the host's own limit, as an ordinary user
        return assert.equal(109, err.errno)
      end
      assert.equal("create a 1", told(execution))
      assert.equal("write a 1",
        told(codecell.assert(sandbox:run_code("open('a', 'w').write('2')"))))
      hoard:close()
      assert.equal("remove a 0",
        told(codecell.assert(sandbox:run_code("import os; os.remove('a')"))))
    end)
  end)
end)
