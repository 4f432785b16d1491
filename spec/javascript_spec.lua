-- Cells in JavaScript.
local codecell = require "codecell"
local languages = require "codecell.languages"
local one_sandbox = require "spec.support.one_sandbox"
local out_of_time = require "spec.support.out_of_time"

local PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kg"
  .. "AAAABJRU5ErkJggg=="

describe("cells of JavaScript #user", function()
  local sandbox = one_sandbox(teardown)
  local missing = not languages.way("javascript")

  local function run(code, options)
    options = options or {}
    options.language = "javascript"
    return codecell.assert(sandbox():run_code(code, options))
  end

  local function works(line, test)
    it(line, function()
      if missing then
        pending("there is no node")
      end
      test()
    end)
  end

  local function output(code, options)
    return table.concat(run(code, options).logs.stdout)
  end

  local function failure(code, options)
    local err = run(code, options).error
    assert.truthy(err, code)
    return err
  end

  -- ---- state ----

  works("keep let, const, var, functions and classes #E02 #M23", function()
    run("let a = 1; const b = 2; var c = 3; function f() { return a + b + c } class K {}")
    assert.equal("6", run("f()").text)
    assert.equal("[class K]", run("K").text)
    assert.equal("11", run("a += 10").text)
    assert.equal("16", run("f()").text)
  end)

  works("may declare anything again, as anything", function()
    for _, first in ipairs({ "let r = 1", "const r = 1", "class r {}" }) do
      run(first)
      for _, again in ipairs({ "let r = 2; r", "const r = 2; r", "let r = 2, s = 3; r" }) do
        assert.equal("2", run(again).text, first .. ", then " .. again)
      end
    end
    run("let f1 = 1")
    assert.equal("2", run("function f1() { return 2 }\nf1()").text)
    assert.equal("[class f1]", run("class f1 {}\nf1").text)
    run("var v1 = 1")
    assert.equal("2", run("let v1 = 2; v1").text)
    assert.equal("[ 3, 4 ]", run("const { v1, w1 } = { v1: 3, w1: 4 }; [v1, w1]").text)
  end)

  works("refuse to assign to a constant", function()
    run("const k1 = 1")
    local err = failure("k1 = 2")
    assert.equal("TypeError", err.name)
    assert.equal("Assignment to constant variable.", err.value)
    assert.equal("1", run("k1").text)
  end)

  works("count, and start anew in another context", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "js" }))
    local function there(code)
      return codecell.assert(sandbox():run_code(code, { context = context }))
    end
    assert.equal(1, there("let only = 1").execution_count)
    assert.equal(2, there("only").execution_count)
    assert.equal("undefined", run("typeof only").text)
    context = nil
  end)

  -- ---- values ----

  works("have the value of the last expression, as node shows it #F11", function()
    for code, text in pairs({
      ["1 + 1"] = "2", ["'text'"] = "text", ["\"it's\""] = "it's", ["''"] = "",
      ["-0"] = "-0", ["NaN"] = "NaN", ["10n ** 20n"] = "100000000000000000000n", ["null"] = "null",
      ["[1, 'a', null, undefined]"] = "[ 1, 'a', null, undefined ]",
      ["({ a: { b: { c: { d: 1 } } } })"] = "{ a: { b: { c: [Object] } } }",
      ["new Map([[1, 2]])"] = "Map(1) { 1 => 2 }", ["new Set('ab')"] = "Set(2) { 'a', 'b' }",
      ["Symbol('s')"] = "Symbol(s)", ["/a+/g"] = "/a+/g", ["{ a: 1 }"] = "1",
      ["new Date(0)"] = "1970-01-01T00:00:00.000Z", ["(() => 1)"] = "[Function (anonymous)]",
      ["Object.create(null)"] = "[Object: null prototype] {}", ["if (true) 5"] = "5",
      ["class P1 { x = 1; get y() { return 2 } }; new P1()"] = "P1 { x: 1 }",
      ["Promise.resolve([1])"] = "[ 1 ]", ["[Promise.resolve(1)]"] = "[ Promise { 1 } ]",
      ["let u1 = 5; ({ u1 })"] = "{ u1: 5 }", ["for (let i = 0; i < 3; i++) i"] = "2",
      ["`a\nb`"] = "a\\nb", ["this === globalThis"] = "true", ["'🙂日本'"] = "🙂日本",
      ["(function () { 'use strict'; return this })()"] = nil,
    }) do
      local execution = run(code)
      assert.equal(text, execution.text, code)
      assert.is_true(execution.results[1].is_main_result)
      assert.is_nil(execution.error)
    end
  end)

  works("show nothing for undefined and declarations", function()
    for _, code in ipairs({ "undefined", "void 0", "let d1 = 1", "class D1 {}", "// nothing",
      "function d2() {}", "console.log()", "label: for (;;) break label" }) do
      assert.same({}, run(code).results, code)
    end
  end)

  -- ---- await ----

  works("await at the top level, and keep what they declare", function()
    local execution = run("const t1 = await Promise.resolve(20);\nlet t2 = t1 * 2;\nt2 + 2")
    assert.equal("42", execution.text)
    assert.equal("60", run("t1 + t2").text)
    assert.equal("b\na\n", output(
      "setTimeout(() => console.log('a'), 5); console.log('b'); await new Promise(r => "
      .. "setTimeout(r, 40))"))
    assert.equal("late", run("await new Promise(r => setTimeout(r, 10, 'late'))").text)
  end)

  works("show no value of a statement or assignment that waits", function()
    for _, code in ipairs({ "let w1; w1 = await Promise.resolve(7)",
      "for (const i of [1]) { await i; i }",
      "if (true) { await 1; 5 }", "({ a: w1 } = await { a: 3 })", "w1 +=\n await 1",
      "async function w3() { await 1; return 2 }" }) do
      local execution = run(code)
      assert.is_nil(execution.error, code)
      assert.is_nil(execution.text, code)
    end
    assert.equal("4", run("w1").text)
    assert.equal("5", run("await 1\nw1 > 3 ? 5 : w1 = 0;").text)
    assert.equal("3", run("await 1; w1 === 4 && 3").text)
  end)

  works("iterate asynchronously, where something else is awaited", function()
    run("async function* g1() { yield 1; yield 2 }")
    local err = failure("for await (const v of g1()) console.log(v)")
    assert.equal("SyntaxError", err.name)
    assert.equal("Unexpected reserved word", err.value)
    assert.truthy(err.traceback:find("async function", 1, true))
    assert.equal("1\n2\n", output("await 0; for await (const v of g1()) console.log(v)"))
    assert.equal("3", output("await (async () => { let s = 0; for await (const v of g1()) s += v;"
      .. "process.stdout.write(`${s}`) })()"))
  end)

  -- ---- modules ----

  works("require and import modules", function()
    assert.equal("b.txt", run("const path = require('path'); path.basename('/a/b.txt')").text)
    assert.equal("a/b", run("import { join, sep as bar } from 'path'\njoin('a', 'b')").text)
    assert.equal("/", run("bar").text)
    assert.equal("function", run("import os, * as all from 'node:os'; typeof all.cpus").text)
    assert.equal("function", run("import 'fs'\nimport fs from 'fs'; typeof fs.readFileSync").text)
    assert.equal("/", run("(await import('path')).sep").text)
    assert.equal("'import x from \"y\"'", run("[`import x from \"y\"`]").text:match("%[ (.*) %]"))
    assert.equal("5", run("export const e1 = 5; e1").text)
    assert.equal("6", run("export default function e2() { return 6 }\ne2()").text)
  end)

  works("find their own modules", function()
    codecell.assert(sandbox().files:write("own.js", "exports.v = 7; exports.name = 'own'"))
    codecell.assert(sandbox().files:write("own.mjs", "export const w = 8; export default 9"))
    codecell.assert(sandbox().files:write("own.json", '{"x": 10}'))
    codecell.assert(sandbox().files:write("node_modules/thing/index.js",
      "module.exports = () => 'thing'"))
    assert.equal("7", run("require('./own.js').v").text)
    assert.equal("own", run("import { name } from './own.js'; name").text)
    assert.equal("[ 8, 9 ]", run("import nine, { w } from './own.mjs'; [w, nine]").text)
    assert.equal("8", run("(await import('./own.mjs')).w").text)
    assert.equal("10", run("import numbers from './own.json'; numbers.x").text)
    assert.equal("thing", run("import thing from 'thing'; thing()").text)
    assert.truthy(failure("import './nowhere.js'").value
      :find("Cannot find module './nowhere.js'", 1, true))
  end)

  works("have the names of a module", function()
    assert.equal("function,object,string,string",
      run("[typeof require, typeof exports, typeof __filename, typeof __dirname].join()").text)
    assert.truthy(run("module").text)
    assert.equal("true", run("__dirname === process.cwd()").text)
    assert.equal("1", run("process.argv.length").text)
    assert.equal("object", run("typeof fs").text)
  end)

  -- ---- output ----

  works("print as node does", function()
    assert.equal("1 'a' { a: [ 1 ] }\n", output("console.log(1, ['a'][0] && \"'a'\", { a: [1] })"))
    assert.equal("G\n  in\nout\n",
      output("console.group('G'); console.log('in'); console.groupEnd(); console.log('out')"))
    assert.truthy(output("console.table([{ a: 1 }])"):find("│ (index) │ a │", 1, true))
    assert.equal("c: 1\nc: 2\n", output("console.count('c'); console.count('c')"))
    assert.equal("{ a: [Object] }\n", output("console.dir({ a: {} , b: 1 }.b && { a: { b: 1 } }, "
      .. "{ depth: 0 })"))
    assert.equal("n 5 %\n", output("console.log('n %d %%', 5)"))
    local execution = run("console.error('e'); console.warn('w'); console.assert(false, 'no');"
      .. "console.trace('here'); process.stderr.write('raw\\n')")
    local text = table.concat(execution.logs.stderr)
    assert.truthy(text:find("^e\nw\nAssertion failed: no\nTrace: here\n"), text)
    assert.truthy(text:find("raw\n$"))
    assert.is_nil(text:find("codecell", 1, true))
  end)

  works("keep the order of what they and their children print", function()
    assert.equal("1\n2\n3\n4", output("console.log(1); require('child_process').execSync('echo 2', "
      .. "{ stdio: 'inherit' }); process.stdout.write('3\\n'); fs.writeSync(1, '4')"))
    assert.equal("\255\0", output("process.stdout.write(Buffer.from([255, 0])); undefined"))
  end)

  works("print what timers print later", function()
    run("const beat = setInterval(() => console.log('beat'), 1)")
    local text = output("await new Promise(r => setTimeout(r, 30)); clearInterval(beat)")
    assert.truthy(text:find("beat\n", 1, true))
  end)

  -- ---- results ----

  works("display every format", function()
    local results = run([==[
      display({ a: 1 }, 'two')
      display.html('<b>h</b>'); display.markdown('*m*'); display.svg('<svg/>'); display.latex('$x$')
      display.javascript('alert(1)'); display.json({ a: [1, null] })
      display.png(']==] .. PICTURE .. [==['); display.jpeg(Buffer.from([255, 216]))
      display({ 'text/plain': 'p', 'text/html': 'q', 'text/x-own': 'o' })
      display.data({ a: [1, 2] })
      display.chart({ type: 'line', title: null, elements: [{ label: 'l', points: [[1, 2]] }] })
      'value']==]).results
    assert.equal("{ a: 1 }", results[1].text)
    assert.equal("two", results[2].text)
    assert.equal("<b>h</b>", results[3].html)
    assert.equal("*m*", results[4].markdown)
    assert.equal("<svg/>", results[5].svg)
    assert.equal("$x$", results[6].latex)
    assert.equal("alert(1)", results[7].javascript)
    assert.equal(1, results[8].json.a[1])
    assert.truthy(results[9].png)
    assert.truthy(results[10].jpeg)
    assert.equal("p", results[11].text)
    assert.equal("q", results[11].html)
    assert.equal("o", results[11].extra["text/x-own"])
    assert.same({ 1, 2 }, results[12].data.a)
    assert.equal("line", results[13].chart.type)
    assert.equal("value", results[14].text)
    for i = 1, 13 do
      assert.is_false(results[i].is_main_result)
    end
    assert.is_true(results[14].is_main_result)
  end)

  works("know the displays of other notebooks", function()
    local result = run("({ [Symbol.for('Jupyter.display')]() { return { 'text/plain': 'T', "
      .. "'text/html': '<i>' } } })").results[1]
    assert.equal("T", result.text)
    assert.equal("<i>", result.html)
    result = run("({ _toHtml() { return '<b>' }, _toPng() { return '" .. PICTURE .. "' } })")
      .results[1]
    assert.equal("<b>", result.html)
    assert.truthy(result.png)
    assert.truthy(result.text:find("_toHtml", 1, true))
    local results = run("$$.html('<p>'); 5").results
    assert.equal(1, #results)
    assert.equal("<p>", results[1].html)
    assert.is_true(results[1].is_main_result)
    assert.equal("3", run("$$.async(); setTimeout(() => $$.sendResult(3), 5)").text)
  end)

  -- ---- errors ----

  works("say what was thrown, where, in their own lines #J11", function()
    local err = failure("function inner() {\n  throw new RangeError('deep')\n}\ninner()")
    assert.equal("RangeError", err.name)
    assert.equal("deep", err.value)
    assert.equal(2, err.line)
    assert.truthy(err.traceback:find(":2\n  throw new RangeError('deep')\n        ^", 1, true))
    assert.truthy(err.traceback:find("at inner %(<cell%-%d+>:2:9%)\n    at <cell%-%d+>:4:1"))
    assert.is_nil(err.traceback:find("node:", 1, true))
    assert.is_nil(err.traceback:find("codecell", 1, true))
    run("function thrower() {\n\n  null.x\n}")
    err = failure("\nthrower()")
    assert.equal(2, err.line)
    assert.truthy(err.traceback:find(":3\n  null.x", 1, true))
    err = failure("await 1\nawait Promise.reject(new TypeError('q'))")
    assert.equal("TypeError", err.name)
    assert.equal(2, err.line)
  end)

  works("say what was thrown that is no error", function()
    for code, expected in pairs({
      ["throw 5"] = { "number", "5" }, ["throw 'text'"] = { "string", "'text'" },
      ["throw null"] = { "object", "null" }, ["throw undefined"] = { "undefined", "undefined" },
      ["throw { a: 1 }"] = { "object", "{ a: 1 }" }, ["let z1; throw 7n"] = { "bigint", "7n" },
      ["throw { name: 'N', message: 'm' }"] = { "N", "m" },
      ["await 1; throw Symbol('s')"] = { "symbol", "Symbol(s)" },
    }) do
      local err = failure(code)
      assert.equal(expected[1], err.name, code)
      assert.equal(expected[2], err.value, code)
    end
  end)

  works("show causes and the errors of an AggregateError", function()
    local err = failure("throw new Error('outer', { cause: new Error('inner') })")
    assert.equal("outer", err.value)
    assert.truthy(err.traceback:find("[cause]: Error: inner", 1, true))
    err = failure("await Promise.any([Promise.reject(new Error('first'))])")
    assert.equal("AggregateError", err.name)
    assert.truthy(err.traceback:find("Error: first", 1, true))
  end)

  works("point at errors of syntax #J10", function()
    local err = failure("let x = 1\nlet y = ;")
    assert.equal("SyntaxError", err.name)
    assert.equal("Unexpected token ';'", err.value)
    assert.equal(2, err.line)
    assert.truthy(err.traceback:find(":2\nlet y = ;\n        ^\n", 1, true))
    assert.equal("SyntaxError", failure("return 5").name)
    assert.equal("SyntaxError", failure("JSON.parse('{')").name)
    assert.equal("SyntaxError", failure("eval('let 5')").name)
    assert.equal("undefined", run("typeof y").text)
  end)

  works("report what nobody caught, and go on", function()
    local execution = run("setTimeout(() => { throw new Error('in a timer') }, 1);"
      .. "await new Promise(r => setTimeout(r, 30)); 'done'")
    assert.equal("done", execution.text)
    assert.truthy(table.concat(execution.logs.stderr):find("Error: in a timer", 1, true))
    execution = run("Promise.reject(new Error('unhandled')); 1")
    assert.equal("1", execution.text)
    assert.truthy(table.concat(execution.logs.stderr):find("Error: unhandled", 1, true))
    local err = failure(
      "await new Promise(() => setTimeout(() => { throw new Error('alone') }, 1))")
    assert.equal("alone", err.value)
    assert.equal("2", run("1 + 1").text)
  end)

  works("that break the interpreter for later ones are the last that it runs #S047", function()
    for _, code in ipairs({
      "require('fs').closeSync(1)",
      "require('fs').closeSync(1); require('fs').openSync('mine', 'w')",
      "require('fs').closeSync(2)",
    }) do
      run(code)
      local execution = run("console.log('out'); console.error('err'); let x_ = await 7; x_")
      assert.is_nil(execution.error)
      assert.is_true(execution.state_lost)
      assert.equal("7", execution.text)
      assert.equal("out\n", table.concat(execution.logs.stdout))
      assert.equal("err\n", table.concat(execution.logs.stderr))
    end
    run("for (const name of Object.getOwnPropertyNames(globalThis)) delete globalThis[name]")
    local execution
    for _ = 1, 3 do
      execution = run("1 + 1")
    end
    assert.equal("2", execution.text)
  end)

  works("that end the interpreter are replaced by a new one", function()
    local context = codecell.assert(sandbox():create_code_context({ language = "javascript" }))
    for _, code in ipairs({ "process.exit(3)", "process.kill(process.pid, 'SIGKILL')",
      "process.abort()" }) do
      local execution = codecell.assert(sandbox():run_code("let e9 = 1; " .. code,
        { context = context }))
      assert.equal("KernelDiedError", execution.error.name, code)
      assert.is_true(execution.state_lost)
      assert.same({}, execution.logs.stdout)
    end
    assert.equal("undefined",
      codecell.assert(sandbox():run_code("typeof e9", { context = context })).text)
  end)

  works("may end the interpreter when they have waited, or were interrupted: that is all to say",
    function()
      local context = codecell.assert(sandbox():create_code_context({ language = "javascript" }))
      local function say(code, timeout)
        return codecell.assert(sandbox():run_code(code, { context = context, timeout = timeout }))
      end
      -- Each has what it needs: an interrupt that comes late takes the variables with it.
      local nap = "await new Promise((done) => setTimeout(done, %d)); "
      for _, code in ipairs({
        nap:format(10) .. "process.exit(3)",
        "setTimeout(() => process.exit(3), 10); " .. nap:format(60000),
        nap:format(1000) .. "process.exit(3)",
      }) do
        local stuck = say("setTimeout(() => { for (;;); }, 1); " .. nap:format(60000), 1)
        assert.is_true(stuck.timed_out)
        local ended = say(code)
        assert.equal("KernelDiedError", ended.error.name, code)
        assert.equal(3, ended.error.exit_code)
        assert.same({}, ended.logs.stderr)
      end
    end)

  -- ---- interrupts ----

  works("can be interrupted, any number of times, and keep their state", function()
    run("let kept = 0; const sleep = (ms) => new Promise((r) => setTimeout(r, ms))")
    for i, code in ipairs({
      "while (true) {}",
      "await new Promise(() => {})",
      "(async () => { while (true) await null })()",
      "for (;;) { await sleep(2); kept += 0 }",
      "await sleep(1); while (true) {}",
      "setTimeout(() => { for (;;); }, 1); await sleep(9999)",
      "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
      "require('child_process').execSync('sleep 60')",
      "process.on('SIGINT', () => {}); for (;;) { try { for (;;); } catch {} }",
      "({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })",
    }) do
      local execution = out_of_time(0.3, function(timeout)
        return run(("kept = %d; console.log('on'); %s"):format(i, code), { timeout = timeout })
      end)
      assert.is_true(execution.timed_out, code)
      assert.is_false(execution.state_lost, code)
      assert.equal(tostring(i), run("kept").text, code)
    end
  end)

  works("that were interrupted do not go on in the next one", function()
    run("const tick = (ms) => new Promise((r) => setTimeout(r, ms))")
    run("for (;;) { await tick(3); console.log('tick') }", { timeout = 0.2 })
    assert.equal("quiet\n", output("await tick(30); console.log('quiet')"))
  end)

  works("print after an interrupt in the middle of printing", function()
    for _ = 1, 3 do
      run("process.stdout.write('up'); for (;;) process.stdout.write('.')", { timeout = 0.05 })
      assert.equal("next", output("process.stdout.write('next'); undefined"))
    end
  end)

  works("find node as it was, whatever the last one has broken", function()
    for _, code in ipairs({
      "console.log = () => {}; process.stdout.write = () => true; JSON.stringify = () => 'x'",
      "Object.defineProperty(Array.prototype, '0', { set() { throw 1 }, configurable: true })",
      "Object.prototype.get = () => 9; Object.prototype.value = 1",
      "globalThis.Promise = globalThis.process = globalThis.console = globalThis.Buffer = null",
      "RegExp.prototype.exec = String.prototype.split = String.prototype.slice = null",
      "process.removeAllListeners(); Error.prepareStackTrace = () => { throw 1 }",
    }) do
      local context = codecell.assert(sandbox():create_code_context({ language = "js" }))
      local function there(text)
        return codecell.assert(sandbox():run_code(text, { context = context, timeout = 5 }))
      end
      there(code .. "; let left = 5")
      local execution = there("console.log(left); ({ left })")
      assert.equal("{ left: 5 }", execution.text, code)
      assert.same({ "5\n" }, execution.logs.stdout, code)
      assert.equal("6", there("await 1; left + 1").text, code)
      assert.equal("number", there("throw 7").error.name, code)
      sandbox():remove_code_context(context)
    end
  end)

  works("bound what they show", function()
    local many = run("for (let i = 0; i < 1e5; i++) display(i)")
    assert.same({ 1001 }, { #many.results, many.error and many.error.value })
    assert.truthy(#run("'x'.repeat(1e8)").text < 11000)
    assert.truthy(#run("Array(1e5).fill().map((_, i) => ({ ['k' + i]: i }))").text < 1e5)
    assert.equal("[html of 20971520 bytes is left out]",
      run("display.html('h'.repeat(20 << 20))").results[1].text)
    assert.equal("<ref *1> { self: [Circular *1] }", run("const c1 = {}; c1.self = c1; c1").text)
    assert.truthy(run("({ [Symbol.for('nodejs.util.inspect.custom')]() { throw Error('no') } })")
      .text:find("cannot be inspected: Error: no", 1, true))
    assert.equal("\239\191\189\n", output("console.log('\\ud800')"))
  end)

  -- ---- input, environment ----

  works("read the input they are given", function()
    assert.equal("a\\nb", run("fs.readFileSync(0, 'utf8')", { stdin = "a\nb" }).text)
    assert.equal("xyz", run("let all = ''; for await (const c of process.stdin) all += c; "
      .. "await 0; all", { stdin = "xyz" }).text)
    assert.equal("child\n", output("require('child_process').execSync('cat', { stdio: 'inherit' });"
      .. "undefined", { stdin = "child\n" }))
    assert.equal("", run("fs.readFileSync(0, 'utf8')").text)
    assert.equal("1", run("const lines = []; const reader = require('readline').createInterface({ "
      .. "input: process.stdin }); for await (const l of reader) lines.push(l); await 0; "
      .. "lines.length", { stdin = "one line" }).text)
  end)

  works("have the variables of one cell and of the sandbox", function()
    assert.equal("v", run("process.env.OWN", { envs = { OWN = "v" } }).text)
    assert.equal("v", run("require('child_process').execSync('echo -n $OWN').toString()",
      { envs = { OWN = "v" } }).text)
    assert.is_nil(run("process.env.OWN").text)
  end)
end)
