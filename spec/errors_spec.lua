local codecell = require "codecell"
local errors = require "codecell.errors"
local shell = require "spec.support.shell"

-- A program that may have no more memory than it has, and what its allocator keeps in reserve.
local POOR = [[
local core = require "codecell.core"
local secret = ("x"):rep(65536)
core.mask({ "x" }) -- what an error needs is there
local file = io.open("/proc/self/status")
local size = tonumber(file:read("*a"):match("VmSize:%s*(%d+)"))
file:close()
os.execute(("prlimit --pid %d --as=%d"):format(core.getpid(), size * 1024))
local mask, err = core.mask({ secret })
print(mask, err.kind, err.message)
]]

describe("an error", function()
  it("has a kind of the closed set, one line of text, and may have a hint", function()
    local err = errors.unsupported("flying", "local", "walk")
    assert.equal("unsupported", err.kind)
    assert.equal("walk", err.hint)
    assert.equal(err.message, tostring(err))
    assert.truthy(errors.is(err))
    assert.is_false(errors.is({ kind = "timeout" }))
    local known = {}
    for _, kind in ipairs(errors.kinds) do
      known[kind] = true
    end
    assert.is_true(known[err.kind])
    assert.equal(17, #errors.kinds)
  end)

  it("of a timeout says which knob to turn", function()
    local text = tostring(errors.timeout("read", 5))
    assert.equal("read timed out after 5 s; pass a longer timeout", text)
  end)
end)

describe("memory that is not there", function()
  it("is an error like any other, of kind out_of_memory", function()
    if os.getenv "ASAN_OPTIONS" then
      return pending "the sanitizer ends a program that has no memory"
    end
    local result = shell.run(("%s -e %s"):format(shell.lua, shell.quote(POOR)), { folder = "." })
    assert.equal("", result.stderr)
    assert.equal("nil\tout_of_memory\tkeep secrets: Cannot allocate memory\n", result.stdout)
  end)
end)

describe("codecell.assert", function()
  it("returns its values when the first is true", function()
    assert.same({ 1, 2 }, { codecell.assert(1, 2) })
  end)

  it("raises text that every Lua shows", function()
    local ok, message = pcall(codecell.assert, nil, errors.new("timeout", "too late"))
    assert.is_false(ok)
    assert.equal("too late", message)
    ok, message = pcall(codecell.assert, false)
    assert.is_false(ok)
    assert.equal("string", type(message))
  end)
end)
