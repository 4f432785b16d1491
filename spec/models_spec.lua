-- What is written for models, docs/llms.txt and docs/skill: nothing in it may be made up.
local shell = require "spec.support.shell"

local skill, index = assert(shell.read "docs/skill/SKILL.md"), assert(shell.read "docs/llms.txt")
local reference = assert(shell.read "docs/reference.md")

-- Names of the reference: "codecell.create", "sandbox:run_code".
local known = {}
for name in reference:gmatch "\n### `([%w_.:]+)" do
  known[name] = true
end

describe("what is written for models #once", function()
  it("names only functions that the reference has #H17", function()
    local count = 0
    for _, text in ipairs { skill, index } do
      for name in text:gmatch "%f[%w_](codecell%.[%a_.]+[%a_])" do
        if not name:find "%.md$" and name ~= "codecell.assert" then
          assert.truthy(known[name], name)
          count = count + 1
        end
      end
      for name in text:gmatch "%f[%w_](sandbox[%a_.]*:[%a_]+)" do
        assert.truthy(known[name], name)
        count = count + 1
      end
      for receiver, name in text:gmatch "%f[%w_](kit):([%a_]+)" do
        assert.truthy(known[receiver .. ":" .. name], receiver .. ":" .. name)
      end
    end
    assert.truthy(count > 30)
    assert.is_function(require("codecell").assert)
  end)

  it("names only keys of create that it takes", function()
    for options in skill:gmatch "codecell%.create (%b{})" do
      local flat = options:sub(2, -2):gsub("%b{}", "{}")
      for key in ("," .. flat):gmatch "[,\n]%s*([%a_]+) =" do
        local taken, err = pcall(require("codecell").create, { [key .. "x"] = 1 })
        assert.is_false(taken)
        assert.truthy(tostring(err):find(key, 1, true), key .. ": " .. tostring(err))
      end
    end
  end)

  it("names only commands and options that there are", function()
    local count = 0
    for line in skill:gmatch "\n    codecell ([^\n]+)" do
      local name = line:match "^%S+"
      local help = shell.run(shell.codecell .. " " .. name .. " --help")
      assert.equal(0, help.status, name)
      for option in line:gmatch "%-%-[%a-]+" do
        assert.truthy(help.stdout:find(option, 1, true), name .. " " .. option)
      end
      count = count + 1
    end
    assert.truthy(count >= 8)
  end)

  it("links only to pages that exist, and leaves out none", function()
    local linked = {}
    for path in index:gmatch "%]%(([^)]+)%)" do
      assert.truthy(shell.read("docs/" .. path), path)
      linked[path] = true
    end
    for path in shell.run("ls docs", { folder = "." }).stdout:gmatch "[%w_-]+%.md" do
      assert.truthy(linked[path], "docs/llms.txt does not name docs/" .. path)
    end
  end)

  it("has the front matter of a skill, in its bounds", function()
    local name, description = skill:match "^%-%-%-\nname: ([%l-]+)\ndescription: ([^\n]+)\n%-%-%-\n"
    assert.equal("codecell", name)
    assert.truthy(#description > 50 and #description <= 1024)
    assert.falsy(description:find "[<>]")
    local _, lines = skill:gsub("\n", "\n")
    assert.truthy(lines < 500)
  end)
end)
