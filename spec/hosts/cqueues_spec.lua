local host = require "spec.support.host"
local scenario = require "spec.support.host_scenario"

local has_cqueues = host.has_module "cqueues"

local BEGIN = [[
local cqueues = require "cqueues"
local codecell = require "codecell"
require("codecell.host.cqueues").attach()
local loop = cqueues.new()
local ticks, working = 0, 0
local function work(called)
  working = working + 1
  loop:wrap(function()
    called()
    working = working - 1
  end)
end
local function run()
  loop:wrap(function()
    while working > 0 do
      cqueues.sleep(0.001)
      ticks = ticks + 1
    end
  end)
  assert(loop:loop())
  print("ended")
end
]]

describe("the cqueues adapter #hosts #slow", function()
  local function run(script)
    if not has_cqueues then
      return pending("lua-cqueues is not installed for this Lua")
    end
    local result = host.run(BEGIN .. script)
    assert.equal("", result.stderr)
    return result.stdout
  end

  it("lets several sandboxes work in coroutines, and the loop turn and end", function()
    local text = run [[
      local scenario = require "spec.support.host_scenario"
      for _ = 1, 3 do
        work(function()
          local line, id = scenario.work(function() return ticks end)
          print(line)
          print("id " .. id)
        end)
      end
      run()
    ]]
    if text then
      local left, count = text:gsub(scenario.expected .. "\n", "")
      assert.equal(3, count, text)
      assert.truthy(left:find("ended\n$"))
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("runs callbacks of the background while a coroutine polls the reactor", function()
    local text = run [[
      work(function()
        local sandbox = codecell.assert(codecell.create())
        print("id " .. sandbox.id)
        local done
        sandbox:start_code("print(1 + 1)", {
          on_stdout = function(text) io.write("said ", text) end,
          on_exit = function() done = true end,
        })
        repeat
          cqueues.poll(codecell.reactor())
          codecell.step(0)
        until done
        sandbox:close()
      end)
      run()
    ]]
    if text then
      assert.truthy(text:find("said 2\nended\n$"), text)
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("waits by itself in the main program", function()
    local text = run [[
      local sandbox = codecell.assert(codecell.create())
      print(codecell.assert(sandbox:run_code("6 * 7")).text)
      sandbox:close()
      run()
    ]]
    if text then
      assert.equal("42\nended\n", text)
    end
  end)

  it("waits by itself in a coroutine within one of the loop's", function()
    local text = run [[
      work(function()
        local parts = coroutine.wrap(function()
          local sandbox = codecell.assert(codecell.create())
          coroutine.yield(codecell.assert(sandbox:run_code("6 * 7")).text)
          sandbox:close()
        end)
        print(parts())
        parts()
      end)
      run()
    ]]
    if text then
      assert.equal("42\nended\n", text)
    end
  end)

  it("does what the page about hosts shows", function()
    if not has_cqueues then
      return pending("lua-cqueues is not installed for this Lua")
    end
    local code, promised = host.snippet "cqueues"
    local result = host.run(code)
    assert.equal("", result.stderr)
    assert.equal(promised, result.stdout)
  end)
end)
