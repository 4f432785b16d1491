local json = require "cjson"
local shell = require "spec.support.shell"

local function run(words, options)
  return shell.run(shell.codecell .. " run " .. words, options)
end

describe("codecell run --mount #user", function()
  local folder, top

  before_each(function()
    top = shell.folder()
    folder = top .. "/work:here"
    shell.run(("mkdir '%s' && echo one > '%s/a.txt'"):format(folder, folder))
  end)

  after_each(function()
    shell.remove(top)
  end)

  local function mount(tail)
    return "--mount " .. shell.quote(folder .. (tail or "")) .. " "
  end

  local CHANGE = "-c " .. shell.quote([[
import os
os.chdir("/home/user/work:here")
open("a.txt", "a").write("two\n")
open("b\x1b[31m\n", "wb").write(bytes(3))
]])

  it("gives a folder to be read", function()
    for tail, path in pairs({ [""] = "work:here", [":read"] = "work:here", [":/work"] = "/work",
      [":~/w:read"] = "w" }) do
      local result = run(mount(tail) .. ("-c \"open('%s/a.txt').read()\""):format(path))
      assert.equal("one\\n\n", result.stdout, tail .. result.stderr)
    end
    assert.equal("one\\n\n", run("--mount .:/work -c \"open('/work/a.txt').read()\"",
      { folder = folder }).stdout)
    assert.equal("one\\n\n", run("--mount . -c \"open('work:here/a.txt').read()\"",
      { folder = folder }).stdout)
    local refused = run(mount() .. CHANGE)
    assert.equal(1, refused.status)
    assert.matches("Read-only file system", refused.stderr, 1, true)
  end)

  it("shows with --changes what code made of it, which stays as it was", function()
    local result = run(mount() .. "--changes " .. CHANGE)
    assert.equal(0, result.status, result.stderr)
    assert.equal("3\n--- a/a.txt\n+++ b/a.txt\n@@ -1 +1,2 @@\n one\n+two\n"
      .. "create /home/user/work:here/b\\033[31m\\012 (3 bytes, binary)\n", result.stdout)
    assert.equal("one\n", shell.read(folder .. "/a.txt"))
  end)

  it("says where the folder is when nothing in it has changed: code begins beside it", function()
    local result = run(mount() .. "--changes -c \"open('a.txt', 'w').close()\"")
    assert.same({ 0, "", "codecell: nothing has changed in the folder, which code finds at "
      .. "/home/user/work:here\n" }, { result.status, result.stdout, result.stderr })
  end)

  it("does it there with --apply, unless the code failed", function()
    local failed = run(mount() .. "--apply -c \"open('work:here/a.txt', 'w'); 1 / 0\"")
    assert.equal(1, failed.status)
    assert.matches("nothing is applied", failed.stderr, 1, true)
    assert.equal("one\n", shell.read(folder .. "/a.txt"))
    local result = run(mount(":overlay") .. "--apply " .. CHANGE)
    assert.equal("codecell: 2 changes applied\n", result.stderr)
    assert.equal(0, result.status)
    assert.equal("one\ntwo\n", shell.read(folder .. "/a.txt"))
  end)

  it("says what it did not apply, with status 125", function()
    local result = run(mount() .. "--apply -c \"import os; os.symlink('/etc', 'work:here/l\\n')\"")
    assert.equal(125, result.status)
    assert.matches("not applied: /home/user/work:here/l\\012: a link that leads out", result.stderr,
      1, true)
  end)

  it("tells all of it with --json", function()
    local report = json.decode(run(mount() .. "--changes --apply --json " .. CHANGE).stdout)
    assert.equal(2, #report.changes)
    assert.equal("write", report.applied[1].op)
    assert.same({}, report.failed)
  end)

  it("answers bad usage with one line", function()
    for words, text in pairs({ ["--apply -c 1"] = "needs a folder",
      [mount(":read") .. "--changes -c 1"] = "needs a folder",
      ["--mount '' -c 1"] = "HOST[:PATH",
      [mount(":/etc") .. "-c 1"] = "no place for a mount",
      ["--mount /no/such/folder -c 1"] = "No such file" }) do
      local result = run(words)
      assert.equal(2, result.status, words .. result.stderr)
      assert.matches(text, result.stderr, 1, true)
      assert.is_nil(result.stderr:find("traceback", 1, true))
    end
  end)
end)
