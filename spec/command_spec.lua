local json = require "cjson"
local shell = require "spec.support.shell"

local codecell = shell.codecell

local function run(words, options)
  return shell.run(codecell .. " " .. words, options)
end

local function code(text)
  return "run -c " .. shell.quote(text)
end

describe("codecell", function()
  it("lists its commands with --help", function()
    local result = run "--help"
    assert.equal(0, result.status)
    for _, name in ipairs { "run", "interpret", "doctor", "ls", "kill", "languages", "errors",
      "selftest" } do
      assert.truthy(result.stdout:find("\n  " .. name .. " ", 1, true), name)
    end
  end)

  it("has --help for every command that it lists", function()
    for name in run("--help").stdout:gmatch "\n  (%l+) " do
      local result = run(name .. " --help")
      assert.equal(0, result.status)
      assert.equal("usage: codecell " .. name, result.stdout:match "^usage: codecell %l+")
      assert.equal(result.stdout, run("help " .. name).stdout)
    end
  end)

  it("prints name and version with --version #A01", function()
    assert.truthy(run("--version").stdout:find "^codecell %d+%.%d+%.%d+")
  end)

  it("answers bad usage with status 2 and one line that says what is wrong", function()
    local cases = {
      ["rum"] = "unknown command rum; did you mean run?",
      ["serve all"] = "takes no arguments",
      ["serve --port x"] = "--port: a number",
      ["serve --api-key a --no-auth"] = "not both",
      ["serve --connections 0"] = "at least 1",
      ["bench"] = "give one of start",
      ["--json run"] = "before a command",
      ["run --timout 3 -c 1"] = "unknown option --timout; did you mean --timeout?",
      ["run -x"] = "unknown option -x",
      ["run -c"] = "-c needs a value: CODE",
      ["run -c 1 -c 2"] = "-c is given twice",
      ["run -c 1 x.py"] = "not both",
      ["run a b"] = "one FILE",
      ["run --json=yes -c 1"] = "--json takes no value",
      ["run --timeout soon -c 1"] = "--timeout needs seconds",
      ["run --timeout -1 -c 1"] = "--timeout needs seconds",
      ["run --timeout 1e300 -c 1"] = "--timeout needs seconds",
      ["run --timeout nan -c 1"] = "--timeout needs seconds",
      ["run --env PATH -c 1"] = "--env needs NAME=VALUE",
      ["run --save /no/such/folder -c 1"] = "there is no folder",
      ["run --export /no/such/folder/x.md -c 1"] = "--export: there is no folder",
      ["run --mode nowhere -c 1"] = "unknown mode \"nowhere\"; there are e2b, kernel, local, mock",
      ["selftest --apply"] = "unknown option --apply",
      ["doctest --changes x.md"] = "unknown option --changes",
      ["kill ''"] = "give the id",
      ["purge --older 1e99 x"] = "at most 1099511627776,",
      ["run /no/such/file.py"] = "No such file",
      ["run /tmp"] = "cannot read /tmp",
      ["run answer.md"] = "'codecell interpret answer.md'",
      ["run -l klingon -c 1"] = "klingon",
      ["interpret"] = "give one file",
      ["kill"] = "give the id",
      ["kill --all i0"] = "not both",
      ["ls all"] = "takes no arguments",
      ["doctor now"] = "takes no arguments",
      ["errors sytem"] = "did you mean system",
      ["run --backend local --mode local -c 1"] = "not both",
    }
    for words, expected in pairs(cases) do
      local result = run(words)
      assert.equal(2, result.status, words)
      assert.equal("", result.stdout)
      assert.truthy(result.stderr:find(expected, 1, true), words .. ": " .. result.stderr)
      assert.truthy(result.stderr:find "^codecell[^\n]+\n$", result.stderr)
    end
  end)

  it("has no backend that runs code unisolated #I28", function()
    for _, mode in ipairs { "host", "direct", "none", "../host" } do
      local result = run("run --mode " .. mode .. " -c 'print(1)'")
      assert.equal(2, result.status)
      assert.equal("", result.stdout)
      assert.equal(2, shell.run("E2B_MODE=" .. mode .. " " .. codecell .. " run -c 1").status)
    end
  end)

  it("explains every kind of error", function()
    local result = run "errors"
    assert.equal(0, result.status)
    for _, kind in ipairs(require("codecell.errors.kinds").list) do
      assert.truthy(result.stdout:find("\n" .. kind.kind .. " ", 1, true) or
        result.stdout:find("^" .. kind.kind .. " "))
    end
    assert.equal("system", json.decode(run("errors system --json").stdout)[1].kind)
  end)

  it("lists the languages with the reason why one is not available", function()
    local result = run "languages --json"
    assert.equal(0, result.status)
    local found = {}
    for _, language in ipairs(json.decode(result.stdout)) do
      found[language.name] = language
      assert.is_boolean(language.available)
      assert.truthy(language.available or language.reason)
    end
    assert.is_true(found.python.available)
  end)

  it("greets from a sandbox with selftest #E22 #user", function()
    local result = run "selftest"
    assert.equal("Hello World\n", result.stdout)
    assert.equal(0, result.status)
  end)
end)

