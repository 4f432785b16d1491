--- The control plane: making, finding and ending sandboxes.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local core = require "codecell.core"
local json = require "codecell.json"
local listing = require "codecell.gateway.listing"
local record = require "codecell.gateway.record"
local shape = require "codecell.e2b.shape"
local start = require "codecell.template.start"
local templates = require "codecell.gateway.templates"
local uploads = require "codecell.gateway.uploads"
local wishes = require "codecell.gateway.wishes"

local control = {}

local BODY_MOST = 1048576 -- bytes
local LIFETIME = 300 -- seconds
local LEAST = 15 -- seconds that a refresh gives
local FORKS_MOST = 100

local function unknown(request, id)
  answer.failure(request, 404,
    ("Sandbox \"%s\" doesn't exist or you don't have access to it"):format(id))
end

local function add(gateway, sandbox, given)
  given.domain, given.cpus = gateway.domain, core.cpu_count()
  local made = record.new(sandbox, given)
  gateway.records[made.id] = made
  local used = gateway.spawns[given.template] or { count = 0 }
  used.count, used.at, gateway.spawns[given.template] = used.count + 1, os.time(), used
  return made
end

-- ---- /sandboxes ----

-- A sandbox, with what its template starts in it.
local function make(wanted, given)
  local sandbox, err = codecell.create(wanted)
  if not sandbox or not given.start and not given.ready then
    return sandbox, err
  end
  given.started, err = start.begin(sandbox, { command = given.start, ready = given.ready })
  if not given.started then
    sandbox:close()
    return nil, err
  end
  return sandbox
end

local function create_of(gateway, request, body, lifetime)
  local given, wanted = wishes.read(body, lifetime)
  if not given then
    return answer.error(request, wanted)
  end
  wanted.network = gateway.network or wanted.network
  local sandbox, err = make(wanted, given)
  if not sandbox then
    return answer.failure(request, err.kind == "limit_exceeded" and 429
      or err.kind == "system" and 503 or answer.status(err), err.message)
  elseif request:is_left() then -- nobody will ever know its id
    return sandbox:close()
  end
  local made = add(gateway, sandbox, given)
  answer.json(request, 201, made:access())
  return made
end

local function create(gateway, request)
  local body = answer.body(request, BODY_MOST)
  if body then
    create_of(gateway, request, body)
  end
end

-- The second version: always with a token, and the same key gets the same sandbox.
local function create_again(gateway, request)
  local body = answer.body(request, BODY_MOST)
  local key = shape.text(request.headers["idempotency-key"])
  if not body then
    return
  elseif key and gateway.asked[key] then
    local found = gateway:find(gateway.asked[key])
    if found then
      return answer.json(request, 201, found:access())
    end
  end
  body.secure = true
  local made = create_of(gateway, request, body, LIFETIME)
  if made and key then
    made.key = key
    gateway.asked[key] = made.id
  end
end

-- ---- /sandboxes/{id} ----

local verbs = {}

verbs["GET "] = function(_, request, found)
  answer.json(request, 200, found:detail())
end

verbs["DELETE "] = function(gateway, request, found)
  gateway:drop(found)
  answer.empty(request, 204)
end

local function with_timeout(request, default, called)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local seconds, err = wishes.timeout(body.timeout or body.duration, default)
  if not seconds then
    return answer.error(request, err)
  end
  local ok
  ok, err = called(seconds, body)
  if not ok then
    return answer.error(request, err)
  end
  return ok
end

verbs["POST /timeout"] = function(_, request, found)
  if with_timeout(request, nil, function(seconds) return found:extend(seconds) end) then
    answer.empty(request, 204)
  end
end

verbs["POST /refreshes"] = function(_, request, found)
  if with_timeout(request, LEAST, function(seconds)
    return os.time() + seconds <= found.ends_at or found:extend(math.max(seconds, LEAST))
  end) then
    answer.empty(request, 204)
  end
end

verbs["POST /connect"] = function(_, request, found)
  local was_paused = found:is_paused()
  local default = request.path:find("^/v2/") and LIFETIME or nil
  if with_timeout(request, default, function(seconds, body)
    if was_paused then
      return found:resume(seconds, body.memory ~= false)
    end
    return os.time() + seconds <= found.ends_at or found:extend(seconds)
  end) then
    answer.json(request, was_paused and 201 or 200, found:access())
  end
end

verbs["POST /resume"] = function(_, request, found)
  if not found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not paused"):format(found.id))
  elseif with_timeout(request, LEAST, function(seconds) return found:resume(seconds) end) then
    answer.json(request, 201, found:access())
  end
end

