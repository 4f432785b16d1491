local codecell = require "codecell"
local interpreters = require "codecell.languages.interpreters"
local json = require "codecell.json"
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"

local languages = codecell.languages

local function listed()
  local by_name = {}
  for _, language in ipairs(languages.list()) do
    by_name[language.name] = language
  end
  return by_name
end

-- Ends the test as pending where this machine lacks the language.
local function need(language)
  local program, err = languages.program(language)
  if not program then
    pending(tostring(err))
  end
end

describe("codecell.languages", function()
  it("lists every language, its sort, and its program or why there is none #E01", function()
    local last = ""
    for _, language in ipairs(languages.list()) do
      assert.truthy(last < language.name)
      last = language.name
      assert.truthy(({ session = true, jupyter = true, once = true })[language.sort])
      if language.available then
        assert.equal("/", language.program:sub(1, 1))
        assert.is_nil(language.reason)
      else
        assert.equal(language.name .. ": ", language.reason:sub(1, #language.name + 2))
        assert.equal("string", type(language.hint))
      end
    end
  end)

  it("knows the usual languages, R and Julia too, there or not #E03 #E04 #M23", function()
    local by_name = listed()
    for name, sort in pairs({ python = "session", lua = "session", c = "once", cpp = "once",
      go = "once", rust = "once", java = "once", ruby = "once", perl = "once", php = "once" }) do
      assert.equal(sort, by_name[name].sort)
    end
    assert.is_boolean(by_name.r.available)
    assert.is_boolean(by_name.julia.available)
  end)

  it("finds a language by any of its names, in capitals and between blanks #F11", function()
    for alias, name in pairs({ py = "python", [" Python3\n"] = "python", [""] = "python",
      ["C++"] = "cpp", golang = "go", rs = "rust", rb = "ruby", pl = "perl" }) do
      assert.equal(name, codecell.assert(languages.find(alias)).name)
    end
  end)

  it("answers an unknown language with one line that has the nearest #F11", function()
    local found, err = languages.find("pyton")
    assert.is_nil(found)
    assert.equal("invalid_argument", err.kind)
    assert.equal('unknown language "pyton"; did you mean "python"?', err.message)
    err = select(2, languages.find("golan"))
    assert.truthy(err.message:find('did you mean "go"', 1, true)) -- not its alias
    err = select(2, languages.find("klingon"))
    assert.truthy(err.message:find("python", 1, true))
  end)

  it("knows the language of a file, and of a program by its first line", function()
    assert.equal("cpp", languages.of_file("a/b.CPP"))
    assert.equal("python", languages.of_file("x.tar.py"))
    assert.is_nil(languages.of_file("py"))
    assert.equal("python", languages.of_code("#!/usr/bin/env python3.11 -u\nprint(1)"))
    assert.equal("perl", languages.of_code("#! /usr/bin/perl -w\n"))
    assert.is_nil(languages.of_code("print(1)"))
  end)

  it("tells get_info which of them are there", function()
    local sandbox = codecell.assert(codecell.create())
    local there = {}
    for _, name in ipairs(sandbox:get_info().languages) do
      there[name] = true
    end
    sandbox:close()
    for name, language in pairs(listed()) do
      assert.equal(language.available, there[name] or false)
    end
  end)
end)

describe("languages.register", function()
  local sandbox = one_sandbox(teardown)

  local function refused(language)
    local ok, message = pcall(function()
      local nothing = languages.register(language)
      return nothing
    end)
    assert.is_false(ok)
    assert.truthy(message:find("languages_spec.lua", 1, true), message) -- it blames the caller
    return message
  end

  it("adds a language that is nothing but data #E04", function()
    languages.register({
      name = "awk", aliases = { "GAWK" }, extensions = { ".awk" }, programs = { "gawk", "awk" },
      run = { "{program}", "-f", "{source}" },
    })
    need("awk")
    local execution = codecell.assert(sandbox():run_code(
      'BEGIN { getline line; print "awk read " line; exit 3 }',
      { language = "Gawk", stdin = "me\n" }))
    assert.same({ "awk read me\n" }, execution.logs.stdout)
    assert.equal("awk", execution.language)
    assert.equal("ExitError", execution.error.name)
    assert.equal("awk", languages.of_file("x.awk"))
    assert.equal("once", listed().awk.sort)
  end)

  it("runs what a compiler made, if no run is given", function()
    need("c")
    languages.register({ name = "tiny", programs = { "gcc", "cc" },
      compile = { "{program}", "-x", "c", "-o", "{output}", "{source}" } })
    local execution = codecell.assert(sandbox():run_code(
      '#include <stdio.h>\nint main(void) { puts("made"); return 0; }', { language = "tiny" }))
    assert.same({ "made\n" }, execution.logs.stdout)
  end)

  it("finds the program in other folders too, and by setup", function()
    local folder = shell.folder()
    languages.register({ name = "elsewhere", programs = { "elsewhere-interpreter" },
      folders = { "/nowhere/", folder }, run = { "{program}", "{source}" } })
    assert.is_false(listed().elsewhere.available)
    shell.write(folder .. "/elsewhere-interpreter", "")
    assert.truthy(listed().elsewhere.reason:find("a sandbox cannot be given", 1, true))
    shell.remove(folder)
    codecell.setup({ languages = { elsewhere = { program = "/usr/bin/env" } } })
    assert.equal("/usr/bin/env", listed().elsewhere.program)
  end)

  it("gives sandboxes the folder that the program is in", function()
    local folder = (os.getenv("CODECELL_BUILD") or "") .. "/elsewhere"
    if not interpreters.prefix(folder .. "/bin/shell") or folder:sub(1, 1) ~= "/" then
      pending(("a sandbox cannot be given %s; build outside of /tmp"):format(folder))
    end
    shell.run(("mkdir -p %s/bin && cp /bin/sh %s/bin/shell"):format(shell.quote(folder),
      shell.quote(folder)))
    languages.register({ name = "own", programs = { "shell" }, folders = { folder .. "/bin" },
      run = { "{program}", "{source}" } })
    local own = codecell.assert(codecell.create())
    assert.same({ "seen\n" },
      codecell.assert(own:run_code("echo seen", { language = "own" })).logs.stdout)
    own:close()
    shell.remove(folder)
  end)

  it("asks a check whether the program will do", function()
    languages.register({ name = "checked", programs = { "env" }, run = { "{program}" },
      check = function(program)
        return nil, program .. " is too old", "install a newer one"
      end })
    local found = listed().checked
    assert.is_false(found.available)
    assert.equal("checked: /usr/bin/env is too old", found.reason)
    assert.equal("install a newer one", found.hint)
    local execution, err = sandbox():run_code("x", { language = "checked" })
    assert.is_nil(execution)
    assert.equal("unsupported", err.kind)
  end)

  it("takes a copy, and replaces what had the name", function()
    local mine = { name = "mine", aliases = { "my" }, programs = { "env" }, run = { "{program}" } }
    languages.register(mine)
    mine.programs[1], mine.run = "nothing", nil
    assert.truthy(languages.find("my"))
    languages.register({ name = "mine", programs = { "sh" }, run = { "{program}", "{source}" } })
    assert.is_nil((languages.find("my")))
    assert.truthy(languages.program("mine"):find("/sh$"))
  end)

  it("says what is wrong with a table, and what to write", function()
    assert.truthy(refused({ name = "x", program = { "x" } })
      :find('unknown option "program"; did you mean "programs"?', 1, true))
    assert.truthy(refused({ name = "x", programs = { "x" } })
      :find('run = {"{program}", "{source}"}', 1, true))
    assert.truthy(refused({ name = "x", run = { "{source}" } }):find('for instance {"x"}', 1, true))
    assert.truthy(refused({ name = "x", programs = { "x" }, run = { "{sorce}" } })
      :find("there is no {sorce}; did you mean {source}?", 1, true))
    assert.truthy(refused({ name = "X y", programs = { "x" }, run = { "x" } })
      :find("lower-case", 1, true))
    assert.truthy(refused({ name = "x", aliases = { "Python" }, programs = { "x" }, run = { "x" } })
      :find('"Python" is a language itself', 1, true))
    assert.truthy(refused({ name = "x", programs = { "x" }, run = { "x" },
      arguments = function() end }):find("give one of them", 1, true))
    assert.truthy(refused({ name = "x", programs = {}, run = { "x" } }):find("at least 1", 1, true))
    assert.truthy(refused({ programs = { "x" }, run = { "x" } }):find("name", 1, true))
    assert.truthy(refused("x"):find("table expected", 1, true))
  end)
end)

describe("one run in each language #user", function()
  local sandbox = one_sandbox(teardown)

  -- Its own answer of what 6 * 7 is, printed.
  local CODE = {
    python = "print(6 * 7)", javascript = "console.log(6 * 7)",
    typescript = "const x: number = 6 * 7\nconsole.log(x)", shell = "echo $((6 * 7))",
    bash = "echo $((6 * 7))", lua = "print(6 * 7)", perl = "print 6 * 7, qq(\\n);",
    ruby = "puts 6 * 7", php = "echo 6 * 7, PHP_EOL;", r = "cat(6 * 7, '\\n', sep = '')",
    c = "#include <stdio.h>\nint main(void) { printf(\"%d\\n\", 6 * 7); return 0; }",
  }

  for _, name in ipairs({ "python", "javascript", "typescript", "shell" }) do
    it(name .. ", by run_code and by the command #E02 #F11 #E22", function()
      need(name)
      local execution = codecell.assert(sandbox():run_code(CODE[name], { language = name }))
      assert.equal("42\n", table.concat(execution.logs.stdout))
      assert.equal(codecell.assert(languages.find(name)).name, execution.language)
      local result = shell.run(("%s run -l %s -c %s"):format(shell.codecell, name,
        shell.quote(CODE[name])))
      assert.equal("42\n", result.stdout)
      assert.equal(0, result.status)
    end)
  end

  for _, name in ipairs({ "bash", "lua", "ruby", "perl", "php", "r", "c" }) do
    it(name .. " #E04", function()
      need(name)
      local execution = codecell.assert(sandbox():run_code(CODE[name], { language = name }))
      assert.equal("42\n", table.concat(execution.logs.stdout))
      assert.is_nil(execution.error)
    end)
  end

  it("says why a language is not there, and how to get it", function()
    for name, language in pairs(listed()) do
      if not language.available then
        local execution, err = sandbox():run_code("1", { language = name })
        assert.is_nil(execution)
        assert.equal("unsupported", err.kind)
        assert.equal(language.hint, err.hint)
        assert.equal("unsupported",
          select(2, sandbox():create_code_context({ language = name })).kind)
      end
    end
  end)
end)

describe("codecell languages", function()
  local codecell_command = shell.codecell

  it("prints a row a language: sort, whether it is there, program or reason #E01", function()
    local result = shell.run(codecell_command .. " languages")
    assert.equal(0, result.status)
    local rows = {}
    for line in result.stdout:gmatch("[^\n]+") do
      local name, sort, available, rest = line:match("^(%S+)%s+(%S+)%s+(%S+)%s+(.+)$")
      rows[name] = { sort = sort, available = available, rest = rest }
    end
    assert.equal("session", rows.python.sort)
    assert.equal("yes", rows.python.available)
    assert.truthy(rows.python.rest:find("^/"))
    for _, row in pairs(rows) do
      assert.truthy(row.available == "yes" or row.available == "no" and row.rest:find("install"))
    end
  end)

  it("prints them as JSON, with available and reason #E03 #M23", function()
    local found = {}
    local result = shell.run(codecell_command .. " languages --json")
    for _, language in ipairs(json.decode(result.stdout)) do
      found[language.name] = language
      assert.is_boolean(language.available)
      assert.equal(not language.available, language.reason ~= nil)
      assert.is_true(json.is_list(language.extensions))
    end
    assert.is_true(found.python.available)
    assert.truthy(found.r and found.julia)
  end)

  it("takes the language from the file's name or its first line", function()
    need("perl")
    local folder = shell.folder()
    shell.write(folder .. "/x.pl", 'print "by name\\n";')
    shell.write(folder .. "/y", '#!/usr/bin/perl\nprint "by line\\n";')
    for words, printed in pairs({ ["x.pl"] = "by name\n", y = "by line\n",
      ["-l perl -"] = "by stdin\n" }) do
      local result = shell.run(codecell_command .. " run " .. words,
        { folder = folder, stdin = 'print "by stdin\n";' })
      assert.equal(printed, result.stdout)
    end
    shell.remove(folder)
  end)

  it("runs the blocks of an answer in every language that is there, and says which is not",
    function()
      need("perl")
      local answer = "```perl\nprint qq(one\\n);\n```\n```cobol\nSTOP RUN.\n```\n```zig\nx\n```\n"
        .. "```json\n{}\n```\n```python\nprint('two')\n```\n"
      local result = shell.run(codecell_command .. " interpret -", { stdin = answer })
      assert.equal("one\ntwo\n", result.stdout)
      assert.truthy(result.stderr:find("block 3, zig, does not run", 1, true))
      assert.is_nil(result.stderr:find("json", 1, true))
    end)

  it("fails where it can run no block of an answer, and says why once", function()
    local answer = ("```zig\nx\n```\n"):rep(3)
    local result = shell.run(codecell_command .. " interpret -", { stdin = answer })
    assert.equal(125, result.status)
    assert.truthy(result.stderr:find("blocks 1, 2, 3, zig, do not run: ", 1, true))
  end)
end)
