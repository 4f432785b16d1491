-- client.lua -- our client of E2B's API as a co-process of run.py: one verb a line, one line of
-- nanoseconds back. client.py and client.mjs do the same by the official SDKs.
--
--   create        a sandbox made / and ended
--   command N     `true` in a login shell, so often
--   program N     `true` itself, so often
--   cell N        1+1, so often
--   file SIZE     a file of so many bytes written / and read
--   many N        so many commands at once
--   crowd N       so many sandboxes made at once / and one command in each of them at once
--   drop          the end of all of those
--   memory        PSS of this process, in KiB
--   id            of the sandbox in which all of this happens

local codecell = require "codecell"

local reactor = codecell.reactor()
local function now()
  return reactor:now()
end

local function nanoseconds(list)
  local words = {}
  for i, seconds in ipairs(list) do
    words[i] = string.format("%.0f", seconds * 1e9)
  end
  return table.concat(words, " ")
end

local verbs, kept = {}, { crowd = {} }

local function create(network)
  return codecell.assert(codecell.create({ backend = "e2b", timeout = 3600, network = network }))
end

local function living()
  kept.living = kept.living or create()
  return kept.living
end

local function each(count, action)
  local times = {}
  for i = 1, count do
    local start = now()
    action()
    times[i] = now() - start
  end
  return nanoseconds(times)
end

-- At once; the first failure is raised.
local function at_once(count, action)
  local tasks = {}
  for i = 1, count do
    tasks[i] = codecell.async(action, i)
  end
  for i = 1, count do
    codecell.assert(tasks[i]:wait(300))
  end
end

function verbs.create()
  local start = now()
  local sandbox = create()
  local made = now()
  codecell.assert(sandbox:kill())
  return nanoseconds({ made - start, now() - made })
end

function verbs.command(count)
  local commands = living().commands
  return each(count, function()
    assert(codecell.assert(commands:run("true")).exit_code == 0)
  end)
end

function verbs.program(count)
  local commands = living().commands
  return each(count, function()
    assert(codecell.assert(commands:run({ "true" })).exit_code == 0)
  end)
end

function verbs.cell(count)
  local sandbox = living()
  return each(count, function()
    assert(codecell.assert(sandbox:run_code("1+1")).text == "2")
  end)
end

function verbs.file(size)
  local files, data = living().files, string.rep("x", size)
  local start = now()
  codecell.assert(files:write("/tmp/bench", data))
  local written = now()
  local back = codecell.assert(files:read("/tmp/bench"))
  local done = now()
  assert(#back == size)
  return nanoseconds({ written - start, done - written })
end

function verbs.many(count)
  local commands = living().commands
  local start = now()
  at_once(count, function(i)
    local result = codecell.assert(commands:run("echo " .. i))
    assert(result.stdout == i .. "\n")
    return true
  end)
  return nanoseconds({ now() - start })
end

function verbs.crowd(count)
  local start = now()
  at_once(count, function(i)
    kept.crowd[i] = create("none")
    return true
  end)
  local made = now()
  at_once(count, function(i)
    assert(codecell.assert(kept.crowd[i].commands:run({ "true" })).exit_code == 0)
    return true
  end)
  return nanoseconds({ made - start, now() - made })
end

function verbs.drop()
  local start = now()
  at_once(#kept.crowd, function(i)
    codecell.assert(kept.crowd[i]:kill())
    return true
  end)
  kept.crowd = {}
  return nanoseconds({ now() - start })
end

function verbs.memory()
  collectgarbage()
  for line in io.lines("/proc/self/smaps_rollup") do
    if line:find("^Pss:") then
      return line:match("%d+")
    end
  end
end

function verbs.id()
  return living().id
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local verb, count = line:match("^(%S+) ?(%S*)$")
  local ok, answer = pcall(verbs[verb], tonumber(count))
  io.write(ok and answer or "error " .. tostring(answer):gsub("%s+", " "), "\n")
end
if kept.living then
  kept.living:kill()
end
