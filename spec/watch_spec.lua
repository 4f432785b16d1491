-- files:watch_dir: what happens in a directory, as it happens.
local attack = require "spec.support.attack"
local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

describe("watch_dir #user", function()
  local sandbox = one_sandbox(teardown)
  local count = 0

  -- A new directory of the sandbox, and a watcher of it.
  local function watch(options)
    count = count + 1
    local name = "w" .. count
    codecell.assert(sandbox().files:make_dir(name))
    return codecell.assert(sandbox().files:watch_dir(name, options)), name
  end

  local ends = 0

  -- Run a command in a directory, and then make a file to tell its end by: what was told before,
  -- without what is told twice in a row.
  local function told(watcher, name, command)
    ends = ends + 1
    local last, list = "end" .. ends, {}
    codecell.assert(sandbox().commands:run(("%s\n: > %s"):format(command, last),
      { cwd = "/home/user/" .. name }))
    while true do
      local event = codecell.assert(watcher:read(10))
      local text = event.type .. " " .. event.name
      if event.name == last then
        return table.concat(list, ", ")
      elseif list[#list] ~= text then
        list[#list + 1] = text
      end
    end
  end

  it("is supported", function()
    assert.is_true(sandbox():supports("watch"))
  end)

  it("tells what is created, written, renamed, removed, and of new permissions", function()
    local watcher, name = watch()
    assert.equal("create a, write a, chmod a, rename a, create b, remove b",
      told(watcher, name, "echo hi > a; chmod 600 a; mv a b; rm b"))
    watcher:close()
  end)

  it("tells what the program itself does", function()
    local watcher, name = watch()
    codecell.assert(sandbox().files:write(name .. "/x", "1"))
    for _, kind in ipairs({ "create", "chmod", "write" }) do -- a new file is given its mode
      assert.same({ name = "x", type = kind }, codecell.assert(watcher:read(10)))
    end
    watcher:close()
  end)

  it("tells nothing of directories below, unless it is recursive", function()
    local watcher, name = watch()
    assert.equal("create d", told(watcher, name, "mkdir -p d/e; echo 1 > d/e/f"))
    watcher:close()
  end)

  it("follows directories that are made later, with what was in them before", function()
    local watcher, name = watch({ recursive = true })
    assert.equal("create d, create d/e, create d/e/f, write d/e/f",
      told(watcher, name, "mkdir -p d/e; echo 1 > d/e/f"))
    assert.equal("remove d/e/f, remove d/e, remove d", told(watcher, name, "rm -r d"))
    assert.equal("create d, create d/f", told(watcher, name, "mkdir d; : > d/f"))
    watcher:close()
  end)

  it("follows directories that are moved, and lets go of those that leave", function()
    local watcher, name = watch({ recursive = true })
    assert.equal("create d", told(watcher, name, "mkdir d"))
    assert.equal("rename d, create e, create e/f", told(watcher, name, "mv d e; : > e/f"))
    assert.equal("rename e", told(watcher, name, "mv e ../left; : > ../left/g"))
    watcher:close()
  end)

  it("tells no name twice when a tree is made while it looks", function()
    local watcher, name = watch({ recursive = true })
    local text = told(watcher, name, "for i in 1 2 3 4 5 6 7 8; do mkdir -p $i/a/b; "
      .. ": > $i/a/b/c; done")
    local seen = {}
    for created in text:gmatch("create (%S-),") do
      assert.is_nil(seen[created], created)
      seen[created] = true
    end
    watcher:close()
  end)

  it("ends when the directory is removed or moved away", function()
    for _, command in ipairs({ "rmdir %s", "mv %s moved" }) do
      local watcher, name = watch()
      codecell.assert(sandbox().commands:run(command:format(name)))
      local event, err = watcher:read(10)
      assert.is_nil(event)
      assert.is_nil(err)
      assert.is_nil((watcher:read(10)))
      watcher:close()
    end
  end)

  it("answers at once with try_read", function()
    local watcher, name = watch()
    assert.is_false(watcher:try_read())
    codecell.assert(sandbox().files:make_dir(name .. "/d"))
    local event = watcher:try_read()
    while not event do
      codecell.step(1)
      event = watcher:try_read()
    end
    assert.same({ name = "d", type = "create" }, event)
    watcher:close()
  end)

  it("says timeout when nothing happens in time, and goes on", function()
    local watcher, name = watch()
    local event, err = watcher:read(0.01)
    assert.is_nil(event)
    assert.equal("timeout", err.kind)
    assert.equal("create x", told(watcher, name, ": > x"))
    watcher:close()
  end)

  it("wakes coroutines that wait for it, also when it is closed", function()
    local watcher, name = watch()
    local reading = codecell.async(function() return watcher:read(20) end)
    codecell.assert(sandbox().files:make_dir(name .. "/d"))
    assert.equal("d", reading:wait(20).name)
    reading = codecell.async(function() return watcher:read(20) end)
    watcher:close()
    local event, err = reading:wait(20)
    assert.is_nil(event)
    assert.equal("cancelled", err.kind)
    watcher:close()
    assert.has_error(function() watcher:read() end)
  end)

  it("says what cannot be watched", function()
    local function kind(path)
      local watcher, err = sandbox().files:watch_dir(path)
      assert.is_nil(watcher)
      return err.kind
    end
    assert.equal("not_found", kind("missing"))
    codecell.assert(sandbox().files:write("file", ""))
    assert.equal("invalid_argument", kind("file"))
    assert.has_error(function() sandbox().files:watch_dir(1) end)
    assert.has_error(function() sandbox().files:watch_dir(".", { recursive = "yes" }) end)
  end)

  it("bounds the watchers of a sandbox; those that are collected make room", function()
    local function fill()
      local kept = {}
      while true do
        local watcher, err = sandbox().files:watch_dir("/tmp")
        if not watcher then
          return #kept, err.kind
        end
        kept[#kept + 1] = watcher
      end
    end
    assert.same({ 64, "limit_exceeded" }, { fill() })
    collectgarbage()
    collectgarbage()
    local watcher = codecell.assert(sandbox().files:watch_dir("/tmp"))
    watcher:close()
  end)

  it("gives each watcher of a directory all of it", function()
    local one, name = watch({ recursive = true })
    local other = codecell.assert(sandbox().files:watch_dir(name))
    assert.equal("create d", told(other, name, "mkdir d"))
    assert.equal("d", codecell.assert(one:read(10)).name)
    one:close()
    assert.equal("create e", told(other, name, "mkdir e"))
    other:close()
  end)
end)

describe("watch_dir against hostile code #user", function()
  it("says that events were lost, when more happens than is read #S067", function()
    attack.within(function(sandbox)
      local watcher = codecell.assert(sandbox.files:watch_dir("/tmp"))
      codecell.assert(sandbox.commands:run(
        { "python3", "-c", "for i in range(30000): open('/tmp/%d' % i, 'w').close()" }))
      local events = 0
      local event, err
      repeat
        event, err = watcher:read(10)
        events = events + (event and 1 or 0)
      until err
      assert.equal("limit_exceeded", err.kind)
      assert.truthy(events > 100 and events < 30000, events)
      codecell.assert(sandbox.files:write("/tmp/last", ""))
      repeat
        event = watcher:read(10)
      until not event or event.name == "last"
      assert.equal("last", event and event.name)
      watcher:close()
    end)
  end)

  it("never leaves the directory by a link #S001 #S059", function()
    attack.within(function(sandbox)
      codecell.assert(sandbox.commands:run("mkdir -p /tmp/outside w"))
      local watcher = codecell.assert(sandbox.files:watch_dir("w", { recursive = true }))
      codecell.assert(sandbox.commands:run(
        "ln -s /tmp/outside w/link; mkdir w/d; : > w/link/in; : > w/end"))
      local names = {}
      repeat
        names[#names + 1] = codecell.assert(watcher:read(10)).name
      until names[#names] == "end"
      assert.same({ "link", "d", "end" }, names)
      watcher:close()
    end)
  end)

  it("says so when names are too long to be told #S060", function()
    attack.within(function(sandbox)
      local watcher = codecell.assert(sandbox.files:watch_dir("/tmp", { recursive = true }))
      codecell.assert(sandbox.commands:run({ "python3", "-c", [[
import os
os.chdir("/tmp")
for i in range(20):
    os.mkdir("d" * 255); os.chdir("d" * 255)]] }))
      local longest = 0
      local event, err
      repeat
        event, err = watcher:read(10)
        longest = math.max(longest, event and #event.name or 0)
      until not event
      assert.equal("limit_exceeded", err.kind)
      assert.truthy(longest > 3000 and longest < 4096, longest)
      watcher:close()
      watcher, err = sandbox.files:watch_dir("/tmp", { recursive = true })
      assert.is_nil(watcher)
      assert.equal("limit_exceeded", err.kind)
    end)
  end)

  it("ends with the sandbox", function()
    local sandbox = codecell.assert(codecell.create())
    local watcher = codecell.assert(sandbox.files:watch_dir("/tmp"))
    sandbox:kill()
    local event, err = watcher:read(10)
    assert.is_nil(event)
    assert.equal("sandbox_gone", err.kind)
    watcher:close()
    sandbox:close()
  end)

  it("lets other work go on while code makes events without end", function()
    attack.within(function(sandbox)
      local watcher = codecell.assert(sandbox.files:watch_dir("/tmp", { recursive = true }))
      local flood = codecell.assert(sandbox.commands:run({ "python3", "-c", [[
import os
while True:
    os.makedirs("/tmp/a/b/c", exist_ok=True); os.removedirs("/tmp/a/b/c")
    os.makedirs("/tmp", exist_ok=True)]] }, { background = true }))
      for _ = 1, 20 do
        assert(watcher:read(10))
        assert.equal("4", codecell.assert(sandbox:run_code("2 + 2")).text)
      end
      flood:close()
      watcher:close()
    end)
  end)

  it("lets other work go on while a large directory is renamed again and again #S052", function()
    attack.within(function(sandbox)
      codecell.assert(sandbox.files:make_dir("w"))
      local watcher = codecell.assert(sandbox.files:watch_dir("w", { recursive = true }))
      codecell.assert(sandbox.commands:run({ "python3", "-ISc", [[
import os
os.makedirs('a')
for i in range(100): os.mkdir('a/%d' % i)
for i in range(20000): os.mknod('a/%d/%d' % (i % 100, i))
for i in range(4000):
    os.rename('a', 'b')
    os.rename('b', 'a')]] }, { cwd = "/home/user/w", timeout = 60 }))
      for _ = 1, 3 do
        assert.equal("alive\n",
          codecell.assert(sandbox.commands:run("echo alive", { timeout = 10 })).stdout)
      end
      watcher:close()
    end, { timeout = 120 })
  end)
end)
