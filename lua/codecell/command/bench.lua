--- `codecell bench`: what sandboxes cost on this machine.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local launch = require "codecell.command.launch"
local weight = require "codecell.command.weight"

local bench = {
  summary = "measure what sandboxes cost on this machine",
  usage = "codecell bench start | memory | parallel | scale | load | audit [OPTIONS]",
  description = "Measures it here and now; other work of the machine is in the figures.\n\n"
    .. "  start      milliseconds of create, and of create with the first cell: made when\n"
    .. "             asked for, and from a pool of ready ones\n"
    .. "  memory     megabytes of an idle sandbox, alone and with a session\n"
    .. "  parallel   the same cell in so many sandboxes, one after the other and at once\n"
    .. "  scale      how many sandboxes with a session a GiB holds, and runs a second of all\n"
    .. "  load       so many lives of sandboxes at once, and what they leave: status 1 if one of\n"
    .. "             them failed, or a process, a descriptor or a mount is left\n"
    .. "  audit      milliseconds of a cell: as it is, recorded, and recorded on the disk\n",
  parts = { { "start" }, { "memory" }, { "parallel" }, { "scale" }, { "load" }, { "audit" } },
  statuses = { [1] = "of load: a life failed, or something is left" },
  example = "codecell bench start -n 50 --json",
  options = {
    { name = "count", short = "n", value = "COUNT", kind = "count",
      help = "rounds of start (20) and audit (100), sandboxes of memory (20), load (50) and\n"
        .. "                             others (8)" },
    { name = "pool", value = "SIZE", kind = "count",
      help = "start: ready sandboxes that are kept (2); 0: none" },
    { name = "language", short = "l", value = "LANGUAGE", kind = "name",
      help = "of the sessions (python)" },
    { name = "backend", value = "BACKEND", help = "where they run (default local)" },
    { name = "mode", value = "MODE", help = "the same by its mode; E2B_MODE is the default" },
    { name = "json", help = "print the figures as JSON" },
  },
}

local LIFETIME = 3600
local CODE = "1" -- the same in every language of sessions
local WORK = "sum(i * i for i in range(2000000))"

local function must(value, err)
  if value == nil then
    command.abort("bench: " .. tostring(err))
  end
  return value
end

local function now()
  return codecell.reactor():now()
end

-- Nothing of it is left when the next one is measured.
local function finish(sandbox)
  sandbox:close()
  while sandbox:_state() ~= "gone" do
    codecell.step(1)
  end
end

