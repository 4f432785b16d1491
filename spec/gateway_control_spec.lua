-- The control plane of `codecell serve`, asked by curl: each verb on a sandbox, and its refusals.
local gateway = require "spec.support.gateway"
local json = require "codecell.json"
local no_namespaces = require "spec.support.no_namespaces"
local until_true = require "spec.support.wait_until"

describe("the control plane of codecell serve #C09 #M10 #user", function()
  local server, record
  setup(function()
    server = gateway.start()
    record = server:create()
  end)
  teardown(function() server:stop() end)

  local function ask(method, path, body, id)
    return server:ask("/sandboxes/" .. (id or record.sandboxID) .. path,
      { method = method, body = body })
  end

  local function made(more, called)
    local one = server:create(more)
    called(one.sandboxID, one)
    ask("DELETE", "", nil, one.sandboxID)
  end

  local function state(id)
    return select(2, ask("GET", "", nil, id)).state
  end

  -- What a command prints in a sandbox.
  local function printed(one, words)
    local _, text = server:ask("/execute", { method = "POST", to = one, port = 49999,
      body = { code = words, language = "bash" } })
    local list = {}
    for line in (type(text) == "table" and json.encode(text) or text):gmatch("[^\n]+") do
      list[#list + 1] = (json.decode(line) or {}).text
    end
    return table.concat(list)
  end

  it("answers for a sandbox whose time is over as for one that is not there #J20", function()
    made(nil, function(id)
      assert.equal(204, (ask("POST", "/timeout", { timeout = 0 }, id)))
      for _, verb in ipairs({ "/pause", "/snapshots", "/fork", "/timeout", "/connect" }) do
        local status, body = ask("POST", verb, { timeout = 60 }, id)
        assert.equal(404, status)
        assert.matches("its time was over at", body.message)
      end
    end)
  end)

  it("starts a sandbox anew after a pause without memory #M10", function()
    local function boot()
      return printed(record, "cat /proc/sys/kernel/random/boot_id")
    end
    local first = boot()
    assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+\n$", first)
    for _, keeps_memory in ipairs({ true, false }) do
      assert.equal(204, (ask("POST", "/pause", { memory = keeps_memory })))
      assert.equal(201, (ask("POST", "/connect", { timeout = 300 })))
      assert.equal(keeps_memory, boot() == first)
    end
  end)

  it("takes fields by their types, and says which one is wrong", function()
    local cases = {
      metadata = { metadata = { a = 1 } }, envVars = { envVars = "x" },
      autoPause = { autoPause = "true" }, secure = { secure = 1 }, network = { network = true },
      autoResume = { autoPause = true, autoPauseMemory = false, autoResume = { enabled = true } },
      mcp = { templateID = "mcp-gateway", mcp = { time = {} } },
      iam = { iam = { tokens = { aws = { audience = "sts", tokenType = "JWT-SVID" } } } },
    }
    for name, more in pairs(cases) do
      more.templateID = more.templateID or "base"
      local status, body = server:ask("/sandboxes", { method = "POST", body = more })
      assert.same({ 400, 400 }, { status, body.code }, name)
      assert.truthy(body.message:find(name, 1, true), body.message)
    end
  end)

  it("says 503 where the machine lets nobody make one: no request is to blame #J22", function()
    local prefix = no_namespaces.prefix()
    if not prefix then
      return pending("this machine forbids unshare")
    end
    local other = gateway.start(nil, nil, prefix)
    finally(function() other:stop() end)
    local function create()
      return other:ask("/sandboxes", { method = "POST", body = { templateID = "base" } })
    end
    local told = other:problems()
    local status, body = create()
    assert.same({ 503, 503 }, { status, body.code })
    assert.matches("create: start a sandbox", body.message)
    -- It said so when it started; it starts all the same, since the machine may be mended.
    assert.matches("^codecell serve: code cannot run here until this is mended: create: start a "
      .. "sandbox [^\n]+ user.max_user_namespaces [^\n]+; see 'codecell doctor'\n$", told)
    if no_namespaces.mend(other.pid) then
      assert.equal(201, (create()))
    end
  end)

  it("lets a sandbox live for 15 s unless it is told how long, and for a day at most", function()
    local _, one = server:ask("/sandboxes", { method = "POST", body = { templateID = "base" } })
    local shape = require "codecell.e2b.shape"
    local _, about = ask("GET", "", nil, one.sandboxID)
    assert.near(15, shape.time(about.endAt) - shape.time(about.startedAt), 0.5)
    assert.is_nil(one.envdAccessToken)
    assert.equal(204, (ask("POST", "/timeout", { timeout = 86400 }, one.sandboxID)))
    local status, body = ask("POST", "/timeout", { timeout = 86401 }, one.sandboxID)
    assert.same({ 400, "timeout cannot be greater than 24 hours" }, { status, body.message })
    assert.equal(204, (ask("POST", "/timeout", { timeout = 60 }, one.sandboxID)))
    assert.equal(200, (ask("POST", "/connect", { timeout = 5 }, one.sandboxID)))
    _, about = ask("GET", "", nil, one.sandboxID)
    assert.is_true(shape.time(about.endAt) > os.time() + 50) -- connecting never shortens it
    assert.equal(400, (ask("POST", "/connect", {}, one.sandboxID)))
    assert.equal(204, (ask("POST", "/refreshes", { duration = 3600 }, one.sandboxID)))
    assert.equal(400, (ask("POST", "/refreshes", { duration = 3601 }, one.sandboxID)))
    assert.equal(204, (ask("POST", "/timeout", { timeout = 0 }, one.sandboxID)))
    until_true(function() return (ask("GET", "", nil, one.sandboxID)) == 404 end)
  end)

  it("pauses what its timeout pauses, with its processes or without", function()
    for _, keeps in ipairs({ true, false }) do
      made({ autoPause = true, autoPauseMemory = keeps }, function(id, one)
        assert.equal("", printed(one, "x=1"))
        ask("POST", "/timeout", { timeout = 0 }, id)
        until_true(function() return state(id) == "paused" end)
        assert.equal(keeps and "full" or "filesystem", select(2, ask("GET", "", nil, id)).pauseMode)
        assert.equal(404, (ask("POST", "/timeout", { timeout = 9 }, id)))
        assert.equal(409, (ask("POST", "/fork", { timeout = 9 }, id)))
        assert.equal(409, (ask("PUT", "/network", {}, id)))
        assert.equal(409, (ask("POST", "/pause", {}, id)))
        assert.equal(201, (ask("POST", "/connect", { timeout = 60 }, id)))
        assert.equal(409, (ask("POST", "/resume", { timeout = 60 }, id)))
        assert.equal(keeps and "1\n" or "\n", printed(one, "echo $x"))
      end)
    end
  end)

  it("goes on with a list whose cursor names a sandbox that is over", function()
    local ids = {}
    for i = 1, 4 do
      ids[i] = server:create({ metadata = { list = "a b" } }).sandboxID
    end
    -- Encoded in three layers: the value, the form, the query.
    local query = "/v2/sandboxes?order=asc&limit=2&metadata=list%3Da%252520b"
    local _, page, head = server:ask(query)
    assert.same({ ids[1], ids[2] }, { page[1].sandboxID, page[2].sandboxID })
    ask("DELETE", "", nil, ids[2])
    local token = head:match("X%-Next%-Token: (%S+)"):gsub("=", "%%3D")
    _, page = server:ask(query .. "&nextToken=" .. token)
    assert.same({ ids[3], ids[4] }, { page[1].sandboxID, page[2].sandboxID })
    for _, wrong in ipairs({ "order=up", "state=running,dead", "template=base:default" }) do
      assert.equal(400, (server:ask("/v2/sandboxes?" .. wrong)), wrong)
    end
    for _, id in ipairs({ ids[1], ids[3], ids[4] }) do
      ask("DELETE", "", nil, id)
    end
    local status, body = server:ask("/access-tokens", { method = "POST", body = {} })
    assert.same({ 410, 410 }, { status, body.code })
    for _, path in ipairs({ "/teams", "/nodes", "/api-keys", "/admin/x" }) do
      assert.equal(501, (server:ask(path)), path)
    end
  end)

  it("says of a sandbox that is over how it ended, and when #J20", function()
    local gone = {}
    made(nil, function(id) gone.killed = id end)
    local _, one = server:ask("/sandboxes", { method = "POST", body = { templateID = "base" } })
    ask("POST", "/timeout", { timeout = 0 }, one.sandboxID)
    gone["its time was over"] = one.sandboxID
    for how, id in pairs(gone) do
      local status, body
      until_true(function()
        status, body = ask("GET", "", nil, id)
        return status == 404
      end)
      assert.equal(404, body.code)
      assert.truthy(body.message:find("^Sandbox \"" .. id .. "\" doesn't exist"), body.message)
      assert.truthy(body.message:find(how .. " at 20", 1, true), body.message)
    end
    assert.is_nil(select(2, ask("GET", "", nil, "i0")).message:find(" at ", 1, true))
  end)

  it("refuses a name of a snapshot that is none", function()
    for _, name in ipairs({ "a\0b", { "a" }, 7 }) do
      assert.equal(400, (ask("POST", "/snapshots", { name = name })))
    end
  end)

  it("refuses a number of copies that is none", function()
    for _, count in ipairs({ 0, 101, 1.5, "x" }) do
      assert.equal(400, (ask("POST", "/fork", { timeout = 9, count = count })))
    end
    local status, list = ask("POST", "/fork", { timeout = 9, count = 2 })
    assert.same({ 201, 2 }, { status, #list })
    for _, copy in ipairs(list) do
      assert.equal(204, (ask("DELETE", "", nil, copy.sandbox.sandboxID)))
    end
  end)

  it("tells what a sandbox uses, at the times that are asked for", function()
    printed(record, "true") -- its kernel stays: where nothing runs, nothing may be used
    local one
    until_true(function()
      local status, list = ask("GET", "/metrics")
      assert.equal(200, status)
      one = list[#list]
      return one.memUsed > 0
    end)
    assert.is_true(one.memTotal > one.memUsed and one.cpuCount >= 1)
    assert.equal(os.date("!%Y-%m-%dT%H:%M:%S", one.timestampUnix), one.timestamp:sub(1, 19))
    local function between(from, to)
      return select(2, ask("GET", ("/metrics?start=%d&end=%d"):format(from, to)))
    end
    assert.same({}, between(os.time() - 3600, os.time() - 1800))
    assert.same(one, between(one.timestampUnix, one.timestampUnix)[1])
    assert.equal(400, (ask("GET", "/metrics?start=x")))
    local _, all = server:ask("/sandboxes/metrics?sandbox_ids=i0," .. record.sandboxID)
    assert.is_number(all.sandboxes[record.sandboxID].memUsed)
    assert.is_nil(all.sandboxes.i0)
    assert.equal(400, (server:ask("/sandboxes/metrics")))
  end)

  it("tells what happened in one, in both versions", function()
    printed(record, "true")
    server:ask("/process.Process/Start", { method = "POST", to = record,
      kind = "application/connect+json", body = "\0\0\0\0\2{}" })
    local _, old = ask("GET", "/logs")
    assert.equal("Sandbox created", old.logs[1].line)
    assert.equal("Sandbox created", old.logEntries[1].message)
    assert.equal(1, #select(2, ask("GET", "/logs?limit=1")).logs)
    local function new(query)
      return server:ask(("/v2/sandboxes/%s/logs%s"):format(record.sandboxID, query))
    end
    local _, body = new("?search=created&level=info")
    assert.same({ 1, "info" }, { #body.logs, body.logs[1].level })
    assert.same({ logs = json.list() }, select(2, new("?level=error")))
    assert.same({}, select(2, new(("?cursor=%d000"):format(os.time() + 60))).logs)
    _, body = new(("?direction=backward&limit=1&cursor=%d000"):format(os.time() + 60))
    assert.equal(1, #body.logs)
    for _, query in ipairs({ "?direction=up", "?level=loud", "?limit=1001", "?cursor=x" }) do
      assert.equal(400, (new(query)), query)
    end
  end)

  it("denies addresses and ranges, and allows again what an update leaves out", function()
    local function reason(one)
      return printed(one, "curl -sS --max-time 5 http://192.0.2.7/")
    end
    made({ allow_internet_access = true, network = { denyOut = { "192.0.2.0/24" } } },
      function(id, one)
        assert.truthy(reason(one):find("refused: denied", 1, true))
        assert.equal(204, (ask("PUT", "/network", {}, id)))
        assert.truthy(reason(one):find("reserved for examples", 1, true))
        assert.equal(204, (ask("PUT", "/network", { allow_internet_access = false }, id)))
        assert.truthy(reason(one):find("refused: not in the allow list", 1, true))
      end)
    made({ network = { denyOut = { "0.0.0.0/0" }, allowOut = { "example.com" } } },
      function(id, one)
        assert.truthy(reason(one):find("refused: not in the allow list", 1, true))
        assert.equal(204, (ask("PUT", "/network", { denyOut = { "192.0.2.7" } }, id)))
        assert.truthy(reason(one):find("refused: denied", 1, true))
        local _, about = ask("GET", "", nil, id)
        assert.same({ denyOut = { "192.0.2.7" } }, about.network)
      end)
  end)

  it("refuses what cannot be said of a network", function()
    local hosts = {}
    for i = 1, 11 do
      hosts["h" .. i .. ".example"] = { { transform = { headers = { A = "b" } } } }
    end
    for _, given in ipairs({
      { allowOut = { "example.com" } }, -- names need everything else denied
      { allowOut = { "192.0.2.7" }, denyOut = { "192.0.2.0/24" } },
      { allowOut = { "192.0.0.0/8" }, denyOut = { "192.0.2.7" } },
      { denyOut = { "example.com" } }, { denyOut = { "192.0.2.0/33" } }, { denyOut = { 1 } },
      { denyOut = { "0.0.0.0/0" }, rules = hosts },
      { denyOut = { "0.0.0.0/0" }, rules = { ["x.example"] = { {}, {} } } },
      { rules = { ["x.example"] = { { transform = { headers = { [("n"):rep(65)] = "v" } } } } } },
      { rules = { ["x.example"] = { { transform = { headers = { Host = "v" } } } } } },
      { egressProxy = { address = "192.0.2.7:1080" } }, { httpsPorts = { 8443 } },
      { denyOut = { "0.0.0.0/0" }, allowOut = { "example.com" }, dnsServers = { "192.0.2.7" } },
    }) do
      local status, body = ask("PUT", "/network", given)
      assert.same({ 400, 400 }, { status, body.code }, json.encode(given))
      status = server:ask("/sandboxes", { method = "POST",
        body = { templateID = "base", network = given } })
      assert.equal(400, status, json.encode(given))
    end
  end)
end)
