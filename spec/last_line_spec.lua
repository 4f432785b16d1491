-- The last line of what a program has printed.
local last_line = require "codecell.last_line"

describe("the last line", function()
  it("is the last one with anything in it", function()
    assert.equal("b", last_line("a\nb"))
    assert.equal("b ", last_line("a\r\nb \r\n\n"))
    assert.equal("a", last_line("a"))
    assert.is_nil(last_line("\n\r\n"))
    assert.is_nil(last_line(""))
  end)

  it("is found in a time that no text makes long #S080", function()
    local long, empty = ("x"):rep(2 ^ 22), ("\n"):rep(2 ^ 22)
    assert.equal("y", last_line(long .. "\ny" .. empty))
    assert.equal(long, last_line("y" .. empty .. long .. "\n"))
  end)
end)
