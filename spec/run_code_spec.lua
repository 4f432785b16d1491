local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"

local function names(result)
  return table.concat(result:formats(), " ")
end

describe("run_code #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code, options)
    return codecell.assert(sandbox():run_code(code, options))
  end

  it("keeps variables from one run to the next #E06 #M21", function()
    run("x = 10")
    assert.equal("20", run("x * 2").text)
  end)

  it("gives the value of the last expression as the main result #E07", function()
    local execution = run("a = 3\na + 4")
    assert.equal("7", execution.text)
    assert.equal(1, #execution.results)
    assert.is_true(execution.results[1].is_main_result)
    assert.equal("7", execution.results[1].text)
    assert.equal("text", names(execution.results[1]))
    assert.is_nil(run("b = 3").text)
  end)

  it("runs Python unless told otherwise, and says so #E05", function()
    local execution = run("1")
    assert.equal("python", execution.language)
    assert.equal(sandbox():list_code_contexts()[1].id, execution.context)
  end)

  it("keeps files from one run to the next #E08", function()
    run("open('kept.txt', 'w').write('still here')")
    assert.equal("still here", run("open('kept.txt').read()").text)
  end)

  it("has every field of an Execution, the time of each stage too #N13", function()
    local execution = run("print('out'); import sys; print('err', file=sys.stderr)")
    assert.same({ "out\n" }, execution.logs.stdout)
    assert.same({ "err\n" }, execution.logs.stderr)
    assert.is_nil(execution.error)
    assert.is_false(execution.timed_out)
    assert.is_false(execution.out_of_memory)
    assert.is_false(execution.state_lost)
    assert.is_nil(execution.truncated)
    assert.same({}, execution.refused)
    assert.truthy(execution.seconds > 0)
    assert.truthy(execution.execution_count >= 1)
    for _, part in ipairs({ "queue", "create", "install", "run" }) do
      assert.equal("number", type(execution.timings[part]))
    end
  end)

  it("runs nothing for code of nothing", function()
    local before = run("1").execution_count
    local execution = run("  \n")
    assert.same({}, execution.results)
    assert.is_nil(execution.error)
    assert.equal(before + 1, execution.execution_count)
    assert.same({}, codecell.assert(codecell.assert(sandbox():start_code("")):wait(20)).results)
    assert.equal(before + 1, run("1").execution_count)
  end)

  it("counts its cells", function()
    local first = run("1").execution_count
    assert.equal(first + 1, run("1").execution_count)
  end)

  it("reports an exception with its line and a clean traceback #J11", function()
    local execution = run("x = 1\n1 / 0")
    assert.equal("ZeroDivisionError", execution.error.name)
    assert.equal("division by zero", execution.error.value)
    assert.equal(2, execution.error.line)
    assert.is_nil(execution.error.traceback:find("\27", 1, true))
    assert.is_nil(execution.error.traceback:find("python.py", 1, true))
  end)

  it("reports a syntax error, with its line #J10", function()
    local execution = run("x = 1\nprint((")
    assert.equal("SyntaxError", execution.error.name)
    assert.equal(2, execution.error.line)
  end)

  it("stops code that runs too long, and keeps its output and its variables #J08", function()
    run("precious = 42")
    local execution = out_of_time(0.5, function(timeout)
      return run("print('partial', flush=True)\nwhile True: pass", { timeout = timeout })
    end)
    assert.equal("TimeoutError", execution.error.name)
    assert.is_true(execution.timed_out)
    assert.is_false(execution.state_lost)
    assert.same({ "partial\n" }, execution.logs.stdout)
    assert.equal("42", run("precious").text)
  end)

  it("replaces an interpreter that does not stop, and says that its state is lost", function()
    local execution = out_of_time(0.3, function(timeout)
      run("precious = 42")
      return run([[
import signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("deaf", flush=True)
while True: pass]], { timeout = timeout })
    end)
    assert.is_true(execution.timed_out)
    assert.is_true(execution.state_lost)
    assert.same({ "deaf\n" }, execution.logs.stdout)
    assert.equal("NameError", run("precious").error.name)
  end)

  it("survives code that ends its interpreter", function()
    local execution = run("print('last words', flush=True)\nimport os\nos._exit(3)")
    assert.equal("KernelDiedError", execution.error.name)
    assert.is_true(execution.state_lost)
    assert.same({ "last words\n" }, execution.logs.stdout)
    assert.equal("KernelDiedError", run("import os\nos.kill(os.getpid(), 9)").error.name)
    assert.equal("2", run("1 + 1").text)
  end)

  it("sets variables of the environment for one run alone #E33", function()
    assert.equal("yes", run("import os; os.environ.get('ONCE')", { envs = { ONCE = "yes" } }).text)
    assert.is_nil(run("os.environ.get('ONCE')").text)
  end)

  it("set_envs is for all that starts later", function()
    sandbox():set_envs({ LASTING = "1" })
    assert.equal("1", run("import os; os.environ.get('LASTING')").text)
    assert.equal("1\n", codecell.assert(sandbox().commands:run("echo $LASTING")).stdout)
  end)

  it("gives the text that input() reads", function()
    assert.equal("Ada", run("input()", { stdin = "Ada\n" }).text)
  end)

  it("takes NUL and invalid UTF-8 as Python does", function()
    local name = run("'a\0b'").error.name
    assert.truthy(name == "ValueError" or name == "SyntaxError", name) -- the latter from 3.12 on
    local execution = run("print('\255')")
    assert.equal("SyntaxError", execution.error.name)
    assert.truthy(execution.error.value:find("codec can't decode byte 0xff", 1, true))
    assert.equal("é\n", run("print('é')").logs.stdout[1])
  end)

  it("raises for code that is not a string", function()
    assert.has_error(function() sandbox():run_code(nil) end)
    assert.has_error(function() sandbox():run_code({}) end)
    assert.has_error(function() sandbox():run_code(12) end)
  end)

  it("says invalid_argument for an unknown language", function()
    local execution, err = sandbox():run_code("1", { language = "pyton" })
    assert.is_nil(execution)
    assert.equal("invalid_argument", err.kind)
    assert.truthy(err.message:find("python", 1, true))
  end)

  it("calls back as output comes, in order, results and errors too", function()
    local seen = {}
    local function note(kind)
      return function(value)
        seen[#seen + 1] = kind .. ":" .. (type(value) == "table" and (value.text or value.name)
          or value)
      end
    end
    run("print('one', flush=True)\nimport time\ntime.sleep(0.05)\nprint('two')\n1 + 1",
      { on_stdout = note("out"), on_result = note("result") })
    assert.equal("out:one\n out:two\n result:2", table.concat(seen, " "))
    seen = {}
    run("1 / 0", { on_error = note("error") })
    assert.same({ "error:ZeroDivisionError" }, seen)
  end)

  it("never cuts a character in two for a callback", function()
    local pieces = {}
    run([[
import os, time
for byte in "né€😀".encode():
    os.write(1, bytes([byte])); time.sleep(0.005)]], {
      on_stdout = function(text)
        pieces[#pieces + 1] = text
        assert.is_nil(text:find("^[\128-\191]"))
        assert.equal(codecell.json.repair(text), text)
      end,
    })
    assert.equal("né€😀", table.concat(pieces))
  end)

  it("raises what a callback raises, and interrupts the code", function()
    local ok, problem = pcall(function()
      return sandbox():run_code("print('x', flush=True)\nwhile True: pass", {
        on_stdout = function() error("enough", 0) end,
      })
    end)
    assert.is_false(ok)
    assert.equal("enough", problem)
    assert.equal("2", run("1 + 1").text)
  end)

  it("refuses to run code in its own context from a callback", function()
    local err
    run("print('x')", { on_stdout = function()
      err = select(2, sandbox():run_code("1"))
    end })
    assert.equal("invalid_argument", err.kind)
  end)

  it("runs code in another context from a callback", function()
    local context = codecell.assert(sandbox():create_code_context())
    local inner
    run("print('x')", { on_stdout = function()
      inner = codecell.assert(sandbox():run_code("40 + 2", { context = context })).text
    end })
    assert.equal("42", inner)
    sandbox():remove_code_context(context)
  end)

  it("gives JSON results as Lua values: null, lists and whole numbers as they are", function()
    local execution = run([[
class Shown:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/json": {"none": None, "list": [], "n": 1}}
Shown()]])
    local value = execution.results[1].json
    assert.equal(codecell.json.null, value.none)
    assert.is_true(codecell.json.is_list(value.list))
    assert.equal("1", codecell.json.encode(value.n))
  end)
end)

describe("limits of run_code #user", function()
  it("keeps head and tail of a flood, and counts what was dropped", function()
    local sandbox = codecell.assert(codecell.create({ limits = { output = 64 * 1024 } }))
    local execution = codecell.assert(sandbox:run_code("print('é' * 500000)\nprint('end')"))
    local cut = execution.truncated.stdout
    assert.equal(1000005, cut.total)
    assert.truthy(cut.kept <= 64 * 1024)
    local text = table.concat(execution.logs.stdout)
    assert.equal(cut.kept, #text)
    assert.truthy(text:find("end\n$"))
    assert.equal(codecell.json.repair(text), text)
    sandbox:close()
  end)

  it("says OutOfMemoryError for code that takes too much #I12", function()
    local sandbox = codecell.assert(codecell.create({ limits = { memory = 128 * 1024 * 1024 } }))
    local execution = codecell.assert(sandbox:run_code("hog = bytearray(600_000_000)\n1"))
    assert.truthy(execution.error, "600 MB in a sandbox of 128 MiB")
    assert.truthy(execution.error.name == "OutOfMemoryError"
      or execution.error.name == "MemoryError", execution.error.name)
    sandbox:close()
  end)

  it("refuses code above limits.code with invalid_argument", function()
    local sandbox = codecell.assert(codecell.create({ limits = { code = 100 } }))
    local execution, err = sandbox:run_code(("1\n"):rep(100))
    assert.is_nil(execution)
    assert.equal("invalid_argument", err.kind)
    sandbox:close()
  end)

  it("says no space when the disk is full #I13", function()
    local sandbox = codecell.assert(codecell.create({ limits = { disk = 4 * 1024 * 1024 } }))
    local execution = codecell.assert(sandbox:run_code(
      "open('big', 'wb').write(bytes(8_000_000))"))
    assert.equal("OSError", execution.error.name)
    assert.truthy(execution.error.value:find("28", 1, true))
    sandbox:close()
  end)
end)

describe("contexts #user", function()
  local sandbox = one_sandbox(teardown)

  it("have variables of their own", function()
    local one = codecell.assert(sandbox():create_code_context())
    local other = codecell.assert(sandbox():create_code_context({ cwd = "/tmp" }))
    codecell.assert(sandbox():run_code("x = 'one'", { context = one }))
    codecell.assert(sandbox():run_code("x = 'other'", { context = other.id }))
    assert.equal("one", codecell.assert(sandbox():run_code("x", { context = one })).text)
    local where = codecell.assert(sandbox():run_code("import os; os.getcwd()", { context = other }))
    assert.equal("/tmp", where.text)
    assert.truthy(one.id:match("^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$"))
    assert.equal(36, #one.id)
    assert.equal(4, #sandbox():list_code_contexts()) -- with those that are there from the start
  end)

  it("can be restarted and removed", function()
    local context = codecell.assert(sandbox():create_code_context())
    codecell.assert(sandbox():run_code("x = 1", { context = context }))
    assert.is_true(sandbox():restart_code_context(context))
    assert.equal("NameError",
      codecell.assert(sandbox():run_code("x", { context = context })).error.name)
    assert.is_true(sandbox():remove_code_context(context))
    local execution, err = sandbox():run_code("1", { context = context })
    assert.is_nil(execution)
    assert.equal("not_found", err.kind)
  end)

  it("are not given together with a language", function()
    local context = codecell.assert(sandbox():create_code_context())
    assert.has_error(function()
      sandbox():run_code("1", { context = context, language = "python" })
    end)
  end)
end)

describe("a context that cannot be started #user", function()
  local sandbox = one_sandbox(teardown)

  it("says why, each time", function()
    local context = codecell.assert(sandbox():create_code_context({ cwd = "/nowhere" }))
    for _ = 1, 20 do
      local execution, err = sandbox():run_code("1", { context = context })
      assert.is_nil(execution)
      assert.equal("not_found", err.kind)
      assert.truthy(err.message:find("in the directory /nowhere", 1, true))
    end
  end)
end)

describe("start_code #user", function()
  local sandbox = one_sandbox(teardown)

  it("goes on at once; poll says false, wait gives the Execution", function()
    local run = codecell.assert(sandbox():start_code("import time; time.sleep(0.1); 'done'"))
    assert.is_false(run:poll())
    assert.is_false(run:is_closing())
    assert.equal("done", codecell.assert(run:wait(20)).text)
    assert.equal("done", run:poll().text)
    assert.is_true(run:is_closing())
  end)

  it("calls back during step, on_exit at the end", function()
    local seen, exit = {}, nil
    local run = codecell.assert(sandbox():start_code("print('hello')", {
      on_stdout = function(text) seen[#seen + 1] = text end,
      on_exit = function(execution) exit = execution end,
    }))
    codecell.assert(run:wait(20))
    assert.same({ "hello\n" }, seen)
    assert.same({ "hello\n" }, exit.logs.stdout)
  end)

  it("says timeout when the code still runs, which goes on", function()
    local run = codecell.assert(sandbox():start_code("import time; time.sleep(0.3); 7"))
    local execution, err = run:wait(0.05)
    assert.is_nil(execution)
    assert.equal("timeout", err.kind)
    assert.equal("7", codecell.assert(run:wait(20)).text)
  end)

  it("can be killed, by a signal's name too", function()
    local run = codecell.assert(sandbox():start_code("print('up', flush=True)\nwhile True: pass"))
    codecell.step(0.2)
    assert.is_true(run:kill("sigterm"))
    assert.equal("KernelDiedError", codecell.assert(run:wait(20)).error.name)
    assert.is_false(run:kill())
  end)

  it("queues behind the cell that runs", function()
    local first = codecell.assert(sandbox():start_code("import time; time.sleep(0.1); y = 1"))
    local second = codecell.assert(sandbox():start_code("y + 1"))
    assert.equal("2", codecell.assert(second:wait(20)).text)
    assert.is_nil(codecell.assert(first:poll()).error)
  end)

  it("raises at wait what a callback raised", function()
    local run = codecell.assert(sandbox():start_code("print('x', flush=True)\nwhile True: pass", {
      on_stdout = function() error("enough", 0) end,
    }))
    local ok, problem = pcall(run.wait, run, 20)
    assert.is_false(ok)
    assert.equal("enough", problem)
  end)
end)
