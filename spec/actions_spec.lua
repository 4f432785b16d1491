-- The twelve actions, as a model calls them, over real sandboxes; some over the mock.
local base64 = require "codecell.base64"
local cjson = require "cjson"
local codecell = require "codecell"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local TWELVE = { "create", "list_sandboxes", "set_timeout", "kill", "execute", "shell",
  "kill_command", "write_file", "read_file", "install", "get_file_downloadurl", "get_host" }

describe("codecell.actions #user", function()
  local service, folder, sink

  setup(function()
    sink = codecell.log.sink
    codecell.log.sink = function() end
    folder = shell.folder()
    service = codecell.assert(codecell.service({ mode = "kernel", pool_size = 0,
      rate_limit_per_min = 0, max_active_sandboxes = 50, download_dir = folder .. "/downloads" }))
  end)

  teardown(function()
    service:close()
    shell.remove(folder)
    codecell.log.sink = sink
  end)

  local function call(request, ctx)
    ctx = ctx or {}
    ctx.service, ctx.user = ctx.service or service, ctx.user or "ann"
    local reply = codecell.actions.call(request, ctx)
    assert.equal("boolean", type(reply.success))
    assert.truthy(cjson.decode((assert(json.encode(reply)))))
    return reply
  end

  local function good(request, ctx)
    local reply = call(request, ctx)
    assert.is_nil(reply.error)
    assert.is_true(reply.success)
    assert.equal("string", type(reply.text))
    return reply
  end

  local function info(reply)
    return service:get(reply.sandboxId):get_info()
  end

  it("has one entry, and lists the actions where none is meant #F01", function()
    for _, request in ipairs({ { action = "nope" }, {}, { action = 7 } }) do
      local reply = call(request)
      assert.is_false(reply.success)
      for _, name in ipairs(TWELVE) do
        assert.truthy(reply.error:find(name, 1, true))
      end
    end
    assert.truthy(call({ action = "excute" }).error:find("Did you mean execute?", 1, true))
  end)

  it("fails with the documented words #F10 #F30 #F31 #F32 #J13", function()
    local reply = call({ action = "execute", sessionId = "my_unique_session_id" })
    assert.equal("Code is required for `execute` action.", reply.error)
    assert.equal("my_unique_session_id", reply.sessionId)
    assert.is_false(reply.success)
    assert.equal("invalid", reply.kind)
    assert.truthy(reply.hint)
  end)

  it("wants a session for all but the list, or one of the host #A03 #F03 #F34", function()
    for _, name in ipairs(TWELVE) do
      if name ~= "list_sandboxes" then
        local reply = call({ action = name, code = "1", command = "true", timeout = 1, port = 1,
          commandId = "x", filePath = "x", fileContent = "x" })
        assert.equal(("sessionId is required for `%s` action."):format(name), reply.error)
      end
    end
    assert.is_true(call({ action = "list_sandboxes" }).success)
    local made = good({ action = "create" }, { session = "bound" })
    assert.equal("bound", made.sessionId)
    assert.equal("bound", good({ action = "kill", sessionId = "other" },
      { session = "bound" }).sessionId)
  end)

  it("does the chat procedure: create, act, see, kill #F02 #F04 #F09 #F28", function()
    local made = good({ action = "create", sessionId = "chat", timeout = 60 })
    assert.equal(20, #made.sandboxId - 1)
    local again = good({ action = "create", sessionId = "chat" })
    assert.is_true(again.reused)
    assert.equal(made.sandboxId, again.sandboxId)
    local ran = good({ action = "execute", sessionId = "chat",
      code = "print('Hello from the sandbox!')" })
    assert.equal("Hello from the sandbox!\n", ran.output)
    assert.truthy(ran.text:find("Hello from the sandbox!", 1, true))
    good({ action = "kill", sessionId = "chat" })
    local gone = call({ action = "kill", sessionId = "chat" })
    assert.is_false(gone.success)
    assert.truthy(gone.error:find("not found", 1, true))
  end)

  it("counts lifetimes in minutes, 60 unless told #F05 #F08 #F33", function()
    assert.equal(7200, info(good({ action = "create", sessionId = "t1", timeout = 120 })).timeout)
    local made = good({ action = "create", sessionId = "t2" })
    assert.equal(3600, info(made).timeout)
    local moved = good({ action = "set_timeout", sessionId = "t2", timeout = 180 })
    assert.is_true(moved.expiresAt > made.expiresAt)
    assert.equal("Timeout is required for `set_timeout` action.",
      call({ action = "set_timeout", sessionId = "t2" }).error)
    assert.truthy(call({ action = "set_timeout", sessionId = "t2", timeout = 3600 }).error
      :find("minutes", 1, true))
    good({ action = "set_timeout", sessionId = "t2", timeout = 0.123 })
    local late = good({ action = "execute", sessionId = "t2", code = "1" })
    assert.truthy(late.warnings[1]:find("set_timeout", 1, true))
    good({ action = "kill", sessionId = "t1" })
    good({ action = "kill", sessionId = "t2" })
  end)

  it("lists what is the caller's, with its times #F07", function()
    local one = good({ action = "create", sessionId = "l1" }, { user = "lister" })
    good({ action = "create", sessionId = "l2" }, { user = "lister" })
    local list = good({ action = "list_sandboxes" }, { user = "lister" }).sandboxes
    assert.equal(2, #list)
    assert.equal("l1", list[1].sessionId)
    assert.equal(one.sandboxId, list[1].sandboxId)
    assert.truthy(list[1].startedAt:find("^%d%d%d%d%-%d%d%-%d%dT"))
    assert.is_true(list[1].expiresAt > list[1].startedAt)
    assert.equal("[]", assert(json.encode(
      call({ action = "list_sandboxes" }, { user = "nobody" }).sandboxes)))
    good({ action = "kill", sessionId = "l1" }, { user = "lister" })
    good({ action = "kill", sessionId = "l2" }, { user = "lister" })
  end)

  it("gives the same id under two users two sandboxes #F03 #I03", function()
    local ann = good({ action = "create", sessionId = "same" }, { user = "ann" })
    local ben = good({ action = "create", sessionId = "same" }, { user = "ben" })
    assert.not_equal(ann.sandboxId, ben.sandboxId)
    good({ action = "execute", sessionId = "same", code = "x = 'ann'" }, { user = "ann" })
    local reply = call({ action = "execute", sessionId = "same", code = "x" }, { user = "ben" })
    assert.equal("NameError: name 'x' is not defined", reply.error)
    good({ action = "kill", sessionId = "same" }, { user = "ben" })
    assert.truthy(service:get(ann.sandboxId))
    good({ action = "kill", sessionId = "same" }, { user = "ann" })
  end)

  describe("in one sandbox", function()
    setup(function()
      good({ action = "create", sessionId = "s", envs = { MY_VAR = "my_value" } })
    end)

    teardown(function()
      call({ action = "kill", sessionId = "s" })
    end)

    local function s(request)
      request.sessionId = "s"
      return call(request)
    end

    it("gives code the variables of create, and its own on top #F06 #F12 #F26", function()
      local code = "import os; print(os.environ.get('MY_VAR'), os.environ.get('MINE'))"
      assert.equal("my_value None\n", s({ action = "execute", code = code }).output)
      assert.equal("value 1\n", s({ action = "execute", code = code,
        envs = { MY_VAR = "value", MINE = 1 } }).output)
      assert.equal("my_value None\n", s({ action = "execute", code = code }).output)
    end)

    it("runs the languages of the documents #F11", function()
      assert.equal("1\n", s({ action = "execute", code = "print(1)" }).output)
      assert.equal("python", s({ action = "execute", code = "print(1)" }).language)
      assert.equal("2\n", s({ action = "execute", language = "shell", code = "echo 2" }).output)
      if codecell.languages.program("javascript") then
        assert.equal("3\n", s({ action = "execute", language = "javascript",
          code = "console.log(3)" }).output)
      end
      local reply = s({ action = "execute", language = "pyhton", code = "1" })
      assert.equal("invalid", reply.kind)
      assert.truthy(reply.error:find("python", 1, true))
    end)

    it("tells a failure of code as Name: message #J12", function()
      local reply = s({ action = "execute", code = "1/0" })
      assert.is_false(reply.success)
      assert.equal("ZeroDivisionError: division by zero", reply.error)
      assert.equal("runtime", reply.kind)
      assert.truthy(reply.traceback:find("Traceback", 1, true))
    end)

    it("gives pictures in base64, and all that JSON can hold #G19", function()
      local reply = s({ action = "execute",
        code = "class P:\n def _repr_png_(self): return b'\\x89PNG\\r\\n\\x1a\\n\\xff'\nP()" })
      assert.equal("\137PNG\r\n\26\n\255", base64.decode(reply.results[1].png))
      reply = s({ action = "execute", code = "print(b'\\xff'.decode('latin1'), float('nan'))" })
      assert.equal("ÿ nan\n", reply.output)
    end)

    it("runs commands, and tells how they end #F13 #F15 #F29", function()
      local reply = s({ action = "shell", command = "ls -la" })
      assert.equal(0, reply.exitCode)
      assert.truthy(reply.stdout:find("total", 1, true))
      assert.equal("string", type(reply.text))
      reply = s({ action = "shell", command = "echo $V; echo no >&2; exit 3", envs = { V = "7" } })
      assert.is_false(reply.success)
      assert.equal("7\n", reply.stdout)
      assert.equal("no\n", reply.stderr)
      assert.equal(3, reply.exitCode)
      assert.equal("exit", reply.kind)
    end)

    it("runs commands in the background, and ends them and theirs #F14 #F16 #F24", function()
      local started = s({ action = "shell", command = "echo on; sleep 61 & sleep 62; true",
        background = true })
      assert.truthy(started.commandId)
      local listed = s({ action = "command_list" }).commands
      assert.equal(started.commandId, listed[#listed].commandId)
      assert.is_true(listed[#listed].running)
      local logs
      repeat
        logs = s({ action = "command_logs", commandId = started.commandId }).output
        codecell.step(0.01)
      until logs ~= ""
      assert.equal("on\n", logs)
      assert.is_true(s({ action = "kill_command", commandId = started.commandId }).success)
      local left = s({ action = "shell", -- the last may take a moment to be gone
        command = "while pgrep -x sleep > /dev/null; do sleep 0.01; done; echo none" })
      assert.equal("none\n", left.stdout)
      assert.is_true(s({ action = "kill_command", commandId = started.commandId }).success)
      local wrong = s({ action = "kill_command", commandId = "made up" })
      assert.equal("not_found", wrong.kind)
    end)

    it("starts a server, and tells where it is #F23 #F24", function()
      local reply = s({ action = "start_server", port = 8080, logFile = "output.log",
        command = "python3 -m http.server 8080" })
      assert.is_true(reply.success)
      assert.equal(reply.host, s({ action = "get_host", port = 8080 }).host)
      local page = codecell.async(function()
        local response = assert(require("codecell.http").request({ url = "http://" .. reply.host }))
        local status = response.status
        response:close()
        return status
      end):wait(60)
      assert.equal(200, page)
      s({ action = "kill_command", commandId = reply.commandId })
    end)

    it("writes the log of a server where its policy was asked for it", function()
      local reply = s({ action = "start_server", port = 8082, logFile = "server.log", cwd = "/tmp",
        command = "echo begun; exec python3 -m http.server 8082" })
      assert.is_true(reply.success)
      local log = s({ action = "read_file", filePath = "/tmp/server.log" })
      assert.truthy(log.content:find("begun", 1, true))
      s({ action = "kill_command", commandId = reply.commandId })
    end)

    it("says what a server printed that does not come up", function()
      local reply = s({ action = "start_server", port = 8081, command = "echo broken; exit 1" })
      assert.is_false(reply.success)
      assert.truthy(reply.error:find("8081", 1, true))
      assert.truthy(reply.error:find("exit code 1; it printed: broken", 1, true))
    end)

    it("writes and reads files, empty and binary too #F17 #F18", function()
      s({ action = "write_file", filePath = "/home/user/a/test.txt",
        fileContent = "Hello, world!" })
      assert.equal("Hello, world!", s({ action = "read_file",
        filePath = "/home/user/a/test.txt" }).content)
      assert.is_true(s({ action = "write_file", filePath = "empty", fileContent = "" }).success)
      assert.equal("", s({ action = "read_file", filePath = "empty" }).content)
      s({ action = "write_file", filePath = "b", fileContent = base64.encode("\0\255"),
        encoding = "base64" })
      local reply = s({ action = "read_file", filePath = "b" })
      assert.equal("base64", reply.encoding)
      assert.equal("\0\255", base64.decode(reply.content))
      assert.equal("not_found", s({ action = "read_file", filePath = "none" }).kind)
      assert.equal("invalid", s({ action = "read_file", filePath = "/tmp" }).kind)
    end)

    it("reads a long file in slices #F18", function()
      s({ action = "shell", command = "seq 1 200000 > long" })
      local pieces, offset = {}, 0
      for _ = 1, 3 do
        local reply = s({ action = "read_file", filePath = "long", offset = offset })
        assert.is_true(reply.truncated)
        assert.is_true(#reply.content <= 10000)
        pieces[#pieces + 1], offset = reply.content, reply.nextOffset
      end
      assert.equal(offset, #table.concat(pieces))
      assert.equal("1\n2\n3\n", table.concat(pieces):sub(1, 6))
      local last = s({ action = "read_file", filePath = "long", offset = 1288890, limit = 100 })
      assert.is_nil(last.truncated)
    end)

    it("cuts no character in two at the end of a slice #F18", function()
      local text = ("0123456é\n€"):rep(2000)
      s({ action = "write_file", filePath = "long", fileContent = text })
      local pieces, offset = {}, 0
      repeat
        local reply = s({ action = "read_file", filePath = "long", offset = offset, limit = 4096 })
        assert.is_nil(reply.encoding)
        pieces[#pieces + 1], offset = reply.content, reply.nextOffset
      until not offset
      assert.equal(text, table.concat(pieces))
      local reply = s({ action = "read_file", filePath = "long", offset = 7, limit = 1 })
      assert.same({ "base64", 8 }, { reply.encoding, reply.nextOffset }) -- else it never came on
    end)

    it("says where it has left something out #B08", function()
      local reply = s({ action = "shell", command = "seq 100000; seq 100000 >&2" })
      assert.is_true(reply.truncated)
      assert.is_true(#reply.stdout <= 10200 and #reply.stderr <= 10200)
      reply = s({ action = "execute", code = "import sys\nprint('x' * 50000, file=sys.stderr)" })
      assert.is_true(reply.truncated)
      assert.is_nil(s({ action = "shell", command = "seq 10" }).truncated)
    end)

    it("gives a file to the user by a URL #F22", function()
      s({ action = "write_file", filePath = "/home/user/output.txt", fileContent = "bytes\0" })
      local reply = s({ action = "get_file_downloadurl", filePath = "/home/user/output.txt" })
      assert.is_true(reply.success)
      local path = reply.url:match("^file://(/.*)$")
      assert.equal("bytes\0", shell.read(path))
      assert.truthy(reply.expires_at:find("^%d%d%d%d%-"))
      assert.equal("not_found", s({ action = "get_file_downloadurl", filePath = "no" }).kind)
    end)

    it("never lets the name of a package be a command #F19", function()
      local reply = s({ action = "install", code = "x; touch /tmp/p" })
      assert.is_false(reply.success)
      assert.equal("", s({ action = "shell", command = "cat /tmp/p 2>/dev/null; true" }).stdout)
      assert.equal("Code is required for `install` action.", s({ action = "install" }).error)
      for _, name in ipairs({ "PIP_INDEX_URL", "UV_INDEX", "npm_config_registry", "NPM_TOKEN" }) do
        reply = s({ action = "install", code = "six", envs = { [name] = "https://example.com/" } })
        assert.equal("denied", reply.kind, name)
      end
    end)

    it("warns of keys in requests, and of fields that there are none of #F35", function()
      local reply = s({ action = "execute",
        code = "key = 'sk-abcdefghijklmnopqrstuvwxyz012345'" })
      assert.truthy(reply.warnings[1]:find("E2B_CODE_EV_", 1, true))
      reply = s({ action = "execute", code = "1", langauge = "python" })
      assert.truthy(reply.warnings[1]:find("did you mean language?", 1, true))
    end)

    it("takes names in snake_case, and the names that other tools use", function()
      assert.equal("hi\n", call({ action = "shell", session_id = "s", cmd = "echo hi" }).stdout)
      assert.is_true(call({ action = "write_file", session_id = "s", file_path = "n",
        content = "x" }).success)
    end)

    it("lists processes, and explains itself", function()
      assert.truthy(s({ action = "processinfo" }).output:find("PID", 1, true))
      assert.truthy(call({ action = "help" }).text:find("kill_command", 1, true))
      assert.truthy(call({ action = "help", topic = "shell" }).text:find("background", 1, true))
      assert.is_true(call({ action = "list_templates" }).success)
    end)
  end)

  it("says which sandboxes nobody uses #F36", function()
    local now = 0
    local other = codecell.assert(codecell.service({ mode = "mock", idle_timeout = 5000,
      clock = function() return now end }))
    call({ action = "create", sessionId = "a" }, { service = other })
    now = 700
    local reply = call({ action = "list_sandboxes" }, { service = other })
    assert.truthy(reply.reminder:find("a", 1, true))
    assert.truthy(reply.text:find("Kill", 1, true))
    other:close()
  end)

  it("makes a sandbox by itself only where the host says so #F04", function()
    local reply = call({ action = "execute", sessionId = "auto", code = "6 * 7" })
    assert.equal("not_found", reply.kind)
    assert.truthy(reply.error:find("create", 1, true))
    reply = call({ action = "execute", sessionId = "auto", code = "6 * 7" },
      { auto_create = true })
    assert.is_true(reply.success)
    assert.equal("42", reply.results[1].text)
    assert.is_false(call({ action = "kill", sessionId = "none" }, { auto_create = true }).success)
    call({ action = "kill", sessionId = "auto" })
  end)

  it("says on the mock that nothing was executed #C02", function()
    local other = codecell.assert(codecell.service({ mode = "mock" }))
    local reply = call({ action = "execute", sessionId = "m", code = "1" },
      { service = other, auto_create = true })
    assert.is_true(reply.mock)
    other:close()
  end)

  -- Any requests, of which most make no sense; a seed, so that what fails fails again.
  local function any_requests(mode, count)
    local other = codecell.assert(codecell.service({ mode = mode, max_active_sandboxes = 100,
      pool_size = 0, rate_limit_per_min = 0, download_dir = folder }))
    local names = { "action", "sessionId", "code", "command", "timeout", "envs", "filePath",
      "fileContent", "port", "language", "commandId", "packages", "background", "offset", "x" }
    local values = { "", "a", "\0", "\255", ("x"):rep(5000), 0, -1, 1e308, 0 / 0, true, false,
      json.null, {}, { 1 }, { a = 1 }, { a = { b = {} } }, "../..", "1; rm -rf /" }
    math.randomseed(7)
    local function any(list)
      return list[math.random(#list)]
    end
    for _ = 1, count do
      local request = { action = math.random() < 0.9 and any(TWELVE) or any(values) }
      for _ = 1, math.random(5) do
        request[any(names)] = any(values)
      end
      if math.random() < 0.9 then
        request.action = any(TWELVE)
      end
      if request.action == "install" then
        request.packages, request.code = nil, nil -- no registry is asked
      end
      local reply = codecell.actions.call(request, { service = other, user = any({ "f", "g" }) })
      assert.equal("boolean", type(reply.success))
      assert.equal("string", type(reply.text))
      if not reply.success then
        assert.equal("string", type(reply.error))
        assert.truthy(reply.kind and reply.kind ~= "internal", reply.error)
      end
      local text = assert(json.encode(reply))
      assert.truthy(cjson.decode(text))
    end
    for _, text in ipairs({ "", "{", "[]", "1", "null", '"x"', "\255", ("["):rep(1e5) }) do
      assert.is_false(cjson.decode(codecell.actions.call_json(text, { service = other })).success)
    end
    for _, request in ipairs({ 1, "x", true }) do
      assert.is_false(codecell.actions.call(request).success)
    end
    other:close()
  end

  it("answers whatever it is sent with success and valid JSON #F30 #G19 #I06 #M06", function()
    any_requests("mock", 1500)
    any_requests("kernel", 400)
  end)

  it("refuses a command that cannot be, and says so #F13 #I06", function()
    call({ action = "create", sessionId = "nul" })
    local reply = call({ action = "shell", sessionId = "nul", command = "echo \0" })
    assert.equal("command of `shell`: a text without NUL expected.", reply.error)
    call({ action = "kill", sessionId = "nul" })
  end)

  it("gives files to the user where the environment names no folder for them #F22", function()
    local told = shell.run("env -u XDG_RUNTIME_DIR -u CODECELL_DOWNLOAD_DIR E2B_MODE=kernel "
      .. "CODECELL_LOG=none " .. shell.codecell .. " actions", { stdin =
        '{"action":"create","sessionId":"a"}\n'
        .. '{"action":"write_file","sessionId":"a","filePath":"o.txt","fileContent":"1"}\n'
        .. '{"action":"get_file_downloadurl","sessionId":"a","filePath":"o.txt"}\n' })
    local reply = cjson.decode(told.stdout:match("([^\n]+)\n$"))
    assert.matches("^file:///tmp/codecell%-%d+/downloads/%w+/o%.txt$", reply.url)
    assert.is_nil(shell.read(reply.url:sub(8))) -- it went with the program
  end)

  it("is a command that reads a request a line #F01", function()
    local told = shell.run("E2B_MODE=kernel CODECELL_LOG=none " .. shell.codecell .. " actions",
      { stdin = '{"action":"create","sessionId":"a"}\nnot json\n'
        .. '{"action":"execute","sessionId":"a","code":"6*7"}\n'
        .. '{"action":"' .. ("x"):rep(17 * 2 ^ 20) .. '"}\n{"action":"kill","sessionId":"a"}' })
    local replies = {}
    for line in told.stdout:gmatch("[^\n]+") do
      replies[#replies + 1] = cjson.decode(line)
    end
    assert.equal(0, told.status)
    assert.equal(5, #replies)
    assert.is_true(replies[1].success)
    assert.is_false(replies[2].success)
    assert.equal("42", replies[3].results[1].text)
    assert.same({ false, "The request is longer than 16 MiB; send less at once." },
      { replies[4].success, replies[4].error })
    assert.is_true(replies[5].success)
  end)
end)
