-- One program in every mode: the mock, this machine, and the cloud's interface by `codecell serve`.
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local http = require "codecell.http"
local out_of_time = require "spec.support.out_of_time"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("a service in mode #user", function()
  local serving, sink, folder

  setup(function()
    folder = shell.folder()
    sink = codecell.log.sink
    codecell.log.sink = function() end
    serving = gateway.start()
  end)

  teardown(function()
    serving:stop()
    shell.remove(folder)
    codecell.log.sink = sink
  end)

  local function settings(mode)
    local given = { mode = mode, pool_size = 0, rate_limit_per_min = 0, download_dir = folder,
      metadata = { team = "a" } }
    if mode == "production" then
      given.api_key, given.api_url = gateway.key, serving.url
      given.sandbox_url = serving.url
    end
    return given
  end

  for _, mode in ipairs({ "kernel", "production", "mock" }) do
    local function with(fn)
      local service = codecell.assert(codecell.service(settings(mode)))
      fn(service)
      service:close()
    end

    it(mode .. " runs code, keeps what it made, and ends what it made #B10 #C01 #M09", function()
      with(function(service)
        local session = service:session({ user = "u", conversation = "c" })
        codecell.assert(session:run("x = 10"))
        local reply = codecell.assert(session:run("x * 2"))
        assert.equal(mode == "mock", reply.mock == true)
        if mode == "mock" then
          assert.truthy(reply.text:find("nothing was executed", 1, true))
        else
          assert.equal("20", reply.text)
          local sandbox = codecell.assert(session:sandbox())
          codecell.assert(sandbox.files:write("/tmp/data.json", "{}\0"))
          assert.equal("{}\0", sandbox.files:read("/tmp/data.json"))
          assert.equal("u", sandbox:get_info().metadata.userId)
          assert.equal("a", sandbox:get_info().metadata.team)
        end
        assert.equal(1, #service:list({ metadata = { team = "a" } }))
        assert.is_true(session:close())
        assert.equal(0, #service:list())
      end)
    end)

    -- An action in a sandbox; `unless_mock`: one that the mock cannot even pretend.
    local function with_actions(fn)
      with(function(service)
        local function call(request)
          request.sessionId = "s"
          local told = codecell.actions.call(request, { service = service, user = "u" })
          assert.equal(mode == "mock" and told.sandboxId ~= nil, told.mock == true)
          return told
        end
        assert.is_true(call({ action = "create", timeout = 5, envs = { A = "of create" } }).success)
        fn(call, function(request)
          local told = call(request)
          if mode ~= "mock" then
            assert.is_true(told.success, told.error)
            return told
          end
          assert.equal("unsupported", told.kind)
        end)
        assert.is_true(call({ action = "kill" }).success)
        local told = call({ action = "kill" })
        assert.equal("killed", told.kind, told.error)
      end)
    end

    it(mode .. " makes, lists, keeps and ends sandboxes for a model #M09 #F04 #F07 #F08 #F09",
      function()
        with_actions(function(call)
          assert.is_true(call({ action = "create" }).reused)
          local list = call({ action = "list_sandboxes" }).sandboxes
          assert.equal("s", list[1].sessionId)
          assert.is_true(call({ action = "set_timeout", timeout = 10 }).expiresAt
            > list[1].expiresAt)
          assert.is_true(call({ action = "list_templates" }).success)
          assert.is_true(call({ action = "help" }).success)
        end)
      end)

    it(mode .. " runs code and commands for a model #M09 #F10 #F12 #F13 #F15 #F26", function()
      with_actions(function(call)
        local ran = call({ action = "execute", envs = { B = "of the run" },
          code = "import os; print(os.environ['A'], os.environ['B'])" })
        local shown = call({ action = "shell", command = "echo $A $B", envs = { B = "7" } })
        assert.is_true(ran.success and shown.success)
        if mode ~= "mock" then
          assert.equal("of create of the run\n", ran.output)
          assert.equal("of create 7\n", shown.stdout)
          assert.equal(3, call({ action = "shell", command = "exit 3" }).exitCode)
          assert.equal("ZeroDivisionError: division by zero",
            call({ action = "execute", code = "1/0" }).error)
        end
      end)
    end)

    it(mode .. " gives an agent no network that it did not ask for #M09 #H12 #H17", function()
      with(function(service)
        local agent = codecell.assert(codecell.agent.new({ name = "a" },
          { service = service, user = "u", session = "k" }))
        assert.is_true(agent:call("execute_python_code", { code = "1" }).success)
        local made = codecell.assert(service:get(service:list()[1].id))
        assert.equal("none", made:get_info().network)
        assert.truthy(agent:prompt():find("There is no network", 1, true))
      end)
    end)

    it(mode .. " tells the lifetime that was asked for #M09 #D07 #F05", function()
      with(function(service)
        local made = codecell.assert(service:create({ timeout_ms = 600000 }))
        assert.equal(600, made:get_info().timeout)
      end)
      with_actions(function(call)
        assert.equal(5, call({ action = "create" }).timeout) -- the one of before
      end)
    end)

    it(mode .. " runs commands in the background for a model #M09 #F14 #F16", function()
      with_actions(function(call)
        local id = call({ action = "shell", command = "echo on; exec sleep 60",
          background = true }).commandId
        assert.equal(id, call({ action = "command_list" }).commands[1].commandId)
        local logs = ""
        wait_until(function()
          logs = logs .. call({ action = "command_logs", commandId = id }).output
          return logs ~= ""
        end)
        assert.equal(mode == "mock" and "mock: nothing was executed\n" or "on\n", logs)
        assert.truthy(call({ action = "processinfo" }).output ~= "")
        assert.equal(mode ~= "mock", call({ action = "kill_command", commandId = id }).killed)
      end)
    end)

    it(mode .. " writes, reads and gives files for a model #M09 #F17 #F18 #F22", function()
      with_actions(function(call, unless_mock)
        call({ action = "write_file", filePath = "/home/user/t.txt", fileContent = "Hello" })
        assert.equal("Hello", call({ action = "read_file", filePath = "/home/user/t.txt" }).content)
        assert.equal("el", call({ action = "read_file", filePath = "t.txt", offset = 1,
          limit = 2 }).content)
        local given = unless_mock({ action = "get_file_downloadurl",
          filePath = "/home/user/t.txt" })
        assert.equal(given and "Hello" or "", given and shell.run("curl -sf " .. shell.quote(
          given.url)).stdout or "")
        if given then
          given = call({ action = "get_file_downloadurl", filePath = "/home/user/none" })
          assert.same({ false, "not_found" }, { given.success, given.kind })
          assert.matches("^get_info /home/user/none: No such file or directory", given.error)
        end
      end)
    end)

    it(mode .. " starts servers for a model, and says where they are #M09 #F23 #F24", function()
      with_actions(function(call, unless_mock)
        local host = unless_mock({ action = "get_host", port = 8099 })
        if not host then
          return
        end
        local started = unless_mock({ action = "start_server", port = 8099,
          command = "exec python3 -m http.server 8099" })
        assert.equal(host.host, started.host)
        local page = codecell.async(function() -- its port is served by this program
          local response = codecell.assert(http.request({ url = "http://" .. started.host }))
          local status = response.status
          response:close()
          return status
        end)
        assert.equal(200, page:wait(20))
        call({ action = "kill_command", commandId = started.commandId })
      end)
    end)

    it(mode .. " has the tools of coding agents, jobs, maps and sharing #M09 #D27 #D32 #G06 #L10",
      function()
        with(function(service)
          local told = codecell.tools.cortex.execute_python_code({ code = "print(1)" },
            { service = service, user = "u" })
          assert.equal(mode == "mock" or nil, told.mock)
          assert.equal(mode == "mock" and "" or "1\n", told.output)
          local made = codecell.assert(service:create({ owner = "lead" }))
          local known = codecell.tools.cortex.get_sandbox_info({ sandbox_id = made.id },
            { service = service, user = "lead" })
          assert.same({ "running", "a" }, { known.status, known.metadata.team })
          local team = codecell.assert(service:share(made.id, { owner = "lead",
            agents = { "a", "b" }, rights = { b = "reader" } }))
          assert.is_true(team.a:run("x = 1").success)
          assert.equal("denied_by_policy", select(2, team.b:run("x = 2")).kind)
          local outcomes = service:map({ "1 + 1", "2 + 2" })
          local job = codecell.assert(service:start("print('on')"))
          assert.is_true(codecell.assert(job:wait(60)).success)
          if mode ~= "mock" then
            assert.equal("1", team.a:run("x").text)
            assert.same({ "2", "4" }, { outcomes[1].reply.text, outcomes[2].reply.text })
            assert.equal("on\n", job:output())
          end
          assert.equal(mode == "production", service:usage().cost > 0)
        end)
      end)

    if mode ~= "mock" then
      it(mode .. " goes on with a new sandbox where somebody else has ended the old #J20 #M11",
        function()
          with(function(service)
            local session = codecell.session({ service = service, user = "u", conversation = "c" })
            local id = codecell.assert(session:run("x = 1")).sandbox_id
            assert.is_true(codecell.kill(id, mode == "production" and { backend = "e2b",
              api_key = gateway.key, api_url = serving.url } or nil))
            local reply, err = session:run("'x' in globals()")
            if not reply then -- the cloud tells nobody until it is asked
              assert.equal("sandbox_gone", err.kind)
              reply = codecell.assert(session:run("'x' in globals()"))
            end
            assert.equal("False", reply.text)
            assert.equal(1, #service:list())
            local gone = select(2, service:get(id))
            assert.equal("sandbox_gone", gone.kind)
          end)
        end)

      it(mode .. " tells of variables that are lost #J15 #M09 #M11", function()
        with(function(service)
          local session = service:session({ user = "u", conversation = "c" })
          codecell.assert(session:run("x = 1"))
          local died = codecell.assert(session:run("import os; os.kill(os.getpid(), 9)"))
          assert.same({ "KernelDiedError", true }, { died.error.name, died.state_lost })
          local reply = codecell.assert(session:run("'x' in globals()"))
          assert.same({ "False", true }, { reply.text, reply.state_lost })
          assert.is_false(codecell.assert(session:run("1")).state_lost)
          reply = codecell.assert(session:run(
            "class KernelDiedError(Exception): pass\nraise KernelDiedError('no')"))
          assert.is_false(reply.state_lost)
        end)
      end)

      it(mode .. " tells what went wrong in the same words #J08 #J10 #J11 #J24 #M04", function()
        with(function(service)
          local function kind(code, given)
            return codecell.assert(service:execute(code, given)).details.kind
          end
          local function line(code)
            return codecell.assert(service:execute(code)).details.line
          end
          assert.equal("runtime", kind("1/0"))
          assert.equal("syntax", kind("print(("))
          assert.equal(2, line("x = 1\nprint((")) -- also where only the traceback has it
          assert.equal(1, line("def f(): return 1/0\n\nf()"))
          local reply
          out_of_time(0.5, function(timeout)
            reply = codecell.assert(service:execute("print(1, flush=True)\nwhile True: pass",
              { timeout = timeout }))
            return { stdout = reply.output }
          end)
          assert.equal("timeout", reply.details.kind)
          assert.equal("1\n", reply.output)
        end)
      end)
    end
  end

  it("that is chosen by E2B_MODE runs a program unchanged #C01 #C11", function()
    local program = shell.quote([[
      local service = require("codecell").service()
      local reply = service:execute("6 * 7")
      print(service.config.mode, reply.mock, reply.text)
      service:close()]])
    local function run(mode)
      return shell.run(("CODECELL_LOG=none E2B_MODE=%s %s -e %s"):format(mode, shell.lua,
        program)).stdout
    end
    assert.equal("kernel\tnil\t42\n", run("kernel"))
    assert.truthy(run("mock"):find("^mock\ttrue\t%[mock: nothing was executed"))
  end)
end)

describe("the errors of a service", function()
  it("are values here, fields for models, and raised by codecell.assert #J18", function()
    local service = codecell.assert(codecell.service({ mode = "mock" }))
    local reply, err = service:execute("")
    assert.is_nil(reply)
    assert.equal("invalid_argument", err.kind)
    assert.has_error(function() codecell.assert(service:execute("")) end)
    local told = codecell.actions.call({ action = "execute", sessionId = "a" },
      { service = service })
    assert.is_false(told.success)
    assert.equal("string", type(told.error))
    assert.is_false(codecell.tools.cortex.execute_python_code({}, { service = service }).success)
    service:close()
  end)

  it("name what this machine lacks #J06", function()
    local told = shell.run("CODECELL_LOG=none E2B_MODE=kernel prlimit --nofile=14:14 " .. shell.lua
      .. " -e " .. shell.quote([[
        local service = require("codecell").service()
        local _, err = service:create({})
        print(err.cause, err.message)]]))
    assert.truthy(told.stdout:find("^resources\tSandbox creation failed: "), told.stdout
      .. told.stderr)
    assert.truthy(told.stdout:find("[Dd]escriptor") or told.stdout:find("[Oo]pen files")
      or told.stdout:find("[Tt]oo many"), told.stdout)
  end)
end)

describe("the page about troubles", function()
  it("has the cases of the documents, and names what helps #N04 #N06", function()
    local page = assert(shell.read "docs/troubleshooting.md")
    for _, heading in ipairs({ "Sandbox not found", "Timeouts", "Permissions", "Packages",
      "Code is not executed", "Sandbox creation failed" }) do
      assert.truthy(page:find("\n## " .. heading .. "\n", 1, true), heading)
    end
    for _, row in ipairs(require("codecell.agent.words").list) do
      if row.page then
        assert.truthy(page:find("\n## " .. row.page .. "\n", 1, true), row.page)
        assert.truthy(shell.run(shell.codecell .. " errors --words " .. row.word).stdout
          :find("docs/troubleshooting.md, " .. row.page, 1, true))
      end
    end
    for _, word in ipairs({ "set_timeout", "E2B_EXECUTION_TIMEOUT", "codecell doctor",
      "E2B Service initialized", "selftest" }) do
      assert.truthy(page:find(word, 1, true), word)
    end
  end)
end)

describe("the defaults", function()
  it("are a sandbox, sensible times, few packages, and counts #N23", function()
    local config = codecell.assert(codecell.config({ mode = "kernel" }))
    assert.equal(30, config.execution_timeout)
    assert.equal(300, config.sandbox_timeout)
    assert.same({}, codecell.agent_config.defaults().default_packages)
    assert.is_false(codecell.agent_config.defaults().enable_network)
    assert.is_true(config.enable_metrics)
  end)
end)
