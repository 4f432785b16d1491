local host = require "spec.support.host"
local scenario = require "spec.support.host_scenario"
local shell = require "spec.support.shell"

local BEGIN = [[
local codecell = require "codecell"
local adapter = require "codecell.host.frame"
adapter.attach()
local frames, working = 0, 0
local function work(called)
  working = working + 1
  coroutine.wrap(function()
    called()
    working = working - 1
  end)()
end
local function run()
  while working > 0 do
    codecell.step(0)
    frames = frames + 1
  end
end
]]

describe("the frame adapter #hosts", function()
  local function run(script)
    local result = host.run(BEGIN .. script)
    assert.equal("", result.stderr)
    return result.stdout
  end

  it("lets several sandboxes work in coroutines, a step a frame", function()
    local text = run [[
      local scenario = require "spec.support.host_scenario"
      for _ = 1, 3 do
        work(function()
          local line, id = scenario.work(function() return frames end)
          print(line)
          print("id " .. id)
        end)
      end
      run()
    ]]
    local _, count = text:gsub(scenario.expected .. "\n", "")
    assert.equal(3, count, text)
    assert.is_true(host.leaves_nothing(text))
  end)

  it("spreads a flood of output over many frames", function()
    local text = run [[
      work(function()
        local sandbox = codecell.assert(codecell.create())
        local before, size = frames, 0
        codecell.assert(sandbox:run_code("print('x' * 4000000)", {
          on_stdout = function(text) size = size + #text end,
        }))
        print(size, frames - before > 4)
        sandbox:close()
      end)
      run()
    ]]
    assert.equal("4000001\ttrue\n", text)
  end)

  it("raises the error that ended a coroutine from the step, and goes on", function()
    local text = run [[
      coroutine.wrap(function()
        codecell.assert(codecell.create()):close()
        error("mine")
      end)()
      local ok, err
      repeat
        ok, err = pcall(codecell.step, 0)
      until not ok
      print(err:match("mine") , err:match("stack traceback"))
      work(function()
        local sandbox = codecell.assert(codecell.create())
        print(codecell.assert(sandbox:run_code("6 * 7")).text)
        sandbox:close()
      end)
      run()
    ]]
    assert.equal("mine\tstack traceback\n42\n", text)
  end)

  it("never parks the coroutine that makes the frames", function()
    local text = run [[
      adapter.detach()
      local game = coroutine.create(function()
        adapter.attach()
        local sandbox = codecell.assert(codecell.create())
        print(codecell.assert(sandbox:run_code("6 * 7")).text)
        work(function()
          print(codecell.assert(sandbox:run_code("6 * 8")).text)
          sandbox:close()
        end)
        run()
        return "over"
      end)
      print(coroutine.resume(game))
    ]]
    assert.equal("42\n48\ntrue\tover\n", text)
  end)

  it("does not resume a coroutine from within another", function()
    local text = run [[
      local sandbox, inside
      work(function()
        sandbox = codecell.assert(codecell.create())
        inside = "waiting"
        codecell.assert(sandbox:run_code("1"))
        inside = "resumed"
      end)
      while not inside do
        codecell.step(0)
      end
      coroutine.wrap(function()
        for _ = 1, 200 do
          codecell.step(0.01)
          assert(inside == "waiting")
        end
      end)()
      run()
      print(inside)
      sandbox:close()
    ]]
    assert.equal("resumed\n", text)
  end)

  it("serves a game of LÖVE, and leaves nothing that is open when it quits #slow #D23", function()
    local environment, why_not = host.environment "5.1"
    if shell.run("love --version").status ~= 0 then
      return pending("love is not installed")
    elseif not environment then
      return pending(why_not)
    end
    local folder = shell.folder()
    shell.write(folder .. "/conf.lua", [[
      function love.conf(settings)
        for _, name in ipairs { "audio", "graphics", "joystick", "keyboard", "mouse", "sound",
          "touch", "video", "window" } do
          settings.modules[name] = false
        end
      end
    ]])
    shell.write(folder .. "/main.lua", [[
      local codecell = require "codecell"
      local scenario = require "spec.support.host_scenario"
      local frames, playing = 0, 3

      function love.load()
        require("codecell.host.frame").attach()
        open = codecell.assert(codecell.create())
        print("id " .. open.id)
        for _ = 1, 3 do
          coroutine.wrap(function()
            local line, id = scenario.work(function() return frames end)
            print(line)
            print("id " .. id)
            playing = playing - 1
          end)()
        end
      end

      function love.update()
        frames = frames + 1
        codecell.step(0)
        if playing == 0 then
          love.event.quit()
        end
      end
    ]])
    local result = shell.run(environment .. "love " .. folder)
    shell.remove(folder)
    assert.equal("", result.stderr)
    local _, count = result.stdout:gsub(scenario.expected .. "\n", "")
    assert.equal(3, count, result.stdout)
    assert.equal(0, result.status)
    assert.is_true(host.leaves_nothing(result.stdout))
  end)

  it("does what the page about hosts shows", function()
    local code, promised = host.snippet "frames"
    local result = host.run(code)
    assert.equal("", result.stderr)
    assert.equal(promised, result.stdout)
  end)
end)
