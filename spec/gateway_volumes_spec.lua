-- `codecell serve --volumes`, asked by curl.
local codecell = require "codecell"
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"

describe("codecell serve --volumes #C09 #M10", function()
  local folder, server, made
  setup(function()
    folder = shell.folder()
    if shell.run("id -u").stdout == "0\n" then
      shell.run("chmod 711 " .. folder .. "; mkdir v; chown 12345:12345 v", { folder = folder })
    else
      shell.run("mkdir v", { folder = folder })
    end
    server = gateway.start(("--api-key %s --volumes %s/v"):format(gateway.key, folder))
    local status
    status, made = server:ask("/volumes", { method = "POST", body = { name = "one" } })
    assert.equal(201, status)
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  local function content(what, path, given)
    given = given or {}
    given.headers, given.key = { "Authorization: Bearer " .. (given.token or made.token) }, false
    given.kind = "application/octet-stream"
    local query = ""
    for name, value in pairs(given.query or {}) do
      query = query .. ("&%s=%s"):format(name, value)
    end
    return server:ask(("/volumecontent/%s/%s?path=%s%s"):format(made.volumeID, what, path, query),
      given)
  end

  local function put(path, body, query)
    return content("file", path, { method = "PUT", body = body, query = query })
  end

  -- A sandbox that has the volume.
  local function sandbox(path)
    local record = server:create({ volumeMounts = { { name = "one", path = path or "/mnt/v" } } })
    return codecell.assert(codecell.connect(record.sandboxID, server:options())), record
  end

  it("are made, found, listed and removed", function()
    local status, told = server:ask("/volumes", { method = "POST", body = { name = "two" } })
    assert.same({ 201, "two", 64 }, { status, told.name, #told.token })
    assert.equal(409, (server:ask("/volumes", { method = "POST", body = { name = "two" } })))
    for _, name in ipairs({ "", "a/b", "..", ("x"):rep(129) }) do
      assert.equal(400, (server:ask("/volumes", { method = "POST", body = { name = name } })))
    end
    local _, list = server:ask("/volumes")
    assert.same({ "one", "two", nil }, { list[1].name, list[2].name, list[3] })
    assert.is_nil(list[1].token)
    status = server:ask("/volumes/" .. told.volumeID, { method = "DELETE" })
    assert.equal(204, status)
    assert.equal(404, (server:ask("/volumes/" .. told.volumeID, { method = "DELETE" })))
    assert.equal(404, (server:ask("/volumes/" .. told.volumeID)))
    assert.equal(401, (server:ask("/volumes", { key = false })))
  end)

  it("stay while code writes to them, and others are served", function()
    local path, one, status, why
    for _ = 1, 30 do -- where the code does not come to write meanwhile, it is removed
      local _, told = server:ask("/volumes", { method = "POST", body = { name = "busy" } })
      path = "/volumes/" .. told.volumeID
      local record = server:create({ volumeMounts = { { name = "busy", path = "/mnt/v" } } })
      one = codecell.assert(codecell.connect(record.sandboxID, server:options()))
      codecell.assert(one.commands:run("i=0; while i=$((i+1)); do mkdir /mnt/v/$i; done 2>&-",
        { background = true }))
      repeat
        local list = codecell.assert(one.files:list("/mnt/v"))
      until #list > 100
      status, why = server:ask(path, { method = "DELETE" })
      if status == 409 then
        break
      end
      assert.equal(204, status)
      one:kill()
    end
    assert.equal(409, status)
    assert.matches("end the sandboxes that write to it", why.message, 1, true)
    assert.equal(200, (server:ask("/health")))
    one:kill()
    assert.equal(204, (server:ask(path, { method = "DELETE" })))
  end)

  it("have files, for whoever has the token", function()
    assert.equal(401, (content("path", "/", { token = "x" })))
    local status, told = content("dir", "/a/b", { method = "POST", query = { force = "true" } })
    assert.same({ 201, "b", "/a/b", "directory" }, { status, told.name, told.path, told.type })
    assert.equal(404, (content("dir", "/no/b", { method = "POST" })))
    assert.equal(409, (content("dir", "/a", { method = "POST" })))
    local bytes = ("\0\255\r\n--x"):rep(100000)
    status, told = put("/a/f", bytes, { mode = 384 })
    assert.same({ 201, #bytes, 384, 1000 }, { status, told.size, told.mode, told.uid })
    assert.equal(bytes, select(2, content("file", "/a/f")))
    assert.equal(409, (put("/a/f", "x")))
    assert.equal(201, (put("/a/f", "", { force = "true" })))
    assert.equal("", select(2, content("file", "/a/f")))
    status, told = content("path", "/a/f", { method = "PATCH", body = '{"mode":416}' })
    assert.same({ 200, 416 }, { status, told.mode })
    assert.equal(400, (content("path", "/a/f", { method = "PATCH", body = '{"uid":0}' })))
    local _, list = content("dir", "/", { query = { depth = 3 } })
    local paths = {}
    for i, one in ipairs(list) do
      paths[i] = one.path
    end
    assert.same({ "/a", "/a/b", "/a/f" }, paths)
    status, told = content("file", "/a/none")
    assert.same({ 404, "not_found" }, { status, told.code })
    assert.equal(204, (content("path", "/a", { method = "DELETE" })))
    assert.equal(404, (content("path", "/a")))
    assert.equal(400, (content("path", "/", { method = "DELETE" })))
  end)

  it("are shared by sandboxes, and stay when these end", function()
    put("/from", "outside\n")
    local first, record = sandbox()
    local told = select(2, server:ask("/sandboxes/" .. record.sandboxID)).volumeMounts[1]
    assert.same({ "one", "/mnt/v" }, { told.name, told.path })
    local second = sandbox("/home/user/shared")
    assert.equal("outside\n", first.commands:run("cat /mnt/v/from; echo in > /mnt/v/in").stdout)
    assert.equal("in\n", second.commands:run("cat ~/shared/in").stdout)
    first:kill()
    second:kill()
    assert.equal("in\n", select(2, content("file", "/in")))
    for path, name in pairs({ ["/etc"] = "one", ["/mnt/a/../b"] = "one", rel = "one" }) do
      assert.equal(400, (server:ask("/sandboxes", { method = "POST", body = { templateID = "base",
        timeout = 20, volumeMounts = { { name = name, path = path } } } })))
    end
    assert.equal(404, (server:ask("/sandboxes", { method = "POST", body = { templateID = "base",
      timeout = 20, volumeMounts = { { name = "none", path = "/mnt/x" } } } })))
  end)

  it("lead nowhere else, whatever code has planted in them #S018 #S058", function()
    local one = sandbox()
    codecell.assert(one.commands:run("cd /mnt/v && ln -s /etc/passwd evil && ln -s / up && "
      .. "ln -s evil evil2 && ln -s fine good && echo ok > fine && mkfifo pipe && "
      .. "ln -s /proc/self/environ env && ln -s loop loop"))
    for _, path in ipairs({ "evil", "evil2", "up/etc/passwd", "env", "up/root", "../evil" }) do
      local status, told = content("file", path)
      assert.same({ 400, "invalid_path" }, { status, told.code }, path)
      assert.is_true((put(path, "x", { force = "true" })) >= 400, path)
    end
    assert.equal(404, (content("file", "pipe")))
    assert.equal(404, (content("file", "../../../etc/passwd")))
    assert.is_true((content("file", "loop")) >= 400)
    assert.equal("ok\n", select(2, content("file", "good")))
    assert.equal(400, (content("dir", "up")))
    assert.equal(400, (content("path", "up/tmp", { method = "DELETE" })))
    assert.equal("/etc/passwd", select(2, content("path", "evil")).target)
    assert.equal(204, (content("path", "up", { method = "DELETE" })))
    one:kill()
  end)

  it("are there again when it is started once more", function()
    put("/kept", "kept", { force = "true" })
    local other = gateway.start(("--api-key %s --volumes %s/v"):format(gateway.key, folder))
    local _, again = other:ask("/volumes/" .. made.volumeID)
    assert.equal("one", again.name)
    local _, text = other:ask(("/volumecontent/%s/file?path=kept"):format(made.volumeID),
      { key = false, headers = { "Authorization: Bearer " .. again.token } })
    other:stop()
    assert.equal("kept", text)
    assert.equal("", server:problems())
  end)

  it("are refused without a place, and at one that code must not write to", function()
    local other = gateway.start()
    local status, told = other:ask("/volumes", { method = "POST", body = { name = "v" } })
    other:stop()
    assert.same({ 501, true }, { status, told.message:find("--volumes FOLDER", 1, true) ~= nil })
    local result = shell.run(shell.codecell .. " serve --port 0 --volumes /etc")
    assert.not_equal(0, result.status)
    assert.matches("/etc belongs to", result.stderr)
  end)
end)
