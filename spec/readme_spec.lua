local json = require("codecell").json
local markdown = require "spec.support.markdown"
local shell = require "spec.support.shell"

local readme = assert(shell.read "README.md")

local function indented_commands()
  local commands = {}
  for line in readme:gmatch "\n    ([^\n]*)" do
    line = line:gsub("%s+#.*$", "")
    for command in line:gsub("&&", ";"):gmatch "[^;]+" do
      commands[#commands + 1] = command:match "^%s*(.-)%s*$"
    end
  end
  return commands
end

describe("README.md", function()
  it("opens with code that runs", function()
    local lua_blocks = markdown.fenced(readme, "lua")
    assert.truthy(lua_blocks[1] and lua_blocks[1].line < 12)
  end)

  it("says what has to be there to build it and to run it, as codecell doctor does #N25", function()
    local report = shell.run(shell.codecell .. " doctor").stdout
    for _, name in ipairs { "Linux %d+%.%d+ or later", "user namespaces", "glibc or musl",
      "python3", "pkg%-config", "c%-ares", "libcurl", "libmicrohttpd", "headers of your Lua",
      "codecell doctor" } do
      assert.truthy(readme:find(name), name)
    end
    for _, name in ipairs { "kernel", "sandbox", "python", "c%-ares", "HTTP", "E2B account" } do
      assert.truthy(report:find("\n%l+ +" .. name .. " "), name)
    end
  end)

  it("has only make targets that exist", function()
    local makefile = assert(shell.read "Makefile")
    local seen = {}
    for _, command in ipairs(indented_commands()) do
      local target = command:match "^sudo make (%l+)" or command:match "^make (%l+)"
      if target then
        assert.truthy(makefile:find("\n" .. target .. ":", 1, true), target)
        seen[target] = true
      end
    end
    assert.is_true(seen.demo and seen.test)
  end)

  it("has only subcommands of codecell that exist", function()
    local count = 0
    for _, command in ipairs(indented_commands()) do
      local name = command:match "^codecell (%l+)"
      if name then
        count = count + 1
        assert.equal(0, shell.run(shell.codecell .. " " .. name .. " --help").status, name)
      end
    end
    assert.truthy(count >= 4)
  end)

  it("links to E2B's documentation #A14", function()
    assert.truthy(readme:find("https://e2b.dev/docs", 1, true))
  end)

  it("says where to ask, and whose work this stands on #A17", function()
    assert.truthy(readme:find("[issues](../../issues)", 1, true))
    assert.truthy(readme:find("\n## Thanks\n", 1, true))
    for _, name in ipairs { "E2B", "libcurl", "c-ares", "GNU libmicrohttpd", "Jupyter" } do
      assert.truthy(readme:match("\n## Thanks\n.*"):find(name, 1, true), name)
    end
  end)

  it("links only to files that exist, and to the issues, which lie beside them", function()
    for path in readme:gsub("%]%(%.%./%.%./issues%)", "]"):gmatch "%]%(([%w_./-]+)%)" do
      assert.equal(0, shell.run("test -e " .. shell.quote(path), { folder = "." }).status, path)
    end
  end)
end)

-- The commands behind the "$" of a page, and what stands below them.
local function sessions(text)
  local steps = {}
  for _, block in ipairs(markdown.fenced(text, "text")) do
    local step
    for line in block.code:gmatch "([^\n]*)\n" do
      local typed = line:match "^%$ (.*)$"
      if typed then
        step = { command = typed, output = "" }
        steps[#steps + 1] = step
      elseif step and step.output == "" and select(2, step.command:gsub("'", "")) % 2 == 1 then
        step.command = step.command .. "\n" .. line -- a quote that goes on
      elseif step then
        step.output = step.output .. line .. "\n"
      end
    end
  end
  return steps
end

for _, path in ipairs { "README.md", "docs/tutorial.md" } do
  describe("the shell of " .. path .. " #once", function()
    it("shows what the page says", function()
      local folder = shell.folder()
      finally(function() shell.remove(folder) end)
      shell.run("cp -r examples " .. shell.quote(folder), { folder = "." })
      local steps = sessions(assert(shell.read(path)))
      assert.truthy(#steps >= 3)
      local before = "codecell() { " .. shell.codecell .. ' "$@" 2>&1; }\nexport E2B_MODE=kernel\n'
      local status = 0
      for _, step in ipairs(steps) do
        local result = shell.run(("%s(exit %d)\n%s"):format(before, status, step.command),
          { folder = folder })
        status = result.status
        assert.equal(step.output, result.stdout, step.command)
      end
    end)
  end)
end

-- Pages whose code stands by itself.
for _, path in ipairs { "README.md", "docs/agents.md", "docs/documents.md", "docs/how-to.md",
  "docs/mcp.md", "docs/service.md", "docs/skill/SKILL.md", "docs/tools.md",
  "docs/tutorial.md" } do
  describe("the code of " .. path, function()
    it("shows what the page says, and nothing else", function()
      local result = shell.run(("CODECELL_LOG=none %s doctest --json --host-lua %s"):format(
        shell.codecell, path), { folder = "." })
      assert.equal("", result.stderr)
      local checks = json.decode(result.stdout)[1].checks
      assert.truthy(checks[1])
      for _, check in ipairs(checks) do
        local place = path .. ":" .. check.line
        assert.equal("passed", check.status, ("%s: %s\n%s"):format(place, check.why or "",
          check.diff or check.got or ""))
        assert.truthy(check.expected or check.got == "", place .. ": " .. check.got)
      end
    end)
  end)
end
