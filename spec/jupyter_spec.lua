-- Kernels of Jupyter as languages: which there are, and two real ones from the package index.
local codecell = require "codecell"
local interpreters = require "codecell.languages.interpreters"
local jupyter = require "codecell.languages.jupyter"
local languages = require "codecell.languages"
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"

local function choose(program)
  languages.choose({ python = { program = program } })
  jupyter.forget()
end

-- A folder that a sandbox can be given; nil and why not.
local function folder_of_build(name)
  local folder = (os.getenv("CODECELL_BUILD") or "") .. "/" .. name
  if folder:sub(1, 1) ~= "/" or not interpreters.prefix(folder .. "/bin/python3") then
    return nil, ("a sandbox cannot be given %s; build outside of /tmp"):format(folder)
  end
  return folder
end

describe("kernels of Jupyter", function()
  local folder, why_not = folder_of_build("jupyter-folder")

  teardown(function()
    choose(nil)
    if folder then
      shell.remove(folder)
    end
  end)

  local function spec(name, text)
    local place = folder .. "/share/jupyter/kernels/" .. name
    shell.run("mkdir -p " .. shell.quote(place))
    shell.write(place .. "/kernel.json", text)
  end

  it("are always listed for R and Julia, with what to install #E03 #M23", function()
    local seen = {}
    for _, language in ipairs(languages.list()) do
      seen[language.name] = language
    end
    for _, name in ipairs({ "r", "julia" }) do
      local language = seen[name]
      assert.is_boolean(language.available)
      assert.truthy(language.available or language.reason:find("install", 1, true))
      assert.truthy(language.available or language.hint:find("Jupyter", 1, true))
    end
  end)

  it("are found by name and by language, and broken ones are none #E03", function()
    if not folder then
      pending(why_not)
    end
    shell.run(("mkdir -p %s/bin %s/lib/python3.99/site-packages/jupyter_client"):format(
      shell.quote(folder), shell.quote(folder)))
    shell.write(folder .. "/bin/python3", "")
    shell.write(folder .. "/lib/python3.99/site-packages/jupyter_client/__init__.py", "")
    spec("Odd-1.9", '{"argv": ["odd"], "language": "Odd", "display_name": "Odd 1.9"}')
    spec("odd-1.8", '{"argv": ["odd"], "language": "odd"}')
    spec("nothing", "")
    spec("list", "[]")
    spec("text", '{"argv": "odd"}')
    spec("empty", '{"argv": []}')
    spec("number", '{"argv": ["odd", 1]}')
    spec("deep", ("["):rep(10000))
    spec("long", '{"argv": ["' .. ("x"):rep(100000) .. '"]}')
    spec("zero", '{"argv": ["\\u0000"]}')
    spec("spaced out", '{"argv": ["odd"]}')
    shell.run(("mkdir -p %s/share/jupyter/kernels/folder/kernel.json"):format(shell.quote(folder)))
    choose(folder .. "/bin/python3")
    local names = {}
    for _, kernel in ipairs(jupyter.list()) do
      if kernel.folder:sub(1, #folder) == folder then
        names[#names + 1] = kernel.name
      end
    end
    assert.same({ "odd-1.8", "odd-1.9" }, names)
    assert.equal("odd-1.9", jupyter.find("odd").name)
    assert.equal("odd-1.8", jupyter.find("jupyter-odd-1.8").name)
    assert.is_nil(jupyter.find("even"))
    assert.equal("jupyter", select(3, languages.way("odd")))
  end)

  it("need a Python that has jupyter_client, and say so", function()
    if not folder then
      pending(why_not)
    end
    spec("lonely", '{"argv": ["lonely"], "language": "lonely"}')
    shell.remove(folder .. "/lib")
    choose(folder .. "/bin/python3")
    local way, reason, hint = jupyter.find("lonely")
    if way then
      pending("this machine has jupyter_client")
    end
    assert.truthy(reason:find("cannot import jupyter_client", 1, true))
    assert.truthy(hint:find("python3-jupyter-client", 1, true))
  end)
end)

describe("a real kernel of Jupyter #slow", function()
  local folder, why_not = folder_of_build("jupyter-venv")
  local sandbox = one_sandbox(teardown)
  local python = folder and folder .. "/bin/python3"

  setup(function()
    if folder and not interpreters.exists(folder .. "/ready") then
      local quoted = shell.quote(folder)
      local made = shell.run(("/usr/bin/python3 -m venv %s && %s/bin/pip -q install ipykernel "
        .. "bash_kernel && %s/bin/python3 -m bash_kernel.install --sys-prefix && touch %s/ready")
        :format(quoted, quoted, quoted, quoted), { time = 600 })
      if made.status ~= 0 then
        why_not = "no virtual environment with ipykernel: "
          .. (made.stderr:match("([^\n]+)\n*$") or "it could not be made")
        folder = nil
      end
    end
    choose(folder and python)
  end)

  teardown(function()
    choose(nil)
  end)

  local function works(line, test)
    it(line, function()
      if not folder then
        pending(why_not)
      end
      test()
    end)
  end

  local function run(code, options)
    options = options or {}
    options.language = options.language or "jupyter-python3"
    options.timeout = options.timeout or 60
    return codecell.assert(sandbox():run_code(code, options))
  end

  local function bash(code, options)
    options = options or {}
    options.language = "jupyter-bash"
    return run(code, options)
  end

  works("keeps variables and shows values", function()
    assert.equal("2", run("x = 1 + 1; x").text)
    local execution = run("print(x); import sys; print('e', file=sys.stderr); str(x)")
    assert.equal("2", execution.text)
    assert.same({ "2\n" }, execution.logs.stdout)
    assert.same({ "e\n" }, execution.logs.stderr)
    assert.equal(2, execution.execution_count)
    assert.equal("ok\n", table.concat(run("import os; os.system('echo ok')").logs.stdout))
  end)

  works("shows rich results in order", function()
    local execution = run([[
from IPython.display import HTML, JSON, Image, display, clear_output
import base64
print('before')
display(HTML('<b>x</b>'))
display({'application/x-own': {'a': [1]}, 'application/x-text': 't', 'text/plain': 'p'}, raw=True)
clear_output()
display(Image(base64.b64decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk'
  '+A8AAQUBAScY42YAAAAASUVORK5CYII=')))
JSON({'k': [1, None]})]])
    local results = execution.results
    assert.is_nil(execution.error)
    assert.equal(4, #results)
    assert.equal("<b>x</b>", results[1].html)
    assert.same({ 1 }, results[2].extra["application/x-own"].a)
    assert.equal("t", results[2].extra["application/x-text"])
    assert.equal("\137PNG", results[3].png:sub(1, 4))
    assert.equal(1, results[4].json.k[1])
    assert.is_true(results[4].is_main_result)
    assert.is_false(results[1].is_main_result)
  end)

  works("tells of errors without colours, and of their line", function()
    local execution = run("a = 1\n1 / 0")
    assert.equal("ZeroDivisionError", execution.error.name)
    assert.equal("division by zero", execution.error.value)
    assert.equal(2, execution.error.line)
    assert.is_nil(execution.error.traceback:find("\27", 1, true))
    assert.equal("SyntaxError", run("def f(:").error.name)
  end)

  works("reads what it is given, and is refused otherwise", function()
    assert.equal("onetwo", run("input('? ') + input()", { stdin = "one\ntwo\n" }).text)
    assert.equal("EOFError", run("input()", { stdin = "" }).error.name)
    assert.equal("StdinNotImplementedError", run("input()").error.name)
  end)

  works("has variables of the environment for one cell", function()
    local value = "q'\"$x\\\n"
    assert.equal("True", run(("import os; os.environ['ODD'] == %q"):format(value)
      :gsub("\\\n", "\\n"), { envs = { ODD = value } }).text)
    assert.equal("None", run("repr(os.environ.get('ODD'))").text)
    assert.same({ value .. "\n" }, bash("echo \"$ODD\"", { envs = { ODD = value } }).logs.stdout)
  end)

  works("is interrupted with its variables kept", function()
    run("kept = 7")
    for _ = 1, 2 do
      local execution = run("import time; time.sleep(60)", { timeout = 0.3 })
      assert.is_true(execution.timed_out)
      assert.is_false(execution.state_lost)
      assert.equal("7", run("kept").text)
    end
  end)

  works("is replaced when it dies, and when it is told to go", function()
    for _, code in ipairs({ "import os; os.kill(os.getpid(), 9)", "exit()" }) do
      run("gone = 1")
      local execution = run(code)
      assert.equal("KernelDiedError", execution.error.name)
      assert.is_true(execution.state_lost)
      assert.equal("NameError", run("gone").error.name)
    end
  end)

  works("keeps within bounds", function()
    local execution = run("from IPython.display import display\nfor i in range(1500): display(i)\n"
      .. "'x' * 9000000")
    assert.equal(1001, #execution.results)
    assert.is_true(#run("'x' * 9000000").text < 4300000)
    assert.equal("3", run("1 + 2").text)
  end)

  works("of another language keeps a session too #M23", function()
    assert.same({ "hi\n" }, bash("x=5; echo hi").logs.stdout)
    assert.same({ "5\n" }, bash("echo $x").logs.stdout)
    assert.equal("3", bash("(exit 3)").error.value)
    local seen = {}
    for _, language in ipairs(languages.list()) do
      seen[language.name] = language.sort
    end
    assert.equal("session", seen.bash)
    assert.equal("jupyter", seen["jupyter-bash"])
  end)

  works("that cannot start says why", function()
    local place = folder .. "/share/jupyter/kernels/"
    for name, argv in pairs({ missing = '["no_such_program"]',
      failing = '["bash", "-c", "echo it is broken >&2; exit 1"]' }) do
      shell.run("mkdir -p " .. shell.quote(place .. name))
      shell.write(place .. name .. "/kernel.json", ('{"argv": %s, "language": "x"}'):format(argv))
    end
    jupyter.forget()
    local _, err = sandbox():run_code("1", { language = "missing" })
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find("starts no_such_program: No such file", 1, true), err.message)
    _, err = sandbox():run_code("1", { language = "failing" })
    assert.truthy(err.message:find("ended at once: it is broken", 1, true), err.message)
    shell.remove(place .. "missing")
    shell.remove(place .. "failing")
  end)
end)
