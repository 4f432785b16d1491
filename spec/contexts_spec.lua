-- Contexts: the sessions of a sandbox, from their first cell to their end.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local function names(sandbox)
  local list = {}
  for i, context in ipairs(sandbox:list_code_contexts()) do
    list[i] = context.language
  end
  return list
end

local function with_sandbox(body)
  local sandbox = codecell.assert(codecell.create())
  body(sandbox, function(code, options)
    return codecell.assert(sandbox:run_code(code, options))
  end)
  sandbox:close()
end

describe("contexts from the start #user", function()
  it("are those of Python and JavaScript, without a process", function()
    with_sandbox(function(sandbox)
      local processes = codecell.assert(sandbox:get_metrics()).processes
      assert.same({ "python", "javascript" }, names(sandbox))
      assert.equal(processes, codecell.assert(sandbox:get_metrics()).processes)
      assert.equal("/home/user", sandbox:list_code_contexts()[1].cwd)
    end)
  end)

  it("are joined by the default one of another language at its first use", function()
    with_sandbox(function(sandbox, run)
      local own = codecell.assert(sandbox:create_code_context({ language = "py" }))
      local first = run("print 1", { language = "perl" })
      assert.same({ "python", "javascript", "python", "perl" }, names(sandbox))
      assert.equal(first.context, run("print 1", { language = "PL" }).context)
      assert.equal(own.id, sandbox:list_code_contexts()[3].id)
    end)
  end)

  it("once removed are not made again: code then needs a context", function()
    with_sandbox(function(sandbox, run)
      local default = sandbox:list_code_contexts()[1]
      local other = codecell.assert(sandbox:create_code_context())
      run("x = 1")
      assert.is_true(sandbox:remove_code_context(default))
      for _, options in ipairs({ {}, { language = "py" } }) do
        local execution, err = sandbox:run_code("x", options)
        assert.is_nil(execution)
        assert.equal("not_found", err.kind)
        assert.truthy(err.message:find("create_code_context", 1, true))
      end
      assert.equal("2", run("1 + 1", { context = other }).text)
      assert.same({ "javascript", "python" }, names(sandbox))
    end)
  end)
end)

describe("a context #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code, options)
    return codecell.assert(sandbox():run_code(code, options))
  end

  it("restarted keeps its id and its place, and loses variables and the folder it chose", function()
    local one = codecell.assert(sandbox():create_code_context({ cwd = "/tmp" }))
    local other = codecell.assert(sandbox():create_code_context())
    sandbox():set_envs({ OF_SANDBOX = "yes" })
    assert.equal("/tmp", run("x = 1\nimport os; os.getcwd()", { context = one }).text)
    local before = sandbox():list_code_contexts()
    assert.is_true(sandbox():restart_code_context(one))
    assert.same(before, sandbox():list_code_contexts())
    local execution = run("x", { context = one })
    assert.equal("NameError", execution.error.name)
    assert.equal(1, execution.execution_count)
    assert.is_false(execution.state_lost) -- it was asked for
    assert.equal("/home/user yes",
      run("import os; os.getcwd() + ' ' + os.environ['OF_SANDBOX']", { context = one }).text)
    sandbox():remove_code_context(one)
    sandbox():remove_code_context(other)
  end)

  it("runs while another one runs", function()
    local context = codecell.assert(sandbox():create_code_context())
    local wait_for = "import os, time\nopen('%s', 'w').close()\n"
      .. "while not os.path.exists('%s'): time.sleep(0.005)\n'met'"
    local one = codecell.assert(sandbox():start_code(wait_for:format("a", "b")))
    local other = codecell.async(function()
      return run(wait_for:format("b", "a"), { context = context })
    end)
    assert.equal("met", codecell.assert(one:wait(20)).text)
    assert.equal("met", other:wait(20).text)
    sandbox():remove_code_context(context)
  end)

  it("that was killed is replaced once: the next run works, says so, and runs once #J15 #M11",
    function()
      run("x = 1\nimport os")
      local gone = "kill -9 %s; while kill -0 %s; do sleep 0.01; done"
      codecell.assert(sandbox().commands:run((gone:gsub("%%s", run("os.getpid()").text))))
      local execution = run("open('runs', 'a').write('ran ')\n'x' in globals()")
      assert.is_nil(execution.error)
      assert.is_true(execution.state_lost)
      assert.equal("False", execution.text)
      assert.equal("ran ", run("open('runs').read()").text)
      assert.is_false(run("1").state_lost)
    end)

  it("that ends itself says so, and so does the next run, which works #J15", function()
    local execution = run("x = 2\nopen('ended', 'a').write('once')\nimport os; os._exit(1)")
    assert.equal("KernelDiedError", execution.error.name)
    assert.is_true(execution.state_lost)
    execution = run("open('ended').read()")
    assert.equal("once", execution.text)
    assert.is_true(execution.state_lost)
    assert.is_false(run("1").state_lost)
  end)

  it("starts again where it was made for when it has died", function()
    local context = codecell.assert(sandbox():create_code_context({ cwd = "/tmp" }))
    run("import os; os._exit(1)", { context = context })
    assert.equal("/tmp", run("import os; os.getcwd()", { context = context }).text)
  end)
end)

