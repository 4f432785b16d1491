--- What the control plane tells of a sandbox while it lives: what it has used, and what happened.
local answer = require "codecell.gateway.answer"
local core = require "codecell.core"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local task = require "codecell.task"
local wait = require "codecell.wait"

local telling = {}

local EVERY = 5 -- seconds between two measurements
local KEPT = 360 -- measurements of a sandbox: half an hour
local ASKED_MOST = 100 -- sandboxes at once
local LINES_MOST = 1000
local LEVELS = { debug = 1, info = 2, warn = 3, error = 4 }

-- A number of a query: nil where there is none, false where it is none.
local function whole(text, most)
  if text == nil or text == "" then
    return nil
  end
  local number = #text <= 15 and text:find("^%d+$") and tonumber(text)
  return number and number <= (most or number) and number or false
end

-- ---- what it has used ----

local function measure(one)
  local used, err = one.sandbox:get_metrics()
  if not used then
    return nil, err
  end
  local list = one.measured
  if #list >= KEPT then
    table.remove(list, 1)
  end
  local made = { at = core.time(), cpus = math.max(math.ceil(used.cpu_count), 1),
    percent = used.cpu_used_pct, memory = used.memory_used, memory_total = used.memory_total,
    disk = used.disk_used, disk_total = used.disk_total }
  list[#list + 1] = made
  return made
end

-- The last one; a new one if that is old.
local function latest(one)
  local last = one.measured[#one.measured]
  if one:is_paused() or last and core.time() - last.at < EVERY then
    return last
  end
  return measure(one)
end

local function shown(measured)
  return { timestamp = shape.timestamp(measured.at), timestampUnix = math.floor(measured.at),
    cpuCount = measured.cpus, cpuUsedPct = measured.percent / measured.cpus,
    memUsed = measured.memory, memTotal = measured.memory_total, memCache = 0,
    diskUsed = measured.disk, diskTotal = measured.disk_total }
end

local function measure_all(gateway)
  repeat
    wait.key(nil, reactor.now() + EVERY)
    local list = {}
    for _, one in pairs(gateway:living()) do
      list[#list + 1] = one
    end
    for _, one in ipairs(list) do
      if one:lives() and not one:is_paused() then
        measure(one)
      end
    end
  until #list == 0
  gateway.measures = false
end

--- Measure every sandbox from time to time, for as long as there is one.
---@param gateway codecell.Gateway
function telling.begin(gateway)
  if not gateway.measures then
    gateway.measures = true
    task.background(measure_all, gateway)
  end
end

--- What one sandbox has used, at the times that are asked for.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayRecord
function telling.metrics(request, one)
  local query = answer.form(request.query)
  local from, to = whole(query.start), whole(query["end"])
  if from == false or to == false then
    return answer.failure(request, 400, "start and end: seconds since 1970 were expected")
  elseif not to or to >= os.time() then
    local _, err = latest(one)
    if err then
      return answer.error(request, err)
    end
  end
  local list = json.list()
  for _, measured in ipairs(one.measured) do
    local at = math.floor(measured.at)
    if at >= (from or 0) and at <= (to or at) then
      list[#list + 1] = shown(measured)
    end
  end
  answer.json(request, 200, list)
end

--- What several use now.
---@param request codecell.IncomingRequest
---@param find fun(id: string): codecell.GatewayRecord?
function telling.many_metrics(request, find)
  local ids, all = {}, {}
  for id in (answer.form(request.query).sandbox_ids or ""):gmatch("[^,]+") do
    ids[#ids + 1] = id
  end
  if #ids == 0 or #ids > ASKED_MOST then
    return answer.failure(request, 400,
      ("sandbox_ids: 1 to %d ids were expected"):format(ASKED_MOST))
  end
  for _, id in ipairs(ids) do
    local found = find(id)
    local measured = found and latest(found)
    all[id] = measured and shown(measured) or nil
  end
  answer.json(request, 200, { sandboxes = all })
end

-- ---- what happened ----

local function entry_of(line)
  return { timestamp = shape.timestamp(line.at), level = line.level, message = line.message,
    fields = line.fields }
end

-- The lines that are wanted, the first ones of them.
local function lines_of(one, wanted)
  local list, logs = json.list(), one.logs
  for i = 1, #logs do
    local line = logs[wanted.backward and #logs + 1 - i or i]
    local milliseconds = math.floor(line.at * 1000)
    local is_there = wanted.from and (wanted.backward and milliseconds <= wanted.from
      or not wanted.backward and milliseconds >= wanted.from) or not wanted.from
    if is_there and LEVELS[line.level] >= wanted.level and #list < wanted.limit
      and line.message:find(wanted.search, 1, true) then
      list[#list + 1] = line
    end
  end
  return list
end

--- The log of a sandbox, as the first version of the API has it.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayRecord
function telling.old_logs(request, one)
  local query = answer.form(request.query)
  local from, limit = whole(query.start), whole(query.limit)
  if from == false or limit == false then
    return answer.failure(request, 400, "start and limit: numbers were expected")
  end
  local lines, entries = json.list(), json.list()
  for i, line in ipairs(lines_of(one, { from = from, limit = limit or LINES_MOST, level = 0,
    search = "" })) do
    lines[i] = { timestamp = shape.timestamp(line.at), line = line.message }
    entries[i] = entry_of(line)
  end
  answer.json(request, 200, { logs = lines, logEntries = entries })
end

--- The log of a sandbox, from a time on in both directions, of a level and with a text.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayRecord
function telling.logs(request, one)
  local query = answer.form(request.query)
  local from, limit = whole(query.cursor), whole(query.limit, LINES_MOST)
  local direction = query.direction or "forward"
  if from == false or limit == false then
    return answer.failure(request, 400,
      ("cursor, and a limit of at most %d, were expected"):format(LINES_MOST))
  elseif direction ~= "forward" and direction ~= "backward" then
    return answer.failure(request, 400, "direction: forward or backward was expected")
  elseif query.level and not LEVELS[query.level] then
    return answer.failure(request, 400, "level: debug, info, warn or error was expected")
  end
  local entries = json.list()
  for i, line in ipairs(lines_of(one, { from = from, limit = limit or LINES_MOST,
    backward = direction == "backward", level = LEVELS[query.level] or 0,
    search = query.search or "" })) do
    entries[i] = entry_of(line)
  end
  answer.json(request, 200, { logs = entries })
end

return telling
