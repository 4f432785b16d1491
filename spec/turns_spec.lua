-- Several callers of one context, and what callbacks may do to it.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

describe("a context #user", function()
  local sandbox = one_sandbox(teardown)

  it("takes turns: who asked first is first, also before who asks again at once", function()
    local order = {}
    codecell.assert(sandbox():run_code("0"))
    local until_asked = "import os, time\nwhile not os.path.exists('asked'): time.sleep(0.01)"
    local greedy = codecell.async(function()
      for i = 1, 3 do
        sandbox():run_code(until_asked)
        order[#order + 1] = "greedy " .. i
      end
    end)
    local patient = codecell.async(function()
      sandbox():run_code("1")
      order[#order + 1] = "patient"
    end)
    codecell.assert(sandbox().files:write("asked", ""))
    greedy:wait(20)
    patient:wait(20)
    assert.same({ "greedy 1", "patient", "greedy 2", "greedy 3" }, order)
  end)

  it("goes on in order when one who waits gives up", function()
    local first = codecell.async(function()
      return sandbox():run_code("import os, time\n"
        .. "while not os.path.exists('/tmp/go'): time.sleep(0.01)")
    end)
    local second = codecell.async(function()
      return sandbox():run_code("1", { timeout = 0.1 })
    end)
    local third = codecell.async(function()
      return sandbox():run_code("3")
    end)
    local _, err = second:wait(20)
    assert.equal("timeout", err.kind)
    sandbox().files:write("/tmp/go", "")
    assert.is_nil(first:wait(20).error)
    assert.equal("3", third:wait(20).text)
  end)

  it("refuses the code of a callback of its own cell, in every Lua", function()
    local refused
    local function in_callback()
      return select(2, sandbox():run_code("2", { timeout = 5 }))
    end
    codecell.assert(sandbox():run_code("1", {
      on_result = function() refused = in_callback() end,
    }))
    assert.equal("invalid_argument", refused.kind)
    refused = nil
    codecell.async(function()
      codecell.assert(sandbox():run_code("1", {
        on_result = function() refused = in_callback() end,
      }))
    end):wait(20)
    assert.equal("invalid_argument", refused.kind)
  end)

  for _, name in ipairs({ "on_result", "on_stdout", "on_error" }) do
    it("can be removed by " .. name .. " of its own cell", function()
      local context = codecell.assert(sandbox():create_code_context())
      local execution, err = sandbox():run_code("print('x', flush=True)\ndisplay(1)\n1 / 0", {
        context = context,
        [name] = function()
          sandbox():remove_code_context(context)
          sandbox().files:exists("anything")
        end,
      })
      assert.is_nil(execution)
      assert.equal("cancelled", err.kind)
    end)
  end

  it("gives the next cell nothing of one that a callback ended", function()
    local code = "import time\ntry:\n  print('x', flush=True); time.sleep(60)\n"
      .. "finally:\n  time.sleep(0.2); print('late')"
    assert.has_error(function()
      sandbox():run_code(code, { on_stdout = function() error("enough", 0) end })
    end, "enough")
    local execution = codecell.assert(sandbox():run_code("print('next')"))
    assert.same({ "next\n" }, execution.logs.stdout)
    assert.is_false(execution.state_lost)
  end)

  it("gives up those who wait for it when the sandbox is closed", function()
    local own = codecell.assert(codecell.create())
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = codecell.async(function() return own:run_code("while True: pass") end)
    end
    codecell.step(0.05)
    own:close()
    for i = 1, 3 do
      local execution, err = tasks[i]:wait(20)
      assert.is_nil(execution)
      assert.equal("cancelled", err.kind)
    end
  end)

  it("outlives the connected object that it was made with", function()
    local own = codecell.assert(codecell.create())
    local other = codecell.assert(codecell.connect(own.id))
    assert.equal("1", other:run_code("1").text)
    other:close()
    own:run_code("import os; os._exit(1)")
    assert.equal("2", own:run_code("2").text)
    own:close()
  end)

  it("can be removed while it runs, and its run killed after that", function()
    local context = codecell.assert(sandbox():create_code_context())
    local run = codecell.assert(sandbox():start_code("while True: pass", { context = context }))
    codecell.step(0.05)
    sandbox():remove_code_context(context)
    assert.is_false(run:kill())
    local execution, err = run:wait(20)
    assert.is_nil(execution)
    assert.equal("cancelled", err.kind)
  end)

  it("can be restarted by a callback of a cell that has died", function()
    local context = codecell.assert(sandbox():create_code_context())
    local execution, err = sandbox():run_code("print('x', flush=True)\nimport os; os._exit(3)", {
      context = context,
      on_stdout = function() sandbox():restart_code_context(context) end,
    })
    assert.is_nil(execution)
    assert.equal("cancelled", err.kind)
    assert.equal("2", codecell.assert(sandbox():run_code("2", { context = context })).text)
  end)
end)
