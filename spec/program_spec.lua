-- Languages whose code is a whole program, compiled and run from the beginning each time.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"

-- Ends the test as pending where this machine lacks the language.
local function need(language)
  local program, err = codecell.languages.program(language)
  if not program then
    pending(tostring(err))
  end
end

local function runner(sandbox)
  return function(language, code, options)
    need(language)
    options = options or {}
    options.language = not options.context and language or nil
    return codecell.assert(sandbox():run_code(code, options))
  end
end

local function stdout(execution)
  return table.concat(execution.logs.stdout)
end

describe("a program that is run once #E04 #user", function()
  local sandbox = one_sandbox(teardown)
  local run = runner(sandbox)

  it("has every field of an Execution", function()
    local execution = run("perl", 'print "out\\n"; print STDERR "err\\n";')
    assert.same({ "out\n" }, execution.logs.stdout)
    assert.same({ "err\n" }, execution.logs.stderr)
    assert.is_nil(execution.error)
    assert.is_nil(execution.text)
    assert.same({}, execution.results)
    assert.equal("perl", execution.language)
    assert.is_false(execution.timed_out)
    assert.is_false(execution.state_lost)
    assert.truthy(execution.seconds > 0)
    assert.truthy(execution.timings.run > 0)
  end)

  it("counts its runs, a context for itself", function()
    local first = run("perl", "1").execution_count
    assert.equal(first + 1, run("perl", "die").execution_count)
    local context = codecell.assert(sandbox():create_code_context({ language = "perl" }))
    assert.equal(1, run("perl", "1", { context = context }).execution_count)
    assert.equal(2, run("perl", "1", { context = context }).execution_count)
    assert.is_true(sandbox():restart_code_context(context))
    assert.equal(1, run("perl", "1", { context = context }).execution_count)
    sandbox():remove_code_context(context)
  end)

  it("keeps the files that it writes, and no variables", function()
    run("perl", 'our $x = 1; open F, ">kept.txt"; print F "still here";')
    assert.equal("still here-",
      stdout(run("perl", 'open F, "kept.txt"; print <F>, defined $x ? $x : "-";')))
    assert.equal("still here", codecell.assert(sandbox().files:read("kept.txt")))
  end)

  it("leaves nothing of its own behind", function()
    run("perl", "1")
    for _, entry in ipairs(codecell.assert(sandbox().files:list("/tmp", { depth = 5 }))) do
      assert.truthy(entry.type == "dir", entry.path)
    end
  end)

  it("runs in the folder of its context, with its variables and its input", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "perl",
      cwd = "/tmp" }))
    sandbox():set_envs({ LASTING = "all" })
    local execution = run("perl", 'use Cwd; print getcwd, " $ENV{ONCE} $ENV{LASTING} ", <STDIN>;',
      { context = context, envs = { ONCE = "once" }, stdin = "input\n" })
    assert.equal("/tmp once all input\n", stdout(execution))
    assert.equal("all, at its end", stdout(run("perl",
      'print "$ENV{LASTING}$ENV{ONCE}, ", defined(<STDIN>) ? "more" : "at its end";')))
    sandbox():remove_code_context(context)
  end)

  it("calls back as output comes, and with its error", function()
    local seen = {}
    local function note(kind)
      return function(value)
        seen[#seen + 1] = kind .. (type(value) == "table" and value.name or value)
      end
    end
    run("perl", '$| = 1; print "one"; print STDIN; select undef, undef, undef, 0.05; print "two"; '
      .. 'exit 3', { on_stdout = note("out:"), on_error = note("error:") })
    assert.same({ "out:one", "out:two", "error:ExitError" }, seen)
  end)

  it("says how it ended: a status, with the line that its interpreter names", function()
    local execution = run("perl", 'warn "first";\nexit 7 if 0;\ndie "oops";')
    assert.equal("ExitError", execution.error.name)
    assert.equal("the program ended with status 255: oops at main.pl line 3.",
      execution.error.value)
    assert.equal(3, execution.error.line)
    assert.equal("ExitError: " .. execution.error.value, execution.error.traceback)
    assert.equal("the program ended with status 7", run("perl", "exit 7").error.value)
  end)

  it("is at a line that a file can have", function()
    local execution = run("perl", 'print STDERR "at main.pl line ", "9" x 400, "\\n"; exit 3')
    assert.is_nil(execution.error.line)
  end)

  it("says which signal ended it", function()
    local execution = run("perl", "kill 'SEGV', $$; sleep 5")
    assert.equal("SignalError", execution.error.name)
    assert.truthy(execution.error.value:find("SIGSEGV", 1, true))
  end)

  it("is ended when its time is over, with what it printed and started", function()
    local execution = out_of_time(0.5, function(timeout)
      return run("perl", '$| = 1; print "partial"; system "sleep 60";', { timeout = timeout })
    end)
    assert.equal("TimeoutError", execution.error.name)
    assert.is_true(execution.timed_out)
    assert.is_false(execution.state_lost)
    assert.equal("partial", stdout(execution))
  end)

  it("may print without end: head and tail are kept", function()
    local own = codecell.assert(codecell.create({ limits = { output = 65536 } }))
    local execution = codecell.assert(own:run_code('print "x" x 1_000_000, "end";',
      { language = "perl" }))
    assert.equal(1000003, execution.truncated.stdout.total)
    assert.truthy(#stdout(execution) <= 65536)
    assert.truthy(stdout(execution):find("end$"))
    own:close()
  end)

  it("waits for its turn in a context, and for nothing in another", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "perl" }))
    local wait_for = 'open F, ">%s"; select undef, undef, undef, 0.01 until -e "%s"; print "met";'
    local one = codecell.assert(sandbox():start_code(wait_for:format("a", "b"),
      { language = "perl" }))
    local two = codecell.assert(sandbox():start_code('print -e "b" ? "after" : "before";',
      { language = "perl" }))
    assert.equal("met", stdout(run("perl", wait_for:format("b", "a"), { context = context })))
    assert.equal("met", stdout(codecell.assert(one:wait(20))))
    assert.equal("after", stdout(codecell.assert(two:wait(20))))
    sandbox():remove_code_context(context)
  end)

  it("can be killed, and those who wait for its turn cancelled", function()
    local first = codecell.assert(sandbox():start_code("sleep 60", { language = "perl" }))
    local second = codecell.assert(sandbox():start_code("print 2", { language = "perl" }))
    assert.is_true(second:kill())
    assert.equal("cancelled", select(2, second:wait(20)).kind)
    while first:poll() == false and not first:kill("sigterm") do
      codecell.step(0.05)
    end
    local execution = codecell.assert(first:wait(20))
    assert.truthy(execution.error.value:find("SIGTERM", 1, true))
    assert.is_false(first:kill())
  end)

  it("ends when its context is removed", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "perl" }))
    local started = codecell.assert(sandbox():start_code('$| = 1; print "up"; sleep 60', {
      context = context,
      on_stdout = function() sandbox():remove_code_context(context) end,
    }))
    local execution, err = started:wait(20)
    assert.is_nil(execution)
    assert.equal("cancelled", err.kind)
  end)

  it("does not begin any more once its context was restarted, or its sandbox closed", function()
    need("perl")
    local context = codecell.assert(sandbox():create_code_context({ language = "perl" }))
    local started = codecell.assert(sandbox():start_code('open F, ">begun"', { context = context }))
    assert.is_true(sandbox():restart_code_context(context))
    assert.equal("cancelled", select(2, started:wait(20)).kind)
    assert.is_false(sandbox().files:exists("begun"))
    sandbox():remove_code_context(context)
    local other = codecell.assert(codecell.create())
    started = codecell.assert(other:start_code("1", { language = "perl" }))
    other:close()
    assert.equal("cancelled", select(2, started:wait(20)).kind)
  end)

  it("is stopped by a callback that raises", function()
    assert.has_error(function()
      sandbox():run_code('$| = 1; print "x"; sleep 60', { language = "perl",
        on_stdout = function() error("enough", 0) end })
    end, "enough")
    assert.equal("next", stdout(run("perl", 'print "next"')))
  end)

  it("runs whatever the one before has put in the place of its folder", function()
    for _, sabotage in ipairs({ "touch /tmp/.codecell", "mkdir -m 0 /tmp/.codecell",
      "ln -s /proc /tmp/.codecell", "ln -s /nowhere /tmp/.codecell" }) do
      run("perl", ("system 'rm -rf /tmp/.codecell; %s'"):format(sabotage))
      assert.equal("next", stdout(run("perl", 'print "next"')))
    end
  end)

  it("says not_found for a context in a folder that is not there", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "perl",
      cwd = "/nowhere" }))
    local execution, err = sandbox():run_code("1", { context = context })
    assert.is_nil(execution)
    assert.equal("not_found", err.kind)
    sandbox():remove_code_context(context)
  end)

  it("says sandbox_gone when the sandbox is killed under it", function()
    local own = codecell.assert(codecell.create())
    local execution, err = own:run_code('$| = 1; print "x"; sleep 60', { language = "perl",
      on_stdout = function() own:kill() end })
    assert.is_nil(execution)
    assert.equal("sandbox_gone", err.kind)
    own:close()
  end)
