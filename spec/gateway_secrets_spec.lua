-- Secrets of `codecell serve`: as its clients have them, and in rules of a network.
local codecell = require "codecell"
local gateway = require "codecell.gateway"
local http = require "codecell.http"
local json = require "codecell.json"
local servers = require "codecell.server"
local web = require "spec.support.web"
local world = require "spec.support.world"

describe("secrets of the gateway #C09 #M10", function()
  local earth = world.new(setup, teardown) -- luacheck: ignore
  local answering, server, url, outside
  setup(function()
    answering = gateway.new({})
    server = codecell.assert(servers.new(function(request) answering:answer(request) end))
    url = "http://127.0.0.1:" .. codecell.assert(server:listen()).port
    outside = web.is_possible() and web.start()
  end)
  teardown(function()
    answering:close(0)
    server:close()
    if outside then
      web.stop(outside)
    end
  end)

  -- Its server is in this program, so it is asked from a coroutine.
  local function ask(method, path, body)
    local task = codecell.async(function()
      local response = codecell.assert(http.request({ method = method, url = url .. path,
        body = body and json.encode(body), timeout = 20 }))
      local text = codecell.assert(response:all(2 ^ 20))
      return response.status, text ~= "" and json.decode(text) or nil, response.headers
    end)
    return task:wait(30)
  end

  local function create(name, value, metadata)
    return ask("POST", "/secrets", { name = name, value = value, metadata = metadata })
  end

  it("are kept, told of without their values, changed and removed", function()
    local status, told = create("Key-1", "v4lue", { env = "test" })
    assert.same({ 201, "key-1", 1, { env = "test" } },
      { status, told.name, told.currentVersion, told.metadata })
    assert.matches("^sec_%x+$", told.secretID)
    assert.is_nil(json.encode(told):find("v4lue", 1, true))
    assert.equal(409, (create("key-1", "x")))
    for _, selector in ipairs({ told.secretID, "key-1", "KEY-1" }) do
      assert.equal(told.secretID, select(2, ask("GET", "/secrets/" .. selector)).secretID)
    end
    local _, changed = ask("POST", "/secrets/key-1", { value = "new" })
    assert.same({ 2, { env = "test" } }, { changed.currentVersion, changed.metadata })
    create("key-2", "x")
    local _, page, headers = ask("GET", "/secrets?limit=1")
    assert.same({ "key-1", nil }, { page[1].name, page[2] })
    _, page = ask("GET", "/secrets?limit=1&nextToken=" .. headers["x-next-token"])
    assert.equal("key-2", page[1].name)
    assert.equal(204, (ask("DELETE", "/secrets/" .. told.secretID)))
    assert.equal(404, (ask("DELETE", "/secrets/key-1")))
    assert.equal(404, (ask("POST", "/secrets/key-1", { value = "x" })))
    assert.equal(204, (ask("DELETE", "/secrets/key-2")))
  end)

  it("are refused where they make no sense", function()
    local many = {}
    for i = 1, 33 do
      many["k" .. i] = "v"
    end
    for _, body in ipairs({ { name = "a b", value = "x" }, { name = "a" }, { value = "x" },
      { name = "a", value = "x\r\nHost: y" }, { name = "a", value = "" },
      { name = ("a"):rep(129), value = "x" }, { name = "a", value = "x", metadata = many },
      { name = "a", value = "x", metadata = { b = 1 } } }) do
      assert.equal(400, (ask("POST", "/secrets", body)))
    end
  end)

  it("make no long header of a short one, whatever their size", function()
    create("long", ("x"):rep(65536))
    local headers = {}
    for i = 1, 20 do
      headers["A" .. i] = ("${e2b.secrets.long}"):rep(100)
    end
    collectgarbage()
    local before = collectgarbage("count")
    local status, told = ask("POST", "/sandboxes", { templateID = "base", timeout = 20,
      network = { denyOut = { "0.0.0.0/0" }, rules = { ["a.example"] = {
        { transform = { headers = headers } } } } } })
    assert.equal(400, status)
    assert.matches("a value of at most 2048", told.message, 1, true)
    assert.is_true(collectgarbage("count") < before + 16384) -- all of them would be 128 MiB
    ask("DELETE", "/secrets/long")
  end)

  it("are added to requests outside, and enter no sandbox #S116", function()
    if not outside then
      return pending "openssl is not installed"
    end
    local place = "good.example:" .. outside.https
    create("api", "s3cret-one")
    local function network(header)
      return { allowOut = { place, "127.0.0.1:" .. outside.https }, denyOut = { "0.0.0.0/0" },
        rules = { [place] = { { transform = { headers = { Authorization = header } } } } } }
    end
    local body = { templateID = "base", timeout = 60,
      network = network("Bearer ${e2b.secrets.none}") }
    local status, told = ask("POST", "/sandboxes", body)
    assert.same({ 400, "network.rules: there is no secret 'none'" }, { status, told.message })
    body.network = network("Bearer ${e2b.identity.tokens.aws}")
    assert.equal(400, (ask("POST", "/sandboxes", body)))
    body.network = network("Bearer ${e2b.secrets.api}")
    status, told = ask("POST", "/sandboxes", body)
    assert.equal(201, status, told and told.message)
    local one = answering.records[told.sandboxID]
    local _, detail = ask("GET", "/sandboxes/" .. told.sandboxID)
    local shown = json.encode(detail)
    assert.is_nil(shown:find("s3cret", 1, true))
    assert.is_truthy(shown:find("${e2b.secrets.api}", 1, true))
    local function fetch()
      for _, rule in pairs(one.sandbox._rules or {}) do
        rule.ca_file = outside.ca -- which only tests have
      end
      return codecell.assert(one.sandbox.commands:run(("curl -s --max-time 20 http://%s/head; env")
        :format(place))).stdout
    end
    local first = fetch()
    assert.is_truthy(first:find("Bearer s3cret-one", 1, true), first)
    ask("POST", "/secrets/api", { value = "s3cret-two" })
    local said = fetch()
    assert.is_truthy(said:find("Bearer s3cret-two", 1, true))
    assert.is_nil(said:find("s3cret-one", 1, true))
    ask("DELETE", "/secrets/api")
    assert.is_nil(fetch():find("s3cret", 1, true))
  end)
end)
