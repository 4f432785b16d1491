-- One program in every mode: the mock, this machine, and the cloud's interface by `codecell serve`.
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"

describe("a service in mode #user", function()
  local serving, sink

  setup(function()
    sink = codecell.log.sink
    codecell.log.sink = function() end
    serving = gateway.start()
  end)

  teardown(function()
    serving:stop()
    codecell.log.sink = sink
  end)

  local function settings(mode)
    local given = { mode = mode, pool_size = 0, rate_limit_per_min = 0 }
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

    it(mode .. " runs code, keeps variables and files, and ends what it made #C01 #M09", function()
      with(function(service)
        local session = codecell.session({ service = service, user = "u", conversation = "c" })
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
        end
        assert.equal(1, #service:list())
        assert.is_true(session:close())
        assert.equal(0, #service:list())
      end)
    end)

    it(mode .. " answers the actions #M09", function()
      with(function(service)
        local ctx = { service = service, user = "u" }
        local function call(request)
          request.sessionId = "s"
          return codecell.actions.call(request, ctx)
        end
        assert.is_true(call({ action = "create", timeout = 5 }).success)
        assert.is_true(call({ action = "write_file", filePath = "/home/user/t.txt",
          fileContent = "Hello" }).success)
        assert.equal("Hello", call({ action = "read_file",
          filePath = "/home/user/t.txt" }).content)
        assert.is_true(call({ action = "execute", code = "print(1)" }).success)
        assert.is_true(call({ action = "shell", command = "true" }).success)
        assert.is_true(call({ action = "kill" }).success)
        assert.equal("killed", call({ action = "kill" }).kind)
      end)
    end)

    if mode ~= "mock" then
      it(mode .. " tells what went wrong in the same words #J08 #J10 #J11 #J24 #M04", function()
        with(function(service)
          local function kind(code, given)
            return codecell.assert(service:execute(code, given)).details.kind
          end
          assert.equal("runtime", kind("1/0"))
          assert.equal("syntax", kind("print(("))
          local reply = codecell.assert(service:execute(
            "print(1, flush=True)\nwhile True: pass", { timeout = 0.5 }))
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
