local shell = require "spec.support.shell"

local manual = require "docs.generate"

local function public_functions()
  local found = {}
  for _, chapter in ipairs(manual.chapters) do
    for _, path in ipairs(chapter.files) do
      for _, entry in ipairs(manual.read(path)) do
        local call = entry.name and manual.signature(entry, chapter)
        if call then
          entry.call = path .. ": " .. call
          found[#found + 1] = entry
        end
      end
    end
  end
  return found
end

-- The arguments of "(a, b, ...)", in order.
local function arguments(list)
  local names = {}
  for name in list:gmatch "[%w_.]+" do
    names[#names + 1] = name
  end
  return names
end

describe("the reference", function()
  it("is what `make docs` makes of the annotations", function()
    assert.truthy(shell.read "docs/reference.md" == manual.generate(), "type: make docs")
  end)

  it("has a sentence for every public function", function()
    for _, entry in ipairs(public_functions()) do
      assert.truthy(entry.text[1] and entry.text[1] ~= "", entry.call)
    end
  end)

  it("has the type of every argument, in their order #M18", function()
    for _, entry in ipairs(public_functions()) do
      local names = {}
      for i, param in ipairs(entry.params) do
        names[i] = param.name:gsub("%?$", "")
      end
      assert.same(arguments(entry.arguments), names, entry.call)
    end
  end)

  it("knows the verbs that users meet first", function()
    local text = manual.generate()
    for _, verb in ipairs { "codecell.create(", "sandbox:run_code(", "sandbox:close(",
      "sandbox.files:read(", "sandbox.commands:run(", "process:wait(", "codecell.blocks.scan(" } do
      assert.truthy(text:find("### `" .. verb, 1, true), verb)
    end
  end)
end)

describe("the manual page", function()
  it("is what `make docs` makes of the tables of the commands #N19", function()
    assert.truthy(shell.read "docs/codecell.1" == require("docs.manual").generate(),
      "type: make docs")
  end)

  it("is one that man can show", function()
    if shell.run("command -v man").status ~= 0 then
      return pending "there is no man"
    end
    local result = shell.run("env -u LD_PRELOAD MANWIDTH=100 man --warnings -l docs/codecell.1"
      .. " | col -b", { folder = "." })
    assert.equal("", result.stderr)
    for _, text in ipairs { "codecell kill ID|NAME... | --all", "-l, --language LANGUAGE",
      "CODECELL_PYTHON" } do
      assert.truthy(result.stdout:find(text, 1, true), text)
    end
  end)
end)

describe("the page of settings", function()
  it("has the table that `make docs` takes from codecell config --markdown #N21", function()
    local page = shell.read "docs/configuration.md"
    local told = shell.run("env -i PATH=\"$PATH\" LUA_PATH=\"$LUA_PATH\" "
      .. "LUA_CPATH=\"$LUA_CPATH\" LD_PRELOAD=\"$LD_PRELOAD\" ASAN_OPTIONS=\"$ASAN_OPTIONS\" "
      .. shell.codecell .. " config --markdown").stdout
    assert.equal(told, page:match "\n(| setting .*)$", "type: make docs")
  end)
end)

describe("the table of errors", function()
  it("is what `make docs` makes of the kinds and words #N12", function()
    assert.truthy(shell.read "docs/errors.md" == require("docs.errors").generate(),
      "type: make docs")
  end)

  it("names headings that there are", function()
    local page = assert(shell.read "docs/troubleshooting.md")
    for heading in require("docs.errors").generate():gmatch "%[([%u][^%]]*)%]%(troubleshooting" do
      assert.truthy(page:find("\n## " .. heading .. "\n", 1, true), heading)
    end
  end)
end)

local function page_paths()
  local paths = { "README.md" }
  for path in shell.run("ls docs/*.md", { folder = "." }).stdout:gmatch "[^\n]+" do
    paths[#paths + 1] = path
  end
  return paths
end

-- What a program may assign, and is nil until it does.
local ASSIGNED = { ["log.sink"] = true }

-- What stands in a page as code: in fences and spans, and indented.
local function each_code(text, visit)
  local fence
  for line in (text .. "\n"):gmatch "(.-)\n" do
    local ticks = line:match "^%s*(```+)"
    if ticks and (not fence or #ticks >= #fence) then
      fence = not fence and ticks or nil
    elseif fence or line:find "^    %S" then
      visit(line)
    else
      for span in line:gmatch "`([^`]+)`" do
        visit(span)
      end
    end
  end
end

describe("the documents", function()
  it("link only to files and headings that exist", function()
    for _, path in ipairs(page_paths()) do
      local folder = path:match "^(.*/)" or ""
      for target in assert(shell.read(path)):gmatch "%]%(([^)%s]+)%)" do
        if not target:find "^%a+://" and target ~= "../../issues" then
          local file, heading = target:match "^([^#]*)#?(.*)$"
          file = file == "" and path or folder .. file
          assert.equal(0, shell.run("test -e " .. shell.quote(file), { folder = "." }).status,
            path .. " links to " .. file)
          if heading ~= "" then
            local found = false
            for title in ("\n" .. shell.read(file)):gmatch "\n#+ ([^\n]*)" do
              title = title:gsub("%[([^%]]*)%]%([^)]*%)", "%1"):lower():gsub("[^%w%s_-]", "")
              found = found or title:gsub("%s", "-") == heading
            end
            assert.truthy(found, path .. " links to " .. target)
          end
        end
      end
    end
  end)

  it("are all in the index", function()
    local index = assert(shell.read "docs/README.md")
    for _, path in ipairs(page_paths()) do
      local name = path:match "^docs/(.*)$"
      if name and name ~= "README.md" then
        assert.truthy(index:find("](" .. name .. ")", 1, true), name)
      end
    end
  end)

  it("name commands and options that there are #N19", function()
    local command = require "codecell.command"
    local count = 0
    local function check(path, line)
      line = line:gsub("%s#%s.*$", "")
      for name, rest in line:gmatch "%f[%w]codecell (%l[%l-]*)%f[%s%z`]([^;|]*)" do
        local found = command.find(name)
        assert.truthy(found or name == "help", path .. ": codecell " .. name .. ": " .. line)
        local known = { help = true, version = true }
        for _, option in ipairs(found and found.options or {}) do
          known[option.name] = true
        end
        for option in rest:gsub(" %-%- .*$", ""):gmatch "%s%-%-(%l[%w-]*)" do
          assert.truthy(known[option], path .. ": codecell " .. name .. " --" .. option)
          count = count + 1
        end
      end
    end
    for _, path in ipairs(page_paths()) do
      each_code(assert(shell.read(path)), function(line)
        if not line:find "git clone" then
          check(path, line)
        end
      end)
    end
    assert.truthy(count > 50)
  end)

  it("name functions and verbs that there are #N19", function()
    local codecell = require "codecell"
    local reference = assert(shell.read "docs/reference.md")
    local classes = shell.run(
      [[grep -rhoE '(@class |@alias |")codecell[.][A-Z][A-Za-z0-9.]+' lua src]],
      { folder = "." }).stdout
    local verbs = {}
    for receiver, verb in reference:gmatch "\n### `([%l_.]+):([%l_]+)%(" do
      verbs[receiver] = verbs[receiver] or {}
      verbs[receiver][verb] = true
    end
    local function exists(name)
      local value = codecell
      for part in name:gmatch "[%w_]+" do
        value = type(value) == "table" and value[part]
      end
      return value ~= nil and value ~= false
        or classes:find("[ \"]codecell%." .. name .. "\n")
        or shell.read("lua/codecell/" .. name:gsub("%.", "/") .. ".lua")
    end
    local count = 0
    for _, path in ipairs(page_paths()) do
      each_code(assert(shell.read(path)), function(line)
        for name in line:gmatch "%f[%w./]codecell%.([%a_][%w_.]*[%w_])" do
          assert.truthy(ASSIGNED[name] or exists(name), path .. ": codecell." .. name)
          count = count + 1
        end
        for receiver, verb in line:gmatch "%f[%w_.]([%l_.]+):([%l_]+)[%({%[ \"]" do
          assert.truthy(not verbs[receiver] or verbs[receiver][verb],
            path .. ": " .. receiver .. ":" .. verb)
        end
      end)
    end
    assert.truthy(count > 200)
  end)
end)

describe("the design", function()
  it("draws every folder of the sources in its layout", function()
    local layout = shell.read("docs/design.md"):match "\n## 10%. Layout\n(.*)"
    local folders = shell.run("find src lua/codecell -mindepth 1 -type d", { folder = "." }).stdout
    local drawn = {}
    for name in layout:gmatch "[%w_]+/" do
      drawn[name] = true
    end
    for folder in folders:gmatch "[^\n]+" do
      local inside = folder:match "^lua/codecell/[^/]+/" or folder:match "^src/lua/"
      assert.truthy(inside or drawn[folder:match "[^/]+$" .. "/"], folder)
    end
    assert.truthy(drawn["service/"])
  end)
end)
