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
    local result = shell.run("MANWIDTH=100 man --warnings -l docs/codecell.1 | col -b",
      { folder = "." })
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
      .. "LUA_CPATH=\"$LUA_CPATH\" "
      .. shell.codecell .. " config --markdown").stdout
    assert.equal(told, page:match "\n(| setting .*)$", "type: make docs")
  end)
end)

describe("the documents", function()
  it("link only to files that exist", function()
    for path in shell.run("ls docs/*.md", { folder = "." }).stdout:gmatch "%S+" do
      local name = path:match "([^/]+)%.md$"
      local text = assert(shell.read(path), name)
      for linked in text:gmatch "%]%(([%w_./-]+)%)" do
        assert.truthy(shell.read("docs/" .. linked), name .. ".md links to " .. linked)
      end
    end
  end)
end)
