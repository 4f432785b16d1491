local base64 = require "codecell.base64"
local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"
local out_of_time = require "spec.support.out_of_time"

local EXECUTE = "^/execute$"
local END = { type = "end_of_execution" }

describe("code in a sandbox of E2B", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  local function answer(body, more)
    local rule = { method = "POST", path = EXECUTE, body = body, pieces = 5 }
    for name, value in pairs(more or {}) do
      rule[name] = value
    end
    server:script(e2b.rules(rule))
  end

  it("is sent with language or context, variables and both tokens #C09", function()
    answer(e2b.lines(END))
    codecell.assert(sandbox:run_code("1+1", { envs = { Q = "1" } }))
    codecell.assert(sandbox:run_code("1", { language = "JS" }))
    codecell.assert(sandbox:run_code("1", { context = "11-22" }))
    local requests = server:asked("POST", EXECUTE)
    assert.same({ code = "1+1", language = "python", env_vars = { Q = "1" } },
      json.decode(requests[1].body))
    assert.same({ code = "1", language = "javascript" }, json.decode(requests[2].body))
    assert.same({ code = "1", context_id = "11-22" }, json.decode(requests[3].body))
    assert.equal("49999", requests[1].headers["e2b-sandbox-port"])
    assert.equal(e2b.token, requests[1].headers["x-access-token"])
  end)

  it("gives an Execution with everything that came", function()
    local png = base64.encode "\137PNG\0\255"
    answer(e2b.lines({ type = "number_of_executions", execution_count = 3 },
      { type = "stdout", text = "one\n", timestamp = "2026-08-01T10:00:00Z" },
      { type = "keepalive" }, { type = "stderr", text = "two\n", timestamp = "x" },
      { type = "of the future", more = 1 },
      { type = "result", text = "<Figure>", png = png, is_main_result = false, extra = {},
        chart = { type = "line", title = json.null, elements = json.list {} } },
      { type = "result", text = "42", json = { a = json.list { 1 } }, is_main_result = true,
        extra = { ["x/y"] = "z" } }, END))
    local heard = {}
    local function note(name)
      return function(value) heard[#heard + 1] = name .. ":" .. tostring(value.text or value) end
    end
    local execution = codecell.assert(sandbox:run_code("x", {
      on_stdout = note "out", on_stderr = note "err", on_result = note "result" }))
    assert.equal(3, execution.execution_count)
    assert.same({ "one\n" }, execution.logs.stdout)
    assert.same({ "two\n" }, execution.logs.stderr)
    assert.equal("42", execution.text)
    assert.equal("\137PNG\0\255", execution.results[1].png)
    assert.equal("line", execution.results[1].chart.type)
    assert.is_nil(execution.results[1].extra)
    assert.same({ "chart", "png", "text" }, execution.results[1]:formats())
    assert.same({ "json", "text", "x/y" }, execution.results[2]:formats())
    assert.is_true(execution.results[2].is_main_result)
    assert.same({ "out:one\n", "err:two\n", "result:<Figure>", "result:42" }, heard)
    assert.is_nil(execution.error)
  end)

  it("gives the exception of code as data", function()
    answer(e2b.lines({ type = "error", name = "ZeroDivisionError", value = "division by zero",
      traceback = "Traceback" }, END))
    local told
    local execution = codecell.assert(sandbox:run_code("1/0",
      { on_error = function(failure) told = failure end }))
    assert.same({ name = "ZeroDivisionError", value = "division by zero",
      traceback = "Traceback" }, execution.error)
    assert.equal(execution.error, told)
  end)

  it("runs nothing of white space, and no request is made", function()
    answer("")
    local execution = codecell.assert(sandbox:run_code(" \n"))
    assert.same({}, execution.results)
    assert.same({}, server:asked("POST", EXECUTE))
  end)

  it("is interrupted when its time is over, by closing the connection", function()
    answer(e2b.lines({ type = "stdout", text = "so far" }), { hang = true })
    local execution = out_of_time(0.3, function(timeout)
      return codecell.assert(sandbox:run_code("x", { timeout = timeout }))
    end)
    assert.is_true(execution.timed_out)
    assert.equal("TimeoutError", execution.error.name)
    assert.same({ "so far" }, execution.logs.stdout)
  end)

  it("is stopped by a callback that raises, whose error is raised again", function()
    answer(e2b.lines({ type = "stdout", text = "x" }), { endless = '{"type":"keepalive"}\n',
      pause = 0.01 })
    assert.error_matches(function()
      sandbox:run_code("x", { on_stdout = function() error("enough") end })
    end, "enough")
  end)

  it("runs in the background and can be interrupted", function()
    answer(e2b.lines({ type = "stdout", text = "x" }), { endless = '{"type":"keepalive"}\n',
      pause = 0.01 })
    local began
    local run = codecell.assert(sandbox:start_code("x",
      { on_stdout = function() began = true end }))
    local patience = os.time() + 60
    while not began and os.time() < patience do
      codecell.step(0.02)
    end
    assert.is_false(run:poll())
    assert.is_true(run:kill())
    local execution = codecell.assert(run:wait(60))
    assert.equal("KeyboardInterrupt", execution.error.name)
  end)

  it("is cancelled when the sandbox is closed", function()
    answer("", { hang = true })
    local other = codecell.assert(codecell.create(server:options()))
    local run = codecell.async(function() return other:run_code("x") end)
    for _ = 1, 10 do
      codecell.step(0.02)
    end
    other:close()
    local execution, err = run:wait(60)
    assert.is_nil(execution)
    assert.equal("cancelled", err.kind)
  end)

  it("is nobody's knowledge when the stream has no end", function()
    answer(e2b.lines({ type = "stdout", text = "x" }))
    local execution, err = sandbox:run_code("x")
    assert.is_nil(execution)
    assert.equal("unavailable", err.kind)
    server:script { { method = "POST", path = EXECUTE, body = "", pieces = 1 },
      { method = "GET", path = "^/sandboxes/", status = 404, json = { code = 404 } } }
    execution, err = sandbox:run_code("x")
    assert.is_nil(execution)
    assert.equal("sandbox_gone", err.kind)
    assert.equal(1, #server:asked("POST", EXECUTE)) -- started code is never run again
  end)

  it("names what is missing where the template has no code interpreter", function()
    server:script(e2b.rules({ method = "POST", path = EXECUTE, status = 502, json = { code = 502,
      port = 49999, message = "The sandbox is running but port is not open" } }))
    local execution, err = sandbox:run_code("x")
    assert.is_nil(execution)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find("code-interpreter-v1", 1, true))
  end)

  it("gives text answers as messages: 404, 500 and 422", function()
    for status, kind in pairs { [404] = "not_found", [500] = "system",
      [422] = "invalid_argument", [400] = "invalid_argument" } do
      server:script(e2b.rules({ method = "POST", path = EXECUTE, status = status,
        body = "Context abc not found" }))
      local execution, err = sandbox:run_code("x", { context = "abc" })
      assert.is_nil(execution)
      assert.equal(kind, err.kind)
      assert.truthy(err.message:find("Context abc not found", 1, true))
    end
  end)

  it("has no stdin there", function()
    local execution, err = sandbox:run_code("input()", { stdin = "x" })
    assert.is_nil(execution)
    assert.equal("unsupported", err.kind)
  end)

  it("keeps as many results as a local sandbox", function()
    local lines = {}
    for i = 1, 2005 do
      lines[i] = '{"type":"result","text":"x","is_main_result":false}\n'
    end
    answer(table.concat(lines) .. e2b.lines(END), { pieces = 10000 })
    local execution = codecell.assert(sandbox:run_code("x"))
    assert.equal(2000, #execution.results)
    assert.same({ kept = 2000, total = 2005 }, execution.truncated.results)
  end)

  it("has contexts: made, listed, restarted, removed", function()
    local one = { id = "11", language = "python", cwd = "/home/user" }
    server:script(e2b.rules({ method = "POST", path = "^/contexts$", json = one },
      { method = "GET", path = "^/contexts$", json = json.list { one,
        { id = "22", language = "javascript", cwd = "/home/user" } } },
      { method = "POST", path = "^/contexts/11/restart$", body = "null" },
      { method = "DELETE", path = "^/contexts/11$", times = 1, body = "null" },
      { method = "DELETE", path = "^/contexts/", status = 404, body = "Context 11 not found" },
      { method = "POST", path = EXECUTE, body = e2b.lines(END) }))
    local context = codecell.assert(sandbox:create_code_context { language = "py", cwd = "/tmp" })
    assert.equal("11", context.id)
    assert.same({ language = "python", cwd = "/tmp" },
      json.decode(server:asked("POST", "^/contexts$")[1].body))
    assert.is_nil(server:asked("POST", "^/contexts$")[1].headers["x-access-token"])
    local list = codecell.assert(sandbox:list_code_contexts())
    assert.equal("22", list[2].id)
    assert.equal("javascript", list[2].language)
    codecell.assert(sandbox:run_code("1", { context = context }))
    assert.equal("11", json.decode(server:asked("POST", EXECUTE)[1].body).context_id)
    assert.is_true(sandbox:restart_code_context(context))
    assert.is_true(sandbox:remove_code_context(context))
    local ok, err = sandbox:remove_code_context("11")
    assert.is_nil(ok)
    assert.equal("not_found", err.kind)
  end)
end)