-- Kernels that say what the real ones do not, in the frames of src/wire/protocol.h.
local KERNEL = [[
import os, struct
def parts(**named):
    data = b''
    for name, value in named.items():
        name, value = name.encode(), value.encode()
        data += struct.pack('<I', len(name)) + name + struct.pack('<I', len(value)) + value
    return data
def say(kind, request, **named):
    data = parts(**named)
    os.write(4, struct.pack('<IIQ', len(data), kind, request) + data)
def hear():
    head = b''
    while len(head) < 16: head += os.read(3, 16 - len(head)) or os._exit(0)
    size, kind, request = struct.unpack('<IIQ', head)
    while size: size -= len(os.read(3, size))
    return request if kind == 2 else hear()
]]

describe("a kernel #user", function()
  local sandbox = one_sandbox(teardown)

  local function register(name, code)
    codecell.languages.register({ name = name, programs = { "python3" },
      arguments = function(program) return { program, "-S", "-c", KERNEL .. code } end })
  end

  it("that can run no code makes the call unsupported, with what to install", function()
    register("refusing", "say(16, 0, unsupported='install a\\nthing')\nhear()\nhear()")
    for _ = 1, 2 do
      local execution, err = sandbox():run_code("1", { language = "refusing" })
      assert.is_nil(execution)
      assert.equal("unsupported", err.kind)
      assert.equal("refusing: install a thing", err.message)
      assert.equal("install a thing", err.hint)
    end
  end)

  it("is heard once: what code says in its name later is nothing", function()
    register("forging", [[
say(16, 0, version='7.1')
while True:
    request = hear()
    say(16, 0, unsupported='forged', version='forged')
    say(17, request, text='first', main='1')
    say(17, request, text='shown')
    say(17, request, text='second', main='1')
    say(19, request, execution_count='1')]])
    for _ = 1, 2 do
      local execution = codecell.assert(sandbox():run_code("1", { language = "forging" }))
      assert.equal("first", execution.text) -- that of the first main result
      assert.equal(3, #execution.results)
    end
    for _, language in ipairs(codecell.languages.list()) do
      assert.truthy(language.name ~= "forging" or language.version == "7.1")
    end
  end)

  it("counts, and names lines, in whole numbers or not at all", function()
    register("counting", [[
say(16, 0, version='1')
for number in '12', 'nan', 'inf', '0x10', '1e999', '9' * 99:
    request = hear()
    say(18, request, name='E', line=number)
    say(19, request, execution_count=number)]])
    for i = 1, 6 do
      local execution = codecell.assert(sandbox():run_code("1", { language = "counting" }))
      assert.equal(i == 1 and 12 or 0, execution.execution_count)
      assert.equal(i == 1 and 12 or nil, execution.error.line)
    end
  end)
end)

describe("what a kernel cuts #user", function()
  it("is said in execution.truncated, in every language", function()
    local sandbox = codecell.assert(codecell.create())
    for language, code in pairs({ python = "for i in range(1500): display(i)",
      javascript = "for (let i = 0; i < 1500; i++) display(i)",
      lua = "for i = 1, 1500 do display(i) end" }) do
      if codecell.languages.program(language) then
        local execution = codecell.assert(sandbox:run_code(code, { language = language }))
        assert.is_true(#execution.results < 1500, language)
        assert.is_true(execution.truncated.results.unknown, language)
        execution = codecell.assert(sandbox:run_code("1 + 1", { language = language }))
        assert.is_nil(execution.truncated, language)
      end
    end
    sandbox:close()
  end)
end)

describe("a callback that raises after it has waited #user", function()
  local sandbox = one_sandbox(teardown)

  local function waits_and_raises()
    sandbox().files:exists("anything")
    error("late", 0)
  end

  it("ends the run of start_code, whose wait and poll raise it", function()
    local run = codecell.assert(sandbox():start_code("print('x', flush=True)\nwhile True: pass",
      { on_stdout = waits_and_raises }))
    assert.has_error(function() run:wait(20) end, "late")
    assert.has_error(function() run:poll() end, "late")
    assert.equal("2", codecell.assert(sandbox():run_code("1 + 1")).text)
  end)

  it("is raised by wait also when the code has ended before", function()
    local run = codecell.assert(sandbox():start_code("print('x')",
      { on_stdout = waits_and_raises }))
    assert.has_error(function()
      run:wait(20)
      for _ = 1, 100 do
        codecell.step(0.05)
        run:poll()
      end
    end, "late")
  end)

  it("ends a background command, whose wait raises it", function()
    local process = codecell.assert(sandbox().commands:run("echo x; exec sleep 60",
      { background = true, on_stdout = waits_and_raises }))
    assert.has_error(function() process:wait(20) end, "late")
    process:close()
  end)
end)
