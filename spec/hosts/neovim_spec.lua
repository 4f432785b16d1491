local host = require "spec.support.host"
local scenario = require "spec.support.host_scenario"
local shell = require "spec.support.shell"

local has_neovim = shell.run("nvim --version").status == 0
local environment, why_not = host.environment "5.1"

local BEGIN = [[
local codecell = require "codecell"
local uv = vim.loop
local adapter = require "codecell.host.neovim"
adapter.attach()
local ticks = 0
local timer = uv.new_timer()
timer:start(1, 1, function() ticks = ticks + 1 end)
function say(...)
  local words = {}
  for i = 1, select("#", ...) do
    words[i] = tostring((select(i, ...)))
  end
  io.stdout:write(table.concat(words, " "), "\n")
  io.stdout:flush()
end
]]

describe("the Neovim adapter #hosts #slow", function()
  local function start(script)
    if not has_neovim then
      return pending("neovim is not installed")
    elseif not environment then
      return pending(why_not)
    end
    local path = os.tmpname()
    shell.write(path, script)
    local result = shell.run(environment .. "nvim --headless -u NONE -i NONE -n -c 'luafile "
      .. path .. "'")
    os.remove(path)
    assert.equal(0, result.status, result.stderr)
    return result
  end

  local function run(script)
    local result = start(BEGIN .. script)
    if result then
      assert.equal("", result.stderr)
      return result.stdout
    end
  end

  it("lets several sandboxes work in coroutines, where the whole API may be used", function()
    local text = run [[
      local scenario = require "spec.support.host_scenario"
      local open = 3
      for _ = 1, 3 do
        coroutine.wrap(function()
          local line, id = scenario.work(function() return ticks end)
          vim.api.nvim_buf_set_lines(0, -1, -1, true, { line })
          say(vim.api.nvim_buf_get_lines(0, -2, -1, true)[1])
          say("id " .. id)
          open = open - 1
          if open == 0 then
            vim.cmd "qa!"
          end
        end)()
      end
    ]]
    if text then
      local _, count = text:gsub(scenario.expected .. "\n", "")
      assert.equal(3, count, text)
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("runs callbacks of the background in the main loop", function()
    local text = run [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        say("id " .. sandbox.id)
        sandbox:start_code("print(1 + 1)", {
          on_stdout = function(text)
            vim.api.nvim_buf_set_lines(0, 0, -1, true, vim.split(text, "\n"))
          end,
          on_exit = function()
            say(vim.in_fast_event(), vim.api.nvim_buf_get_lines(0, 0, 1, true)[1])
            vim.cmd "qa!"
          end,
        })
      end)()
    ]]
    if text then
      assert.truthy(text:find "false 2\n$", text)
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("waits outside of coroutines while the editor goes on, also within another wait", function()
    local text = run [[
      local sandbox = codecell.assert(codecell.create())
      local before = ticks
      vim.schedule(function()
        say("inner", codecell.assert(sandbox.commands:run("echo a")).stdout:sub(1, 1))
      end)
      say("outer", codecell.assert(sandbox:run_code("import time; time.sleep(0.3); 6 * 7")).text)
      say(ticks > before)
      sandbox:close()
      vim.cmd "qa!"
    ]]
    if text then
      assert.equal("inner a\nouter 42\ntrue\n", text)
    end
  end)

  it("refuses to wait in a fast event, and parks a coroutine even there", function()
    local text = run [[
      local sandbox = codecell.assert(codecell.create())
      local once = uv.new_timer()
      once:start(0, 0, function()
        once:close()
        say(pcall(sandbox.run_code, sandbox, "1"))
        coroutine.wrap(function()
          local done = codecell.assert(sandbox:run_code("40 + 2"))
          say(vim.in_fast_event(), done.text)
          sandbox:close()
          vim.cmd "qa!"
        end)()
      end)
    ]]
    if text then
      assert.equal(
        "false codecell: nothing can wait in a fast event; use vim.schedule\nfalse 42\n", text)
    end
  end)

  it("cancels by Ctrl-C what waits outside of a coroutine", function()
    local text = run [[
      local sandbox = codecell.assert(codecell.create())
      local done, err = sandbox.commands:run("echo on; sleep 60", {
        on_stdout = function()
          local key = uv.new_timer()
          key:start(50, 0, function()
            key:close()
            vim.api.nvim_input("<C-c>")
          end)
        end,
      })
      say(done, err and err.kind)
      vim.schedule(function()
        say(codecell.assert(sandbox.commands:run("echo again")).stdout)
        sandbox:close()
        vim.cmd "qa!"
      end)
    ]]
    if text then
      assert.equal("nil cancelled\nagain\n\n", text)
    end
  end)

  it("leaves the editor's children to the editor", function()
    local text = run [[
      coroutine.wrap(function()
        local sandbox = codecell.assert(codecell.create())
        local run = sandbox:start_code("import time; time.sleep(60)")
        say(vim.fn.system("echo out; exit 3"), vim.v.shell_error)
        vim.fn.jobstart({ "sh", "-c", "exit 7" }, {
          on_exit = function(_, code)
            say("job", code)
            sandbox:close()
          end,
        })
        say("run", select(2, run:wait()).kind)
        vim.cmd "qa!"
      end)()
    ]]
    if text then
      assert.equal("out\n 3\njob 7\nrun cancelled\n", text)
    end
  end)

  it("leaves nothing of a sandbox that is open when it quits, attached or not #D23", function()
    if not has_neovim then
      return pending("neovim is not installed")
    elseif not environment then
      return pending(why_not)
    end
    local result = shell.run(environment .. "nvim --headless -u NONE -i NONE -n +"
      .. shell.quote("lua sandbox = require('codecell').create(); "
        .. "io.stdout:write('id ' .. sandbox.id .. '\\n')") .. " +qa")
    assert.equal(0, result.status, result.stderr)
    assert.is_true(host.leaves_nothing(result.stdout))
  end)

  it("can quit with an open sandbox, of which nothing is left #D23", function()
    local text = run [[
      coroutine.wrap(function()
        sandbox = codecell.assert(codecell.create())
        say("id " .. sandbox.id)
        vim.schedule(function() vim.cmd "qa!" end)
        sandbox:run_code("import time; time.sleep(60)")
      end)()
    ]]
    if text then
      assert.is_true(host.leaves_nothing(text))
    end
  end)

  it("can be loaded again, whole or in part", function()
    local text = run [[
      package.loaded["codecell.host.neovim"] = nil
      require("codecell.host.neovim").attach()
      local first = codecell.assert(codecell.create())
      for name in pairs(package.loaded) do
        if name:find "^codecell" then
          package.loaded[name] = nil
        end
      end
      local fresh = require "codecell"
      require("codecell.host.neovim").attach()
      coroutine.wrap(function()
        local second = fresh.assert(fresh.create())
        say(fresh.assert(second:run_code("6 * 7")).text)
        second:close()
        vim.schedule(function()
          say(codecell.assert(first:run_code("6 * 8")).text)
          first:close()
          vim.cmd "qa!"
        end)
      end)()
    ]]
    if text then
      assert.equal("42\n48\n", text)
    end
  end)

  it("shows the error that ends a coroutine", function()
    local result = start(BEGIN .. [[
      coroutine.wrap(function()
        codecell.assert(codecell.create()):close()
        vim.schedule(function()
          vim.schedule(function() vim.cmd "qa!" end)
        end)
        error("mine")
      end)()
    ]])
    if result then
      assert.truthy(result.stderr:find("mine", 1, true), result.stderr)
      assert.truthy(result.stderr:find("stack traceback", 1, true), result.stderr)
    end
  end)

  it("does what the page about hosts shows", function()
    local code, promised = host.snippet "Neovim"
    local result = start(code .. "\nvim.cmd 'qa!'\n")
    if result then
      assert.equal(promised, result.stderr .. "\n") -- where print goes without a screen
    end
  end)

  it("gets what the service says by vim.notify, and nothing on its screen #K14", function()
    local result = start(BEGIN .. [[
      local told = {}
      vim.notify = function(message, severity) told[#told + 1] = severity .. " " .. message end
      local service = codecell.service { mode = "kernel", pool_size = 0, execution_timeout = 30 }
      service:execute("1")
      service:execute("1/0")
      vim.wait(1000, function() return told[1] ~= nil end)
      say(#told, told[1])
      service:close()
      vim.cmd("qa!")
    ]])
    if result then
      assert.equal("", result.stderr)
      assert.truthy(result.stdout:find("1 4 codecell: Code execution error: ZeroDivisionError", 1,
        true))
    end
  end)
end)
