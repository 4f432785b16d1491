local shell = require "spec.support.shell"
local codecell = require "codecell"
local core = require "codecell.core"

local LONG = 60 -- seconds that nothing here takes

local function eventually(condition)
  local deadline = codecell.reactor():now() + LONG
  while not condition() do
    if codecell.reactor():now() > deadline then
      return false
    end
    codecell.step(0.05)
  end
  return true
end

local function listed(id, whose)
  for _, sandbox in ipairs(core.sandboxes(whose)) do
    if sandbox.id == id then
      return sandbox
    end
  end
end

-- Another process with a sandbox, which never steps again: it waits for its input.
local function start_host(more)
  local script = ([[
    local codecell = require "codecell"
    local sandbox = codecell.assert(codecell.create())
    codecell.assert(sandbox:run_code "1")
    %s
    print(require("codecell.core").getpid(), sandbox.id)
    io.stdout:flush()
    io.read()]]):format(more or "")
  local folder = shell.folder()
  local input = shell.quote(folder .. "/input")
  local pipe = io.popen(("mkfifo %s && exec timeout 300 %s -e %s <>%s 2>&1")
    :format(input, shell.lua, shell.quote(script), input), "r")
  local line = pipe:read "*l"
  local pid, id = tostring(line):match "^(%d+)%s+(%w+)$"
  assert(pid, line)
  return { pid = pid, id = id, pipe = pipe, folder = folder }
end

local function kill_host(host)
  os.execute("kill -9 " .. host.pid .. " 2>/dev/null")
  host.pipe:close()
  shell.remove(host.folder)
end

describe("the census of sandboxes", function()
  it("shows a living sandbox with its process and age #user", function()
    local sandbox = codecell.assert(codecell.create())
    codecell.assert(sandbox:run_code "1")
    local found = listed(sandbox.id)
    assert.truthy(found)
    assert.truthy(found.pid > 1)
    assert.truthy(math.abs(os.time() - found.started) < 60)
    sandbox:close()
    assert.truthy(eventually(function() return not listed(sandbox.id) end))
  end)

  it("shows as many as there are", function()
    local made, missing = {}, {}
    for i = 1, 70 do
      made[i] = codecell.assert(codecell.create())
      missing[made[i].id] = true
    end
    for _, sandbox in ipairs(core.sandboxes()) do
      missing[sandbox.id] = nil
    end
    assert.is_nil(next(missing))
    for i = 1, 70 do
      made[i]:close()
    end
  end)

  it("shows no process that merely has the name", function()
    local id = "i" .. ("f"):rep(20)
    local pipe = io.popen("exec bash -c \"exec -a 'codecell-sandbox " .. id
      .. "' sleep 30\" & echo $!")
    local pid = pipe:read "*l"
    assert.truthy(eventually(function()
      return (shell.read("/proc/" .. pid .. "/cmdline") or ""):find("codecell-sandbox", 1, true)
    end))
    assert.is_nil(listed(id, "all"))
    assert.is_false(core.kill_sandbox(id))
    os.execute("kill " .. pid)
    pipe:close()
  end)

  it("cannot be misled by code that takes the name of another sandbox #user", function()
    local sandbox = codecell.assert(codecell.create())
    local id = "i" .. ("0"):rep(20)
    codecell.assert(sandbox.files:write(id,
      "print('here', flush=True)\nimport time\ntime.sleep(60)"))
    local process = codecell.assert(sandbox.commands:run({ "bash", "-c",
      "exec -a codecell-sandbox python3 " .. id }, { background = true }))
    assert.equal("here\n", (process:read(20)))
    assert.is_nil(listed(id, "all"))
    assert.is_false(core.kill_sandbox(id))
    sandbox:close()
  end)

  it("answers false for what cannot be an id", function()
    for _, id in ipairs { "", "i", "x" .. ("a"):rep(20), "i" .. ("A"):rep(20),
      "i" .. ("a"):rep(21), "i" .. ("a"):rep(19) .. "\n", "../../1" } do
      assert.is_false(core.kill_sandbox(id))
    end
    assert.has_error(function() core.sandboxes "theirs" end)
  end)
end)

describe("codecell ls", function()
  it("shows the sandboxes of every program of this user", function()
    local host = start_host()
    local result = shell.run(shell.codecell .. " ls")
    assert.truthy(result.stdout:find(host.id .. " %d+ +%d+[smh]\n"), result.stdout)
    assert.truthy(shell.run(shell.codecell .. " ls --json").stdout:find(host.id, 1, true))
    kill_host(host)
  end)

  it("shows those alone in which nothing runs #F36", function()
    local host = start_host()
    local busy = codecell.assert(codecell.create())
    local is_busy
    local run = codecell.assert(busy:start_code("print(1, flush=True)\nwhile True: pass",
      { on_stdout = function() is_busy = true end }))
    assert.truthy(eventually(function() return is_busy end))
    local function shown(id)
      return shell.run(shell.codecell .. " ls --idle").stdout:find(id, 1, true)
    end
    assert.truthy(eventually(function() return shown(host.id) end))
    assert.falsy(shown(busy.id))
    run:kill()
    busy:close()
    kill_host(host)
  end)

  it("is empty soon after the host was killed #D17", function()
    local host = start_host()
    assert.truthy(listed(host.id))
    kill_host(host)
    assert.truthy(eventually(function()
      return not shell.run(shell.codecell .. " ls --all").stdout:find(host.id, 1, true)
    end))
  end)

  it("no longer shows a sandbox whose time is up #D19", function()
    local host = start_host "codecell.assert(sandbox:set_timeout(0.5))"
    assert.truthy(eventually(function()
      return not shell.run(shell.codecell .. " ls").stdout:find(host.id, 1, true)
    end))
    kill_host(host)
  end)
end)

describe("codecell kill", function()
  it("ends the sandbox of another program and waits until it is gone", function()
    local host = start_host()
    local result = shell.run(shell.codecell .. " kill " .. host.id)
    assert.equal(0, result.status, result.stderr)
    assert.is_nil(listed(host.id))
    assert.equal(1, shell.run(shell.codecell .. " kill " .. host.id).status)
    kill_host(host)
  end)

  it("says so when there is no such sandbox", function()
    local result = shell.run(shell.codecell .. " kill i00000000000000000000")
    assert.equal(1, result.status)
    assert.truthy(result.stderr:find("no sandbox i00000000000000000000", 1, true))
  end)
end)
