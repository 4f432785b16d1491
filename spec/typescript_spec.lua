-- Cells in TypeScript, by every way to take types away that is here.
local codecell = require "codecell"
local languages = require "codecell.languages"
local one_sandbox = require "spec.support.one_sandbox"

describe("cells of TypeScript #user", function()
  local sandbox = one_sandbox(teardown)
  local missing

  local function run(code)
    return codecell.assert(sandbox():run_code(code, { language = "typescript" }))
  end

  local function works(line, test)
    it(line, function()
      local way, err = languages.way("typescript")
      if way and missing == nil then
        local execution, problem = sandbox():run_code("1 as number", { language = "ts" })
        missing = not execution
        err = problem
      end
      if not way or missing then
        pending(err and err.message or "no types can be taken away here")
      end
      test()
    end)
  end

  works("lose their types #E02 #F11", function()
    for code, text in pairs({
      ["const n: number = 5;\nn + 1"] = "6",
      ["function first<T>(items: T[]): T | undefined { return items[0] }\n"
        .. "first<number>([7, 8])"] = "7",
      ["let w: number = 'text' as any; w"] = "text",
      ["function over(a: string): string;\nfunction over(a: any) { return a }\nover(3)"] = "3",
      ["declare const nowhere: number;\n'ok'"] = "ok",
      ["interface I { a: number }\ntype T = I | null;\nconst i: I = { a: 1 }; i"] = "{ a: 1 }",
      ["const id = <T,>(v: T): T => v;\nid('x')"] = "x",
      ["new Map<string, number>([['a', 1]])"] = "Map(1) { 'a' => 1 }",
      ["({ a: 1 }) satisfies object"] = "{ a: 1 }",
      ["let sure!: number; sure = 4; sure!"] = "4",
      ["const o = { a: 1 } as const; o?.a"] = "1",
      ["abstract class A1 { abstract f(): number }\nclass B1 extends A1 { f() { return 9 } }\n"
        .. "new B1().f()"] = "9",
      ["class C1 { private v: number = 1; readonly w?: string }\nnew C1()"] =
        "C1 { v: 1, w: undefined }",
      ["const pair: [string, number] = ['a', 1]; pair"] = "[ 'a', 1 ]",
      ["function isText(v: unknown): v is string { return typeof v === 'string' }\nisText('')"] =
        "true",
      ["let less = 1; less < 2"] = "true",
      ["1 + 1"] = "2",
    }) do
      local execution = run(code)
      assert.is_nil(execution.error, code)
      assert.equal(text, execution.text, code)
    end
  end)

  works("have enums, namespaces and parameter properties", function()
    assert.equal("6", run("enum Colour { Red, Green = 5, Blue }\nColour.Blue").text)
    assert.equal("Green", run("Colour[5]").text)
    assert.equal("a", run("enum Word { A = 'a' }\nWord.A").text)
    assert.equal("3", run("const enum Fixed { A = 3 }\nFixed.A").text)
    assert.equal("3", run("namespace N { export const v = 3 }\nN.v").text)
    assert.equal("P { x: 1, y: 2 }",
      run("class P { constructor(private x: number, public y = 2) {} }\nnew P(1)").text)
    assert.same({}, run("enum Alone { A }").results)
    assert.same({}, run("type Only = string").results)
    assert.same({}, run("interface Only2 {}").results)
  end)

  works("keep their state, and may declare it again #M23", function()
    run("let total: number = 1")
    assert.equal("3", run("total += 2").text)
    run("const double = (n: number): number => n * total")
    assert.equal("6", run("double(2)").text)
    assert.equal("again", run("let total: string = 'again'; total").text)
    assert.equal("2", run("enum Twice { A }\nenum Twice { A = 2 }\nTwice.A").text)
  end)

  works("await at the top level", function()
    assert.equal("6", run("const v: number = await Promise.resolve(3);\nv * 2").text)
    assert.equal("3", run("v").text)
    assert.equal("1", run("async function f(): Promise<number> { return 1 }\nawait f()").text)
  end)

  works("import values, and leave imports of types out", function()
    assert.equal("a/b", run("import type { Nothing } from './nowhere';\n"
      .. "import { join } from 'path';\nimport { readFileSync } from 'fs';\njoin('a', 'b')").text)
    assert.equal("function", run("typeof readFileSync").text)
    assert.equal("4", run("export interface X { a: 1 }\nexport const four: number = 4; four").text)
  end)

  works("say where they failed, in the user's lines #J11", function()
    local err = run("interface I2 { a: number }\ntype T2 = I2;\n\nenum E2 { A }\n"
      .. "function go(x: any): void {\n  x.y.z\n}\n\ngo({})").error
    assert.equal("TypeError", err.name)
    assert.equal(6, err.line)
    assert.truthy(err.traceback:find("at go (", 1, true))
    assert.truthy(err.traceback:find(":6\n  x.y.z\n      ^", 1, true), err.traceback)
    assert.truthy(err.traceback:find(":9:1", 1, true), err.traceback)
    err = run("class MyError extends Error {}\nthrow new MyError('typed')").error
    assert.equal("typed", err.value)
    assert.equal(2, err.line)
  end)

  works("point at errors of syntax in the user's lines #J10", function()
    local err = run("\n\nlet a: number = ;").error
    assert.equal("SyntaxError", err.name)
    assert.equal(3, err.line)
    assert.truthy(err.traceback:find(":3\nlet a: number = ;\n                ^", 1, true))
    assert.equal("2", run("1 + 1").text)
  end)

  works("are told apart from those of JavaScript", function()
    assert.equal("undefined", codecell.assert(sandbox():run_code("typeof total",
      { language = "javascript" })).text)
  end)
end)
