-- What no sandbox of `codecell serve` may reach more than.
local cap = require "codecell.gateway.control.cap"
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local shell = require "spec.support.shell"

describe("the network of a gateway", function()
  local function within(most, wanted)
    local given, err = cap.within({ allow = most }, wanted)
    if not given then
      return err.kind
    end
    table.sort(given.allow)
    return table.concat(given.allow, " ")
  end

  it("leaves what is wanted as it is, or nothing of it", function()
    assert.equal("open", cap.within(nil, "open"))
    assert.equal("open", cap.within("open", "open"))
    assert.equal("none", cap.within("none", { allow = { "a.test" } }))
    assert.equal("none", cap.within({ allow = { "a.test" } }, "none"))
  end)

  it("is what is in both, by the narrower entry", function()
    assert.equal("a.test b.test", within({ "a.test", "b.test" }, "open"))
    assert.equal("a.test", within({ "a.test", "b.test" }, { allow = { "a.test", "c.test" } }))
    assert.equal("x.a.test", within({ "*.a.test" }, { allow = { "x.a.test", "a.test" } }))
    assert.equal("x.a.test", within({ "x.a.test", "b.test" }, { allow = { "*.a.test" } }))
    assert.equal("", within({ "a.test:8443" }, { allow = { "a.test" } }))
    assert.equal("a.test:443", within({ "a.test" }, { allow = { "a.test:443", "a.test:22" } }))
    assert.equal("1.2.3.4", within({ "1.2.3.0/24" }, { allow = { "1.2.3.4", "1.2.4.4" } }))
    assert.equal("", within({ "1.2.3.0/24" }, { allow = { "1.2.0.0/16" } }))
    assert.equal("1.2.3.0/24", within({ "1.2.3.0/24" }, { allow = { "1.2.3.0/24" } }))
    assert.equal("2001:db8::1", within({ "2001:db8::1" }, { allow = { "2001:db8::1" } }))
  end)

  it("keeps what is denied, and refuses rules for what is not within it", function()
    local given = cap.within({ allow = { "a.test" } },
      { allow = "open", deny = { "1.2.3.4" }, rules = { ["a.test"] = { headers = {} } } })
    assert.same({ "1.2.3.4" }, given.deny)
    assert.truthy(given.rules["a.test"])
    assert.equal("denied_by_policy", within({ "a.test" },
      { allow = "open", rules = { ["b.test"] = { headers = {} } } }))
  end)

  describe("of codecell serve #user", function()
    local server
    setup(function()
      server = gateway.start("--network a.test,*.b.test --api-key " .. gateway.key)
    end)
    teardown(function() server:stop() end)

    -- What a sandbox is told of a place.
    local function told(record, place)
      local _, text = server:ask("/execute", { method = "POST", to = record, port = 49999,
        body = { code = "curl -s -m 5 http://" .. place, language = "bash" } })
      return type(text) == "table" and json.encode(text) or text
    end

    it("bounds what is asked for at first, and later", function()
      local record = server:create({ allow_internet_access = true })
      assert.truthy(told(record, "c.test"):find("c.test:80 refused", 1, true))
      assert.is_nil(told(record, "a.test"):find("not in the allow list", 1, true))
      assert.equal(204, (server:ask("/sandboxes/" .. record.sandboxID .. "/network",
        { method = "PUT", body = { allow_internet_access = true } })))
      assert.truthy(told(record, "c.test"):find("c.test:80 refused", 1, true))
      server:ask("/sandboxes/" .. record.sandboxID, { method = "DELETE" })
    end)
  end)

  it("is refused where it is none", function()
    local told = shell.run(shell.codecell .. " serve --port 0 --network 'a b'")
    assert.equal(2, told.status)
    assert.truthy(told.stderr:find("--network", 1, true))
  end)
end)
