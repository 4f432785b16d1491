-- The files of `codecell serve`, asked by curl: their contents in every form, and what is noted of
-- them.
local envelope = require "codecell.e2b.envelope"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local OCTETS = "application/octet-stream"

describe("the files of codecell serve #M10 #user", function()
  local server, record
  setup(function()
    server = gateway.start()
    record = server:create()
  end)
  teardown(function() server:stop() end)

  local function ask(path, given)
    given = given or {}
    given.to = record
    return server:ask(path, given)
  end

  local function put(path, body, more)
    local given = { method = "POST", kind = OCTETS, body = body }
    for name, value in pairs(more or {}) do
      given[name] = value
    end
    return ask("/files?path=" .. path, given)
  end

  local function call(method, body)
    return ask("/filesystem.Filesystem/" .. method, { method = "POST", body = body })
  end

  local function form(...)
    local pieces = {}
    for i, part in ipairs({ ... }) do
      pieces[i] = ("--x\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n"):format(
        part.name or "file", part.filename and ('; filename="%s"'):format(part.filename) or "",
        part.data)
    end
    return table.concat(pieces) .. "--x--\r\n"
  end

  local function put_form(query, body)
    return ask("/files" .. query, { method = "POST", body = body,
      kind = "multipart/form-data; boundary=x" })
  end

  local function packed(data)
    return shell.run("gzip -c", { stdin = data }).stdout
  end

  it("are written in pieces, whatever bytes they have and wherever a piece ends", function()
    local all = {}
    for i = 0, 255 do
      all[i + 1] = string.char(i)
    end
    local data = table.concat(all):rep(12000) .. "\r\n--" .. "\r\n--y" .. "the end"
    assert.equal(200, (put("large", data)))
    assert.equal(data, select(2, ask("/files?path=large")))
    local status, list = put_form("", form({ filename = "/tmp/one", data = data },
      { name = "other", data = "skipped" }, { filename = "two", data = "" }))
    assert.equal(200, status)
    assert.same({ { path = "/tmp/one", name = "one", type = "file" },
      { path = "/home/user/two", name = "two", type = "file" } }, list)
    assert.equal(data, select(2, ask("/files?path=/tmp/one")))
    assert.equal("", select(2, ask("/files?path=two")))
    assert.equal(200, (put("large", "short")))
    assert.equal("short", select(2, ask("/files?path=large")))
  end)

  it("may be larger than what the gateway holds at a time", function()
    local before = tonumber(shell.read("/proc/" .. server.pid .. "/status"):match("VmHWM:%s*(%d+)"))
    local folder = shell.folder()
    assert.equal(0, shell.run(("head -c 200000000 /dev/zero > %s/zeros && curl -sS "
      .. "-H 'E2b-Sandbox-Id: %s' -H 'E2b-Sandbox-Port: 49983' -H 'X-Access-Token: %s' "
      .. "-H 'Content-Type: %s' -T %s/zeros -X POST '%s/files?path=zeros' && curl -sS "
      .. "-H 'E2b-Sandbox-Id: %s' -H 'E2b-Sandbox-Port: 49983' -H 'X-Access-Token: %s' "
      .. "'%s/files?path=zeros' | cmp - %s/zeros"):format(folder, record.sandboxID,
      record.envdAccessToken, OCTETS, folder, server.url, record.sandboxID,
      record.envdAccessToken, server.url, folder)).status)
    shell.remove(folder)
    local most = tonumber(shell.read("/proc/" .. server.pid .. "/status"):match("VmHWM:%s*(%d+)"))
    assert.is_true(most - before < 60000, ("%d KiB more"):format(most - before))
    assert.equal(200, (call("Remove", { path = "zeros" })))
  end)

  it("are refused where they do not fit, and what was there stays", function()
    put("kept", "old")
    local start = envelope.encode(json.encode({ process = { cmd = "sh", args = { "-c",
      "fallocate -l $(($(df -B1 --output=avail . | tail -1) - 65536)) filler" } } }))
    assert.equal(200, (ask("/process.Process/Start", { method = "POST", body = start,
      kind = "application/connect+json" })))
    local status, body = put("kept", ("x"):rep(200000))
    assert.same({ 507, 507 }, { status, body.code })
    assert.equal("old", select(2, ask("/files?path=kept")))
    assert.equal(200, (call("Remove", { path = "filler" })))
  end)

  it("come packed, and go packed to who wants nothing else", function()
    local data = ("some text\n"):rep(300000)
    local pack = { headers = { "Content-Encoding: gzip" } }
    assert.equal(200, (put("unpacked", packed(data), pack)))
    assert.equal(data, select(2, ask("/files?path=unpacked")))
    assert.equal(200, (ask("/files", { method = "POST", headers = pack.headers,
      body = packed(form({ filename = "from-form", data = data })),
      kind = "multipart/form-data; boundary=x" })))
    assert.equal(data, select(2, ask("/files?path=from-form")))
    assert.equal(200, (put("joined", packed("one ") .. packed(data) .. packed(""), pack)))
    assert.equal("one " .. data, select(2, ask("/files?path=joined")))
    for _, body in ipairs({ "no gzip", packed(data):sub(1, 1000), "", packed("x") .. "y" }) do
      local status, told = put("broken", body, pack)
      assert.same({ 400, 400 }, { status, told.code })
    end
    local _, got, head = ask("/files?path=unpacked", { headers = { "Accept-Encoding: gzip" } })
    assert.matches("Content%-Encoding: gzip", head)
    assert.is_true(#got < #data / 10)
    assert.equal(data, shell.run("gzip -dc", { stdin = got }).stdout)
    for _, wanted in ipairs({ "gzip, deflate", "gzip;q=0", "identity" }) do
      _, got, head = ask("/files?path=unpacked", { headers = { "Accept-Encoding: " .. wanted } })
      assert.is_nil(head:match("Content%-Encoding"))
      assert.equal(data, got)
    end
    assert.equal(406, (ask("/files?path=unpacked", { headers = {
      "Accept-Encoding: identity;q=0, br" } })))
    _, got = ask("/files?path=/proc/uptime", { headers = { "Accept-Encoding: gzip" } })
    assert.matches("^%d", shell.run("gzip -dc", { stdin = got }).stdout)
  end)

  it("are sent only if they have changed, where that is asked", function()
    put("dated", "0123456789")
    local _, _, head = ask("/files?path=dated")
    local date = head:match("Last%-Modified: ([^\r]*)")
    local function status_of(...)
      local status, text = ask("/files?path=dated", { headers = { ... } })
      return { status, text }
    end
    local long_ago = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert.same({ 304, "" }, status_of("If-Modified-Since: " .. date))
    assert.same({ 200, "0123456789" }, status_of("If-Modified-Since: " .. long_ago))
    assert.same({ 412, "" }, status_of("If-Unmodified-Since: " .. long_ago))
    assert.same({ 200, "0123456789" }, status_of("If-Unmodified-Since: " .. date))
    assert.same({ 206, "01" }, status_of("Range: bytes=0-1", "If-Range: " .. date))
    assert.same({ 200, "0123456789" }, status_of("Range: bytes=0-1", "If-Range: " .. long_ago))
    assert.same({ 304, "" }, status_of("Accept-Encoding: gzip", "If-Modified-Since: " .. date))
  end)

  it("say of a circle of links that there is one", function()
    assert.equal(200, (ask("/process.Process/Start", { method = "POST",
      body = envelope.encode(json.encode({ process = { cmd = "ln", args = { "-s", "circle",
        "circle" } } })), kind = "application/connect+json" })))
    local status, told = call("ListDir", { path = "circle" })
    assert.same({ 400, "failed_precondition" }, { status, told.code })
  end)

  it("keep what is noted of them in fields of the request, until they are written again", function()
    local fields = { "X-Metadata-Author: somebody", "X-Metadata-a.b: c d" }
    local noted = { author = "somebody", ["a.b"] = "c d" }
    local _, list = put("noted", "x", { headers = fields })
    assert.same(noted, list[1].metadata)
    _, list = ask("/files", { method = "POST", kind = "multipart/form-data; boundary=x",
      headers = fields, body = form({ filename = "n1", data = "" },
        { filename = "n2", data = "" }) })
    assert.same({ noted, noted }, { list[1].metadata, list[2].metadata })
    local _, told = call("Stat", { path = "noted" })
    assert.same(noted, told.entry.metadata)
    _, told = call("Move", { source = "noted", destination = "sub/noted" })
    assert.same(noted, told.entry.metadata)
    _, told = call("ListDir", { path = "sub" })
    assert.same(noted, told.entries[1].metadata)
    _, list = put("sub/noted", "x")
    assert.is_nil(list[1].metadata)
    _, told = call("Stat", { path = "sub/noted" })
    assert.is_nil(told.entry.metadata)
  end)

  it("are not written at all where that cannot be noted", function()
    for _, field in ipairs({ "X-Metadata-a: \195\169", "X-Metadata-" .. ("n"):rep(247) .. ": 1",
      "X-Metadata-a: " .. ("v"):rep(5000) }) do
      local status, told = put("unnoted", "x", { headers = { field } })
      assert.same({ 400, 400 }, { status, told.code }, field:sub(1, 40))
    end
    assert.equal(404, (call("Stat", { path = "unnoted" })))
  end)

  it("are put together into one, instead of them", function()
    put("part1", ("a"):rep(100000))
    put("part2", "b")
    local function compose(body)
      return ask("/files/compose", { method = "POST", body = body })
    end
    local status, entry = compose({ source_paths = { "part1", "part2" }, destination = "all/of" })
    assert.same({ 200, { path = "/home/user/all/of", name = "of", type = "file" } },
      { status, entry })
    assert.equal(("a"):rep(100000) .. "b", select(2, ask("/files?path=all/of")))
    assert.equal(404, (call("Stat", { path = "part1" })))
    put("part3", "c")
    assert.equal(200, (compose({ source_paths = { "part3", "all/of" }, destination = "part3" })))
    assert.equal("c" .. ("a"):rep(100000) .. "b", select(2, ask("/files?path=part3")))
    assert.equal(404, (compose({ source_paths = { "part3", "none" }, destination = "new" })))
    assert.equal(400, (compose({ source_paths = json.list(), destination = "new" })))
    assert.equal(401, (compose({ source_paths = { "part3" }, destination = "n", username = "x" })))
    local _, told = call("ListDir", { path = "." })
    for _, one in ipairs(told.entries) do
      assert.is_nil(one.name:match("compose"))
      assert.not_equal("new", one.name)
    end
  end)
end)

describe("a form", function()
  local multipart = require "codecell.gateway.envd.multipart"
  local KIND = 'multipart/form-data; boundary="a b"'
  local BODY = "a preamble\r\n--a b\r\nContent-Disposition: form-data; name=\"file\"; "
    .. "filename=\"/x/%22y\\\"\"\r\n\r\none\r\n--a \r\ntwo\r\n--a b \t\r\n\r\nno head\r\n--a b\r\n"
    .. "content-disposition: form-data; name=plain\r\n\r\n\r\n--a b--\r\nan end"

  -- What a form has, if it comes in pieces of so many bytes.
  local function read(body, size)
    local at = 1
    local form = multipart.reader(KIND, function()
      local piece = body:sub(at, at + size - 1)
      at = at + size
      return piece ~= "" and piece or nil
    end)
    local list = {}
    local part, err = form:next()
    while part do
      local pieces = {}
      local piece
      repeat
        piece, err = form:read()
        pieces[#pieces + 1] = piece
      until not piece
      list[#list + 1] = { part.name or "", part.filename or "", table.concat(pieces) }
      if err then
        return list, err
      end
      part, err = form:next()
    end
    return list, err
  end

  local WHOLE = { { "file", "/x/\"y\"", "one\r\n--a \r\ntwo" }, { "", "", "no head" },
    { "plain", "", "" } }

  it("is read wherever a piece of it ends", function()
    for size = 1, #BODY do
      local list, err = read(BODY, size)
      assert.is_nil(err)
      assert.same(WHOLE, list)
    end
  end)

  it("that is cut off says so, wherever that is", function()
    local stop = #BODY - #"--\r\nan end"
    for length = 0, stop + 1 do
      assert.equal("invalid_argument", select(2, read(BODY:sub(1, length), 7)).kind)
    end
    assert.same(WHOLE, read(BODY:sub(1, stop + 2), 7))
  end)

  it("is bounded in the number and the heads of its parts #S054", function()
    assert.equal("invalid_argument",
      select(2, read(("--a b\r\n\r\n\r\n"):rep(10002), 4096)).kind)
    assert.equal("invalid_argument",
      select(2, read("--a b\r\nX: " .. ("x"):rep(70000), 4096)).kind)
    assert.equal("invalid_argument", select(2, multipart.reader(
      "multipart/form-data; boundary=" .. ("x"):rep(71), function() end)).kind)
    assert.equal("invalid_argument", select(2, multipart.reader("multipart/form-data",
      function() end)).kind)
  end)
end)
