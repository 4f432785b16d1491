local diff = require "codecell.project.diff"
local shell = require "spec.support.shell"

describe("diff", function()
  it("is empty for what is the same", function()
    for _, text in ipairs({ "", "a", "a\n", "a\nb\n" }) do
      assert.equal("", diff.unified(text, text, "f"))
    end
  end)

  it("shows lines that were removed and added with three around them", function()
    assert.equal("--- a/f\n+++ b/f\n@@ -2,7 +2,6 @@\n 2\n 3\n 4\n-5\n 6\n 7\n 8\n",
      diff.unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n6\n7\n8\n9\n", "f"))
  end)

  it("names what came and what went", function()
    assert.equal("--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n", diff.unified(nil, "x\n", "f"))
    assert.equal("--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", diff.unified("x\n", nil, "f"))
  end)

  it("says where a text does not end with a line", function()
    assert.equal("--- a/f\n+++ b/f\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n",
      diff.unified("x", "x\n", "f"))
  end)

  it("quotes names that look like something else", function()
    local text = diff.unified("", "x\n", "\27[31m\n--- a/x")
    assert.matches('+++ "b/\\033[31m\\n--- a/x"', text, 1, true)
  end)

  it("is what patch makes the one of the other with", function()
    local folder = shell.folder()
    if shell.run("patch --version").status ~= 0 then
      shell.remove(folder)
      return pending("patch is not installed")
    end
    local seed = 7
    local function random(most)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return math.floor(seed / 65536) % most + 1
    end
    for round = 1, 40 do
      local old, new = {}, {}
      for i = 1, random(30) do
        old[i] = "line " .. random(4)
        if random(10) < 8 then
          new[#new + 1] = old[i]
        end
        if random(4) == 1 then
          new[#new + 1] = "new " .. random(3)
        end
      end
      local before = table.concat(old, "\n") .. (round % 2 == 0 and "\n" or "")
      local after = table.concat(new, "\n") .. (round % 3 == 0 and "\n" or "")
      local text = diff.unified(before, after, "f")
      if text == "" then
        assert.equal(before, after)
      else
        shell.write(folder .. "/f", before)
        shell.write(folder .. "/d", text)
        assert.equal(0, shell.run("patch -s f d", { folder = folder }).status)
        assert.equal(after, shell.read(folder .. "/f") or "")
      end
    end
    shell.remove(folder)
  end)

  it("stays true, though not the shortest, where there is more than is searched", function()
    local old, new = {}, {}
    for i = 1, 3000 do
      old[i], new[i] = "old " .. i, "new " .. i
    end
    local text = diff.unified(table.concat(old, "\n"), table.concat(new, "\n"), "f")
    assert.equal(3000, select(2, text:gsub("\n%-old", "")))
    assert.equal(3000, select(2, text:gsub("\n%+new", "")))
  end)
end)
