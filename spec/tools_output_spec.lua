-- What a model is told of an output: within a budget, and with a way to the rest.
local codecell = require "codecell"
local format = require "codecell.agent.format"
local json = require "codecell.json"
local showing = require "spec.support.picture"
local unicode = require "codecell.agent.unicode"

-- As far as anyone reads it who does not decode it: 640 x 480.
local PNG = "\137PNG\r\n\26\n\0\0\0\13IHDR\0\0\2\128\0\0\1\224\8\6\0\0\0\0\0\0\0"
  .. "\0\0\0\1IDATx\0\0\0\0" .. "\0\0\0\0IEND\174B`\130"

local function execution(fields)
  fields.results = fields.results or {}
  fields.logs = { stdout = { fields.stdout }, stderr = { fields.stderr } }
  return fields
end

local function lines(count, text)
  local list = {}
  for i = 1, count do
    list[i] = (text or "line %d \195\169"):format(i)
  end
  return table.concat(list, "\n") .. "\n"
end

-- The quoted texts of a report.
local function quoted(text)
  local found = {}
  for part in text:gmatch("```%l+\n(.-)\n```") do
    found[#found + 1] = part
  end
  return found
end

describe("the budget of a report", function()
  it("is one for all parts, in characters", function()
    local results = {}
    for i = 1, 10 do
      results[i] = { text = ("r"):rep(5000) }
    end
    local report = format.report(execution({ stdout = lines(5000), stderr = lines(5000),
      results = results, error = { name = "E", value = "v", traceback = lines(1000) .. "E: v" } }),
      { budget = { chars = 4000 } })
    assert.is_true(unicode.length(report.text) < 4000 + 1500) -- titles, fences, and marks
    assert.is_nil(unicode.invalid(report.text))
    assert.truthy(report.text:find("E: v", 1, true))
  end)

  it("is bounded however many parts there are", function()
    local results = {}
    for i = 1, 3000 do
      results[i] = { text = "display " .. i }
    end
    local report = format.report(execution({ stdout = "out\n", results = results }),
      { budget = { chars = 2000 } })
    assert.is_true(#report.text < 6000)
    assert.truthy(report.text:find("display 3000", 1, true))
    assert.truthy(report.text:find("2 962 parts were left out here", 1, true))
    assert.is_true(#format(execution({ results = results })) < 20000)
  end)

  it("is counted in tokens by a function of the host", function()
    local asked = 0
    local function count(text)
      asked = asked + 1
      local _, words = text:gsub("%S+", "")
      return words
    end
    for _, most in ipairs({ 100, 300, 1000 }) do
      local report = format.report(execution({ stdout = lines(20000) }),
        { budget = { tokens = most }, count = count })
      assert.is_true(count(report.text) <= most, most)
      assert.is_true(count(report.text) > most / 3, most)
    end
    assert.is_true(asked < 60)
    local report = format.report(execution({ stdout = lines(20000) }),
      { budget = { tokens = 500 } })
    assert.is_true(#report.text <= 2000)
  end)

  it("holds for pictures: so many, and no larger", function()
    local picture = { png = PNG, text = "<Figure>" }
    local run = execution({ results = { picture, picture, picture } })
    local report = format.report(run, { budget = { images = 2 } })
    assert.equal(2, #report.pictures)
    assert.truthy(report.text:find("Picture 3: image/png, 640x480, 58 bytes (not shown: more "
      .. "than 2)", 1, true))
    report = format.report(run, { budget = { image_px = 600 } })
    assert.equal(0, #report.pictures)
    assert.truthy(report.text:find("more than 600 pixels wide or high", 1, true))
    for _, broken in ipairs({ PNG:sub(1, -2), PNG:sub(1, 33), PNG .. "x", PNG:sub(9), "",
      (PNG:gsub("IDAT", "1DAT")) }) do
      report = format.report(execution({ results = { { png = broken } } }), {})
      assert.equal(0, #report.pictures)
      assert.truthy(report.text:find("it is broken", 1, true))
    end
    report = format.report(execution({ results = { { svg = "<svg/>" } } }), {})
    assert.equal(0, #report.pictures)
    assert.truthy(report.text:find("only PNG and JPEG are", 1, true))
  end)
end)

describe("a report", function()
  it("has charts in words for a model without eyes, and pictures for one with", function()
    local run = execution({ results = { { png = PNG, chart = { type = "line", title = "Waves",
      elements = { { label = "sin", points = { { 0, 0 }, { 1, 0.5 } } } } } } } })
    local blind = format.report(run, { vision = false })
    assert.equal(0, #blind.pictures)
    assert.truthy(blind.text:find("sin: 2 points, x from 0 to 1, y from 0 to 0.5", 1, true))
    local seeing = format.report(run, { vision = true })
    assert.equal(1, #seeing.pictures)
    assert.is_nil(seeing.text:find("sin", 1, true))
  end)

  it("cuts JSON so that it is JSON still, to the last digit", function()
    local rows = {}
    for i = 1, 500 do
      rows[i] = ('{"id": 12345678901234567%03d, "name": "n\\u00e9\\"%d", "tags": ["a", "b"], '
        .. '"note": "%s"}'):format(i, i, ("x"):rep(300))
    end
    local text = '{"count": 1.0, "rows": [' .. table.concat(rows, ",\n") .. "]}"
    for _, chars in ipairs({ 500, 1000, 4000, 20000 }) do
      local report = format.report(execution({ stdout = text .. "\n" }),
        { budget = { chars = chars } })
      local short = quoted(report.text)[1]
      assert.is_true(unicode.length(short) <= chars)
      local value, err = json.decode(short)
      assert.is_nil(err, short)
      assert.truthy(short:find('"count": 1.0', 1, true))
      assert.truthy(chars < 1000 or short:find("12345678901234567001", 1, true))
      assert.truthy(#value.rows > 0)
    end
    local report = format.report(execution({ results = { { json = json.decode(text) } } }),
      { budget = { chars = 1000 } })
    assert.truthy(json.decode(quoted(report.text)[1]))
  end)

  it("cuts any JSON so, whatever is in its texts", function()
    local state = 99
    local function random(most)
      state = (state * 16807) % 2147483647
      return state % most + 1
    end
    local TEXTS = { '\\"', "\\\\", "\\u00e9", "\\ud83d\\ude00", "\195\169", "]", "}", "{[", "a",
      "\\n", "\226\130\172", "```" }
    local function text()
      local pieces = {}
      for i = 1, random(60) do
        pieces[i] = TEXTS[random(#TEXTS)]
      end
      return '"' .. table.concat(pieces) .. '"'
    end
    local function value(depth)
      local pick, pieces = random(6), {}
      if depth > 3 or pick <= 2 then
        return pick == 1 and ("%d"):format(random(1e9)) or text()
      end
      for i = 1, random(12) do
        pieces[i] = (pick <= 4 and "" or text() .. " :") .. value(depth + 1)
      end
      return pick <= 4 and "[ " .. table.concat(pieces, " ,") .. "]"
        or "{" .. table.concat(pieces, ",") .. " }"
    end
    local shorten = require "codecell.agent.format.shorten"
    local count = 0
    for _ = 1, 200 do
      local whole = "[" .. value(1) .. "]"
      local short = shorten(whole, 300)
      if short then
        count = count + 1
        local _, err = json.decode(short)
        assert.is_nil(err, whole .. "\n" .. short)
        assert.is_true(unicode.length(short) <= 300)
      end
    end
    assert.is_true(count > 150)
    assert.is_nil(shorten("[1, 2", 10))
    assert.is_nil(shorten("plain text", 5))
  end)

  it("tells what has changed since the run before, where that is shorter", function()
    local before = execution({ stdout = lines(200) })
    local now = execution({ stdout = (lines(200):gsub("line 100 [^\n]*", "another line")) })
    local report = format.report(now, { previous = before })
    assert.truthy(report.text:find("what has changed since the run before", 1, true))
    assert.truthy(report.text:find("\n+another line\n", 1, true))
    assert.is_true(#report.text < 500)
    assert.truthy(format.report(before, { previous = before }).text
      :find("[the same as in the run before, 200 lines]", 1, true))
    local other = execution({ stdout = lines(200, "nothing in common %d") })
    assert.is_nil(format.report(other, { previous = before }).text:find("changed", 1, true))
  end)

  it("removes what is for terminals alone", function()
    local text = format.report(execution({ stdout = "\27[31mred\27[0m\n 1%\r 50%\r100%\n"
      .. ("again\n"):rep(50) }), {}).text
    assert.truthy(text:find("```text\nred\n100%\nagain\n[... 49 more identical lines]\n```", 1,
      true))
  end)
end)

describe("what was cut", function()
  local kit
  setup(function()
    kit = codecell.tools.kit { budget = { chars = 2000 } }
  end)
  teardown(function()
    kit:close()
  end)

  -- All of an output, by the id that its result has named.
  local function read_on(id, offset)
    local pieces = {}
    repeat
      local told = kit:call("read_output", { id = id, offset = offset })
      assert.is_false(told.is_error, told.text)
      assert.is_true(unicode.length(told.text) < 2200)
      assert.truthy(told.text:find("^The following is output of sandboxed code"))
      pieces[#pieces + 1] = told.structured.text
      offset = told.structured.next_offset
    until not offset
    return table.concat(pieces)
  end

  local function cut_of(text)
    local head, id, offset = text:match("\n```text\n(.-)\n%[%.%.%. [%d ]+ lines, [%d ]+ bytes left "
      .. "out; read_output{id=\"(o%d+)\", offset=(%d+)} %.%.%.%]\n")
    return head, id, tonumber(offset)
  end

  it("is read on exactly where it was cut", function()
    local told = kit:call("run_code",
      { code = "for i in range(1, 3001): print(f'line {i} \\u00e9')" })
    local head, id, offset = cut_of(told.text)
    assert.equal(told.outputs[1].id, id)
    assert.equal(#lines(3000), told.outputs[1].bytes)
    local whole = lines(3000):sub(1, -2)
    assert.is_true(whole == head .. "\n" .. read_on(id, offset))
    assert.is_true(whole == read_on(id))
    assert.truthy(kit:read_output(id, 1e9):find("[end of the output]", 1, true))
  end)

  it("is read without the half of a character, wherever one begins", function()
    local told = kit:call("run_code", { code = "print('\\u20ac' * 9000)" })
    local id = told.outputs[1].id
    for offset = 0, 20 do
      assert.is_nil(unicode.invalid((kit:read_output(id, offset))))
    end
    assert.equal(("\226\130\172"):rep(9000), (read_on(id):gsub("\n", "")))
  end)

  it("is there whatever its size #once", function()
    local told = kit:call("run_code",
      { code = "import sys\nfor i in range(400000): print(i, i * i)" })
    local head, id, offset = cut_of(told.text)
    local next_text = kit:read_output(id, offset)
    local last = tonumber(head:match("\n(%d+) %d+$"))
    assert.equal(last + 1, tonumber(next_text:match("^(%d+)")))
    local far = kit:read_output(id, 4000000)
    local number, square = far:match("\n(%d+) (%d+)\n")
    assert.equal(tonumber(number) ^ 2, tonumber(square))
  end)

  it("is also the rest of JSON", function()
    local told = kit:call("run_code",
      { code = "import json\nprint(json.dumps([{'n': i, 't': 'x' * 50} for i in range(900)]))" })
    assert.truthy(json.decode(told.structured.stdout))
    local whole = json.decode((read_on(told.outputs[1].id):gsub("\n", "")))
    assert.equal(900, #whole)
  end)

  it("is forgotten in time, and that is said", function()
    local first
    for i = 1, 70 do
      local id = kit.outputs:add(("x"):rep(100) .. i)
      first = first or id
    end
    local _, err = kit:read_output(first)
    assert.equal("not_found", err.kind)
    assert.truthy(err.message:find("no longer kept", 1, true))
    for _ = 1, 10 do
      kit.outputs:add(("y"):rep(8388608))
    end
    assert.is_true(kit.outputs.bytes <= 40 * 1048576)
    assert.truthy(kit:call("read_output", { id = first }).text:find("run it again", 1, true))
  end)
end)

describe("a kit with a budget of tokens", function()
  it("holds it whatever is read", function()
    local function count(text)
      local _, words = text:gsub("%S", "")
      return words
    end
    local kit = codecell.tools.kit { budget = { tokens = 300 }, count = count }
    local told = kit:call("run_code", { code = "print('w' * 40000)\n"
      .. "_ = open('f', 'w').write('w' * 9000)" })
    assert.is_true(count(told.text) <= 300)
    assert.is_true(count(kit:read_output(told.outputs[1].id)) <= 300)
    assert.is_true(count(kit:call("files", { op = "read", path = "f" }).structured.text) <= 300)
    kit:close()
  end)
end)

describe("a kit with pictures", function()
  it("has them made smaller inside the sandbox, or told in words", function()
    local kit = codecell.tools.kit { budget = { image_px = 64 } }
    local told = kit:call("run_code", { code = showing(300, 200) .. "display(Picture())" })
    assert.same({ "image", 64, 42 }, { told.parts[2].type, told.parts[2].width,
      told.parts[2].height })
    local pixels = codecell.assert(codecell.media.thumbnail(kit.place.made, told.parts[2].data,
      4, 1))
    assert.equal("\255\0\0", pixels.rgb:sub(1, 3))
    kit:close()
  end)

  it("compares with the run before on request", function()
    local kit = codecell.tools.kit { difference = true }
    local code = "for i in range(100): print('row', i)\n"
    kit:call("run_code", { code = code })
    assert.truthy(kit:call("run_code", { code = code .. "print('one more')" }).text
      :find("\n+one more\n", 1, true))
    kit:close()
  end)
end)
