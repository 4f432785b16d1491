local shell = require "spec.support.shell"

local readme = assert(shell.read "README.md")

-- Fenced blocks as CommonMark has them, so that what renders wrongly fails here.
local function fenced(language)
  local blocks, open, lines, number = {}, nil, nil, 0
  for line in (readme .. "\n"):gmatch "(.-)\n" do
    number = number + 1
    if open then
      local close = line:match "^(```+)%s*$"
      if close and #close >= #open.ticks then
        open.code = table.concat(lines, "\n") .. "\n"
        if open.language == language then
          blocks[#blocks + 1] = open
        end
        open = nil
      else
        lines[#lines + 1] = line
      end
    else
      local ticks, info = line:match "^(```+)%s*(%w*)%s*$"
      if ticks then
        open, lines = { ticks = ticks, language = info, line = number + 1 }, {}
      end
    end
  end
  assert.is_nil(open, "a fence is left open")
  return blocks
end

-- What a block says that it prints: the text after each "-->".
local function promised(code)
  local lines = {}
  for text in code:gmatch "%-%-> ([^\n]*)" do
    lines[#lines + 1] = text
  end
  return table.concat(lines, "\n")
end

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
  local lua_blocks = fenced "lua"

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
      assert.equal(promised(block.code), (result.stdout:gsub("\n$", "")))
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
