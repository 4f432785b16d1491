local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local unicode = require "codecell.agent.unicode"

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

  it("that are no contexts raise, and are not looked for", function()
    for _, wrong in ipairs({ 5, true, {}, { id = 5 }, "a\nb", print }) do
      local messages = { raised(function()
        local x = sandbox():restart_code_context(wrong)
        return x
      end), raised(function()
        local x = sandbox():remove_code_context(wrong)
        return x
      end), raised(function()
        local x = sandbox():run_code("1", { context = wrong })
        return x
      end) }
      assert.equal(3, #messages)
    end
    assert.truthy(raised(function()
      local x = sandbox():remove_code_context()
      return x
    end):find("context or its id expected, got nil", 1, true))
  end)

  it("that no number of bytes or of a process can be are answered like others", function()
    assert.is_false(sandbox().commands:kill(1e300))
    local _, err = sandbox().commands:connect(1e300)
    assert.equal("not_found", err.kind)
    raised(function()
      local x = sandbox().files:read("a", { offset = 1e300 })
      return x
    end)
  end)

  it("stand in messages in one line, and not without end", function()
    local long = ("ü"):rep(500000)
    for _, message in ipairs({
      raised(function()
        local x = sandbox():run_code("1", { language = "a\r\nb" })
        return x
      end),
      raised(function()
        local x = codecell.create({ ["a\nb"] = 1 })
        return x
      end),
      raised(function()
        local x = sandbox().commands:kill(1, long)
        return x
      end),
      tostring(select(2, codecell.connect(long))),
      tostring(select(2, codecell.create({ template = long }))),
      tostring(select(2, sandbox():restart_code_context(long))),
    }) do
      assert.is_nil(message:find("%c"), message)
      assert.is_true(#message < 2500)
      assert.is_nil(unicode.invalid(message))
    end
  end)

  it("need a colon, and what was called on something else says so", function()
    local one = sandbox()
    local function colon(called, spelled)
      local message = raised(function()
        local x = called("1")
        return x
      end)
      assert.truthy(message:find("call it with a colon, " .. spelled, 1, true), message)
    end
    for _, verb in ipairs({ "run_code", "start_code", "get_info", "get_host", "pause", "kill",
      "is_running", "close", "install" }) do
      colon(one[verb], "sandbox:" .. verb .. "(...)")
    end
    for part, verb in pairs({ files = "read", commands = "run", pty = "create", git = "init" }) do
      colon(one[part][verb], ("sandbox.%s:%s(...)"):format(part, verb))
    end
    local process = codecell.assert(one.commands:run("true", { background = true }))
    colon(process.wait, "process:wait(...)")
    process:close()
    local watcher = codecell.assert(one.files:watch_dir("."))
    colon(watcher.read, "watcher:read(...)")
    watcher:close()
  end)

  it("blame the caller of a part of a closed sandbox too", function()
    local ended = codecell.assert(codecell.create())
    ended:close()
    for _, verb in ipairs({ "run", "kill", "connect", "close_stdin" }) do
      assert.truthy(raised(function()
        local x = ended.commands[verb](ended.commands, verb == "run" and "true" or 1)
        return x
      end):find(verb .. ": sandbox is closed", 1, true))
    end
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
