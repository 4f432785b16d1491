-- The tools of a model: called, answered, and what goes wrong with them.
local codecell = require "codecell"
local json = require "codecell.json"
local package_index = require "spec.support.package_index"
local wait_until = require "spec.support.wait_until"

local function kit_of(given)
  local kit = codecell.tools.kit(given)
  return kit, function() kit:close() end
end

describe("a kit of tools #A03", function()
  local index = package_index.new(setup, teardown)
  local kit, close
  setup(function()
    kit, close = kit_of()
  end)
  teardown(function()
    close()
  end)

  it("has five tools, and makes nothing before one is called", function()
    local idle = codecell.tools.kit {}
    assert.same({ "run_code", "run_shell", "files", "install", "read_output" }, idle:names())
    assert.equal(5, #idle:schemas("openai"))
    assert.is_nil(idle.place.made)
    idle:close()
  end)

  it("leaves no sandbox behind that was being made when it was closed", function()
    local before, own = #codecell.list(), codecell.tools.kit {}
    local call = codecell.async(own.call, own, "run_code", { code = "1" })
    own:close()
    assert.equal("cancelled", call:wait(20).err.kind)
    assert.equal(before, #codecell.list())
    assert.equal("2", own:call("run_code", { code = "1 + 1" }).execution.text) -- made anew
    own:close()
  end)

  it("is not made for a backend that there is none of", function()
    local ok, message = pcall(codecell.tools.kit, { create = { backend = "nowhere" } })
    assert.is_false(ok)
    assert.truthy(message:find('tools.kit: unknown backend "nowhere"', 1, true))
    assert.has_error(function() codecell.tools.kit({ buget = {} }) end)
    assert.has_error(function() codecell.tools.kit({ set = "all" }) end)
  end)

  describe("run_code", function()
    it("tells what was printed, the value, and the error, and keeps variables", function()
      local told = kit:call("run_code", { code = "x = 20\nprint('printed')\nx + 1",
        intent = "to see" })
      assert.is_false(told.is_error)
      assert.same({ "printed\n", "21" }, { told.structured.stdout .. "\n",
        told.structured.results[1] })
      assert.truthy(told.text:find("```text\nprinted\n```", 1, true))
      assert.equal("21", told.execution.text)
      told = kit:call("run_code", { code = "x / 0" })
      assert.is_true(told.is_error)
      assert.equal("runtime", told.word)
      assert.truthy(told.text:find("ZeroDivisionError", 1, true))
      assert.truthy(told.text:find("mend the code", 1, true))
    end)

    it("names the files that were changed", function()
      local told = kit:call("run_code", { code = "_ = open('made.txt', 'w').write('x')" })
      assert.truthy(told.structured.files_changed[1].path:find("made.txt", 1, true))
    end)

    it("takes arguments as JSON, and a language by another name", function()
      local told = kit:call("run_code", '{"code": "6 * 7", "language": "js", "intent": null}')
      assert.equal("42", told.structured.results[1])
      assert.equal("javascript", told.structured.language)
    end)

    it("hands on what is printed as it comes, and lets the host stop it", function()
      local seen = {}
      local told = kit:call("run_code", { code = "print('a', flush=True)\nwhile True: pass" }, {
        on_stdout = function(text) seen[#seen + 1] = text end, timeout = 60,
        run = function(run)
          codecell.async(function()
            wait_until(function() return seen[1] ~= nil end)
            run:kill("sigint")
          end)
        end })
      assert.equal("a\n", table.concat(seen))
      assert.is_true(told.is_error)
      assert.truthy(told.text:find("KeyboardInterrupt", 1, true))
    end)

    it("is interrupted with the task that waits for it", function()
      local seen, told = nil, nil
      local task = codecell.async(function()
        told = kit:call("run_code", { code = "print('a', flush=True)\nwhile True: pass" },
          { on_stdout = function(text) seen = text end })
      end)
      wait_until(function() return seen ~= nil end)
      task:cancel()
      wait_until(function() return told ~= nil end)
      assert.equal("cancelled", told.word)
      assert.equal("2", kit:call("run_code", { code = "1 + 1" }).structured.results[1])
    end)

    it("ends at the timeout of the host", function()
      local told = kit:call("run_code", { code = "while True: pass" }, { timeout = 0.3 })
      assert.equal("timeout", told.word)
      assert.is_nil(told.structured.error.hint:find("longer", 1, true)) -- it cannot ask for that
    end)
  end)

  describe("run_shell", function()
    it("tells output and exit status", function()
      local told = kit:call("run_shell", { command = "echo out; echo err >&2; exit 3" })
      assert.same({ "out", "err", 3 }, { told.structured.stdout, told.structured.stderr,
        told.structured.exit_code })
      assert.equal("exit", told.word)
      assert.equal(3, told.command.exit_code)
      assert.is_false(kit:call("run_shell", { command = "true" }).is_error)
    end)

    it("can be ended by the host", function()
      local seen, killable = {}, nil
      local told = kit:call("run_shell", { command = "echo a; sleep 100" }, {
        on_stdout = function(text)
          seen[#seen + 1] = text
          killable:kill("sigterm", { group = true })
        end,
        run = function(process) killable = process end })
      assert.equal("a\n", table.concat(seen))
      assert.equal("SIGTERM", told.command.signal)
      assert.truthy(told.text:find("ended by SIGTERM", 1, true))
      assert.equal("timeout", kit:call("run_shell", { command = "sleep 100" },
        { timeout = 0.2, run = function() end }).word)
    end)

    it("ends with the task that waits for it", function()
      local told, seen
      local task = codecell.async(function()
        told = kit:call("run_shell", { command = "echo a; exec sleep 99" },
          { on_stdout = function(text) seen = text end })
      end)
      wait_until(function() return seen ~= nil end)
      task:cancel()
      wait_until(function() return told ~= nil end)
      assert.equal("cancelled", told.word)
      wait_until(function()
        return kit:call("run_shell", { command = "pgrep -f 'sleep 9[9]'" }).command.exit_code == 1
      end)
    end)

    it("runs on in the background, is read by read_output, and ends by kill", function()
      local told = kit:call("run_shell", { background = true,
        command = "echo one; until test -e go; do sleep 0.02; done; echo two; exec sleep 100" })
      local id, all = told.structured.id, told.structured.stdout
      local offset = told.structured.next_offset
      kit:call("run_shell", { command = "touch go" })
      wait_until(function()
        local more = kit:call("read_output", { id = id, offset = offset })
        all = all .. more.structured.text
        offset = more.structured.next_offset
        return all:find("two", 1, true) ~= nil
      end)
      assert.truthy(all:find("one", 1, true))
      kit:call("run_shell", { command = "kill " .. told.structured.pid })
      wait_until(function()
        return kit:read_output(id, offset):find("ended by SIGTERM", 1, true) ~= nil
      end)
    end)

    it("tells at once how a background command has failed", function()
      local told = kit:call("run_shell", { background = true, command = "no-such-program" })
      local id = told.structured.id
      wait_until(function()
        return kit:read_output(id):find("exit status 127", 1, true) ~= nil
      end)
      assert.truthy(kit:read_output(id):find("not found", 1, true))
    end)
  end)

  describe("files", function()
    local function call(given)
      return kit:call("files", given)
    end

    it("writes, reads, edits, lists, moves and deletes", function()
      assert.equal("/home/user/notes/a.txt",
        call({ op = "write", path = "notes/a.txt", content = "one two\n" }).structured.path)
      assert.equal("one two\n", call({ op = "read", path = "notes/a.txt" }).structured.text)
      assert.is_false(call({ op = "edit", path = "notes/a.txt", old_text = "two",
        new_text = "2%1" }).is_error)
      assert.equal("one 2%1\n", call({ op = "read", path = "notes/a.txt" }).structured.text)
      assert.is_false(call({ op = "make_dir", path = "notes/more" }).is_error)
      assert.same({ "a.txt", "more" }, { call({ op = "list", path = "notes" })
        .structured.entries[1].name, call({ op = "list", path = "notes" })
        .structured.entries[2].name })
      assert.is_false(call({ op = "move", path = "notes/a.txt", to = "b.txt" }).is_error)
      assert.is_false(call({ op = "delete", path = "b.txt" }).is_error)
      assert.equal("not_found", call({ op = "read", path = "b.txt" }).word)
    end)

    it("says what is missing or in the way", function()
      call({ op = "write", path = "c.txt", content = "same same" })
      for field, given in pairs({
        content = { op = "write", path = "d.txt" },
        ["new path"] = { op = "move", path = "c.txt" },
        old_text = { op = "edit", path = "c.txt" },
        ["more than once"] = { op = "edit", path = "c.txt", old_text = "same", new_text = "" },
        ["does not stand"] = { op = "edit", path = "c.txt", old_text = "else", new_text = "" },
      }) do
        local told = call(given)
        assert.is_true(told.is_error)
        assert.truthy(told.text:find(field, 1, true), told.text)
      end
      assert.truthy(call({ op = "write", path = "e.txt", content = "" }).structured.success)
    end)

    it("reads a long file piece by piece", function()
      local lines = {}
      for i = 1, 4000 do
        lines[i] = ("line %d \195\169"):format(i)
      end
      local whole, pieces, offset = table.concat(lines, "\n"), {}, 0
      call({ op = "write", path = "long.txt", content = whole })
      repeat
        local told = call({ op = "read", path = "long.txt", offset = offset })
        pieces[#pieces + 1] = told.structured.text
        offset = told.structured.next_offset
      until not offset
      assert.equal(whole, table.concat(pieces))
      assert.is_true(#pieces > 4)
    end)

    it("shows a picture, and says what other bytes are", function()
      kit:call("run_code", { code = [[
import struct, zlib
def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
open("a.png", "wb").write(b"\x89PNG\r\n\x1a\n"
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0))
    + chunk(b"IDAT", zlib.compress(b"\0" * (91 * 20))) + chunk(b"IEND", b""))]] })
      local told = call({ op = "read", path = "a.png" })
      assert.same({ "image", "image/png", 30, 20 }, { told.parts[2].type, told.parts[2].mime,
        told.parts[2].width, told.parts[2].height })
      call({ op = "write", path = "a.bin", content = ("\0\1\2"):rep(10) })
      assert.truthy(call({ op = "read", path = "a.bin" }).text:find("binary data", 1, true))
    end)
  end)

  it("shows no secret of a file either, wherever it is read from", function()
    local own, done = kit_of({ create = { secrets = { KEY = "hunter2-correct-horse" } } })
    own:call("run_code",
      { code = "import os\nopen('f', 'w').write('a' * 50 + os.environ['KEY'] + 'b' * 50)" })
    assert.equal(("a"):rep(50) .. "***" .. ("b"):rep(50),
      own:call("files", { op = "read", path = "f" }).structured.text)
    for offset = 40, 80 do
      local text = own:call("files", { op = "read", path = "f", offset = offset }).structured.text
      assert.equal((("a"):rep(50) .. "***" .. ("b"):rep(50)):sub(offset + 1), text)
    end
    done()
  end)

  it("installs packages, and says which there are none of #once", function()
    if package_index.needs_pip(pending) then
      return
    end
    local own, done = kit_of({ sandbox = index.create() })
    local told = own:call("install", { packages = { "alpha" } })
    assert.is_false(told.is_error, told.text)
    assert.equal("alpha", told.structured.packages[1].name)
    assert.is_false(own:call("run_code", { code = "import alpha" }).is_error)
    told = own:call("install", { packages = "no-such-package" })
    assert.equal("install", told.word)
    assert.truthy(told.text:find("no-such-package", 1, true))
    done()
  end)

  it("makes one sandbox, however many call at the same time", function()
    local own, done = kit_of()
    local ids, tasks = {}, {}
    for i = 1, 4 do
      tasks[i] = codecell.async(function()
        ids[own:call("run_shell", { command = "echo " .. i }).structured.stdout] = own.place.made.id
      end)
    end
    for _, task in ipairs(tasks) do
      task:wait()
    end
    assert.same({ ids["1"], ids["1"], ids["1"] }, { ids["2"], ids["3"], ids["4"] })
    done()
  end)

  it("tells that its sandbox has ended and that another has taken its place", function()
    local own, done = kit_of()
    own:call("run_code", { code = "kept = 1" })
    own.place.made:kill()
    local told = own:call("run_code", { code = "kept" })
    assert.equal(1, told.text:find("Note: the sandbox had ended", 1, true))
    assert.truthy(told.text:find("NameError", 1, true))
    assert.is_nil(own:call("run_code", { code = "1" }).text:find("had ended", 1, true))
    done()
  end)

  it("works in a sandbox that is given, or that a function gives", function()
    local sandbox = codecell.assert(codecell.create())
    assert.equal("1", codecell.tools.kit({ sandbox = sandbox }):call("run_code",
      { code = "kept = 1\nkept" }).structured.results[1])
    local own = codecell.tools.kit({ sandbox = function() return sandbox end })
    assert.equal("1", own:call("run_code", { code = "kept" }).structured.results[1])
    own:close()
    assert.is_true(sandbox:is_running())
    sandbox:close()
    own = codecell.tools.kit({ sandbox = function()
      return nil, require("codecell.errors").new("unavailable", "there is none today")
    end })
    assert.truthy(own:call("run_shell", { command = "true" }).text:find("none today", 1, true))
  end)

  it("works by a service, with its sandboxes, its rates and its words", function()
    local service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0,
      rate_limit_per_min = 3, log_level = "error" }))
    local ann = codecell.tools.kit({ service = service, user = "ann", session = "s" })
    local ben = codecell.tools.kit({ service = service, user = "ben", session = "s" })
    ann:call("run_code", { code = "kept = 1" })
    assert.equal("1", ann:call("run_code", { code = "kept" }).structured.results[1])
    assert.truthy(ben:call("run_code", { code = "kept" }).text:find("NameError", 1, true))
    assert.is_false(ann:call("files", { op = "write", path = "a", content = "" }).is_error)
    local told
    for _ = 1, 20 do
      told = told and told.is_error and told or ann:call("run_code", { code = "kept" })
    end
    assert.equal("rate_limited", told.word)
    assert.equal(2, #service:list())
    service:close()
  end)

  it("tells the host of each call", function()
    local events = {}
    local own, done = kit_of({ create = { backend = "mock" },
      on_event = function(event) events[#events + 1] = event end })
    own:call("run_code", '{"code":"1"}')
    done()
    assert.same({ "call", "result" }, { events[1].type, events[2].type })
    assert.same({ code = "1" }, events[1].arguments)
    assert.equal("run_code", events[2].result.name)
  end)
end)

describe("the policy of a kit", function()
  local function kit_with(policy)
    return codecell.tools.kit({ create = { backend = "mock" }, user = "ann",
      policy = codecell.policy.new(policy) })
  end

  it("is asked before each verb, and its reason reaches the model", function()
    local kit = kit_with({ mode = "auto", rules = {
      { "deny", verb = "shell", because = "no commands here" },
      { "deny", verb = "write", path = "/home/user/keep/**", because = "keep is kept" },
      { "deny", verb = "install", package = "evil*", because = "evil" } } })
    for reason, call in pairs({
      ["no commands here"] = { "run_shell", { command = "ls" } },
      ["keep is kept"] = { "files", { op = "delete", path = "/home/user/keep/a" } },
    }) do
      local told = kit:call(call[1], call[2])
      assert.equal("denied", told.word, told.text)
      assert.truthy(told.text:find(reason, 1, true), told.text)
    end
    assert.is_false(kit:call("run_code", { code = "1" }).is_error)
    assert.is_true(kit:call("files", { op = "move", path = "a", to = "keep/b" }).is_error)
  end)

  it("may change the code, and the model is told what ran", function()
    local kit = kit_with({ mode = "ask", approve = function()
      return "edit", "2"
    end })
    local told = kit:call("run_code", { code = "1" })
    assert.is_false(told.is_error, told.text)
    assert.truthy(told.text:find("changed the code", 1, true))
    assert.truthy(told.text:find("```text\n2\n```", 1, true))
  end)

  it("holds for the sets of others too", function()
    local policy = codecell.policy.new({ mode = "auto",
      rules = { { "deny", verb = { "run", "shell" }, because = "not now" } } })
    for name, call in pairs({
      actions = { "e2b_code", { action = "execute", sessionId = "a", code = "1" } },
      cortex = { "execute_python_code", { code = "1" } },
    }) do
      local told = codecell.tools.kit({ set = name, policy = policy }):call(call[1], call[2])
      assert.equal("denied", told.word)
      assert.truthy(told.text:find("not now", 1, true))
    end
  end)

  it("sees the fields of an action as the action reads them", function()
    local policy = codecell.policy.new({ mode = "auto", rules = {
      { "deny", language = "bash" }, { "deny", path = "~/.ssh" }, { "deny", package = "evil" },
      { "deny", env = "KEY" }, { "deny", verb = "run", language = "python" } } })
    local service = codecell.assert(codecell.service({ mode = "mock" }))
    local kit = codecell.tools.kit({ set = "actions", policy = policy, service = service,
      session = "a" })
    local null = codecell.json.null
    codecell.assert(service:create({ key = "a" }))
    for i, given in ipairs({
      { action = "execute", code = "1", language = null },
      { action = "execute", Code = "1" },
      { action = "execute", code = "ls", Language = "sh" },
      { action = "execute", code = "ls", language = "lua", envs = { KEY = "1" } },
      { action = "shell", command = "ls" },
      { action = "read_file", filePath = null, path = "/home/user/.ssh/id" },
      { action = "read_file", FilePath = "/home/user/.ssh/id", path = "/tmp" },
      { action = "install", packages = { "six" }, code = "evil" },
      { action = "install", code = "six evil" },
      { action = "create", envs = { KEY = "1" } },
    }) do
      local told = kit:call("e2b_code", given)
      assert.equal("denied", told.word, i .. ": " .. told.text)
    end
    kit:close()
    service:close()
  end)

  it("is told where the log of a server is written, whatever folder it runs in #S107", function()
    local policy = codecell.policy.new({ mode = "auto", rules = { { "deny", path = "~/.ssh" } } })
    local service = codecell.assert(codecell.service({ mode = "mock" }))
    local kit = codecell.tools.kit({ set = "actions", policy = policy, service = service,
      session = "a" })
    codecell.assert(service:create({ key = "a" }))
    for i, given in ipairs({ { logFile = "/home/user/.ssh/id" }, { logFile = "~/.ssh/id" },
      { logFile = ".ssh/id" }, { cwd = "/home/user/.ssh", logFile = "id" },
      { cwd = ".ssh", logFile = "./id" }, { cwd = "~/.ssh/x", logFile = "../id" } }) do
      given.action, given.command, given.port = "start_server", "ls", 1
      local told = kit:call("e2b_code", given)
      assert.equal("denied", told.word, i .. ": " .. told.text)
    end
    kit:close()
    service:close()
  end)

  it("judges a command as code of the shell #S107", function()
    local told = kit_with({ mode = "auto", rules = { { "deny", language = "bash" } } })
      :call("run_shell", { command = "ls" })
    assert.equal("denied", told.word, told.text)
  end)

  it("is not passed by with a package that is null", function()
    local policy = codecell.policy.new({ mode = "auto", rules = { { "deny", verb = "run" } } })
    local told = codecell.tools.kit({ set = "cortex", policy = policy }):call(
      "execute_python_code", '{"code":"1","install_packages":null,"timeout":null}')
    assert.equal("denied", told.word, told.text)
  end)
end)

describe("a wrong call", function()
  local kit, close
  setup(function()
    kit, close = kit_of({ create = { backend = "mock" } })
  end)
  teardown(function()
    close()
  end)

  local function refusal(name, given)
    local told = kit:call(name, given)
    assert.is_true(told.is_error)
    assert.is_false(told.structured.success)
    assert.equal(told.text, told.parts[1].text)
    return told.text
  end

  it("names the nearest tool, and those there are", function()
    local text = refusal("run_cod", {})
    assert.truthy(text:find("did you mean run_code?", 1, true))
    assert.truthy(text:find("run_shell, files", 1, true))
    assert.truthy(refusal(nil, {}):find("without a name", 1, true))
    assert.truthy(refusal(("x"):rep(1e6), {}):find("there is no tool", 1, true))
  end)

  it("names the argument, what it has to be, and all there are", function()
    for text, given in pairs({
      ["did you mean code?"] = { cod = "1" },
      ["code is required"] = {},
      ["code: a text expected, got a list"] = { code = { "a" } },
      ["language: one of python, javascript (did you mean python?) expected"] =
        { code = "1", language = "pythn" },
      ["there is no argument \"network\""] = { code = "1", network = "open" },
      ["no JSON"] = '{"code": "1"',
      ["an object of arguments expected, got a list"] = "[1]",
      ["got \"x\""] = '"x"',
      ["{code, language?, intent?}"] = { code = json.null },
    }) do
      local found = refusal("run_code", given)
      assert.truthy(found:find(text, 1, true), found)
    end
    assert.truthy(refusal("files", { op = "read", path = "a\0b" }):find("without NUL", 1, true))
    assert.truthy(refusal("files", { op = "read", path = "a", offset = -1 })
      :find("whole number", 1, true))
    assert.truthy(refusal("read_output", { id = "o7" }):find("no output", 1, true))
  end)

  it("sets nothing of the host: no network, no time, no limits, no identity", function()
    for _, name in ipairs({ "network", "timeout", "limits", "user", "session", "sandbox", "envs",
      "memory", "template", "mounts", "packages_index", "policy" }) do
      assert.truthy(refusal("run_code", { code = "1", [name] = "x" }):find(name, 1, true))
    end
  end)
end)
