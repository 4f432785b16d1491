-- The client of E2B inside of other programs' loops, against the gateway.
local gateway = require "spec.support.gateway"
local host = require "spec.support.host"
local nginx = require "spec.support.nginx"
local shell = require "spec.support.shell"

local environment, why_not = host.environment "5.1"

local WORK = [[
local function work(turns)
  local codecell = require "codecell"
  local before = turns()
  local sandbox = codecell.assert(codecell.create(OPTIONS))
  local text = codecell.assert(sandbox:run_code("import time; time.sleep(0.2); 6 * 7")).text
  local out = codecell.assert(sandbox.commands:run("echo there")).stdout
  codecell.assert(sandbox.files:write("a", ("x"):rep(300000)))
  local size = #codecell.assert(sandbox.files:read("a"))
  local task = codecell.async(function() return sandbox.commands:run("sleep 60") end)
  task:cancel()
  local _, err = task:wait(60)
  sandbox:close()
  return table.concat({ text, (out:gsub("\n", "")), tostring(size), err.kind,
    turns() > before and "beside" or "alone" }, " ")
end
]]

local EXPECTED = "42 there 300000 cancelled beside"

describe("the client of E2B, inside of another program #hosts #slow", function()
  local server
  setup(function() server = gateway.start() end)
  teardown(function() server:stop() end)

  local function script()
    return (WORK:gsub("OPTIONS", ("{ backend = 'e2b', api_key = %q, api_url = %q, "
      .. "sandbox_url = %q }"):format(gateway.key, server.url, server.url)))
  end

  it("works in the loop of Neovim", function()
    if shell.run("nvim --version").status ~= 0 then
      return pending("neovim is not installed")
    elseif not environment then
      return pending(why_not)
    end
    local path = os.tmpname()
    shell.write(path, script() .. [[
      require("codecell.host.neovim").attach()
      local ticks = 0
      local timer = vim.loop.new_timer()
      timer:start(1, 1, function() ticks = ticks + 1 end)
      coroutine.wrap(function()
        io.stdout:write(work(function() return ticks end), "\n")
        vim.cmd "qa!"
      end)()]])
    local result = shell.run(environment .. "nvim --headless -u NONE -i NONE -n -c 'luafile "
      .. path .. "'")
    os.remove(path)
    assert.equal(EXPECTED .. "\n", result.stdout, result.stderr)
  end)

  it("works in the workers of nginx", function()
    local running, why = nginx.start(("init_by_lua_block {\n%s\n_G.work = work\n"
      .. "require('codecell.host.openresty').attach()\nturns = 0 }\n"):format(script()) .. [[
      server {
        listen LISTEN;
        location /here { content_by_lua_block { turns = turns + 1 ngx.say("here") } }
        location / {
          content_by_lua_block {
            local timer = assert(ngx.timer.every(0.01, function() turns = turns + 1 end))
            ngx.say(work(function() return turns end))
          }
        }
      }]], environment)
    if not running then
      return pending(why)
    end
    assert.equal(EXPECTED .. "\n", running:get("/").stdout)
    running:stop()
  end)
end)
