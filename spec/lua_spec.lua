-- Cells in Lua, on every Lua that is here.
local codecell = require "codecell"
local interpreters = require "codecell.languages.interpreters"
local languages = require "codecell.languages"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"

local PROGRAMS = { "lua5.4", "lua5.3", "lua5.2", "lua5.1", "luajit" }

for _, program in ipairs(PROGRAMS) do
  describe("cells of " .. program .. " #user", function()
    local sandbox = one_sandbox(teardown)
    local path = "/usr/bin/" .. program
    local context

    if not interpreters.exists(path) then
      it("are as those of others", function()
        pending("there is no " .. path)
      end)
      return
    end

    before_each(function()
      languages.choose({ lua = { program = path } })
    end)

    after_each(function()
      languages.choose({ lua = {} })
    end)

    local function run(code, options)
      options = options or {}
      context = context or codecell.assert(sandbox():create_code_context({ language = "lua" }))
      options.context = context
      return codecell.assert(sandbox():run_code(code, options))
    end

    local function output(code, options)
      return table.concat(run(code, options).logs.stdout)
    end

    it("keep globals and forget locals #E04 #M23", function()
      assert.is_nil(run("x = 10; local y = 5").text)
      assert.equal("20\tnil", run("x * 2, y").text)
      assert.equal("30", run("return x * 3").text)
      assert.equal("40", run("=x * 4").text)
      assert.same({}, run("return").results)
      assert.same({}, run("-- nothing").results)
      assert.equal("nil", run("nil").text)
    end)

    it("have the value of a last expression after statements #E07", function()
      assert.equal("20", run("a = 10\na * 2").text)
      assert.equal("3\t4", run("local b = 3; b, b + 1 -- both\n").text)
      assert.equal("x;\ny", run("local c = 1\n'x;\\ny'").text)
      local failure = run("a = 1\na = = 2\na").error
      assert.equal("SyntaxError", failure.name)
      assert.equal(2, failure.line)
      assert.equal(2, run("a = 1\nnothing.x, 1").error.line)
    end)

    it("print in order, bytes as they are", function()
      assert.equal("a\t1\nb\255\0c\nchild\nd", output([[
        print("a", 1) io.write("b\255\0c\n") os.execute("echo child") io.stdout:write("d")]]))
      assert.same({ "err" }, run("io.stderr:write('err')").logs.stderr)
    end)

    it("fail with the message, the line and a traceback of the user's", function()
      local failure = run("function inner() error('deep') end\nfunction outer()\n  inner()\nend\n"
        .. "outer()").error
      assert.equal("LuaError", failure.name)
      assert.equal("cell:1: deep", failure.value)
      assert.equal(1, failure.line)
      assert.truthy(failure.traceback:find("cell:1: deep\nstack traceback:\n\t[C]: ", 1, true))
      assert.truthy(failure.traceback:find("cell:5: in main chunk\n\t[C]: in ?", 1, true))
      assert.is_nil(failure.traceback:find("command line", 1, true))
      assert.equal("cell:1: boom", run("error('boom')").error.value)
      failure = run("local a\nx = = 1").error
      assert.equal("SyntaxError", failure.name)
      assert.equal(2, failure.line)
      assert.equal(failure.value, failure.traceback)
    end)

    it("see themselves alone in debug.traceback", function()
      local caught = output(
        "print(select(2, xpcall(function() error('x', 0) end, debug.traceback)))")
      assert.equal("x\nstack traceback:\n", caught:match("^[^\n]*\n[^\n]*\n"))
      assert.truthy(caught:find("cell:1: in function <cell:1>", 1, true))
      assert.truthy(caught:find("\n\tcell:1: in main chunk\n\t[C]: in ?\n", 1, true))
      assert.is_nil(caught:find("command line", 1, true))
      assert.equal("stack traceback:\n\t[C]: in function 'debug.traceback'\n"
        .. "\tcell:2: in main chunk\n\t[C]: in ?\n", output("\nprint(debug.traceback(nil, 0))"))
      assert.equal("5\n", run("return (debug.traceback(5, 1))").text:sub(1, 2))
      assert.truthy(run("return (debug.traceback(io.stdout)) == io.stdout").text == "true")
      assert.equal("co\nstack traceback:\n\tcell:1: in function <cell:1>\n", output(
        "coroutine.wrap(function() print(debug.traceback('co')) end)()"))
      assert.equal("cell:1: bad argument #2 to 'traceback' (number expected, got string)",
        run("print(debug.traceback('x', 'y'))").error.value)
    end)

    it("fail with any object", function()
      assert.equal("as text", run("error(setmetatable({}, {__tostring = function() "
        .. "return 'as text' end}))").error.value)
      assert.equal("(error object is a table value)", run("error({})").error.value)
      assert.equal("(error object is a nil value)", run("error()").error.value)
      assert.truthy(run("error(setmetatable({}, {__tostring = function() error('in it') end}))")
        .error.value:find("in it", 1, true))
    end)

    it("name no line of the kernel in a message", function()
      assert.is_nil(run("error('from above', 3)").error.value:find("command line", 1, true))
      local failure = run("setmetatable({}, {__tostring = function() return {} end})").error
      assert.is_nil(failure.value:find("command line", 1, true))
      assert.equal("cell:2: bad argument #2 to 'popen' (invalid mode)",
        run("local x\nio.popen('true', 'x') x = 1").error.value)
      assert.equal("cell:1: bad argument #1 to 'execute' (string expected, got table)",
        run("local ok = os.execute({})").error.value)
      assert.equal("cell:1: bad argument #1 to 'popen' (string expected, got no value)",
        run("local ok = io.popen()").error.value)
    end)

    it("read the input that they are given, and so do their children", function()
      assert.equal("one\ttwo", run("io.read(), io.stdin:read()", { stdin = "one\ntwo\n" }).text)
      assert.equal("all of it", output("os.execute('cat')", { stdin = "all of it" }))
      assert.equal("nil", run("io.read()").text)
    end)

    it("have variables of their own, and so do their children", function()
      assert.equal("it's", run("os.getenv('OWN')", { envs = { OWN = "it's" } }).text)
      assert.equal("it's $HOME\n", output("os.execute('echo \"$OWN\"')",
        { envs = { OWN = "it's $HOME" } }))
      assert.equal("nil", run("os.getenv('OWN')").text)
      assert.equal("\n", output("os.execute('echo \"$OWN\"')"))
    end)

    it("give their children no wire", function()
      assert.equal("0 1 2 \n", output("os.execute([[cd /proc/self/fd; for fd in 0 1 2 3 4 5 6 7; "
        .. "do test -e $fd && printf '%s ' $fd; done; echo]])"))
    end)

    it("show what they display, in every format", function()
      local results = run([[
        display("text", 1)
        display{html = "<b>x</b>", text = "x"}
        display.png("PNG\0")
        display.json({1, "two", {three = 0/0}, {}})
        display.chart({type = "bar", elements = {{label = "a", value = 1.5}}})
        display{["application/x-own"] = {1}}
        display({1, 2})
        display.mime({["image/svg+xml"] = "<svg/>", text = "x"})]]).results
      assert.equal(9, #results)
      assert.same({ "svg", "text" }, results[9]:formats())
      assert.equal("text", results[1].text)
      assert.is_false(results[1].is_main_result)
      assert.same({ "html", "text" }, results[3]:formats())
      assert.equal("<b>x</b>", results[3].html)
      assert.equal("PNG\0", results[4].png)
      assert.same({ 1, "two", { three = "NaN" }, {} }, results[5].json)
      assert.equal("a", results[6].chart.elements[1].label)
      assert.same({ 1 }, results[7].extra["application/x-own"])
      assert.same({ 1, 2 }, results[8].json)
    end)

    it("are interrupted and keep their variables", function()
      run("kept = 7")
      local codes = { "os.execute('sleep 100')", "io.popen('sleep 100'):read()" }
      if program ~= "luajit" then -- machine code looks at no hook: such an interpreter is replaced
        codes[3], codes[4], codes[5] = "while true do end", "while true do display(1) end",
          "while true do print('x') end"
      end
      for _, code in ipairs(codes) do
        local execution = run(code, { timeout = 0.1 })
        assert.is_true(execution.timed_out)
        assert.is_false(execution.state_lost, code)
      end
      assert.equal("7", run("kept").text)
    end)

    it("show a huge value and a value that is no text within their bounds", function()
      local execution = run("('x'):rep(2e7)")
      assert.equal(4194304, #execution.text:match("^x+"))
      assert.truthy(execution.text:find("rest of 20000000 bytes is left out", 1, true))
      assert.equal("\239\191\189a\239\191\189", run("'\\255a\\128'").text)
      assert.truthy(#run("('\\233'):rep(4e6)").text < 4194304 + 100)
    end)

    it("say when they have ended their interpreter", function()
      assert.equal("KernelDiedError", run("os.exit(3)").error.name)
      local execution = run("x")
      assert.is_true(execution.state_lost)
      assert.equal("nil", execution.text)
      assert.equal(1, execution.execution_count)
    end)

    it("answer after hostile ones", function()
      run("function deep() return 1 + deep() end; x = 10")
      for _, code in ipairs({ "string.byte = nil; string.format = nil; table.concat = nil",
        "print, pcall, error, tostring, type = nil", "getmetatable('').__index = nil",
        "setmetatable(_G, {__index = function() os.exit(9) end})", "collectgarbage('stop')",
        "deep()", "io.stdout:close()", "debug.sethook(function() end, '', 1)",
        "io.open('/dev/fd/3'):close()", "os = nil; io = nil", "coroutine.resume = nil",
        "('x'):rep(1e7)", "string = nil; table = nil; debug = nil" }) do
        assert.is_false(run(code).state_lost, code)
        assert.equal("10", run("x").text)
      end
    end)
  end)
end

describe("cells in Lua #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code, options)
    options = options or {}
    options.language = "lua"
    return codecell.assert(sandbox():run_code(code, options))
  end

  before_each(function()
    local program, err = languages.program("lua")
    if not program then
      pending(tostring(err))
    end
  end)

  it("are interrupted a hundred times and keep their variables #slow #once", function()
    run("kept = {n = 0}")
    for _ = 1, 100 do
      assert.is_false(run("kept.n = kept.n + 1; while true do end",
        { timeout = 0.02 }).state_lost)
    end
    assert.equal("100", run("kept.n").text)
  end)

  it("that catch their interrupt can be interrupted again", function()
    run("kept = 1")
    for _ = 1, 3 do
      local execution = run("pcall(function() while true do end end)", { timeout = 0.1 })
      assert.is_true(execution.timed_out)
      assert.is_false(execution.state_lost)
    end
    assert.equal("1", run("kept").text)
  end)

  it("that call their loop from a coroutine can be interrupted", function()
    run("kept = 1")
    local execution = run("local next = coroutine.wrap(function() while true do coroutine.yield() "
      .. "end end) while true do next() end", { timeout = 0.1 })
    assert.is_true(execution.timed_out)
    assert.is_false(execution.state_lost)
    assert.equal("1", run("kept").text)
  end)

  it("are not disturbed by an interrupt that comes between them", function()
    run("kept = 1; function parent() local file = io.open('/proc/self/stat') "
      .. "return file:read('*l'):match('^%d+') end")
    local pid = run("parent()").text
    for _ = 1, 5 do
      codecell.assert(sandbox().commands:run("kill -INT " .. pid))
      assert.equal("1", run("kept").text)
    end
    assert.equal(pid, run("parent()").text)
  end)

  it("that cannot be interrupted lose their variables, and say so", function()
    local execution = out_of_time(0.1, function(timeout)
      run("kept = 1")
      return run("print('up') coroutine.wrap(function() while true do end end)()",
        { timeout = timeout })
    end)
    assert.is_true(execution.timed_out)
    assert.is_true(execution.state_lost)
    assert.same({ "up\n" }, execution.logs.stdout)
    assert.equal("nil", run("kept").text)
  end)

  it("have a thousand results at most", function()
    local execution = run("for i = 1, 1e6 do display(i) end return 'value'")
    assert.equal(1001, #execution.results)
    assert.equal("[more than 1000 results: the rest is left out]", execution.results[1001].text)
    assert.equal("2", run("1 + 1").text)
  end)

  it("are told what is wrong with what they display, in their line", function()
    assert.equal("cell:2: display: html is a string, not a number",
      run("local x\ndisplay.html(5) x = 1").error.value)
    assert.equal("cell:1: display: mime is a table of formats",
      run("display.mime({1}) x = 1").error.value)
    assert.equal("cell:1: display: a table that contains itself has no JSON",
      run("t = {} t.t = t display.json(t)").error.value)
    assert.equal("cell:1: display: tables nested deeper than 100 have no JSON",
      run("t = {} for i = 1, 200 do t = {t} end display.json(t)").error.value)
    assert.equal("[png of 20000000 bytes is left out]",
      run("display.png(('x'):rep(20000000))").results[1].text)
  end)

  it("that write to their own wire lose it, and say so", function()
    run("kept = 1")
    assert.truthy(run("io.open('/dev/fd/4', 'w'):write(('x'):rep(100)):flush()").state_lost)
    assert.equal("nil", run("kept").text)
  end)

  it("find what they have written, and modules in their folder", function()
    run("local file = io.open('own_module.lua', 'w') file:write('return {value = 42}') "
      .. "file:close()")
    assert.equal("42", run("require('own_module').value").text)
  end)

  it("have their variables after set_envs", function()
    sandbox():set_envs({ LASTING = "1" })
    assert.equal("1", run("os.getenv('LASTING')").text)
    assert.equal("1", run("io.popen('echo $LASTING'):read('*l')").text)
  end)

  it("that use all memory are stopped, and the next one works", function()
    local execution = run("local t = {} for i = 1, 1e9 do t[i] = {} end", { timeout = 60 })
    assert.truthy(execution.out_of_memory
      or execution.error.value:find("not enough memory", 1, true), execution.error.value)
    assert.equal("2", run("1 + 1").text)
  end)
end)
