local audit_file = require "spec.support.audit_file"
local codecell = require "codecell"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("an audit of a sandbox #user", function()
  local audited = audit_file(before_each, after_each)
  local open, verify, records = audited.open, audited.verify, audited.records

  -- The events, in order, of those that have a name.
  local function events()
    local list = {}
    for i, record in ipairs(records()) do
      list[i] = record.event .. (record.phase and " " .. record.phase or "")
    end
    return list
  end

  it("has a record before each verb and one of what came of it #K10 #K11", function()
    local sandbox = codecell.assert(codecell.create({ audit = open():of("ann"), name = "box",
      envs = { TOKEN = "plain" }, metadata = { task = "7" } }))
    codecell.assert(sandbox:run_code("print('out')\n6 * 7", { stdin = "in", timeout = 20 }))
    codecell.assert(sandbox.commands:run({ "sh", "-c", "echo hello; exit 3" }))
    codecell.assert(sandbox.files:write("a.txt", "data"))
    codecell.assert(sandbox.files:read("a.txt"))
    codecell.assert(sandbox.files:rename("a.txt", "b.txt"))
    codecell.assert(sandbox:set_timeout(100))
    codecell.assert(sandbox:pause())
    codecell.assert(sandbox:resume())
    sandbox:kill()
    sandbox:close()
    assert.same({ "begin", "create before", "create after", "run before", "run after",
      "command before", "command after", "write before", "write after", "read", "rename before",
      "rename after", "timeout before", "timeout after", "pause before", "pause after",
      "resume before", "resume after", "kill" }, events())
    local list = records()
    for i = 2, #list do
      assert.equal("ann", list[i].content.subject)
      assert.equal(list[i].phase == "after" and list[i].number - 1 or nil, list[i].of)
    end
    assert.same({ "TOKEN" }, list[2].content.envs)
    assert.equal("7", list[2].content.metadata.task)
    assert.equal("print('out')\n6 * 7", list[4].content.code)
    assert.equal("in", list[4].content.stdin)
    assert.equal("out\n", list[5].content.stdout)
    assert.equal("42", list[5].content.results[1].text)
    assert.equal("ok", list[5].content.status)
    assert.equal(3, list[7].content.exit_code)
    assert.equal("hello\n", list[7].content.stdout)
    assert.equal("data", list[8].content.data)
  end)

  it("has what a program was given while it ran, and its end #K11", function()
    local sandbox = codecell.assert(codecell.create({ audit = open() }))
    local process = codecell.assert(sandbox.commands:run("cat", { background = true,
      stdin = true }))
    codecell.assert(process:write("typed\n"))
    process:close_input()
    codecell.assert(process:wait(20))
    process:close()
    local other = codecell.assert(sandbox.commands:run("sleep 60", { background = true }))
    codecell.assert(other:kill())
    codecell.assert(other:wait(20))
    other:close()
    sandbox:close()
    local text = table.concat(events(), ", ")
    assert.equal("begin, create before, create after, command before, input, command after, "
      .. "command before, signal, command after, close", text)
    assert.equal("typed\n", records()[5].content.data)
    assert.equal("SIGKILL", records()[9].content.signal)
  end)

  it("has how a command ended that was out of time, and one that could not be started", function()
    local sandbox = codecell.assert(codecell.create({ audit = open() }))
    codecell.assert(sandbox.commands:run("sleep 60", { timeout = 0.2 }))
    assert.equal("not_found", select(2, sandbox.commands:run({ "no-such-program" })).kind)
    sandbox:close()
    local ends = {}
    for _, record in ipairs(records()) do
      ends[#ends + 1] = record.phase == "after" and record.event == "command" and record or nil
    end
    assert.equal("timed_out", ends[1].content.status)
    assert.equal("failed", ends[2].content.status)
    assert.equal("not_found", ends[2].content.err.kind)
  end)

  it("has no secret, in no form that the sandbox masks #K11 #S115", function()
    local sandbox = codecell.assert(codecell.create({ audit = open(),
      secrets = { KEY = "sesame-open" }, metadata = { note = "sesame-open" } }))
    codecell.assert(sandbox:run_code("import os\nprint(os.environ['KEY'])\n'sesame-open'"))
    codecell.assert(sandbox.files:write("k", "sesame-open"))
    codecell.assert(sandbox.commands:run("echo sesame-open"))
    codecell.assert(sandbox.files:make_dir("sesame-open"))
    codecell.assert(sandbox.files:rename("k", "sesame-open/k"))
    codecell.assert(sandbox.commands:run("true", { cwd = "/home/user/sesame-open",
      tag = "sesame-open" }))
    assert.is_nil((sandbox.files:remove("sesame-open/none/x")))
    assert.is_nil((sandbox.files:read("sesame-open/none")))
    sandbox:close()
    assert.falsy(shell.read(audited.path):find("sesame", 1, true))
    assert.truthy(shell.read(audited.path):find('"secrets":["KEY"]', 1, true))
  end)

  it("has what a policy has decided #I21 #K11", function()
    local policy = codecell.policy.new({ mode = "auto", rules = { { "deny", verb = "shell" } } })
    local sandbox = codecell.assert(codecell.create({ audit = open(), policy = policy }))
    local _, err = sandbox.commands:run("true")
    assert.equal("denied_by_policy", err.kind)
    sandbox:close()
    local found
    for _, record in ipairs(records()) do
      found = record.event == "decision" and record.content.decision == "deny" and record or found
    end
    assert.equal("shell", found.content.verb)
  end)

  it("gives sessions as history does #K10", function()
    local sandbox = codecell.assert(codecell.create({ audit = open():of("ann") }))
    codecell.assert(sandbox:run_code("x = 20\nprint('hi')"))
    codecell.assert(sandbox:run_code("x * 2"))
    codecell.assert(sandbox:run_code("1 / 0"))
    local history = sandbox:history()
    local id = sandbox.id
    sandbox:close()
    local session = codecell.assert(codecell.audit.sessions(audited.path, { sandbox = id }))[1]
    assert.equal(#history, #session.cells)
    for i, cell in ipairs(session.cells) do
      assert.equal(history[i].code, cell.code)
      assert.equal(history[i].context, cell.context)
      assert.equal(history[i].execution.text, cell.execution.text)
      assert.same(history[i].execution.logs, cell.execution.logs)
      assert.equal(history[i].execution.error and history[i].execution.error.name,
        cell.execution.error and cell.execution.error.name)
    end
    assert.same({}, codecell.audit.sessions(audited.path, { subject = "nobody" }))
  end)

  it("has no account of an index, and results of any size #K11", function()
    local sandbox = codecell.assert(codecell.create({ audit = open(),
      packages = { index = "https://name:word@index.example/simple/" } }))
    codecell.assert(sandbox:run_code("class Large:\n  def _repr_mimebundle_(self, **_):\n"
      .. "    return {'text/plain': 'x' * 1000000, 'text/html': 'y' * 1000000}\n"
      .. "for i in range(8): display(Large())"))
    sandbox:close()
    assert.falsy(shell.read(audited.path):find("word@", 1, true))
    assert.truthy(shell.read(audited.path):find("https://***@index.example", 1, true))
    local results = records()[5].content.results
    assert.equal(8, #results)
    assert.equal("string", type(results[1].text))
    assert.equal(1000000, results[8].html.size)
  end)

  it("has the end of a sandbox whose time was up #K11", function()
    local sandbox = codecell.assert(codecell.create({ audit = open(), timeout = 2 }))
    wait_until(function() return sandbox:_state() == "gone" end)
    codecell.step(0)
    sandbox:close()
    assert.equal("begin, create before, create after, ended", table.concat(events(), ", "))
    assert.truthy(records()[4].content.why)
  end)

  it("has what copies do, too", function()
    local sandbox = codecell.assert(codecell.create({ audit = open():of("ann"),
      secrets = { KEY = "sesame-open" } }))
    codecell.assert(sandbox.files:write("a.txt", "a"))
    local copy = codecell.assert(sandbox:fork())
    codecell.assert(copy:run_code("open('a.txt').read()"))
    local id = copy.id
    copy:close()
    sandbox:close()
    assert.equal("begin, create before, create after, write before, write after, fork before, "
      .. "create before, create after, fork after, run before, run after, close, close",
      table.concat(events(), ", "))
    assert.equal(id, records()[9].content.copy)
    assert.equal("ann", records()[10].content.subject)
  end)

  it("keeps one run apart from another that goes on at the same time", function()
    local audit = open()
    local tasks = {}
    for i = 1, 4 do
      tasks[i] = codecell.async(function()
        local sandbox = codecell.assert(codecell.create({ audit = audit }))
        local text = codecell.assert(sandbox:run_code("import time; time.sleep(0.05); " .. i)).text
        sandbox:close()
        return text
      end)
    end
    for i, task in ipairs(tasks) do
      assert.equal(tostring(i), task:wait(60))
    end
    assert.is_true(verify().ok)
    for _, session in ipairs(codecell.assert(codecell.audit.sessions(audited.path))) do
      assert.equal(session.cells[1].code:match("%d$"), session.cells[1].execution.text)
    end
  end)

  -- ---- a service ----

  it("records for each user of a service, refusals too #K10 #K11", function()
    local sink = codecell.log.sink
    codecell.log.sink = function() end
    local service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0,
      audit = audited.path, allowed_languages = { "python" } }))
    codecell.assert(service:execute("1 + 1", { owner = "ann" }))
    service:execute("1 + 1", { owner = "bob", language = "lua" })
    service:close()
    codecell.log.sink = sink
    local session = codecell.assert(codecell.audit.sessions(audited.path))[1]
    assert.equal("ann", session.subject)
    assert.equal("2", session.cells[1].execution.text)
    local last = records()
    assert.equal("refused", last[#last].event)
    assert.equal("bob", last[#last].content.subject)
    assert.equal("denied_by_policy", last[#last].content.kind)
    assert.is_true(verify().ok)
  end)

  it("is made for no service where it cannot be #K11", function()
    local _, err = codecell.service({ mode = "kernel", audit = "/proc/none/audit.jsonl" })
    assert.truthy(err and err.message:find("audit: ", 1, true), tostring(err))
  end)
end)

describe("a frozen sandbox #N14", function()
  it("stands still, keeps its files readable and as they are, and goes on when it may", function()
    local sandbox = codecell.assert(codecell.create({}))
    codecell.assert(sandbox:run_code("open('evidence', 'w').write('e')\nx = 1"))
    codecell.assert(sandbox:freeze())
    assert.is_true(sandbox:is_frozen())
    assert.is_false(sandbox:is_running())
    assert.equal("e", codecell.assert(sandbox.files:read("evidence")))
    for _, verb in ipairs({
      function() return sandbox:run_code("1") end,
      function() return sandbox:resume() end,
      function() return sandbox.files:write("evidence", "other") end,
      function() return sandbox.files:remove("evidence") end,
      function() return sandbox.commands:run("true") end,
    }) do
      local _, err = verb()
      assert.equal("unavailable", err.kind)
      assert.truthy(err.message:find("frozen", 1, true), err.message)
    end
    assert.truthy(sandbox:get_info().end_at > os.time() - 5)
    codecell.assert(sandbox:unfreeze())
    assert.equal("1", codecell.assert(sandbox:run_code("x")).text)
    assert.equal("invalid_argument", select(2, sandbox:unfreeze()).kind)
    sandbox:close()
  end)

  it("can be ended all the same", function()
    local sandbox = codecell.assert(codecell.create({}))
    codecell.assert(sandbox:freeze())
    assert.is_true(sandbox:kill())
    sandbox:close()
  end)
end)