describe("codecell run #user", function()
  local folder

  before_each(function()
    folder = shell.folder()
  end)
  after_each(function()
    shell.remove(folder)
  end)

  it("runs code from the command line, a file and standard input #A09", function()
    shell.write(folder .. "/x.py", "print(1)\n")
    assert.equal("1\n", run("run x.py", { folder = folder }).stdout)
    assert.equal("1\n", run(code "print(1)").stdout)
    assert.equal("1\n", run("run", { stdin = "print(1)\n" }).stdout)
    assert.equal("1\n", run("run -", { stdin = "print(1)\n" }).stdout)
  end)

  it("says that standard input cannot be read", function()
    for _, words in ipairs { "run", "run -", "interpret -", "repl", "usage .", "metrics /dev" } do
      local result = shell.run(codecell .. " " .. words .. " <" .. folder)
      assert.truthy(result.status == 2 or result.status == 125, words)
      assert.truthy(result.stderr:find "^codecell[^\n]+\n$", words .. ": " .. result.stderr)
      assert.falsy(result.stderr:find("traceback", 1, true), result.stderr)
    end
  end)

  it("lets the code read a file, or standard input, with --stdin", function()
    local reading = "import sys\nprint(sys.stdin.read().upper())"
    assert.equal("DATA\n", run("run --stdin - -c " .. shell.quote(reading),
      { stdin = "data" }).stdout)
    assert.equal(2, run("run --stdin -", { stdin = "print(1)" }).status)
  end)

  it("hands files and folders in with --file, under their names", function()
    shell.write(folder .. "/a.txt", "one")
    os.execute("mkdir " .. folder .. "/data")
    shell.write(folder .. "/data/b.txt", "two")
    local result = run("run --file a.txt --file data/ -c "
      .. shell.quote "print(open('a.txt').read(), open('data/b.txt').read())", { folder = folder })
    assert.equal("one two\n", result.stdout, result.stderr)
    result = run("run --file none.txt -c 1", { folder = folder })
    assert.equal(2, result.status)
    assert.equal("codecell run: --file none.txt: open none.txt: No such file or directory\n",
      result.stderr)
    assert.equal(2, run("run --file . -c 1", { folder = folder }).status)
  end)

  it("prints the value of the last expression after what was printed", function()
    local result = run(code "print('first')\n6 * 7")
    assert.equal("first\n42\n", result.stdout)
    assert.equal("", result.stderr)
    assert.equal(0, result.status)
  end)

  it("keeps stdout and stderr apart, byte for byte in a pipe", function()
    local result = run(code [[
import sys
sys.stdout.buffer.write(b"\x1b[2J\xff")
sys.stdout.flush()
print("e", file=sys.stderr)]])
    assert.equal("\27[2J\255", result.stdout)
    assert.equal("e\n", result.stderr)
  end)

  it("streams output while the code still runs", function()
    -- It goes on when its first line was seen.
    local pipe = io.popen(codecell .. " run --mount " .. folder .. ":/home/user/here -c "
      .. shell.quote("import os, time\nprint('one', flush=True)\n"
      .. "while not os.path.exists('here/seen'): time.sleep(0.01)\nprint('two')"), "r")
    assert.equal("one", pipe:read "*l")
    shell.write(folder .. "/seen", "")
    assert.equal("two", pipe:read "*l")
    pipe:close()
  end)

  it("gives the code its environment and nothing of the host's", function()
    local result = shell.run("SECRET=1 " .. codecell .. " run --env A=b=c --env E= -c "
      .. shell.quote "from os import environ as e\nprint(e['A'], e['E'] == '', 'SECRET' in e)")
    assert.equal("b=c True False\n", result.stdout)
  end)

  it("ends with status 1 and a traceback when the code fails", function()
    local result = run(code "print('before')\n1 / 0")
    assert.equal(1, result.status)
    assert.equal("before\n", result.stdout)
    assert.truthy(result.stderr:find("ZeroDivisionError", 1, true))
  end)

  it("ends with status 0 when a program ends itself with that, and with 1 otherwise", function()
    local programs = { python = "import sys\nprint('x')\nsys.exit(%d)", bash = "echo x; exit %d",
      lua = "print('x') os.exit(%d)", javascript = "console.log('x'); process.exit(%d)" }
    for language, program in pairs(programs) do
      if require("codecell.languages").program(language) then
        local words = ("run -l %s -c "):format(language)
        local result = run(words .. shell.quote(program:format(0)))
        assert.equal("x\n", result.stdout, language)
        assert.equal("", result.stderr, language)
        assert.equal(0, result.status, language)
        result = run(words .. shell.quote(program:format(3)))
        assert.equal("x\n", result.stdout, language)
        assert.truthy(result.stderr:find("3", 1, true), result.stderr)
        assert.equal(1, result.status, language)
      end
    end
    local execution = json.decode(run("run --json -l bash -c 'exit 0'").stdout)
    assert.equal(0, execution.error.exit_code)
    assert.is_true(execution.state_lost)
  end)

  it("ends with status 124 when time is up, and keeps what was printed #J08", function()
    local result = run("run --timeout 1 -c " .. shell.quote "print(1, flush=True)\nwhile 1: pass")
    assert.equal(124, result.status)
    assert.equal("1\n", result.stdout)
    assert.truthy(result.stderr:find("Timeout", 1, true))
  end)

  it("ends with status 137 when the code takes more memory than there is", function()
    local result = run(code
      "blocks = []\nwhile 1: blocks.append(bytearray(b'x') * (64 << 20))")
    assert.truthy(result.status == 137 or result.stderr:find("MemoryError", 1, true),
      result.status .. result.stderr)
  end)

  it("runs without a network of the host #C08", function()
    local line = "unshare -rn " .. codecell .. " run --mode local -c 'print(1)'"
    if shell.run("unshare -rn true").status ~= 0 then
      return pending "this machine forbids unshare"
    end
    local result = shell.run(line)
    assert.equal("1\n", result.stdout, result.stderr)
    assert.equal(0, result.status)
  end)

  it("reaches what --network names, and says what would allow the rest #C08 #I14", function()
    local program = shell.quote [[
import urllib.request
try:
    urllib.request.urlopen("https://api.example.com/")
except OSError as error:
    print(error)]]
    local result = run("run --network 'good.example,*.example.org:8443' -c " .. program)
    assert.equal("<urlopen error Tunnel connection failed: 403 api.example.com:443 refused: "
      .. "not in the allow list>\n", result.stdout)
    assert.equal("codecell: api.example.com:443 refused: it is not in the allow list of "
      .. "`network`; allow it with --network api.example.com\n", result.stderr)
    result = run "run --network '*' -c 1"
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("needs none, open, or names", 1, true), result.stderr)
    result = run "run --network https://api.example.com/v1 -c 1"
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("a name is expected, not a URL", 1, true), result.stderr)
  end)

  it("prints the whole Execution with --json, pictures in base64", function()
    local result = run("run --json -c " .. shell.quote [[
print("out")
class Picture:
    def _repr_png_(self):
        return b"\x89PNG\r\n\x1a\n\x00"
Picture()]])
    assert.equal(0, result.status)
    local execution = json.decode(result.stdout)
    assert.equal("out\n", table.concat(execution.logs.stdout))
    assert.equal("iVBORw0KGgoA", execution.results[1].png)
    assert.is_true(execution.results[1].is_main_result)
    assert.truthy(result.stdout:find('"stderr":[]', 1, true))
  end)

  it("says the error with --json as well", function()
    local result = run("run --json -c " .. shell.quote "1 / 0")
    assert.equal(1, result.status)
    assert.equal("ZeroDivisionError", json.decode(result.stdout).error.name)
    assert.equal("", result.stderr)
  end)

  it("keeps pictures with --save, and never writes over a file", function()
    local picture = shell.quote [[
class Picture:
    def _repr_png_(self):
        return b"\x89PNG\r\n\x1a\n"
Picture()]]
    shell.write(folder .. "/figure-1.png", "mine")
    local result = run("run --save . -c " .. picture, { folder = folder })
    assert.equal(0, result.status, result.stderr)
    assert.equal("mine", shell.read(folder .. "/figure-1.png"))
    assert.equal("\137PNG\r\n\26\n", shell.read(folder .. "/figure-2.png"))
    assert.truthy(result.stderr:find("figure-2.png", 1, true))
  end)

  it("lets no control sequence of the code reach a terminal, but colours", function()
    if shell.run("script -qec true /dev/null").status ~= 0 then
      return pending "there is no script command"
    end
    local line = codecell .. " " .. code "print('\\x1b[31mred\\x1b[0m\\x1b]0;title\\x07\\x1b[2J')"
    local result = shell.run("TERM=xterm script -qec " .. shell.quote(line) .. " /dev/null")
    assert.truthy(result.stdout:find("\27[31mred", 1, true))
    assert.falsy(result.stdout:find("\27[2J", 1, true))
    assert.falsy(result.stdout:find("\27]0", 1, true))
  end)

  it("ends with status 125 when its output cannot be written", function()
    assert.equal(125, shell.run(codecell .. " run -c 'print(1)' >/dev/full").status)
  end)

  it("serves nobody when it cannot say where", function()
    local told = "codecell: cannot write the output: No space left on device\n"
    for _, line in ipairs { "serve --port 0", "serve --unix " .. folder .. "/full/socket",
      "mcp --http 0" } do
      local result = shell.run("timeout 60 " .. codecell .. " " .. line .. " >/dev/full")
      assert.equal(125, result.status, line)
      assert.equal(told, result.stderr, line)
    end
  end)

  it("shows the code no file of the host #A04", function()
    shell.write(folder .. "/secret", "secret")
    local result = run("run -c " .. shell.quote("open('" .. folder .. "/secret')"))
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find("FileNotFoundError", 1, true))
  end)

  it("leaves no sandbox behind #A04", function()
    -- In a PID namespace of its own, where nobody else's sandboxes are.
    local alone = "unshare -rpf --mount-proc sh -c "
    if shell.run(alone .. "true").status ~= 0 then
      return pending "this machine forbids unshare"
    end
    local result = shell.run(alone .. shell.quote(codecell .. " run -c 1; i=0; "
      .. "while [ $i -lt 600 ] && " .. codecell .. " ls --all | grep .; "
      .. "do sleep 0.1; i=$((i+1)); done; echo $i"))
    assert.truthy((tonumber(result.stdout:match "(%d+)\n$") or 600) < 600, result.stdout)
  end)
