--- Mutates audit files, and checks what must hold of every one: reading it raises nothing, only the
--- file that was written is as it was written, and a record is added to that alone.
---
---     lua fuzz/audit_fuzz.lua SECONDS CORPUS [SEED]
---
--- LUA_PATH must reach the library. Exits with 1 at the first failure, after writing the bytes to
--- standard error as a Lua string.
local codecell = require "codecell"
local core = require "codecell.core"

local seconds = tonumber(arg[1] or "10")
local state = tonumber(arg[3] or "1") * 2654435 % 2147483647 + 1

local function random(count)
  state = state * 16807 % 2147483647
  return state % count + 1
end

local folder = "/tmp/codecell-fuzz-" .. core.random_id(20)
local path = folder .. "/audit.jsonl"

local function read(name)
  local file = io.open(name, "rb")
  local text = file and file:read("*a")
  if file then
    file:close()
  end
  return text
end

local function write(name, text)
  local file = assert(io.open(name, "wb"))
  assert(file:write(text))
  file:close()
end

-- A file as it was written, and its anchor.
local function original()
  local audit = codecell.assert(codecell.audit.open({ path = path }))
  for i = 1, 4 do
    local subject = i % 2 == 0 and "ann" or "bob"
    local number = codecell.assert(audit:of(subject):write({ event = "run", phase = "before",
      sandbox = "i" .. i, code = "print(" .. i .. ")\n\255", language = "python", context = "c" }))
    codecell.assert(audit:of(subject):write({ event = "run", phase = "after", of = number,
      sandbox = "i" .. i, status = "ok", stdout = i .. "\n", stderr = "",
      results = { { is_main_result = true, text = "x" } } }))
  end
  codecell.assert(audit:purge("bob"))
  return read(path), read(path .. ".anchor")
end

local PIECES = { "\n", "\n\n", "{", "}", '"', "\\", "\0", "\255", "null", "0", '{"content":',
  ',"head":{', ',"digest":"', '"}\n', '"of":', '"phase":"after",', "1e999", "-1", ("0"):rep(64) }

local function mutate(text)
  for _ = 1, random(4) do
    local at, action = random(#text + 1), random(4)
    if action == 1 then
      text = text:sub(1, at - 1) .. PIECES[random(#PIECES)] .. text:sub(at)
    elseif action == 2 then
      text = text:sub(1, at - 1) .. text:sub(at + random(400))
    elseif action == 3 then
      text = text:sub(1, at - 1) .. string.char(random(256) - 1) .. text:sub(at + 1)
    else
      local from = random(#text + 1)
      text = text:sub(1, at - 1) .. text:sub(from, from + random(800)) .. text:sub(at)
    end
  end
  return text
end

-- Whether it is what was written, and perhaps a line behind it that is not whole.
local function is_as_written(text, whole)
  return text:sub(1, #whole) == whole and not text:find("\n", #whole + 1, true)
end

local function check(text, whole, anchor)
  write(path, text)
  write(path .. ".anchor", anchor)
  local report = codecell.assert(codecell.audit.verify(path))
  assert(report.ok == is_as_written(text, whole), "verify says " .. tostring(report.ok))
  local sessions, err = codecell.audit.sessions(path)
  assert(sessions or err.kind == "protocol", tostring(err))
  local audit = codecell.assert(codecell.audit.open({ path = path }))
  local added
  added, err = audit:write({ event = "run", code = "1" })
  assert(added or err.kind == "system" or err.kind == "protocol", tostring(err))
  if report.ok then
    assert(added and codecell.assert(codecell.audit.verify(path)).ok, "it does not go on")
  end
  local count
  count, err = audit:purge("ann")
  assert(count or err.kind == "system" or err.kind == "protocol", tostring(err))
end

codecell.assert(core.host_store(folder, true))
local whole, anchor = original()
local deadline, count = os.time() + seconds, 0
repeat
  local text = count == 0 and whole or mutate(whole)
  local ok, problem = xpcall(function() check(text, whole, anchor) end, debug.traceback)
  if not ok then
    io.stderr:write(("%s\n%q\n"):format(problem, text))
    core.host_remove(folder)
    os.exit(1)
  end
  count = count + 1
until os.time() >= deadline
core.host_remove(folder)
print(("%d files"):format(count))
