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

  it("is not read longer than the sandbox is large, whatever size its files say #S066", function()
    local sandbox = codecell.assert(codecell.create({ limits = { disk = 20 * 1024 * 1024 },
      mounts = { { host = top .. "/p", mode = "overlay" } } }))
    codecell.assert(sandbox.commands:run(
      "cd p && truncate -s 15M x && for i in $(seq 30); do ln x x$i; done"))
    local digests = 0
    for i, change in ipairs(codecell.assert(sandbox:changes({ diff = true }))) do
      assert.equal("too large", change.omitted)
      digests = digests + (sandbox._told[change.path].digest and i or 0)
    end
    sandbox:close()
    assert.equal(1, digests)
  end)

  it("is not held up by code that may only read it #S005", function()
    local sandbox = codecell.assert(codecell.create({ mounts = { { host = top .. "/p" } } }))
    local told = codecell.assert(sandbox:run_code([[
import fcntl, os, signal
signal.signal(signal.SIGIO, signal.SIG_IGN)
file = os.open("p/a", os.O_RDONLY)
for call in (fcntl.F_SETLEASE, 1040):
    try:
        fcntl.fcntl(file, call, fcntl.F_RDLCK)
    except OSError as error:
        print(error.errno)
]]))
    assert.equal("1\n1\n", table.concat(told.logs.stdout))
    assert.equal(0, shell.run("timeout 10 sh -c 'echo new > p/a'", { folder = top }).status)
    sandbox:close()
  end)
end)
