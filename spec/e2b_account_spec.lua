-- codecell.e2b.account: templates, volumes and secrets of an account of E2B.
local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local function account_of(options)
  options.backend = nil
  return codecell.e2b.account(options)
end

describe("codecell.e2b.account, at codecell serve #C09 #user", function()
  local folder, server, account
  setup(function()
    folder = shell.folder()
    shell.run("mkdir v; chmod 711 .; [ $(id -u) != 0 ] || chown 12345:12345 v", { folder = folder })
    server = gateway.start(("--api-key %s --volumes %s/v"):format(gateway.key, folder))
    account = account_of(server:options({ volume_url = server.url }))
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  it("builds templates, and tells what is known of them", function()
    assert(shell.run("mkdir d && echo hello > d/one && tar -czf a.tgz d",
      { folder = folder }).status == 0)
    local lines = {}
    local function build(name, tags)
      return account:build_template(name, { memory = 256 * 2 ^ 20, tags = tags,
        on_log = function(line) lines[#lines + 1] = line end,
        steps = { { env = { COLOUR = "red" } }, { workdir = "work" },
          { copy = "d", to = "d", archive = folder .. "/a.tgz", mode = 384 },
          { run = "cat d/one; echo $COLOUR > colour" } } })
    end
    local built = codecell.assert(build("mine", { "v1" }))
    assert.same({ { "mine" }, { "v1" } }, { built.names, built.tags })
    assert.is_truthy(table.concat(lines, "\n"):find("hello\n", 1, true))
    codecell.assert(build("mine:v2")) -- its archive is there already
    assert.is_true(account:has_template("mine"))
    local assigned = codecell.assert(account:assign_tags("mine:v1", { "default", "old" }))
    assert.same({ built.build, { "default", "old" } }, { assigned.build, assigned.tags })
    codecell.assert(account:remove_tags("mine", { "old" }))
    local tags = {}
    for i, one in ipairs(codecell.assert(account:tags(built.id))) do
      tags[i] = one.tag
    end
    assert.same({ "default", "v1", "v2" }, tags)
    local about = codecell.assert(account:template("mine"))
    assert.same({ built.id, false, 2 }, { about.id, about.public, #about.builds })
    assert.same({ "mine" }, codecell.assert(account:publish_template("mine", "public")))
    assert.is_true(account:template(built.id).public)
    local sandbox = codecell.assert(account:create({ template = "mine", network = "none" }))
    assert.equal("red\n/home/user/work\n600\n",
      sandbox.commands:run("cat colour; pwd; stat -c %a d/one").stdout)
    sandbox:close()
    assert.is_true(account:remove_template("mine"))
    assert.is_false(account:has_template("mine"))
    assert.equal("not_found", select(2, account:template("mine")).kind)
  end)

  it("says which step of a build has failed", function()
    local built, err = account:build_template("bad", { steps = { { run = "true" },
      { run = "echo oops; exit 3" } } })
    assert.is_nil(built)
    assert.same({ "invalid_argument", "2" }, { err.kind, err.step })
    assert.matches("exit status 3: oops", err.message)
    assert.matches("steps%[1%]", select(2, account:build_template("bad",
      { steps = { { cook = "x" } } })).message)
    assert.has_error(function()
      account:build_template("bad", { from = "a", image = "b" })
    end)
  end)

  it("has volumes, whose files it reads and writes, and which sandboxes share", function()
    local volume = codecell.assert(account:create_volume("shared"))
    assert.equal("shared", account:volume(volume.id).name)
    assert.same({ { id = volume.id, name = "shared" } }, account:volumes())
    local entry = codecell.assert(volume:make_dir("/a/b", { force = true }))
    assert.same({ "/a/b", "dir" }, { entry.path, entry.type })
    assert.equal("already_exists", select(2, volume:make_dir("/a")).kind)
    local pieces, at = { ("x"):rep(300000), "\0\255", "end" }, 0
    entry = codecell.assert(volume:write("/a/f", function()
      at = at + 1
      return pieces[at]
    end, { mode = 384 }))
    assert.same({ 300005, 384 }, { entry.size, entry.mode })
    assert.equal(table.concat(pieces), volume:read("a/f"))
    local size = 0
    assert.equal("", volume:read("a/f", { on_chunk = function(chunk) size = size + #chunk end }))
    assert.equal(300005, size)
    assert.equal("already_exists", select(2, volume:write("/a/f", "")).kind)
    codecell.assert(volume:write("/a/f", "", { force = true }))
    assert.equal("", volume:read("/a/f"))
    assert.equal(416, volume:set_metadata("/a/f", { mode = 416 }).mode)
    local sandbox = codecell.assert(account:create({ network = "none",
      volumes = { ["/mnt/one"] = volume } }))
    assert.equal("b\nf\n", sandbox.commands:run("ls /mnt/one/a; echo in > /mnt/one/in").stdout)
    sandbox:close()
    local paths = {}
    for i, one in ipairs(codecell.assert(volume:list("/", { depth = 2 }))) do
      paths[i] = one.path
    end
    assert.same({ "/a", "/a/b", "/a/f", "/in" }, paths)
    codecell.assert(volume:remove("/a"))
    assert.is_false(volume:exists("/a"))
    assert.equal("not_found", select(2, volume:read("/a/f")).kind)
    assert.is_true(account:remove_volume(volume.id))
    assert.is_false(account:remove_volume(volume.id))
    local none, err = account:create({ volumes = { rel = "x" } })
    assert.same({ nil, "invalid_argument" }, { none, err.kind })
  end)

  it("has secrets, of which no value comes back", function()
    local made = codecell.assert(account:create_secret("api-key", "v4lue",
      { metadata = { env = "test" } }))
    assert.same({ "api-key", 1, { env = "test" } }, { made.name, made.version, made.metadata })
    assert.equal(made.id, account:secret("api-key").id)
    assert.equal(2, account:update_secret(made.id, "other").version)
    assert.equal("unavailable", select(2, account:create_secret("api-key", "x")).kind)
    codecell.assert(account:create_secret("second", "x"))
    local page = codecell.assert(account:secrets({ limit = 1 }))
    assert.equal("second", account:secrets({ limit = 1, next = page.next })[1].name)
    assert.is_true(account:remove_secret("api-key"))
    assert.is_false(account:remove_secret("api-key"))
    assert.equal("not_found", select(2, account:secret("api-key")).kind)
    assert.equal("not_found", select(2, account:update_secret("api-key", "x")).kind)
    assert.equal("", server:problems())
  end)
end)

describe("codecell.e2b.account, at a server with a script #C09 #M10", function()
  local server, account, events
  setup(function()
    server, events = e2b.start(), {}
    account = account_of(server:options({ volume_url = server.url,
      on_request = function(event) events[#events + 1] = event end }))
  end)
  teardown(function()
    server:stop()
  end)

  it("asks for volumes with the key, and for their files with their token alone", function()
    server:script({
      { method = "POST", path = "^/volumes$", status = 201,
        json = { volumeID = "v1", name = "one", token = "t0ken" } },
      { method = "GET", path = "^/volumecontent/v1/path",
        json = { name = "a", path = "/a b", type = "symlink", size = 3, mode = 511, uid = 0,
          gid = 0, atime = "2026-01-01T00:00:00Z", mtime = "2026-01-01T00:00:00Z",
          ctime = "2026-01-01T00:00:00Z", target = "c" } },
    })
    local volume = codecell.assert(account:create_volume("one"))
    local entry = codecell.assert(volume:get_info("/a b"))
    assert.same({ "symlink", "c", 1767225600 },
      { entry.type, entry.symlink_target, entry.modified_time })
    local asked = server:asked("GET", "^/volumecontent")[1]
    assert.equal("/volumecontent/v1/path?path=%2Fa%20b", asked.path)
    assert.equal("Bearer t0ken", asked.headers["authorization"] or asked.headers["Authorization"])
    assert.is_nil(asked.headers["x-api-key"] or asked.headers["X-API-KEY"])
  end)

  it("shows the value of a secret to nobody but the server #S116", function()
    server:script({ { method = "POST", path = "^/secrets$", status = 400,
      json = { code = 400, message = "v4lue is no value" } } })
    events = {}
    local _, err = account:create_secret("a", "v4lue")
    assert.equal("create_secret: *** is no value (400)", err.message)
    assert.is_truthy(server:asked("POST", "^/secrets$")[1].body:find("v4lue", 1, true))
    assert.is_nil((events[1].body or ""):find("v4lue", 1, true))
  end)

  it("asks for tokens of an identity, and starts the MCP gateway of a template", function()
    local function start(event)
      return { method = "POST", path = "Process/Start", body = e2b.process(event) }
    end
    server:script(e2b.rules(start({ ["end"] = { exited = true, status = "exit status 0" } })))
    local sandbox = codecell.assert(account:create({ mcp = { time = { zone = "UTC" } },
      iam = { aws = { audience = "sts" } } }))
    local body = json.decode(server:asked("POST", "^/sandboxes$")[1].body)
    assert.same({ tokens = { aws = { audience = "sts", tokenType = "JWT-SVID" } } }, body.iam)
    assert.equal("mcp-gateway", body.templateID)
    local process = json.decode(server:asked("POST", "Process/Start")[1].body:sub(6)).process
    assert.same({ "mcp-gateway", { "--config", '{"time":{"zone":"UTC"}}' } },
      { process.cmd, process.args })
    assert.equal(process.envs.GATEWAY_ACCESS_TOKEN, codecell.assert(sandbox:get_mcp_token()))
    assert.matches("^https://50005%-.*/mcp$", sandbox:get_mcp_url())
    assert.is_true(sandbox:kill())
    server:script(e2b.rules(start({ ["end"] = { exitCode = 127, exited = true } })))
    local none, err = account:create({ mcp = {}, template = "base" })
    assert.same({ nil, "unsupported" }, { none, err.kind })
    assert.matches("Sandbox creation failed: the MCP gateway did not start", err.message)
    assert.equal(1, #server:asked("DELETE", "^/sandboxes/"))
    for _, iam in ipairs({ { aws = {} }, { aws = { audience = "a", type = "other" } }, { "a" } }) do
      assert.equal("invalid_argument", select(2, account:create({ iam = iam })).kind)
    end
  end)

  it("takes no answer that makes no sense", function()
    for _, answer in ipairs({ { volumeID = "../x", name = "a", token = "t" }, { name = "a" },
      { volumeID = "a", token = "a b" } }) do
      server:script({ { method = "POST", path = "^/volumes$", status = 201, json = answer },
        { method = "GET", path = "^/volumes", json = { x = 1 } },
        { method = "GET", path = "^/secrets", json = { { name = "x" } } },
        { method = "POST", path = "^/v3/templates$", status = 202, json = { x = 1 } } })
      assert.equal("protocol", select(2, account:create_volume("a")).kind)
      assert.equal("protocol", select(2, account:volumes()).kind)
      assert.equal("protocol", select(2, account:secrets()).kind)
      assert.equal("protocol", select(2, account:build_template("a", {})).kind)
    end
    assert.equal("invalid_argument", select(2, codecell.e2b.account({ api_key = e2b.key,
      volume_url = "ftp://x" }):volumes()).kind)
  end)
end)
