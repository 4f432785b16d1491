-- Whoever is cancelled ends soon, wherever it waits, and what it has used can be used on.
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"
local sorted = require "codecell.sorted"

local PATIENCE = 20 -- seconds that nothing takes that was cancelled

local function nothing() end

local function must(value, err)
  return codecell.assert(value, err)
end

local SLOW = "import time\nfor i in range(600): print(i, flush=True); time.sleep(0.05)"

local WAYS = {
  ["a cell that prints"] = function(sandbox)
    return sandbox:run_code(SLOW, { on_stdout = nothing })
  end,
  ["a cell that is fed"] = function(sandbox)
    return sandbox:run_code("input()", { stdin = ("x"):rep(2 ^ 21) })
  end,
  ["a cell of bash"] = function(sandbox)
    return sandbox:run_code("sleep 60", { language = "bash" })
  end,
  ["a command"] = function(sandbox)
    return sandbox.commands:run("yes | head -c 300000000", { on_stdout = nothing })
  end,
  ["a command of a kit"] = function(sandbox)
    return codecell.tools.kit({ sandbox = sandbox }):call("run_shell", { command = "sleep 60" })
  end,
  ["a terminal"] = function(sandbox)
    local process = must(sandbox.pty:create {})
    repeat
      local text, err = process:read(60)
      if not text then
        return nil, err
      end
    until false
  end,
  ["a new context"] = function(sandbox)
    return sandbox:restart_code_context(must(sandbox:create_code_context {}))
  end,
  ["a sandbox that is made"] = function()
    local made, err = codecell.create()
    if made then
      made:close()
    end
    return made and true, err
  end,
  ["a copy of one"] = function(sandbox)
    local made, err = sandbox:fork()
    if made then
      made:close()
    end
    return made and true, err
  end,
  ["a pool that is filled"] = function()
    local pool = must(codecell.pool({ size = 2 }))
    local ok, err = pool:wait(60)
    pool:close()
    return ok, err
  end,
  ["files that are copied in"] = function(sandbox)
    return sandbox.files:upload("lua", "copied")
  end,
  ["a long file"] = function(sandbox)
    return sandbox.files:write("long", ("x"):rep(2 ^ 25))
  end,
  ["an archive"] = function(sandbox)
    must(sandbox.files:write("a", ("x"):rep(2 ^ 24)))
    local archive = must(sandbox.files:archive("."))
    repeat
      local piece, err = archive:read()
      if not piece then
        return not err, err
      end
    until false
  end,
  ["a port"] = function(sandbox)
    return sandbox:wait_port(8123, 60)
  end,
  ["a watched directory"] = function(sandbox)
    return must(sandbox.files:watch_dir(".")):read(60)
  end,
  ["a model's answer"] = function()
    return codecell.interpret("```python\n" .. SLOW .. "\n```\n")
  end,
  ["a document"] = function(sandbox)
    return codecell.doctest.check("```python\n" .. SLOW .. "\n```\n", { sandbox = sandbox })
  end,
  ["a look at code"] = function(sandbox)
    return codecell.analyze("import numpi", "python", { sandbox = sandbox })
  end,
  ["a loop"] = function(sandbox)
    return codecell.agent.loop { prompt = "Go.", sandbox = sandbox, on_idle = nothing,
      ask = function() return "```python\n" .. SLOW .. "\n```\n" end }
  end,
  ["another task"] = function(sandbox)
    return codecell.async(sandbox.run_code, sandbox, "import time; time.sleep(0.5)"):wait(60)
  end,
}

describe("who is cancelled while it waits for #user", function()
  local sandbox = one_sandbox(teardown)

  for _, name in ipairs(sorted(WAYS)) do
    it(name .. " ends, at whatever step that is", function()
      for _, steps in ipairs({ 0, 1, 5, 25 }) do
        local task = codecell.async(WAYS[name], sandbox())
        for _ = 1, steps do
          codecell.step(0.005)
        end
        task:cancel()
        local deadline = os.time() + PATIENCE
        while not task.done and os.time() < deadline do
          codecell.step(0.1)
        end
        assert.is_true(task.done, steps)
        assert.equal("42", must(sandbox():run_code("6 * 7")).text)
      end
    end)
  end
end)
