local codecell = require "codecell"
local package_index = require "spec.support.package_index"
local shell = require "spec.support.shell"
local world = require "spec.support.world"

local PIP = "import subprocess, sys\ndone = subprocess.run([sys.executable, '-m', 'pip', "
  .. "'install', %s], capture_output=True, text=True)\n"

-- Everything here is offline: the index is a program of this machine.
describe("packages that code installs itself #once", function()
  local index = package_index.new(setup, teardown, after_each)
  local needs_pip, needs_npm = package_index.needs_pip, package_index.needs_npm

  local function run(sandbox, code, language)
    return codecell.assert(sandbox:run_code(code, { language = language }))
  end

  it("by pip, without any network: imported in the same cell, the next, and elsewhere #E23",
    function()
      if needs_pip(pending) then return end
      local sandbox = index.create()
      local execution = run(sandbox, PIP:format("'beta'") .. "import beta\nbeta.value")
      assert.equal("20", execution.text)
      assert.equal("20", run(sandbox, "beta.value").text)
      assert.equal("none", sandbox:get_info().network)
      local context = codecell.assert(sandbox:create_code_context())
      assert.equal("20", sandbox:run_code("import beta; beta.value", { context = context }).text)
      assert.same({}, execution.refused)
    end)

  it("by !pip, by %pip, and by pip in bash #E23", function()
    if needs_pip(pending) then return end
    local sandbox = index.create()
    assert.equal("3", run(sandbox, "!pip install -q extra-one\nimport extra_one\n"
      .. "extra_one.value").text)
    assert.equal("4", run(sandbox, "%pip install -q dotted.name\nimport dotted_name\n"
      .. "dotted_name.value").text)
    local bash = run(sandbox, "python3 -m pip install -q reads-data && "
      .. "python3 -c 'import reads_data; print(reads_data.value)'", "bash")
    assert.equal("data\n", bash.logs.stdout[1])
  end)

  it("by npm, there at once in a session that had missed it #E23", function()
    if needs_npm(pending) then return end
    local sandbox = index.create()
    assert.matches("Cannot find module 'needs%-pad'",
      run(sandbox, "require('needs-pad')", "javascript").error.value)
    local done = sandbox.commands:run("npm install needs-pad @scope/one")
    assert.equal(0, done.exit_code)
    assert.equal("9", run(sandbox, "require('needs-pad').value", "javascript").text)
    assert.equal("scoped", run(sandbox, "(await import('@scope/one')).default.value",
      "javascript").text)
    done = sandbox.commands:run("npm install -g pad && ls ~/.local/lib/node_modules")
    assert.equal("pad", done.stdout:match("%S+%s*$"):match("%S+"))
  end)

  it("stay with what the verb has installed", function()
    if needs_npm(pending) then return end
    local sandbox = index.create()
    codecell.assert(sandbox:install("pad@1.0.0", { language = "javascript" }))
    assert.equal(0, sandbox.commands:run("npm install @scope/one").exit_code)
    assert.equal("7", run(sandbox, "require('pad').value", "javascript").text)
  end)

  it("are refused if they are not on the list, with what would allow them #H09 #E23 #I19",
    function()
      if needs_pip(pending) then return end
      local events = {}
      local sandbox = index.create({ packages = { allow = { "beta" } },
        on_event = function(event) events[#events + 1] = event end })
      local execution = run(sandbox, PIP:format("'bet'") .. "done.returncode")
      assert.equal("1", execution.text)
      assert.equal("package bet", execution.refused[1].what)
      assert.matches('did you mean "beta"', execution.refused[1].why)
      assert.equal('packages = {allow = {"bet"}}', execution.refused[1].allow)
      assert.equal("package bet", events[1].what)
      execution = run(sandbox, PIP:format("'Beta'") .. "import beta\nbeta.value")
      assert.equal("20", execution.text) -- with alpha, which it needs
      execution = run(sandbox, PIP:format("'extra-one'") .. "done.returncode")
      assert.equal("0", execution.text) -- beta[more] needs it
      execution = run(sandbox, PIP:format("'dotted-name'") .. "done.returncode")
      assert.equal("1", execution.text)
    end)

  it("are explained where they are not there #N06 #E23", function()
    if needs_pip(pending) then return end
    local sandbox = index.create()
    local execution = run(sandbox, PIP:format("'panda'") .. "done.returncode")
    assert.equal("1", execution.text)
    assert.equal("package panda", execution.refused[1].what)
    assert.matches('did you mean "pandas"', execution.refused[1].why)
  end)

  it("cannot be had by another way round the list #H09 #S107", function()
    local sandbox = index.create({ packages = { allow = { "alpha" } } })
    local function ask(path, more)
      local text = sandbox.commands:run({ "python3", "-c", [[
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", 1008)
connection.request(sys.argv[2], sys.argv[1])
answer = connection.getresponse()
print(answer.status, answer.read()[:200])
]], path, more or "GET" }).stdout
      return tonumber(text:match("^%d+"))
    end
    assert.equal(200, ask("/pypi/simple/alpha/"))
    for _, path in ipairs({ "/pypi/simple/beta/", "/pypi/files/beta/beta-1.0-py3-none-any.whl",
      "/npm/pad" }) do
      assert.equal(403, ask(path))
    end
    for _, path in ipairs({ "/pypi/files/alpha/beta-1.0-py3-none-any.whl", "/pypi/simple/",
      "/pypi/files/alpha/../beta/beta-1.0-py3-none-any.whl", "/pypi/simple/%62eta/",
      "/pypi/simple/alpha/../beta/", "/pypi/simple//alpha/", "/pypi/files/alpha/%2e%2e/x.whl",
      "/pypi/", "/pypi", "/other/", "/npm/-/all", "/npm/..%2fx", "/npm/@%2f", "/log" }) do
      assert.is_truthy(ask(path) >= 400, path)
    end
    for _, method in ipairs({ "POST", "PUT", "DELETE" }) do
      assert.equal(405, ask("/pypi/simple/alpha/", method))
    end
    assert.equal(301, ask("/pypi/simple/ALPHA"))
  end)

  it("are not to be had where the option is not given #E23", function()
    if needs_pip(pending) then return end
    local sandbox = index.create({ packages = false })
    local execution = run(sandbox, PIP:format("'--retries=0', 'alpha'") .. "done.returncode")
    assert.equal("1", execution.text)
    assert.equal("pypi.org", execution.refused[1].what:match("^[^:]+"))
    assert.equal("packages = true", execution.refused[1].allow)
  end)

  it("can be installed in a sandbox of a pool too", function()
    if needs_pip(pending) then return end
    local offered = { allow = { "beta" }, index = index.url, registry = index.registry }
    local pool = codecell.assert(codecell.pool({ size = 1, packages = offered }))
    codecell.assert(pool:wait(20))
    local sandbox = index.create({ warm = true, packages = { allow = { "beta" } } })
    assert.equal(1, pool:stats().taken)
    assert.equal("20", run(sandbox, PIP:format("'beta'") .. "import beta\nbeta.value").text)
    pool:close()
  end)

  it("come to a fork of the sandbox as files do", function()
    if needs_pip(pending) then return end
    local sandbox = index.create()
    codecell.assert(sandbox:install("alpha"))
    local copy = codecell.assert(sandbox:fork())
    assert.equal("2", run(copy, "import alpha; alpha.value").text)
    assert.equal("20", run(copy, PIP:format("'beta'") .. "import beta\nbeta.value").text)
    copy:close()
  end)
end)

describe("examples/packages.lua", function()
  local earth = world.new(setup, teardown)
  local index = package_index.new(setup, teardown)

  it("installs the package that is allowed, and asks the one server that is #E23 #H09 #C08",
    function()
      if package_index.needs_pip(pending) then return end
      local result = shell.run(("XDG_CACHE_HOME=%s %s examples/packages.lua beta %s "
        .. "http://good.example:%d/page 127.0.0.1:%d 127.0.0.1:%d"):format(index.cache, shell.lua,
          index.url, earth.web, earth.names, earth.web), { folder = "." })
      assert.equal("", result.stderr)
      assert.equal("installed 1.0\npage of 11 bytes\nanother package: False\n"
        .. "package beta-of-somebody-else refused: it is not in the allow list of `packages`; "
        .. 'allow it with packages = {allow = {"beta-of-somebody-else"}}\n', result.stdout)
      assert.equal(0, result.status)
    end)
end)

describe("an index that misbehaves #once", function()
  local index = package_index.new(setup, teardown)

  local sandbox
  before_each(function()
    sandbox = sandbox and sandbox:is_running() and sandbox
      or index.create({ limits = { disk = 16 * 2 ^ 20 } })
  end)

  local function fails(name, kind, text, language)
    local none, err = sandbox:install(name, { language = language })
    assert.is_nil(none)
    assert.equal(kind, err.kind)
    assert.matches(text, err.message)
    assert.is_nil(err.message:find("\n"))
  end

  local cases = {
    { "wrong-sum", "protocol", "checksum is wrong", "with a wrong checksum" },
    { "cut-off", "unavailable", "cut_off", "that breaks off" },
    { "broken", "unavailable", "status 500", "that answers 500" },
    { "garbage", "protocol", "is no index", "whose page is garbage" },
    { "loops", "protocol", "leads on and on", "that leads in circles" },
    { "elsewhere", "denied_by_policy", "169%.254%.169%.254", "that leads to a private address" },
    { "private-file", "denied_by_policy", "10%.1%.2%.3", "whose files are at a private address" },
    { "not-there", "not_found", "does not have it", "that names what it does not have" },
    { "endless", "no_space", "larger than the disk", "whose file has no end" },
  }
  local outcomes -- of all cases, which are tried beside each other

  local function try_all()
    local tasks = {}
    outcomes = {}
    for i, case in ipairs(cases) do
      tasks[i] = codecell.async(function()
        local one = index.create({ limits = { disk = 16 * 2 ^ 20 } })
        outcomes[case[1]] = { one:install(case[1]) }
      end)
    end
    for i = 1, #tasks do
      tasks[i]:wait()
    end
  end

  for _, case in ipairs(cases) do
    it(("%s gives nothing: %s #S096"):format(case[4], case[1]), function()
      if package_index.needs_pip(pending) then return end
      if not outcomes then
        try_all()
      end
      local none, err = outcomes[case[1]][1], outcomes[case[1]][2]
      assert.is_nil(none)
      assert.equal(case[2], err.kind)
      assert.matches(case[3], err.message)
      assert.is_nil(err.message:find("\n"))
    end)
  end

  it("keeps nothing that is not what was promised", function()
    if package_index.needs_pip(pending) then return end
    fails("wrong-sum", "protocol", "checksum")
    index.log()
    fails("wrong-sum", "protocol", "checksum")
    assert.matches("/files/wrong%-sum/", index.log())
  end)

  it("of npm gives nothing with a wrong checksum, or when it is broken", function()
    if package_index.needs_npm(pending) then return end
    fails("wrong-sum", "protocol", "checksum is wrong", "javascript")
    fails("broken", "unavailable", "status 500", "javascript")
  end)

  it("cannot put scripts or other addresses into what is shown inside", function()
    local function page(name)
      return sandbox.commands:run({ "python3", "-c", "import urllib.request, sys; print("
        .. "urllib.request.urlopen('http://127.0.0.1:1008/pypi/simple/' + sys.argv[1] + '/')"
        .. ".read().decode())", name }).stdout
    end
    local text = page("scripts")
    assert.is_nil(text:lower():find("<script", 1, true))
    assert.is_nil(text:find("javascript", 1, true))
    assert.matches('href="/pypi/files/scripts/scripts%-1%.0%-py3%-none%-any%.whl"', text)
    text = page("tricks")
    for href in text:gmatch('href="([^"]*)"') do
      assert.matches("^/pypi/files/tricks/[%w._-]+$", href)
    end
    assert.is_nil(text:find("passwd", 1, true))
  end)

  it("cannot write outside of the builder by names in a wheel #S060", function()
    if package_index.needs_pip(pending) then return end
    local none = sandbox:install("climber")
    assert.is_nil(none)
    assert.is_nil(io.open(index.cache .. "/../climbed.py"))
    assert.is_false(sandbox.files:exists("/home/user/climbed.py"))
  end)

  it("is given up when it is silent, and other work goes on", function()
    if package_index.needs_pip(pending) then return end
    local other = index.create()
    local task = codecell.async(function()
      return sandbox:install("hangs", { timeout = 2 })
    end)
    assert.equal("4", other:run_code("2 + 2").text)
    local none, err = task:wait()
    assert.is_nil(none)
    assert.equal("timeout", err.kind)
    other:close()
  end)
end)
