--- Makes outputs of sandboxed code and checks what must hold of every report of them.
---
---     lua fuzz/report_fuzz.lua SECONDS CORPUS [SEED]
---
--- LUA_PATH must reach the library and the repository's root. Exits with 1 at the first failure,
--- after writing the output to standard error as a Lua string. There is no corpus: what is worth
--- trying is below.
local format = require "codecell.agent.format"
local json = require "codecell.json"
local kept = require "codecell.tools.kept"
local unicode = require "codecell.agent.unicode"

local seconds = tonumber(arg[1] or "10")
local seed = tonumber(arg[3] or "1")

local PIECES = {
  "line\n", "the same\n", "x", " ", "\n", "\r", "\r\n", "50%\r", "\27[31m", "\27[0m",
  "\27]0;title\7", "\27", "\8", "\0", "\127", "\128", "\195", "\195\169", "\226\130\172",
  "\240\159\152\128", "\237\160\128", "\226\128\174", "`", "```", "``````\n", "{", "}", "[", "]",
  ",", ":", '"', "\\", "\\u00e9", "\\ud83d", '{"a": [1, 2.50, null]}', '"key": "text"',
  "123456789012345678901", "[... 3 lines left out ...]\n", 'read_output{id="o1", offset=0}',
  "Traceback (most recent call last):\n", "  File \"x\", line 1\n",
}

-- A small generator of our own: the same numbers in every Lua.
local state = seed * 2654435 % 2147483647 + 1
local function random(count)
  state = state * 16807 % 2147483647
  return state % count + 1
end

local function json_value(depth)
  local pick, list = random(5), {}
  if depth > 4 or pick <= 2 then
    return pick == 1 and ("%d"):format(random(1e9))
      or '"' .. ("t\\n\195\169"):rep(random(40)) .. '"'
  end
  for i = 1, random(8) do
    list[i] = (pick <= 4 and "" or ('"k%d": '):format(i)) .. json_value(depth + 1)
  end
  local text = table.concat(list, ", ")
  return pick <= 4 and "[" .. text .. "]" or "{" .. text .. "}"
end

local function output()
  if random(8) == 1 then
    return "[" .. json_value(1) .. "," .. json_value(1) .. "]\n", true
  end
  local pieces = {}
  for _ = 1, random(60) do
    pieces[#pieces + 1] = PIECES[random(#PIECES)]:rep(random(12) == 1 and random(800) or random(3))
  end
  return table.concat(pieces)
end

local function execution()
  local results = {}
  local text, is_json = output()
  for i = 1, random(4) - 1 do
    results[i] = { [({ "text", "markdown", "html", "latex" })[random(4)]] = output() }
  end
  return { results = results, logs = { stdout = { text }, stderr = { is_json and "" or output() } },
    error = not is_json and random(3) == 1 and { name = output(), value = output(),
      traceback = output() } or nil }, is_json
end

local function check(run, is_json, chars)
  local store = kept.new()
  local report = format.report(run, { budget = { chars = chars }, keep = function(text)
    return store:add(text)
  end })
  assert(not report.text:find("[%z\1-\8\11-\31\127]"), "a control character")
  assert(not unicode.invalid(report.text), "no UTF-8")
  -- Titles, fences, what is said of what was left out: so much for each part.
  assert(unicode.length(report.text) <= chars + (#report.parts + 1) * 400, "too long")
  for _, part in ipairs(report.parts) do
    if is_json and part.kind == "output" and part.note then
      local _, err = json.decode(part.text)
      assert(not err, "no JSON any more")
    end
  end
  for _, one in ipairs(report.outputs) do
    local offset, count, last = 0, 0, nil
    repeat
      local text, about = store:read(one.id, offset, 500)
      offset, count = about.next_offset, count + 1
      assert(not unicode.invalid(text) and unicode.length(text) < 700, "a piece")
      assert(offset == nil or offset ~= last, "no end")
      last = offset
    until not offset or count > 300
  end
end

local deadline, count = os.time() + seconds, 0
while os.time() < deadline do
  for _ = 1, 20 do
    local run, is_json = execution()
    local ok, problem = pcall(check, run, is_json, random(3) * random(3000) + 200)
    count = count + 1
    if not ok then
      io.stderr:write(("report_fuzz: %s; seed %d, report %d: %q\n"):format(problem, seed, count,
        run.logs.stdout[1]))
      os.exit(1)
    end
  end
end
print(("report_fuzz: %d reports"):format(count))
