-- host_scenario.lua -- what a coroutine must be able to do in every host; runs inside of it.

local codecell = require "codecell"

local scenario = {}

-- Each part is printed only when the callback has answered the one before: by a file, so that the
-- callback itself waits.
local STREAM = [[
import os, time
for i in range(3):
    print("part", i, flush=True)
    while not os.path.exists("/tmp/go%d" % i):
        time.sleep(0.001)
6 * 7
]]

local function stream(sandbox)
  local parts = {}
  local done = codecell.assert(sandbox:run_code(STREAM, {
    on_stdout = function(text)
      parts[#parts + 1] = text
      codecell.assert(sandbox.files:write("/tmp/go" .. #parts - 1, ""))
    end,
  }))
  return ("%d parts and %s"):format(#parts, done.text)
end

local function time_out(sandbox)
  local done = codecell.assert(sandbox:run_code("while True: pass", { timeout = 0.2 }))
  local after = codecell.assert(sandbox:run_code("1 + 1"))
  return done.error.name .. " and " .. after.text
end

local function cancel(sandbox)
  local task
  task = codecell.async(function()
    return sandbox.commands:run("echo on; sleep 60", {
      on_stdout = function()
        task:cancel()
      end,
    })
  end)
  local result, err = task:wait(20)
  return tostring(result) .. " and " .. tostring(err and err.kind)
end

local function watch(sandbox)
  local watcher = codecell.assert(sandbox.files:watch_dir("/tmp"))
  local task = codecell.async(function()
    return watcher:read(20)
  end)
  codecell.assert(sandbox:run_code("open('/tmp/seen', 'w').close()"))
  local event = codecell.assert(task:wait(20))
  watcher:close()
  return event.type .. " " .. event.name
end

--- Work in a sandbox of one's own; returns a line that says how it went, and the id.
---@param turns fun(): integer how often something else in the loop has run
function scenario.work(turns)
  local before = turns()
  local sandbox = codecell.assert(codecell.create())
  local line = table.concat({
    stream(sandbox), time_out(sandbox), cancel(sandbox), watch(sandbox),
    turns() > before and "the loop turned" or "the loop stood still",
  }, "; ")
  sandbox:close()
  return line, sandbox.id
end

--- The line of a coroutine that could do everything.
scenario.expected = "3 parts and 42; TimeoutError and 2; nil and cancelled; "
  .. "create seen; the loop turned"

return scenario
