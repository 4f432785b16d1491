-- worker.lua -- codecell's side of the benchmark: one command a line, one line of nanoseconds back.
--
-- bench/run.py drives it, so that every figure is taken in turn with its peer.

local codecell = require "codecell"
local core = require "codecell.core"

local reactor = codecell.reactor()
local function now()
  return reactor:now()
end

local function nanoseconds(seconds)
  return string.format("%.0f", seconds * 1e9)
end

local function create(options)
  return codecell.assert(codecell.create(options))
end

-- Close, and step until no process of it is left.
local function close(sandbox)
  sandbox:close()
  while sandbox:_state() ~= "gone" do
    local happened, err = reactor:step(1)
    assert(happened ~= nil, err)
  end
end

local verbs, kept = {}, {}

-- "create closed": to the warden's hello, and from close to nothing left.
function verbs.create()
  local start = now()
  local sandbox = create()
  local created = now()
  close(sandbox)
  return nanoseconds(created - start) .. " " .. nanoseconds(now() - created)
end

-- Longest time that one call of the engine held the thread during a create.
function verbs.stall()
  local start = now()
  local sandbox = codecell.assert(core.sandbox(reactor, {
    id = "i" .. core.random_id(20), timeout = 60, memory = 2 ^ 30, disk = 2 ^ 29,
    processes = 256, files = 1024, cpu = 0, network = 0, root_view = false,
  }))
  local longest = now() - start
  while sandbox:_state() == "starting" do
    start = now()
    reactor:try_step(0)
    local length = now() - start
    if length > longest then
      longest = length
    end
  end
  close(sandbox)
  return nanoseconds(longest)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function run(sandbox, code, language)
  local execution = codecell.assert(sandbox:run_code(code, { language = language }))
  assert(not execution.error, execution.error and execution.error.traceback)
  return execution
end

-- From nothing to the first answer of a language.
function verbs.first(language, path)
  local code = path and read(path) or "1+1"
  local start = now()
  local sandbox = create()
  run(sandbox, code, language)
  local done = now()
  close(sandbox)
  return nanoseconds(done - start)
end

local function living()
  if not kept.living then
    kept.living = create({ timeout = 3600 })
    run(kept.living, "1+1")
  end
  return kept.living
end

local function each(count, action)
  local times = {}
  for i = 1, count do
    local start = now()
    action()
    times[i] = nanoseconds(now() - start)
  end
  return table.concat(times, " ")
end

-- The code of a file in a living session, so often; a run before is not counted.
function verbs.code(count, language, path)
  local sandbox, code = living(), read(path)
  if kept[path] ~= code then
    kept[path] = code
    run(sandbox, code, language)
  end
  return each(count, function()
    run(sandbox, code, language)
  end)
end

-- Code that calls a function of this program, and prints what each call took.
function verbs.calls(path)
  local sandbox = living()
  if not kept.exposed then
    kept.exposed = codecell.assert(sandbox:expose("bench", { add = function(one, other)
      return one + other
    end }))
  end
  return (table.concat(run(sandbox, read(path)).logs.stdout):gsub("%s+$", ""))
end

function verbs.languages()
  return table.concat(codecell.languages.available(), " ")
end

function verbs.cell(count)
  local sandbox = living()
  return each(count, function()
    sandbox:run_code("1+1")
  end)
end

verbs["true"] = function(count)
  local commands = living().commands
  return each(count, function()
    local result = codecell.assert(commands:run({ "true" }))
    assert(result.exit_code == 0)
  end)
end

function verbs.fresh()
  local start = now()
  local sandbox = create()
  codecell.assert(sandbox.commands:run({ "true" }))
  close(sandbox)
  return nanoseconds(now() - start)
end

-- Sandboxes made and ended with `width` of them under way: "count nanoseconds".
function verbs.rate(seconds, width)
  local start, count, tasks = now(), 0, {}
  for i = 1, width do
    tasks[i] = codecell.async(function()
      while now() - start < seconds do
        create():close()
        count = count + 1
      end
    end)
  end
  for i = 1, width do
    local _, err = tasks[i]:wait(seconds + 30)
    assert(not err, tostring(err))
  end
  return count .. " " .. nanoseconds(now() - start)
end

