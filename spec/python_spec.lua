-- Cells in Python: what a notebook knows beyond the language. The details are tested frame by frame
-- in spec/kernels/, what does harm in hostile_cells_spec.lua.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

describe("cells of python #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code, options)
    return codecell.assert(sandbox():run_code(code, options))
  end

  local function output(execution)
    return table.concat(execution.logs.stdout)
  end

  before_each(function()
    local contexts = codecell.assert(sandbox():list_code_contexts())
    codecell.assert(sandbox():restart_code_context(contexts[1]))
  end)

  it("remember what was answered and what was asked #E06 #E07 #E10", function()
    assert.equal("42", run("6 * 7").text)
    assert.equal("43", run("_ + 1").text)
    assert.equal("('6 * 7', '_ + 1', [42, 43])", run("In[1], _i, [Out[1], _2]").text)
    assert.is_nil(run("7;").text)
  end)

  it("are magics too: shell lines, files, time, the environment", function()
    assert.equal("hello you\n", output(run("who = 'you'\n!echo hello $who")))
    assert.equal("['a', 'b']", run("lines = !printf 'a\\nb\\n'\nlines").text)
    assert.equal("Writing part.py\n", output(run("%%writefile part.py\nX = 5")))
    assert.equal("5", run("import part\npart.X").text)
    assert.matches("Wall time:", output(run("%time sum(range(10))")))
    assert.equal("env: KEY=value\n", output(run("%env KEY=value")))
    assert.equal("value\n", output(run("%%bash\necho $KEY")))
    assert.equal("/home/user", run("pwd").text)
  end)

  it("say of an unknown magic that there is none", function()
    local failed = run("print('before')\n%teleport")
    assert.equal("UsageError", failed.error.name)
    assert.equal("Line magic function `%teleport` not found.", failed.error.value)
    assert.equal("before\n", output(failed))
  end)

  it("await at their top level, and keep what runs beside them #E06", function()
    run("import asyncio\nasync def later():\n    await asyncio.sleep(0)\n    return 'done'\n"
      .. "task = asyncio.create_task(later())")
    assert.equal("done", run("await task").text)
    run("seen = []\nasync def note(): seen.append(1)\nother = asyncio.create_task(note())")
    assert.equal("([1], True)", run("seen, other.done()").text)
  end)

  it("read the input that they are given, and say when there is none", function()
    assert.equal("('Ada', 'rest')", run("input(), __import__('sys').stdin.read()",
      { stdin = "Ada\nrest" }).text)
    local refused = run("input('name? ')")
    assert.equal("StdinNotImplementedError", refused.error.name)
    assert.matches("pass the text as its stdin", refused.error.value)
  end)

  it("name the line of an error, also of one that a value raises when it is shown", function()
    local failed = run("x = 1\n\nx / 0")
    assert.equal("division by zero", failed.error.value)
    assert.equal(3, failed.error.line)
    local shown = run("class Bad:\n    def _repr_html_(self): raise ValueError('no page')\n"
      .. "    def __repr__(self): return 'bad'\nBad()")
    assert.equal("bad", shown.text)
    assert.equal("no page", shown.error.value)
    assert.matches("line 4, in <module>\n    Bad%(%)", shown.error.traceback)
  end)

  it("go on after exit(), which is no error, and after SystemExit, which is one", function()
    run("x = 5\nexit()")
    assert.equal("5", run("x").text)
    assert.equal("SystemExit", run("raise SystemExit(2)").error.name)
    assert.equal("5", run("x").text)
  end)

  it("show what IPython.display makes, installed or not", function()
    local results = run("from IPython.display import HTML, Markdown, display\n"
      .. "display(HTML('<b>x</b>'))\nMarkdown('# y')").results
    assert.equal("<b>x</b>", results[1].html)
    assert.is_false(results[1].is_main_result)
    assert.equal("# y", results[2].markdown)
    assert.is_true(results[2].is_main_result)
  end)

  it("show what ast_node_interactivity says, by class, by object or by %config", function()
    local function texts(code)
      local shown = {}
      for i, result in ipairs(run(code).results) do
        shown[i] = result.text
      end
      return shown
    end
    run("from IPython.core.interactiveshell import InteractiveShell\n"
      .. "InteractiveShell.ast_node_interactivity = 'all'")
    assert.same({ "1", "0", "1", "2" }, texts("1\nfor i in range(2): i\nx = 5\n2"))
    assert.same({}, texts("1\n2;"))
    run("%config InteractiveShell.ast_node_interactivity = 'last_expr_or_assign'")
    assert.same({ "7" }, texts("1\nx = 7"))
    assert.same({ "9" }, texts("x += 2"))
    assert.same({}, texts("a = b = 3"))
    run("get_ipython().ast_node_interactivity = 'none'")
    assert.same({}, texts("1\n2"))
    assert.same({}, texts("1"))
    run("get_ipython().ast_node_interactivity = 'last_expr'")
    assert.same({ "2" }, texts("1\n2"))
  end)

  it("show JSON that is text, a film as what it is, and what has no formats of its own", function()
    local json = run("from IPython.display import JSON, Video\nJSON('{\"x\": [1]}')")
    assert.same({ 1 }, json.results[1].json.x)
    local film = run("Video(data=b'xx', mimetype='video/webm', embed=True)")
    assert.truthy(film.results[1].html:find('src="data:video/webm;base64,eHg="', 1, true))
    assert.equal("plain", run("class Plain:\n"
      .. "    def _repr_mimebundle_(self, **options): return None\n"
      .. "    def __repr__(self): return 'plain'\nPlain()").text)
  end)
end)
