local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local function lacks(language)
  return not codecell.languages.program(language) and language .. " is not installed"
end

describe("codecell.analyze", function()
  local sandbox = one_sandbox(teardown)

  local function look(code, language)
    return codecell.assert(codecell.analyze(code, language, { sandbox = sandbox() }))
  end

  it("finds what code imports, in a sandbox of its own #E30", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    assert.equal("panda", codecell.assert(codecell.analyze "import panda").imports[1])
  end)

  it("says what is missing, what was meant, and which package has it #E30", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local found = look [[
import os.path, cv2
import jsonn
try:
    import ujson_that_is_not_there
except ImportError:
    pass
from . import sibling
import zzzz_nobody_has_this
]]
    assert.same({ "os", "cv2", "jsonn", "ujson_that_is_not_there", "zzzz_nobody_has_this" },
      { (table.unpack or unpack)(found.imports) }) -- luacheck: ignore
    local by_name = {}
    for _, one in ipairs(found.missing) do
      by_name[one.name] = one
    end
    assert.is_nil(by_name.os)
    assert.same({ "opencv-python", true, 1 }, { by_name.cv2.package, by_name.cv2.is_allowed,
      by_name.cv2.line })
    assert.same({ "json", true }, { by_name.jsonn.suggestion, by_name.jsonn.is_installed })
    assert.truthy(by_name.jsonn.message:find('did you mean "json", which is installed?', 1, true))
    assert.is_true(by_name.ujson_that_is_not_there.is_optional)
    assert.is_nil(by_name.zzzz_nobody_has_this.package)
  end)

  it("says what may not be installed, by the rules of the sandbox #E30", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local strict = codecell.assert(codecell.create { packages = { allow = { "polars" } } })
    local found = codecell.assert(codecell.analyze("import cv2, polars", "python",
      { sandbox = strict }))
    strict:close()
    assert.is_false(found.missing[1].is_allowed)
    assert.truthy(found.missing[1].message:find("may not be installed", 1, true))
    assert.is_true(found.missing[2].is_allowed)
  end)

  it("finds modules that code has written to its folder", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    sandbox().files:write("mine.py", "raise SystemExit")
    assert.equal(0, #look "import mine".missing)
  end)

  it("tells syntax errors with line and column, and code that is not finished #E30", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local found = look "x = 1\ny = = 2"
    assert.same({ 2, 5, true }, { found.errors[1].line, found.errors[1].column,
      found.is_complete })
    found = look "def f():"
    assert.equal(1, #found.errors)
    assert.is_false(found.is_complete)
    assert.equal(0, #look "!ls\nawait f()\nx?".errors) -- as cells have it
    assert.equal("'return' outside function", look "return 1".errors[1].message)
  end)

  it("warns of calls by any of their names, as advice #E30", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local found = look [[
import subprocess as run_it
from os import system as call
call("ls")
run_it.run("ls", shell=True)
while True:
    pass
"os.system('in a text')" # eval("in a comment")
]]
    local calls = {}
    for i, one in ipairs(found.warnings) do
      calls[i] = one.line .. " " .. one.call
    end
    assert.same({ "3 os.system", "4 subprocess.run", "5 while" }, calls)
  end)

  it("warns in other languages by what is written, but for comments and texts #E30", function()
    local cases = {
      bash = { "# rm -r x\nrm -rf x; curl x", "2 rm", "2 curl" },
      c = { '// system("x")\nint main(void) { char *s = "system(1)"; return system(s); }',
        "2 system" },
      javascript = { "import { exec } from 'node:child_process'\n// eval(x)\n"
        .. "let s = 'eval(1)', e = \"\\\"\";\neval(s); /x/.exec(s)\nawait fetch(`eval(\n)`)",
        "1 child_process", "4 eval", "5 fetch" },
      lua = { "--[[ os.exit() ]] local s = [==[\nload(x)]==]\nos.execute(s) mine.load(s) load(s)",
        "3 os.execute", "3 load" },
      php = { "# eval(1)\n$o->exec(1); $s = 'exec(1)'; shell_exec($s);", "2 shell_exec" },
      ruby = { "x = 'eval 1' # eval 2\nsystem x", "2 system" },
      typescript = { "let f: Function = new Function('return 1')\nprocess.exit(0)", "1 Function",
        "2 process.exit" },
    }
    for language, case in pairs(cases) do
      if not lacks(language) then
        local calls = { case[1] }
        for i, one in ipairs(look(case[1], language).warnings) do
          calls[i + 1] = one.line and one.line .. " " .. one.call
        end
        assert.same(case, calls)
      end
    end
  end)

  it("needs no permit of a policy, since nothing runs", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    local guarded = codecell.assert(codecell.create {
      policy = require("codecell.policy").new { mode = "auto",
        rules = { { "deny", verb = "run" }, { "deny", verb = "shell" } } } })
    assert.is_nil(guarded:run_code "1")
    assert.equal("os", codecell.assert(codecell.analyze("import os", "python",
      { sandbox = guarded })).imports[1])
    guarded:close()
  end)

  it("runs nothing of the code", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    look "open('trace', 'w').write('x')"
    look("require('fs').writeFileSync('trace', 'x')", "javascript")
    look("echo > trace", "bash")
    assert.is_false(sandbox().files:exists "trace")
  end)

  it("looks at JavaScript as cells may write it: scripts and modules #E30", function()
    if lacks "javascript" then
      return pending(lacks "javascript")
    end
    local found = look("import one from 'lodash/fp'\nconst two = require('fs')\nawait 1\n"
      .. "// require('three')\nimport './four.js'; import 'expres'", "javascript")
    assert.same({ "lodash", "fs", "expres" }, { found.imports[1], found.imports[2],
      found.imports[3] })
    assert.is_nil(found.imports[4])
    assert.equal(0, #found.errors)
    assert.equal("lodash", found.missing[1].package)
    assert.equal("express", found.missing[2].suggestion)
    found = look("let x = 1\nlet y = ;", "javascript")
    assert.same({ 2, 9 }, { found.errors[1].line, found.errors[1].column })
    assert.is_false(look("function f() {", "javascript").is_complete)
  end)

  it("looks at TypeScript", function()
    if lacks "typescript" then
      return pending(lacks "typescript")
    end
    assert.equal(0, #look("let x: number = 5", "ts").errors)
    assert.equal(1, look("let x: = 5", "ts").errors[1].line)
  end)

  it("looks at Lua, bash, C, Ruby and PHP, as far as they are here", function()
    local cases = {
      lua = { "x = = 2", "return {", 1 },
      bash = { "echo one\necho )", "if true; then", 2 },
      c = { "int main(void)\n{ return }\n", "int main(void) {", 2 },
      ruby = { "x = 1\n)", "def f", 2 },
      php = { "echo 1;\necho 2 +;", "if (1) {", nil },
    }
    for language, case in pairs(cases) do
      if not lacks(language) then
        local found = look(case[1], language)
        assert.truthy(found.errors[1], language)
        assert.truthy(not case[3] or found.errors[1].line == case[3], language)
        assert.is_true(found.is_complete, language)
        assert.is_false(look(case[2], language).is_complete, language)
      end
    end
    local found = look("local a = require 'no_such_thing'\n-- require 'b'\nreturn 1", "lua")
    assert.equal("no_such_thing", found.imports[1])
    assert.equal("no_such_thing", found.missing[1].name)
  end)

  it("says of other languages that it cannot", function()
    local none, err = codecell.analyze("1", "perl", { sandbox = sandbox() })
    assert.is_nil(none)
    assert.equal("unsupported", err.kind)
    none, err = codecell.analyze("1", "klingon")
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
    assert.has_error(function() codecell.analyze(1) end)
    assert.has_error(function() codecell.analyze("1", "python", { sandbocks = 1 }) end)
  end)

  it("has an end for hostile code #S001", function()
    if lacks "python" then
      return pending(lacks "python")
    end
    for _, code in ipairs { ("("):rep(100000), ("-"):rep(500000) .. "1", "a" .. (".b"):rep(100000),
      "x\0y", "\255\254 = 1", ("[" .. ("x,"):rep(200) .. "]\n"):rep(500) .. "'''",
      ("import "):rep(1000) } do
      assert.truthy(#look(code).errors >= 1, code:sub(1, 10))
    end
    local many = {}
    for i = 1, 3000 do
      many[i] = "import zz" .. i
    end
    assert.equal(1000, #look(table.concat(many, "\n")).imports)
    look(("'"):rep(200000) .. ("//"):rep(100000) .. ("/*"):rep(100000), "javascript")
    look(("[["):rep(100000), "lua")
    local none, err = codecell.analyze((" "):rep(10 * 2 ^ 20), "python", { sandbox = sandbox() })
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)
end)
