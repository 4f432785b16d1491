local codecell = require "codecell"
local errors = require "codecell.errors"

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
