-- The service among tasks that fail, race and overreach: nothing of them stays behind.
local cjson = require "cjson"
local codecell = require "codecell"
local downloads = require "codecell.service.downloads"
local fields = require "codecell.actions.fields"
local services = require "spec.support.services"
local shell = require "spec.support.shell"

describe("a service #user", function()
  local make, service = services(before_each, after_each), nil

  local function new(given)
    service = make(given)
    return service
  end

  local function assert_nothing_stays()
    assert.equal(0, service.gate.busy)
    assert.equal(0, service.roster.coming)
    assert.equal(0, #service:list())
  end

  it("makes one sandbox for a key, though ten tasks begin with it #E11 #D32", function()
    new({ max_active_sandboxes = 20, max_concurrent_executions = 10 })
    local tasks = {}
    for i = 1, 10 do
      tasks[i] = codecell.async(function()
        return service:execute("globals().setdefault('seen', []).append(1)",
          { key = "k", owner = "ann" })
      end)
    end
    for _, task in ipairs(tasks) do
      assert.is_true(codecell.assert(task:wait(60)).success)
    end
    assert.equal(1, #service:list())
    assert.equal("10", service:execute("len(seen)", { key = "k", owner = "ann" }).text)
  end)

  it("gives turn and sandbox back where a callback raises #L07 #D18", function()
    new({})
    local ok, problem = pcall(service.execute, service, "print(1)", { on_stdout = function()
      error("of the callback", 0)
    end })
    assert.is_false(ok)
    assert.equal("of the callback", problem)
    assert_nothing_stays()
    service:execute("1", { key = "k" })
    pcall(service.execute, service, "print(1)", { key = "k", on_stdout = error })
    assert.equal("2", service:execute("2", { key = "k" }).text)
  end)

  it("gives the turn back where options cannot be #L07", function()
    new({})
    assert.has_error(function()
      service:execute("1", { create = { limits = { memory = "much" } } })
    end)
    assert.equal(0, service.gate.busy)
    assert.equal(0, #service:list())
  end)

  it("runs none of many pieces where one of them cannot be #D32", function()
    new({ mode = "mock" })
    local ok, problem = pcall(function()
      service:map({ "1", { code = "2", langauge = "python" } })
    end)
    assert.is_false(ok)
    assert.truthy(problem:find("service_care_spec", 1, true), problem)
    assert.truthy(problem:find("jobs[2]", 1, true))
    assert.equal(0, #service:history())
  end)

  it("is not hurt by who listens to it #K20", function()
    new({})
    service:on("sandbox.create", function() error("of the listener") end)
    assert.equal("2", service:run_once("2").text)
    assert_nothing_stays()
  end)

  it("ends the sandbox of a task that is cancelled while it runs #D18 #L07", function()
    new({})
    local started
    local task = codecell.async(function()
      return service:execute("import time\nprint('in', flush=True)\ntime.sleep(60)",
        { on_stdout = function() started = true end })
    end)
    local deadline = os.time() + 30
    while not started and os.time() < deadline do
      codecell.step(0.1)
    end
    assert.is_true(started)
    task:cancel()
    local _, err = task:wait(30)
    assert.equal("cancelled", err.kind)
    while #service:list() > 0 and os.time() < deadline do
      codecell.step(0.1)
    end
    assert_nothing_stays()
  end)

  it("leaves nothing of what is made while it is closed #D18", function()
    new({})
    local task = codecell.async(service.execute, service, "1")
    local closing = service
    closing:close()
    local reply, err = task:wait(30)
    assert.is_nil(reply)
    assert.equal("cancelled", err.kind)
    assert.is_nil(next(closing.roster.by_id))
    service = nil
  end)

  it("is in the audit with who it is for, and with the end of all that began #D14 #K20 #K21",
    function()
      local folder = shell.folder()
      new({ audit = folder .. "/audit.jsonl" })
      local session = codecell.session({ user = "user123", conversation = "c", ip = "192.0.2.1",
        service = service })
      session:run("1")
      session:run("1/0")
      session:close()
      service:close()
      local counts, made = {}, nil
      for line in shell.read(folder .. "/audit.jsonl"):gmatch("[^\n]+") do
        local one = cjson.decode(line)
        if one.content.subject then
          assert.equal("user123", one.content.subject)
          local what = one.head.event .. " " .. (one.head.phase or "")
          counts[what] = (counts[what] or 0) + 1
          made = one.content.metadata or made
        end
      end
      shell.remove(folder)
      assert.same({ ["create before"] = 1, ["create after"] = 1, ["run before"] = 2,
        ["run after"] = 2, ["kill "] = 1 }, counts)
      assert.equal("user123 c 192.0.2.1", ("%s %s %s"):format(made.userId, made.sessionId, made.ip))
      assert.truthy(made.timestamp:find("^%d+$"))
    end)

  it("is held by nothing when it is closed #D16", function()
    local held = setmetatable({}, { __mode = "k" })
    for _ = 1, 100 do
      new({ mode = "mock" })
      service:execute("1", { key = "k" })
      held[service] = true
      service:close()
    end
    service = nil
    collectgarbage()
    collectgarbage()
    local count = 0
    for _ in pairs(held) do
      count = count + 1
    end
    assert.is_true(count < 80, count) -- alarms that are stale are let go of by the dozen
  end)

  it("ends nothing for being idle while somebody uses it #D16", function()
    local now = 0
    new({ clock = function() return now end, idle_timeout = 10 })
    local ctx = { service = service, user = "ann" }
    codecell.actions.call({ action = "create", sessionId = "s" }, ctx)
    local server = codecell.actions.call({ action = "shell", sessionId = "s", background = true,
      command = "exec sleep 100" }, ctx)
    now = 1000
    assert.is_true(codecell.assert(service:run_once("1")).success) -- and looks around:
    require("codecell.service.ending").reap(service)
    assert.equal(1, #service:list())
    codecell.actions.call({ action = "kill_command", sessionId = "s",
      commandId = server.commandId }, ctx)
    local entry = service.roster:list()[1]
    local deadline = os.time() + 30
    while entry.users > 0 and os.time() < deadline do
      codecell.step(0.1)
    end
    assert.equal(0, entry.users)
    now = 2000
    require("codecell.service.ending").reap(service)
    assert.equal(0, #service:list())
  end)

  it("gives whom a sandbox is shared with no more by its id #D27 #D28", function()
    new({})
    local made = codecell.assert(service:create({ owner = "lead" }))
    service:share(made.id, { owner = "lead", agents = { "eve", "rob" },
      rights = { eve = "reader" } })
    local _, err = service:execute("1", { sandbox = made.id, owner = "eve" })
    assert.equal("denied_by_policy", err.kind)
    assert.equal("2", service:execute("2", { sandbox = made.id, owner = "rob" }).text)
    for _, agent in ipairs({ "eve", "rob" }) do
      _, err = service:share(made.id, { owner = agent, agents = { "eve" } })
      assert.equal("denied_by_policy", err.kind)
      _, err = service:get(made.id, agent)
      assert.equal("denied_by_policy", err.kind)
      assert.is_false(service:kill(made.id, agent))
    end
    _, err = service:execute("1", { sandbox = made.id, owner = "mallory" })
    assert.equal("not_found", err.kind)
  end)

  it("counts languages that there are none of as one #K04", function()
    new({ mode = "mock" })
    for i = 1, 20 do
      service:execute("1", "language" .. i)
    end
    local rows = service:metrics().runs_total
    assert.equal(1, #rows)
    assert.equal("other", rows[1].language)
  end)

  it("forgets the oldest runs where their code is long #K10", function()
    new({ mode = "mock", max_code_size = 8 * 1024 * 1024 })
    for _ = 1, 4 do
      service:execute(("#"):rep(7 * 1024 * 1024))
    end
    assert.equal(2, #service:history())
  end)

  it("says syntax of code that does not parse, not of an error that it raises #J10", function()
    new({})
    assert.equal("syntax", service:execute("print((", { key = "k" }).details.kind)
    for _, code in ipairs({ "raise SyntaxError('no')", "print(1)\neval('1+')" }) do
      assert.equal("runtime", service:execute(code, { key = "k" }).details.kind)
    end
    assert.equal("runtime", service:execute("JSON.parse('{')", "javascript").details.kind)
  end)

  it("logs as its program says, not as its environment alone #B15 #K13", function()
    local told = shell.run(shell.lua .. " -e " .. shell.quote('local c = require "codecell"; '
      .. 'c.setup { log = "json", log_level = "error", debug_pattern = "none" }; '
      .. 'local s = c.service { mode = "mock" }; s:execute("1"); s:execute("")'))
    local event = cjson.decode(told.stderr)
    assert.equal("run.refused", event.event)
  end)

  it("keeps its configuration where one is read that cannot be #N26 #B22", function()
    new({ mode = "mock" })
    service.overrides.mode = "production"
    local ok, err = service:reload()
    assert.is_nil(ok)
    assert.equal("unauthenticated", err.kind)
    assert.equal("mock", service.config.mode)
  end)

  it("has tables of its own in its configuration #D04", function()
    local mine = { team = "a" }
    new({ mode = "mock", metadata = mine })
    mine.team = "b"
    assert.equal("a", service.config.metadata.team)
    service.config.templates.x = {}
    assert.is_nil(next(codecell.config().templates))
  end)

  it("gives code no variables of the host where the prefix of hidden ones is empty #B14", function()
    local found = codecell.assert(codecell.config({ hidden_env_prefix = "" }))
    assert.same({}, codecell.config.hidden(found))
  end)

  it("refuses a file of variables that is too large, and reads no part of it #B17", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write("E2B_MODE=mock\n", ("#"):rep(1100000), "\n")
    file:close()
    local ok, err = codecell.config.dotenv(path)
    os.remove(path)
    assert.is_nil(ok)
    assert.truthy(err.message:find("larger than 1048576 bytes", 1, true))
  end)

  it("keeps no more copies for users than it has room for, and none that fails #F22", function()
    local folder = os.tmpname()
    os.remove(folder)
    new({ download_dir = folder })
    local made = codecell.assert(service:create({ owner = "ann" }))
    codecell.assert(made.files:write("a", "1"))
    service.downloads[1] = { path = folder .. "/there", ends = os.time() + 60,
      size = 1024 * 1024 * 1024 }
    local _, err = downloads.url(service, made, "a")
    assert.equal("limit_exceeded", err.kind)
    service.downloads = {}
    assert.truthy(downloads.url(service, made, "a"))
    assert.equal(1, #service.downloads)
    service:close()
    shell.run("rm -rf " .. shell.quote(folder))
  end)

  describe("to a model", function()
    local function call(request)
      return codecell.actions.call(request, { service = service, user = "ann" })
    end

    it("hides hidden variables in files that code has written, too #F27", function()
      local told = shell.run("E2B_CODE_EV_TOKEN=sup3r-s3cret " .. shell.lua .. " -e "
        .. shell.quote('local c = require "codecell"; c.log.sink = function() end; '
          .. 'local s = c.service { mode = "kernel", pool_size = 0 }; local function call(about) '
          .. 'about.sessionId = "s"; io.write(c.actions.call(about, { service = s }).text, "\\n") '
          .. 'end; call { action = "create" }; '
          .. 'call { action = "shell", command = "echo $TOKEN-x >f" }; '
          .. 'call { action = "read_file", filePath = "f" }; s:close()'))
      assert.truthy(told.stdout:find("***-x", 1, true))
      assert.is_nil(told.stdout:find("sup3r", 1, true))
    end)

    it("lets run for long what writes to a file alone #F24 #slow", function()
      new({})
      assert.is_true(call({ action = "create", sessionId = "s" }).success)
      assert.is_true(call({ action = "shell", sessionId = "s", background = true,
        command = "exec sleep 600 >log 2>&1" }).success)
      local deadline = os.time() + 65
      while os.time() < deadline do
        codecell.step(1)
      end
      assert.is_true(call({ action = "command_list", sessionId = "s" }).commands[1].running)
    end)

    it("repeats no sessionId that is none, and no thousand warnings #F30", function()
      new({ mode = "mock" })
      assert.is_nil(call({ action = "no", sessionId = ("s"):rep(1e6) }).sessionId)
      local bound = codecell.actions.call({ action = "no", sessionId = "theirs" },
        { service = service, session = "ours" })
      assert.equal("ours", bound.sessionId)
      local request = { action = "list_sandboxes" }
      for i = 1, 1000 do
        request["field" .. i] = 1
      end
      assert.equal(10, #call(request).warnings)
      local long = call({ action = "create", sessionId = "s", timeout = ("9"):rep(1e6) })
      assert.is_true(#long.error < 200)
    end)

    it("takes the documented one of two spellings, always", function()
      for _ = 1, 20 do
        local given = fields.read(fields.by_name.read_file, { sessionId = "a", session_id = "b",
          SESSIONID = "c", path = "p", filePath = "q" }, {})
        assert.equal("a", given.sessionId)
        assert.equal("q", given.filePath)
      end
    end)

    it("says what is wrong with a value, not that it has failed itself #F30", function()
      new({ mode = "mock" })
      assert.is_true(call({ action = "create", sessionId = "s" }).success)
      for _, request in ipairs({ { action = "execute", sessionId = "s", code = "1",
        language = "a\nb" }, { action = "create", sessionId = "t", template = "a\nb" } }) do
        assert.equal("invalid", call(request).kind)
      end
    end)

    it("lets it choose a template by its name alone, and no folder #F04", function()
      new({})
      for _, template in ipairs({ "/", "/usr", "../x" }) do
        local reply = call({ action = "create", sessionId = "s", template = template })
        assert.equal("not_found", reply.kind)
        assert.truthy(reply.error:find("list_templates", 1, true))
      end
    end)

    it("shows errors and values cut as output is #B08", function()
      new({ max_output_length = 1000 })
      assert.is_true(call({ action = "create", sessionId = "s" }).success)
      local reply = call({ action = "execute", sessionId = "s",
        code = "raise Exception('x' * 1000000)" })
      assert.is_true(#reply.error < 2000)
      assert.is_true(#reply.traceback < 2000)
      reply = call({ action = "execute", sessionId = "s", code = "'y' * 1000000" })
      assert.is_true(#reply.results[1].text < 2000)
      reply = codecell.tools.cortex.execute_python_code({
        code = "raise Exception('x' * 1000000)" }, { service = service, details = true })
      assert.is_true(#reply.error < 2000)
      assert.is_true(#reply.details.traceback < 2000)
    end)

    it("warns of a key wherever it stands, and of no word like one #F35", function()
      new({ mode = "mock" })
      assert.is_true(call({ action = "create", sessionId = "s" }).success)
      local reply = call({ action = "execute", sessionId = "s",
        code = "a = 'sk-x'; b = 'sk-abcdefghijklmnopqrstuvwxyz012345'" })
      assert.equal(1, #reply.warnings)
      reply = call({ action = "execute", sessionId = "s",
        code = "print('a-task-management-system-for-all')" })
      assert.is_nil(reply.warnings)
    end)
  end)
end)
