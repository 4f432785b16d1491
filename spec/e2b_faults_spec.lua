local codecell = require "codecell"
local core = require "codecell.core"
local e2b = require "spec.support.e2b"
local reactor = require "codecell.reactor"
local shell = require "spec.support.shell"

local START, EXECUTE = "/process.Process/Start$", "^/execute$"

-- One verb of each plane: the rule that answers it, and the call.
local PLANES = {
  control = { { method = "POST", path = "/timeout$" },
    function(sandbox) return sandbox:set_timeout(60) end },
  code = { { method = "POST", path = EXECUTE },
    function(sandbox) return sandbox:run_code("x") end },
  contexts = { { method = "GET", path = "^/contexts$" },
    function(sandbox) return sandbox:list_code_contexts() end },
  read = { { method = "GET", path = "^/files[?]" },
    function(sandbox) return sandbox.files:read("a") end },
  write = { { method = "POST", path = "^/files[?]" },
    function(sandbox) return sandbox.files:write("a", "x") end },
  call = { { method = "POST", path = "Stat$" },
    function(sandbox) return sandbox.files:get_info("a") end },
  stream = { { method = "POST", path = START },
    function(sandbox) return sandbox.commands:run("x") end },
  watch = { { method = "POST", path = "WatchDir$" },
    function(sandbox) return sandbox.files:watch_dir("a") end },
}

local function ruled(plane, more)
  local rule = {}
  for name, value in pairs(PLANES[plane][1]) do
    rule[name] = value
  end
  for name, value in pairs(more) do
    rule[name] = value
  end
  return rule
end

-- What this program holds: descriptors, watched ones, and memory.
local function held()
  local loop = assert(reactor.get())
  for _ = 1, 5 do
    codecell.step(0.02)
  end
  collectgarbage()
  collectgarbage()
  local counted = shell.run(("ls /proc/%d/fd | wc -l; grep -c ^tfd /proc/%d/fdinfo/%d"):format(
    core.getpid(), core.getpid(), loop:pollfd()))
  local descriptors, watched = counted.stdout:match("(%d+)%s+(%d+)")
  return tonumber(descriptors), tonumber(watched), collectgarbage("count")
end

