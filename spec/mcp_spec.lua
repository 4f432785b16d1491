-- codecell.mcp and `codecell mcp`: the protocol, spoken by hand.
local codecell = require "codecell"
local json = require "codecell.json"
local markdown = require "spec.support.markdown"
local mcp = require "spec.support.mcp"
local no_namespaces = require "spec.support.no_namespaces"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local CODES = { parse = -32700, request = -32600, method = -32601, params = -32602 }

describe("a session of MCP", function()
  local client
  before_each(function()
    client = mcp.inside()
  end)
  after_each(function()
    client.close()
  end)

  it("speaks the revision that the client wants, else its newest", function()
    for _, version in ipairs({ "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05" }) do
      local other = mcp.inside()
      assert.equal(version, other:begin(version).protocolVersion)
      other.close()
    end
    local result = client:begin("1999-01-01")
    assert.equal("2025-11-25", result.protocolVersion)
    assert.equal("codecell", result.serverInfo.name)
    assert.equal(codecell._VERSION, result.serverInfo.version)
    for _, name in ipairs({ "tools", "resources", "prompts", "logging", "completions" }) do
      assert.is_table(result.capabilities[name], name)
    end
  end)

  it("says in its instructions what is so", function()
    assert.truthy(client:begin().instructions:find("It has no network.", 1, true))
    local other = mcp.inside({ create = { network = { allow = { "good.example" } },
      limits = { memory = 256 * 1024 * 1024 } }, timeout = 20, job_after = 7 })
    local text = other:begin().instructions
    for _, part in ipairs({ "good.example", "256 MiB", "20 seconds", "7 seconds" }) do
      assert.truthy(text:find(part, 1, true), part)
    end
    other.close()
  end)

  it("answers nothing but ping before initialize, and that once", function()
    assert.same({}, (client:call("ping")))
    local _, problem = client:call("tools/list")
    assert.equal(CODES.request, problem.code)
    assert.matches("initialize comes first", problem.message)
    client:begin()
    _, problem = client:call("initialize", { protocolVersion = "2025-06-18" })
    assert.equal(CODES.request, problem.code)
    assert.same({}, (client:call("ping")))
  end)

  it("refuses what is no message, and says where it is wrong", function()
    client:begin()
    for text, code in pairs({
      ["{"] = CODES.parse, ["nonsense"] = CODES.parse, ['{"a":"\255"}'] = CODES.parse,
      [("["):rep(1000)] = CODES.parse,
      ["[]"] = CODES.request, ["1"] = CODES.request, ['"text"'] = CODES.request,
      ["null"] = CODES.request, ["{}"] = CODES.request,
      ['{"jsonrpc":"1.0","id":1,"method":"ping"}'] = CODES.request,
      ['{"jsonrpc":"2.0","id":{},"method":"ping"}'] = CODES.request,
      ['{"jsonrpc":"2.0","id":null,"method":"ping"}'] = CODES.request,
      ['{"jsonrpc":"2.0","id":"x","method":1}'] = CODES.request,
      ['{"jsonrpc":"2.0","id":"x","method":"ping","params":[1]}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"nope"}'] = CODES.method,
      ['{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"nope"}}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{}}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"run_code",'
        .. '"arguments":3}}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"resources/read","params":{"uri":4}}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"resources/read","params":{"uri":"file:///etc/passwd"}}']
        = -32002,
      ['{"jsonrpc":"2.0","id":"x","method":"logging/setLevel","params":{"level":"loud"}}']
        = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"completion/complete","params":{}}'] = CODES.params,
      ['{"jsonrpc":"2.0","id":"x","method":"prompts/get","params":{"name":"analyze_file"}}']
        = CODES.params,
    }) do
      client:send(text)
      local answer = client:wait(function(value) return value.error ~= nil end)
      assert.equal(code, answer.error.code, text)
      assert.equal(text:find('"x"', 1, true) and "x" or json.null, answer.id == "x" and "x"
        or json.null, text)
    end
    assert.same({}, client.heard)
    assert.same({}, (client:call("ping")))
  end)

  it("says nothing to notifications and answers, whatever they are", function()
    client:begin()
    for _, text in ipairs({
      '{"jsonrpc":"2.0","method":"nope"}', '{"jsonrpc":"2.0","method":"notifications/nope"}',
      '{"jsonrpc":"2.0","id":9,"result":{}}', '{"jsonrpc":"2.0","id":9,"error":{}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled"}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}',
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}',
    }) do
      client:send(text)
    end
    assert.same({}, (client:call("ping")))
    assert.same({}, client.heard)
  end)

  it("answers batches by lists in the revisions that have them", function()
    local batch = '[{"jsonrpc":"2.0","id":"a","method":"ping"},'
      .. '{"jsonrpc":"2.0","method":"notifications/nope"},7,'
      .. '{"jsonrpc":"2.0","id":"b","method":"nope"}]'
    client:begin("2025-03-26")
    client:send(batch)
    local answers = client:wait(function(value) return json.is_list(value) end)
    table.sort(answers, function(one, other) return tostring(one.id) < tostring(other.id) end)
    assert.same({ "a", "b", json.null }, { answers[1].id, answers[2].id, answers[3].id })
    assert.same({}, answers[1].result)
    assert.equal(CODES.method, answers[2].error.code)
    assert.equal(CODES.request, answers[3].error.code)
    local other = mcp.inside()
    other:begin("2025-06-18")
    other:send(batch)
    assert.equal(CODES.request, other:wait(function(value) return value.error end).error.code)
    other.close()
  end)

  it("knows a number from a text as an id, and takes none twice at once", function()
    client:begin()
    client:send({ jsonrpc = "2.0", id = "1", method = "tools/call", params = { name = "run_code",
      arguments = { code = "import time; time.sleep(1000)" } } })
    client:send({ jsonrpc = "2.0", id = "1", method = "ping" })
    assert.matches("this id", client:answer("1").error.message)
    client:send({ jsonrpc = "2.0", id = 1, method = "ping" })
    assert.same({}, client:answer(1).result)
  end)

  it("answers at most so many requests at once, and runs at most so many calls", function()
    client:begin()
    local ids = {}
    for i = 1, 16 do
      ids[i] = client:ask_tool("run_code", { code = "import time; time.sleep(1000)" })
    end
    local result = client:tool("run_code", { code = "1" })
    assert.matches("Too many calls", mcp.text(result))
    for i = 17, 64 do
      ids[i] = client:ask_tool("job", { op = "wait", id = "job1" })
    end
    local _, problem = client:call("tools/list")
    assert.equal(-32000, problem.code)
    assert.same({}, (client:call("ping")))
    for i = 1, 64 do
      client:tell("notifications/cancelled", { requestId = ids[i] })
    end
    wait_until(function() return not client.session:is_busy() end)
    assert.same({}, (client:call("ping")))
    assert.same({}, client.heard)
  end)
