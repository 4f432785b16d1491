local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local json = require "codecell.json"
local shell = require "spec.support.shell"

local CAUSES = { invalid_argument = "template", not_found = "template", permission_denied = "auth",
  rate_limited = "rate_limited", unauthenticated = "auth" }

describe("a request to E2B", function()
  local server
  setup(function() server = e2b.start() end)
  teardown(function() server:stop() end)

  it("makes an error of each documented answer, and shows no key in it #J02 #J03 #J04", function()
    for _, case in ipairs(require "spec.cases.e2b.statuses") do
      local status, kind = case[1], case[4]
      server:script { { method = "POST", path = "^/sandboxes$", status = status,
        headers = case[2], body = (case[3]:gsub('"message":"', "%0" .. e2b.key)) } }
      local sandbox, err = codecell.create(server:options { max_retries = 2 })
      assert.is_nil(sandbox)
      assert.equal(kind, err.kind, status .. ": " .. err.message)
      assert.equal(status, err.status)
      assert.truthy(err.message:find("^Sandbox creation failed: "), err.message)
      assert.falsy(err.message:find(e2b.key, 1, true))
      assert.equal(case[5], #server:asked("POST", "^/sandboxes$"), err.message)
      assert.equal(CAUSES[kind] or "resources", err.cause, status)
      if status == 429 then
        assert.equal(3600, err.retry_after)
      end
    end
  end)

  it("tries again what cannot have run, until it goes through #B13", function()
    server:script {
      { method = "POST", path = "^/sandboxes$", times = 3, status = 503 },
      { method = "POST", path = "^/sandboxes$", status = 201, json = e2b.record() },
    }
    local sandbox = codecell.assert(codecell.create(server:options()))
    sandbox:detach()
    assert.equal(4, #server:asked("POST", "^/sandboxes$"))
  end)

  it("waits as long as Retry-After says #J04", function()
    server:script {
      { method = "POST", path = "^/sandboxes$", times = 1, status = 429,
        headers = { ["Retry-After"] = "1" }, body = '{"code":429,"message":"slow down"}' },
      { method = "POST", path = "^/sandboxes$", status = 201, json = e2b.record() },
    }
    codecell.assert(codecell.create(server:options())):detach()
    local asked = server:asked("POST", "^/sandboxes$")
    assert.equal(2, #asked)
    assert.truthy(asked[2].at - asked[1].at >= 1)
  end)

  it("waits until the date that Retry-After says, by the clock of the server #J04", function()
    server:script {
      { method = "POST", path = "^/sandboxes$", times = 1, status = 503,
        headers = { Date = "Sun, 06 Nov 1994 08:49:37 GMT",
          ["Retry-After"] = "Sun, 06 Nov 1994 08:49:38 GMT" } },
      { method = "POST", path = "^/sandboxes$", times = 1, status = 429,
        headers = { Date = "Sun, 06 Nov 1994 08:49:37 GMT",
          ["Retry-After"] = "Mon, 07 Nov 1994 08:49:37 GMT" } },
    }
    local sandbox, err = codecell.create(server:options())
    assert.is_nil(sandbox)
    assert.equal("rate_limited", err.kind)
    assert.equal(3600, err.retry_after) -- at most
    local asked = server:asked("POST", "^/sandboxes$")
    assert.equal(2, #asked)
    assert.truthy(asked[2].at - asked[1].at >= 1)
  end)

  it("shows its key to the control plane alone, the token to the sandbox #D02 #B01", function()
    local detail = { method = "GET", path = "^/sandboxes/[^/]*$", json = e2b.detail() }
    server:script { { method = "POST", path = "^/sandboxes$", status = 201, json = e2b.record() },
      detail, { method = "POST", path = "/timeout$", status = 204 },
      { method = "GET", path = "^/v2/sandboxes", json = json.list {} },
      { method = "DELETE", path = "^/sandboxes/", status = 204 },
      { method = "POST", path = "Stat$", json = {} },
      { method = "GET", path = "^/files", body = "x" },
      { method = "POST", path = "^/execute$", body = e2b.lines { type = "end_of_execution" } } }
    local sandbox = codecell.assert(codecell.create(server:options()))
    codecell.assert(sandbox:get_info())
    codecell.assert(sandbox:set_timeout(60))
    codecell.assert(codecell.list(server:options()))
    sandbox.files:get_info("a")
    codecell.assert(sandbox.files:read("a"))
    codecell.assert(sandbox:run_code("1"))
    local seen, deep = {}, nil
    function deep(value) -- what a program sees that prints all that it finds
      assert.falsy(tostring(value):find(e2b.key, 1, true))
      assert.falsy(tostring(value):find(e2b.token, 1, true))
      if type(value) == "table" and not seen[value] then
        seen[value] = true
        for name, item in pairs(value) do
          deep(name)
          deep(item)
        end
      end
    end
    deep(sandbox)
    codecell.assert(sandbox:kill())
    local requests = server:requests()
    assert.equal(8, #requests)
    for _, request in ipairs(requests) do
      local is_control = request.path:find("sandboxes", 1, true) ~= nil
      assert.equal(is_control and e2b.key or nil, request.headers["x-api-key"])
      assert.equal(not is_control and e2b.token or nil, request.headers["x-access-token"])
    end
  end)

  it("does not repeat a request that may have made a sandbox", function()
    server:script { { method = "POST", path = "^/sandboxes$", drop = true } }
    local sandbox, err = codecell.create(server:options())
    assert.is_nil(sandbox)
    assert.equal("unavailable", err.kind)
    assert.equal(1, #server:asked("POST", "^/sandboxes$"))
  end)

  it("tries nobody at the other end again, and then says so #J05 #J02 #C10 #J17", function()
    local tries = {}
    local sandbox, err = codecell.create(server:options { api_url = "http://127.0.0.1:9",
      on_request = function(event) tries[#tries + 1] = event end })
    assert.is_nil(sandbox)
    assert.equal("unavailable", err.kind)
    assert.equal("connect", err.stage)
    assert.equal("network", err.cause)
    assert.truthy(err.message:find("^Sandbox creation failed: "), err.message)
    assert.equal(1 + 3, #tries)
    for _, event in ipairs(tries) do
      assert.truthy(event.error:find("Failed to connect", 1, true), event.error)
    end
  end)

  it("runs nothing elsewhere because the cloud is down #C10 #J17", function()
    local before = #codecell.list()
    local result = shell.run(("env E2B_API_KEY=%s E2B_API_URL=http://127.0.0.1:9 "
      .. "E2B_MAX_RETRIES=0 %s run --mode production -c 'print(1)'"):format(e2b.key,
      shell.codecell))
    assert.equal(125, result.status)
    assert.equal("", result.stdout)
    assert.truthy(result.stderr:find("Sandbox creation failed: ", 1, true), result.stderr)
    assert.equal(before, #codecell.list())
  end)

  it("takes no answer that makes no sense", function()
    for _, body in ipairs { "", "[]", "null", "{", "{}", '{"sandboxID":5}', '"text"',
      '{"sandboxID":"../x"}', ("["):rep(1000), "\0\1\2" } do
      server:script { { method = "POST", path = "^/sandboxes$", status = 201, body = body } }
      local sandbox, err = codecell.create(server:options())
      assert.is_nil(sandbox, body)
      assert.equal("protocol", err.kind, err.message)
    end
  end)

  it("checks the key by one request that changes nothing #B18 #N01 #N02", function()
    server:script { { method = "GET", path = "^/v2/sandboxes", times = 1, json = json.list {} },
      { method = "GET", path = "^/v2/sandboxes", times = 1, status = 401,
        json = { code = 401, message = "unknown key" } },
      { method = "GET", path = "^/v2/sandboxes", status = 500, json = { code = 500 } } }
    local account = codecell.e2b.account { api_key = e2b.key, api_url = server.url }
    assert.is_true(account:check())
    local ok, err = account:check()
    assert.is_nil(ok)
    assert.equal("unauthenticated", err.kind)
    ok, err = account:check()
    assert.is_nil(ok)
    assert.truthy(err.message:find("https://status.e2b.dev", 1, true))
    local result = shell.run(("env E2B_API_KEY=%s E2B_API_URL=%s %s doctor --backend e2b"):format(
      e2b.key, server.url, shell.codecell))
    assert.not_equal(0, result.status)
    assert.truthy(result.stdout:find("https://status.e2b.dev", 1, true), result.stdout)
  end)

  it("tells of its requests whoever looks for a fault, without keys and secrets #K22", function()
    server:script(e2b.rules({ method = "POST", path = "Stat$", status = 404,
      json = { code = "not_found", message = "no, hunter2hunter2" } }))
    local told = {}
    local sandbox = codecell.assert(codecell.create(server:options {
      secrets = { TOKEN = "hunter2hunter2" },
      on_request = function(event) told[#told + 1] = event end }))
    sandbox:detach()
    local _, err = sandbox.files:get_info("a")
    assert.falsy(err.message:find("hunter2", 1, true))
    assert.equal("POST", told[1].method)
    assert.equal(server.url .. "/sandboxes", told[1].url)
    assert.equal(201, told[1].status)
    assert.equal("***", json.decode(told[1].body).envVars.TOKEN)
    assert.equal(404, told[2].status)
    local made = codecell.assert(codecell.create(server:options {
      network = { allow = { "a.example" }, rules = { ["a.example"] = { headers = {
        Authorization = "Bearer \"hunter2\"" } } } },
      egress_proxy = { address = "proxy:1", password = "hunter2\\hunter2" },
      on_request = function(event) told[#told + 1] = event end }))
    made:update_network { allow = { "a.example" }, rules = { ["a.example"] = { headers = {
      Authorization = "Bearer \"hunter2\"" } } } }
    made:detach()
    assert.equal("PUT", told[#told].method)
    assert.same({}, { made._given.network, made._given.egress_proxy, made._given.api_key })
    local text = json.encode(told)
    for _, secret in ipairs { e2b.key, e2b.token, "hunter2" } do
      assert.falsy(text:find(secret, 1, true))
    end
    assert.truthy(text:find('["X-API-KEY","***"]', 1, true))
  end)
end)
