local e2b = require "spec.support.e2b"
local envelope = require "codecell.e2b.envelope"
local lines = require "codecell.e2b.lines"
local output = require "codecell.process.output"

describe("the reader of envelopes", function()
  local stream = e2b.process(e2b.out("hi \226\130\172"), e2b.exit0)

  local function read(pieces)
    local reader, found = envelope.reader("x"), {}
    for _, piece in ipairs(pieces) do
      reader:add(piece)
      local message, last = reader:next()
      while message do
        found[#found + 1] = { message, last }
        message, last = reader:next()
      end
      if message == nil then
        return found, last
      end
    end
    return found
  end

  it("reads the same in pieces of any size, cut at every byte", function()
    local whole = read { stream }
    assert.equal(4, #whole)
    assert.is_true(whole[4][2])
    for at = 0, #stream do
      assert.same(whole, read { stream:sub(1, at), stream:sub(at + 1) })
    end
    local bytes = {}
    for at = 1, #stream do
      bytes[at] = stream:sub(at, at)
    end
    assert.same(whole, read(bytes))
  end)

  it("writes what it reads", function()
    assert.same({ { { a = 1 }, false } }, read { envelope.encode '{"a":1}' })
    assert.equal(70000 + 5, #envelope.encode(("x"):rep(70000)))
  end)

  it("refuses flags, lengths and texts that make no sense, before it keeps them", function()
    for _, bytes in ipairs { "\1\0\0\0\2{}", "\255\0\0\0\2{}", "\0\255\255\255\255",
      "\0\2\0\0\1", "\0\0\0\0\0", "\0\0\0\0\4null", "\2\0\0\0\1[", "\0\0\0\0\2[1" } do
      local _, err = read { bytes }
      assert.equal("protocol", err.kind)
    end
  end)
end)

describe("the reader of lines", function()
  local text = '{"type":"stdout","text":"\226\130\172"}\n\r\n \n{"type":"end_of_execution"}\n'

  local function read(pieces)
    local reader, found = lines.reader("x"), {}
    for _, piece in ipairs(pieces) do
      reader:add(piece)
      local value, err = reader:next()
      while value do
        found[#found + 1] = value
        value, err = reader:next()
      end
      if value == nil then
        return found, err
      end
    end
    return found
  end

  it("reads the same in pieces of any size, cut at every byte", function()
    local whole = read { text }
    assert.equal(2, #whole)
    for at = 0, #text do
      assert.same(whole, read { text:sub(1, at), text:sub(at + 1) })
    end
    local bytes = {}
    for at = 1, #text do
      bytes[at] = text:sub(at, at)
    end
    assert.same(whole, read(bytes))
  end)

  it("refuses lines that are no object, and more values than it may hold", function()
    for _, line in ipairs { "x\n", "[1\n", '"a"\n', "null\n", "5\n" } do
      local _, err = read { line }
      assert.equal("protocol", err.kind)
    end
    local many = '{"a":[' .. ("[],"):rep(250000) .. "1]}\n" -- a table counts as eight
    local _, err = read { many, many, many }
    assert.equal("limit_exceeded", err.kind)
  end)
end)

describe("kept output", function()
  it("is the whole, or a head and a tail of whole characters", function()
    local kept = output.new(20)
    for _ = 1, 4 do
      kept:add("12345")
    end
    assert.same({ "12345123451234512345", nil, 20 }, { kept:kept() })
    kept = output.new(16)
    kept:add(("\226\130\172"):rep(20))
    local head, tail, total = kept:kept()
    assert.equal(("\226\130\172"):rep(2), head)
    assert.equal(("\226\130\172"):rep(2), tail)
    assert.equal(60, total)
  end)

  it("gives every byte once to who reads in time, in pieces of whole characters", function()
    local kept, read = output.new(1000), {}
    local text = ("a\195\169\226\130\172\240\159\152\128"):rep(10)
    for at = 1, #text do
      kept:add(text:sub(at, at))
      local piece = kept:read(64, true)
      while piece do
        assert.falsy(piece:find("^[\128-\191]"))
        read[#read + 1] = piece
        piece = kept:read(64, true)
      end
      assert.is_false(piece)
    end
    kept:finish()
    assert.is_nil(kept:read(64, true))
    assert.equal(text, table.concat(read))
  end)

  it("takes no more memory for single bytes than for blocks", function()
    local kept = output.new(200000)
    for _ = 1, 400000 do
      kept:add("x")
    end
    local head, tail, total = kept:kept()
    assert.equal(200000, #head + #tail)
    assert.equal(400000, total)
    assert.truthy(#kept.head < 200 and kept.last - kept.first < 200)
  end)

  it("passes over what was dropped unread", function()
    local kept = output.new(8)
    kept:add("abcdefghijklmnop")
    assert.equal("abcd", kept:read(100))
    assert.equal("mnop", kept:read(100))
    assert.is_false(kept:read(100))
  end)
end)