local function percentile(sorted, share)
  return sorted[math.max(1, math.ceil(#sorted * share))]
end

local function summary(seconds)
  table.sort(seconds)
  return { n = #seconds, p50 = percentile(seconds, 0.5), p95 = percentile(seconds, 0.95),
    min = seconds[1], max = seconds[#seconds] }
end

-- ---- start ----

local function once(options, language)
  local began = now()
  local sandbox = must(codecell.create(options))
  local created = now()
  must(sandbox:run_code(CODE, { language = language }))
  local answered = now()
  finish(sandbox)
  return created - began, answered - began
end

local function measure_starts(figures, name, count, options, language, prepare)
  local created, answered = {}, {}
  for i = 0, count do -- the first one starts what all need, and is not counted
    prepare()
    local create, answer = once(options, language)
    if i > 0 then
      created[i], answered[i] = create, answer
    end
  end
  figures[name] = { create = summary(created), first_cell = summary(answered) }
end

local function show_start(figures)
  command.write("                                p50 ms    p95 ms    min ms\n")
  for _, name in ipairs({ "cold", "pool" }) do
    for _, what in ipairs({ "create", "first_cell" }) do
      local one = figures[name] and figures[name][what]
      if one then
        command.write(("%-28s %9.3f %9.3f %9.3f\n"):format(
          (what == "create" and "create, %s" or "create and first cell, %s"):format(name),
          one.p50 * 1e3, one.p95 * 1e3, one.min * 1e3))
      end
    end
  end
  local used = figures.utilisation
  if used then
    command.write(("pool of %d: %d made, %d taken, %d missed, %d died\n"):format(used.size,
      used.made, used.taken, used.missed, used.died))
  end
end

local verbs = {}

function verbs.start(options, backend)
  local count, size = options.count or 20, options.pool or 2
  local language = options.language or "python"
  local figures = { language = language, rounds = count }
  measure_starts(figures, "cold", count, { backend = backend }, language, function() end)
  if size > 0 then
    local pool = must(codecell.pool({ size = size, languages = { language },
      backend = backend }))
    measure_starts(figures, "pool", count, { warm = true, backend = backend }, language, function()
      must(pool:wait(60))
    end)
    local stats = pool:stats()
    figures.utilisation = { size = size, made = stats.made, taken = stats.taken,
      missed = stats.missed, died = stats.died }
    pool:close()
  end
  return figures, show_start
end

-- ---- memory ----

local function pids()
  local by_id = {}
  for _, one in ipairs(must(core.sandboxes())) do
    by_id[one.id] = one.pid
  end
  return by_id
end

local function average(sandboxes, kernel_before)
  local by_id, total = pids(), { private = 0, pss = 0, processes = 0 }
  for _, sandbox in ipairs(sandboxes) do
    local memory = weight.of(by_id[sandbox.id])
    for name in pairs({ private = 0, pss = 0, processes = 0 }) do
      total[name] = total[name] and memory[name] and total[name] + memory[name]
    end
  end
  local kernel = weight.kernel()
  local count = #sandboxes
  return { private = total.private / count, pss = total.pss and total.pss / count,
    processes = total.processes / count,
    kernel = kernel and kernel_before and math.max(0, kernel - kernel_before) / count }
end

local function megabytes(bytes)
  return bytes and ("%10.2f"):format(bytes / 2 ^ 20) or "         -"
end

local function show_memory(figures)
  command.write(("MB of one, of %d           private       PSS    kernel  processes\n"):format(
    figures.count))
  for _, name in ipairs({ "idle", "session" }) do
    local one = figures[name]
    command.write(("%-24s%s%s%s%11g\n"):format(
      name == "idle" and "sandbox" or "with " .. figures.language, megabytes(one.private),
      megabytes(one.pss), megabytes(one.kernel), one.processes))
  end
  if not figures.idle.pss then
    command.write("PSS: only root may know it\n")
  end
end

function verbs.memory(options, backend)
  local count, language = options.count or 20, options.language or "python"
  local kernel, sandboxes = weight.kernel(), {}
  for i = 1, count do
    sandboxes[i] = must(codecell.create({ timeout = LIFETIME, backend = backend }))
  end
  local figures = { count = count, language = language, idle = average(sandboxes, kernel) }
  for _, sandbox in ipairs(sandboxes) do
    must(sandbox:run_code(CODE, { language = language }))
  end
  figures.session = average(sandboxes, kernel)
  for _, sandbox in ipairs(sandboxes) do
    finish(sandbox)
  end
  return figures, show_memory
end

-- ---- parallel ----

local function work(sandbox)
  local began = now()
  local done = must(sandbox:run_code(WORK))
  must(not done.error or nil, done.error and done.error.traceback)
  return now() - began
end

local function show_parallel(figures)
  command.write(("%d cells, one after the other: %.3f s; at once: %.3f s; %.1f times as fast\n")
    :format(figures.count, figures.sum, figures.wall, figures.sum / figures.wall))
end

function verbs.parallel(options, backend)
  local count, sandboxes, tasks = options.count or 8, {}, {}
  for i = 1, count do
    sandboxes[i] = must(codecell.create({ timeout = LIFETIME, backend = backend }))
    must(sandboxes[i]:run_code(CODE))
  end
  local sum = 0
  for i = 1, count do
    sum = sum + work(sandboxes[i])
  end
  local began = now()
  for i = 1, count do
    tasks[i] = codecell.async(work, sandboxes[i])
  end
  for i = 1, count do
    must(tasks[i]:wait())
  end
  local figures = { count = count, sum = sum, wall = now() - began }
  for i = 1, count do
    finish(sandboxes[i])
  end
  return figures, show_parallel
end

-- ---- scale ----

local ROUNDS = 50

local function show_scale(figures)
  command.write(("%.1f MB of one with %s: %d in a GiB\n%d at once: %.0f runs a second\n"):format(
    figures.bytes / 2 ^ 20, figures.language, figures.per_gib, figures.count,
    figures.runs_per_second))
end

function verbs.scale(options, backend)
  local count, sandboxes, tasks = options.count or 8, {}, {}
  local language, kernel = options.language or "python", weight.kernel()
  local asked = { language = language }
  for i = 1, count do
    sandboxes[i] = must(codecell.create({ timeout = LIFETIME, backend = backend }))
    must(sandboxes[i]:run_code(CODE, asked))
  end
  local memory = average(sandboxes, kernel)
  local bytes = memory.private + (memory.kernel or 0)
  local began = now()
  for i = 1, count do
    tasks[i] = codecell.async(function()
      for _ = 1, ROUNDS do
        must(sandboxes[i]:run_code(CODE, asked))
      end
    end)
  end
  for i = 1, count do
    tasks[i]:wait()
  end
  local figures = { count = count, language = language, bytes = bytes,
    per_gib = math.floor(2 ^ 30 / bytes), runs = count * ROUNDS,
    runs_per_second = count * ROUNDS / (now() - began) }
  for i = 1, count do
    finish(sandboxes[i])
  end
  return figures, show_scale
end

-- ---- load ----

local function show_load(figures)
  command.write(("%d of %d lives at once failed%s; all: %.2f s\n"):format(figures.failed,
    figures.count, figures.problem and " (" .. figures.problem .. ")" or "", figures.wall))
  for _, what in ipairs({ "create", "first_cell" }) do
    local one = figures[what]
    if one then
      command.write(("%-22s p50 %9.1f ms, p95 %9.1f ms\n"):format(
        what == "create" and "create" or "create and first cell", one.p50 * 1e3, one.p95 * 1e3))
    end
  end
  local left = figures.left
  command.write(("left: %d processes, %d descriptors, %d mounts\n"):format(left.processes,
    left.descriptors, left.mounts))
end

function verbs.load(options, backend)
  local figures = require("codecell.command.bench.load").measure(options.count or 50, {
    language = options.language or "python", code = CODE, backend = backend }, summary)
  local left = figures.left
  local is_clean = left.processes <= 0 and left.descriptors <= 0 and left.mounts <= 0
  local is_well = figures.failed == 0 and is_clean
  return figures, show_load, not is_well and command.status.code_failed or nil
end

-- ---- audit ----

local WAYS = { "plain", "audited", "synced" }

local function show_audit(figures)
  command.write("                       p50 ms    p95 ms    min ms\n")
  for _, way in ipairs(WAYS) do
    local one = figures[way]
    command.write(("cell, %-14s %9.3f %9.3f %9.3f\n"):format(way, one.p50 * 1e3,
      one.p95 * 1e3, one.min * 1e3))
  end
end

-- Cells of a session that is there already.
local function measure_cells(count, options, language)
  local sandbox, seconds = must(codecell.create(options)), {}
  must(sandbox:run_code(CODE, { language = language }))
  for i = 1, count do
    local began = now()
    must(sandbox:run_code(CODE, { language = language }))
    seconds[i] = now() - began
  end
  finish(sandbox)
  return summary(seconds)
end

function verbs.audit(options, backend)
  local count, language = options.count or 100, options.language or "python"
  local figures = { rounds = count, language = language }
  local folder = "/tmp/codecell-bench-" .. core.random_id(20)
  must(core.host_store(folder, true))
  for _, way in ipairs(WAYS) do
    local audit = way ~= "plain" and must(codecell.audit.open({
      path = ("%s/%s.jsonl"):format(folder, way), sync = way == "synced" })) or nil
    figures[way] = measure_cells(count, { timeout = LIFETIME, backend = backend, audit = audit },
      language)
  end
  must(core.host_remove(folder))
  return figures, show_audit
end

function bench.run(options, arguments)
  local verb = verbs[arguments[1]]
  if not verb or arguments[2] then
    return nil, "give one of start, memory, parallel, scale, load and audit"
  elseif options.count == 0 then
    return nil, "--count needs at least 1"
  end
  local backend, message = launch.backend(options)
  if not backend then
    return nil, message
  end
  local figures, show, status = verb(options, backend)
  if options.json then
    command.print_json(figures)
  else
    show(figures)
  end
  return status or command.status.success
end

return bench
