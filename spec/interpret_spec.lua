local codecell = require "codecell"

local ANSWER = "First:\n\n```python\nx = 20\nprint('x is', x)\n```\n"
  .. "\nThen:\n\n```python\nx + 22\n```\n"

describe("codecell.interpret", function()
  it("runs the code of an answer in one sandbox, and gives what it did #D05 #user", function()
    local before = #codecell.list()
    local report = codecell.assert(codecell.interpret(ANSWER))
    assert.is_true(report.ok)
    assert.equal("42", report.text)
    assert.equal(2, #report.executions)
    assert.same({ "x is 20\n" }, report.executions[1].logs.stdout)
    assert.equal(before, #codecell.list()) -- and it was ended
  end)

  it("stops at the first block that fails: its error is in the report #D05", function()
    local report = codecell.assert(codecell.interpret("```python\n1/0\n```\n" .. ANSWER))
    assert.is_false(report.ok)
    assert.equal("ZeroDivisionError", report.error.name)
    assert.equal(1, #report.executions)
    assert.equal(3, #report.blocks)
  end)

  it("takes a sandbox that is there, which stays, and callbacks", function()
    local sandbox = codecell.assert(codecell.create { backend = "mock", mock = { answers = {
      { stdout = "hi\n", text = "7" } } } })
    local heard = {}
    local report = codecell.assert(codecell.interpret(ANSWER, { sandbox = sandbox,
      on_stdout = function(text) heard[#heard + 1] = text end }))
    assert.equal("7", report.text)
    assert.is_true(report.executions[1].mock)
    assert.same({ "hi\n", "hi\n" }, heard)
    assert.is_true(sandbox:is_running())
    sandbox:close()
  end)

  it("ends its sandbox when a callback raises, which is raised here", function()
    local before = #codecell.list()
    assert.has_error(function()
      codecell.interpret(ANSWER, { on_stdout = function() error("enough", 0) end })
    end, "enough")
    assert.equal(before, #codecell.list())
  end)

  it("runs nothing where there is nothing, and says why where it cannot", function()
    assert.is_true(codecell.assert(codecell.interpret("No code.",
      { create = { backend = "mock" } })).ok)
    local report, err = codecell.interpret(ANSWER, { create = { backend = "e2b",
      api_key = "hunter2" } })
    assert.is_nil(report)
    assert.equal("unauthenticated", err.kind)
    assert.error_matches(function() codecell.interpret(5) end, "text")
  end)
end)
