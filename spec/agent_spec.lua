-- The tools of a coding agent, its configuration and its forms.
local cjson = require "cjson"
local codecell = require "codecell"
local json = require "codecell.json"
local package_index = require "spec.support.package_index"
local shell = require "spec.support.shell"

local function keys_of(value)
  local names = {}
  for name in pairs(value) do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, " ")
end

describe("a coding agent #user", function()
  local service, sink
  local cortex = codecell.tools.cortex

  setup(function()
    sink = codecell.log.sink
    codecell.log.sink = function() end
    service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0,
      rate_limit_per_min = 0 }))
  end)

  teardown(function()
    service:close()
    codecell.log.sink = sink
  end)

  local function run(given, ctx)
    ctx = ctx or {}
    ctx.service = service
    local reply = cortex.execute_python_code(given, ctx)
    assert.truthy(cjson.decode((assert(json.encode(reply)))))
    return reply
  end

  describe("execute_python_code", function()
    it("answers with the documented fields, and no other #G06 #G10 #G11 #G12 #G15 #G18", function()
      local code = "print('Hello from E2B!')"
      local reply = run({ code = code })
      assert.equal("code execution_time output packages_installed sandbox_id success",
        keys_of(reply))
      assert.is_true(reply.success)
      assert.equal("Hello from E2B!\n", reply.output)
      assert.equal(code, reply.code)
      assert.equal("[]", (json.encode(reply.packages_installed)))
      assert.truthy(reply.sandbox_id:find("^i%w+$"))
    end)

    it("counts the run alone, in seconds #G13", function()
      local reply = run({ code = "import time; time.sleep(0.5)" })
      assert.is_true(reply.execution_time >= 0.5)
    end)

    it("fails with the documented fields, and no other #G07 #J12", function()
      local reply = run({ code = "1/0" })
      assert.equal("code error sandbox_id success", keys_of(reply))
      assert.is_false(reply.success)
      assert.equal("ZeroDivisionError: division by zero", reply.error)
      reply = run({ code = "print('Hello World'" })
      assert.truthy(reply.error:find("^SyntaxError: "))
      assert.equal("print('Hello World'", reply.code)
      for _, given in ipairs({ {}, { code = "" }, { code = 1 }, { code = "1", timeout = "x" },
        { code = "1", install_packages = "x" } }) do
        reply = run(given)
        assert.is_false(reply.success)
        assert.equal("code error sandbox_id success", keys_of(reply))
      end
      assert.is_false(cortex.execute_python_code("x").success)
    end)

    it("clamps the time that a model asks for, and says so #G08 #H10", function()
      local agent = codecell.agent_config.validate({ maxExecutionTime = 0.3 })
      local reply = run({ code = "while True: pass", timeout = 999 },
        { agent = agent, details = true })
      assert.is_false(reply.success)
      assert.equal("timeout", reply.details.kind)
      assert.truthy(reply.details.warnings[1]:find("999", 1, true))
    end)

    it("starts afresh each time, unless the host keeps a session", function()
      run({ code = "x = 1" })
      assert.is_false(run({ code = "x" }).success)
      run({ code = "x = 1" }, { user = "u", session = "s" })
      assert.equal("1\n", run({ code = "print(x)" }, { user = "u", session = "s" }).output)
    end)

    it("installs nothing that the agent may not have, and runs no code then #H09", function()
      local agent = codecell.agent_config.validate({ allowedPackages = { "requests" } })
      local reply = run({ code = "1", install_packages = { "reqeusts" } }, { agent = agent })
      assert.is_false(reply.success)
      assert.truthy(reply.error:find("PackageDenied", 1, true))
      assert.truthy(reply.error:find("requests", 1, true))
    end)

    it("installs what a call names besides its own #G09 #G14 #H08 #H19 #registry #slow", function()
      local agent = codecell.agent_config.validate({ defaultPackages = { "six", "idna" },
        allowedPackages = { "six", "idna" } })
      local reply = run({ code = "import six, idna; print(six.__version__)",
        install_packages = { "Six==1.15.0" } }, { agent = agent })
      assert.equal("1.15.0\n", reply.output)
      assert.same({ "six", "idna" }, reply.packages_installed)
      reply = run({ code = "print('it ran')", install_packages = { "six==0.0.0.1" } },
        { agent = agent })
      assert.is_false(reply.success)
      assert.equal("print('it ran')", reply.code)
      assert.truthy(reply.error:find("PackageInstallError", 1, true))
    end)

    it("takes an id for what it is, and nothing else", function()
      local told = cortex.get_sandbox_info({ sandbox_id = {} }, { service = service })
      assert.equal("InvalidRequest: sandbox_id: a text expected", told.error)
    end)

    it("says that there is no GPU for an agent that wants one, and runs nothing #I27", function()
      if shell.run("ls -d /dev/nvidia* /dev/kfd /dev/dri/renderD* 2>/dev/null").stdout ~= "" then
        return pending("this machine has a GPU")
      end
      local agent = codecell.agent_config.validate({ enableGPU = true })
      local reply = run({ code = "print(1)" }, { agent = agent, details = true })
      assert.is_false(reply.success)
      assert.equal("unsupported", reply.details.kind)
      assert.truthy(reply.error:find("gpu", 1, true), reply.error)
    end)

    it("leaves the code out where the host wants to save tokens #G15", function()
      assert.is_nil(run({ code = "1" }, { echo_code = false }).code)
    end)
  end)

  describe("its packages", function()
    local index = package_index.new(setup, teardown, after_each)
    local getenv = os.getenv

    before_each(function()
      os.getenv = function(name) -- luacheck: ignore 122
        return name == "PIP_INDEX_URL" and index.url or getenv(name)
      end
    end)

    after_each(function()
      os.getenv = getenv -- luacheck: ignore 122
    end)

    it("are the default ones and those of the call, less what is denied #H19", function()
      if package_index.needs_pip(pending) then return end
      local agent = codecell.agent_config.validate({ defaultPackages = { "alpha" },
        allowedPackages = { "alpha", "extra-one", "beta" } })
      local reply = run({ code = "import alpha, extra_one; print(alpha.value, extra_one.value)",
        install_packages = { "extra-one" } }, { agent = agent })
      assert.equal("2 3\n", reply.output, reply.error)
      table.sort(reply.packages_installed)
      assert.same({ "alpha", "extra-one" }, { reply.packages_installed[1],
        reply.packages_installed[2] })
      reply = run({ code = "import alpha; print(alpha.value)",
        install_packages = { "Alpha==1.0" } }, { agent = agent })
      assert.equal("1\n", reply.output, reply.error)
      reply = run({ code = "print(1)", install_packages = { "extra-one", "gamma" } },
        { agent = agent })
      assert.is_false(reply.success)
      assert.truthy(reply.error:find("gamma", 1, true))
    end)
  end)

  describe("get_sandbox_info", function()
    it("tells of one, or of all of the user's #G16 #G17 #G12", function()
      local id = run({ code = "1" }, { user = "info", session = "s" }).sandbox_id
      local list = cortex.get_sandbox_info(nil, { service = service, user = "info" })
      assert.equal(1, #list)
      assert.equal(id, list[1].sandbox_id)
      assert.equal("running", list[1].status)
      assert.equal(id, cortex.get_sandbox_info({ sandbox_id = id },
        { service = service, user = "info" }).sandbox_id)
      assert.is_false(cortex.get_sandbox_info({ sandbox_id = id },
        { service = service, user = "other" }).success)
      assert.equal("[]", (json.encode(cortex.get_sandbox_info({},
        { service = service, user = "nobody" }))))
    end)

    it("remembers those that are gone", function()
      local id = run({ code = "1" }, { user = "gone" }).sandbox_id
      local found = cortex.get_sandbox_info({ sandbox_id = id },
        { service = service, user = "gone" })
      assert.equal("ended", found.status)
    end)
  end)

  describe("a request", function()
    local SAMPLE = { message = "Calculate the factorial of 10", agent_type = "coding",
      system_prompt = "You are a Python coding assistant...", provider_id = "openai",
      model_id = "gpt-4", tools = {} }

    it("is taken as documented #G02 #G03 #G04", function()
      local request = codecell.assert(codecell.agent.request(SAMPLE))
      assert.equal("Calculate the factorial of 10", request.message)
      assert.equal("openai", request.provider_id)
      assert.equal("gpt-4", request.model_id)
      assert.equal(1, request.system_prompt:find("You are a Python coding assistant...", 1, true))
      assert.truthy(request.system_prompt:find("execute_python_code", 1, true))
    end)

    it("gets the tools without asking, in the shape of its provider #G01 #G04", function()
      local tools = codecell.agent.tools_for({ agent_type = "coding", tools = {} })
      assert.equal(2, #tools)
      assert.equal("execute_python_code", tools[1]["function"].name)
      tools = codecell.agent.tools_for({ agent_type = "coding", provider_id = "anthropic" })
      assert.equal("object", tools[1].input_schema.type)
      assert.equal("[]", (json.encode(codecell.agent.tools_for({ agent_type = "chat" }))))
    end)

    it("keeps its own tools, and may not have one of the same name #G05", function()
      local mine = { name = "mine" }
      local tools = codecell.agent.tools_for({ agent_type = "coding", tools = { mine } })
      assert.equal(3, #tools)
      assert.equal(mine, tools[1])
      local _, err = codecell.agent.tools_for({ agent_type = "coding",
        tools = { { name = "get_sandbox_info" } } })
      assert.equal("invalid_argument", err.kind)
      assert.truthy(err.message:find("get_sandbox_info", 1, true))
    end)

    it("is told all that is wrong with it at once #G02", function()
      local _, err = codecell.agent.request({ message = 1, tool = {} })
      assert.truthy(err.message:find("message", 1, true))
      assert.truthy(err.message:find("tool", 1, true))
    end)
  end)

  describe("its configuration", function()
    local SAMPLE = { name = "Data Analysis Assistant",
      defaultPackages = { "pandas", "numpy", "matplotlib" }, timeout = 600 }

    it("is completed by defaults, in both spellings #H03 #H04 #H05 #H06 #H07 #H08 #H14", function()
      local config = codecell.agent_config.validate(SAMPLE)
      assert.equal("Data Analysis Assistant", config.name)
      assert.same({ "pandas", "numpy", "matplotlib" }, config.default_packages)
      assert.equal(600, config.timeout)
      assert.same(config, codecell.agent_config.validate({ name = SAMPLE.name, timeout = 600,
        default_packages = SAMPLE.defaultPackages }))
      assert.same(config, codecell.agent_config.validate(codecell.agent_config.camel(config)))
    end)

    it("is told all that is wrong with it at once #H01", function()
      local config, problems = codecell.agent_config.validate({ timeout = -1, enableGpu = true,
        defaultPackages = { "x; rm" } })
      assert.is_nil(config)
      assert.equal(3, #problems)
      assert.truthy(table.concat(problems, "\n"):find("did you mean enableGPU?", 1, true))
    end)

    it("wants the default packages among the allowed ones #H09", function()
      local _, problems = codecell.agent_config.validate({ allowedPackages = { "numpy" },
        defaultPackages = { "pandas" } })
      assert.truthy(problems[1]:find("pandas", 1, true))
      assert.truthy(codecell.agent_config.validate({ allowedPackages = { "Requests" },
        defaultPackages = { "requests[socks]==2" } }))
    end)

    it("has a schema #H01", function()
      local told = shell.run(shell.codecell .. " agent-config --schema")
      local schema = cjson.decode(told.stdout)
      assert.equal("CodingAgentConfig", schema.title)
      assert.equal("boolean", schema.properties.enableGPU.type)
      assert.equal("array", schema.properties.defaultPackages.type)
    end)

    it("makes what the model is told true #H17 #N24", function()
      local function text(config, about)
        return codecell.assert(codecell.agent.prompt(config, about))
      end
      local plain = text({})
      assert.truthy(plain:find("There is no network", 1, true))
      assert.truthy(plain:find("Each call starts afresh", 1, true))
      assert.truthy(text({ enableNetwork = true }):find("network can be reached", 1, true))
      assert.truthy(text({}, { is_persistent = true }):find("stay from one call", 1, true))
      assert.truthy(text({ allowedPackages = { "numpy" } })
        :find("Only these packages can be installed: numpy", 1, true))
      assert.truthy(text({ maxExecutionTime = 7 }):find("at most 7 seconds", 1, true))
      assert.truthy(text({ enableFileSystem = false }):find("no file system", 1, true))
      for _, advice in ipairs({ "Be specific", "packages that you need first", "step by step",
        "Expect errors" }) do
        assert.truthy(plain:find(advice, 1, true))
      end
    end)

    it("is each agent's own, over one service #H12 #H20", function()
      local closed = codecell.agent.new({}, { service = service, user = "a", session = "closed" })
      local open = codecell.agent.new({ enableNetwork = true },
        { service = service, user = "a", session = "open" })
      local code = "import os; print('https_proxy' in os.environ)"
      assert.equal("False\n", closed:call("execute_python_code", { code = code }).output)
      assert.equal("True\n", open:call("execute_python_code", { code = code }).output)
    end)

    it("lives as long as it says, and writes only where it may #H07 #H11", function()
      local agent = codecell.agent.new({ timeout = 77, enableFileSystem = false },
        { service = service, user = "b", session = "s" })
      local id = agent:call("execute_python_code", { code = "1" }).sandbox_id
      assert.equal(77, service:get(id):get_info().timeout)
      local reply = agent:call("execute_python_code", { code = "open('/home/user/x', 'w')" })
      assert.truthy(reply.error:find("Read%-only file system"))
    end)

    it("answers for a tool that there is none of", function()
      local agent = codecell.agent.new({}, { service = service })
      assert.truthy(agent:call("execute_python", {}).error:find("did you mean", 1, true))
    end)
  end)

  describe("its description and prompt", function()
    it("are told its model, in the request too #H05 #H06 #G03", function()
      local config = { name = "Data", description = "It analyses data.",
        systemPrompt = "Always answer in French." }
      local one = codecell.assert(codecell.agent.new(config, { service = service }))
      local request = codecell.assert(codecell.agent.request({ message = "m",
        agent_type = "coding" }, config))
      for _, text in ipairs({ one:prompt(), request.system_prompt }) do
        assert.truthy(text:find("You are Data: It analyses data.", 1, true))
        assert.truthy(text:find("Always answer in French.", 1, true))
      end
      request = codecell.agent.request({ message = "m", agent_type = "coding",
        system_prompt = "Mine." }, config)
      assert.truthy(request.system_prompt:find("Mine.", 1, true))
      assert.is_nil(request.system_prompt:find("French", 1, true))
    end)

    it("say no more than the service gives, and that a mock runs nothing #H17", function()
      local mock = codecell.assert(codecell.service({ mode = "mock", max_execution_time = 9 }))
      local text = codecell.assert(codecell.agent.new({}, { service = mock })):prompt()
      assert.truthy(text:find("at most 9 seconds", 1, true))
      assert.truthy(text:find("nothing is executed", 1, true))
      mock:close()
      text = codecell.assert(codecell.agent.new({}, { service = service })):prompt()
      assert.is_nil(text:find("nothing is executed", 1, true))
      local own = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0 }))
      local reply = cortex.execute_python_code({ code = "6 * 7" }, { service = own })
      own:close()
      assert.equal("", reply.output) -- as the prompt says: print
    end)
  end)

  describe("its form", function()
    it("saves what is right, by the callback #H02 #H03", function()
      local saved
      local form = codecell.agent_config.form({ initial = { name = "Data" },
        on_save = function(config) saved = config end })
      assert.truthy(form:save('{"name":"Other","timeout":60}'))
      assert.equal("Other", saved.name)
      saved = nil
      local _, problems = form:save({ timeout = 0 })
      assert.truthy(problems[1]:find("timeout", 1, true))
      assert.is_nil(saved)
    end)

    it("is a page that needs nothing else, and holds no foreign markup #H01", function()
      local page = codecell.agent_config.form({ initial = {
        name = '"><script>alert(1)</script>', system_prompt = "</textarea><b>" } }):html()
      assert.is_nil(page:find("<script>alert", 1, true))
      assert.is_nil(page:find("</textarea><b>", 1, true))
      assert.is_nil(page:find("https?://"))
      for _, field in ipairs(codecell.agent_config.fields) do
        assert.truthy(page:find('name="' .. field.camel .. '"', 1, true))
      end
    end)

    it("asks on a terminal, and again for what cannot be #H16", function()
      local answers = { "Mine", "", "", "nonsense", "600", "", "pandas, numpy", "", "no", "yes",
        "" }
      local at, said = 0, {}
      local config = codecell.agent_config.form({}):ask(function()
        at = at + 1
        return answers[at]
      end, function(text) said[#said + 1] = text end)
      assert.equal("Mine", config.name)
      assert.equal(600, config.timeout)
      assert.same({ "pandas", "numpy" }, config.default_packages)
      assert.is_false(config.enable_file_system)
      assert.is_true(config.enable_network)
      assert.truthy(table.concat(said):find("seconds above 0", 1, true))
    end)
  end)

  it("is made and run by commands #H15 #H16 #H18", function()
    local folder = shell.folder()
    local made = shell.run(shell.codecell .. " agent new --type coding --name Data --package numpy "
      .. "--timeout 60 --max-time 20 --no-files --network --allow numpy --description Some a.json",
      { folder = folder })
    assert.equal(0, made.status)
    local config = cjson.decode(shell.read(folder .. "/a.json"))
    assert.equal("Data", config.name)
    assert.same({ "numpy" }, config.defaultPackages)
    assert.equal(60, config.timeout)
    assert.equal(20, config.maxExecutionTime)
    assert.is_false(config.enableFileSystem)
    assert.is_true(config.enableNetwork)
    assert.equal("Some", config.description)
    local page = shell.run(shell.codecell .. " agent-config --html a.json", { folder = folder })
    assert.truthy(page.stdout:find('value="Data"', 1, true))
    shell.write(folder .. "/wrong.json", '{"timeout":0,"nam":"x"}')
    local wrong = shell.run(shell.codecell .. " agent-config wrong.json", { folder = folder })
    assert.equal(2, wrong.status)
    assert.truthy(wrong.stderr:find("timeout", 1, true))
    assert.truthy(wrong.stderr:find("did you mean name?", 1, true))
    assert.equal(2, shell.run(shell.codecell .. " agent new --type coding a.json",
      { folder = folder }).status)
    local tools = cjson.decode(shell.run(shell.codecell .. " agent run a.json --print-tools",
      { folder = folder }).stdout)
    assert.equal(2, #tools)
    local prompt = shell.run(shell.codecell .. " agent run a.json --print-prompt --mode local",
      { folder = folder }).stdout
    assert.truthy(prompt:find("You are Data: Some", 1, true))
    assert.is_nil(prompt:find("nothing is executed", 1, true))
    shell.write(folder .. "/b.json", '{"name":"B"}')
    local ran = shell.run("CODECELL_LOG=none " .. shell.codecell
      .. " agent run b.json --mode kernel", { folder = folder,
      stdin = '{"name":"execute_python_code","arguments":{"code":"x=1\\nprint(x)"}}\nnonsense\n' })
    local first, second = ran.stdout:match("^([^\n]+)\n([^\n]+)\n$")
    assert.equal("1\n", cjson.decode(first).output)
    assert.is_false(cjson.decode(second).success)
    shell.remove(folder)
  end)
end)