end)

describe("C #E04", function()
  local sandbox = one_sandbox(teardown)
  local run = runner(sandbox)

  it("is compiled and run", function()
    local execution = run("c", '#include <stdio.h>\n#include <math.h>\nint main(void)\n'
      .. '{ char word[9]; scanf("%8s", word); printf("%s %.1f\\n", word, sqrt(2)); return 0; }',
      { stdin = "hello" })
    assert.equal("hello 1.4\n", stdout(execution))
    assert.is_nil(execution.error)
    assert.truthy(execution.timings.create > 0)
  end)

  it("that does not compile is a CompileError, with the line of the first error", function()
    local execution = run("c", "#include <stdio.h>\nint main(void)\n{\n  int x = y;\n  z;\n}")
    assert.equal("CompileError", execution.error.name)
    assert.equal(4, execution.error.line)
    assert.truthy(execution.error.value:find("main.c:4:11: error: ", 1, true))
    assert.truthy(execution.error.traceback:find("main.c:5:3: error: ", 1, true))
    assert.is_nil(execution.error.traceback:find("/tmp", 1, true))
    assert.same({}, execution.logs.stderr)
  end)

  it("without a main is told that a whole program is wanted", function()
    local execution = run("c", 'printf("hello\\n");')
    assert.equal("CompileError", execution.error.name)
    assert.equal(1, execution.error.line)
    assert.truthy(execution.error.traceback:find('whole program: there is no "main"', 1, true))
    execution = run("c", "int add(int a, int b) { return a + b; }")
    assert.truthy(execution.error.value:find("undefined reference to `main'", 1, true))
  end)

  it("gives the warnings of the compiler before what the program prints there", function()
    local seen = {}
    local execution = run("c", '#include <stdio.h>\nint main(void)\n'
      .. '{ int x = "text"; fputs("own\\n", stderr); return 0; }',
      { on_stderr = function(text) seen[#seen + 1] = text end })
    assert.is_nil(execution.error)
    assert.truthy(execution.logs.stderr[1]:find("main.c:3:11: warning: ", 1, true))
    assert.equal("own\n", execution.logs.stderr[#execution.logs.stderr])
    assert.same(execution.logs.stderr, seen)
  end)

  it("says what a signal means", function()
    local execution = run("c", "int main(void) { volatile int *p = 0; *p = 1; return 0; }")
    assert.equal("SignalError", execution.error.name)
    assert.equal("the program was ended by SIGSEGV: it used memory that is not its own",
      execution.error.value)
  end)

  it("may take more time to compile than it has", function()
    local execution = run("c", '#include "/dev/stdin"', { stdin = "", timeout = 60 })
    assert.equal("CompileError", execution.error.name) -- nobody feeds the compiler
    execution = run("c", "#define A(x) x x x x x x x x\n"
      .. "int main(void) { return 0 " .. ("A("):rep(9) .. "+1" .. (")"):rep(9) .. "; }",
      { timeout = 0.3 })
    assert.equal("TimeoutError", execution.error.name)
    assert.is_true(execution.timed_out)
  end)

  it("that takes too much memory is stopped by the limit", function()
    local own = codecell.assert(codecell.create({ limits = { memory = 128 * 1024 * 1024 } }))
    need("c")
    local execution = codecell.assert(own:run_code("#include <stdlib.h>\n#include <string.h>\n"
      .. "int main(void) { for (;;) { char *p = malloc(1 << 20); if (!p) abort(); "
      .. "memset(p, 1, 1 << 20); } }", { language = "c" }))
    assert.truthy(execution.error.name == "OutOfMemoryError"
      or execution.error.value:find("SIGABRT", 1, true), execution.error.value)
    own:close()
  end)
end)

describe("scripts #E04", function()
  local sandbox = one_sandbox(teardown)
  local run = runner(sandbox)

  it("in Ruby", function()
    assert.equal("[2, 4]\n", stdout(run("ruby", "p [1, 2].map { |x| x * 2 }")))
    local execution = run("rb", "def f\n  1 / 0\nend\nf")
    assert.equal(2, execution.error.line)
    assert.truthy(execution.error.value:find("divided by 0 (ZeroDivisionError)", 1, true))
  end)

  it("in PHP, with its opening tag and without", function()
    assert.equal("3", stdout(run("php", "<?php echo 1 + 2;")))
    assert.equal("3", stdout(run("php", "echo 1 + 2;")))
    local execution = run("php", "\nthrow new Exception('no');")
    assert.equal(2, execution.error.line)
    assert.truthy(execution.error.value:find("Uncaught Exception: no", 1, true))
    assert.equal("", stdout(execution))
  end)
end)

describe("compiled languages #E04 #slow #once", function()
  local sandbox = one_sandbox(teardown)
  local run = runner(sandbox)

  it("C++", function()
    assert.equal("1 2 \n", stdout(run("c++", "#include <iostream>\n#include <vector>\n"
      .. "int main() { for (int x : std::vector<int>{1, 2}) std::cout << x << ' ';\n"
      .. "std::cout << std::endl; }")))
    local execution = run("cpp", "int main()\n{\n  return nothing;\n}")
    assert.equal("CompileError", execution.error.name)
    assert.equal(3, execution.error.line)
  end)

  it("Go", function()
    local program = 'package main\n\nimport "fmt"\n\nfunc main() {\n%s\n}\n'
    assert.equal("[1 2]\n", stdout(run("go", program:format("fmt.Println([]int{1, 2})"))))
    local execution = run("golang", program:format("fmt.Println(x)"))
    assert.equal("CompileError", execution.error.name)
    assert.equal(6, execution.error.line)
    execution = run("go", program:format('var m map[string]int\nfmt.Println("a")\nm["a"] = 1'))
    assert.equal("a\n", stdout(execution))
    assert.equal(8, execution.error.line)
    assert.truthy(execution.error.value:find("assignment to entry in nil map", 1, true))
  end)

  it("Rust", function()
    assert.equal("[1, 2]\n", stdout(run("rust", 'fn main() { println!("{:?}", vec![1, 2]); }')))
    local execution = run("rs", "fn main() {\n  let x: i32 = \"text\";\n}")
    assert.equal("CompileError", execution.error.name)
    assert.equal(2, execution.error.line)
    execution = run("rust", 'fn main() {\n  let v: Vec<i32> = vec![];\n  println!("{}", v[3]);\n}')
    assert.equal(3, execution.error.line)
  end)

  it("Java, whatever its class is called", function()
    local class = "%sclass %s { public static void main(String[] a) {\n%s } }"
    local print = 'System.out.println("java");'
    assert.equal("java\n", stdout(run("java", class:format("public ", "Hello", print))))
    assert.equal("java\n", stdout(run("java", "package a.b; interface Other {}\n"
      .. class:format("", "Second", print))))
    assert.equal("java\n", stdout(run("java", "// class No {\n"
      .. "class Helper { String s = \"class \"; }\n"
      .. "enum E { A } class Third { /* class Neither */ static void main() {}\n"
      .. "public static void main(String[] a) { " .. print .. " } }")))
    local execution = run("java", class:format("", "Main", 'int x = "text";'))
    assert.equal("CompileError", execution.error.name)
    assert.equal(2, execution.error.line)
    execution = run("java", class:format("", "Main", "int[] x = {}; x[1] = 2;"))
    assert.equal(2, execution.error.line)
    assert.truthy(execution.error.value:find("ArrayIndexOutOfBoundsException", 1, true))
    execution = run("java", class:format("", "Main", "byte[][] all = new byte[9999][];\n"
      .. "for (int i = 0; ; i++) all[i] = new byte[1 << 24];"))
    assert.equal(3, execution.error.line)
    assert.truthy(execution.error.value:find("java.lang.OutOfMemoryError", 1, true))
  end)
end)