describe("a server that does not do what it should", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options { max_retries = 0 }))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  local function answer(rule)
    server:script(e2b.rules(rule))
  end

  -- A sandbox that soon gives up, though not before it is there.
  local function hasty(seconds)
    server:script(e2b.rules())
    local other = codecell.assert(codecell.create(server:options { max_retries = 0 }))
    other:detach()
    other._plane.settings.request_timeout = seconds
    return other
  end

  it("cuts the stream of a command at every byte", function()
    local stream = e2b.process(e2b.out "hi", e2b.exit0)
    local ended = #stream - 7 -- the end of the process is there, that of the stream is not
    for at = 0, #stream - 1 do
      answer { method = "POST", path = START, body = stream, cut = at }
      local result, err = sandbox.commands:run("x")
      if at < ended then
        assert.is_nil(result, at)
        assert.equal("unavailable", err.kind, at .. ": " .. err.message)
      else
        assert.equal("hi", result.stdout)
      end
    end
  end)

  it("cuts the stream of a cell at every byte", function()
    local stream = e2b.lines({ type = "stdout", text = "hi" }, { type = "end_of_execution" })
    for at = 0, #stream - 1 do
      answer { method = "POST", path = EXECUTE, body = stream, cut = at }
      local execution, err = sandbox:run_code("x")
      assert.is_nil(execution, at)
      assert.equal("unavailable", err.kind, err.message)
    end
  end)

  it("cuts a body at every byte, and says another length", function()
    local text = '[{"path":"/home/user/a","name":"a","type":"file"}]'
    for at = 0, #text - 1, 3 do
      answer { method = "POST", path = "^/files[?]", body = text, cut = at }
      local entry, err = sandbox.files:write("a", "x")
      assert.is_nil(entry)
      assert.equal("unavailable", err.kind, err.message)
    end
    answer { method = "GET", path = "^/files[?]", body = text, length = #text + 100 }
    local content, err = sandbox.files:read("a")
    assert.is_nil(content)
    assert.equal("unavailable", err.kind, err.message)
    answer { method = "GET", path = "^/files[?]", body = text, length = 10,
      headers = { Connection = "close" } }
    assert.equal(text:sub(1, 10), sandbox.files:read("a"))
  end)

  it("sends bytes slowly, one by one", function()
    answer { method = "POST", path = START, body = e2b.process(e2b.out "hi", e2b.exit0),
      pieces = 1, pause = 0.0005 }
    assert.equal("hi", codecell.assert(sandbox.commands:run("x")).stdout)
  end)

  it("sends streams without an end: a wrong first event, output, envelopes", function()
    answer { method = "POST", path = START, body = e2b.envelope { event = { keepalive = {} } },
      endless = e2b.envelope { event = e2b.out(("x"):rep(10000)) } }
    local result, err = sandbox.commands:run("x")
    assert.is_nil(result)
    assert.equal("protocol", err.kind)
    answer { method = "POST", path = START,
      body = e2b.envelope { event = { start = { pid = 1 } } },
      endless = e2b.envelope { event = e2b.out(("x"):rep(10000)) } }
    result = codecell.assert(sandbox.commands:run("x", { timeout = 0.5 }))
    assert.is_true(result.timed_out)
    answer { method = "POST", path = EXECUTE, body = "\n",
      endless = '{"type":"stdout","text":"' .. ("x"):rep(10000) .. '"}\n' }
    local execution = codecell.assert(sandbox:run_code("x", { timeout = 0.5 }))
    assert.is_true(execution.timed_out)
  end)

  it("sends what is no JSON, or JSON of another shape", function()
    for _, body in ipairs { "{", "[]", '{"entries":5}', '{"entries":[5]}',
      '{"entries":[{"path":5}]}', '{"entries":[{"path":"/a/b","size":"x"}]}' } do
      answer { method = "POST", path = "ListDir$", body = body }
      local list, err = sandbox.files:list("a")
      assert.truthy(list or err.kind == "protocol", body)
    end
    for _, event in ipairs { "[]", '{"event":5}', '{"event":{"start":{}}}',
      '{"event":{"start":{"pid":"x"}}}', "{}" } do
      answer { method = "POST", path = START, body = e2b.envelope(event) }
      local result, err = sandbox.commands:run("x")
      assert.is_nil(result)
      assert.equal("protocol", err.kind, event)
    end
    answer { method = "POST", path = START,
      body = e2b.process({ data = { stdout = "*no base64*" } }) }
    local result, err = sandbox.commands:run("x")
    assert.is_nil(result)
    assert.equal("protocol", err.kind)
  end)

  it("sends a head that is too long, or none", function()
    answer { method = "GET", path = "^/files[?]",
      raw = "HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(100000) .. "\r\n\r\n" }
    local content, err = sandbox.files:read("a")
    assert.is_nil(content)
    assert.equal("protocol", err.kind)
    answer { method = "GET", path = "^/files[?]", raw = "hello\r\n" }
    content, err = sandbox.files:read("a")
    assert.is_nil(content)
    assert.truthy(err.kind == "protocol" or err.kind == "unavailable", err.kind)
  end)

  it("sends texts of any length as messages, without secrets and line ends", function()
    answer { method = "GET", path = "^/files[?]", status = 500,
      body = "one\ntwo\27[0m " .. e2b.token .. ("x"):rep(1000000) }
    local content, err = sandbox.files:read("a")
    assert.is_nil(content)
    assert.truthy(#err.message < 600)
    assert.falsy(err.message:find("%c"))
    assert.falsy(err.message:find(e2b.token, 1, true))
  end)

  it("lets an answer trickle: the wait has an end", function()
    local other = hasty(0.3)
    answer { method = "POST", path = "Stat$", body = "{", endless = " ", pause = 0.02 }
    local entry, err = other.files:get_info("a")
    assert.is_nil(entry)
    assert.equal("timeout", err.kind)
  end)

  it("says nothing: the wait has an end", function()
    local other = hasty(0.3)
    answer { method = "POST", path = "Stat$", hang = true, raw = "" }
    local entry, err = other.files:get_info("a")
    assert.is_nil(entry)
    assert.truthy(err.kind == "timeout" or err.kind == "unavailable", err.kind)
  end)

  -- Every kind that the documentation names.
  local KINDS = {}
  for kind in ([[invalid_argument not_found already_exists permission_denied unauthenticated
    rate_limited timeout cancelled unavailable sandbox_gone out_of_memory no_space limit_exceeded
    denied_by_policy unsupported protocol system]]):gmatch("%S+") do
    KINDS[kind] = true
  end

  -- Ask by the verb of a plane what this rule answers.
  local function ask(plane, rule)
    answer(ruled(plane, rule))
    local value, err = PLANES[plane][2](sandbox)
    assert.truthy(value ~= nil or KINDS[err.kind], plane)
    return value, err
  end

  local function fails(plane, rule, ...)
    local value, err = ask(plane, rule)
    assert.is_nil(value, ("%s: %q"):format(plane, (rule.raw or rule.body or ""):sub(1, 99)))
    local is_one = false
    for _, kind in ipairs { ... } do
      is_one = is_one or err.kind == kind
    end
    assert.is_true(is_one, ("%s: %s: %s"):format(plane, err.kind, err.message))
    return err
  end

  it("gives each status, on each plane, the documented kind", function()
    for _, case in ipairs(require "spec.cases.e2b.planes") do
      local status, kind, others = case[1], case[2], case[3] or {}
      for plane in pairs(PLANES) do
        local wanted = others[plane] or kind
        local value, err = ask(plane, { status = status, json = { code = status,
          message = "because" } })
        local place = ("%d of %s: %s"):format(status, plane, err and err.message or "")
        assert.equal(wanted, value == nil and err.kind or true, place)
      end
    end
  end)

  it("says of a sandbox that is lost whether it is gone, paused, or has no such port", function()
    for plane in pairs(PLANES) do
      local rule = ruled(plane, { status = 502, json = { code = 502, message = "not found" } })
      local kinds = { sandbox_gone = { status = 404, json = { code = 404 } },
        unavailable = { json = e2b.detail { state = "paused" } } }
      for kind, detail in pairs(kinds) do
        detail.method, detail.path = "GET", "^/sandboxes/[^/]*$"
        server:script { rule, detail }
        local value, err = PLANES[plane][2](sandbox)
        assert.is_nil(value)
        assert.equal(plane == "control" and "unavailable" or kind, err.kind, plane)
        local is_told = plane == "control" or kind == "sandbox_gone"
          or err.message:find("paused", 1, true)
        assert.truthy(is_told, err.message)
      end
    end
  end)

  it("leads nowhere else: a redirect is not followed, and no key or token goes there", function()
    for plane in pairs(PLANES) do
      for _, status in ipairs { 301, 302, 303, 307, 308 } do
        fails(plane, { status = status, headers = { Location = server.mute .. "/x" } }, "protocol")
        assert.equal(0, #server:asked("", "accept"))
      end
    end
  end)

  it("breaks off at each stage: at once, in the head, in the body, by an end or a reset", function()
    for plane in pairs(PLANES) do
      for _, after in ipairs { "close", "reset" } do
        fails(plane, { drop = true, after = after }, "unavailable")
        fails(plane, { raw = "HTTP/1.1 200 OK\r\nContent-", after = after }, "unavailable")
        if plane ~= "control" then
          fails(plane, { raw = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n{",
            after = after }, "unavailable")
          fails(plane, { raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{",
            after = after }, "unavailable")
        end
      end
    end
    for _, how in ipairs { "close", "reset" } do
      server:script({}, how)
      local made, err = codecell.create(server:options { api_url = server.mute })
      assert.is_nil(made)
      assert.equal("unavailable", err.kind, err.message)
      assert.equal(1, #server:asked("", "accept")) -- it may have been made
      server:script({}, how)
      local page
      page, err = codecell.list(server:options { api_url = server.mute, max_retries = 1 })
      assert.is_nil(page)
      assert.equal("unavailable", err.kind, err.message)
      assert.equal(2, #server:asked("", "accept")) -- this can be asked again
    end
  end)

  it("sends heads that make no sense", function()
    local heads = { "", "hello\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}",
      "HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(100000) .. "\r\n\r\n",
      "HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(20000) .. "\r\n", "\0\1\2\255" }
    for plane in pairs(PLANES) do
      for _, head in ipairs(heads) do
        fails(plane, { raw = head }, "protocol", "unavailable")
      end
    end
  end)

  it("takes interim answers for what they are", function()
    local interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"
    local value = ask("read", { raw = interim .. "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" })
    assert.equal("hi", value)
    fails("read", { raw = interim:rep(3) .. "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n" },
      "not_found")
  end)

  it("hears an answer that comes before its question was sent", function()
    for _, after in ipairs { "hang", "close" } do
      answer { method = "POST", path = "^/files[?]", early = true, status = 507, after = after,
        json = { code = 507, message = "full" } }
      local entry, err = sandbox.files:write("a", ("x"):rep(4194304))
      assert.is_nil(entry)
      assert.truthy(err.kind == "no_space" or after == "close" and err.kind == "unavailable",
        err.message)
    end
  end)

  it("sends what is no text, and what is deeper or more than anything", function()
    local bodies = { "\255\254{}", '{"a":"\255"', "[" .. ('{"a":['):rep(50000), ("["):rep(200000),
      "nul", "\0", '"' .. ("\\u0000"):rep(1000) .. '"' }
    for _, body in ipairs(bodies) do
      fails("control", { body = body }, "protocol", "limit_exceeded")
      fails("write", { body = body }, "protocol", "limit_exceeded")
      fails("call", { body = body }, "protocol", "limit_exceeded")
      fails("contexts", { body = body }, "protocol", "limit_exceeded")
      fails("code", { body = body .. "\n" }, "protocol", "limit_exceeded")
      fails("stream", { body = e2b.envelope(body) }, "protocol", "limit_exceeded")
      fails("watch", { body = e2b.envelope(body) }, "protocol", "limit_exceeded")
    end
  end)

  it("sends frames that are longer than anything, packed, or have no end", function()
    for _, plane in ipairs { "stream", "watch" } do
      fails(plane, { body = "\0\255\255\255\255", endless = ("x"):rep(65536) }, "protocol")
      fails(plane, { body = "\1\0\0\0\2{}" }, "protocol")
      fails(plane, { body = "\0\0\0\0\9{" }, "unavailable")
      fails(plane, { body = "" }, "unavailable")
    end
    fails("stream", { body = e2b.envelope({}, 2) }, "protocol") -- ended, and never begun
  end)

  it("sends without end what should be short", function()
    for plane in pairs(PLANES) do
      if plane ~= "read" then
        fails(plane, { status = 500, body = "x", endless = ("x"):rep(65536) }, "system")
      end
    end
    fails("call", { body = "{", endless = (" "):rep(4194304) }, "limit_exceeded")
    fails("write", { body = "[", endless = (" "):rep(1048576) }, "limit_exceeded")
    fails("code", { body = "{", endless = (" "):rep(16777216) }, "protocol") -- one line
  end)

  it("is held by nothing of what failed: no descriptor, watch or memory", function()
    local faults = { { drop = true, after = "reset" }, { raw = "HTTP/1.1 200 OK\r\nX" },
      { status = 500, body = "x", endless = ("x"):rep(65536) }, { body = "{" },
      { body = "\0\255\255\255\255" }, { body = "", cut = 0, after = "reset" },
      { status = 302, headers = { Location = server.mute } },
      { raw = "HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" .. ("x"):rep(65000) } }
    local function round()
      for _, fault in ipairs(faults) do
        for plane in pairs(PLANES) do
          ask(plane, fault)
        end
      end
      return held()
    end
    round()
    local descriptors, watched, memory = round()
    for _ = 1, 3 do
      round()
    end
    local descriptors_after, watched_after, memory_after = held()
    assert.truthy(descriptors_after <= descriptors, descriptors_after .. " descriptors")
    assert.truthy(watched_after <= watched, watched_after .. " watched")
    assert.truthy(memory_after - memory < 40, memory_after - memory .. " KiB") -- of 192 failures
  end)

  it("lets an explanation trickle: the answer is its status", function()
    local other = hasty(5) -- after which it says what it knows
    answer { method = "POST", path = "Stat$", status = 507, body = "full", endless = " ",
      pause = 0.05 }
    local entry, err = other.files:get_info("a")
    assert.is_nil(entry)
    assert.equal("no_space", err.kind)
    assert.equal("get_info a: full (507)", err.message)
  end)

  -- What each plane has sent when it falls silent.
  local BEGUN = { code = '{"type":"stdout","text":"a"}\n', stream = e2b.process(), watch = "",
    control = "{", contexts = "[", read = "x", write = "[", call = "{" }
  BEGUN.stream = BEGUN.stream:sub(1, -8)

  it("can be left at each stage: its task is cancelled, or its sandbox closed", function()
    local function wait_in_vain(plane, rule, stop)
      answer(rule)
      local other = codecell.assert(codecell.create(server:options { max_retries = 0 }))
      other:detach()
      local task = codecell.async(PLANES[plane][2], other)
      local patience = reactor.now() + 60
      while #server:asked(rule.method, rule.path) == 0 and reactor.now() < patience do
        codecell.step(0.01)
      end
      codecell.step(0.01)
      assert.is_false(task:poll(), plane)
      stop(task, other)
      local value, err = task:wait(60)
      assert.is_nil(value)
      assert.equal("cancelled", err.kind, plane .. ": " .. err.message)
      other:close()
    end
    local function cancel(task)
      task:cancel()
    end
    local function close(_, other)
      other:close()
    end
    for plane in pairs(PLANES) do
      local silent = ruled(plane, { raw = "", after = "hang" })
      local begun = ruled(plane, { body = BEGUN[plane], hang = true })
      wait_in_vain(plane, silent, cancel)
      wait_in_vain(plane, begun, cancel)
      if plane ~= "control" then -- that is no part of the sandbox
        wait_in_vain(plane, silent, close)
        wait_in_vain(plane, begun, close)
      end
    end
  end)

  it("waits while a callback takes its time, in bounded memory", function()
    local function resident()
      return tonumber(shell.read("/proc/self/status"):match("VmRSS:%s*(%d+)"))
    end
    local flood = e2b.envelope { event = e2b.out(("x"):rep(65536)) }
    answer { method = "POST", path = START, endless = flood:rep(16),
      body = e2b.envelope { event = { start = { pid = 1 } } } }
    local count, before, after = 0, nil, nil
    assert.has_error(function()
      sandbox.commands:run("x", { on_stdout = function()
        count = count + 1
        collectgarbage()
        before = before or count == 5 and resident()
        codecell.step(0.02)
        if count == 60 then
          after = resident()
          error("enough")
        end
      end })
    end)
    assert.truthy(after - before < 8192, ("%d KiB more"):format(after - before))
  end)

  it("takes no more of a file without a length than one call may read", function()
    local most = sandbox._reads
    sandbox._reads = 3000000
    answer { method = "GET", path = "^/files[?]", body = "x", endless = ("x"):rep(65536) }
    local content, err = sandbox.files:read("a")
    sandbox._reads = most
    assert.is_nil(content)
    assert.equal("limit_exceeded", err.kind)
    assert.truthy(err.message:find("more than one call reads (3000000)", 1, true), err.message)
  end)
end)
