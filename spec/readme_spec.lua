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
  local lua_blocks = markdown.fenced(readme, "lua")

  it("opens with code that runs", function()
    assert.truthy(lua_blocks[1] and lua_blocks[1].line < 12)
  end)

  for _, block in ipairs(lua_blocks) do
    it("prints what the block at line " .. block.line .. " says", function()
      local path = os.tmpname()
      shell.write(path, block.code)
      local result = shell.run(shell.lua .. " " .. path)
      os.remove(path)
      assert.equal("", result.stderr)
      assert.equal(markdown.promised(block.code), (result.stdout:gsub("\n$", "")))
      assert.equal(0, result.status)
    end)
  end

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

  it("links only to files that exist", function()
    for path in readme:gmatch "%]%(([%w_./-]+)%)" do
      assert.equal(0, shell.run("test -e " .. shell.quote(path), { folder = "." }).status, path)
    end
  end)
end)

-- Pages whose code stands by itself.
for _, path in ipairs { "docs/agents.md", "docs/service.md" } do
  local page = assert(shell.read(path))
  describe(path, function()
    for _, block in ipairs(markdown.fenced(page, "lua")) do
      it("prints what the block at line " .. block.line .. " says", function()
        local name = os.tmpname()
        shell.write(name, block.code)
        local result = shell.run("CODECELL_LOG=none " .. shell.lua .. " " .. name)
        os.remove(name)
        assert.equal("", result.stderr)
        assert.equal(markdown.promised(block.code), (result.stdout:gsub("\n$", "")))
      end)
    end
  end)
end
