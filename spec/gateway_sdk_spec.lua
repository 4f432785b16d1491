-- `codecell serve`, used by E2B's official SDKs as they come from their registries.
local gateway = require "spec.support.gateway"
local shell = require "spec.support.shell"

describe("the versions of E2B that this was tried with #N08", function()
  local function upstream(word)
    return shell.run(".ci/upstream " .. word, { folder = ".", time = 120 })
  end

  it("are recorded, that of envd as the gateway tells it, and looked at by the clock", function()
    local text = upstream("tried").stdout
    assert.equal(require("codecell.gateway.record").ENVD, text:match("envd  envd%s+(%S+)"))
    for _, name in ipairs({ "pypi  e2b ", "pypi  e2b-code-interpreter ", "npm   e2b ",
      "npm   @e2b/code-interpreter " }) do
      assert.truthy(text:find("\n" .. name, 1, true), name)
    end
    assert.truthy(shell.read(".ci/schedule"):find("%.ci/upstream look\n"))
    assert.equal(64, upstream("").status)
  end)

  it("are compared with the newest ones #slow #registry", function()
    local result = upstream("look")
    if result.status == 2 then
      return pending("the registries do not answer")
    end
    assert.equal(result.status == 0, result.stdout == "", result.stdout .. result.stderr)
  end)
end)

describe("the official SDKs of E2B, against codecell serve #C09 #M10 #N08 #slow #registry",
function()
  local folder, server, named, has_python, has_javascript
  setup(function()
    folder = shell.folder()
    has_python = shell.run(("/usr/bin/python3 -m venv %s/python && %s/python/bin/pip install -q "
      .. "e2b e2b-code-interpreter"):format(folder, folder), { time = 300 }).status == 0
    has_javascript = shell.run("npm install --silent e2b @e2b/code-interpreter",
      { folder = folder, time = 300 }).status == 0
    shell.run("mkdir v; chmod 711 .; [ $(id -u) != 0 ] || chown 12345:12345 v", { folder = folder })
    server = gateway.start(("--api-key %s --volumes %s/v"):format(gateway.key, folder))
    named = gateway.start_with_domain("sandbox.localhost", ("--volumes %s/v"):format(folder))
    assert(shell.run(("cp -r spec/support/loopback %s/"):format(folder), { folder = "." }).status
      == 0)
  end)
  teardown(function()
    server:stop()
    named:stop()
    shell.remove(folder)
  end)

  local function run(program, path, to)
    local name = path:match("[^/]+$")
    assert(shell.run(("cp %s %s/"):format(path, folder), { folder = "." }).status == 0)
    return shell.run(("cd %s && export LOOPBACK=%s/loopback %s && %s %s %s"):format(
      folder, folder, to and "" or "E2B_VOLUME_API_URL=" .. server.url,
      (to or server):environment(), program, name),
      { time = 200 })
  end

  local function check(program, path, least, to)
    local result = run(program, path, to)
    local count = select(2, result.stdout:gsub("ok %w+", ""))
    assert.is_nil(result.stdout:match("FAIL[^\n]*"), result.stdout .. result.stderr)
    assert.is_true(count >= least, result.stdout .. result.stderr)
    assert.equal("", (to or server):problems())
  end

  it("for Python do every verb, and raise what they raise of the cloud", function()
    if not has_python then
      return pending("PyPI does not answer")
    end
    check("python/bin/python", "spec/support/e2b_sdk.py", 20)
    check("python/bin/python", "spec/support/e2b_sdk_async.py", 5)
  end)

  it("for JavaScript do every verb, and raise what they raise of the cloud", function()
    if not has_javascript then
      return pending("the registry of npm does not answer")
    end
    check("node", "spec/support/e2b_sdk.mjs", 15)
  end)

  it("build templates, and use volumes and secrets", function()
    if not has_python or not has_javascript then
      return pending("the registries do not answer")
    end
    check("node", "spec/support/e2b_account.mjs", 7)
    check("python/bin/python", "spec/support/e2b_account.py", 5)
  end)

  it("do the same with E2B_DOMAIN alone, where each port of a sandbox has a name", function()
    if not has_python or not has_javascript then
      return pending("the registries do not answer")
    end
    check("python/bin/python", "spec/support/e2b_sdk.py", 20, named)
    check("python/bin/python", "spec/support/e2b_sdk_async.py", 5, named)
    check("node", "spec/support/e2b_sdk.mjs", 15, named)
    check("node", "spec/support/e2b_account.mjs", 7, named)
    check("python/bin/python", "spec/support/e2b_account.py", 5, named)
  end)

  it("run the programs of their quick starts as they are", function()
    if not has_python or not has_javascript then
      return pending("the registries do not answer")
    end
    assert.equal("2\nhello\n", run("python/bin/python", "examples/e2b_quick_start.py").stdout)
    assert.equal("2\nhello\n", run("node", "examples/e2b_quick_start.mjs").stdout)
  end)
end)
