-- The schemas of tools: as each provider wants them, and no wider than the sandbox is.
local codecell = require "codecell"
local json = require "codecell.json"
local picture = require "spec.support.picture"
local shell = require "spec.support.shell"

local function schemas(dialect, given)
  return codecell.tools.kit(given):schemas(dialect)
end

local function by_name(list)
  local found = {}
  for _, tool in ipairs(list) do
    found[(tool["function"] or tool).name] = tool["function"] or tool
  end
  return found
end

local function is_list_of(list)
  local found = {}
  for _, name in ipairs(list) do
    found[name] = true
  end
  return found
end

local SETS = { "recommended", "actions", "cortex" }

describe("the schemas of tools", function()
  it("are JSON whose lists are lists, in every dialect and set", function()
    for _, set in ipairs(SETS) do
      for _, dialect in ipairs(codecell.tools.dialects) do
        local text = assert(json.encode(schemas(dialect, { set = set })))
        assert.equal("[", text:sub(1, 1))
        assert.is_nil(text:find('"required":{', 1, true))
        assert.is_nil(text:find('"enum":{', 1, true))
      end
    end
    local info = by_name(schemas("anthropic", { set = "cortex" })).get_sandbox_info
    assert.truthy((json.encode(info)):find('"required":[]', 1, true))
  end)

  for _, dialect in ipairs({ "openai", "openai_responses" }) do
    it("are strict for " .. dialect .. ": all is required, what is optional may be null", function()
      for _, set in ipairs({ "recommended", "cortex" }) do
        for name, tool in pairs(by_name(schemas(dialect, { set = set }))) do
          assert.is_true(tool.strict, name)
          local parameters = tool.parameters
          assert.is_false(parameters.additionalProperties)
          local required, count = is_list_of(parameters.required), 0
          for property, schema in pairs(parameters.properties) do
            count = count + 1
            assert.is_true(required[property], name .. "." .. property)
            for word in pairs(schema) do -- what strict mode has
              assert.truthy(is_list_of({ "type", "description", "enum", "items" })[word], word)
            end
          end
          assert.equal(count, #parameters.required)
        end
      end
      local code = by_name(schemas(dialect)).run_code.parameters.properties
      assert.equal("string", code.code.type)
      assert.same({ "string", "null" }, { code.language.type[1], code.language.type[2] })
      assert.equal(json.null, code.language.enum[#code.language.enum])
    end)
  end

  it("are not called strict where they cannot be", function()
    local tool = schemas("openai", { set = "actions" })[1]["function"]
    assert.is_false(tool.strict) -- `envs` is an object with names of the model's choice
    assert.same({ "action" }, { tool.parameters.required[1] })
  end)

  it("have for Gemini the words that it knows", function()
    local known = is_list_of({ "type", "description", "enum", "items", "nullable", "properties",
      "required", "propertyOrdering" })
    local types = is_list_of({ "OBJECT", "STRING", "INTEGER", "BOOLEAN", "ARRAY" })
    local function check(schema)
      for word in pairs(schema) do
        assert.is_true(known[word], word)
      end
      assert.is_true(types[schema.type], schema.type)
      for _, inner in pairs(schema.properties or {}) do
        check(inner)
      end
      if schema.items then
        check(schema.items)
      end
    end
    for _, set in ipairs(SETS) do
      local list = schemas("gemini", { set = set })
      assert.equal(1, #list)
      for _, tool in ipairs(list[1].functionDeclarations) do
        assert.truthy(tool.name:find("^[%a_][%w_.-]*$") and #tool.name <= 64)
        check(tool.parameters)
      end
    end
  end)

  it("say for MCP what a tool may do", function()
    local code = by_name(schemas("mcp")).run_code
    assert.same({ readOnlyHint = false, destructiveHint = true, idempotentHint = false,
      openWorldHint = false, title = "Run code" }, code.annotations)
    assert.is_true(by_name(schemas("mcp", { create = { network = "open" } })).run_code
      .annotations.openWorldHint)
    assert.is_true(by_name(schemas("mcp")).read_output.annotations.readOnlyHint)
    assert.equal("object", code.outputSchema.type)
  end)

  it("let a model widen nothing: no network, time, limits, nor whose it is", function()
    local FORBIDDEN = { "network", "timeout", "time", "limit", "memory", "cpu", "disk", "user",
      "session", "sandbox", "owner", "env", "mount", "template", "host", "port", "key", "token",
      "policy", "approve", "root", "index" }
    for name, tool in pairs(by_name(schemas("mcp", { create = { network = "open" } }))) do
      for property in pairs(tool.inputSchema.properties) do
        for _, word in ipairs(FORBIDDEN) do
          assert.is_nil(property:find(word, 1, true), name .. "." .. property)
        end
      end
      assert.is_false(tool.inputSchema.additionalProperties)
    end
  end)
end)

describe("the descriptions of tools", function()
  local function told(given)
    return by_name(schemas("anthropic", given))
  end

  it("say what network there is", function()
    assert.truthy(told().run_code.description:find("There is no network.", 1, true))
    assert.truthy(told({ create = { network = "open" } }).run_shell.description
      :find("The network can be reached.", 1, true))
    assert.truthy(told({ create = { network = { allow = { "api.example.com" } } } }).run_code
      .description:find("only these can be reached: api.example.com", 1, true))
    assert.truthy(told({ create = { network = { allow = "open", deny = { "x.example" } } } })
      .run_code.description:find("except x.example", 1, true))
  end)

  it("name the languages that can run, and no other", function()
    local here = codecell.languages.available()
    assert.same(here, { (table.unpack or unpack)(told().run_code.input_schema -- luacheck: ignore
      .properties.language.enum) })
    local two = told({ languages = { "py", "bash" } }).run_code
    assert.equal('["bash","python"]', (json.encode(two.input_schema.properties.language.enum)))
    assert.truthy(two.description:find("(bash, python)", 1, true))
    assert.equal('["python","javascript"]', (json.encode(told({ create = { backend = "mock" } })
      .run_code.input_schema.properties.language.enum)))
  end)

  it("offer only what the sandbox can do", function()
    assert.is_nil(told({ create = { backend = "mock" } }).install)
    assert.is_nil(told({ create = { packages = false } }).install)
    assert.truthy(told({ create = { packages = { allow = { "numpy" } } } }).install.description
      :find("Only these can be installed: numpy.", 1, true))
    assert.truthy(told({ create = { backend = "mock" } }).run_code.description
      :find("nothing is run", 1, true))
  end)

  it("say what a call may take, and are of a sandbox that is there", function()
    assert.truthy(told({ timeout = 7 }).run_code.description:find("7 s", 1, true))
    local sandbox = codecell.assert(codecell.create({ limits = { memory = 2 ^ 28 } }))
    assert.truthy(told({ sandbox = sandbox }).run_code.description
      :find("256 MiB of memory", 1, true))
    sandbox:close()
  end)

  it("name the functions of the host that code may call", function()
    local sandbox = codecell.assert(codecell.create())
    codecell.assert(sandbox:expose("tools", { add = function(one, two) return one + two end }))
    local kit = codecell.tools.kit({ sandbox = sandbox })
    assert.truthy(by_name(kit:schemas("anthropic")).run_code.description
      :find("`from host import tools`; there are tools (add)", 1, true))
    assert.equal("5", kit:call("run_code", { code = "from host import tools\ntools.add(2, 3)" })
      .structured.results[1])
    sandbox:close()
  end)

  it("tell in a line which of two tools is for what", function()
    assert.truthy(told().run_code.description:find("For shell commands use run_shell.", 1, true))
    assert.truthy(told().run_shell.description:find("For code use run_code.", 1, true))
    for name, tool in pairs(told()) do
      assert.is_true(#tool.description < 700, name)
    end
  end)
end)

describe("codecell tools #once", function()
  local function run(arguments)
    return shell.run(shell.codecell .. " tools " .. arguments)
  end

  it("lists them for people, and as JSON for a dialect", function()
    local listed = run ""
    assert.equal(0, listed.status)
    assert.truthy(listed.stdout:find("run_code{code, intent?, language?}\n", 1, true))
    for line in listed.stdout:gmatch("[^\n]+") do
      assert.is_true(#line <= 80)
    end
    for _, dialect in ipairs(codecell.tools.dialects) do
      assert.equal((json.encode(schemas(dialect))) .. "\n", run("--dialect " .. dialect).stdout)
    end
    assert.equal("inputSchema", run("--json --network open").stdout:match("inputSchema"))
    assert.truthy(run("--network open").stdout:find("can be reached", 1, true))
    assert.equal(2, #json.decode(run("--set cortex --dialect anthropic").stdout))
  end)

  it("refuses what there is not", function()
    for _, arguments in ipairs({ "--dialect x", "--set x", "more" }) do
      local refused = run(arguments)
      assert.equal(2, refused.status)
      assert.equal("", refused.stdout)
    end
    assert.truthy(run("--dialect openia").stderr:find("openai", 1, true))
  end)
end)

-- ---- by the packages that programs use ----

local CODE = '{"code":"print(1)\\ndisplay(Picture())"}'

-- Messages of every dialect, with text, a picture, and an error.
local function answered(kit)
  local told = {}
  for dialect, message in pairs({
    openai = { tool_calls = { { id = "a", ["function"] = { name = "run_code",
      arguments = CODE } }, { id = "b", ["function"] = { name = "none",
      arguments = "{}" } } } },
    openai_responses = { output = { { type = "function_call", call_id = "a", name = "run_code",
      arguments = CODE } } },
    anthropic = { content = { { type = "tool_use", id = "a", name = "run_code",
      input = json.decode(CODE) }, { type = "tool_use", id = "b", name = "none", input = {} } } },
    gemini = { parts = { { functionCall = { name = "run_code", args = json.decode(CODE) } } } },
    mcp = { id = 1, method = "tools/call", params = { name = "run_code",
      arguments = json.decode(CODE) } },
  }) do
    told[dialect .. "_messages"] = kit:handle(dialect, message)
  end
  return told
end

describe("the schemas of tools, by those who read them #once #registry #slow", function()
  local folder, python

  local function install(packages)
    return shell.run(("/usr/bin/python3 -m venv %s && %s -m pip install -q "
      .. "--disable-pip-version-check %s"):format(folder, python, packages),
      { time = 300 }).status == 0
  end

  setup(function()
    folder = shell.folder()
    python = folder .. "/bin/python3"
  end)
  teardown(function()
    shell.remove(folder)
  end)

  local function check(kind, given)
    shell.write(folder .. "/given.json", assert(json.encode(given)))
    assert(shell.run("cp spec/support/tool_schemas.py " .. folder, { folder = "." }).status == 0)
    local result = shell.run(("%s %s/tool_schemas.py %s < %s/given.json"):format(python, folder,
      kind, folder), { time = 300 })
    assert.equal(0, result.status, result.stderr)
    assert.truthy(result.stdout:find("^ok"), result.stdout)
  end

  local function given_of(kit)
    local given = answered(kit)
    for _, dialect in ipairs(codecell.tools.dialects) do
      given[dialect] = kit:schemas(dialect)
    end
    return given
  end

  it("are valid, and so are arguments and results by them", function()
    if not install("jsonschema") then
      return pending("the package index does not answer")
    end
    local all, cases = {}, json.list()
    local function case(schema, value, is_valid)
      all[#all + 1] = schema
      cases[#cases + 1] = { schema = #all - 1, value = value, is_valid = is_valid }
    end
    for _, set in ipairs(SETS) do
      for _, tool in ipairs(schemas("mcp", { set = set })) do
        all[#all + 1] = tool.inputSchema
        all[#all + 1] = tool.outputSchema
      end
      for _, tool in ipairs(schemas("openai", { set = set })) do
        all[#all + 1] = tool["function"].parameters
      end
    end
    local kit = codecell.tools.kit {}
    local strict, open = by_name(kit:schemas("openai")), by_name(kit:schemas("mcp"))
    case(strict.run_code.parameters, { code = "1", language = json.null, intent = "x" }, true)
    case(strict.run_code.parameters, { code = "1" }, false)
    case(open.run_code.inputSchema, { code = "1" }, true)
    case(open.run_code.inputSchema, { code = "1", network = "open" }, false)
    case(open.run_code.inputSchema, { code = "1", language = "klingon" }, false)
    case(open.install.inputSchema, { packages = json.list({ "a" }) }, true)
    case(open.install.inputSchema, { packages = json.list({ 1 }) }, false)
    for _, call in ipairs({ { "run_code", { code = "print(1)\n2" } },
      { "run_code", { code = "!" } }, { "run_code", {} },
      { "run_code", { code = "print('x' * 50000)" } },
      { "run_shell", { command = "exit 3" } },
      { "run_shell", { command = "sleep 1", background = true } },
      { "files", { op = "write", path = "a", content = "b" } },
      { "files", { op = "read", path = "a" } }, { "files", { op = "list", path = "." } },
      { "files", { op = "read", path = "none" } }, { "read_output", { id = "o1" } } }) do
      case(open[call[1]].outputSchema, kit:call(call[1], call[2]).structured, true)
    end
    kit:close()
    check("jsonschema", { schemas = all, cases = cases })
  end)

  it("are what the SDKs of the providers take, messages too #slow", function()
    if not install("openai anthropic google-genai mcp") then
      return pending("the package index does not answer")
    end
    local kit = codecell.tools.kit {}
    kit:call("run_code", { code = picture(2, 2) })
    local given = given_of(kit)
    kit:close()
    assert.equal("image_url", given.openai_messages[3].content[2].type)
    for _, kind in ipairs({ "openai", "anthropic", "gemini", "mcp" }) do
      check(kind, given)
    end
  end)
end)
