local codecell = require "codecell"

-- Of each language: how it gives an answer, prints what looks like one, and what no JSON can hold.
local LANGUAGES = {
  python = { gives = "final_answer({'text': 'x', 'list': [1, 2.5, None, True]})",
    prints = "print('final_answer(1)'); display({'final': 1})", bad = "final_answer(object())",
    twice = "final_answer(1)\nfinal_answer(2)", raises = "final_answer(1)\nraise ValueError('x')" },
  javascript = { gives = "final_answer({text: 'x', list: [1, 2.5, null, true]})",
    prints = "console.log('final_answer(1)'); display({final: 1})", bad = "final_answer(() => 1)",
    twice = "final_answer(1); final_answer(2)", raises = "final_answer(1); throw new Error('x')" },
  typescript = {
    gives = "const n: number = 1; final_answer({text: 'x', list: [n, 2.5, null, true]})",
    prints = "console.log('final_answer(1)')", bad = "final_answer(undefined)",
    twice = "final_answer(1); final_answer(2)", raises = "final_answer(1); throw new Error('x')" },
  lua = { gives = "final_answer({text = 'x', list = {1, 2.5, false, true}})",
    prints = "print('final_answer(1)') display({final = 1})", bad = "final_answer(print)",
    twice = "final_answer(1) final_answer(2)", raises = "final_answer(1) error('x')" },
}

describe("a final answer", function()
  local sandbox = codecell.assert(codecell.create())

  teardown(function()
    sandbox:close()
  end)

  local function run(language, code, is_asked)
    local execution, err = sandbox:run_code(code, { language = language,
      final_answer = is_asked ~= false or nil })
    if not execution and err.kind == "unsupported" and err.hint ~= "leave it out" then
      return nil, err.message -- the language is not there
    end
    return codecell.assert(execution, err)
  end

  for language, code in pairs(LANGUAGES) do
    it("is a value that code gives by a function, in " .. language, function()
      local execution, missing = run(language, code.gives)
      if missing then
        return pending(missing)
      end
      assert.is_nil(execution.error)
      assert.equal("x", execution.final.text)
      assert.equal(2.5, execution.final.list[2])
      assert.equal(4, #execution.final.list)
      assert.equal(2, run(language, code.twice).final)
      local failed = run(language, code.raises)
      assert.equal(1, failed.final)
      assert.truthy(failed.error)
    end)

    it("is nothing that is printed or shown, in " .. language, function()
      local execution, missing = run(language, code.prints)
      if missing then
        return pending(missing)
      end
      assert.is_nil(execution.error)
      assert.is_nil(execution.final)
    end)

    it("is refused where JSON cannot hold it, in " .. language, function()
      local execution, missing = run(language, code.bad)
      if missing then
        return pending(missing)
      end
      assert.is_nil(execution.final)
      assert.truthy(execution.error.value:find("a value that JSON can hold", 1, true))
    end)

    it("is there for the cells alone that are asked for one, in " .. language, function()
      local _, missing = run(language, code.gives)
      if missing then
        return pending(missing)
      end
      local execution = run(language, code.twice, false)
      assert.is_nil(execution.final)
      assert.truthy(execution.error.value:find("final_answer", 1, true))
    end)
  end

  it("is the same name that the code may have for something of its own", function()
    run("python", "final_answer = 3", false)
    assert.equal("4", run("python", "final_answer + 1", false).text)
    assert.equal(5, run("python", "final_answer(5)").final)
  end)

  it("is not taken from a frame that was not asked for", function()
    -- The code has the wire of its kernel, as it has its memory.
    local frame = [[
import os, struct, sys
def part(data):
    return struct.pack('<I', len(data)) + data
core = sys._getframe().f_back.f_back.f_globals
payload = part(b'json') + part(b'"forged"')
request = core['kernel'].request
os.write(4, struct.pack('<IIQ', len(payload), 20, request) + payload)
None]]
    assert.is_nil(run("python", frame, false).final)
  end)

  it("is without the sandbox's secrets", function()
    local other = codecell.assert(codecell.create { secrets = { KEY = "hunter22" } })
    local execution = codecell.assert(other:run_code(
      "import os\nfinal_answer({'key': os.environ['KEY']})", { final_answer = true }))
    other:close()
    assert.equal("***", execution.final.key)
  end)

  it("says where it cannot be had", function()
    local execution, err = sandbox:run_code("echo 1", { language = "bash", final_answer = true })
    assert.is_nil(execution)
    assert.equal("unsupported", err.kind)
    assert.truthy(err.message:find("final_answer in bash", 1, true))
    assert.is_true(sandbox:supports "final_answer")
  end)
end)
