local cache = require "codecell.packages.cache"
local codecell = require "codecell"
local package_index = require "spec.support.package_index"
local request = require "codecell.packages.request"
local shell = require "spec.support.shell"

local BOTH = "import alpha, extra_one; alpha.value, extra_one.value"

-- Everything here is offline: the index is a program of this machine, and packages are kept in a
-- folder that goes away with the test.
describe("packages", function()
  local index = package_index.new(setup, teardown, after_each)
  local value, needs_pip, needs_npm = package_index.value, package_index.needs_pip,
    package_index.needs_npm

  local function create(options)
    return index.create(options)
  end

  describe("install", function()
    it("brings a package with what it needs, importable in a session that lives #E32 #F25",
      function()
        if needs_pip(pending) then return end
        local sandbox = create()
        assert.equal("No module named 'beta'", value(sandbox, "import beta"))
        local result = codecell.assert(sandbox:install("beta"))
        assert.is_true(result.success)
        assert.same({ { name = "beta", version = "1.0", status = "installed" } }, result.packages)
        assert.same({ { name = "alpha", version = "2.0" }, { name = "beta", version = "1.0" } },
          result.installed)
        assert.equal("20", value(sandbox, "import beta; beta.value"))
        assert.equal("20\n", sandbox.commands:run({ "python3", "-c",
          "import beta; print(beta.value)" }).stdout)
        local context = codecell.assert(sandbox:create_code_context())
        assert.equal("20", sandbox:run_code("import beta; beta.value", { context = context }).text)
      end)

    it("asks nobody for what was installed once on this machine #D31 #L04", function()
      if needs_pip(pending) then return end
      codecell.assert(create():install({ "alpha", "extra_one==1.0" }))
      index.log()
      local sandbox = create()
      local result = codecell.assert(sandbox:install({ "extra_one==1.0", "alpha" }))
      assert.is_true(result.cached)
      assert.equal("", index.log())
      assert.equal("(2, 3)", value(sandbox, BOTH))
    end)

    it("builds once what two ask for at the same time #L04", function()
      if needs_pip(pending) then return end
      local one, other = create(), create()
      index.log()
      local tasks = {}
      for i, sandbox in ipairs({ one, other }) do
        tasks[i] = codecell.async(function()
          return codecell.assert(sandbox:install("large"))
        end)
      end
      local first, second = tasks[1]:wait(), tasks[2]:wait()
      assert.is_true(first.cached ~= second.cached)
      local _, count = index.log():gsub("/files/large/", "")
      assert.equal(1, count)
      assert.equal("1499", value(other, "import large.f1499 as m; m.value"))
    end)

    it("gives another request another layer: variables count #L04", function()
      if needs_pip(pending) then return end
      codecell.assert(create():install("grown", { envs = { CHOSEN = "first" } }))
      local sandbox = create()
      assert.is_false(codecell.assert(sandbox:install("grown",
        { envs = { CHOSEN = "second" } })).cached)
      assert.equal("second", value(sandbox, "import grown; grown.value"))
    end)

    it("names layers by all that decides what they hold, and by nothing that can be read #L04",
      function()
        local function key(list, ...)
          return codecell.assert(request.new("pip", list)):key(...)
        end
        local one = key({ "alpha", "beta==1" }, "python", "https://me:secret@index/", "policy", "")
        assert.equal(one, key({ "beta==1", "alpha" }, "python", "https://me:secret@index/",
          "policy", ""))
        assert.equal(64, #one)
        for _, other in ipairs({ key({ "alpha", "beta" }, "python", "https://me:secret@index/",
          "policy", ""), key({ "alpha", "beta==1" }, "other", "https://me:secret@index/",
          "policy", ""), key({ "alpha", "beta==1" }, "python", "https://you:secret@index/",
          "policy", ""), key({ "alpha", "beta==1" }, "python", "https://me:secret@index/", "",
          "policy"), key({ "alpha", "beta==1", index.folder .. "/alpha-1.0-py3-none-any.whl" },
          "python", "https://me:secret@index/", "policy", "") }) do
          assert.is_not.equal(one, other)
        end
      end)

    it("takes wheels and sources of this machine #F25", function()
      if needs_pip(pending) then return end
      local sandbox = create()
      local result = codecell.assert(sandbox:install({
        index.folder .. "/alpha-1.0-py3-none-any.whl", index.folder .. "/grown-1.0.tar.gz" }))
      assert.equal("alpha 1.0 installed", table.concat({ result.packages[1].name,
        result.packages[1].version, result.packages[1].status }, " "))
      assert.equal("1", value(sandbox, "import alpha, grown; alpha.value"))
    end)

    it("takes a list of requirements, and says which line is none", function()
      if needs_pip(pending) then return end
      shell.write(index.folder .. "/good.txt",
        "# what we need\nalpha==1.0 # the old one\r\n\nextra-one \\\n  >=1.0\n")
      local sandbox = create()
      local result = codecell.assert(sandbox:install({}, { requirements = index.folder
        .. "/good.txt" }))
      assert.equal(2, #result.packages)
      assert.equal("1", value(sandbox, "import alpha, extra_one; alpha.value"))
      for line, message in pairs({ ["--index-url http://evil.example/"] = "options are not taken",
        ["-e ."] = "options are not taken",
        ["x @ http://evil.example/x.whl"] = "not from an address", ["x y z"] = "no version" }) do
        shell.write(index.folder .. "/bad.txt", "alpha\n" .. line .. "\n")
        local none, err = sandbox:install({}, { requirements = index.folder .. "/bad.txt" })
        assert.is_nil(none)
        assert.equal("invalid_argument", err.kind)
        assert.matches(message, err.message)
        assert.matches("line 2", err.message)
      end
    end)

    it("keeps what was installed before, and replaces another version of it", function()
      if needs_pip(pending) then return end
      local sandbox = create()
      codecell.assert(sandbox:install("alpha==1.0"))
      codecell.assert(sandbox:install("beta")) -- which alpha 1.0 is enough for
      assert.equal("10", value(sandbox, "import beta; beta.value"))
      codecell.assert(sandbox:install("alpha==2.0"))
      assert.equal("2\n", sandbox.commands:run({ "python3", "-c",
        "import alpha; print(alpha.value)" }).stdout)
      assert.is_false(sandbox.files:exists(
        sandbox.commands:run("echo ~/.local/lib/python3*/site-packages/alpha/old.py").stdout
          :match("%S+")))
      assert.matches("alpha%-2.0.dist%-info",
        sandbox.commands:run("ls ~/.local/lib/python3*/site-packages").stdout)
      assert.is_nil(sandbox.commands:run("ls ~/.local/lib/python3*/site-packages").stdout
        :find("alpha-1.0", 1, true))
    end)

    it("is for one sandbox alone, and gone with it #I20", function()
      if needs_pip(pending) then return end
      codecell.assert(create():install("alpha"))
      assert.equal("No module named 'alpha'", value(create(), "import alpha"))
    end)

    it("says of a package that is not there what was meant #J09 #N06", function()
      if needs_pip(pending) then return end
      local none, err = create():install({ "alpha", "panda" })
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      assert.matches('did you mean "pandas"', err.message)
      assert.same({ { name = "alpha", status = "not_installed" },
        { name = "panda", status = "not_found" } }, err.packages)
      assert.matches("No matching distribution found for panda", err.log)
      none, err = create():install("alpha==9.9")
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      assert.matches("no such version", err.message)
    end)

    it("tells of each install by on_event: command, versions, seconds, log #K07", function()
      if needs_pip(pending) then return end
      local events = {}
      local sandbox = create({ on_event = function(event) events[#events + 1] = event end })
      codecell.assert(sandbox:install("alpha"))
      sandbox:install("panda")
      codecell.step(0.1)
      local installs = {}
      for _, event in ipairs(events) do
        installs[#installs + 1] = event.type == "install" and event or nil
      end
      assert.equal(2, #installs)
      assert.equal("pip install alpha", installs[1].command)
      assert.equal("2.0", installs[1].packages[1].version)
      assert.is_true(installs[1].success)
      assert.equal(sandbox.id, installs[1].sandbox)
      assert.is_true(installs[1].seconds > 0)
      assert.is_false(installs[2].success)
      assert.equal("not_found", installs[2].packages[1].status)
      assert.matches("panda", installs[2].log)
      assert.matches("did you mean", installs[2].message)
    end)

    it("is refused with a reason where packages are off #I18", function()
      local none, err = create({ packages = false }):install("alpha")
      assert.is_nil(none)
      assert.equal("denied_by_policy", err.kind)
      assert.matches("`packages` is false", err.message)
    end)

    it("is refused for a name that is not on the list, before anything is asked #H09 #I19",
      function()
        index.log()
        local events = {}
        local sandbox = create({ packages = { allow = { "alpha" } },
          on_event = function(event) events[#events + 1] = event end })
        local none, err = sandbox:install({ "Alpha[x]==2.0", "alhpa" })
        assert.is_nil(none)
        assert.equal("denied_by_policy", err.kind)
        assert.matches('did you mean "alpha"', err.message)
        assert.equal("denied", err.packages[2].status)
        assert.equal("", index.log())
        codecell.step(0.1)
        assert.equal("refused", events[1].type)
        assert.equal("package alhpa", events[1].what)
        assert.equal('packages = {allow = {"alhpa"}}', events[1].allow)
      end)

    it("has what allowed packages need, as their index or their file tells #H09", function()
      if needs_pip(pending) then return end
      for _, url in ipairs({ index.url, index.json }) do -- the second tells nothing beside files
        local sandbox = create({ packages = { allow = { "beta" }, index = url } })
        codecell.assert(sandbox:install("beta"))
        assert.equal("20", value(sandbox, "import beta; beta.value"))
      end
      local strict = create({ packages = { allow = { "beta" }, dependencies = false } })
      local none, err = strict:install("beta")
      assert.is_nil(none)
      assert.equal("denied_by_policy", err.kind)
      assert.matches("alpha: it is not in the allow list", err.message)
    end)

    it("ends at its timeout, and leaves nothing half", function()
      if needs_pip(pending) then return end
      local sandbox = create()
      local none, err = sandbox:install("hangs", { timeout = 1.5 })
      assert.is_nil(none)
      assert.equal("timeout", err.kind)
      local left = shell.run("find " .. index.cache .. " -name '*.part'").stdout
      assert.equal("", left)
      assert.equal("ok", value(sandbox, "'ok'"))
    end)

    it("says what does not fit #I18", function()
      if needs_pip(pending) then return end
      local small = create({ limits = { disk = 2 ^ 20 } })
      local none, err = small:install("large")
      assert.is_nil(none)
      assert.equal("no_space", err.kind)
      assert.matches("limits.disk", err.message)
    end)

    it("brings packages of npm, in JavaScript and TypeScript #E32 #F20 #F25", function()
      if needs_npm(pending) then return end
      local sandbox = create()
      assert.matches("Cannot find module 'pad'", value(sandbox, "require('pad')", "javascript"))
      local result = codecell.assert(sandbox:install({ "needs-pad", "@scope/one" },
        { language = "javascript" }))
      assert.equal("1.0.0", result.packages[2].version)
      assert.equal("9", value(sandbox, "require('needs-pad').value", "javascript"))
      assert.equal("scoped", value(sandbox, "import one from '@scope/one'; one.value",
        "javascript"))
      assert.equal("8", value(sandbox, "require('pad').value", "javascript"))
      result = codecell.assert(create():install({ "needs-pad", "@scope/one" },
        { language = "typescript" }))
      assert.is_true(result.cached)
      codecell.assert(sandbox:install({ index.folder .. "/pad-1.0.0.tgz", "OldName" },
        { language = "javascript" }))
      assert.equal("7", value(sandbox, "require('OldName').value", "javascript"))
      assert.equal('{"dependencies":', sandbox.files:read("package.json"):sub(1, 16))
    end)

    it("says what npm's registry does not have #J09", function()
      if needs_npm(pending) then return end
      local none, err = create():install({ "lodahs" }, { language = "javascript" })
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      assert.matches('did you mean "lodash"', err.message)
      none, err = create():install({ "pad@9" }, { language = "javascript" })
      assert.is_nil(none)
      assert.matches("no such version", err.message)
    end)

    it("adds to the package.json that is there, and spoils none", function()
      if needs_npm(pending) then return end
      local sandbox = create()
      sandbox.files:write("package.json", '{"name":"mine","dependencies":{"other":"1.0.0"}}')
      codecell.assert(sandbox:install("pad", { language = "javascript" }))
      local told = codecell.json.decode(sandbox.files:read("package.json"))
      assert.equal("mine", told.name)
      assert.equal("1.0.0", told.dependencies.other)
      assert.equal("^1.1.0", told.dependencies.pad)
      sandbox.files:write("package.json", "no json")
      local none, err = sandbox:install("pad", { language = "javascript" })
      assert.is_nil(none)
      assert.equal("invalid_argument", err.kind)
    end)

    it("says why one cannot be built, and the command shows what was said", function()
      if needs_pip(pending) then return end
      local none, err = create():install("barren")
      assert.is_nil(none)
      assert.matches("^install: pip ended with status 1: ", err.message)
      assert.matches("nothing grows ", err.log)
      local result = shell.run(("PIP_INDEX_URL=%s XDG_CACHE_HOME=%s %s run --install barren -c 1")
        :format(index.url, index.cache, shell.codecell))
      assert.equal(125, result.status)
      assert.matches("^codecell run: install: pip ended .*\n[^\n]*nothing grows ", result.stderr)
    end)

    it("runs what packages run at their installation in the builder alone #I18", function()
      if needs_npm(pending) then return end
      local sandbox = create()
      codecell.assert(sandbox:install("script", { language = "javascript" }))
      assert.is_false(sandbox.files:exists("made-by-script.txt"))
    end)

    it("takes names and nothing else: no shell, no options #F19", function()
      local sandbox = create()
      for _, text in ipairs({ "x; touch /tmp/p", "--target=/tmp", "$(touch /tmp/p)",
        "git+https://example.com/x" }) do
        local none, err = sandbox:install(text)
        assert.is_nil(none)
        assert.equal("invalid_argument", err.kind)
      end
      assert.is_false(sandbox.files:exists("/tmp/p"))
      local none, err = sandbox:install("/no/such/file.whl")
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      none, err = sandbox:install("x", { language = "ruby" })
      assert.is_nil(none)
      assert.is_truthy(err.kind == "unsupported" or err.kind == "invalid_argument")
    end)

    it("asks a private index by who asks, and nothing inside sees that #F21 #S116", function()
      if needs_pip(pending) then return end
      local secret = "http://reader:open%20sesame@" .. index.private
      local sandbox = create()
      index.log()
      local result = codecell.assert(sandbox:install("alpha", { fresh = true, -- asks again
        envs = { PIP_INDEX_URL = secret, OTHER = "a private value" } }))
      assert.matches("/private/simple/alpha/ as Basic", index.log())
      assert.is_nil(result.log:find("sesame"))
      local none, err = create():install("alpha", { envs = { PIP_INDEX_URL = "http://"
        .. index.private } })
      assert.is_nil(none)
      assert.equal("unauthenticated", err.kind)
      assert.is_nil(err.message:find("sesame"))
      local found = shell.run(("grep -rl -e sesame -e 'private value' %s"):format(index.cache))
      assert.equal("", found.stdout)
      local inside = create({ packages = { index = secret } })
      local seen = inside:run_code("import os, subprocess, sys\n"
        .. "print(subprocess.run([sys.executable, '-m', 'pip', 'install', '-v', 'alpha'], "
        .. "capture_output=True, text=True))\nprint(os.environ)\nimport alpha\nalpha.value")
      assert.equal("2", seen.text)
      assert.is_nil(table.concat(seen.logs.stdout):find("sesame"))
    end)
  end)

  describe("run_code", function()
    it("installs what it is told to, in one batch, before the code #G09 #G14", function()
      if needs_pip(pending) then return end
      local execution = codecell.assert(create():run_code("import beta, extra_one; beta.value",
        { packages = { "beta", "extra-one" } }))
      assert.equal("20", execution.text)
      assert.is_true(execution.timings.install > 0)
      assert.same({ { name = "beta", version = "1.0", status = "installed" },
        { name = "extra-one", version = "1.0", status = "installed" } }, execution.packages)
    end)

    it("does not run the code if that fails #G09", function()
      if needs_pip(pending) then return end
      local sandbox = create()
      local none, err = sandbox:run_code("open('ran.txt', 'w')",
        { packages = { "alpha", "panda" } })
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
      assert.equal("not_found", err.packages[2].status)
      assert.is_false(sandbox.files:exists("ran.txt"))
    end)

    it("installs for the language of the code, wherever that runs", function()
      if needs_npm(pending) then return end
      local elsewhere = create({ cwd = "/tmp" })
      assert.equal("8", elsewhere:run_code("require('pad').value",
        { language = "javascript", packages = { "pad" } }).text)
      assert.equal("8", value(elsewhere, "import pad from 'pad'; pad.value", "javascript"))
      assert.equal("8", create():run_code("require('pad').value",
        { language = "javascript", packages = { "pad" } }).text)
    end)
  end)

  describe("create", function()
    it("installs what it is told to before it returns #H08", function()
      if needs_pip(pending) then return end
      local sandbox = create({ packages = { install = { "alpha", "extra-one" } } })
      assert.equal("(2, 3)", value(sandbox, BOTH))
      local none, err = codecell.create({ packages = { index = index.url, install = { "panda" } } })
      assert.is_nil(none)
      assert.equal("not_found", err.kind)
    end)

    it("takes lists by language #H08", function()
      if needs_pip(pending) or needs_npm(pending) then return end
      local sandbox = create({ packages = { install = { python = { "alpha" },
        javascript = { "pad" } } } })
      assert.equal("2", value(sandbox, "import alpha; alpha.value"))
      assert.equal("8", value(sandbox, "require('pad').value", "javascript"))
    end)

    it("blames the caller for what cannot be meant", function()
      assert.has_error(function() codecell.create({ packages = "yes" }) end)
      assert.has_error(function() codecell.create({ packages = { alow = {} } }) end)
      assert.has_error(function() codecell.create({ packages = { index = "ftp://x/" } }) end)
      assert.has_error(function() codecell.create({ packages = { install = { 1 } } }) end)
    end)
  end)

  describe("what is kept", function()
    it("can be used and read by its user alone, and is read-only #D31", function()
      if needs_pip(pending) then return end
      codecell.assert(create():install("alpha"))
      local wrong = shell.run(("find %s/codecell -perm /022 -o -type f -perm /0377")
        :format(index.cache)).stdout
      assert.equal("", wrong)
    end)

    it("comes of several programs at once, and of none that was killed #L04", function()
      if needs_pip(pending) then return end
      local one = ("XDG_CACHE_HOME=%s PIP_INDEX_URL=%s %s run --install large -c "
        .. "'import large.f0001 as m; m.value'"):format(index.cache, index.url, shell.codecell)
      os.execute("rm -rf " .. index.cache .. "/codecell/packages")
      local result = shell.run(one .. " > first & " .. one .. " > second & ("
        .. one .. " & sleep 0.8; kill -9 $!) > /dev/null 2>&1; wait; cat first second")
      assert.equal("1\n1\n", result.stdout)
      index.log()
      assert.equal("1\n", shell.run(one).stdout)
      assert.equal("", index.log())
    end)

    it("stays below its bound: what was not used for longest goes first", function()
      if needs_pip(pending) then return end
      assert.is_true(cache.usage().bytes > 0)
      codecell.setup({ package_cache = 100000 })
      codecell.assert(create():install("dotted-name"))
      local used = cache.usage().bytes
      codecell.setup({ package_cache = 8 * 2 ^ 30 })
      assert.is_true(used <= 100000)
      assert.is_true(codecell.assert(create():install("dotted-name")).cached)
    end)

    it("is told and removed by the command", function()
      if needs_pip(pending) then return end
      codecell.assert(create():install("alpha"))
      local told = shell.run(("XDG_CACHE_HOME=%s %s packages"):format(index.cache, shell.codecell))
      assert.matches("[kM]B in %d+ files below " .. index.cache:gsub("%p", "%%%0")
        .. "/codecell/packages; at most 8.6 GB\n$", told.stdout)
      told = shell.run(("XDG_CACHE_HOME=%s %s packages --clear --json"):format(index.cache,
        shell.codecell))
      assert.equal(0, codecell.json.decode(told.stdout).bytes)
      assert.equal("", shell.run("find " .. index.cache .. " -type f").stdout)
      assert.equal(2, shell.run(shell.codecell .. " packages extra").status)
    end)

    it("is refused where others could write", function()
      if needs_pip(pending) then return end
      local kept = index.cache .. "/codecell"
      shell.run(("chmod 0755 %s %s %s/packages; chmod 0777 %s/packages/layers"):format(index.cache,
        kept, kept, kept))
      local none, err = create():install("alpha", { fresh = true })
      shell.run(("chmod 0700 %s %s/packages/layers"):format(index.cache, kept))
      assert.is_nil(none)
      assert.equal("permission_denied", err.kind)
    end)
  end)
end)

describe("packages, whoever the user is #user", function()
  local index = package_index.new(setup, teardown)

  it("are installed, kept, and installed again #E32 #D31", function()
    if package_index.needs_pip(pending) then return end
    for i = 1, 2 do
      local result = codecell.assert(index.create():install("beta"))
      assert.equal(i == 2, result.cached)
    end
    assert.equal("20", index.create():run_code("import beta; beta.value",
      { packages = { "beta" } }).text)
  end)
end)