end)

describe("tools by MCP", function()
  local client
  setup(function()
    client = mcp.inside({ job_after = 20 })
    client:begin("2025-11-25")
  end)
  teardown(function()
    client.close()
  end)

  it("are listed with what they take and give", function()
    local names = {}
    for _, tool in ipairs(client:call("tools/list").tools) do
      names[#names + 1] = tool.name
      assert.equal("object", tool.inputSchema.type)
      assert.is_boolean(tool.annotations.readOnlyHint)
      assert.is_nil(tool.outputSchema and tool.outputSchema.required)
    end
    assert.same({ "run_code", "run_shell", "files", "install", "read_output", "job" }, names)
  end)

  it("keep variables from call to call, and answer as structure too", function()
    client:tool("run_code", { code = "x = 20" })
    local result = client:tool("run_code", { code = "print('out'); x + 1" })
    assert.is_false(result.isError)
    assert.matches("out", mcp.text(result))
    assert.matches("21", mcp.text(result))
    assert.equal("out", result.structuredContent.stdout)
    assert.equal("21", result.structuredContent.results[1])
  end)

  it("tell failures of the code as results", function()
    local result = client:tool("run_code", { code = "1 / 0" })
    assert.is_true(result.isError)
    assert.matches("ZeroDivisionError", mcp.text(result))
    result = client:tool("run_code", { code = "1", language = "klingon" })
    assert.is_true(result.isError)
    result = client:tool("run_code", {})
    assert.is_true(result.isError)
  end)

  it("give pictures as images, and links to files that were written", function()
    local result = client:tool("run_code", { code = [[
class Picture:
    def _repr_png_(self):
        import base64
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
            "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
open("a b.txt", "w").write("text")
Picture()]] })
    local kinds = {}
    for _, part in ipairs(result.content) do
      kinds[part.type] = part
    end
    assert.equal("image/png", kinds.image.mimeType)
    assert.equal("iVBORw0KGgo", kinds.image.data:sub(1, 11))
    assert.equal("sandbox:///home/user/a%20b.txt", kinds.resource_link.uri)
    assert.equal("text/plain", kinds.resource_link.mimeType)
  end)

  it("leave out what an older revision does not know", function()
    local other = mcp.inside()
    other:begin("2024-11-05")
    for _, tool in ipairs(other:call("tools/list").tools) do
      assert.is_nil(tool.outputSchema)
    end
    local result = other:tool("run_code", { code = "open('f', 'w').write('x'); 1" })
    assert.is_nil(result.structuredContent)
    for _, part in ipairs(result.content) do
      assert.equal("text", part.type)
    end
    other.close()
  end)

  it("are interrupted at once when the client gives them up, which nothing answers", function()
    client:tool("run_code", { code = "kept = 7" })
    local id = client:ask_tool("run_code", { code = "import time; time.sleep(1000)" }, "t")
    client:note("notifications/progress")
    client:tell("notifications/cancelled", { requestId = id, reason = "enough" })
    assert.matches("7", mcp.text(client:tool("run_code", { code = "kept" })))
    assert.is_nil(client:take(function(value) return value.id == id end))
    client:tell("notifications/cancelled", { requestId = id })
    assert.same({}, (client:call("ping")))
  end)

  it("end when they are given up, though the code would not", function()
    client:tool("run_code", { code = "kept = 7" })
    local id = client:ask_tool("run_code", { code = "import time\nopen('begun', 'w').close()\n"
      .. "while True:\n    try: time.sleep(1000)\n    except BaseException: pass" })
    wait_until(function() return client.session.box:peek().files:exists("begun") end)
    client:tell("notifications/cancelled", { requestId = id })
    assert.matches("False.*restarted", mcp.text(client:tool("run_code",
      { code = "'kept' in globals()" })))
    local mark = mcp.mark()
    id = client:ask_tool("run_shell",
      { command = "trap '' INT TERM; exec -a " .. mark .. " sleep 1000" })
    wait_until(function() return mcp.is_running(mark) end)
    client:tell("notifications/cancelled", { requestId = id })
    wait_until(function() return not mcp.is_running(mark) end)
    assert.same({}, (client:call("ping")))
    assert.is_nil(client:take(function(value) return value.id == id end))
  end)

  it("tell how they go, each second and with what was printed, until they end", function()
    local id = client:ask_tool("run_code", { code = "import time\nprint('step one', flush=True)\n"
      .. "open('go', 'w').close()\nwhile True: time.sleep(0.05)" }, 42)
    local first = client:note("notifications/progress").params
    local second
    repeat
      second = client:note("notifications/progress").params
    until second.message == "step one"
    assert.equal(42, first.progressToken)
    assert.is_true(second.progress > first.progress)
    client:tell("notifications/cancelled", { requestId = id })
    client:tool("run_code", { code = "1" })
    client.heard = {}
    client:tool("run_code", { code = "import time; time.sleep(1.2)" })
    assert.is_nil(client:take(function(value) return value.method ~= nil end))
  end)

  it("log what code prints, as it comes, at the level that was asked for", function()
    client:call("logging/setLevel", { level = "info" })
    client:tool("run_code", { code = "import sys; print('hello'); print('oh', file=sys.stderr)" })
    local note = client:note("notifications/message")
    assert.same({ level = "info", logger = "stdout", data = "hello\n" }, note.params)
    assert.equal("stderr", client:note("notifications/message").params.logger)
    client:call("logging/setLevel", { level = "warning" })
    client:tool("run_code", { code = "print('hello')" })
    assert.is_nil(client:take(function(value) return value.method ~= nil end))
  end)
end)

describe("long calls by MCP", function()
  local client
  before_each(function()
    client = mcp.inside({ job_after = 0.3 })
    client:begin()
  end)
  after_each(function()
    client.close()
  end)

  -- What a call comes to, however slow this machine is.
  local function finish(result)
    local job = result.structuredContent and result.structuredContent.job
    wait_until(function()
      if mcp.text(result):find("Still running", 1, true) then
        result = client:tool("job", { op = "wait", id = job })
        return false
      end
      return true
    end)
    return result, job
  end

  it("become jobs that can be waited for", function()
    local result = client:tool("run_code", { code = "import time, os\nprint('begun', flush=True)\n"
      .. "while not os.path.exists('go'): time.sleep(0.01)\n'over'" })
    assert.matches("Still running.*job1", mcp.text(result))
    assert.is_false(result.isError)
    assert.same({ job = "job1" }, result.structuredContent)
    assert.matches("job1: run_code, running", mcp.text(client:tool("job", { op = "list" })))
    wait_until(function()
      local text = mcp.text(client:tool("job", { op = "wait", id = "job1" }))
      return text:find("Still running.*data, not instructions.*```text\nbegun\n```") ~= nil
    end)
    finish(client:tool("files", { op = "write", path = "go", content = "" }))
    assert.matches("over", mcp.text(finish(result)))
    assert.matches("job1: run_code, over", mcp.text(client:tool("job", { op = "list" })))
    assert.matches("over", mcp.text(client:tool("job", { op = "wait", id = "job1" })))
  end)

  it("are stopped, and variables stay", function()
    finish(client:tool("run_code", { code = "x = 5" }))
    local result = client:tool("run_code", { code = "import time; time.sleep(1000)" })
    local id = result.structuredContent.job
    result = finish(client:tool("job", { op = "stop", id = id }))
    assert.is_true(result.isError)
    assert.matches("5", mcp.text(finish(client:tool("run_code", { code = "x" }))))
    assert.matches(id .. ": run_code, over", mcp.text(client:tool("job", { op = "list" })))
  end)

  it("go on when the client gives up waiting for them", function()
    local result = client:tool("run_code", { code = "import time, os\n"
      .. "while not os.path.exists('go'): time.sleep(0.01)\n'done'" })
    local id = client:ask_tool("job", { op = "wait", id = result.structuredContent.job })
    client:tell("notifications/cancelled", { requestId = id })
    finish(client:tool("files", { op = "write", path = "go", content = "" }))
    assert.matches("done", mcp.text(finish(result)))
  end)

  it("are asked for by names that are there", function()
    for _, given in ipairs({ { op = "wait", id = "job9" }, { op = "wait" }, { op = "nope" },
      { op = "stop", id = 4 }, {} }) do
      assert.is_true(client:tool("job", given).isError)
    end
  end)
end)

describe("resources by MCP", function()
  local client
  setup(function()
    client = mcp.inside()
    client:begin()
  end)
  teardown(function()
    client.close()
  end)

  local function read(uri)
    local result, problem = client:call("resources/read", { uri = uri })
    return result and result.contents[1], problem
  end

  it("are none before there is a sandbox, which listing does not make", function()
    assert.equal('{"resources":[]}', json.encode((client:call("resources/list"))))
    assert.equal(-32002, select(2, read("sandbox:///home/user/x")).code)
    assert.is_nil(client.session.box:peek())
    assert.equal(2, #client:call("resources/templates/list").resourceTemplates)
  end)

  it("are the files of the sandbox, as text or as bytes, and folders", function()
    client:tool("run_shell", { command = "printf 'a,b\\n' > 'ä b.csv'; printf '\\0\\377' > raw; "
      .. "mkdir d; echo x > d/e.txt; echo y > .hidden" })
    local names = {}
    for _, one in ipairs(client:call("resources/list").resources) do
      names[one.name] = one
    end
    assert.equal("sandbox:///home/user/%C3%A4%20b.csv", names["ä b.csv"].uri)
    assert.equal("text/csv", names["ä b.csv"].mimeType)
    assert.equal(4, names["ä b.csv"].size)
    assert.is_table(names["d/e.txt"])
    assert.is_nil(names[".hidden"])
    assert.equal("a,b\n", read(names["ä b.csv"].uri).text)
    assert.equal("AP8=", read("sandbox:///home/user/raw").blob)
    client:tool("run_code", { code = "open('a\\nb\\x1bc', 'w').close()" })
    local named
    for _, one in ipairs(client:call("resources/list").resources) do
      named = one.uri:find("a%%0[Aa]b%%1[Bb]c") and one.name or named
    end
    assert.equal("a b\226\144\155c", named)
    assert.matches("e.txt", read("sandbox:///home/user/d").text)
    assert.equal(-32002, select(2, read("sandbox:///home/user/none")).code)
  end)

  it("are let through by the policy of the tools, and without secrets #I21", function()
    local other = mcp.inside({ create = { secrets = { KEY = "correct-horse-battery" } },
      policy = codecell.policy.new { mode = "auto",
        rules = { { "deny", verb = "read", path = "~/private", because = "it is private" } } } })
    other:begin()
    other:tool("run_shell", { command = "mkdir private; echo x > private/a; echo $KEY > b" })
    for _, name in ipairs({ "private/a", "private", "x/../private/a" }) do
      local _, problem = other:call("resources/read", { uri = "sandbox:///home/user/" .. name })
      assert.matches("it is private", problem.message)
    end
    local result = other:call("resources/read", { uri = "sandbox:///home/user/b" })
    assert.equal("***\n", result.contents[1].text)
    local list = other:call("resources/list").resources
    assert.same({ "b" }, { list[1].name, list[2] and list[2].name })
    local done = other:call("completion/complete", { ref = { type = "ref/prompt",
      name = "analyze_file" }, argument = { name = "path", value = "private/" } })
    assert.same({}, done.completion.values)
    other.close()
  end)

  it("lead nowhere else", function()
    for _, uri in ipairs({ "file:///etc/hostname", "sandbox://host/x", "sandbox:", "",
      "output:///", "output:///o1?offset=-1", "output:///none",
      "sandbox:///home/user/a%00b" }) do
      assert.equal(-32002, select(2, read(uri)).code, uri)
    end
    local outside = read("sandbox:///home/user/../../etc/hostname")
    local host = shell.read("/etc/hostname")
    assert.is_true(outside == nil or outside.text ~= host or host == "sandbox\n")
  end)

  it("are given in pages", function()
    client:tool("run_shell", { command = "mkdir many; cd many; seq -f file%03g 250 | xargs touch" })
    local seen, pages, cursor = {}, 0, nil
    repeat
      local result = client:call("resources/list", { cursor = cursor })
      for _, one in ipairs(result.resources) do
        assert.is_nil(seen[one.uri])
        seen[one.uri] = true
      end
      cursor, pages = result.nextCursor, pages + 1
    until not cursor
    assert.is_true(pages > 1)
    assert.is_true(seen["sandbox:///home/user/many/file250"])
    assert.equal(CODES.params, select(2, client:call("resources/list", { cursor = 5 })).code)
    client:tool("run_shell", { command = "rm -r many" })
  end)

  it("have the whole of what a result shows a part of", function()
    local result = client:tool("run_code", { code = "print('z' * 300000)" })
    local id = result.structuredContent.outputs[1].id
    local found = read("output:///" .. id)
    assert.matches("^z+", found.text)
    assert.matches("^z+", read(("output:///%s?offset=100000"):format(id)).text)
    assert.same({ id }, client:call("completion/complete", { ref = { type = "ref/resource",
      uri = "output:///{id}{?offset}" }, argument = { name = "id", value = "" } }).completion
      .values)
  end)

  it("tell of their changes to who subscribes", function()
    client:tool("run_shell", { command = "echo 1 > watched" })
    assert.same({}, (client:call("resources/subscribe", { uri = "sandbox:///home/user/watched" })))
    wait_until(function()
      client:tool("run_shell", { command = "echo 2 >> watched; echo 3 > new$RANDOM" })
      return client:take(function(value)
        return value.method == "notifications/resources/updated"
          and value.params.uri == "sandbox:///home/user/watched"
      end) ~= nil
    end)
    client:note("notifications/resources/list_changed")
    assert.same({}, (client:call("resources/unsubscribe",
      { uri = "sandbox:///home/user/watched" })))
    assert.equal(CODES.params, select(2, client:call("resources/subscribe", { uri = "x" })).code)
  end)

  it("and prompts come with what can be typed into them", function()
    assert.equal(2, #client:call("prompts/list").prompts)
    local prompt = client:call("prompts/get", { name = "analyze_file",
      arguments = { path = "a.csv", question = "how many?" } })
    assert.matches("a.csv.*how many?", prompt.messages[1].content.text)
    local function complete(argument, value, name)
      return client:call("completion/complete", { ref = { type = "ref/prompt",
        name = name or "analyze_file" }, argument = { name = argument, value = value } })
        .completion.values
    end
    client:tool("run_shell", { command = "touch wanted.csv" })
    assert.same({ "wanted.csv" }, complete("path", "wanted"))
    assert.same({ "d/e.txt" }, complete("path", "d/"))
    assert.same({ "python" }, complete("language", "pyt", "solve_by_code"))
    assert.same({}, complete("question", "x"))
  end)
end)

describe("the sandbox of a session of MCP", function()
  it("is made once, by whoever comes first", function()
    local client = mcp.inside()
    client:begin()
    local ids = {}
    for i = 1, 4 do
      ids[i] = client:ask_tool("run_shell", { command = "echo x >> log; wc -l < log" })
    end
    for i = 1, 4 do
      assert.is_false(client:answer(ids[i]).result.isError)
    end
    assert.matches("4", mcp.text(client:tool("run_shell", { command = "wc -l < log" })))
    client.close()
  end)

  it("is another client's never", function()
    local one, other = mcp.inside(), mcp.inside()
    one:begin()
    other:begin()
    one:tool("run_code", { code = "secret = 1; open('f', 'w').write('x')" })
    assert.is_true(other:tool("run_code", { code = "secret" }).isError)
    assert.equal(-32002,
      select(2, other:call("resources/read", { uri = "sandbox:///home/user/f" })).code)
    one.close()
    other.close()
  end)

  it("that has ended is made anew, and the client is told", function()
    local client = mcp.inside()
    client:begin()
    client:tool("run_code", { code = "x = 1" })
    client.session.box:peek():kill()
    local result = client:tool("run_code", { code = "'x' in globals()" })
    assert.matches("its variables, files and packages are gone", mcp.text(result))
    assert.matches("False", mcp.text(result))
    assert.is_nil(mcp.text(client:tool("run_code", { code = "1" })):find("are gone"))
    client.close()
  end)

  it("that cannot be made is a result that says why", function()
    local client = mcp.inside({ create = { template = "there-is-none" } })
    client:begin()
    local result = client:tool("run_code", { code = "1" })
    assert.is_true(result.isError)
    assert.matches("there%-is%-none", mcp.text(result))
    client.close()
  end)

  it("tells what it is refused, at once and before a level is asked for", function()
    local client = mcp.inside({ create = { network = { allow = { "good.example" } } } })
    client:begin()
    client:tool("run_code", { code = "import socket\ntry:\n    "
      .. "socket.gethostbyname('evil.example')\nexcept OSError: pass" })
    local params = client:note("notifications/message").params
    assert.same({ "warning", "sandbox" }, { params.level, params.logger })
    assert.matches("evil.example.*refused.*allow it with", params.data)
    client.close()
  end)

  it("is one of a service of its own with the sets of tools that others have documented",
  function()
    for set, names in pairs({ actions = { "e2b_code", "job" },
      cortex = { "execute_python_code", "get_sandbox_info", "job" } }) do
      local client = mcp.inside({ set = set })
      client:begin()
      local found = {}
      for i, tool in ipairs(client:call("tools/list").tools) do
        found[i] = tool.name
      end
      assert.same(names, found)
      assert.is_nil(client.session.box:peek())
      if set == "cortex" then
        local result = client:tool(names[1], { code = "print(6 * 7)" })
        assert.matches("42", mcp.text(result))
        assert.is_nil(result.structuredContent.mock)
      end
      client.close()
    end
    local session, err = codecell.mcp.session({ emit = print, set = "actions",
      create = { network = "open" } })
    assert.is_nil(session)
    assert.equal("invalid_argument", err.kind)
    assert.matches("takes no network", err.message)
  end)

  it("ends with the session, with what runs in it", function()
    local client, mark = mcp.inside(), mcp.mark()
    client:begin()
    client:ask_tool("run_shell", { command = "exec -a " .. mark .. " sleep 1000" })
    wait_until(function() return mcp.is_running(mark) end)
    client.close()
    wait_until(function() return not mcp.is_running(mark) end)
  end)
end)

describe("codecell mcp on standard input and output", function()
  it("writes messages and nothing else, each in a line", function()
    local client = mcp.start()
    client:begin()
    local result = client:tool("run_code", { code = "print('two\\nlines'); 42" })
    assert.matches("42", mcp.text(result))
    client.hang_up()
    wait_until(function() return not client:lives() end)
    assert.equal("", client:problems())
    for line in shell.read(client.folder .. "/out"):gmatch("[^\n]+") do
      assert.equal("2.0", assert(json.decode(line)).jsonrpc)
    end
    client.close()
  end)

  it("takes lines in pieces, several at once, and the last one without its end", function()
    local result = shell.run([[{ printf '{"jsonrpc":"2.0","id":1,'; sleep 0.2
      printf '"method":"ping"}\r\n\n{"jsonrpc":"2.0","id":2,"method":"ping"}\n{"jsonrpc"'
      printf ':"2.0","id":3,"method":"ping"}'; } | ]] .. shell.codecell .. " mcp")
    assert.equal(0, result.status, result.stderr)
    assert.same({ '{"id":1,"jsonrpc":"2.0","result":{}}', '{"id":2,"jsonrpc":"2.0","result":{}}',
      '{"id":3,"jsonrpc":"2.0","result":{}}' }, { result.stdout:match("(.-)\n(.-)\n(.-)\n") })
  end)

  it("reads a file too", function()
    local result = shell.run(shell.codecell .. " mcp",
      { stdin = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n' })
    assert.same({ '{"id":1,"jsonrpc":"2.0","result":{}}\n', "" }, { result.stdout, result.stderr })
  end)

  it("says at its start where the machine lets nobody make a sandbox, and answers", function()
    local prefix = no_namespaces.prefix()
    if not prefix then
      return pending("this machine forbids unshare")
    end
    local ping = { stdin = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n' }
    local result = shell.run(prefix .. shell.codecell .. " mcp", ping)
    assert.equal('{"id":1,"jsonrpc":"2.0","result":{}}\n', result.stdout)
    assert.matches("^codecell mcp: code cannot run here until this is mended: create: start a "
      .. "sandbox [^\n]+ user.max_user_namespaces [^\n]+; see 'codecell doctor'\n$", result.stderr)
    assert.equal("", shell.run(prefix .. shell.codecell .. " mcp --mode mock", ping).stderr)
  end)

  it("refuses a line that is too long, keeps little of it, and goes on", function()
    local client = mcp.start()
    for _ = 1, 40 do
      client.write_raw(("x"):rep(1024 * 1024))
    end
    client.write_raw("\n")
    assert.matches("at most 33554432 bytes",
      client:wait(function(value) return value.error end).error.message)
    assert.same({}, (client:call("ping")))
    client.close()
  end)

  it("ends with what runs when its client has gone", function()
    local client, mark = mcp.start(), mcp.mark()
    client:begin()
    client:ask_tool("run_shell", { command = "exec -a " .. mark .. " sleep 1000" })
    wait_until(function() return mcp.is_running(mark) end)
    client.hang_up()
    wait_until(function() return not client:lives() and not mcp.is_running(mark) end)
    client.close()
  end)

  it("ends with what runs when it is told to, or killed", function()
    for _, signal in ipairs({ "TERM", "KILL" }) do
      local client, mark = mcp.start(), mcp.mark()
      client:begin()
      client:ask_tool("run_shell", { command = "exec -a " .. mark .. " sleep 1000" })
      wait_until(function() return mcp.is_running(mark) end)
      os.execute("kill -" .. signal .. " " .. client.pid)
      wait_until(function() return not client:lives() and not mcp.is_running(mark) end)
      client.close()
    end
  end)

  it("ends when nobody reads what it says", function()
    local result = shell.run("{ while echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}'; "
      .. "do :; done; } 2>/dev/null | " .. shell.codecell .. " mcp | head -1")
    assert.equal('{"id":1,"jsonrpc":"2.0","result":{}}\n', result.stdout)
  end)

  it("keeps little of what floods it", function()
    local client = mcp.start()
    local function peak()
      return tonumber(shell.read("/proc/" .. client.pid .. "/status"):match("VmHWM:%s*(%d+)"))
    end
    assert.same({}, (client:call("ping")))
    local before = peak()
    for i = 1, 2000 do
      client:send('{"jsonrpc":"2.0","method":"notifications/nope","params":{"a":"'
        .. ("y"):rep(50000) .. '"}}')
      if i % 100 == 0 then -- a slow machine takes longer for all of it than anybody waits
        assert.same({}, (client:call("ping")))
      end
    end
    assert.is_true(peak() - before < 60000, peak() .. " kB, before " .. before)
    client.close()
  end)

  it("takes what every sandbox is made with, and records what is done in it", function()
    local folder = shell.folder()
    shell.write(folder .. "/file", "of the host")
    local client = mcp.start(("--mount %s:/work:read --env A=letter --memory 128M --audit %s/audit")
      :format(folder, folder))
    assert.matches("128 MiB", client:begin().instructions)
    local result = client:tool("run_shell", { command = "cat /work/file; echo; echo $A" })
    assert.matches("of the host\nletter", mcp.text(result))
    client.close()
    assert.matches("cat /work/file", shell.read(folder .. "/audit"))
    shell.remove(folder)
  end)

  it("offers other sets of tools, and says what they do not take", function()
    local client = mcp.start("--set actions --memory 256M")
    client:begin()
    assert.equal("e2b_code", client:call("tools/list").tools[1].name)
    client.close()
    for _, words in ipairs({ "", " --http 0" }) do
      local result = shell.run(shell.codecell .. " mcp --set cortex --network open" .. words)
      assert.equal(2, result.status)
      assert.matches("the set cortex takes no network", result.stderr)
    end
  end)

  it("is started, and reached, by the settings that the manual has to paste", function()
    local page = assert(shell.read("docs/mcp.md"))
    local function look(value, found)
      if type(value) ~= "table" or value == json.null then
        return
      end
      local words = type(value.command) == "table" and value.command
        or value.command and value.args and { value.command, value.args[1], value.args[2],
          value.args[3] }
      if words then
        found.commands[#found.commands + 1] = words[1] .. " " .. words[2]
        assert.equal(0, shell.run(("%s %s --help"):format(shell.codecell,
          table.concat(words, " ", 2))).status)
      end
      local address = value.url or value.serverUrl or value.httpUrl
      if address then
        found.addresses[#found.addresses + 1] = address .. " " .. value.headers.Authorization
      end
      for _, inner in pairs(value) do
        look(inner, found)
      end
    end
    local found = { commands = {}, addresses = {} }
    for _, block in ipairs(markdown.fenced(page, "json")) do
      look(codecell.assert(json.decode(block.code)), found)
    end
    for row in page:gmatch('| `("[^`\n]+}})` |\n') do
      look(codecell.assert(json.decode("{" .. row .. "}")), found)
    end
    assert.is_true(#found.commands >= 5 and #found.addresses >= 4)
    for _, command in ipairs(found.commands) do
      assert.equal("codecell mcp", command)
    end
    for _, address in ipairs(found.addresses) do
      assert.equal("http://127.0.0.1:8931/mcp Bearer KEY", address)
    end
  end)

  it("refuses options that are none, or not of each other", function()
    for _, words in ipairs({ "--nope", "x", "--host 127.0.0.1", "--no-auth", "--http x",
      "--sessions-per-key 3", "--max-upload 1M",
      "--http 0 --no-auth --api-key 12345678", "--http 0 --no-auth --host 0.0.0.0",
      "--http 0 --api-key short", "--set none", "--timeout 0", "--mode nowhere" }) do
      local result = shell.run(shell.codecell .. " mcp " .. words)
      assert.equal(2, result.status, words)
      assert.equal("", result.stdout, words)
      assert.matches("^codecell mcp: [^\n]+\n$", result.stderr, words)
    end
  end)
end)
