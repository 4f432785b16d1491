-- `codecell serve` with several keys: what is one's is not another's.
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("codecell serve with several keys #C09 #M10", function()
  local folder, server
  setup(function()
    folder = shell.folder()
    shell.write(folder .. "/keys", "ann ann-has-this-key\nbob bob-has-another\n")
    shell.run("mkdir v; chmod 711 .; [ $(id -u) != 0 ] || chown 12345:12345 v", { folder = folder })
    server = gateway.start(("--api-keys %s/keys --volumes %s/v"):format(folder, folder))
  end)
  teardown(function()
    server:stop()
    shell.remove(folder)
  end)

  local KEYS = { ann = "ann-has-this-key", bob = "bob-has-another" }

  local function ask(who, method, path, body)
    return server:ask(path, { method = method, body = body, key = KEYS[who] })
  end

  local function build(who, name, steps)
    local status, asked = ask(who, "POST", "/v3/templates", { name = name })
    if status ~= 202 then
      return status
    end
    local path = ("/templates/%s/builds/%s"):format(asked.templateID, asked.buildID)
    assert.equal(202, (ask(who, "POST", "/v2" .. path, { fromTemplate = "base", steps = steps })))
    local told
    wait_until(function()
      told = select(2, ask(who, "GET", path .. "/status"))
      return told.status == "ready" or told.status == "error"
    end, 30)
    return told.status, asked, told
  end

  local function create(who, template)
    local status, made = ask(who, "POST", "/sandboxes", { templateID = template, timeout = 30 })
    if status == 201 then
      ask(who, "DELETE", "/sandboxes/" .. made.sandboxID)
    end
    return status
  end

  it("keeps the templates of one from the others, until they are published", function()
    local status, asked = build("ann", "hers", {})
    assert.equal("ready", status)
    assert.equal(201, create("ann", "hers"))
    for _, name in ipairs({ "hers", asked.templateID }) do
      assert.equal(404, create("bob", name))
      assert.equal(404, (ask("bob", "GET", "/templates/" .. name)))
      assert.equal(404, (ask("bob", "GET", ("/templates/%s/tags"):format(name))))
      assert.is_true((ask("bob", "DELETE", "/templates/" .. name)) >= 403)
    end
    assert.equal(403, (ask("bob", "GET", "/templates/aliases/hers")))
    assert.equal(404, (ask("bob", "GET", ("/templates/%s/builds/%s/status"):format(
      asked.templateID, asked.buildID))))
    for _, one in ipairs(select(2, ask("bob", "GET", "/v2/templates"))) do
      assert.not_equal("hers", one.names[1])
    end
    assert.equal(403, (build("bob", "hers", {})))
    assert.equal(403, (build("bob", "hers:mine", {})))
    assert.is_true((ask("bob", "POST", "/templates/tags",
      { target = "hers", tags = { "x" } })) >= 403)
    assert.is_true((ask("bob", "PATCH", "/v2/templates/hers", { public = true })) >= 403)
    local _, _, told = build("bob", "his", {})
    assert.equal("ready", told.status)
    status, asked = ask("bob", "POST", "/v3/templates", { name = "copy" })
    assert.equal(202, status)
    ask("bob", "POST", ("/v2/templates/%s/builds/%s"):format(asked.templateID, asked.buildID),
      { fromTemplate = "hers" })
    wait_until(function()
      told = select(2, ask("bob", "GET", ("/templates/%s/builds/%s/status"):format(
        asked.templateID, asked.buildID)))
      return told.status ~= "building"
    end, 20)
    assert.same({ "error", "template 'hers' not found" }, { told.status, told.reason.message })
    assert.equal(200, (ask("ann", "PATCH", "/v2/templates/hers", { public = true })))
    assert.equal(201, create("bob", "hers"))
    assert.equal(403, (ask("bob", "DELETE", "/templates/hers")))
  end)

  it("lets nobody begin, or look at, another's build of the same name", function()
    local _, hers = ask("ann", "POST", "/v3/templates", { name = "wanted" })
    local _, his = ask("bob", "POST", "/v3/templates", { name = "wanted" })
    local path = "/templates/wanted/builds/"
    local _, told = ask("bob", "GET", "/templates/wanted")
    assert.same({ his.buildID, nil }, { told.builds[1].buildID, told.builds[2] })
    assert.equal(404, (ask("bob", "POST", "/v2" .. path .. hers.buildID, { fromTemplate = "base",
      steps = { { type = "RUN", args = { "echo his > hers" } } } })))
    assert.equal(404, (ask("bob", "GET", path .. hers.buildID .. "/status")))
    assert.equal(404, (ask("bob", "GET", path .. hers.buildID .. "/logs")))
    local function begin(who, asked)
      return (ask(who, "POST", "/v2" .. path .. asked.buildID, { fromTemplate = "base" }))
    end
    assert.equal(202, begin("ann", hers))
    assert.equal(403, begin("bob", his)) -- she was faster
    wait_until(function()
      return select(2, ask("ann", "GET", path .. hers.buildID .. "/status")).status == "ready"
    end, 30)
    assert.equal(403, begin("bob", his))
  end)

  it("builds nothing from another's snapshot", function()
    local _, made = ask("ann", "POST", "/sandboxes", { templateID = "base", timeout = 60 })
    local _, snapshot = ask("ann", "POST", ("/sandboxes/%s/snapshots"):format(made.sandboxID), {})
    ask("ann", "DELETE", "/sandboxes/" .. made.sandboxID)
    local _, asked = ask("bob", "POST", "/v3/templates", { name = "of-hers" })
    local path = ("/templates/%s/builds/%s"):format(asked.templateID, asked.buildID)
    ask("bob", "POST", "/v2" .. path, { fromTemplate = snapshot.snapshotID })
    local told
    wait_until(function()
      told = select(2, ask("bob", "GET", path .. "/status"))
      return told.status ~= "building"
    end, 20)
    assert.same({ "error", ("template '%s' not found"):format(snapshot.snapshotID) },
      { told.status, told.reason.message })
  end)

  it("lets nobody put an archive in the place of another's", function()
    local _, asked = ask("ann", "POST", "/v3/templates", { name = "files" })
    local path = ("/templates/%s/files/%s"):format(asked.templateID, ("a"):rep(64))
    local _, place = ask("ann", "GET", path)
    shell.run(("echo x | gzip | curl -sS -T - %s"):format(shell.quote(place.url)))
    assert.is_true(select(2, ask("ann", "GET", path)).present)
    _, asked = ask("bob", "POST", "/v3/templates", { name = "others" })
    path = ("/templates/%s/files/%s"):format(asked.templateID, ("a"):rep(64))
    assert.is_false(select(2, ask("bob", "GET", path)).present)
  end)

  it("keeps volumes and secrets of one from the others", function()
    local _, volume = ask("ann", "POST", "/volumes", { name = "data" })
    assert.equal(404, (ask("bob", "GET", "/volumes/" .. volume.volumeID)))
    assert.equal(404, (ask("bob", "DELETE", "/volumes/" .. volume.volumeID)))
    assert.equal(0, #select(2, ask("bob", "GET", "/volumes")))
    assert.equal(404, (ask("bob", "POST", "/sandboxes", { templateID = "base", timeout = 20,
      volumeMounts = { { name = "data", path = "/mnt/d" } } })))
    assert.equal(201, (ask("bob", "POST", "/volumes", { name = "data" })))
    local _, secret = ask("ann", "POST", "/secrets", { name = "key", value = "hers" })
    for _, selector in ipairs({ "key", secret.secretID }) do
      assert.equal(404, (ask("bob", "GET", "/secrets/" .. selector)))
      assert.equal(404, (ask("bob", "POST", "/secrets/" .. selector, { value = "x" })))
      assert.equal(404, (ask("bob", "DELETE", "/secrets/" .. selector)))
    end
    assert.equal(0, #select(2, ask("bob", "GET", "/secrets")))
    assert.equal(400, (ask("bob", "POST", "/sandboxes", { templateID = "base", timeout = 20,
      network = { denyOut = { "0.0.0.0/0" }, rules = { ["a.example"] = { { transform = {
        headers = { A = "${e2b.secrets.key}" } } } } } } })))
    assert.equal("", server:problems())
  end)
end)
