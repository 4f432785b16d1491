-- `codecell serve`, asked to build templates.
local codecell = require "codecell"
local e2b = require "spec.support.e2b"
local gateway = require "spec.support.gateway"
local root_folder = require "spec.support.root_folder"
local shell = require "spec.support.shell"
local wait_until = require "spec.support.wait_until"

describe("codecell serve, asked to build templates #C09 #M10", function()
  local server
  setup(function()
    server = gateway.start("--api-key " .. gateway.key .. " --image 'debian:12=base'")
  end)
  teardown(function()
    server:stop()
  end)

  local function request(name, more)
    local body = { name = name, cpuCount = 1, memoryMB = 256 }
    for key, value in pairs(more or {}) do
      body[key] = value
    end
    local status, asked = server:ask("/v3/templates", { method = "POST", body = body })
    assert.equal(202, status)
    return asked
  end

  -- The status once it is over.
  local function build(asked, body)
    local path = ("/templates/%s/builds/%s"):format(asked.templateID, asked.buildID)
    body.fromTemplate = not body.fromImage and (body.fromTemplate or "base") or nil
    local status, told = server:ask("/v2" .. path, { method = "POST", body = body })
    assert.equal(202, status, told and told.message)
    wait_until(function()
      status, told = server:ask(path .. "/status")
      return status == 200 and (told.status == "ready" or told.status == "error")
    end, 30)
    return told
  end

  local function step(kind, ...)
    return { type = kind, args = { ... } }
  end

  local function run_in(template, command)
    local made = server:create({ templateID = template })
    local body = e2b.envelope({ process = { cmd = "/bin/sh", args = { "-c", command } } })
    local _, answer = server:ask("/process.Process/Start", { method = "POST", to = made,
      kind = "application/connect+json", body = body })
    server:ask("/sandboxes/" .. made.sandboxID, { method = "DELETE" })
    local out = {}
    for piece in answer:gmatch('"stdout":"([^"]*)"') do
      out[#out + 1] = require("codecell.base64").decode(piece)
    end
    return table.concat(out), made
  end

  it("does the steps in their order, and its sandboxes begin with what they made", function()
    local asked = request("steps")
    assert.matches("^%x+$", asked.templateID)
    assert.same({ 20, 36 }, { #asked.templateID, #asked.buildID })
    local told = build(asked, { fromImage = "debian:12", steps = {
      step("ENV", "COLOUR", "red"), step("RUN", "echo $COLOUR > colour"),
      step("WORKDIR", "work"), step("RUN", "echo said; pwd > here") } })
    assert.equal("ready", told.status)
    local seen = false
    for _, entry in ipairs(told.logEntries) do
      seen = seen or entry.message == "said" and entry.step == "4"
    end
    assert.is_true(seen)
    local out, made = run_in("steps", "cat ~/colour ~/work/here; pwd; echo $COLOUR")
    assert.equal("red\n/home/user/work\n/home/user/work\nred\n", out)
    assert.same({ asked.templateID, "steps" }, { made.templateID, made.alias })
    assert.equal("red\n", (run_in(asked.templateID, "cat ~/colour")))
  end)

  it("takes archives at places it gives out, and lays them out in the sandbox #S066", function()
    local folder = shell.folder()
    assert(shell.run(("cd %s && mkdir -p d/e && echo 1 > d/one && echo 2 > d/e/.two "
      .. "&& ln -s one d/l && tar -czf a.tar.gz d && ln -s /etc evil && tar -cf b.tar evil "
      .. "&& rm evil && mkdir evil && echo x > evil/passwd && tar -rf b.tar evil/passwd "
      .. "&& gzip b.tar"):format(folder)).status == 0)
    local asked = request("files")
    local function send(hash, path)
      local at = ("/templates/%s/files/%s"):format(asked.templateID, hash:rep(64))
      local status, place = server:ask(at)
      assert.same({ 201, false }, { status, place.present })
      local sent = shell.run(("curl -sS -o /dev/null -w '%%{http_code}' -T %s %s"):format(path,
        shell.quote(place.url)))
      assert.equal("200", sent.stdout)
      assert.equal("404", shell.run(("curl -sS -o /dev/null -w '%%{http_code}' -T %s %s"):format(
        path, shell.quote(place.url))).stdout) -- once
      status, place = server:ask(at)
      assert.same({ 201, true }, { status, place.present })
    end
    send("a", folder .. "/a.tar.gz")
    send("b", folder .. "/b.tar.gz")
    shell.remove(folder)
    local function copy(hash, ...)
      local one = step("COPY", ...)
      one.filesHash = hash:rep(64)
      return one
    end
    local told = build(asked, { steps = { copy("a", "d", "all"), copy("a", "d/*", "all2/"),
      copy("a", "d/one", "1", "", "600"), copy("a", "./d/one", "all/e/") } })
    assert.equal("ready", told.status, told.reason and told.reason.message)
    assert.equal("1\n2\none\n1\n600\n2\n1\n", (run_in("files", "cat all/one all/e/.two; "
      .. "readlink all/l; cat 1; stat -c %a 1; cat all2/e/.two; cat all/e/one")))
    told = build(request("files"), { steps = { copy("b", "evil", "e") } })
    assert.equal("error", told.status) -- a link of an archive leads nowhere outside
    told = build(request("files"), { steps = { copy("a", "nothing", "e") } })
    assert.matches("COPY nothing e: .*not in the archive", told.reason.message)
    told = build(request("files"), { steps = { copy("a", "d", "/opt/d") } })
    assert.matches("keeps what lies below /home/user", told.reason.message)
    local status, err = server:ask(("/v2/templates/%s/builds/%s"):format(asked.templateID,
      request("files").buildID), { method = "POST", body = { fromTemplate = "base",
      steps = { copy("c", "d", "e") } } })
    assert.same({ 400, "steps[1]: the files of this COPY were not sent" }, { status, err.message })
  end)

  it("says which step has failed, and why", function()
    local told = build(request("bad"), { steps = { step("RUN", "true"),
      step("RUN", "echo oops >&2; exit 3") } })
    assert.same({ "error", "2" }, { told.status, told.reason.step })
    assert.matches("exit status 3: oops", told.reason.message)
    told = build(request("bad"), { fromImage = "fedora:44" })
    assert.equal("base", told.reason.step)
    assert.matches("'fedora:44' is not here.*%-%-image fedora:44=FOLDER", told.reason.message)
    told = build(request("bad"), { fromTemplate = "no-such-template" })
    assert.matches("not found", told.reason.message)
    told = build(request("bad"), { steps = { step("RUN", "whoami", "nobody123") } })
    assert.equal("failed to run command 'whoami': command failed: unauthenticated: invalid "
      .. "username: 'nobody123'", told.reason.message)
    told = build(request("bad"), { steps = { step("WORKDIR", "/app") } })
    assert.matches("keeps what lies below /home/user", told.reason.message)
    told = build(request("bad"), { startCmd = "exit 5", readyCmd = "sleep 0.3" })
    assert.matches("ended with exit status 5", told.reason.message)
    assert.equal(404, (server:ask("/sandboxes", { method = "POST",
      body = { templateID = "bad", timeout = 20 } })))
  end)

  it("reads what a step prints without holding others up #S080", function()
    local told = build(request("loud"), { steps = { step("RUN", "python3 -c \"for i in range(20): "
      .. "print('x' * 65000)\nprint('y' * 600000, end='')\nprint('z\\n' * 5000000)\"") } })
    assert.equal("ready", told.status, told.reason and told.reason.message)
    assert.equal(200, (server:ask("/health")))
  end)

  it("says that what is to run as root runs as the user there is", function()
    local told = build(request("root"), { steps = { step("USER", "root"), step("RUN", "id -un") } })
    assert.equal("ready", told.status)
    local levels = {}
    for _, entry in ipairs(told.logEntries) do
      levels[#levels + 1] = entry.level == "warn" and entry.message or nil
    end
    assert.matches("there is no root here", levels[1])
  end)

  it("starts what a template starts, and waits until it is ready", function()
    local told = build(request("started"), { startCmd = "sleep 0.2; echo up > up; exec sleep 60",
      readyCmd = "[ -f up ] && rm up" })
    assert.equal("ready", told.status, told.reason and told.reason.message)
    assert.equal("gone\n", (run_in("started", "[ -f up ] || echo gone")))
    local made = server:create({ templateID = "started" })
    local status, list = server:ask(("/sandboxes/%s/fork"):format(made.sandboxID),
      { method = "POST", body = { timeout = 20, count = 1 } })
    assert.equal(201, status)
    local copy = codecell.assert(codecell.connect(list[1].sandbox.sandboxID, server:options()))
    assert.equal(0, copy.commands:run("pgrep -f 'sleep 6[0]'").exit_code)
    copy:kill()
  end)

  it("gives builds tags, by which sandboxes are made", function()
    local asked = request("tagged", { tags = { "v1", "v2" } })
    assert.same({ "v1", "v2" }, asked.tags)
    build(asked, { steps = { step("RUN", "echo 1 > v") } })
    assert.equal(404, (server:ask("/sandboxes", { method = "POST",
      body = { templateID = "tagged", timeout = 20 } })))
    assert.equal("1\n", (run_in("tagged:v2", "cat v")))
    local status, given = server:ask("/templates/tags", { method = "POST",
      body = { target = "tagged:v2", tags = { "default" } } })
    assert.same({ 201, asked.buildID, { "default" } }, { status, given.buildID, given.tags })
    build(request("tagged:v2"), { steps = { step("RUN", "echo 2 > v") } })
    assert.equal("2\n", (run_in("tagged:v2", "cat v")))
    assert.equal("1\n", (run_in("tagged", "cat v")))
    assert.equal(204, (server:ask("/templates/tags", { method = "DELETE",
      body = { name = "tagged", tags = { "v1", "v2" } } })))
    local _, tags = server:ask(("/templates/%s/tags"):format(asked.templateID))
    assert.same({ "default", asked.buildID, nil }, { tags[1].tag, tags[1].buildID, tags[2] })
    for _, wrong in ipairs({ ":x", "x:", "", "a b" }) do
      assert.equal(400, (server:ask("/templates/tags", { method = "POST",
        body = { target = "tagged", tags = { wrong } } })))
    end
  end)

  it("takes a folder for an image, and its programs for those of the template", function()
    local root = root_folder()
    local other = gateway.start(("--api-key %s --image 'tiny:1=%s'"):format(gateway.key, root))
    local ours = server
    server = other
    local told = build(request("tiny"), { fromImage = "tiny:1",
      steps = { step("RUN", "cat /opt/tool/name > n; ls /usr/bin/python3 || true") } })
    local out = told.status == "ready" and run_in("tiny", "cat n; ls /usr/bin")
    server = ours
    other:stop()
    shell.remove(root)
    assert.equal("ready", told.status, told.reason and told.reason.message)
    assert.equal("tool\nbash\ncat\nid\nls\nsh\nsleep\n", out)
  end)

  it("lists, tells, publishes and removes templates", function()
    local asked = request("known")
    build(asked, { steps = {} })
    local _, list = server:ask("/v2/templates")
    local found
    for _, one in ipairs(list) do
      found = one.templateID == asked.templateID and one or found
    end
    assert.same({ "known", false, "ready", asked.buildID, 256 },
      { found.names[1], found.public, found.buildStatus, found.buildID, found.memoryMB })
    local status, told = server:ask("/v2/templates/" .. asked.templateID, { method = "PATCH",
      body = { public = true } })
    assert.same({ 200, { "known" } }, { status, told.names })
    status, told = server:ask("/templates/aliases/known")
    assert.same({ 200, asked.templateID, true }, { status, told.templateID, told.public })
    status, told = server:ask("/templates/" .. asked.templateID)
    assert.same({ 200, asked.buildID, "ready" },
      { status, told.builds[1].buildID, told.builds[1].status })
    assert.equal(204, (server:ask("/templates/known", { method = "DELETE" })))
    assert.equal(404, (server:ask("/templates/known", { method = "DELETE" })))
    assert.equal(404, (server:ask("/templates/aliases/known")))
    assert.equal(403, (server:ask("/templates/base", { method = "DELETE" })))
  end)

  it("refuses what makes no sense", function()
    for _, body in ipairs({ {}, { name = "../x" }, { name = "a/b" }, { name = "a:" },
      { name = "a", tags = { ":" } }, { name = "a", tags = "v1" },
      { name = "a", memoryMB = 1 } }) do
      assert.equal(400, (server:ask("/v3/templates", { method = "POST", body = body })))
    end
    assert.equal(403, (server:ask("/v3/templates", { method = "POST", body = { name = "base" } })))
    local asked = request("sense")
    local path = ("/v2/templates/%s/builds/%s"):format(asked.templateID, asked.buildID)
    for _, steps in ipairs({ { { type = "RUN" } }, { step("EXPOSE", "80") }, { 7 },
      { step("COPY", "/etc", "x") }, { step("COPY", "a/../../b", "x") }, { step("ENV", "A") } }) do
      assert.equal(400, (server:ask(path, { method = "POST", body = { fromTemplate = "base",
        steps = steps } })))
    end
    for _, name in ipairs({ "startCmd", "readyCmd" }) do
      for _, command in ipairs({ "true\0", "true" .. (" "):rep(131068) }) do
        local status, told = server:ask(path, { method = "POST", body = { fromTemplate = "base",
          [name] = command } })
        assert.equal(400, status)
        assert.equal(name .. ": a command without NUL, of at most 131071 bytes, was expected",
          told.message)
      end
    end
    assert.equal(404, (server:ask(path:gsub("%x+$", "no"), { method = "POST", body = {} })))
    assert.equal(410, (server:ask("/templates", { method = "POST", body = {} })))
    assert.equal(400, (server:ask(("/templates/%s/files/short"):format(asked.templateID))))
    assert.equal(404, (server:ask("/upload/x", { method = "PUT", body = "x", key = false })))
    assert.equal("", server:problems())
  end)
end)
