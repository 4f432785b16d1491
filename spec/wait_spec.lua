local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local function now()
  return codecell.reactor():now()
end

describe("async #user", function()
  local sandbox = one_sandbox(teardown)

  it("starts the function at once, and gives what it returns", function()
    local started
    local task = codecell.assert(codecell.async(function(one, two)
      started = one + two
      return started, nil, "third"
    end, 1, 2))
    assert.equal(3, started)
    assert.same({ 3, nil, "third" }, { task:wait() })
    assert.equal(3, (task:poll()))
  end)

  it("lets verbs wait beside each other", function()
    local box, tasks = sandbox(), {}
    for i = 1, 4 do -- each of them ends once all have begun
      tasks[i] = codecell.assert(codecell.async(function()
        return codecell.assert(box.commands:run(("touch beside%d; "
          .. "until [ $(ls beside* | wc -l) = 4 ]; do sleep 0.01; done; echo %d")
          :format(i, i))).stdout
      end))
    end
    for i = 1, 4 do
      assert.equal(i .. "\n", tasks[i]:wait(60))
    end
  end)

  it("poll says false as long as it runs", function()
    local task = codecell.assert(codecell.async(function()
      return codecell.assert(sandbox().commands:run("sleep 0.1")).exit_code
    end))
    assert.is_false(task:poll())
    assert.equal(0, task:wait(60))
    assert.equal(0, task:poll())
  end)

  it("wait says timeout, and the function goes on", function()
    local task = codecell.assert(codecell.async(function()
      return codecell.assert(sandbox().commands:run("sleep 0.2; echo late")).stdout
    end))
    local value, err = task:wait(0.02)
    assert.is_nil(value)
    assert.equal("timeout", err.kind)
    assert.equal("late\n", task:wait(60))
  end)

  it("raises at wait what the function raised", function()
    local task = codecell.assert(codecell.async(function() error("broken", 0) end))
    local ok, problem = pcall(task.wait, task)
    assert.is_false(ok)
    assert.equal("broken", problem)
  end)

  it("cancel ends its waits with the error cancelled", function()
    local task = codecell.assert(codecell.async(function()
      local result, err = sandbox().commands:run("sleep 60")
      return result == nil and err.kind
    end))
    assert.is_true(task:cancel())
    assert.equal("cancelled", task:wait(60))
    assert.is_false(task:cancel())
  end)

  it("a cancelled cell is interrupted, and its variables are kept", function()
    codecell.assert(sandbox():run_code("kept = 1"))
    local task = codecell.assert(codecell.async(function()
      local execution, err = sandbox():run_code("while True: pass")
      return execution == nil and err.kind
    end))
    codecell.step(0.1)
    task:cancel()
    assert.equal("cancelled", task:wait(60))
    assert.equal("1", codecell.assert(sandbox():run_code("kept")).text)
  end)

  it("tasks may wait for tasks", function()
    local inner = codecell.assert(codecell.async(function()
      return codecell.assert(sandbox().commands:run("sleep 0.05; echo x")).stdout
    end))
    local outer = codecell.assert(codecell.async(function() return inner:wait(60) .. "y" end))
    assert.equal("x\ny", outer:wait(60))
  end)

  it("cells of one context run one after the other", function()
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = codecell.assert(codecell.async(function()
        return codecell.assert(sandbox():run_code(
          ("print(%d); import time; time.sleep(0.02); %d"):format(i, i)))
      end))
    end
    for i = 1, 3 do
      local execution = tasks[i]:wait(60)
      assert.equal(tostring(i), execution.text)
      assert.same({ i .. "\n" }, execution.logs.stdout)
    end
  end)

  it("a callback may wait inside a task, in every Lua", function()
    local task = codecell.assert(codecell.async(function()
      local inner
      codecell.assert(sandbox():run_code("print('x')", { on_stdout = function()
        inner = codecell.assert(sandbox().commands:run("echo inner")).stdout
      end }))
      return inner
    end))
    assert.equal("inner\n", task:wait(60))
  end)

  it("raises for what is not a function", function()
    assert.has_error(function() codecell.async("x") end)
  end)

  it("close during a wait answers nil, cancelled", function()
    local box = codecell.assert(codecell.create())
    local tasks = {
      codecell.async(function() return select(2, box:run_code("import time; time.sleep(60)")) end),
      codecell.async(function() return select(2, box.commands:run("sleep 60")) end),
      codecell.async(function() return select(2, box:wait_port(9, 60)) end),
    }
    codecell.step(0.1)
    box:close()
    for _, task in ipairs(tasks) do
      assert.equal("cancelled", task:wait(60).kind)
    end
  end)
end)

describe("the reactor #user", function()
  it("is one a Lua state, and can be polled", function()
    local reactor = codecell.reactor()
    assert.equal(reactor, codecell.reactor())
    assert.truthy(reactor:pollfd() >= 3)
    assert.equal("r", reactor:events())
    local timeout = reactor:timeout()
    assert.truthy(timeout == nil or timeout >= 0)
  end)

  it("tells the time until the next deadline of a task", function()
    local box = codecell.assert(codecell.create())
    local task = codecell.async(function()
      return box.commands:run("sleep 60", { timeout = 0.4 })
    end)
    local timeout = codecell.reactor():timeout()
    assert.truthy(timeout and timeout <= 0.5)
    codecell.assert(task:wait(60))
    box:close()
  end)

  it("holds no task that has gone on, however far its deadline is, and forgets no other", function()
    local wait = require "codecell.wait"
    local held, order = setmetatable({}, { __mode = "k" }), {}
    for i = 1, 2000 do
      local key = {}
      local task = codecell.async(function()
        wait.key(key, now() + 1000)
      end)
      held[task] = true
      if i % 400 == 0 then
        codecell.async(function()
          wait.key({}, now() + 0.3 - i / 10000)
          order[#order + 1] = i
        end)
      end
      require("codecell.reactor").wake(key)
      codecell.step(0)
    end
    collectgarbage()
    collectgarbage()
    local count = 0
    for _ in pairs(held) do
      count = count + 1
    end
    assert.is_true(count < 300, count)
    local deadline = now() + 20
    while #order < 5 and now() < deadline do
      codecell.step(0.05)
    end
    assert.equal(5, #order)
  end)

  it("step waits at most so long, and says whether anything happened", function()
    codecell.step(0)
    local began = now()
    codecell.step(0.05)
    assert.truthy(now() - began < 60)
    assert.has_error(function() codecell.step(-1) end)
    assert.has_error(function() codecell.step("x") end)
  end)

  it("a program waits for a callback that waits, and no byte is dropped", function()
    local sandbox = codecell.assert(codecell.create({ limits = { output = 2 ^ 20 } }))
    local got, calls = 0, 0
    local function count(chunk)
      got, calls = got + #chunk, calls + 1
      if calls % 50 == 1 then
        sandbox.files:exists("/tmp")
      end
    end
    local task = codecell.async(function()
      codecell.assert(sandbox.commands:run({ "head", "-c", "8000000", "/dev/zero" },
        { on_stdout = count }))
      codecell.assert(sandbox:run_code(
        "import os\nfor _ in range(80): os.write(1, b'x' * 100000)", { on_stdout = count }))
    end)
    task:wait(60)
    sandbox:close()
    assert.equal(16000000, got)
  end)
end)