verbs["POST /pause"] = function(_, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is already paused"):format(found.id))
  end
  local ok, err = found:pause(body.memory ~= false)
  if not ok then
    return answer.error(request, err)
  end
  answer.empty(request, 204)
end

local function metric(found)
  local used, err = found.sandbox:get_metrics()
  if not used then
    return nil, err
  end
  local now, cpus = os.time(), math.max(math.ceil(used.cpu_count), 1)
  return { timestamp = shape.timestamp(now), timestampUnix = now, cpuCount = cpus,
    cpuUsedPct = used.cpu_used_pct / cpus, memUsed = used.memory_used,
    memTotal = used.memory_total, memCache = 0, diskUsed = used.disk_used,
    diskTotal = used.disk_total }
end

verbs["GET /metrics"] = function(_, request, found)
  local one, err = metric(found)
  if not one then
    return answer.error(request, err)
  end
  answer.json(request, 200, json.list({ one }))
end

verbs["GET /logs"] = function(_, request, found)
  local lines, entries = json.list(), json.list()
  for i, line in ipairs(found.logs) do
    local at = shape.timestamp(line.at)
    lines[i] = { timestamp = at, line = line.message }
    entries[i] = { timestamp = at, level = line.level, message = line.message,
      fields = line.fields }
  end
  answer.json(request, 200, { logs = request.path:find("^/v2/") and entries or lines,
    logEntries = entries })
end

verbs["PUT /network"] = function(_, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not running"):format(found.id))
  end
  local wanted, err = wishes.network(body.allow_internet_access, body)
  local ok
  if wanted then
    ok, err = found.sandbox:update_network(wanted)
  end
  if not ok then
    return answer.error(request, err)
  end
  found.given.network, found.given.internet = body, body.allow_internet_access ~= false
  answer.empty(request, 204)
end

verbs["POST /snapshots"] = function(gateway, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local kept, err = found.sandbox:create_snapshot({ name = shape.text(body.name) })
  if not kept then
    return answer.error(request, err)
  end
  gateway.snapshots[kept.id] = found.id
  answer.json(request, 201, { snapshotID = kept.id, names = json.list({ kept.name }) })
end

local function copy_of(given)
  local copy = {}
  for name, value in pairs(given) do
    copy[name] = value
  end
  return copy
end

verbs["POST /fork"] = function(gateway, request, found)
  local list = json.list()
  if found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not running"):format(found.id))
  elseif with_timeout(request, LEAST, function(seconds, body)
    local count = math.floor(shape.number(body.count) or 1)
    for i = 1, math.max(math.min(count, FORKS_MOST), 1) do
      local copy, err = found.sandbox:fork({ timeout = seconds })
      local given = copy_of(found.given)
      given.timeout = seconds
      list[i] = copy and { sandbox = add(gateway, copy, given):access() }
        or { error = { code = answer.status(err), message = err.message } }
    end
    return true
  end) then
    answer.json(request, 201, list)
  end
end

-- ---- all of it ----

local function answer_one(gateway, request, id, rest)
  local called = verbs[request.method .. " " .. rest]
  if not called then
    return answer.failure(request, 404, "no such path")
  end
  id = answer.decoded(id):match("^[^-]*")
  local found = gateway:find(id)
  if not found then
    return unknown(request, id)
  end
  return called(gateway, request, found)
end

local function many_metrics(gateway, request)
  local all = {}
  for id in (answer.form(request.query).sandbox_ids or ""):gmatch("[^,]+") do
    local found = gateway:find(id)
    all[id] = found and metric(found) or nil
  end
  answer.json(request, 200, { sandboxes = all })
end

local plain = {
  ["POST /sandboxes"] = create,
  ["POST /v2/sandboxes"] = create_again,
  ["GET /sandboxes"] = listing.old,
  ["GET /v2/sandboxes"] = listing.page,
  ["GET /sandboxes/metrics"] = many_metrics,
  ["GET /snapshots"] = listing.snapshots,
  ["GET /templates"] = templates.list,
  ["GET /v2/templates"] = templates.list,
}

local REFUSED = { "volumes", "volumecontent", "secrets", "teams", "api%-keys", "access%-tokens",
  "nodes", "admin" }

-- As OpenMetrics has it.
local function tell_metrics(gateway, request)
  local counts = { running = 0, paused = 0 }
  for _, one in pairs(gateway:living()) do
    local state = one:is_paused() and "paused" or "running"
    counts[state] = counts[state] + 1
  end
  request:reply(200, { { "Content-Type",
    "application/openmetrics-text; version=1.0.0; charset=utf-8" } },
    ("# TYPE codecell_sandboxes gauge\ncodecell_sandboxes{state=\"running\"} %d\n"
      .. "codecell_sandboxes{state=\"paused\"} %d\n# TYPE codecell_sandboxes_created counter\n"
      .. "codecell_sandboxes_created_total %d\n# TYPE codecell_requests counter\n"
      .. "codecell_requests_total %d\n# EOF\n"):format(counts.running, counts.paused,
      gateway.serial, gateway.requests))
end

--- Answer a request to the control plane.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function control.answer(gateway, request)
  local path = request.path
  if path == "/health" then
    return answer.json(request, 200, { status = "ok" })
  elseif uploads.answer(gateway, request) then
    return
  elseif gateway.key and not answer.is_same(request.headers["x-api-key"], gateway.key) then
    return answer.failure(request, 401, "Invalid API key")
  end
  local called = plain[request.method .. " " .. path]
  if called then
    return called(gateway, request)
  elseif path == "/metrics" then
    return tell_metrics(gateway, request)
  end
  local id, rest = path:gsub("^/v2", ""):match("^/sandboxes/([^/]+)(.*)$")
  if id then
    return answer_one(gateway, request, id, rest)
  elseif path:find("^/templates/?") or path:find("^/v%d/templates") then
    return templates.answer(gateway, request)
  end
  for _, name in ipairs(REFUSED) do
    if path:find("^/" .. name) then
      return answer.failure(request, 501, ("codecell serve keeps no %s"):format(
        (name:gsub("%%", ""))))
    end
  end
  answer.failure(request, 404, "no such path")
end

return control
