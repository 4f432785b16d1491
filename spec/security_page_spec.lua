-- docs/security.md: whatever it promises to be tested is.
local prove = require "codecell.command.prove"
local shell = require "spec.support.shell"

local page = assert(shell.read "docs/security.md")
local rows = page:match "\n| attack |[^\n]*\n[^\n]*\n(.-)\n\n"

describe("the page about security #once", function()
  it("names only tests that there are #I24 #N16", function()
    local specs = shell.run("cat spec/*_spec.lua", { folder = "." }).stdout
    local count = 0
    for line in rows:gmatch "[^\n]+" do
      local tests = line:match "^| [^|]+ | [^|]+ | ([^|]-) |"
      assert.truthy(tests and tests:find "%S", line)
      for tag in tests:gmatch "%f[%w](%u%d%d%d?)%f[%W]" do
        assert.truthy(specs:find("#" .. tag .. "%f[%W]"), tag)
        count = count + 1
      end
      for path in tests:gmatch "`([%w_]+_spec%.lua)`" do
        assert.truthy(shell.read("spec/" .. path), path)
        count = count + 1
      end
    end
    assert.truthy(count > 90)
  end)

  it("has every attack of codecell doctor --prove, and no other #N16 #N17", function()
    local named = {}
    for line in rows:gmatch "[^\n]+" do
      for name in line:match "| ([^|]-) ?|$":gmatch "[^;]+" do
        named[name:match "^%s*(.-)%s*$"] = true
      end
    end
    named[""] = nil
    local known = { ["outlive the deadline"] = true, ["leave something behind"] = true,
      ["what was attacked is unharmed"] = true }
    for _, attack in ipairs(prove.attacks()) do
      known[attack.name] = true
    end
    assert.same(known, named)
  end)

  it("says who is trusted, what is not protected, and how to report #I24 #N11", function()
    for _, title in ipairs { "Reporting", "Who attacks whom", "What is protected",
      "What is not protected", "Attack by attack", "Dependencies", "Audits",
      "For those who embed it", "How it is tested" } do
      assert.truthy(page:find("\n## " .. title .. "\n", 1, true), title)
    end
    for _, subject in ipairs { "expose", "policy", "audit", "MCP", "prompt injection",
      "gateway" } do
      assert.truthy(page:find(subject, 1, true), subject)
    end
  end)
end)
