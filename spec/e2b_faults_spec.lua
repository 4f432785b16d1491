local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local envelope = require "codecell.e2b.envelope"
local lines = require "codecell.e2b.lines"
local output = require "codecell.process.output"
local shell = require "spec.support.shell"

local START, EXECUTE = "/process.Process/Start$", "^/execute$"

local function descriptors()
  local count = shell.run(("ls /proc/%d/fd | wc -l"):format(require("codecell.core").getpid()))
  return tonumber(count.stdout)
end

describe("the reader of envelopes", function()
  local stream = e2b.process(e2b.out("hi \226\130\172"), e2b.exit0)

  local function read(pieces)
    local reader, found = envelope.reader("x"), {}
    for _, piece in ipairs(pieces) do
      reader:add(piece)
      local message, last = reader:next()
      while message do
        found[#found + 1] = { message, last }
        message, last = reader:next()
      end
      if message == nil then
        return found, last
      end
    end
    return found
  end

  it("reads the same in pieces of any size, cut at every byte", function()
    local whole = read { stream }
    assert.equal(4, #whole)
    assert.is_true(whole[4][2])
    for at = 0, #stream do
      assert.same(whole, read { stream:sub(1, at), stream:sub(at + 1) })
    end
    local bytes = {}
    for at = 1, #stream do
      bytes[at] = stream:sub(at, at)
    end
    assert.same(whole, read(bytes))
  end)

  it("writes what it reads", function()
    assert.same({ { { a = 1 }, false } }, read { envelope.encode '{"a":1}' })
    assert.equal(70000 + 5, #envelope.encode(("x"):rep(70000)))
  end)

  it("refuses flags, lengths and texts that make no sense, before it keeps them", function()
    for _, bytes in ipairs { "\1\0\0\0\2{}", "\255\0\0\0\2{}", "\0\255\255\255\255",
      "\0\2\0\0\1", "\0\0\0\0\0", "\0\0\0\0\4null", "\2\0\0\0\1[", "\0\0\0\0\2[1" } do
      local _, err = read { bytes }
      assert.equal("protocol", err.kind)
    end
  end)
end)

describe("the reader of lines", function()
  local text = '{"type":"stdout","text":"\226\130\172"}\n\r\n \n{"type":"end_of_execution"}\n'

  local function read(pieces)
    local reader, found = lines.reader("x"), {}
    for _, piece in ipairs(pieces) do
      reader:add(piece)
      local value, err = reader:next()
      while value do
        found[#found + 1] = value
        value, err = reader:next()
      end
      if value == nil then
        return found, err
      end
    end
    return found
  end

  it("reads the same in pieces of any size, cut at every byte", function()
    local whole = read { text }
    assert.equal(2, #whole)
    for at = 0, #text do
      assert.same(whole, read { text:sub(1, at), text:sub(at + 1) })
    end
    local bytes = {}
    for at = 1, #text do
      bytes[at] = text:sub(at, at)
    end
    assert.same(whole, read(bytes))
  end)

  it("refuses lines that are no object, and more values than it may hold", function()
    for _, line in ipairs { "x\n", "[1\n", '"a"\n', "null\n", "5\n" } do
      local _, err = read { line }
      assert.equal("protocol", err.kind)
    end
    local many = '{"a":[' .. ("[],"):rep(250000) .. "1]}\n" -- a table counts as eight
    local _, err = read { many, many, many }
    assert.equal("limit_exceeded", err.kind)
  end)
end)

describe("kept output", function()
  it("is the whole, or a head and a tail of whole characters", function()
    local kept = output.new(20)
    for _ = 1, 4 do
      kept:add("12345")
    end
    assert.same({ "12345123451234512345", nil, 20 }, { kept:kept() })
    kept = output.new(16)
    kept:add(("\226\130\172"):rep(20))
    local head, tail, total = kept:kept()
    assert.equal(("\226\130\172"):rep(2), head)
    assert.equal(("\226\130\172"):rep(2), tail)
    assert.equal(60, total)
  end)

  it("gives every byte once to who reads in time, in pieces of whole characters", function()
    local kept, read = output.new(1000), {}
    local text = ("a\195\169\226\130\172\240\159\152\128"):rep(10)
    for at = 1, #text do
      kept:add(text:sub(at, at))
      local piece = kept:read(64, true)
      while piece do
        assert.falsy(piece:find("^[\128-\191]"))
        read[#read + 1] = piece
        piece = kept:read(64, true)
      end
      assert.is_false(piece)
    end
    kept:finish()
    assert.is_nil(kept:read(64, true))
    assert.equal(text, table.concat(read))
  end)

  it("takes no more memory for single bytes than for blocks", function()
    local kept = output.new(200000)
    for _ = 1, 400000 do
      kept:add("x")
    end
    local head, tail, total = kept:kept()
    assert.equal(200000, #head + #tail)
    assert.equal(400000, total)
    assert.truthy(#kept.head < 200 and kept.last - kept.first < 200)
  end)

  it("passes over what was dropped unread", function()
    local kept = output.new(8)
    kept:add("abcdefghijklmnop")
    assert.equal("abcd", kept:read(100))
    assert.equal("mnop", kept:read(100))
    assert.is_false(kept:read(100))
  end)
end)

describe("a server that does not do what it should", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options { request_timeout = 5,
      max_retries = 0 }))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  local function answer(rule)
    server:script(e2b.rules(rule))
  end

  it("cuts the stream of a command at every byte", function()
    local stream = e2b.process(e2b.out "hi", e2b.exit0)
    local ended = #stream - 7 -- the end of the process is there, that of the stream is not
    local before
    for at = 0, #stream - 1 do
      answer { method = "POST", path = START, body = stream, cut = at }
      local result, err = sandbox.commands:run("x")
      if at < ended then
        assert.is_nil(result, at)
        assert.equal("unavailable", err.kind, at .. ": " .. err.message)
      else
        assert.equal("hi", result.stdout)
      end
      before = before or descriptors()
    end
    assert.truthy(descriptors() <= before + 2)
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
    server:script(e2b.rules())
    local hasty = codecell.assert(codecell.create(server:options { request_timeout = 0.3,
      max_retries = 0 }))
    hasty:detach()
    answer { method = "POST", path = "Stat$", body = "{", endless = " ", pause = 0.02 }
    local entry, err = hasty.files:get_info("a")
    assert.is_nil(entry)
    assert.equal("timeout", err.kind)
  end)

  it("says nothing: the wait has an end", function()
    server:script(e2b.rules())
    local hasty = codecell.assert(codecell.create(server:options { request_timeout = 0.3,
      max_retries = 0 }))
    hasty:detach()
    answer { method = "POST", path = "Stat$", hang = true, raw = "" }
    local entry, err = hasty.files:get_info("a")
    assert.is_nil(entry)
    assert.truthy(err.kind == "timeout" or err.kind == "unavailable", err.kind)
  end)
end)
