local json = require "codecell.json"

-- Which is 64-bit whole where this Lua has such numbers, else exact to 2^53.
local has_integers = math.type ~= nil -- luacheck: ignore

describe("codecell.json", function()
  it("keeps null as a value", function()
    local value = json.decode('{"a":null,"b":[null,1]}')
    assert.equal(json.null, value.a)
    assert.equal(json.null, value.b[1])
    assert.equal('{"a":null,"b":[null,1]}', json.encode(value))
    assert.equal("null", json.encode(nil))
    assert.equal("null", tostring(json.null))
  end)

  it("keeps an empty list a list, and an empty object an object", function()
    assert.equal('{"list":[],"object":{}}', json.encode(json.decode('{"list":[],"object":{}}')))
    assert.equal("[]", json.encode(json.list()))
    assert.equal("{}", json.encode({}))
    assert.equal('["a"]', json.encode({ "a" }))
    assert.equal('{"0":7,"1":8}', json.encode({ [0] = 7, 8 })) -- nothing of a table is lost
    assert.equal('{"1":1,"2":2,"a":3}', json.encode({ 1, 2, a = 3 }))
    assert.is_true(json.is_list(json.decode("[]")))
    assert.is_false(json.is_list(json.decode("{}")))
  end)

  it("keeps whole numbers whole, and all their digits", function()
    assert.equal("1700000000123456", json.encode(json.decode("1700000000123456")))
    assert.equal("9007199254740992", json.encode(2 ^ 53))
    assert.equal("[1,-1,0]", json.encode({ 1, -1, 0 }))
    assert.equal("1", tostring(json.decode("1")))
    if has_integers then
      assert.equal("1700000000123456789", json.encode(json.decode("1700000000123456789")))
    end
  end)

  it("writes fractions so that they come back the same", function()
    for _, number in ipairs({ 0.1, 1 / 3, 1e300, 5e-324, -2.5, 123456789.123 }) do
      assert.equal(number, json.decode(json.encode(number)))
    end
  end)

  it("repairs text that is not UTF-8", function()
    assert.equal('"a\239\191\189b"', json.encode("a\255b"))
    assert.equal("\239\191\189", json.decode('"\237\160\128"'):sub(1, 3))
    assert.equal('"é€😀"', json.encode("é€😀"))
    assert.equal("😀", json.decode('"\\ud83d\\ude00"'))
    assert.equal("\239\191\189", json.decode('"\\ud83d"'))
  end)

  it("repairs megabytes #S062", function()
    local bad = ("\255"):rep(4000000)
    assert.equal(12000000, #json.repair(bad))
    assert.equal(12000000, #json.decode('"' .. bad .. '"'))
    assert.equal("x\127y", json.decode('"x\127y"'))
  end)

  it("takes what several texts hold off one allowance #S064", function()
    local allowance = { values = 100 }
    assert.same({ 1, 2 }, json.decode_within("[1,2]", allowance))
    assert.equal(90, allowance.values)
    assert.is_nil((json.decode_within("[1,", allowance)))
    assert.equal(80, allowance.values)
    local value, err = json.decode_within('"' .. ("\\n"):rep(80) .. '"', allowance)
    assert.is_nil(value)
    assert.equal("limit_exceeded", err.kind)
    assert.equal(0, allowance.values)
    assert.is_nil((json.decode_within("1", allowance)))
  end)

  it("writes NaN and infinities as text", function()
    assert.equal('["NaN","Infinity","-Infinity"]',
      json.encode({ 0 / 0, math.huge, -math.huge }))
  end)

  it("has an end of depth, also for a table in itself", function()
    local value, err = json.decode(("["):rep(1000) .. ("]"):rep(1000))
    assert.is_nil(value)
    assert.equal("invalid_argument", err.kind)
    local loop = {}
    loop.loop = loop
    value, err = json.encode(loop)
    assert.is_nil(value)
    assert.equal("invalid_argument", err.kind)
    assert.is_nil((json.encode(print)))
  end)

  it("says where text is no JSON", function()
    for _, text in ipairs({ "", "{", '{"a":}', "[1,]", "01", "1.", "+1", "nul", "tru", "[1]x",
      '"a\nb"', '"\\x"', '"\\u12"', "{1:2}", "'a'", "\0" }) do
      local value, err = json.decode(text)
      assert.is_nil(value)
      assert.equal("invalid_argument", err.kind)
      assert.truthy(err.message:find("at byte %d+"), err.message)
    end
    assert.has_error(function() json.decode(nil) end)
  end)

  it("reads every kind of value", function()
    assert.same({ a = { 1, 2.5, -300 }, b = true, c = false, d = 'x"\\/\b\f\n\r\t' },
      json.decode(' { "a" : [ 1 , 2.5, -3e2 ] ,"b":true,"c":false,'
        .. '"d":"x\\"\\\\\\/\\b\\f\\n\\r\\t" } '))
  end)

  it("escapes what must be", function()
    assert.equal('"\\"\\\\\\n\\u0000\\u001f"', json.encode('"\\\n\0\31'))
  end)
end)
