local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = codecell.json
local one_sandbox = require "spec.support.one_sandbox"
local shell = require "spec.support.shell"

local has_python = codecell.languages.program "python" ~= nil

-- A picture of one pixel.
local PIXEL = [[
import base64
from IPython.display import Image, display
pixel = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
display(Image(pixel))
]]

local function cells_of(text)
  return json.decode(text).cells
end

-- What a program of Python prints, given a text as its input.
local function in_python(program, text, python)
  local result = shell.run((python or "/usr/bin/python3") .. " -c " .. shell.quote(program),
    { stdin = text, time = 300 })
  assert.equal("", result.stderr)
  assert.equal(0, result.status)
  return result.stdout
end

describe("sandbox:export", function()
  local get = one_sandbox(teardown, { secrets = { KEY = "swordfish-7" } })
  local sandbox, second

  setup(function()
    if not has_python then
      return
    end
    sandbox = get()
    sandbox:run_code "print('shown ``` there')\n6 * 7"
    sandbox:run_code "1 / 0"
    sandbox:run_code "key = 'swordfish-7'\nimport os\nos.environ['KEY']"
    sandbox:run_code(PIXEL)
    sandbox:run_code "import asyncio\nawait asyncio.sleep(0)\nnames = !printf 'one\\ntwo\\n'\nnames"
    second = assert(sandbox:create_code_context())
    sandbox:run_code("key = 5\nkey", { context = second })
    sandbox:run_code("echo said; false", { language = "bash" })
  end)

  it("makes a notebook: outputs, results, pictures, errors, counts", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local notebook = json.decode(codecell.assert(sandbox:export "ipynb"))
    assert.equal(4, notebook.nbformat)
    assert.equal("python3", notebook.metadata.kernelspec.name)
    local cells = notebook.cells
    assert.equal("markdown", cells[1].cell_type) -- two contexts
    local first = cells[2]
    assert.equal(1, first.execution_count)
    assert.equal("print('shown ``` there')\n6 * 7", first.source)
    assert.same({ "stream", "shown ``` there\n" }, { first.outputs[1].output_type,
      first.outputs[1].text })
    assert.same({ "execute_result", "42" }, { first.outputs[2].output_type,
      first.outputs[2].data["text/plain"] })
    assert.equal("ZeroDivisionError", cells[3].outputs[1].ename)
    assert.same({ "raises-exception" }, cells[3].metadata.tags)
    assert.truthy(cells[5].outputs[1].data["image/png"]:find "^iVBOR")
    assert.equal(second.id, cells[7].metadata.codecell.context)
    assert.equal("%%bash\necho said; false", cells[8].source)
  end)

  it("masks secrets, in the code too, in every format", function()
    if not has_python then
      return pending "Python is not installed"
    end
    for _, format in ipairs { "ipynb", "md", "py", "lua" } do
      local text = codecell.assert(sandbox:export(format))
      assert.falsy(text:find("swordfish", 1, true), format)
      assert.truthy(text:find("key = '***'", 1, true), format)
    end
  end)

  it("makes Markdown, with fences longer than any inside", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local text = codecell.assert(sandbox:export("md", { title = "A session" }))
    assert.truthy(text:find "^# A session\n")
    assert.truthy(text:find("````python\nprint('shown ``` there')\n6 * 7\n````\n\n"
      .. "````output\nshown ``` there\n42\n````\n", 1, true))
    assert.truthy(text:find("```python expect-error\n1 / 0\n", 1, true))
    assert.truthy(text:find("](data:image/png;base64,iVBOR", 1, true))
    assert.truthy(text:find("```python session=2\nkey = 5\n", 1, true))
  end)

  it("makes a Python script that runs, with what was shown in comments", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local runs = sandbox:history()
    table.remove(runs, 4) -- the Python of this machine may lack IPython
    local text = codecell.export.render(runs, "py")
    assert.truthy(text:find("#> 42\n", 1, true))
    assert.truthy(text:find("[bash] raised ExitError\n# echo said; false\n#> said\n", 1, true))
    local inside = codecell.assert(codecell.create { envs = { KEY = "" } })
    inside.files:write("session.py", text)
    local result = inside.commands:run "python3 session.py"
    inside:close()
    assert.equal(0, result.exit_code)
    assert.truthy(result.stdout:find("shown ``` there", 1, true))
    assert.truthy(result.stderr:find("ZeroDivisionError", 1, true)) -- and it went on
  end)

  it("makes a Lua program that runs the session again", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local one = codecell.assert(codecell.create())
    local code = "x = ']]'\nprint(x, '\\r')"
    one:run_code(code)
    one:run_code "x\r\n" -- what long brackets would change
    local text = codecell.assert(one:export "lua")
    one:close()
    local path = os.tmpname()
    shell.write(path, text)
    local result = shell.run(shell.lua .. " " .. path)
    os.remove(path)
    assert.equal("", result.stderr)
    local promised = {}
    for line in text:gmatch "\n%-%-> ([^\n]*)" do
      promised[#promised + 1] = line .. "\n"
    end
    assert.equal(table.concat(promised), result.stdout)
    assert.truthy(result.stdout:find("]]", 1, true))
  end)

  it("takes one context, and leaves what was shown out if told to", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local cells = cells_of(codecell.assert(sandbox:export("ipynb", { context = second,
      outputs = false })))
    assert.equal(1, #cells)
    assert.equal("key = 5\nkey", cells[1].source)
    assert.equal(0, #cells[1].outputs)
    local none, err = sandbox:export("md", { context = "no-such-context" })
    assert.is_nil(none)
    assert.equal("not_found", err.kind)
    assert.has_error(function() sandbox:export "docx" end)
    assert.has_error(function() sandbox:export("md", { outptus = true }) end)
  end)

  it("is there for every backend", function()
    local mock = codecell.assert(codecell.create { backend = "mock",
      mock = { answers = { { code = "6 * 7", plain = true, text = "42" } } } })
    mock:run_code "6 * 7"
    assert.truthy(codecell.assert(mock:export "py"):find("6 * 7\n#> 42\n", 1, true))
    mock:close()
    local server = e2b.start()
    server:script(e2b.rules { method = "POST", path = "^/execute$", body = e2b.lines(
      { type = "result", text = "42", is_main_result = true },
      { type = "number_of_executions", execution_count = 1 }, { type = "end_of_execution" }) })
    local cloud = codecell.assert(codecell.create(server:options {
      secrets = { KEY = "swordfish" } }))
    cloud:run_code "key = 'swordfish'\n6 * 7"
    assert.truthy(codecell.assert(cloud:export "md")
      :find("key = '***'\n6 * 7\n```\n\n```output\n42\n", 1, true))
    cloud:close()
    server:stop()
  end)

  it("is empty for a sandbox in which nothing was run", function()
    local empty = codecell.assert(codecell.create())
    assert.equal(0, #cells_of(codecell.assert(empty:export "ipynb")))
    assert.equal("", codecell.assert(empty:export "md"))
    empty:close()
  end)
end)

describe("codecell.export.render", function()
  local FORGED = "x\nimport os; os.abort() #\r\nimport os; os.abort()\0\27]0;title\7"

  local function forged()
    return { { code = "pass", language = "python", at = 0, execution = {
      logs = { stdout = { FORGED }, stderr = { "```\n<script>" } },
      results = { { text = FORGED, html = "<script>", extra = { ["not a type"] = 1,
        ["application/x+json"] = { 1 } }, is_main_result = true } },
      error = { name = FORGED, value = FORGED, traceback = FORGED }, execution_count = 1 / 0,
    } } }
  end

  it("takes records without methods, as those of a log", function()
    local text = codecell.export.render({ { code = "1", language = "python",
      execution = { results = { { text = "1", is_main_result = true } } } } }, "ipynb")
    assert.equal("1", cells_of(text)[1].outputs[1].data["text/plain"])
  end)

  it("lets nothing that was printed become code of the script #S001", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local text = codecell.export.render(forged(), "py")
    assert.falsy(text:find "[%z\27\r]")
    assert.equal("1\n", in_python("import ast, sys\n"
      .. "calls = [n for n in ast.walk(ast.parse(sys.stdin.read())) if isinstance(n, ast.Call)\n"
      .. "         and getattr(n.func, 'attr', '') == 'abort']\nprint(1 + len(calls))", text))
  end)

  it("lets nothing that was printed leave its fence, its comment or its string #S001", function()
    local text = codecell.export.render(forged(), "md")
    local blocks = codecell.blocks.scan(text)
    assert.equal(2, #blocks)
    assert.equal("output", blocks[2].language)
    assert.equal(json.null, cells_of(codecell.export.render(forged(), "ipynb"))[1].execution_count)
    assert.equal(1, #codecell.blocks.scan(codecell.export.render(
      { { code = "1", language = "x` y```" } }, "md")))
    assert.has_error(function() codecell.export.render({ { code = 1, language = "c" } }, "md") end)
    local program = codecell.export.render(forged(), "lua")
    assert.falsy(program:find "[%z\27\r]")
    for line in program:gmatch "[^\n]+" do
      assert.falsy(line:find "^%s*import os")
    end
    json.decode(codecell.export.render(forged(), "ipynb"))
  end)

  it("keeps Python as it is where it only looks like a magic", function()
    local code = "x = (10\n     % 3)\ny = 7 \\\n  % 4\nz = \"\"\"\n%magic\n!echo\n\"\"\" # '\n"
      .. "w = 'it\\'s ('\nv = [1,\n  x]"
    assert.truthy(codecell.export.render({ { code = code, language = "python" } }, "py")
      :find(code, 1, true))
    local text = codecell.export.render({ { code = "if x:\n  !ls -l\n%matplotlib inline",
      language = "python" } }, "py")
    assert.truthy(text:find("if x:\n  subprocess.run('ls -l', shell=True)\n"
      .. "pass  # %matplotlib inline\n", 1, true), text)
  end)

  it("takes no longer for texts that are hard on patterns #S001", function()
    local hard = { ("\n"):rep(2 ^ 18) .. "x", (" "):rep(2 ^ 18) .. "x", ("\\"):rep(2 ^ 18) .. "x",
      ("'"):rep(2 ^ 18), ("`"):rep(2 ^ 18) .. "x", ("\27]"):rep(2 ^ 17), ("\r"):rep(2 ^ 18) .. "x" }
    for _, text in ipairs(hard) do
      local cell = { code = "x = '" .. text, language = "python", execution = {
        logs = { stdout = { text }, stderr = {} }, results = {},
        error = { name = "E", value = text, traceback = text } } }
      for _, format in ipairs { "ipynb", "md", "py", "lua" } do
        assert.truthy(codecell.export.render({ cell }, format))
      end
      require("codecell.doctest.compare").texts("... x", text)
    end
  end)

  it("says how many cells are forgotten", function()
    assert.truthy(codecell.export.render({}, "md", nil, 7):find("7 earlier cells", 1, true))
    assert.equal(1, #cells_of(codecell.export.render({}, "ipynb", nil, 7)))
  end)

  it("quotes cells in languages that a notebook has no cells for", function()
    local cells = cells_of(codecell.export.render({
      { code = "1", language = "python" }, { code = "int x;", language = "c" },
    }, "ipynb"))
    assert.equal("markdown", cells[2].cell_type)
    assert.truthy(cells[2].source:find("```c\nint x;\n```", 1, true))
  end)
end)

describe("codecell run --export", function()
  it("keeps what was run as a document, in the format of its name", function()
    if not has_python then
      return pending "Python is not installed"
    end
    local folder = shell.folder()
    local result = shell.run(shell.codecell .. " run --export " .. folder .. "/a.py -c '6 * 7'")
    assert.equal("42\n", result.stdout)
    assert.truthy(shell.read(folder .. "/a.py"):find("6 * 7\n#> 42\n", 1, true))
    shell.write(folder .. "/answer.md", "```python\n1 / 0\n```\n\n```python\n6 * 7\n```\n")
    result = shell.run(("%s interpret --keep-going --export %s/a.ipynb %s/answer.md")
      :format(shell.codecell, folder, folder))
    local cells = cells_of(shell.read(folder .. "/a.ipynb"))
    assert.equal(1, result.status)
    assert.equal(2, #cells)
    result = shell.run(shell.codecell .. " run --export a.docx -c 1")
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find(".ipynb, .md, .py or .lua", 1, true))
    shell.remove(folder)
  end)
end)

-- A text of nbformat: a string, or the lines of one. A program in Jupyter prints to a terminal.
local function joined(text)
  text = type(text) == "table" and table.concat(text) or text
  return text and text:gsub("\r\n", "\n") or nil
end

describe("a notebook", function()
  it("is valid for nbformat, and Jupyter runs it #registry #slow #once", function()
    local folder = shell.folder()
    local install = shell.run(("/usr/bin/python3 -m venv %s/venv && %s/venv/bin/pip -q install "
      .. "nbformat nbconvert ipykernel"):format(folder, folder), { time = 300 })
    if install.status ~= 0 then
      shell.remove(folder)
      return pending("nbformat cannot be had: " .. install.stderr:sub(-200))
    end
    local sandbox = codecell.assert(codecell.create())
    for _, code in ipairs { "x = 6", "1 / 0", "!echo said", "print(x * 7)\nx * 7" } do
      sandbox:run_code(code)
    end
    sandbox:run_code("echo shell", { language = "bash" })
    sandbox:run_code("int main(void) { return 0; }", { language = "c" })
    shell.write(folder .. "/session.ipynb", codecell.assert(sandbox:export("ipynb",
      { title = "A session" })))
    sandbox:close()
    local python = folder .. "/venv/bin/python"
    assert.equal("4 5\n", in_python(([[
import nbformat
notebook = nbformat.read('%s/session.ipynb', nbformat.NO_CONVERT)
nbformat.validate(notebook)
print(notebook.nbformat, notebook.nbformat_minor)]]):format(folder), "", python))
    local run = shell.run(("%s -m nbconvert --to notebook --execute --output done.ipynb "
      .. "session.ipynb"):format(python), { folder = folder, time = 200 })
    assert.equal(0, run.status, run.stderr)
    local before = cells_of(shell.read(folder .. "/session.ipynb"))
    local after = cells_of(shell.read(folder .. "/done.ipynb"))
    shell.remove(folder)
    assert.equal(#before, #after)
    for i, cell in ipairs(before) do
      for k, output in ipairs(cell.outputs or {}) do
        local other = after[i].outputs[k]
        local function told(one)
          return { kind = one.output_type, text = (joined(one.text)), ename = one.ename,
            plain = (joined(one.data and one.data["text/plain"])) }
        end
        assert.same(told(output), told(other))
      end
    end
  end)
end)
