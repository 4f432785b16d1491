--- What goes on, as it happens: the sandboxes with their use, and what is told of them, as lines of
--- JSON for who has the key.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local quota = require "codecell.gateway.quota"
local reactor = require "codecell.reactor"
local record = require "codecell.gateway.record"
local wait = require "codecell.wait"

local live = {}

local EVERY = 1 -- seconds
local LEAST = 0.1 -- seconds between two looks, however much happens
local SHOWN_MOST = 200
local LISTENERS_MOST = 16 -- of one key: each is told all of it, again and again
local TOLD_MOST = 50 -- of what was said of one before anybody listened

local function line(value)
  return errors.assert(json.encode(value)) .. "\n"
end

-- Several who listen share what was measured, and others' measurements are left alone.
local function use_of(one)
  local known = one.use
  if one:is_paused() or known and reactor.now() - known.at < EVERY * 0.9 then
    return known or {}
  end
  local found = one.sandbox._backend.ask(one.sandbox, "get_metrics", "metrics")
  if not found then
    return {}
  end
  local now = reactor.now()
  local passed = known and now - known.at or core.time() - one.started_at
  local spent = found.cpu_seconds - (known and known.cpu_seconds or 0)
  found.at, found.cpu_used = now, math.max(spent, 0) / math.max(passed, 0.1) * 100
  one.use = found
  return found
end

local function network_of(one)
  local wanted = one.sandbox._about.network
  if type(wanted) == "string" then
    return wanted
  end
  return #(wanted.allow or {}) > 0 and "some" or "none"
end

local function shown(one)
  local use = use_of(one)
  return {
    id = one.id, template = one.given.template, metadata = one.given.metadata,
    state = one:is_paused() and "paused" or "running", network = network_of(one),
    startedAt = one.started_at, endsAt = one.ends_at, cpuUsed = use.cpu_used,
    memoryUsed = use.memory, memoryTotal = one.sandbox._limits.memory,
    diskUsed = use.disk_used, diskTotal = use.disk_total, processes = use.processes,
  }
end

-- Those that whoever asks may see, the newest first.
local function seen_by(gateway, request)
  local list = {}
  for _, one in pairs(gateway:living()) do
    if one.owner == request.owner then
      list[#list + 1] = one
    end
  end
  table.sort(list, function(left, right) return left.serial > right.serial end)
  return list
end

-- What was told of each since the last look; `told` has the number of the last line of each.
local function news_of(list, told)
  local lines, still = {}, {}
  for _, one in ipairs(list) do
    local last = told[one.id] or one.told - TOLD_MOST
    for _, entry in ipairs(one.logs) do
      if entry.number > last then
        lines[#lines + 1] = line({ type = "log", sandbox = one.id, number = entry.number,
          at = entry.at, level = entry.level, message = entry.message, fields = entry.fields })
      end
    end
    still[one.id] = one.told
  end
  return table.concat(lines), still
end

local function list_line(list)
  local sandboxes = json.list()
  for i = 1, math.min(#list, SHOWN_MOST) do
    if list[i]:lives() then
      sandboxes[#sandboxes + 1] = shown(list[i])
    end
  end
  return line({ type = "sandboxes", at = core.time(), count = #list, sandboxes = sandboxes })
end

local function hello()
  local languages = json.list(codecell.languages.available())
  return line({ type = "hello", version = codecell._VERSION, languages = languages,
    cpuCount = core.cpu_count() })
end

local function tell(gateway, request)
  request:end_with_client()
  local ok = request:start(200, answer.headers("application/x-ndjson",
    { { "Cache-Control", "no-store" } })) and request:write(hello())
  local told = {}
  while ok do
    local list, count = seen_by(gateway, request), record.news.count
    local news, last = news_of(list, told)
    told = last
    ok = request:write(list_line(list) .. news)
    local now = reactor.now()
    wait.key(nil, now + LEAST)
    if record.news.count == count then
      wait.key(record.news, now + EVERY)
    end
    ok = ok and not wait.task().cancelled and not gateway.is_draining
  end
  request:abort()
end

--- Tell it until the client goes away.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function live.answer(gateway, request)
  local owner = request.owner or ""
  local count = gateway.listeners[owner] or 0
  if count >= LISTENERS_MOST then
    return quota.refuse(request, { message = ("%d pages of this key are told already"):format(
      count), limit = LISTENERS_MOST, seconds = 1 })
  end
  gateway.listeners[owner] = count + 1
  local ok, problem = wait.call(tell, gateway, request)
  gateway.listeners[owner] = gateway.listeners[owner] - 1
  if not ok then
    error(problem, 0)
  end
end

return live
