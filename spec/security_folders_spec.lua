-- Attacks on folders of this machine that sandboxes are given.
local codecell = require "codecell"
local core = require "codecell.core"
local shell = require "spec.support.shell"

describe("a folder of this machine #user", function()
  local top

  before_each(function()
    top = shell.folder()
    shell.run("mkdir p && echo s > canary && chmod 600 canary && echo old > p/a", { folder = top })
  end)

  after_each(function()
    shell.remove(top)
  end)

  it("to which another sandbox writes does not lead apply to a file beside it #S059", function()
    local folder = core.host_folder(top .. "/p")
    shell.run("ln -s ../canary p/.codecell-made", { folder = top })
    local ok, err = core.project_place(folder, ".codecell-made", "a", 511, false)
    folder:close()
    assert.is_nil(ok)
    assert.is_string(err.kind)
    assert.equal("600\n", shell.run("stat -c %a canary", { folder = top }).stdout)
    assert.equal("old\n", shell.run("cat p/a", { folder = top }).stdout)
  end)

  it("under an overlay takes no more of the host for each name that was ever told #S067", function()
    local sandbox = codecell.assert(codecell.create({
      mounts = { { host = top .. "/p", mode = "overlay" } } }))
    for i = 1, 3 do
      codecell.assert(sandbox.commands:run(("cd p && rm -rf n && mkdir n && touch n/%d-{1..9}")
        :format(i)))
      codecell.assert(sandbox:changes())
    end
    local told = 0
    for _ in pairs(sandbox._told) do
      told = told + 1
    end
    sandbox:close()
    assert.equal(10, told)
  end)
end)
