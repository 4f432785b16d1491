-- What failures are called: kinds for programs, words for models; and who is told what to do.
local cjson = require "cjson"
local codecell = require "codecell"
local kinds = require "codecell.errors.kinds"
local shell = require "spec.support.shell"
local words = require "codecell.agent.words"

describe("the table of failures", function()
  it("has every kind, and says who can mend it and whether to try again #J14", function()
    local seen = {}
    for _, row in ipairs(kinds.list) do
      seen[row.kind] = true
      assert.equal("boolean", type(row.retryable))
      assert.equal("boolean", type(row.user_fault))
      assert.truthy(#row.meaning > 0 and #row.remedy > 0)
    end
    for _, kind in ipairs(codecell.errors.kinds) do
      assert.is_true(seen[kind], kind)
      assert.equal(kind, codecell.errors.about(kind).kind)
    end
  end)

  it("has a word for every kind; what nobody foresaw is internal #J14 #J19 #M08", function()
    for _, kind in ipairs(codecell.errors.kinds) do
      local word = words.of_error(codecell.errors.new(kind, "x"))
      assert.equal("table", type(word), kind)
      assert.equal(kind == "system", word.word == "internal", kind)
    end
    for _, row in ipairs(words.list) do
      assert.truthy(#row.model > 0 and #row.developer > 0 and #row.phase > 0, row.word)
    end
  end)

  it("tells apart why nothing was reached, and why a sandbox is gone #J19 #J20", function()
    local function word(kind, message, more)
      local err = codecell.errors.new(kind, message)
      for name, value in pairs(more or {}) do
        err[name] = value
      end
      return words.of_error(err).word
    end
    assert.equal("network", word("unavailable", "x", { stage = "connect" }))
    assert.equal("resources", word("unavailable", "x"))
    assert.equal("overloaded", word("unavailable", "x", { word = "overloaded" }))
    assert.equal("install", word("not_found", "x", { packages = {} }))
    assert.equal("expired", word("sandbox_gone", "its time was up"))
    assert.equal("killed", word("sandbox_gone", "it was killed"))
    assert.equal("killed", word("sandbox_gone", "kill: ixtime7oh2k0a9pq3vbz4 was killed"))
    assert.equal("killed", word("sandbox_gone", "ended in time", { word = "killed" }))
    assert.equal("expired", word("sandbox_gone", "give create a longer timeout"))
  end)

  it("says of a timeout to raise it, to be faster, or to split the work #N07", function()
    local row = words.by_word.timeout
    assert.truthy(row.developer:find("raise", 1, true))
    assert.truthy(row.developer:find("faster", 1, true))
    assert.truthy(row.developer:find("split", 1, true))
    assert.truthy(row.model:find("longer timeout", 1, true))
  end)

  it("is listed by a command #J14", function()
    local told = shell.run(shell.codecell .. " errors --words")
    for _, row in ipairs(words.list) do
      assert.truthy(told.stdout:find("\n?" .. row.word .. " "), row.word)
    end
    local one = cjson.decode(shell.run(shell.codecell .. " errors rate_limited --json").stdout)
    assert.is_true(one[1].retryable)
    assert.equal("network", cjson.decode(shell.run(shell.codecell
      .. " errors network --json").stdout)[1].word)
  end)
end)

describe("codecell doctor", function()
  it("says of each block of an answer whether it would run #N03", function()
    local folder = shell.folder()
    shell.write(folder .. "/answer.md",
      "Text\n\n```\nprint(1)\n```\n\n```python\nprint(1)\n```\n\n```json\n{}\n```\n")
    local told = shell.run(shell.codecell .. " doctor --why answer.md", { folder = folder })
    assert.equal(0, told.status)
    assert.truthy(told.stdout:find("block 1, no language: does not run: no language given", 1,
      true))
    assert.truthy(told.stdout:find("block 2, python: runs", 1, true))
    assert.truthy(told.stdout:find("block 3, json: does not run", 1, true))
    assert.equal(2, shell.run(shell.codecell .. " doctor --why none", { folder = folder }).status)
    shell.remove(folder)
  end)

  it("names both variables for who has no Docker, and the mode that counts #J07 #A11", function()
    local told = shell.run("E2B_MODE=local " .. shell.codecell .. " doctor")
    assert.equal(0, told.status, told.stdout)
    assert.truthy(told.stdout:find("E2B_LOCAL_USE_DOCKER=false", 1, true))
    assert.truthy(told.stdout:find("E2B_MODE=local", 1, true))
    assert.truthy(told.stdout:find("configuration%s+mode local"))
  end)

  it("fails with what is wrong in the environment #B18 #B20 #J22", function()
    local told = shell.run("E2B_SANDBOX_POOL_SIZE=many " .. shell.codecell .. " doctor")
    assert.equal(1, told.status)
    assert.truthy(told.stdout:find("E2B_SANDBOX_POOL_SIZE", 1, true))
    local key = shell.run("E2B_API_KEY=bad " .. shell.codecell .. " doctor --e2b")
    assert.equal(1, key.status)
    assert.truthy(key.stdout:find("API key", 1, true))
    assert.is_nil((key.stdout .. key.stderr):find("bad%f[%W]"))
  end)
end)

describe("a message of the service", function()
  it("holds no key, however wrong the address is #J16 #I22", function()
    local key = "e2b_" .. ("0123456789"):rep(4)
    for _, url in ipairs({ "http://127.0.0.1:1", "http://user:secret@127.0.0.1:1", "nonsense" }) do
      local sink = codecell.log.sink
      local said = {}
      codecell.log.sink = function(_, message) said[#said + 1] = message end
      local service, err = codecell.service({ mode = "production", api_key = key, api_url = url,
        max_retries = 0 })
      if service then
        local _
        _, err = service:execute("1")
      end
      codecell.log.sink = sink
      assert.truthy(err)
      local text = table.concat(said, "\n") .. tostring(err) .. (err.hint or "")
      assert.is_nil(text:find(key, 1, true))
      assert.is_nil(text:find("secret", 1, true))
    end
  end)
end)
