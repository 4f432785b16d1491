-- A network that changes while its sandbox lives.
local codecell = require "codecell"
local inside = require "spec.support.inside"
local world = require "spec.support.world"

local runner = inside.runner

describe("sandbox:update_network #user", function()
  local earth = world.new(setup, teardown)

  it("changes what a living sandbox may reach, and cuts what it may not any more", function()
    local allow = { "good.example:" .. earth.web, "good.example:" .. earth.echo,
      "127.0.0.1:" .. earth.web, "127.0.0.1:" .. earth.echo }
    local sandbox = codecell.assert(codecell.create({ network = { allow = allow } }))
    local run = runner(sandbox)
    assert.is_true(sandbox:supports("network_update"))
    assert.equal("hello\n", (run([[
peer = socket.create_connection(("good.example", %d))
print(peer.recv(6).decode().strip())]], earth.echo)))
    assert.is_true(codecell.assert(sandbox:update_network({
      allow = { "other.example:" .. earth.web, "127.0.0.1:" .. earth.web } })))
    local text = run([[
print(outcome(lambda: peer.recv(6)).split()[0])
get("http://good.example:%d/")
get("http://other.example:%d/now")]], earth.web, earth.web)
    assert.equal(("ConnectionResetError\n403 good.example:%d refused: not in the allow list\n"
      .. "GET /now 0\n"):format(earth.web), text)
    assert.is_true(codecell.assert(sandbox:update_network("none")))
    assert.equal("none", sandbox:get_info().network)
    text = run([[get("http://other.example:%d/now")]], earth.web)
    assert.truthy(text:find("^403 "))
    local ok, err = sandbox:update_network("open")
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
    sandbox:close()
  end)

  it("denies some of everything, in a sandbox that is open", function()
    local deny = { "192.0.2.0/24", "*.evil.example" }
    local sandbox = codecell.assert(codecell.create({ network = { allow = "open", deny = deny } }))
    assert.same({ allow = "open", deny = deny }, sandbox:get_info().network)
    local function said(place)
      return (runner(sandbox)(('get("http://%s/")'):format(place)))
    end
    assert.equal("403 192.0.2.9:80 refused: denied\n", said("192.0.2.9"))
    assert.equal("403 a.evil.example:80 refused: denied\n", said("a.evil.example"))
    codecell.assert(sandbox:update_network("open"))
    assert.truthy(said("192.0.2.9"):find("reserved for examples", 1, true))
    sandbox:close()
  end)

  it("opens ports that create did not name, to programs that know of no proxy", function()
    local sandbox = codecell.assert(codecell.create({ network = { allow = {} } }))
    local allow = { "good.example:" .. earth.echo, "127.0.0.1:" .. earth.echo }
    local direct = ([[
import os, socket
for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
    del os.environ[name]
print(outcome(lambda: socket.create_connection(("good.example", %d), 20).recv(6)))]])
      :format(earth.echo)
    assert.truthy((runner(sandbox)(direct)):find("^gaierror"))
    codecell.assert(sandbox:update_network({ allow = allow }))
    assert.equal("b'hello\\n'\n", (runner(sandbox)(direct)))
    sandbox:close()
  end)

  -- An update that cannot be, of a sandbox with that network, and what is said of it.
  local function refused(created, given, what)
    local sandbox = codecell.assert(codecell.create({ network = created }))
    local before = sandbox:get_info().network
    local ok, err = sandbox:update_network(given)
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find(what, 1, true), err.message)
    assert.same(before, sandbox:get_info().network)
    sandbox:close()
  end

  it("says what only create can give, and how", function()
    refused("none", { allow = { "good.example" } }, "create it with network = {allow = {}}")
    refused({ allow = {} }, "open", 'create it with network = "open"')
    refused({ allow = {} }, { allow = { "192.0.2.1" } }, "name it in `network` at create")
    refused({ allow = {} }, { allow = { "git.example:22" } }, "port 22 cannot be opened")
  end)

  it("opens and narrows again what was created open, and ports below 1024 that it named",
    function()
      local sandbox = codecell.assert(codecell.create({ network = "open" }))
      for _, given in ipairs({ { allow = { "192.0.2.1", "good.example" } }, "none", "open" }) do
        assert.is_true(codecell.assert(sandbox:update_network(given)))
      end
      sandbox:close()
      sandbox = codecell.assert(codecell.create({ network = { allow = { "git.example:22" } } }))
      assert.is_true(codecell.assert(sandbox:update_network("none")))
      assert.is_true(codecell.assert(sandbox:update_network({ allow = { "git.example:22" } })))
      sandbox:close()
    end)

  it("says so when code inside has taken the port", function()
    local sandbox = codecell.assert(codecell.create({ network = { allow = {} } }))
    runner(sandbox)("own = socket.create_server(('0.0.0.0', 8099))")
    local ok, err = sandbox:update_network({ allow = { "good.example:8099" } })
    assert.is_nil(ok)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find("port 8099 cannot be opened: code in the sandbox uses it", 1,
      true), err.message)
    runner(sandbox)("own.close()")
    assert.is_true(codecell.assert(sandbox:update_network({ allow = { "good.example:8099" } })))
    sandbox:close()
  end)

  it("opens as many ports in a life as there may be", function()
    local sandbox = codecell.assert(codecell.create({ network = { allow = {} } }))
    local function ports(first, last)
      local allow = {}
      for port = first, last do
        allow[#allow + 1] = "good.example:" .. port
      end
      return { allow = allow }
    end
    assert.is_true(codecell.assert(sandbox:update_network(ports(2001, 2060))))
    local ok, err = sandbox:update_network(ports(3001, 3010))
    assert.is_nil(ok)
    assert.truthy(err.message:find("at most 62 ports", 1, true), err.message)
    sandbox:close()
  end)
end)
