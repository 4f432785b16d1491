local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local shell = require "spec.support.shell"

local function mock(options, more)
  local given = { backend = "mock", mock = options }
  for name, value in pairs(more or {}) do
    given[name] = value
  end
  return codecell.assert(codecell.create(given))
end

describe("the backend mock", function()
  it("executes nothing, and says so in every answer #C01 #C02", function()
    local folder = shell.folder()
    local sandbox = mock()
    local execution = codecell.assert(sandbox:run_code(("open(%q, 'w')"):format(folder .. "/a")))
    assert.equal("mock: nothing was executed", execution.text)
    assert.is_true(execution.mock)
    local result = codecell.assert(sandbox.commands:run("touch " .. folder .. "/a"))
    assert.equal(0, result.exit_code)
    assert.equal("mock: nothing was executed\n", result.stderr)
    assert.is_nil(shell.read(folder .. "/a"))
    assert.is_true(sandbox:get_info().mock)
    assert.equal("none", sandbox:get_info().isolation)
    assert.is_false(sandbox:supports("pause"))
    local ok, err = sandbox:pause()
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
    sandbox:close()
    shell.remove(folder)
  end)

  it("answers as a script says, in its order, by text or pattern", function()
    local sandbox = mock { answers = {
      { code = "1+1", plain = true, text = "2", times = 1 },
      { code = "1+1", plain = true, text = "3" },
      { code = "^plot", stdout = "drawn\n", results = { { png = "\137PNG\255" } } },
      { code = "fail", error = "ValueError: no" },
      { command = "^ls", stdout = "a\nb\n" },
      { command = "^false", stderr = "no\n", exit_code = 1 },
    } }
    assert.equal("2", sandbox:run_code("1+1").text)
    assert.equal("3", sandbox:run_code("1+1").text)
    local heard = {}
    local execution = sandbox:run_code("plot()", {
      on_stdout = function(text) heard[#heard + 1] = text end,
      on_result = function(result) heard[#heard + 1] = result.png end })
    assert.same({ "drawn\n", "\137PNG\255" }, heard)
    assert.same({ "png" }, execution.results[1]:formats())
    assert.equal(3, execution.execution_count)
    assert.same({ name = "ValueError", value = "no", traceback = "ValueError: no" },
      sandbox:run_code("fail()").error)
    assert.equal("a\nb\n", sandbox.commands:run("ls -l").stdout)
    assert.equal(1, sandbox.commands:run({ "false" }).exit_code)
    sandbox:close()
  end)

  it("answers by a function, which learns what was asked", function()
    local sandbox = mock { answers = function(kind, text)
      return kind == "code" and { text = text:upper() } or { stdout = text }
    end }
    assert.equal("ABC", sandbox:run_code("abc").text)
    assert.equal("echo x", sandbox.commands:run("echo x").stdout)
    sandbox:close()
  end)

  it("keeps files that are nowhere", function()
    local sandbox = mock { files = { ["data/a.csv"] = "x,y\n" } }
    local files = sandbox.files
    assert.equal("x,y\n", files:read("/home/user/data/a.csv"))
    assert.equal(3, codecell.assert(files:write("data/b\0c" and "data/b", "\0\1\2")).size)
    assert.same({ "a.csv", "b" }, { files:list("data")[1].name, files:list("data")[2].name })
    assert.is_false(files:make_dir("data"))
    assert.is_true(files:make_dir("new"))
    assert.equal("/home/user/new/b", files:rename("data/b", "new/b").path)
    assert.is_true(files:remove("data"))
    assert.is_false(files:exists("data/a.csv"))
    local content, err = files:read("data/a.csv")
    assert.is_nil(content)
    assert.equal("not_found", err.kind)
    sandbox:close()
  end)

  it("has contexts, which count", function()
    local sandbox = mock()
    local context = codecell.assert(sandbox:create_code_context())
    sandbox:run_code("1", { context = context })
    assert.equal(2, sandbox:run_code("1", { context = context }).execution_count)
    assert.is_true(sandbox:restart_code_context(context))
    assert.equal(1, sandbox:run_code("1", { context = context }).execution_count)
    assert.is_true(sandbox:remove_code_context(context))
    local execution, err = sandbox:run_code("1", { context = context })
    assert.is_nil(execution)
    assert.equal("not_found", err.kind)
    sandbox:close()
  end)

  it("runs in the background as others do", function()
    local sandbox = mock { answers = { { text = "later" } } }
    local run = codecell.assert(sandbox:start_code("x"))
    assert.equal("later", codecell.assert(run:wait(5)).text)
    assert.is_true(sandbox:kill())
    assert.is_false(sandbox:kill())
    sandbox:close()
  end)

  it("is the command's with --mode mock #C11 #B02", function()
    local result = shell.run("env E2B_MODE=mock " .. shell.codecell .. " run -c 'print(1)'")
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("mock: nothing was executed", 1, true), result.stdout)
  end)
end)

describe("a cassette", function()
  local folder, tape
  setup(function()
    folder = shell.folder()
    tape = folder .. "/tape"
  end)
  teardown(function() shell.remove(folder) end)

  local function ask(sandbox)
    local told = {}
    told.first = codecell.assert(sandbox:run_code("import sys; x = 2; print('hi')"))
    told.second = codecell.assert(sandbox:run_code("x * 21"))
    told.failed = codecell.assert(sandbox:run_code("1/0"))
    told.command = codecell.assert(sandbox.commands:run("printf 'a\\377'; echo no >&2; exit 3"))
    told.written = codecell.assert(sandbox.files:write("a", "\0\255")).path
    told.read = codecell.assert(sandbox.files:read("a"))
    told.missing = select(2, sandbox.files:read("b")).kind
    return told
  end

  it("has what a local sandbox has answered, and the mock plays it #M10", function()
    local sandbox = codecell.assert(codecell.create { record = tape })
    local told = ask(sandbox)
    sandbox:close()
    local player = mock { cassette = tape }
    local again = ask(player)
    assert.equal(told.second.text, again.second.text)
    assert.equal("42", again.second.text)
    assert.same(told.first.logs, again.first.logs)
    assert.equal("ZeroDivisionError", again.failed.error.name)
    assert.is_true(again.second.mock)
    assert.equal("a\255", again.command.stdout)
    assert.equal("no\n", again.command.stderr)
    assert.equal(3, again.command.exit_code)
    assert.equal("\0\255", again.read)
    assert.equal(told.written, again.written)
    assert.equal("not_found", again.missing)
    player:close()
  end)

  it("does not make up what it does not hold", function()
    local player = mock { cassette = tape }
    local execution, err = player:run_code("never asked")
    assert.is_nil(execution)
    assert.equal("not_found", err.kind)
    local result
    result, err = player.commands:run("never asked")
    assert.is_nil(result)
    assert.equal("not_found", err.kind)
    player:close()
  end)

  it("can be of E2B as well", function()
    local server = e2b.start()
    server:script(e2b.rules({ method = "POST", path = "^/execute$", body = e2b.lines(
      { type = "result", text = "7", png = "iVBORw==", is_main_result = true, extra = {} },
      { type = "end_of_execution" }) }))
    local sandbox = codecell.assert(codecell.create(server:options { record = tape }))
    codecell.assert(sandbox:run_code("3+4"))
    sandbox:detach()
    sandbox:close()
    server:stop()
    local player = mock { cassette = tape }
    local execution = codecell.assert(player:run_code("3+4"))
    assert.equal("7", execution.text)
    assert.equal("\137PNG", execution.results[1].png)
    assert.falsy(shell.read(tape):find(e2b.key, 1, true))
    assert.falsy(shell.read(tape):find(e2b.token, 1, true))
    player:close()
  end)

  it("is refused where it is none", function()
    for _, text in ipairs { "", "x\n", "{}\n", '{"cassette":2}\n', '{"cassette":1}\n{}\n',
      '{"cassette":1}\n{"kind":5,"asked":{}}\n' } do
      shell.write(folder .. "/bad", text)
      local sandbox, err = codecell.create { backend = "mock",
        mock = { cassette = folder .. "/bad" } }
      assert.is_nil(sandbox, text)
      assert.equal("protocol", err.kind)
    end
    local sandbox, err = codecell.create { backend = "mock", mock = { cassette = folder .. "/no" } }
    assert.is_nil(sandbox)
    assert.equal("not_found", err.kind)
  end)
end)