-- Add idle sandboxes.
function verbs.idle(count)
  codecell.setup({ max_sandboxes = count + 100 })
  for _ = 1, count do
    kept[#kept + 1] = create({ timeout = 3600 })
  end
  return "0"
end

-- End all of them at once, until nothing is left.
function verbs.drop()
  for i = 1, #kept do
    kept[i]:close()
  end
  for i = #kept, 1, -1 do
    close(kept[i])
    kept[i] = nil
  end
  return "0"
end

-- Keep so many ready; 0: none any more.
function verbs.pool(size, module)
  if kept.pool then
    kept.pool:close()
    kept.pool = nil
  end
  if size > 0 then
    kept.pool = codecell.assert(codecell.pool({ size = size, imports = { module } }))
    codecell.assert(kept.pool:wait(120))
  end
  return "0"
end

-- From a full pool: to the sandbox, to its first answer, and the time of the next.
function verbs.warm(path)
  local code = read(path)
  codecell.assert(kept.pool:wait(120))
  local start = now()
  local sandbox = create({ warm = true })
  local created = now()
  run(sandbox, code)
  local first = now()
  run(sandbox, code)
  local done = now()
  close(sandbox)
  return nanoseconds(created - start) .. " " .. nanoseconds(first - start) .. " "
    .. nanoseconds(done - first)
end

local SIZES = [[
rows = dict(line.split(":") for line in open("/proc/self/smaps_rollup").readlines()[1:])
size = lambda *names: sum(int(rows[name].split()[0]) for name in names)
print(size("Private_Clean", "Private_Dirty"), size("Pss"), size("Rss"))
]]

-- Add warm sandboxes that have run some code: what memory each has then, private, PSS and RSS in
-- kilobytes, as it sees it itself.
function verbs.warm_sessions(count, path)
  local sandboxes, sizes = {}, {}
  for i = 1, count do
    codecell.assert(kept.pool:wait(120))
    sandboxes[i] = create({ warm = true, timeout = 3600 })
    run(sandboxes[i], read(path))
  end
  for i, sandbox in ipairs(sandboxes) do
    sizes[i] = run(sandbox, SIZES).logs.stdout[1]:gsub("%s+$", "")
  end
  for _, sandbox in ipairs(sandboxes) do
    close(sandbox)
  end
  return table.concat(sizes, " ")
end

-- How long the last one of the pool took to be made, and whether from a zygote.
function verbs.made()
  codecell.assert(kept.pool:wait(120))
  local stats = kept.pool:stats()
  return nanoseconds(stats.seconds) .. " " .. tostring(stats.zygote)
end

-- Have the pool keep none: what is asked for then comes from its zygote, made for it.
function verbs.empty()
  codecell.assert(kept.pool:wait(120))
  kept.pool.size = 0
  while kept.pool:stats().ready > 0 do
    close(create({ warm = true }))
  end
  return "0"
end

-- From an empty pool with a zygote: to the sandbox, to its first answer, and the time of the next.
function verbs.session(path)
  local code = read(path)
  local start = now()
  local sandbox = create({ warm = true })
  local created = now()
  run(sandbox, code)
  local first = now()
  run(sandbox, code)
  local done = now()
  close(sandbox)
  return nanoseconds(created - start) .. " " .. nanoseconds(first - start) .. " "
    .. nanoseconds(done - first)
end

function verbs.file(size)
  local files, data = living().files, string.rep("x", size)
  local start = now()
  codecell.assert(files:write("/tmp/bench", data))
  local written = now()
  local back = codecell.assert(files:read("/tmp/bench"))
  local done = now()
  assert(#back == size)
  return nanoseconds(written - start) .. " " .. nanoseconds(done - written)
end

-- A stream to a Lua callback: "nanoseconds bytes".
function verbs.stream(mebibytes)
  local got, sandbox = 0, living()
  local start = now()
  codecell.assert(sandbox.commands:run(
    { "dd", "if=/dev/zero", "bs=64k", "count=" .. mebibytes * 16, "status=none" },
    { on_stdout = function(chunk)
      got = got + #chunk
    end }))
  return nanoseconds(now() - start) .. " " .. got
end

-- Let this host hold so much touched memory.
function verbs.grow(mebibytes)
  kept.ballast = {}
  for i = 1, mebibytes do
    kept.ballast[i] = string.rep(string.char(i % 256), 2 ^ 20)
  end
  return "0"
end

io.stdout:setvbuf("line")
for line in io.lines() do
  local words = {}
  for word in line:gmatch("%S+") do
    words[#words + 1] = tonumber(word) or word
  end
  local ok, answer = pcall(verbs[tostring(words[1])], words[2], words[3], words[4])
  io.write(ok and answer or "error " .. tostring(answer):gsub("%s+", " "), "\n")
end
