-- Cells that mean harm: whatever they do to their values, their streams and their interpreter, the
-- execution is bounded and well formed, and the next cell works, if need be in a new kernel.
local codecell = require "codecell"

local sandbox
local RESULT_MOST = 4194304 + 200 -- bytes of a text of a result, and the mark of its cut

local function resident()
  for line in io.lines("/proc/self/status") do
    local kibibytes = line:match("^VmRSS:%s+(%d+)")
    if kibibytes then
      return tonumber(kibibytes) * 1024
    end
  end
end

-- Run a hostile cell, then one that must work. `lost`: "lost" when the kernel is replaced then,
-- "perhaps" when it may be, "later" when it breaks with the next cell.
local function survive(code, options, lost)
  local execution = codecell.assert(sandbox:run_code(code, options or { timeout = 20 }))
  assert.is_true(#execution.results <= 1001)
  for _, result in ipairs(execution.results) do
    assert.is_true(#(result.text or "") <= RESULT_MOST)
  end
  local after = codecell.assert(sandbox:run_code("import math\n'al' + 'ive'"))
  if lost == "later" then -- a kernel that breaks at the next cell
    assert.is_true(after.state_lost)
    after = codecell.assert(sandbox:run_code("'al' + 'ive'"))
  end
  assert.is_nil(after.error)
  assert.equal("alive", after.text)
  if not lost then
    assert.is_false(execution.state_lost or after.state_lost)
  elseif lost == "lost" then
    assert.is_true(execution.state_lost or after.state_lost)
  end
  return execution, after
end

local function output(execution)
  return table.concat(execution.logs.stdout)
end

describe("a hostile Python cell #once", function()
  setup(function()
    sandbox = codecell.assert(codecell.create({
      limits = { memory = 1073741824, processes = 40 }, timeout = 300,
    }))
  end)

  teardown(function()
    sandbox:close()
  end)

  describe("whose value is", function()
    it("a hundred million characters is cut, in every format #S063", function()
      local before = resident()
      assert.matches("cut: the rest", survive("'x' * 100000000;\n'x' * 100000000").text)
      assert.matches("cut: the rest", survive("b'x' * 100000000").text)
      assert.matches("cut: the ", survive("['x' * 1000] * 100000").text)
      do
        local page = survive([[
class Page:
    def _repr_html_(self): return 'x' * 100000000
    def _repr_png_(self): return b'x' * 100000000
    def __repr__(self): return 'page'
Page()]])
        assert.equal("page", page.text)
        assert.is_true(#page.results[1].html < 17000000)
        assert.is_nil(page.results[1].png)
      end
      collectgarbage()
      collectgarbage()
      assert.is_true(resident() - before < 120000000)
    end)

    it("cyclic, or exploding, or deeper than any stack has a text #S064", function()
      assert.equal("[1, [...]]", survive("a = [1]\na.append(a)\na").text)
      assert.equal("{'d': {...}}", survive("d = {}\nd['d'] = d\nd").text)
      survive("x = ['x' * 500]\nfor i in range(40): x = [x, x]\nx")
      local deep = survive("x = []\nfor i in range(100000): x = [x]\nx")
      assert.matches("^%[%[%[.*%.%.%..*%]%]%]$", deep.text)
      assert.is_nil(deep.results[1].json)
    end)

    it("beyond JSON is JSON as far as clients can read it #S064", function()
      local done = survive("[float('nan'), float('-inf'), 2**53 + 1, 1.5]")
      local list = done.results[1].json
      assert.equal(1.5, list[4])
      assert.same({ "NaN", "-Infinity" }, { list[1], list[2] })
      assert.equal("[nan, -inf, 9007199254740993, 1.5]", done.text)
      assert.is_nil(survive("[2**64]").results[1].json)
      assert.is_nil(survive("[10**400]").results[1].json)
      assert.is_nil(survive("['\\ud800']").results[1].json)
      assert.is_nil(survive([[
class Liar(dict):
    def items(self): return 5
    def __len__(self): return -1
    def __iter__(self): raise ValueError
Liar(a=object())]]).results[1])
    end)

    it("of a class whose every method raises is shown as far as it can be #S063", function()
      local code = [[
class Trap:
    def __eq__(self, other): raise BaseException('eq')
    def __hash__(self): raise BaseException('hash')
    def __bool__(self): raise BaseException('bool')
    def __len__(self): raise BaseException('len')
    def __getattr__(self, name): raise ValueError(name)
Trap()]]
      assert.matches("^<__main__.Trap at 0x", survive(code).text)
      assert.equal("ValueError", survive("class R:\n  def __repr__(self): raise ValueError\nR()")
        .error.name)
      assert.equal("TypeError", survive("class R:\n  def __repr__(self): return 5\nR()").error.name)
      assert.equal("SystemExit",
        survive("class R:\n  def __repr__(self): raise SystemExit\nR()").error.name)
      survive("class S(str):\n  def encode(self, *a): return 5\n"
        .. "  def __len__(self): return 1 << 40\nclass R:\n"
        .. "  def _repr_html_(self): return S('h')\n  def __repr__(self): return S('r')\nR()")
      survive("class C:\n  @property\n  def __class__(self): return dict\nC()")
      survive("class M(type):\n  def __getattr__(self, n): raise BaseException(n)\n"
        .. "class C(metaclass=M): pass\nC(), C")
      survive("display({5: 6, 'text/html': 7, 'a/b': object(), 'image/png': 'zz'}, raw=True)")
    end)

    it("printing in its repr prints, one that hangs runs into the timeout #S063 #S081", function()
      local done = survive("class R:\n  def __repr__(self): print('in'); return 'R'\nR()")
      assert.equal("in\n", output(done))
      assert.equal("R", done.text)
      local kept = survive("kept = 5\nclass R:\n  def __repr__(self):\n    while True: pass\nR()",
        { timeout = 0.2 })
      assert.is_true(kept.timed_out)
      survive("class R:\n  def _ipython_display_(self):\n    while True: pass\nR()",
        { timeout = 0.2 })
      assert.equal("5", survive("kept").text)
    end)

    it("one of a million displays is among the first thousand #S063", function()
      local done = survive("for i in range(1000000): display(i)")
      assert.equal(1001, #done.results)
      assert.matches("more than 1000 results", done.results[1001].text)
    end)
  end)

  describe("that raises", function()
    it("an error of any size, shape and depth is described within bounds #S062 #S063", function()
      local done = survive("raise ValueError('x' * 100000000)")
      assert.is_true(#done.error.value <= RESULT_MOST and #done.error.traceback <= RESULT_MOST)
      assert.equal("a\0b\\ud800", survive("raise ValueError('a\\0b\\ud800')").error.value)
      survive("e = ValueError()\ne.__cause__ = e\ne.__context__ = e\nraise e")
      survive("e = None\nfor i in range(100000):\n  n = ValueError(i)\n"
        .. "  n.__context__ = e\n  e = n\nraise e")
      survive("e = ValueError('x')\nfor i in range(2000): e = ExceptionGroup('g', [e])\nraise e")
      survive("e = ValueError('e')\ne.__notes__ = ['x' * 1000000] * 50\nraise e")
      survive("class N:\n  def __str__(self): raise BaseException\n"
        .. "e = ValueError('e')\ne.__notes__ = [N()]\nraise e")
      survive("e = SyntaxError('m')\ne.lineno = 'x'; e.offset = []; e.text = 5\n"
        .. "e.filename = object()\nraise e")
      survive("class E(Exception):\n  def __str__(self): raise E()\n"
        .. "  __repr__ = __str__\nraise E()")
    end)
  end)

  describe("that prints", function()
    it("any bytes, lone surrogates and ten million lines is kept as it is, or cut #S062 #S080",
      function()
        local done = survive("import os\nos.write(1, bytes(range(256)));")
        local every = {}
        for byte = 0, 255 do
          every[#every + 1] = string.char(byte)
        end
        assert.equal(table.concat(every), output(done))
        assert.equal("\\ud800\n", output(survive("print('\\ud800')")))
        local flood = survive("import sys\nfor i in range(1000): sys.stdout.write('x\\n' * 10000)")
        assert.is_true(#output(flood) < 20000000)
      end)

    it("when the cell has ended prints no more into its execution #S084 #S085", function()
      survive("import os, time\ndef later():\n"
        .. "  while not os.path.exists('/tmp/later'): time.sleep(.01)")
      local ended = {}
      for i, code in ipairs({
        "if os.fork() == 0:\n  later(); os.write(1, b'late')\n  os._exit(0)\n1",
        "import threading\nthreading.Thread(target=lambda: (later(), print('late'),"
          .. " display('late')), daemon=True).start()\n1",
        "import multiprocessing as m\nm.get_context('fork').Process(daemon=True,"
          .. " target=lambda: (later(), print('late', flush=True))).start()\n1",
        "import subprocess\nsubprocess.Popen(['sh', '-c', 'until [ -e /tmp/later ]; do"
          .. " sleep .01; done; echo late'], start_new_session=True)\n1",
        "if os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: later();"
          .. " os.write(1, b'late')\n  os._exit(0)\n1",
      }) do
        ended[i] = survive(code)
      end
      assert.equal("over",
        survive("open('/tmp/later', 'w').close()\ntime.sleep(.5)\n'over'").text)
      for _, done in ipairs(ended) do
        assert.equal("", output(done))
        assert.equal(1, #done.results)
      end
    end)

    it("in a forked child that comes back from the cell gives one answer #S047", function()
      assert.equal("both", survive("import os\nos.fork()\n'both'").text)
      assert.equal(0, #survive("import os\nif os.fork() == 0:\n"
        .. "  for i in range(100): display(i)\n  os._exit(0)\nos.wait();").results)
    end)
  end)

  describe("that breaks its own interpreter", function()
    it("by taking sys, the builtins or a module apart harms itself #S047", function()
      for _, code in ipairs({
        "import sys\nclass O:\n  def write(self, t): 1/0\n  def flush(self): 1/0\n"
          .. "sys.stdout = sys.stderr = O()",
        "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
        "import sys\ndel sys.stdout, sys.stderr, sys.stdin, sys.displayhook, sys.excepthook",
        "import sys\nsys.stdout.write = sys.stdout.flush = None\nsys.stdout.detach()",
        "import builtins\nfor n in list(vars(builtins)):\n  if n != 'setattr':"
          .. " setattr(builtins, n, None)",
        "import builtins\nvars(builtins).clear()",
        "__builtins__.__import__ = None\ndel __builtins__",
        "import builtins\nbuiltins.repr = builtins.print = builtins.compile = lambda *a: 1/0",
        "import json, sys\njson.dumps = json.loads = None\nsys.modules['json'] = 5",
        "import sys\ndef t(*a): raise ValueError\nsys.settrace(t); sys.setprofile(t)",
        "import sys\nsys.displayhook = lambda v: 1/0\n5",
        "import sys, atexit, time\natexit.register(time.sleep, 1000)\n"
          .. "sys.excepthook = sys.unraisablehook = None\n1/0",
        "import linecache, traceback\nlinecache.cache = linecache.getline = None\n"
          .. "traceback.format_exception = None\n1/0",
        "import sys\nsys.setrecursionlimit(30)\n[1]",
        "import sys\nsys.modules.clear(); sys.meta_path.clear(); sys.path_hooks.clear()",
        "import sys\nfor n in list(sys.modules): sys.modules[n] = None",
        "import gc\ngc.disable()\ngc.callbacks.append(lambda *a: None)",
        "Out.clear(); In.clear(); del Out, In, _oh, _ih, _i\n5",
        "import posix\nposix.environ.clear()",
        "import threading, sys\nt = threading.Thread(target=sys.exit)\nt.start(); t.join()",
        "import os\nfor i in range(5): os.set_blocking(i, False)",
        "import os\nos.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n[1]",
      }) do
        survive(code)
      end
      survive("import os\nos.chdir('/home/user')")
    end)

    it("by closing what it speaks by is answered, if need be by a new kernel #S047", function()
      survive("import os\nos.close(0); os.close(1); os.close(2)")
      survive("import os\nos.dup2(1, 2); os.dup2(2, 1)", nil, "perhaps")
      survive("import os\nos.dup2(1, 3)", nil, "perhaps")
      survive("import os\nos.dup2(1, 4)", nil, "lost")
      survive("import os\nos.closerange(0, 100)", nil, "lost")
    end)

    it("by forgetting everything that it can reach is replaced #S047", function()
      survive("import gc\nfor o in gc.get_objects():\n  if type(o) is dict and 'kernel' in o:"
        .. " o['kernel'] = None", nil, "later")
    end)

    it("by ending itself says how it ended #S043", function()
      for code, how in pairs({
        ["import os\nos._exit(7)"] = "exited with status 7",
        ["import os\nos.kill(os.getpid(), 9)"] = "SIGKILL",
        ["import os\nos.abort()"] = "SIGABRT",
        ["import os, signal\nos.killpg(0, signal.SIGTERM)"] = "SIGTERM",
        ["import signal as s, time\ns.setitimer(s.ITIMER_REAL, .01)\ntime.sleep(5)"] = "SIGALRM",
        ["import ctypes\nctypes.string_at(0)"] = "SIGSEGV",
      }) do
        local done = survive(code, nil, "lost")
        assert.equal("KernelDiedError", done.error.name)
        assert.matches(how, done.error.value, 1, true)
      end
    end)
  end)

  describe("that will not stop", function()
    it("is interrupted if it lets itself be, and keeps its variables #S082", function()
      survive("kept = 'yes'")
      for _, code in ipairs({
        "while True: pass", "import time\ntime.sleep(60)", "import os\nos.system('sleep 60')",
        "import asyncio\nawait asyncio.sleep(60)", "!sleep 60",
        "import subprocess\nsubprocess.run(['sleep', '60'])",
      }) do
        assert.is_true(survive(code, { timeout = 0.2 }).timed_out)
      end
      assert.equal("yes", survive("kept").text)
    end)

    it("is killed if it does not #S083 #S087", function()
      for _, code in ipairs({
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "import signal as s, time\ns.pthread_sigmask(s.SIG_BLOCK, range(1, 65))\ntime.sleep(60)",
        "import os\nos.kill(os.getpid(), 19)",
      }) do
        assert.is_true(survive(code, { timeout = 0.3 }, "lost").timed_out)
      end
    end)

    it("gives the next cell an interrupt that works #S083", function()
      survive("import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)")
      assert.is_true(survive("import time\ntime.sleep(60)", { timeout = 0.3 }).timed_out)
    end)
  end)

  describe("that lowers its own limits", function()
    it("has them, until its kernel is replaced", function()
      for _, code in ipairs({
        "import resource as r\nr.setrlimit(r.RLIMIT_FSIZE, (0, 0))\nopen('f', 'w').write('x')",
        "import resource as r\nr.setrlimit(r.RLIMIT_NOFILE, (8, 8))\nopen('/dev/null')",
        "import resource as r\nr.setrlimit(r.RLIMIT_STACK, (100000, 100000))\n[1]",
      }) do
        survive(code, nil, "perhaps")
      end
      survive("import os\nos._exit(0)", nil, "lost")
    end)
  end)
end)