end)

describe("codecell interpret #user", function()
  local answer = table.concat({
    "First a number:", "", "```python", "x = 20", "print('x is', x)", "```", "",
    "which prints", "", "```output", "x is 20", "```", "", "and then", "", "```py", "x * 2 + 2",
    "```", "" }, "\n")

  it("runs the code of an answer in one session #E24 #A09", function()
    local result = run("interpret -", { stdin = answer })
    assert.equal("x is 20\n42\n", result.stdout)
    assert.equal(0, result.status)
  end)

  it("reads an answer from a file", function()
    local folder = shell.folder()
    shell.write(folder .. "/answer.md", answer)
    assert.equal("x is 20\n42\n", run("interpret answer.md", { folder = folder }).stdout)
    shell.remove(folder)
  end)

  it("says with --list what would run, and runs nothing", function()
    local result = run("interpret --list -", { stdin = answer })
    assert.truthy(result.stdout:find("block 1, python: runs", 1, true))
    assert.truthy(result.stdout:find("block 2, [^\n]+: does not run"))
    assert.falsy(result.stdout:find("x is 20", 1, true))
    local rows = json.decode(run("interpret --list --json -", { stdin = answer }).stdout)
    assert.same({ block = 1, language = "python", runs = true }, rows[1])
    assert.is_false(rows[2].runs)
    assert.equal("string", type(rows[2].why))
  end)

  it("goes on behind a block that ends its program with status 0", function()
    local text = "```bash\nexit 0\n```\n\n```bash\necho on\n```\n"
    local result = run("interpret -", { stdin = text })
    assert.equal("on\n", result.stdout)
    assert.equal(0, result.status, result.stderr)
  end)

  it("stops at the first block that fails", function()
    local text = "```python\n1 / 0\n```\n\n```python\nprint('never')\n```\n"
    local result = run("interpret -", { stdin = text })
    assert.equal(1, result.status)
    assert.equal("", result.stdout)
  end)

  it("runs nothing of an answer without code", function()
    local result = run("interpret -", { stdin = "No code here: `print(1)`.\n" })
    assert.equal(0, result.status)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find("no code", 1, true))
  end)

  it("prints a list of Executions with --json", function()
    local result = run("interpret --json -", { stdin = answer })
    local executions = json.decode(result.stdout)
    assert.equal(2, #executions)
    assert.equal("42", executions[2].text)
    assert.equal("[]\n", run("interpret --json -", { stdin = "none" }).stdout)
  end)
end)
