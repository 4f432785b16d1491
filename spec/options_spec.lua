local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

-- The message, which must name this file as the culprit.
local function raised(called, ...)
  local ok, message = pcall(called, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find("options_spec.lua:%d+:"), tostring(message))
  return message
end

describe("options of create", function()
  local function create(options)
    return raised(function()
      local sandbox = codecell.create(options)
      return sandbox
    end)
  end

  it("raise for an unknown key, with the nearest valid one", function()
    assert.truthy(create({ time_out = 5 }):find('did you mean "timeout"', 1, true))
    assert.truthy(create({ limits = { memroy = 5 } }):find('did you mean "memory"', 1, true))
    assert.truthy(create({ zzzzzzz = 5 }):find("options are", 1, true))
    assert.truthy(create({ "python" }):find("options have names", 1, true))
  end)

  it("raise for a wrong type", function()
    create("x")
    create({ timeout = "10" })
    create({ envs = "A=1" })
    create({ envs = { A = 1 } })
    create({ envs = { "A" } })
    create({ metadata = { user = 1 } })
    create({ limits = 12 })
    create({ limits = { memory = "1G" } })
    create({ name = 1 })
    create({ cwd = true })
    create({ warm = "yes" })
    create({ on_event = "x" })
    create({ languages = "python" })
    create({ network = 3 })
  end)

  it("raise for a number out of range", function()
    for _, name in ipairs({ "memory", "processes", "disk", "files", "output", "cpu", "code" }) do
      for _, value in ipairs({ -1, 0, 0 / 0, math.huge, -math.huge, 1e300 }) do
        create({ limits = { [name] = value } })
      end
    end
    create({ limits = { processes = 32.5 } })
  end)

  it("raise for a variable's name with '=', NUL or line ends, and for NUL in its value", function()
    create({ envs = { ["A=B"] = "x" } })
    create({ envs = { ["A\0"] = "x" } })
    create({ envs = { ["A\n"] = "x" } })
    create({ envs = { [""] = "x" } })
    create({ envs = { A = "x\0y" } })
  end)

  it("raise for NUL, CR or LF in a name or in metadata", function()
    create({ name = "a\nb" })
    create({ name = "a\rb" })
    create({ name = "a\0b" })
    create({ metadata = { user = "a\nb" } })
    create({ backend = "lo\ncal" })
  end)

  it("raise for a choice that is none", function()
    create({ on_timeout = "explode" })
    create({ network = "wide open" })
  end)
end)

describe("arguments of verbs", function()
  local sandbox = one_sandbox(teardown)

  it("blame the caller", function()
    raised(function()
      local x = sandbox():run_code(nil)
      return x
    end)
    raised(function()
      local x = sandbox():run_code("1", { timeout = -1 })
      return x
    end)
    raised(function()
      local x = sandbox():run_code("1", { language = 5 })
      return x
    end)
    raised(function()
      local x = sandbox():run_code("1", { on_stdout = "print" })
      return x
    end)
    raised(function()
      local x = sandbox():run_code("1", { stdout = print })
      return x
    end)
    raised(function()
      local x = sandbox().commands:run(nil)
      return x
    end)
    raised(function()
      local x = sandbox().commands:run({})
      return x
    end)
    raised(function()
      local x = sandbox().commands:run("true\0false")
      return x
    end)
    raised(function()
      local x = sandbox().commands:run("true", { envs = { ["A=B"] = "1" } })
      return x
    end)
    raised(function()
      local x = sandbox().commands:run("true", { timeout = 0 })
      return x
    end)
    raised(function()
      local x = sandbox().commands:kill("1")
      return x
    end)
    raised(function()
      local x = sandbox().files:read("a\0b")
      return x
    end)
    raised(function()
      local x = sandbox().files:write("a", 5)
      return x
    end)
    raised(function()
      local x = sandbox():set_timeout(0)
      return x
    end)
    raised(function()
      local x = sandbox():set_envs({ ["A="] = "1" })
      return x
    end)
    raised(function()
      local x = sandbox():wait_port(0)
      return x
    end)
    raised(function()
      local x = sandbox():wait_port(80, -1)
      return x
    end)
    raised(function()
      local x = sandbox().pty:create({ rows = 0 })
      return x
    end)
  end)

  it("nothing is lost by them", function()
    assert.equal("2", codecell.assert(sandbox():run_code("1 + 1")).text)
  end)

  it("of module functions are checked too", function()
    raised(function()
      local x = codecell.kill(5)
      return x
    end)
    raised(function()
      local x = codecell.list({ limit = 0 })
      return x
    end)
    raised(function()
      local x = codecell.setup({ max_sandboxes = 0 })
      return x
    end)
    raised(function()
      local x = codecell.setup({ languages = { python = { path = "x" } } })
      return x
    end)
  end)
end)

describe("languages", function()
  it("say which interpreter there is, or how to get one", function()
    for _, language in ipairs(codecell.languages.list()) do
      assert.equal("string", type(language.name))
      assert.truthy(language.available and language.program or language.reason)
    end
  end)

  it("named by setup and missing are unsupported, with a hint", function()
    codecell.setup({ languages = { python = { program = "/nowhere/bin/python3" } } })
    local sandbox = codecell.assert(codecell.create())
    local execution, err = sandbox:run_code("1")
    codecell.setup({ languages = { python = { program = "/usr/bin/python3" } } })
    assert.is_nil(execution)
    assert.equal("unsupported", err.kind)
    assert.equal("string", type(err.hint))
    assert.equal("1", codecell.assert(sandbox:run_code("1")).text)
    sandbox:close()
  end)
end)
