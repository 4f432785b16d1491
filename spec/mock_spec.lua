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
    assert.is_true(result.mock)
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

  it("starts no process, for code and for commands #C02", function()
    local program = [[local codecell = require "codecell"
      local sandbox = codecell.assert(codecell.create { backend = "mock" })
      codecell.assert(sandbox:run_code("1"))
      codecell.assert(sandbox.commands:run("touch x"))
      codecell.assert(sandbox:start_code("1")):wait(60)
      local pid = require("codecell.core").getpid()
      local file = assert(io.open(("/proc/%d/task/%d/children"):format(pid, pid)))
      io.write("children: ", file:read("*a"), ".", tostring(sandbox):match("%(mock%)$"))]]
    local result = shell.run(shell.lua .. " -e " .. shell.quote(program), { folder = "." })
    assert.equal("children: .(mock)", result.stdout, result.stderr)
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

  it("does what its documentation shows", function()
    local text = assert(shell.read "docs/mock.md")
    local program = text:match("\n\n(    local sandbox.-)\n\n%S"):gsub("^    ", "")
    local load_text = loadstring or load -- luacheck: ignore
    local sandbox = assert(load_text("local codecell = ...\n" .. program .. "\nreturn sandbox"))(
      codecell)
    assert.equal("ok\n", sandbox:run_code("import pandas as pd").logs.stdout[1])
    assert.equal("42", sandbox:run_code("6 * 7").text)
    assert.equal("mock: nothing was executed", sandbox:run_code("6 * 7").text)
    assert.equal(1, sandbox.commands:run("pytest -q").exit_code)
    assert.equal("x,y\n", sandbox.files:read("data.csv"))
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
    assert.equal("later", codecell.assert(run:wait(60)).text)
    assert.is_true(sandbox:kill())
    assert.is_false(sandbox:kill())
    sandbox:close()
  end)

  it("asks nobody and costs nothing, though there is a key and a cloud #C03", function()
    local server = e2b.start()
    server:script({}, "close")
    local cloud = ("env E2B_MODE=mock E2B_API_KEY=%s E2B_API_URL=%s E2B_SANDBOX_URL=%s "):format(
      e2b.key, server.mute, server.url)
    local result = shell.run(cloud .. shell.codecell .. " run -c 'print(1)'")
    assert.equal(0, result.status, result.stderr)
    local sandbox = mock()
    local execution = codecell.assert(sandbox:run_code("1"))
    codecell.assert(sandbox.commands:run("x"))
    assert.is_nil(execution.usage)
    sandbox:close()
    assert.same({}, server:requests())
    server:stop()
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

  it("does not make up what it does not hold: it says what came, and what it expected", function()
    local player = mock { cassette = tape }
    local calls = {
      function() return player:run_code("never asked") end,
      function() return player.commands:run("never asked") end,
      function() return player.files:exists("never asked") end,
      function() return player.files:write("a", "other bytes") end,
    }
    for _, call in ipairs(calls) do
      local answer, err = call()
      assert.is_nil(answer)
      assert.equal("protocol", err.kind)
      assert.truthy(err.message:find("; expected execute {", 1, true), err.message)
      assert.truthy(err.message:find("import sys", 1, true))
      assert.truthy(err.message:find(", of line 5", 1, true))
      assert.truthy(err.message:find(tape, 1, true))
    end
    ask(player)
    local answer, err = player:run_code("x * 21")
    assert.is_nil(answer)
    assert.truthy(err.message:find("line %d+ has answered already; expected nothing more"),
      err.message)
    player:close()
  end)

  it("is text for people: a record a question, a line a field, nothing that passes", function()
    local text = shell.read(tape)
    local first = '{\n "backend": "local",\n "cassette": 1}\n\n'
    assert.equal(first, text:sub(1, #first))
    assert.truthy(text:find('\n  "code": "x * 21",\n', 1, true), text)
    assert.truthy(text:find('"$base64": "AP8="', 1, true))
    for _, name in ipairs { "seconds", "timings", "usage", "context" } do
      assert.falsy(text:find('"' .. name .. '"', 1, true))
    end
    local sandbox = codecell.assert(codecell.create { record = tape .. ".again" })
    local written = ask(sandbox)
    sandbox:close()
    assert.truthy(written)
    local function lasting(path)
      return (shell.read(path):gsub('"modified_time": [%d.]+', ""))
    end
    assert.equal(lasting(tape), lasting(tape .. ".again"))
  end)

  it("says of a run that deviates what is documented", function()
    local path = folder .. "/deviates"
    local sandbox = mock({}, { record = path })
    codecell.assert(sandbox:run_code("6 * 7"))
    sandbox:close()
    local player = mock { cassette = path }
    local _, err = player:run_code("6 * 8")
    local shown = assert(shell.read "docs/mock.md"):match("\nrun_code: [^\n]+"):sub(2)
    assert.equal(shown, (err.message:gsub(path, "spec/plot.cassette", 1)))
    player:close()
  end)

  it("has no secret of the sandbox in it, wherever code or files have it", function()
    local secret, path = "hunter2-\"quoted\"", folder .. "/secret"
    local function act(sandbox)
      codecell.assert(sandbox:run_code(("x = %q; print(x)"):format(secret)))
      codecell.assert(sandbox.commands:run({ "printf", "%s", secret }))
      codecell.assert(sandbox.files:write("a", "my " .. secret))
      codecell.assert(sandbox.files:write(secret:gsub("/", ""), "x"))
      return codecell.assert(sandbox.files:read("a"))
    end
    local sandbox = codecell.assert(codecell.create { secrets = { TOKEN = secret },
      record = path })
    act(sandbox)
    sandbox:close()
    assert.falsy(shell.read(path):find("hunter2", 1, true))
    local player = mock({ cassette = path }, { secrets = { TOKEN = secret } })
    assert.equal("my ***", act(player))
    player:close()
  end)

  it("keeps files of up to a MiB, and knows longer ones that are written", function()
    local path, long = folder .. "/long", ("x"):rep(2097152)
    local function act(sandbox)
      codecell.assert(sandbox.files:write("a", ("y"):rep(300000)))
      codecell.assert(sandbox.files:write("b", long))
      return codecell.assert(sandbox.files:read("a")), sandbox.files:read("b")
    end
    local sandbox = codecell.assert(codecell.create { record = path })
    local _, whole = act(sandbox)
    assert.equal(long, whole)
    sandbox:close()
    local player = mock { cassette = path }
    local content, none, err = act(player)
    assert.equal(("y"):rep(300000), content)
    assert.is_nil(none)
    assert.equal("unsupported", err.kind)
    player:close()
    assert.truthy(#shell.read(path) < 1000000)
  end)

  it("is the same for every Lua, and every backend: the mock too", function()
    local path = folder .. "/mock"
    local sandbox = mock({ answers = { { text = "\226\130\172", stdout = "a\nb\n",
      results = { { json = { a = { 1, 2.5, true }, ["$lines"] = { "x" } } } } } } },
      { record = path })
    codecell.assert(sandbox:run_code("one\ntwo"))
    sandbox:close()
    local program = ([[local codecell = require "codecell"
      local player = codecell.assert(codecell.create { backend = "mock",
        mock = { cassette = %q } })
      local done = codecell.assert(player:run_code("one\ntwo"))
      local given = done.results[1].json
      io.write(done.text, done.logs.stdout[1], given["$lines"][1], given.a[2])]]):format(path)
    local result = shell.run(shell.lua .. " -e " .. shell.quote(program), { folder = "." })
    assert.equal("\226\130\172a\nb\nx2.5", result.stdout .. result.stderr)
  end)

  it("tells when it cannot be written", function()
    local sandbox, err = codecell.create { backend = "mock", record = "/nowhere/tape" }
    assert.is_nil(sandbox)
    assert.equal("system", err.kind)
    sandbox, err = codecell.create { backend = "mock", record = "/dev/full" }
    assert.is_nil(sandbox)
    assert.equal("record /dev/full: No space left on device", err.message)
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
    for _, text in ipairs { "", "x\n", "{}\n", "\n", '{"cassette":2}\n', '{"cassette":1}\n\n{}\n',
      '{"cassette":1}\n{"kind":"execute","asked":{}}\n',
      '{"cassette":1}\n\n{"kind":5,"asked":{}}\n' } do
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
