local json = require "cjson"
local shell = require "spec.support.shell"

local function doctor(words)
  return shell.run(shell.codecell .. " doctor " .. (words or ""))
end

local function by_name(report)
  local found = {}
  for _, check in ipairs(report.checks) do
    found[check.name] = check
  end
  return found
end

describe("codecell doctor #user", function()
  it("names each prerequisite with its status #A10", function()
    local result = doctor "--json"
    assert.equal(0, result.status, result.stderr)
    local report = json.decode(result.stdout)
    assert.is_true(report.ok)
    local found = by_name(report)
    for _, name in ipairs { "lua", "kernel", "sandbox", "python", "c-ares", "HTTP" } do
      assert.equal("ok", found[name] and found[name].status, name)
    end
    for _, name in ipairs { "lua-cjson", "container engine", "E2B account" } do
      assert.equal("optional", found[name].status, name)
    end
    for _, check in ipairs(report.checks) do
      assert.is_string(check.detail)
      assert.truthy(({ ok = true, missing = true, optional = true, failed = true })[check.status])
    end
  end)

  it("tells the isolation and how every limit is kept #C12 #J22", function()
    local report = json.decode(doctor("--json").stdout)
    assert.equal("kernel", report.isolation)
    for _, name in ipairs { "memory", "processes", "disk", "files" } do
      assert.is_string(report.limits[name].by, name)
    end
  end)

  it("says the same for people", function()
    local result = doctor()
    assert.equal(0, result.status)
    assert.truthy(result.stdout:find("ok +python +Python 3"))
    assert.truthy(result.stdout:find("ok +languages +bash [^\n]*python"))
    assert.truthy(result.stdout:find("Code can run here, isolated by the kernel", 1, true))
    assert.falsy(result.stdout:find("\27", 1, true))
  end)

  it("times create, run and kill with --probe #A21", function()
    local result = doctor "--probe --json"
    assert.equal(0, result.status, result.stderr)
    local probe = json.decode(result.stdout).probe
    for _, step in ipairs { "create", "run", "kill" } do
      assert.truthy(probe[step] >= 0 and probe[step] < 60, step)
    end
    assert.truthy(doctor("--probe").stdout:find "time +create +[%d.]+ ms")
  end)

  it("names a backend that this build does not have", function()
    assert.equal(2, doctor("--probe --mode nowhere").status)
  end)

  it("names a missing interpreter and what to do about it, with status 1 #A10", function()
    local result = shell.run("CODECELL_PYTHON=/no/such/python " .. shell.codecell
      .. " doctor --json")
    assert.equal(1, result.status, result.stderr)
    local check = by_name(json.decode(result.stdout)).python
    assert.truthy(check.status == "missing" or check.status == "failed")
    assert.truthy(check.remedy and #check.remedy > 0)
  end)

  it("names what forbids sandboxes and what to type, with status 1 #A10 #J22", function()
    local forbid = "unshare -Ur sh -c"
      .. " 'echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"' - "
    if shell.run(forbid .. "true").status ~= 0 then
      return pending "this machine forbids unshare"
    end
    local result = shell.run(forbid .. shell.codecell .. " doctor --json")
    assert.equal(1, result.status, result.stderr)
    local report = json.decode(result.stdout)
    assert.is_false(report.ok)
    assert.equal("none", report.isolation)
    local check = by_name(report).sandbox
    assert.equal("failed", check.status)
    assert.truthy(check.remedy:find("max_user_namespaces", 1, true), check.remedy)
    local failed = shell.run(forbid .. shell.codecell .. " run -c 1")
    assert.equal(125, failed.status)
    assert.equal("", failed.stdout)
  end)
end)
