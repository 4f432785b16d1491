local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"

-- What an envd has from a version on: the version, the version before, the call, and the kind of
-- error of an older one (nil: it is done in another way, which `check` looks at).
local GATES = {
  { "0.1.4", "0.1.3", "unsupported", function(sandbox)
    return sandbox.files:watch_dir("a", { recursive = true })
  end },
  { "0.1.5", "0.1.4", "unsupported", function(sandbox) return sandbox:get_metrics() end },
  { "0.5.2", "0.5.1", "unsupported", function(sandbox) return sandbox.commands:close_stdin(5) end },
  { "0.6.2", "0.6.1", "unsupported", function(sandbox)
    return sandbox.files:write("a", "x", { metadata = { a = "b" } })
  end },
  { "0.6.3", "0.6.2", "unsupported", function(sandbox)
    return sandbox.files:watch_dir("a", { entry = true })
  end },
  { "0.6.4", "0.6.3", "unsupported", function(sandbox)
    return sandbox.files:watch_dir("a", { network_mounts = true })
  end },
}

local WATCHED = e2b.envelope { start = {} } .. e2b.envelope { filesystem = { name = "a",
  type = "EVENT_TYPE_WRITE", entry = { name = "a", path = "/home/user/a",
    type = "FILE_TYPE_FILE", size = "5" } } } .. e2b.envelope({}, 2)

describe("an envd of an older version", function()
  local server
  setup(function() server = e2b.start() end)
  teardown(function() server:stop() end)

  local function of_version(version)
    server:script { { method = "POST", path = "^/sandboxes$", status = 201,
      json = e2b.record { envdVersion = version } } }
    local sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
    server:script(e2b.rules(
      { method = "POST", path = "WatchDir$", body = WATCHED },
      { method = "POST", path = "CloseStdin$", json = {} },
      { method = "GET", path = "/metrics$", json = json.list { { memUsed = 5 } } },
      { method = "POST", path = "^/files", json = json.list { { path = "/a", name = "a" } } },
      { method = "POST", path = "Start$", body = e2b.process(e2b.exit0) }))
    return sandbox
  end

  it("is not asked for what it does not have, and the error says what to do", function()
    for _, gate in ipairs(GATES) do
      local since, before, kind, call = gate[1], gate[2], gate[3], gate[4]
      local answer, err = call(of_version(since))
      assert.truthy(answer, since .. ": " .. tostring(err))
      assert.truthy(#server:requests() > 0, since)
      answer, err = call(of_version(before))
      assert.is_nil(answer)
      assert.equal(kind, err.kind, since .. ": " .. err.message)
      assert.truthy(err.message:find("older than " .. since, 1, true), err.message)
      assert.same({}, server:requests())
    end
  end)

  it("has its users named, since it has no default one", function()
    of_version("0.3.9").files:write("a", "x")
    assert.truthy(server:asked("POST", "^/files")[1].path:find("username=user", 1, true))
    of_version("0.4.0").files:write("a", "x")
    assert.falsy(server:asked("POST", "^/files")[1].path:find("username", 1, true))
    codecell.assert(of_version("0.3.9").commands:run("x"))
    assert.equal("Basic dXNlcjo=", server:asked("POST", "Start$")[1].headers.authorization)
    codecell.assert(of_version("0.4.0").commands:run("x"))
    assert.is_nil(server:asked("POST", "Start$")[1].headers.authorization)
  end)

  it("always opens standard input: nothing is said of it", function()
    local function told(version)
      codecell.assert(of_version(version).commands:run("x"))
      return json.decode(server:asked("POST", "Start$")[1].body:sub(6)).stdin
    end
    assert.is_nil(told "0.2.9")
    assert.is_false(told "0.3.0")
  end)

  it("takes a form where it takes no other body", function()
    local function kind(version)
      codecell.assert(of_version(version).files:write("a", "x"))
      return server:asked("POST", "^/files")[1].headers["content-type"]
    end
    assert.truthy(kind("0.5.6"):find "^multipart/form%-data")
    assert.equal("application/octet-stream", kind "0.5.7")
  end)

  it("says why it takes no token, header rule or volume: the server does", function()
    server:script { { method = "POST", path = "^/sandboxes$", status = 400, json = { code = 400,
      message = "the template's envd is too old" } } }
    local sandbox, err = codecell.create(server:options())
    assert.is_nil(sandbox)
    assert.equal("invalid_argument", err.kind)
    assert.equal("Sandbox creation failed: the template's envd is too old (400)", err.message)
  end)

  it("that is new enough tells of the files that events are about", function()
    local watcher = codecell.assert(of_version("0.6.4").files:watch_dir("a",
      { entry = true, network_mounts = true }))
    local event = codecell.assert(watcher:read(5))
    assert.same({ "write", "/home/user/a", 5 }, { event.type, event.entry.path, event.entry.size })
    assert.same({ path = "a", includeEntry = true, allowNetworkMounts = true },
      json.decode(server:asked("POST", "WatchDir$")[1].body:sub(6)))
    watcher:close()
  end)
end)
