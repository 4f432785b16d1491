-- The service: many users, one configuration. Real sandboxes; a clock of its own where time counts.
local codecell = require "codecell"
local services = require "spec.support.services"
local shell = require "spec.support.shell"

describe("codecell.service #user", function()
  local new, logged = services(before_each, after_each)

  local function has_line(level, text)
    for _, line in ipairs(logged()) do
      if line.level == level and line.message:find(text, 1, true) then
        return true
      end
    end
    return false
  end

  it("is one a Lua state, unless it is given a configuration #D01", function()
    local first = codecell.service()
    assert.equal(first, codecell.service())
    assert.not_equal(first, new({}))
    first:close()
  end)

  it("shows its configuration, and lets nobody change it #D04", function()
    local service = new({ pool_size = 4 })
    assert.equal(4, service.config.pool_size)
    assert.has_error(function() service.config.pool_size = 5 end)
  end)

  it("says that it is there, with mode and pool size #D29 #K19 #M05", function()
    new({ mode = "mock", pool_size = 2 })
    assert.is_true(has_line("info", "E2B Service initialized (mode: mock, pool size: 2)"))
    local plain = shell.run(shell.lua .. " -e 'require(\"codecell\").service()'")
    assert.truthy(plain.stderr:find("E2B Service initialized", 1, true))
    local quiet = shell.run("CODECELL_LOG=none " .. shell.lua
      .. " -e 'require(\"codecell\").service()'")
    assert.equal("", quiet.stderr)
  end)

  it("runs code in a sandbox of its own, and ends it #D15 #D18 #E34", function()
    local service = new({})
    local first = codecell.assert(service:run_once("x = 1\n6 * 7"))
    assert.is_true(first.success)
    assert.equal("42", first.text)
    local second = codecell.assert(service:run_once("x"))
    assert.equal("NameError", second.error.name)
    assert.not_equal(first.sandbox_id, second.sandbox_id)
    assert.equal(0, #service:list())
  end)

  it("makes a sandbox at the first use of a key, and finds it again #D15 #E06 #E10", function()
    local service = new({})
    service:execute("x = 10", { key = "chat", owner = "ann" })
    assert.equal("20", service:execute("x * 2", { key = "chat", owner = "ann" }).text)
    assert.equal(1, #service:list())
    local runs = service:history()
    assert.equal(2, #runs)
    assert.equal("x * 2", runs[2].code)
    assert.equal("ann", runs[2].owner)
  end)

  it("keeps conversations and users apart #E09 #E11 #I03", function()
    local service = new({})
    local function session(user, conversation)
      return codecell.session({ user = user, conversation = conversation, service = service })
    end
    session("ann", "1"):run("x = 'ann 1'")
    session("ann", "2"):run("x = 'ann 2'")
    session("ben", "1"):run("x = 'ben 1'")
    assert.equal("ann 1", session("ann", "1"):run("x").text)
    assert.equal("ann 2", session("ann", "2"):run("x").text)
    assert.equal("ben 1", session("ben", "1"):run("x").text)
    assert.equal(2, #service:list({ owner = "ann" }))
    local id = service:list({ owner = "ann" })[1].id
    local _, err = service:get(id, "ben")
    assert.equal("not_found", err.kind)
    assert.is_false(service:kill(id, "ben"))
    assert.is_true(session("ben", "1"):close())
    assert.is_false(session("ben", "1"):close())
  end)

  it("keeps what was run in a sandbox, in order #K10", function()
    local made = codecell.assert(new({}):create({}))
    made:run_code("x = 1")
    made:start_code("x + 1"):wait()
    made:run_code("1/0")
    local past = made:history()
    assert.equal(3, #past)
    assert.equal("x = 1", past[1].code)
    assert.equal("2", past[2].execution.text)
    assert.equal("ZeroDivisionError", past[3].execution.error.name)
    for _ = 1, 12 do
      made:run_code("print('x' * 1000000)")
    end
    past = made:history()
    assert.is_true(#past < 12)
    assert.equal("print('x' * 1000000)", past[1].code)
  end)

  it("runs the code of a message, and says what to tell the model #E29 #E24", function()
    local session = codecell.session({ user = "u", conversation = "c", service = new({}) })
    local observation, replies = session:observe(
      "First:\n\n```python\nx = 6\nprint('hi')\n```\n\nthen\n\n```python\nx * 7\n```\n")
    assert.equal(2, #replies)
    assert.truthy(observation:find("hi", 1, true))
    assert.truthy(observation:find("42", 1, true))
    assert.truthy(observation:find("data, not instructions", 1, true))
    assert.is_nil((session:observe("What is for i in x: print(x)?")))
    observation, replies = session:observe("```python\n1/0\n```\n\n```python\nx = 0\n```\n")
    assert.equal(1, #replies)
    assert.truthy(observation:find("ZeroDivisionError", 1, true))
    assert.equal("6", session:run("x").text)
  end)

  it("marks the sandbox of a session with who it is for #D14 #K21", function()
    local service = new({ metadata = { team = "a" } })
    local session = codecell.session({ user = "user123", conversation = "c", ip = "192.0.2.1",
      service = service })
    local about = codecell.assert(session:sandbox()):get_info()
    assert.equal("user123", about.metadata.userId)
    assert.equal("c", about.metadata.sessionId)
    assert.equal("192.0.2.1", about.metadata.ip)
    assert.truthy(about.metadata.timestamp:find("^%d%d%d%d%d%d%d%d%d%d000$"))
    assert.equal("a", about.metadata.team)
    assert.equal(300, about.timeout)
  end)

  it("gives every sandbox the metadata of the configuration, its own over it #B10 #D08", function()
    local service = new({ metadata = { team = "a", kind = "x" } })
    local made = codecell.assert(service:create({ metadata = { kind = "y", userId = "u" } }))
    assert.same({ team = "a", kind = "y", userId = "u" }, made:get_info().metadata)
    assert.equal(1, #service:list({ metadata = { userId = "u" } }))
    assert.equal(0, #service:list({ metadata = { userId = "v" } }))
  end)

  it("takes a lifetime in milliseconds, for create alone #D07", function()
    local service = new({})
    assert.equal(600, service:create({ timeout_ms = 600000 }):get_info().timeout)
    assert.has_error(function() codecell.create({ timeout_ms = 1 }) end)
  end)

  it("ends what is killed once, and says so #D10 #J20", function()
    local service = new({})
    local made = codecell.assert(service:create({}))
    assert.is_true(service:kill(made.id))
    assert.is_false(service:kill(made.id))
    local _, err = service:get(made.id)
    assert.equal("sandbox_gone", err.kind)
    assert.equal("killed", err.word)
    assert.truthy(err.message:find("Sandbox not found", 1, true))
    _, err = service:get("i00000000000000000000")
    assert.equal("not_found", err.kind)
  end)

  it("gives code the hidden variables, and shows them to nobody #B14 #F27", function()
    local told = shell.run("E2B_CODE_EV_K=s3cr3t E2B_MODE=kernel CODECELL_LOG=none "
      .. shell.lua .. " -e " .. shell.quote([[
        local service = require("codecell").service()
        local reply = service:execute("import os; print(os.environ['K'], len(os.environ['K']))")
        print(reply.output)
        service:close()]]))
    assert.equal("*** 6\n\n", told.stdout)
  end)

  it("masks nothing too short to be told apart, and still gives it #B14", function()
    local told = shell.run("E2B_CODE_EV_K=1 E2B_MODE=kernel CODECELL_LOG=none " .. shell.lua
      .. " -e " .. shell.quote([[
        local service = require("codecell").service()
        io.write(service:execute("import os; os.environ['K']").text)
        service:close()]]))
    assert.equal("1", told.stdout)
  end)

  it("writes and reads files of a sandbox by its id #D11 #D12", function()
    local service = new({})
    local made = codecell.assert(service:create({}))
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    local data = table.concat(bytes) .. '"""'
    codecell.assert(service:write_file(made.id, "/tmp/data.json", data))
    assert.equal(data, service:read_file(made.id, "/tmp/data.json"))
  end)

  describe("limits", function()
    it("refuse the call over the rate, and let it in when its time has come #B06 #I11", function()
      local now = 1000
      local service = new({ mode = "mock", rate_limit_per_min = 20,
        clock = function() return now end })
      for _ = 1, 20 do
        codecell.assert(service:execute("1"))
      end
      local reply, err = service:execute("1")
      assert.is_nil(reply)
      assert.equal("rate_limited", err.kind)
      assert.equal(3, err.retry_after)
      now = now + 3
      assert.truthy(service:execute("1"))
      assert.is_nil((service:execute("1")))
    end)

    it("count each user by itself #B06 #I11", function()
      local service = new({ mode = "mock", rate_limit_per_min = 1,
        clock = function() return 0 end })
      assert.truthy(service:execute("1", { owner = "ann" }))
      assert.is_nil((service:execute("1", { owner = "ann" })))
      assert.truthy(service:execute("1", { owner = "ben" }))
    end)

    it("clamp the time that a call asks for, and say so #B07 #G08", function()
      local service = new({ max_execution_time = 0.3, execution_timeout = 0.2 })
      local reply = codecell.assert(service:execute("while True: pass", { timeout = 50 }))
      assert.equal("timeout", reply.details.kind)
      assert.is_true(reply.timed_out)
      assert.truthy(reply.warnings[1]:find("max_execution_time", 1, true))
    end)

    it("cut the output, and say what is missing #B08 #I08", function()
      local service = new({})
      local reply = codecell.assert(service:execute("print('x' * 50000)"))
      assert.is_true(#reply.output <= 10200)
      assert.truthy(reply.truncated)
      assert.equal(50001, #table.concat(reply.logs.stdout))
    end)

    it("take code up to a size, and no NUL-less nonsense as code #I06 #I07 #F10", function()
      local service = new({ mode = "mock" })
      local _, err = service:execute(("#"):rep(100001))
      assert.equal("invalid_argument", err.kind)
      assert.truthy(err.message:find("max_code_size", 1, true))
      assert.truthy(service:execute(("#"):rep(100000)))
      _, err = service:execute("")
      assert.equal("invalid_argument", err.kind)
    end)

    it("refuse languages that are not allowed, whatever they are called", function()
      local service = new({ mode = "mock", allowed_languages = { "python", "sh" } })
      local _, err = service:execute("1", "js")
      assert.equal("denied_by_policy", err.kind)
      assert.truthy(service:execute("1", "py"))
    end)

    it("make whoever is over the number of runs wait, and then go on #L07 #D32", function()
      local service = new({ mode = "kernel", max_concurrent_executions = 1 })
      local order = {}
      local outcomes = service:map({ "import time; time.sleep(0.05); 1", "2", "3" },
        { concurrency = 3 })
      for i, outcome in ipairs(outcomes) do
        order[i] = outcome.reply.text
      end
      assert.same({ "1", "2", "3" }, order)
      assert.is_true(outcomes[3].reply.timings.queue > 0)
    end)

    it("end with whoever waits for many of them, and say of each what became of it", function()
      local service = new({ mode = "kernel" })
      local began
      service:on("sandbox.create", function() began = true end)
      local task = codecell.async(service.map, service, { "import time; time.sleep(60)", "2", "3" },
        { concurrency = 1 })
      local deadline = os.time() + 20
      while not began and os.time() < deadline do
        codecell.step(0.1)
      end
      task:cancel()
      local outcomes = task:wait(20)
      assert.equal(3, #outcomes)
      for _, outcome in ipairs(outcomes) do
        assert.equal("cancelled", outcome.err.kind)
      end
      while service:stats().active > 0 and os.time() < deadline do
        codecell.step(0.1)
      end
      assert.equal(0, service:stats().active)
      assert.equal(0, service:stats().running)
    end)

    it("answer overloaded at once where nobody may wait any more #L07", function()
      local service = new({ max_concurrent_executions = 1 })
      local running = codecell.async(function()
        return service:execute("import time; time.sleep(0.5)")
      end)
      local _, err = service:execute("1", { patience = 0 })
      assert.equal("unavailable", err.kind)
      assert.equal("overloaded", err.word)
      assert.truthy(err.message:find("was not run", 1, true))
      assert.truthy(running:wait(20))
    end)

    it("bound the number of sandboxes #L05", function()
      local service = new({ max_active_sandboxes = 1 })
      codecell.assert(service:create({}))
      local _, err = service:create({})
      assert.equal("overloaded", err.word)
      assert.truthy(err.message:find("max_active_sandboxes", 1, true))
    end)

    it("end what nobody has used for a while, and say why #D16 #F36", function()
      local now = 0
      local service = new({ idle_timeout = 60, clock = function() return now end })
      service:execute("1", { key = "a" })
      local made = codecell.assert(service:create({ key = "b" }))
      now = 50
      service:execute("1", { key = "a" })
      now = 61
      require("codecell.service.ending").reap(service)
      assert.equal(1, #service:list())
      assert.equal("a", service:list()[1].key)
      local _, err = service:get(made.id)
      assert.truthy(err.message:find("nobody used it", 1, true))
    end)
  end)

  describe("numbers", function()
    it("count runs by outcome, word and language #K01 #K02 #K04", function()
      local now = 0
      local service = new({ clock = function() return now end })
      for _, code in ipairs({ "1", "2", "3", "1/0" }) do
        service:execute(code, { key = "k" })
      end
      local by_status = {}
      for _, row in pairs(service.ledger.runs) do
        by_status[row.status .. row.kind] = row.count
      end
      assert.same({ succeeded = 3, failedruntime = 1 }, by_status)
      local failures, runs = service.ledger:recent(60)
      assert.same({ runtime = 1 }, failures)
      assert.equal(4, runs)
      now = 61
      failures, runs = service.ledger:recent(60)
      assert.same({}, failures)
      assert.equal(0, runs)
      assert.equal(1, service.ledger:recent(3600).runtime)
    end)

    it("tell what each run has used, by the system's own count #K06", function()
      local service = new({})
      local usage = service:execute([[
import time
end = time.process_time() + 0.3
while time.process_time() < end: pass]], { key = "k" }).usage
      assert.is_true(usage.cpu_seconds >= 0.25 and usage.cpu_seconds < 5)
      assert.is_true(usage.memory_peak > 0)
      assert.is_true(usage.processes_peak >= 1)
    end)

    it("say what lives and what is ready #D16 #K03", function()
      local service = new({ pool_size = 1 })
      codecell.assert(service:create({}))
      local stats = service:stats()
      assert.equal(1, stats.active)
      assert.equal(1, stats.idle)
      assert.equal("kernel", stats.mode)
      assert.equal(1, stats.pool_size)
      assert.is_true(stats.utilization >= 0 and stats.utilization <= 1)
    end)

    it("cost nothing on this machine, and by the table in the cloud #C03 #L01", function()
      local service = new({ mode = "mock" })
      service:execute("1")
      assert.equal(0, service:usage().cost)
      local prices = codecell.cost.prices({ cpu_second = 14, gib_second = 0 })
      assert.equal(100 * 2 * 14, prices:of({ backend = "e2b", seconds = 100, cpu = 2,
        memory = 2 ^ 30 }))
      assert.equal(0, prices:of({ backend = "local", seconds = 100, cpu = 2, memory = 2 ^ 30 }))
    end)

    it("are a table, and a text that a strict reader of OpenMetrics takes #K02 #K05", function()
      local service = new({})
      service:execute("1", { key = "k" })
      service:execute("1/0", { key = "k" })
      local metrics = service:metrics()
      assert.equal(2, #metrics.runs_total)
      assert.equal(2, metrics.seconds.run.count)
      assert.is_true(metrics.seconds.run.mean > 0)
      local families = require("spec.support.openmetrics")(
        codecell.metrics.openmetrics(service))
      assert.equal(1, families.codecell_runs.samples[
        'codecell_runs_total{status="failed",kind="runtime",language="python"}'])
      assert.equal(2, families.codecell_run_seconds.samples[
        'codecell_run_seconds_count{stage="run"}'])
    end)

    it("tell once that too much fails, and again after it was better #K08", function()
      local now, told = 0, 0
      local service = new({ mode = "mock", clock = function() return now end,
        rate_limit_per_min = 0, mock = { answers = function()
          return { error = { name = "E", value = "v", traceback = "" } }
        end } })
      service:on("error_rate", function(about)
        told = told + 1
        assert.equal(1, about.rate)
      end)
      for _ = 1, 12 do
        service:execute("1")
      end
      assert.equal(1, told)
      now = 61
      service:execute("1")
      for _ = 1, 12 do
        service:execute("1")
      end
      assert.equal(2, told)
    end)

    it("are told to those who listen #K08 #K20", function()
      local heard = {}
      local service = new({})
      for _, event in ipairs({ "sandbox.create", "sandbox.kill", "run" }) do
        service:on(event, function(about) heard[#heard + 1] = about.event end)
      end
      service:execute("1")
      assert.same({ "sandbox.create", "run", "sandbox.kill" }, heard)
    end)
  end)

  describe("the log", function()
    it("has the documented lines #K16 #K17 #K18", function()
      local service = new({})
      local code = "# " .. ("é"):rep(300) .. "\n1"
      local reply = service:execute(code)
      assert.is_true(has_line("info", "Executing Python code in E2B sandbox: # "))
      assert.is_true(has_line("info", "Code execution completed successfully. Sandbox ID: "
        .. reply.sandbox_id))
      for _, line in ipairs(logged()) do
        local shown = line.message:match("^Executing Python code in E2B sandbox: (.*)%.%.%.$")
        if shown then
          assert.equal("# " .. ("é"):rep(98), shown)
        end
      end
      service:execute("1/0")
      assert.is_true(has_line("error", "Code execution error: ZeroDivisionError: division by zero"))
    end)

    it("has no keys and secrets, wherever they are cut #K16 #K18 #I22", function()
      local service = new({})
      local key = "sk-proj-" .. ("Ab1"):rep(20)
      for place = 60, 110, 10 do
        service:execute(("#"):rep(place) .. key)
        service:execute(("#"):rep(place) .. "hunter2hunter2",
          { create = { secrets = { TOKEN = "hunter2hunter2" } } })
      end
      service:execute("raise ValueError('" .. key .. " and so on')")
      local all = {}
      for i, line in ipairs(logged()) do
        all[i] = line.message
      end
      all = table.concat(all, "\n")
      assert.is_nil(all:find("sk-p", 1, true), all)
      assert.is_nil(all:find("hunt", 1, true), all)
      assert.is_true(has_line("error", "Code execution error: ValueError: *** and so on"))
    end)

    it("is written by the command too, an event a line #K09", function()
      local told = shell.run("CODECELL_LOG=json " .. shell.codecell .. " run --mode mock -c 1")
      local events = {}
      for line in told.stderr:gmatch("{[^\n]+") do
        events[#events + 1] = require("cjson").decode(line).event
      end
      assert.same({ "run.start", "run.end" }, events)
      local quiet = shell.run(shell.codecell .. " run --mode mock -c 1").stderr
      assert.is_nil(quiet:find("INFO", 1, true))
    end)

    it("is written as JSON or by pattern where that is asked for #B15 #B16 #K09 #K13", function()
      local program = shell.lua .. " -e " .. shell.quote(
        'local c = require "codecell"; c.service():execute("1")')
      local json = shell.run("E2B_MODE=mock CODECELL_LOG=json " .. program)
      local event = require("cjson").decode(json.stderr:match("^[^\n]+"))
      assert.equal("service.start", event.event)
      local by_pattern = shell.run("E2B_MODE=mock DEBUG='e2b:*' " .. program)
      assert.truthy(by_pattern.stderr:find("e2b:service", 1, true))
      assert.truthy(by_pattern.stderr:find("Executing", 1, true))
      local others = shell.run("E2B_MODE=mock DEBUG='other:*' " .. program)
      assert.is_nil(others.stderr:find("Executing", 1, true))
    end)
  end)

  describe("a failure", function()
    it("of code is a reply with a word, a place and a hint #J10 #J11 #J24 #M04", function()
      local service = new({})
      local reply = codecell.assert(service:execute("x = 1\nprint((", { key = "k" }))
      assert.is_false(reply.success)
      assert.equal("syntax", reply.details.kind)
      assert.equal("SyntaxError", reply.details.error_name)
      assert.equal(2, reply.details.line)
      reply = service:execute("1/0", { key = "k" })
      assert.equal("runtime", reply.details.kind)
      assert.equal("ZeroDivisionError", reply.details.error_name)
      assert.truthy(reply.details.hint)
    end)

    it("of production without a key is told by the documented words #B22 #J01", function()
      local made, err = codecell.service({ mode = "production" })
      assert.is_nil(made)
      assert.equal("unauthenticated", err.kind)
      assert.truthy(err.message:find("No E2B_API_KEY provided", 1, true))
    end)

    it("to create has the documented words and a cause #J02 #J05 #N05", function()
      local service = new({ mode = "production", api_key = "e2b_ab", max_retries = 0,
        api_url = "http://127.0.0.1:1" })
      local _, err = service:create({})
      assert.truthy(err.message:find("^Sandbox creation failed"))
      assert.equal("network", err.cause)
    end)

    it("of a kernel is one reply that says so, and nothing runs twice #J15 #M11", function()
      local service = new({})
      service:execute("open('/tmp/log', 'a').write('x')\nimport os", { key = "k" })
      local reply = codecell.assert(service:execute(
        "open('/tmp/log', 'a').write('y'); os.kill(os.getpid(), 9)", { key = "k" }))
      assert.is_true(reply.state_lost)
      assert.equal("xy", service:execute("open('/tmp/log').read()", { key = "k" }).text)
    end)
  end)

  describe("sharing", function()
    it("gives two agents one kernel, each its rights, and one log #D27 #D28 #M24", function()
      local service = new({})
      local made = codecell.assert(service:create({ owner = "lead" }))
      local handles = codecell.assert(service:share(made.id, { owner = "lead",
        agents = { "coder", "reviewer" }, rights = { reviewer = "reader" } }))
      handles.coder:run("x = 42")
      assert.equal("42", handles.coder:run("x").text)
      local _, err = handles.reviewer:run("x = 0")
      assert.equal("denied_by_policy", err.kind)
      handles.coder:write("/tmp/note", "done")
      assert.equal("done", handles.reviewer:read("/tmp/note"))
      local said = {}
      for _, event in ipairs(handles.reviewer:events()) do
        said[#said + 1] = event.who .. " " .. event.event
      end
      assert.same({ "coder joined", "reviewer joined", "coder run", "coder run", "coder write" },
        said)
      assert.is_false(service:kill(made.id, "coder"))
      handles.coder:leave()
      _, err = handles.coder:run("1")
      assert.equal("denied_by_policy", err.kind)
    end)
  end)

  it("reads its configuration again without a restart #N26", function()
    local service = new({ mode = "mock", rate_limit_per_min = 1, clock = function() return 0 end })
    assert.truthy(service:execute("1"))
    assert.is_nil((service:execute("1")))
    service.overrides.rate_limit_per_min = 3
    assert.is_true(service:reload())
    assert.equal(3, service.config.rate_limit_per_min)
    assert.truthy(service:execute("1"))
  end)
end)
