local shell = require "spec.support.shell"

local interpreter = os.getenv "CODECELL_LUA" or "lua5.4"
local version = interpreter:match "%d%.%d" or "luajit"
local folder_version = version == "luajit" and "5.1" or version

local function have(program)
  return shell.run("command -v " .. program).status == 0
end

-- In the top folder of the tree, where the tests are started.
local function here(line, options)
  options = options or {}
  options.folder = "."
  return shell.run(line, options)
end

-- Make takes no blank in a path, and whoever has the tree may have put it below one.
local function relative(path)
  local top = here("pwd").stdout:gsub("\n$", "/")
  return path:sub(1, #top) == top and path:sub(#top + 1) or path
end

local build = relative(os.getenv "CODECELL_BUILD" or "build")

local function with_folder(body)
  local folder = shell.folder()
  local ok, err = pcall(body, folder)
  shell.remove(folder)
  if not ok then
    error(err, 0)
  end
end

-- A folder with programs of a machine that lacks everything else: `scripts` by name, and
-- links to the `tools`.
local TOOLS = { "sh", "sed", "cut", "sort", "tr", "grep", "paste", "head", "cat", "env", "id" }
local function poor_machine(folder, scripts)
  for _, tool in ipairs(TOOLS) do
    if not scripts[tool] then
      here("ln -s \"$(command -v " .. tool .. ")\" " .. folder)
    end
  end
  for name, text in pairs(scripts) do
    shell.write(folder .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
  end
  here("chmod +x " .. folder .. "/*")
end

describe("the package", function()
  it("has main file, types, tests, rockspec and readme in their places #A19", function()
    for _, path in ipairs { "lua/codecell/init.lua", "lua/codecell/meta.lua", "README.md",
      "rockspecs/codecell-scm-1.rockspec", "docs/design.md" } do
      assert.truthy(shell.read(path), path)
    end
  end)

  it("has the version of the newest entry of the changelog #A18 #N22", function()
    local changelog = shell.read "CHANGELOG.md"
    local newest, date = changelog:match "\n## %[(%d+%.%d+%.%d+)%] %- (%d%d%d%d%-%d%d%-%d%d)\n"
    assert.truthy(newest and date)
    assert.equal(newest, require("codecell")._VERSION)
    local headings = "Added Changed Deprecated Removed Fixed Security"
    for heading in changelog:gmatch "\n### ([^\n]+)" do
      assert.truthy(headings:find(heading, 1, true), heading)
    end
  end)

  it("is under the MIT license, in the file and in the rockspec #A16", function()
    assert.truthy(shell.read("LICENSE"):find "^MIT License\n")
    local rockspec = shell.read "rockspecs/codecell-scm-1.rockspec"
    assert.equal("MIT", rockspec:match 'license = "(.-)"')
  end)

  it("has a rockspec that luarocks finds valid #A16 #A20", function()
    if not have "luarocks" then
      return pending "luarocks is not installed"
    end
    local result = here "luarocks lint rockspecs/codecell-scm-1.rockspec"
    assert.equal(0, result.status, result.stdout .. result.stderr)
  end)

  it("tells contributors of issues, style, tests, documentation and pull requests #A15", function()
    local text = shell.read "docs/contributing.md"
    for _, topic in ipairs { "issues first", "Style", "test", "documentation", "fork",
      "pull request", "make check" } do
      assert.truthy(text:lower():find(topic:lower(), 1, true), topic)
    end
    assert.truthy(shell.read("Makefile"):find "\ncheck:")
  end)

  it("needs nothing of LuaRocks but Lua, says how to report a way out, and looks upstream #N11",
    function()
      local rockspec = shell.read "rockspecs/codecell-scm-1.rockspec"
      assert.equal('"lua >= 5.1, < 5.5"', rockspec:match("\ndependencies = {%s*(.-),?%s*}"))
      assert.truthy(shell.read("docs/security.md"):lower():find("report", 1, true))
      assert.truthy(shell.read(".ci/schedule"):find(".ci/upstream look", 1, true))
    end)

  it("keeps a promise for each row of the first milestone #M15", function()
    for _, path in ipairs { "lua/codecell/create.lua", "lua/codecell/errors.lua",
      "lua/codecell/options.lua", "lua/codecell/meta.lua", "spec/packaging_spec.lua" } do
      assert.truthy(shell.read(path), path)
    end
  end)
end)

describe("a library that is not built", function()
  it("says what to type", function()
    local result = here('LUA_PATH="lua/?.lua;lua/?/init.lua" LUA_CPATH="" ' .. shell.lua
      .. " -e 'require \"codecell\"'")
    assert.equal(1, result.status)
    local line = result.stderr:match "[^\n]*"
    assert.truthy(line:find("codecell is not built for this Lua, or not on its", 1, true), line)
    assert.truthy(line:find('make LUA_VERSION=' .. version .. ' && eval "$(make env LUA_VERSION='
      .. version .. ')"', 1, true), line)
  end)
end)

describe("make install", function()
  it("puts library, module, command, manual page and documents below PREFIX #A13", function()
    with_folder(function(folder)
      local result = here(("make -s install BUILD=%s LUA_VERSION=%s PREFIX=%s")
        :format(shell.quote(build), version, folder), { time = 300 })
      assert.equal(0, result.status, result.stdout .. result.stderr)
      for _, path in ipairs { "share/lua/%s/codecell/init.lua", "lib/lua/%s/codecell/core.so",
        "share/lua/%s/codecell/gateway/page/page.html",
        "share/man/man1/codecell.1", "share/doc/codecell/README.md", "share/doc/codecell/LICENSE",
        "share/doc/codecell/docs/reference.md" } do
        path = folder .. "/" .. path:format(folder_version)
        assert.truthy(shell.read(path), path)
      end
      -- It must find its own modules, not those of the tree.
      local elsewhere = "env -u LUA_PATH -u LUA_CPATH " .. folder .. "/bin/codecell"
      assert.truthy(shell.run(elsewhere .. " --version").stdout:find("codecell 0", 1, true))
      assert.equal("42\n", shell.run(elsewhere .. " run -c '6 * 7'").stdout)
    end)
  end)

  it("is prepared for packagers by DESTDIR", function()
    with_folder(function(folder)
      local result = here(("make -s install BUILD=%s LUA_VERSION=%s PREFIX=/usr DESTDIR=%s")
        :format(shell.quote(build), version, folder), { time = 300 })
      assert.equal(0, result.status, result.stderr)
      local command = shell.read(folder .. "/usr/bin/codecell")
      assert.truthy(command:find("/usr/share/lua/" .. folder_version, 1, true))
      assert.falsy(command:find(folder, 1, true))
    end)
  end)
end)

describe("luarocks make", function()
  it("builds and installs offline #A13 #slow", function()
    if not have "luarocks" then
      return pending "luarocks is not installed"
    end
    with_folder(function(folder)
      here("tar -cf - --exclude=./.git --exclude=./build . | tar -xf - -C " .. folder)
      local result = shell.run(("luarocks --lua-version %s make --tree %s/tree"
        .. " rockspecs/codecell-scm-1.rockspec"):format(folder_version, folder),
        { folder = folder, time = 300 })
      assert.equal(0, result.status, result.stderr:sub(-1000))
      local clean = "env -u LUA_PATH -u LUA_CPATH "
      local command = clean .. folder .. "/tree/bin/codecell"
      assert.equal("42\n", shell.run(command .. " run -c '6 * 7'").stdout)
      local path = ("luarocks --lua-version %s --tree %s/tree path"):format(folder_version, folder)
      local loaded = shell.run(("eval \"$(%s)\"; %s -l codecell -e ''"):format(path, interpreter))
      assert.equal(0, loaded.status, loaded.stderr)
    end)
  end)
end)

describe("make", function()
  it("says that BUILD has a blank", function()
    local result = here("make -s BUILD='a b' env")
    assert.equal(2, result.status)
    assert.matches('BUILD is a path without blanks; "a b" has some', result.stderr, 1, true)
  end)
end)

describe("make env", function()
  it("makes the command and the library of that build usable anywhere", function()
    local lines = here(("make -s env BUILD=%s LUA_VERSION=%s"):format(shell.quote(build), version),
      { time = 300 })
    assert.equal(0, lines.status, lines.stderr)
    local folder = shell.folder()
    shell.write(folder .. "/env", lines.stdout)
    local result = shell.run(("unset LUA_PATH LUA_CPATH; . %s/env; codecell run -c '6 * 7';"
      .. " %s -e %s"):format(folder, interpreter,
      shell.quote "print(require('codecell')._VERSION)"))
    shell.remove(folder)
    assert.equal("42\n" .. require("codecell")._VERSION .. "\n", result.stdout, result.stderr)
  end)
end)

describe("the dependencies", function()
  it("are left alone when they are there: nothing is fetched, nothing asked #M01", function()
    with_folder(function(folder)
      shell.write(folder .. "/apt-get", "#!/bin/sh\necho called >> " .. folder .. "/log\nexit 1\n")
      here("chmod +x " .. folder .. "/apt-get; ln -s apt-get " .. folder .. "/sudo")
      local result = here(("PATH=%s:$PATH .ci/deps install %s build demo test")
        :format(folder, version))
      assert.equal(0, result.status, result.stderr)
      assert.equal("", result.stdout .. result.stderr)
      assert.is_nil(shell.read(folder .. "/log"))
    end)
  end)

  it("that are missing are named in one line, with what to type", function()
    with_folder(function(folder)
      poor_machine(folder, {})
      local result = here(("PATH=%s .ci/deps look 5.4 build"):format(folder))
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find("build-essential (compiling)", 1, true), result.stderr)
      assert.truthy(result.stderr:find "Type: make deps[^\n]*\n$")
      assert.equal(1, select(2, result.stderr:gsub("\n", "")))
    end)
  end)

  it("that nobody here may install: the line for root", function()
    with_folder(function(folder)
      poor_machine(folder, { id = "echo 1000", ["apt-get"] = "exit 1" })
      local result = here(("PATH=%s .ci/deps install 5.4 build"):format(folder))
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find("no right to install", 1, true), result.stderr)
      assert.truthy(result.stderr:find "Type as root: apt%-get update && apt%-get install %-y ")
      assert.equal(1, select(2, result.stderr:gsub("\n", "")))
    end)
  end)

  it("that cannot be fetched: apt's reason, and what to type with a network", function()
    with_folder(function(folder)
      poor_machine(folder, { id = "echo 0",
        ["apt-get"] = "echo 'E: Unable to fetch some archives' >&2; exit 100" })
      local result = here(("PATH=%s .ci/deps install 5.4 build"):format(folder))
      assert.equal(1, result.status)
      assert.truthy(result.stderr:find("Unable to fetch some archives", 1, true), result.stderr)
      assert.truthy(result.stderr:find("With a network, type: ", 1, true))
      assert.equal(1, select(2, result.stderr:gsub("\n", "")))
    end)
  end)
end)

describe("the layers", function()
  it("are as the design has them", function()
    local result = here ".ci/layers"
    assert.equal(0, result.status, result.stderr)
  end)
end)
