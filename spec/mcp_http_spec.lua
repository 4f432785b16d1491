-- `codecell mcp --http`: streamable HTTP, spoken by hand.
local codecell = require "codecell"
local json = require "codecell.json"
local mcp = require "spec.support.mcp"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

local KEY, OTHER = "the-key-of-one", "the-key-of-another"

local function ping(id)
  return { jsonrpc = "2.0", id = id or 1, method = "ping" }
end

local function call(code, more)
  local value = { jsonrpc = "2.0", id = 7, method = "tools/call",
    params = { name = "run_code", arguments = { code = code } } }
  for name, item in pairs(more or {}) do
    value.params[name] = item
  end
  return value
end

-- The messages in an answer of events, and the ids of these and of those without one.
local function events(text)
  local list, ids = {}, {}
  for data in text:gmatch("data: ([^\n]*)\n") do
    list[#list + 1] = json.decode(data)
  end
  for id in text:gmatch("id: ([^\n]*)\n") do
    ids[#ids + 1] = id
  end
  return list, ids
end

-- Code that goes on until somebody else has made a file, and then says so.
local WAITS = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.02)\n'it went on'"
local TOUCH = { jsonrpc = "2.0", id = 8, method = "tools/call",
  params = { name = "run_shell", arguments = { command = "touch go" } } }

-- A command that goes on, and that is found by a mark.
local function sleeps(mark)
  return { jsonrpc = "2.0", id = 7, method = "tools/call", params = { name = "run_shell",
    arguments = { command = "exec -a " .. mark .. " sleep 1000" } } }
end

describe("codecell mcp --http #once", function()
  local server
  setup(function()
    server = mcp.listen(("--api-key %s --api-key %s --domain box.example --sessions 6 "
      .. "--sessions-per-key 5"):format(KEY, OTHER))
  end)
  teardown(function()
    server.close()
  end)

  local function post(given)
    given.key = given.key or KEY
    return server:post(given)
  end

  it("answers at /mcp alone, by the methods that there are", function()
    assert.equal(404, (post({ path = "/", body = ping() })))
    assert.equal(404, (post({ path = "/mcp/x", body = ping() })))
    local status, _, headers = post({ method = "PUT", body = ping() })
    assert.same({ 405, "GET, POST, DELETE" }, { status, headers.allow })
  end)

  it("needs a key, and tells nothing without it", function()
    for _, given in ipairs({ {}, { key = "wrong" }, { headers = { "X-API-Key: wrong" } },
      { headers = { "Authorization: Basic " .. KEY } } }) do
      given.body = ping()
      local status, body, headers = server:post(given)
      assert.same({ 401, "Bearer" }, { status, headers["www-authenticate"] })
      assert.matches("a key is needed", body.error.message)
    end
    local session = server:begin_session(KEY)
    assert.equal(200, (server:post({ headers = { "X-API-Key: " .. KEY }, session = session,
      body = ping() })))
    assert.equal(204, (post({ method = "DELETE", session = session })))
  end)

  it("answers no page of a browser, and no name that was made to lead here", function()
    for header, status in pairs({ ["Origin: http://evil.example"] = 403, ["Origin: null"] = 403,
      ["Host: evil.example"] = 403, ["Host: box.example"] = 400, ["Host: localhost:1"] = 400,
      ["Origin: " .. server.url:match("^http://[^/]+")] = 400 }) do
      assert.equal(status, (post({ headers = { header }, body = ping() })), header)
    end
  end)

  it("wants JSON, and a session for everything but initialize", function()
    assert.equal(415, (post({ kind = "text/plain", body = ping() })))
    assert.equal(406, (post({ accept = "text/html", body = ping() })))
    for _, text in ipairs({ "{", "[]", '{"\255":1}' }) do
      local status, body = post({ body = text })
      assert.equal(400, status, text)
      assert.is_true(body.error.code < 0 and body.id == json.null)
    end
    local status, body = post({ body = ping() })
    assert.equal(400, status)
    assert.matches("Mcp%-Session%-Id", body.error.message)
    assert.equal(404, (post({ session = ("0"):rep(64), body = ping() })))
    local session = server:begin_session(KEY)
    assert.equal(400, (post({ session = session, body = ping(),
      headers = { "MCP-Protocol-Version: 1999-01-01" } })))
    assert.equal(200, (post({ session = session, body = ping(),
      headers = { "MCP-Protocol-Version: 2025-06-18" } })))
    assert.equal(404, (server:post({ key = OTHER, session = session, body = ping() })))
    assert.equal(204, (post({ method = "DELETE", session = session })))
    assert.equal(404, (post({ session = session, body = ping() })))
  end)

  it("tells a client of the revision without sessions which it speaks", function()
    local status, body = post({ body = { jsonrpc = "2.0", id = 5, method = "server/discover",
      params = { _meta = { ["io.modelcontextprotocol/protocolVersion"] = "2026-07-28",
        ["io.modelcontextprotocol/clientCapabilities"] = {} } } } })
    assert.equal(400, status)
    assert.same({ -32022, "2025-11-25", 5 }, { body.error.code, body.error.data.supported[1],
      body.id })
  end)

  it("answers short requests by JSON, long ones by events, notifications by nothing", function()
    local session = server:begin_session(KEY)
    local status, body, headers = post({ session = session, body = ping("a") })
    assert.same({ 200, "application/json", "a" }, { status, headers["content-type"], body.id })
    status, body = post({ session = session,
      body = { jsonrpc = "2.0", method = "notifications/initialized" } })
    assert.same({ 202, "" }, { status, body })
    status, body, headers = post({ session = session, body = call(
      "import time; print('step', flush=True); time.sleep(1.3); 'over'",
      { _meta = { progressToken = 3 } }) })
    assert.same({ 200, "text/event-stream" }, { status, headers["content-type"] })
    local list = events(body)
    assert.equal("notifications/progress", list[1].method)
    assert.equal(7, list[#list].id)
    assert.matches("over", mcp.text(list[#list].result))
    status, body, headers = post({ session = session, accept = "application/json",
      body = call("import time; time.sleep(0.2); 'over'", { _meta = { progressToken = 3 } }) })
    assert.same({ 200, "application/json" }, { status, headers["content-type"] })
    assert.matches("over", mcp.text(body.result))
    post({ method = "DELETE", session = session })
  end)

  it("keeps a call going whose connection breaks, and ends it with its session", function()
    local session, mark = server:begin_session(KEY), mcp.mark()
    local long = server:post_for_long({ key = KEY, session = session, body = sleeps(mark) })
    wait_until(function() return mcp.is_running(mark) end)
    long.leave()
    local _, body = post({ session = session, body = { jsonrpc = "2.0", id = 8,
      method = "tools/call", params = { name = "job", arguments = { op = "list" } } } })
    assert.matches("run_shell, running", mcp.text(body.result))
    post({ method = "DELETE", session = session })
    wait_until(function() return not mcp.is_running(mark) end)
  end)

  it("tells by Last-Event-ID what an answer that broke off had still to say", function()
    local session = server:begin_session(KEY, "2025-11-25")
    local long = server:post_for_long({ key = KEY, session = session, body = call(WAITS) })
    local heard, ids = events(long.text())
    assert.same({ 0, 1 }, { #heard, #ids })
    long.leave()
    post({ session = session, body = TOUCH })
    local function again(id)
      local status, body, headers = post({ method = "GET", session = session,
        headers = { "Last-Event-ID: " .. id } })
      return status, body, headers["content-type"]
    end
    local status, body, kind = again(ids[1])
    assert.same({ 200, "text/event-stream" }, { status, kind })
    heard, ids = events(body)
    assert.equal(7, heard[#heard].id)
    assert.matches("it went on", mcp.text(heard[#heard].result))
    status, body = again(ids[1]) -- as often as it is wanted
    assert.same({ 200, 7 }, { status, events(body)[#heard].id })
    for _, id in ipairs({ "99-0", "1-99", "x", ids[#ids]:rep(90) }) do
      status, body = again(id)
      assert.equal(410, status, id)
    end
    assert.matches("not kept", body.error.message)
    post({ method = "DELETE", session = session })
  end)

  it("cancels by a message of its own", function()
    local session = server:begin_session(KEY)
    local folder = shell.folder()
    local cancelling = io.popen(("(until [ -e %s/over ]; do sleep 0.5; curl -sS --max-time 20 "
      .. "-H 'Authorization: Bearer %s' -H 'Mcp-Session-Id: %s' -H 'Content-Type: "
      .. "application/json' -d '%s' %s; done) 2>&1"):format(folder, KEY, session,
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}',
      server.url))
    local status, body = post({ session = session, body = call("import time; time.sleep(1000)") })
    shell.write(folder .. "/over", "")
    cancelling:read("*a") -- the next call has the same number
    cancelling:close()
    shell.remove(folder)
    assert.equal(200, status)
    assert.same({}, events(body))
    status, body = post({ session = session, body = call("5 + 5") })
    assert.equal(200, status)
    assert.matches("10", mcp.text(body.result))
    post({ method = "DELETE", session = session })
  end)

  it("tells what is unasked to who listens, the last who came", function()
    local session = server:begin_session(KEY)
    assert.equal(406, (post({ method = "GET", session = session, accept = "application/json" })))
    assert.equal(400, (post({ method = "GET" })))
    post({ session = session, body = call("open('watched', 'w').close()") })
    post({ session = session, body = { jsonrpc = "2.0", id = 2, method = "resources/subscribe",
      params = { uri = "sandbox:///home/user/watched" } } })
    local folder = shell.folder()
    os.execute(("curl -sSN --max-time 60 -H 'Authorization: Bearer %s' -H 'Mcp-Session-Id: %s' "
      .. "-H 'Accept: text/event-stream' %s > %s/heard 2>&1 &"):format(KEY, session, server.url,
      folder))
    wait_until(function()
      post({ session = session, body = call("open('watched', 'a').write('x')") })
      return (shell.read(folder .. "/heard") or ""):find("resources/updated", 1, true) ~= nil
    end)
    post({ method = "DELETE", session = session })
    shell.remove(folder)
  end)

  it("has so many sessions at a time, of one key and of all", function()
    local initialize = { jsonrpc = "2.0", id = 1, method = "initialize",
      params = { protocolVersion = "2025-06-18" } }
    local list = {}
    for i = 1, 5 do
      list[i] = server:begin_session(KEY)
    end
    local status, body = post({ body = initialize })
    assert.equal(429, status)
    assert.matches("%-%-sessions%-per%-key", body.error.message)
    local other = server:begin_session(OTHER)
    status, body = server:post({ key = OTHER, body = initialize })
    assert.equal(503, status)
    assert.matches("%-%-sessions allows", body.error.message)
    for i = 1, 5 do
      assert.equal(204, (post({ method = "DELETE", session = list[i] })))
    end
    assert.equal(204, (server:post({ key = OTHER, method = "DELETE", session = other })))
    status = post({ body = { jsonrpc = "2.0", id = 1, method = "initialize" } })
    assert.equal(200, status)
    post({ method = "DELETE", session = server:begin_session(KEY) })
  end)

  it("refuses what is too long, and goes on", function()
    local session = server:begin_session(KEY)
    local folder = shell.folder()
    local result = shell.run(("head -c 40000000 /dev/zero | curl -sS -i --max-time 30 -H "
      .. "'Authorization: Bearer %s' -H 'Mcp-Session-Id: %s' -H 'Content-Type: application/json' "
      .. "--data-binary @- %s"):format(KEY, session, server.url))
    assert.matches("413", result.stdout)
    shell.remove(folder)
    assert.equal(200, (post({ session = session, body = ping() })))
    post({ method = "DELETE", session = session })
    assert.equal("", server:problems())
  end)
end)

describe("the memory of codecell mcp --http #once", function()
  it("has so many bytes of messages that are not done with, of one key", function()
    local server = mcp.listen(("--api-key %s --api-key %s --max-upload 1M"):format(KEY, OTHER))
    local session, other = server:begin_session(KEY), server:begin_session(OTHER)
    local long = ("x"):rep(600000)
    local function post(given)
      given.key, given.session = given.key or KEY, given.session or session
      return server:post(given)
    end
    local waiting = server:post_for_long({ key = KEY, session = session,
      body = call(WAITS, { junk = long }) })
    local status, body = post({ body = { jsonrpc = "2.0", id = 3, method = "ping",
      params = { junk = long } } })
    assert.equal(429, status)
    assert.matches("you have %d+ bytes in messages here that are not done with, of %d+",
      body.error.message)
    assert.equal(200, (post({ body = ping() })))
    assert.equal(200, (post({ key = OTHER, session = other, body = ping() })))
    assert.equal(200, (post({ body = TOUCH })))
    wait_until(function()
      return post({ body = { jsonrpc = "2.0", id = 3, method = "ping",
        params = { junk = long } } }) == 200
    end)
    waiting.leave()
    server.close()
  end)
end)

describe("what one key has of codecell mcp --http", function()
  local function asked(body, session)
    local request = { method = "POST", path = "/mcp", received = #body, headers = {
      host = "localhost", ["content-type"] = "application/json", accept = "application/json",
      ["mcp-session-id"] = session } }
    function request.read()
      local text = body
      body = nil
      return text
    end
    function request.is_left() return false end
    function request:reply(status, fields, text)
      self.status, self.body = status, text and json.decode(text)
      for _, pair in ipairs(fields) do
        self.session = pair[1] == "Mcp-Session-Id" and pair[2] or self.session
      end
    end
    return request
  end
  local INITIALIZE = json.encode({ jsonrpc = "2.0", id = 1, method = "initialize",
    params = { protocolVersion = "2025-06-18" } })
  local server, session

  setup(function() codecell.assert(codecell.reactor()) end) -- it waits nowhere else
  before_each(function()
    server = require("codecell.mcp.http").new({ session = { create = { backend = "mock" } },
      sessions = 1 })
    local first = asked(INITIALIZE)
    server:answer(first)
    session = first.session
  end)
  after_each(function()
    server:close()
  end)

  it("is not taken up by a session that nobody uses, and that has nothing", function()
    local second = asked(INITIALIZE)
    server:answer(second)
    assert.equal(429, second.status)
    server.sessions[session].seen = server.sessions[session].seen - 61
    second = asked(INITIALIZE)
    server:answer(second)
    assert.same({ 200, 1 }, { second.status, server.count })
    assert.is_nil(server.sessions[session])
    local late = asked(json.encode(ping()), session)
    server:answer(late)
    assert.equal(404, late.status)
  end)

  it("is taken up by one that has a sandbox", function()
    local used = asked(json.encode(call("1")), session)
    server:answer(used)
    assert.equal(200, used.status)
    server.sessions[session].seen = server.sessions[session].seen - 61
    local second = asked(INITIALIZE)
    server:answer(second)
    assert.equal(429, second.status)
  end)

  it("is so many requests at a time", function()
    server.owners["1"].requests = 512
    local one = asked(json.encode(ping()), session)
    server:answer(one)
    assert.equal(429, one.status)
    assert.matches("512 requests of your key are open", one.body.error.message)
    server.owners["1"].requests = 0
    server:answer(one)
    assert.same({ 200, 0 }, { one.status, server.owners["1"].requests })
  end)
end)

describe("events that can be had again", function()
  local stream = require "codecell.mcp.stream"
  local streams = require "codecell.mcp.streams"

  -- An answer that nobody takes away, or whose client goes after so many events.
  local function reader(most)
    local text = {}
    return { text = text, start = function() return true end, finish = function() end,
      abort = function() end, is_left = function() return #text > (most or math.huge) end,
      write = function(_, chunk)
        text[#text + 1] = chunk
        return true
      end }
  end

  setup(function() codecell.assert(codecell.reactor()) end)

  it("are bounded where nobody takes them, but for the last, which is the answer", function()
    local store, one = streams.new(), stream.new()
    store:add(one)
    one:put({ n = 0 }, false)
    one:write_events(reader(0), {}, {})
    for i = 1, 40 do
      one:put({ n = i, text = ("x"):rep(100000) }, false)
      assert.is_true(one.bytes <= 1100000)
    end
    one:put({ answer = ("y"):rep(2000000) }, true)
    local found, number = store:find("1-0")
    local late = reader()
    found:write_events(late, {}, { after = number })
    assert.matches("^id: 1%-42\nevent: message\ndata: {\"answer\"", late.text[#late.text])
    assert.is_true(one.bytes < 3100000)
  end)

  it("are kept of some streams that are complete, the newest always", function()
    local store = streams.new()
    for _ = 1, 10 do
      local one = stream.new()
      store:add(one)
      one:put({ text = ("x"):rep(900000) }, true)
    end
    assert.is_nil((store:find("5-1")))
    assert.truthy(store:find("10-1"))
    assert.truthy(store:find("7-0"))
    assert.is_nil((store:find("7-2")))
  end)

  it("go to whoever comes last", function()
    local store, one = streams.new(), stream.new()
    store:add(one)
    local first, second = reader(), reader()
    local reading = codecell.async(function() one:write_events(first, {}, {}) end)
    one:put({ n = 1 }, false)
    wait_until(function()
      codecell.step(0)
      return #first.text > 1
    end)
    one:put({ n = 2 }, true)
    one:write_events(second, {}, { after = 0 })
    reading:wait(20)
    assert.matches("1%-1.*1%-2", table.concat(second.text))
  end)
end)

describe("a session of codecell mcp --http #once", function()
  it("ends when nobody has used it for a while", function()
    local server = mcp.listen("--no-auth --idle 1")
    local session = server:begin_session()
    wait_until(function()
      codecell.step(2)
      return server:post({ session = session, body = ping() }) == 404
    end)
    server.close()
  end)

  it("ends with the program, which makes a key where none is given", function()
    local server, mark = mcp.listen(), mcp.mark()
    assert.equal(401, (server:post({ body = ping() })))
    local session = server:begin_session(assert(server.key))
    local long = server:post_for_long({ key = server.key, session = session, body = sleeps(mark) })
    wait_until(function() return mcp.is_running(mark) end)
    long.leave()
    server.close()
    wait_until(function() return not mcp.is_running(mark) end)
  end)

  it("does not end the program when its port is taken: that says so", function()
    local server = mcp.listen("--no-auth")
    local result = shell.run(("%s mcp --http %s --no-auth"):format(shell.codecell,
      server.url:match(":(%d+)/")))
    assert.is_true(result.status ~= 0)
    assert.matches("^codecell mcp: [^\n]+\n", result.stderr)
    server.close()
  end)
end)
