-- `codecell doctor --prove`: its attacks are stopped in a sandbox, and told where they are not.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local json = require "cjson"
local judge = require "codecell.command.prove.judge"
local program = require "codecell.command.prove.program"
local prove = require "codecell.command.prove"
local shell = require "spec.support.shell"
local processes = require "codecell.command.processes"
local victim = require "codecell.command.prove.victim"

local function doctor(variables, words)
  return shell.run(("%s %s doctor --prove %s"):format(variables, shell.codecell, words or ""),
    { time = 300 })
end

local function by_name(rows)
  local found = {}
  for _, row in ipairs(rows) do
    found[row.name] = row
  end
  return found
end

local function find(name)
  return assert(by_name(prove.attacks())[name], name)
end

describe("codecell doctor --prove #once #user", function()
  it("attacks its own sandboxes, and names what stopped each attack #M13 #I01 #N17", function()
    local result = doctor("CODECELL_PROVE_TEST=never-seen-inside", "--json")
    local report = json.decode(result.stdout)
    for _, row in ipairs(report.attacks) do
      assert.not_equal("failed", row.status, row.name .. ": " .. row.by)
      assert.truthy(#row.by > 0 and #row.tried > 0, row.name)
      assert.truthy(row.status == "skipped" or row.tries[1], row.name)
    end
    assert.equal(0, result.status, result.stderr)
    assert.is_true(report.ok)
    assert.truthy(report.counts.ok >= 30)
    assert.equal(#report.attacks, report.counts.ok + report.counts.skipped)
    local found = by_name(report.attacks)
    assert.truthy(found["trace and read other processes"].by:find("seccomp", 1, true))
    assert.truthy(found["reach the host's loopback"].by:find("network namespace", 1, true))
    assert.falsy(result.stdout:find("never-seen-inside", 1, true))
  end)

  it("shows people a table, and goes on by the shell where there is no Python #M13", function()
    local home = shell.folder()
    local result = doctor("CODECELL_PYTHON=/no/such/python HOME=" .. home)
    assert.equal("", attack.host("find " .. home .. " /tmp -maxdepth 1 -name '*codecell-victim*'"))
    shell.remove(home)
    assert.equal(0, result.status, result.stdout .. result.stderr)
    assert.truthy(result.stdout:find "\n  ok      read the host's files +ENOENT: a root of its")
    assert.truthy(result.stdout:find "\n  skipped open raw and unusual sockets +there is no Py")
    assert.truthy(result.stdout:find "\n%d+ attacks: %d+ stopped, %d+ skipped, 0 got through%.\n$")
    assert.equal("", result.stderr)
    assert.falsy(result.stdout:find("\27", 1, true))
  end)

  it("is for the sandboxes of this machine, and says so where the code is elsewhere", function()
    local result = doctor("", "--backend mock")
    assert.equal(2, result.status)
    assert.truthy(result.stderr:find("the backend is mock", 1, true))
  end)
end)

describe("an attack of codecell doctor --prove #once", function()
  local canary, about

  setup(function()
    canary = codecell.assert(victim.make())
    canary.given.abstract = {} -- those of other programs are left alone outside
    about = { token = canary.token, secret = "a-word-to-be-hidden", limits = {} }
  end)

  teardown(function()
    assert.same({}, victim.finish(canary))
  end)

  -- Outside of any sandbox, as whoever runs the tests.
  local function outside(name)
    local tried = find(name)
    assert.is_true(tried.is_harmless, name)
    local argv, envs = program.of(tried, "/usr/bin/python3", canary.given)
    envs.CODECELL_CANARY_SECRET = about.secret
    local words = { "env" }
    for key, value in pairs(envs) do
      words[#words + 1] = shell.quote(key .. "=" .. value)
    end
    for _, word in ipairs(argv) do
      words[#words + 1] = shell.quote(word)
    end
    return judge.of(tried, shell.run(table.concat(words, " ")), about)
  end

  -- Outcomes that a filter on this machine itself would hide.
  local is_filtered = (processes.read "/proc/self/status"):match "\nSeccomp:%s+(%d)" ~= "0"

  for name, why in pairs {
    ["read the host's files"] = "only the host knows",
    ["see the host's processes"] = "host seen",
    ["reach the host's loopback"] = "127.0.0.1 ",
    ["reach sockets by name"] = "abstract ",
    ["see the host's environment"] = " seen\n",
    ["print a secret of its own"] = "plain seen",
    ["trace and read other processes"] = "\ntraceme ok\n",
    ["make or enter namespaces"] = "got through",
    ["corners of the kernel"] = "got through",
    ["run without the filter"] = "free",
  } do
    it("gets through outside: " .. name .. " #M13", function()
      if is_filtered then
        return pending "this machine filters system calls itself"
      end
      local row, seen = outside(name), { "" }
      assert.equal("failed", row.status, row.by)
      for _, try in ipairs(row.tries) do
        seen[#seen + 1] = try.name .. " " .. try.outcome
      end
      seen[#seen + 1] = row.by
      assert.truthy(table.concat(seen, "\n"):find(why, 1, true), row.by)
    end)
  end

  -- In a sandbox that was opened on purpose.
  local function opened(name, options)
    local tried = find(name)
    local sandbox = codecell.assert(codecell.create(options))
    local argv, envs = program.of(tried, "/usr/bin/python3", canary.given)
    local result = codecell.assert(sandbox.commands:run(argv, { envs = envs }))
    about.limits = sandbox:get_info().limits
    sandbox:close()
    return judge.of(tried, result, about)
  end

  it("gets through where its folder is mounted", function()
    local folder = shell.folder()
    shell.write(folder .. "/canary", canary.token)
    local given = canary.given
    canary.given = { file = "/work/canary", home = "/nonexistent", name = given.name }
    local row = opened("read the host's files",
      { mounts = { { host = folder, path = "/work", mode = "read" } } })
    canary.given = given
    shell.remove(folder)
    assert.equal("failed", row.status)
    assert.equal("what only the host knows came out", row.by)
  end)

  it("gets through where it may write to a folder of the host, which looks itself", function()
    local folder = shell.folder()
    shell.run("chown 12345:12345 " .. folder) -- one of root may not be written to
    local harmed = codecell.assert(victim.make())
    local own = canary
    canary, harmed.given.outside = harmed, folder .. "/written"
    opened("write outside", { mounts = { { host = folder, path = folder, mode = "write" } } })
    canary = own
    assert.same({ folder .. "/written was made outside" }, victim.finish(harmed))
    shell.remove(folder)
  end)

  it("gets through where a limit is wider than it says", function()
    local row = opened("fork bomb", { limits = { processes = 1024 } })
    assert.equal("failed", row.status)
    assert.equal("got through: after-300 unbounded", row.by)
    row = opened("output flood", { limits = { output = 64 * 2 ^ 20 } })
    assert.equal("failed", row.status, row.by)
    row = opened("open files without end", { limits = { files = 8192 } })
    assert.equal("got through: after-4096 unbounded", row.by)
  end)

  it("has not been stopped when it says nothing", function()
    local row = judge.of(find "read the host's files",
      { stdout = "nothing to report here\n", stderr = "Traceback\nNameError: x\n" }, about)
    assert.equal("failed", row.status)
    assert.equal("it reported nothing: NameError: x", row.by)
  end)

  it("is skipped, with the reason, where nothing keeps its limit", function()
    local row = judge.of(find "memory bomb", { stdout = "memory unbounded\n", stderr = "" },
      { token = canary.token, limits = { memory = { value = 1, by = "none" } } })
    assert.equal("skipped", row.status)
    assert.truthy(row.by:find("nothing keeps the limit of memory here (none)", 1, true))
  end)
end)
