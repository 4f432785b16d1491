-- Where a service makes its sandboxes: what stands in for a cloud that is not there, and never
-- silently; the templates of its configuration; what is asked for and not there.
local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local package_index = require "spec.support.package_index"
local services = require "spec.support.services"
local shell = require "spec.support.shell"

local DEAD = "http://127.0.0.1:9"

describe("a service whose cloud cannot be reached #user", function()
  local make, logged = services(before_each, after_each)
  local service, server

  setup(function()
    server = e2b.start()
  end)

  teardown(function()
    server:stop()
  end)

  local function new(given)
    given.mode, given.max_retries = "production", 0
    given.api_key, given.api_url = e2b.key, given.api_url or DEAD
    service = make(given)
    return service
  end

  it("runs nothing elsewhere, unless that is configured #C10", function()
    local reply, err = new({}):execute("1")
    assert.is_nil(reply)
    assert.equal("network", err.cause)
    assert.equal("network", require("codecell.agent.words").of_error(err).word)
    assert.equal(0, #service:list())
  end)

  it("has another mode stand in, and says so in reply, list, event and log #C10", function()
    local made
    new({ fallback = { "local" } }):on("sandbox.create", function(about) made = about end)
    local reply = codecell.assert(service:execute("6 * 7", { key = "k" }))
    assert.equal("42", reply.text)
    assert.equal("production", reply.degraded_from)
    assert.truthy(reply.warnings[1]:find("as fallback allows", 1, true))
    assert.equal("production", service:list()[1].degraded_from)
    assert.equal("production", made.degraded_from)
    local warned = 0
    for _, line in ipairs(logged()) do
      local is_told = line.level == "warning" and line.fields.event == "sandbox.degraded"
      warned = warned + (is_told and 1 or 0)
    end
    assert.equal(1, warned)
    assert.equal(0, service:usage().cost)
  end)

  it("tells models so, in the words of their tools #C10", function()
    new({ fallback = { "mock" } })
    local ctx = { service = service, user = "u" }
    local made = codecell.actions.call({ action = "create", sessionId = "s" }, ctx)
    assert.equal("production", made.degradedFrom)
    local ran = codecell.actions.call({ action = "execute", sessionId = "s", code = "1" }, ctx)
    assert.equal("production", ran.degradedFrom)
    assert.is_true(ran.mock)
    assert.truthy(ran.warnings[1]:find("as fallback allows", 1, true))
    local told = codecell.tools.cortex.execute_python_code({ code = "1" }, ctx)
    assert.equal("production", told.degraded_from)
    assert.is_true(told.mock)
  end)

  it("asks it again after a while, and goes back to it #C10", function()
    local now = 0
    new({ fallback = { "mock" }, api_url = server.url, clock = function() return now end })
    server:script { { method = "POST", path = "^/sandboxes$", status = 503 } }
    assert.equal("production", service:create({}).degraded_from)
    assert.equal("production", service:create({}).degraded_from)
    assert.equal(1, #server:asked("POST", "^/sandboxes$"))
    server:script { { method = "POST", path = "^/sandboxes$", status = 201, json = e2b.record() },
      { method = "DELETE", path = "^/sandboxes/", status = 204 } }
    now = 31
    local back = codecell.assert(service:create({}))
    assert.is_nil(back.degraded_from)
    assert.equal("e2b", back.backend)
  end)

  it("takes a no of the cloud for a no #C10 #J02", function()
    new({ fallback = { "mock" }, api_url = server.url })
    for _, case in ipairs({ { 401, "auth" }, { 403, "auth" }, { 429, "rate_limited" },
      { 400, "template" }, { 404, "template" } }) do
      server:script { { method = "POST", path = "^/sandboxes$", status = case[1],
        json = { code = case[1], message = "no" } } }
      local made, err = service:create({})
      assert.is_nil(made)
      assert.equal(case[2], err.cause)
      assert.truthy(err.message:find("^Sandbox creation failed: "))
    end
  end)

  it("lets no model's template name a folder or a snapshot of this machine #C10", function()
    new({ fallback = { "local" } })
    for _, template in ipairs({ "/usr", "../x", "i0123456789abcdefghij" }) do
      local told = codecell.actions.call({ action = "create", sessionId = "s",
        template = template }, { service = service })
      assert.is_false(told.success)
      assert.truthy(told.error:find("nor could mode local stand in", 1, true))
    end
    assert.equal(0, #service:list())
  end)
end)

describe("a service asked for containers #user", function()
  it("says that there are none, whatever else it could do", function()
    for _, given in ipairs({ { mode = "docker" }, { mode = "podman" },
      { mode = "local", docker_image = "python:3.12" } }) do
      local made, err = codecell.service(given)
      assert.is_nil(made)
      assert.equal("unsupported", err.kind)
      assert.truthy(err.message:find("codecell has none yet", 1, true))
    end
    local program = shell.lua .. " -e " .. shell.quote 'print(require("codecell").service())'
    local asked = "CODECELL_LOG=none E2B_MODE=local E2B_LOCAL_DOCKER_IMAGE=x "
    assert.truthy(shell.run(asked .. program).stdout:find("E2B_LOCAL_DOCKER_IMAGE", 1, true))
    assert.truthy(shell.run(asked .. "E2B_LOCAL_USE_DOCKER=false " .. program).stdout
      :find("^table: "))
  end)

  it("isolates by the kernel where local_use_docker says no, and where it cannot say yes #B04",
    function()
      for _, choice in ipairs({ "true", "false" }) do
        local told = shell.run(("CODECELL_LOG=none E2B_MODE=local E2B_LOCAL_USE_DOCKER=%s %s -e %s")
          :format(choice, shell.lua, shell.quote [[
            local service = require("codecell").service()
            local made = service:create({})
            print(made.backend, made:get_info().isolation)
            service:close()]]))
        assert.equal("local\tkernel\n", told.stdout)
      end
    end)
end)

describe("the templates of a service #user", function()
  local service
  local index = package_index.new(setup, teardown, after_each)
  local getenv = os.getenv

  setup(function()
    service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0, log = "none",
      templates = { plain = {}, gone = { image = "never-built" },
        right = { packages = { "alpha" } }, wrong = { packages = { "no-such-package" } } } }))
    os.getenv = function(name) -- luacheck: ignore 122
      return name == "PIP_INDEX_URL" and index.url or getenv(name)
    end
  end)

  teardown(function()
    os.getenv = getenv -- luacheck: ignore 122
    service:close()
  end)

  it("lead to what they name #B19", function()
    assert.truthy(service:create({ template = "plain" }))
    local _, err = service:create({ template = "gone" })
    assert.truthy(err.message:find("never-built", 1, true))
    assert.equal("template", err.cause)
  end)

  it("have their packages, or are not made #B19", function()
    if package_index.needs_pip(pending) then return end
    assert.equal("2", service:execute("import alpha; alpha.value",
      { create = { template = "right" } }).text)
    local before = #service:list()
    local made, err = service:create({ template = "wrong" })
    assert.is_nil(made)
    assert.equal("template", err.cause)
    assert.truthy(err.message:find("no-such-package", 1, true))
    assert.equal(before, #service:list())
  end)

  it("are what a model may choose among #B19", function()
    local told = codecell.actions.call({ action = "list_templates" }, { service = service })
    local names = {}
    for _, one in ipairs(told.templates) do
      names[one.name] = true
    end
    assert.is_true(names.plain and names.gone)
  end)
end)

describe("a service that is not to count #user", function()
  it("has no counts of runs, and still knows what sandboxes cost #K05", function()
    local service = codecell.assert(codecell.service({ mode = "mock", pool_size = 0, log = "none",
      enable_metrics = false }))
    service:execute("1")
    assert.same({}, service:metrics().runs_total)
    assert.equal(1, service:metrics().created)
    service:close()
  end)
end)
