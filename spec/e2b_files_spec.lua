local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local FILES = "^/files[?]"

local function entry(path, more)
  local one = { name = path:match "[^/]*$", path = path, type = "FILE_TYPE_FILE", size = "5",
    mode = 420, permissions = "-rw-r--r--", owner = "user", group = "user",
    modifiedTime = "2026-08-01T10:00:00Z" }
  for name, value in pairs(more or {}) do
    one[name] = value
  end
  return one
end

describe("files in a sandbox of E2B", function()
  local server, sandbox
  setup(function()
    server = e2b.start()
    server:script(e2b.rules())
    sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
  end)
  teardown(function() server:stop() end)

  local function call(method, answer, more)
    local rule = { method = "POST", path = "/filesystem.Filesystem/" .. method .. "$",
      json = answer }
    for name, value in pairs(more or {}) do
      rule[name] = value
    end
    server:script(e2b.rules(rule))
  end

  it("are read as bytes, whole or in parts", function()
    local bytes = ("\0\1\254\255"):rep(100000)
    server:script(e2b.rules({ method = "GET", path = FILES, body = "" , times = 1 },
      { method = "GET", path = FILES, body = bytes, times = 1 },
      { method = "GET", path = FILES, status = 206, body = "bcd", times = 1 },
      { method = "GET", path = FILES, status = 416, times = 1 }))
    assert.equal("", sandbox.files:read("empty"))
    assert.equal(bytes, sandbox.files:read("a b", { user = "root" }))
    assert.equal("bcd", sandbox.files:read("x", { offset = 1, length = 3 }))
    assert.equal("", sandbox.files:read("x", { offset = 10 }))
    local requests = server:asked("GET", FILES)
    assert.equal("/files?path=a%20b&username=root", requests[2].path)
    assert.equal("bytes=1-3", requests[3].headers.range)
    assert.equal("bytes=10-", requests[4].headers.range)
    assert.is_nil(requests[1].headers["accept-encoding"])
  end)

  it("are written as one body, whose answer is read whatever it is called", function()
    server:script(e2b.rules({ method = "POST", path = FILES, headers = {
      ["Content-Type"] = "text/plain" }, json = json.list { { path = "/home/user/a b",
        name = "a b", type = "file" } } }))
    local written = codecell.assert(sandbox.files:write("a b", "x\0y",
      { user = "root", metadata = { Kind = "test" } }))
    assert.equal("/home/user/a b", written.path)
    assert.equal(3, written.size)
    local request = server:asked("POST", FILES)[1]
    assert.equal("/files?path=a%20b&username=root", request.path)
    assert.equal("application/octet-stream", request.headers["content-type"])
    assert.equal("test", request.headers["x-metadata-kind"])
    assert.equal("x\0y", request.body)
    local none, err = sandbox.files:write("a", "x", { metadata = { a = "\195\169" } })
    assert.is_nil(none)
    assert.equal("invalid_argument", err.kind)
  end)

  -- Text that the program gzip has packed, which is not our code.
  local function packed(text)
    return shell.run("gzip -c", { stdin = text }).stdout
  end

  it("travel packed where that is asked for, and not in parts", function()
    local text = ("same "):rep(100000)
    local wire = packed(text)
    server:script(e2b.rules(
      { method = "GET", path = FILES, body = wire, times = 1, pieces = 7,
        headers = { ["Content-Encoding"] = "gzip" } },
      { method = "GET", path = FILES, body = "plain", times = 1 },
      { method = "GET", path = FILES, body = "lai", status = 206, times = 1 },
      { method = "POST", path = FILES, json = json.list { { path = "/home/user/a",
        name = "a" } } }))
    assert.equal(text, sandbox.files:read("a", { gzip = true }))
    assert.equal("plain", sandbox.files:read("a", { gzip = true }))
    assert.equal("lai", sandbox.files:read("a", { gzip = true, offset = 1, length = 3 }))
    local asked = server:asked("GET", FILES)
    assert.equal("gzip", asked[1].headers["accept-encoding"])
    assert.is_nil(asked[3].headers["accept-encoding"])
    codecell.assert(sandbox.files:write("a", text, { gzip = true }))
    local request = server:asked("POST", FILES)[1]
    assert.equal("gzip", request.headers["content-encoding"])
    assert.truthy(#request.body < 2000)
    assert.equal(text, shell.run("gzip -dc", { stdin = request.body }).stdout)
  end)

  it("are no files when what is packed is cut, broken or was not asked for", function()
    local wire = packed(("0123456789"):rep(1000))
    local function fails(kind, body, given, coding)
      server:script(e2b.rules({ method = "GET", path = FILES, body = body, pieces = 1000,
        headers = { ["Content-Encoding"] = coding or "gzip" } }))
      local content, err = sandbox.files:read("a", given)
      assert.is_nil(content)
      assert.equal(kind, err.kind, err.message)
    end
    for at = 0, #wire - 1 do
      fails("unavailable", wire:sub(1, at), { gzip = true })
    end
    fails("protocol", "no gzip", { gzip = true })
    fails("protocol", wire:sub(1, -9) .. "\0\0\0\0" .. wire:sub(-4), { gzip = true })
    fails("protocol", wire)
    fails("protocol", wire, { gzip = true }, "br")
  end)

  it("that grow a thousandfold are read as far as one call may", function()
    local most = sandbox._reads
    sandbox._reads = 1000000
    server:script(e2b.rules({ method = "GET", path = FILES, body = packed(("\0"):rep(30000000)),
      headers = { ["Content-Encoding"] = "gzip" } }))
    local content, err = sandbox.files:read("a", { gzip = true })
    sandbox._reads = most
    assert.is_nil(content)
    assert.equal("limit_exceeded", err.kind)
  end)

  it("are written as a form to an old envd, under their whole path", function()
    server:script { { method = "POST", path = "^/sandboxes$", status = 201,
      json = e2b.record { envdVersion = "0.3.0" } } }
    local old = codecell.assert(codecell.create(server:options()))
    old:detach()
    server:script(e2b.rules({ method = "POST", path = FILES,
      json = json.list { { path = "/home/user/a", name = "a", type = "file" } } }))
    codecell.assert(old.files:write('d/a"b', "content"))
    local request = server:asked("POST", FILES)[1]
    assert.equal("/files?path=d%2Fa%22b&username=user", request.path)
    local boundary = request.headers["content-type"]:match "^multipart/form%-data; boundary=(.*)$"
    assert.equal(("--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"d/a%%22b\""
      .. "\r\nContent-Type: application/octet-stream\r\n\r\ncontent\r\n--%s--\r\n")
      :format(boundary, boundary), request.body)
  end)

  it("say why they could not be read or written", function()
    for status, kind in pairs { [400] = "invalid_argument", [401] = "unauthenticated",
      [404] = "not_found", [406] = "invalid_argument", [429] = "rate_limited",
      [500] = "system", [507] = "no_space" } do
      server:script(e2b.rules({ path = FILES, status = status, headers = {
        ["Retry-After"] = "3600" }, json = { code = status, message = "path 'x'" } }))
      local content, err = sandbox.files:read("x")
      assert.is_nil(content)
      assert.equal(kind, err.kind)
      assert.truthy(err.message:find("read x: path 'x'", 1, true), err.message)
      local none
      none, err = sandbox.files:write("x", "y")
      assert.is_nil(none)
      assert.equal(kind, err.kind)
    end
  end)

  it("are described as everywhere", function()
    call("Stat", { entry = entry("/home/user/a") })
    local found = codecell.assert(sandbox.files:get_info("a"))
    assert.same({ name = "a", path = "/home/user/a", type = "file", size = 5, mode = 420,
      permissions = "-rw-r--r--", owner = "user", group = "user",
      modified_time = 1785578400 }, found)
    call("Stat", { entry = entry("/home/user/l", { type = 2, permissions = "Lrwxrwxrwx",
      symlinkTarget = "/tmp" }) })
    found = codecell.assert(sandbox.files:get_info("l"))
    assert.equal("symlink", found.type)
    assert.equal("lrwxrwxrwx", found.permissions)
    assert.equal("/tmp", found.symlink_target)
    call("Stat", { code = "not_found", message = "no" }, { status = 404 })
    assert.is_false(sandbox.files:exists("a"))
  end)

  it("are listed by their paths, below a directory too", function()
    call("ListDir", { entries = json.list { entry("/home/user/d", { type = "FILE_TYPE_DIRECTORY" }),
      entry("/home/user/d/b"), entry("/home/user/a") } })
    local list = codecell.assert(sandbox.files:list("~", { depth = 2 }))
    assert.same({ "/home/user/a", "/home/user/d", "/home/user/d/b" },
      { list[1].path, list[2].path, list[3].path })
    assert.equal("dir", list[2].type)
    assert.same({ path = "~", depth = 2 }, json.decode(server:asked("POST", "ListDir")[1].body))
    call("ListDir", {})
    assert.same({}, codecell.assert(sandbox.files:list("empty")))
    call("ListDir", { entries = json.list { entry("/a/b"), entry("/etc/passwd") } })
    local none, err = sandbox.files:list("a")
    assert.is_nil(none)
    assert.equal("protocol", err.kind)
  end)

  it("are moved, removed, and directories made", function()
    call("Move", { entry = entry("/home/user/new") })
    assert.equal("/home/user/new", codecell.assert(sandbox.files:rename("old", "new")).path)
    assert.same({ source = "old", destination = "new" },
      json.decode(server:asked("POST", "Move")[1].body))
    call("Remove", {})
    assert.is_true(sandbox.files:remove("x"))
    call("MakeDir", { entry = entry("/home/user/d") })
    assert.is_true(sandbox.files:make_dir("d"))
    call("MakeDir", { code = "already_exists", message = "it is there" }, { status = 409 })
    assert.is_false(sandbox.files:make_dir("d"))
  end)

  it("are watched, without an `event` around what is told", function()
    local events = e2b.envelope { start = {} }
      .. e2b.envelope { filesystem = { name = "a", type = "EVENT_TYPE_CREATE" } }
      .. e2b.envelope { keepalive = {} } .. e2b.envelope { filesystem = { name = "a", type = 2 } }
      .. e2b.envelope({}, 2)
    server:script(e2b.rules({ method = "POST", path = "WatchDir$", body = events, pieces = 3 }))
    local watcher = codecell.assert(sandbox.files:watch_dir("d", { recursive = true }))
    assert.same({ name = "a", type = "create" }, watcher:read(5))
    assert.same({ name = "a", type = "write" }, watcher:read(5))
    local event, err = watcher:read(5)
    assert.is_nil(event)
    assert.is_nil(err)
    watcher:close()
    server:script(e2b.rules({ method = "POST", path = "WatchDir$",
      body = e2b.envelope({ error = { code = "not_found", message = "none" } }, 2) }))
    watcher, err = sandbox.files:watch_dir("d")
    assert.is_nil(watcher)
    assert.equal("not_found", err.kind)
  end)

  it("are copied in and out, streamed", function()
    local bytes = ("0123456789"):rep(50000)
    local folder = shell.folder()
    shell.write(folder .. "/in", bytes)
    server:script(e2b.rules({ method = "POST", path = FILES,
      json = json.list { { path = "/home/user/x", name = "x", type = "file" } } },
      { method = "POST", path = "Stat$", json = { entry = entry("/home/user/x",
        { size = "500000" }) } },
      { method = "GET", path = FILES, body = bytes }))
    codecell.assert(sandbox.files:upload(folder .. "/in", "x"))
    assert.equal(bytes, server:asked("POST", FILES)[1].body)
    codecell.assert(sandbox.files:download("x", folder .. "/out"))
    assert.equal(bytes, shell.read(folder .. "/out"))
    shell.remove(folder)
  end)

  it("are uploaded with their modes and links, by programs where envd has no call", function()
    local folder = shell.folder()
    shell.run(("mkdir %s/d && echo x > %s/d/run && chmod 755 %s/d/run && ln -s run %s/d/link")
      :format(folder, folder, folder, folder))
    server:script(e2b.rules(
      { method = "POST", path = "MakeDir$", json = { entry = entry("/home/user/d") } },
      { method = "POST", path = "Start$", body = e2b.process(e2b.exit0) },
      { method = "POST", path = "Stat$", json = { entry = entry("/home/user/d") } },
      { method = "POST", path = FILES, json = json.list {
        { path = "/home/user/d/run", name = "run", type = "file" } } }))
    codecell.assert(sandbox.files:upload(folder .. "/d", "d"))
    local programs = {}
    for i, request in ipairs(server:asked("POST", "Start$")) do
      local process = json.decode(request.body:sub(6)).process
      programs[i] = process.cmd .. " " .. table.concat(process.args, " ")
    end
    table.sort(programs)
    assert.same({ "chmod 0755 -- /home/user/d/run", "ln -sfn -- run d/link" }, programs)
    shell.remove(folder)
  end)

  it("answer while a server inside is waited for", function()
    server:script(e2b.rules({ method = "GET", path = "^/$", times = 1, status = 502, json = {
      code = 502, port = 8000, message = "The sandbox is running but port is not open" } },
      { method = "GET", path = "^/$", status = 404, body = "not here, but there" }))
    assert.is_true(sandbox:wait_port(8000, 5))
    local asked = server:asked("GET", "^/$")
    assert.equal("8000", asked[#asked].headers["e2b-sandbox-port"])
  end)
end)
