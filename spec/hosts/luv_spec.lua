local host = require "spec.support.host"
local scenario = require "spec.support.host_scenario"

local has_luv = host.has_module "luv"

-- Counts turns of the loop, and starts what the test is about.
local BEGIN = [[
local uv = require "luv"
local codecell = require "codecell"
local adapter = require "codecell.host.luv"
adapter.attach()
local ticks = 0
local timer = uv.new_timer()
timer:start(1, 1, function() ticks = ticks + 1 end)
timer:unref()
]]

describe("the luv adapter #hosts #slow", function()
  local function run(script)
    if not has_luv then
      return pending("lua-luv is not installed for this Lua")
    end
    return host.run(BEGIN .. script)
  end

  it("lets several sandboxes work in coroutines, and the loop turn and end", function()
    local result = run [[
      local scenario = require "spec.support.host_scenario"
      for _ = 1, 3 do
        coroutine.wrap(function()
          local line, id = scenario.work(function() return ticks end)
          print(line)
          print("id " .. id)
        end)()
      end
      uv.run()
      print("ended")
    ]]
    if result then
      assert.equal("", result.stderr)
      local text, count = result.stdout:gsub(scenario.expected .. "\n", "")
      assert.equal(3, count, result.stdout)
      assert.truthy(text:find("ended\n$"))
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("runs callbacks of what goes on in the background", function()
    local result = run [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        print("id " .. sandbox.id)
        sandbox:start_code("print(1 + 1)", {
          on_stdout = function(text) io.write("said ", text) end,
          on_exit = function(done) print("exit", done.error) sandbox:close() end,
        })
      end)()
      uv.run()
      print("ended")
    ]]
    if result then
      assert.equal("", result.stderr)
      assert.truthy(result.stdout:find("said 2\nexit\tnil\nended\n$"), result.stdout)
      assert.is_true(host.leaves_nothing(result.stdout))
    end
  end)

  it("leaves the host's children to the host", function()
    local result = run [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        print("id " .. sandbox.id)
        local run = sandbox:start_code("import time; time.sleep(60)")
        uv.spawn("sh", { args = { "-c", "exit 7" } }, function(code, signal)
          print("child", code, signal)
          sandbox:close()
        end)
        print("run", select(2, run:wait()).kind)
      end)()
      uv.run()
    ]]
    if result then
      assert.equal("", result.stderr)
      assert.truthy(result.stdout:find "child\t7\t0\n", result.stdout)
      assert.truthy(result.stdout:find "run\tcancelled\n", result.stdout)
      assert.is_true(host.leaves_nothing(result.stdout))
    end
  end)

  it("hands an error that ends a coroutine to the loop", function()
    local result = run [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        sandbox:close()
        error("mine")
      end)()
      uv.run()
    ]]
    if result then
      assert.truthy(result.stderr:find("mine", 1, true), result.stderr)
      assert.truthy(result.stderr:find("stack traceback", 1, true), result.stderr)
    end
  end)

  it("can be attached twice, loaded again, and detached while coroutines wait", function()
    local result = run [[
      assert(adapter.attach())
      package.loaded["codecell.host.luv"] = nil
      local again = require "codecell.host.luv"
      assert(again ~= adapter and again.attach())
      local ok, err = pcall(require("codecell.host.frame").attach)
      print(ok, err)
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        print("id " .. sandbox.id)
        coroutine.wrap(function()
          print("waited", codecell.assert(sandbox:run_code("2 + 3")).text)
          sandbox:close()
        end)()
        print("detached", again.detach(), adapter.detach())
      end)()
      uv.run()
      timer:close()
      uv.run()
      print("closed", uv.loop_close())
    ]]
    if result then
      assert.equal("", result.stderr)
      assert.truthy(result.stdout:find("false\t[^\n]*attach: luv is attached; detach it first\n"))
      local _, from = result.stdout:find "id %w+\n"
      assert.equal("detached\ttrue\tfalse\nwaited\t5\nclosed\t0\n", result.stdout:sub(from + 1))
      assert.is_true(host.leaves_nothing(result.stdout))
    end
  end)

  it("serves a loop that runs in a coroutine", function()
    if not has_luv then
      return pending("lua-luv is not installed for this Lua")
    end
    local result = host.run("coroutine.wrap(function()\n" .. BEGIN .. [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        print(codecell.assert(sandbox:run_code("6 * 7")).text)
        sandbox:close()
      end)()
      uv.run()
      print("ended")
    end)()]])
    assert.equal("", result.stderr)
    assert.equal("42\nended\n", result.stdout)
  end)

  it("waits by itself in the main program", function()
    local result = run [[
      local sandbox = codecell.assert(codecell.create())
      print(codecell.assert(sandbox:run_code("6 * 7")).text)
      sandbox:close()
      uv.run()
    ]]
    if result then
      assert.equal("", result.stderr)
      assert.equal("42\n", result.stdout)
    end
  end)

  it("does what the page about hosts shows", function()
    if not has_luv then
      return pending("lua-luv is not installed for this Lua")
    end
    local code, promised = host.snippet "luv"
    local result = host.run(code)
    assert.equal("", result.stderr)
    assert.equal(promised, result.stdout)
  end)
end)
