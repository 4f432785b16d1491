--- The control plane: making, finding and ending sandboxes.
local answer = require "codecell.gateway.answer"
local building = require "codecell.gateway.templates.building"
local core = require "codecell.core"
local ended = require "codecell.gateway.ended"
local errors = require "codecell.errors"
local json = require "codecell.json"
local live = require "codecell.gateway.control.live"
local listing = require "codecell.gateway.control.listing"
local quota = require "codecell.gateway.quota"
local reach = require "codecell.gateway.control.reach"
local reactor = require "codecell.reactor"
local record = require "codecell.gateway.record"
local shape = require "codecell.e2b.shape"
local start = require "codecell.template.start"
local telling = require "codecell.gateway.control.telling"
local templates = require "codecell.gateway.templates"
local urls = require "codecell.http.url"
local vault = require "codecell.gateway.vault"
local volumes = require "codecell.gateway.volumes"
local wait = require "codecell.wait"
local wishes = require "codecell.gateway.control.wishes"

local control = {}

local BODY_MOST = 1048576 -- bytes
local LIFETIME = 300 -- seconds
local LEAST = 15 -- seconds that a refresh gives
local REFRESH_MOST = 3600 -- seconds
local FORKS_MOST = 100
local SNAPSHOTS_MOST = 1000 -- of one key

local function add(gateway, sandbox, given, owner)
  given.domain, given.cpus, given.owner = gateway.domain, core.cpu_count(), owner
  local made = record.new(sandbox, given)
  gateway.records[made.id] = made
  local used = gateway.spawns[given.template] or { count = 0 }
  used.count, used.at, gateway.spawns[given.template] = used.count + 1, os.time(), used
  telling.begin(gateway)
  return made
end

-- ---- /sandboxes ----

-- The sandbox with what its template starts in it; without a sandbox, the error.
local function started(sandbox, given, err)
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

local function begin(gateway, wanted, given)
  local sandbox, err = reach.create(wanted, gateway.network)
  return started(sandbox, given, err)
end

-- Make one for whoever asks; what happens to it, and to copies of it, is told.
local function make(gateway, request, wanted, given)
  wanted.limits = gateway:limits_of(wanted.limits)
  wanted.audit = gateway.audit and gateway.audit:of(request.owner)
  wanted.on_event = function(event)
    local found = gateway.records[event.sandbox]
    if found then
      gateway:happened(found, event)
    end
  end
  local sandbox, err = begin(gateway, wanted, given)
  if not sandbox then
    return nil, err
  elseif request:is_left() then -- nobody will ever know its id
    sandbox:close()
    return nil
  end
  return add(gateway, sandbox, given, request.owner)
end

-- What a request wants of a sandbox, with the secrets and volumes that it names.
local function read(gateway, request, body, lifetime)
  local said = body.network
  local network, err = vault.fill(gateway, said, request.owner)
  if network == nil and said ~= nil then
    return nil, err
  end
  body.network = network
  local given, wanted = wishes.read(body, lifetime, gateway.lifetime)
  if not given then
    return nil, wanted
  elseif given.template_owner and given.template_owner ~= request.owner then
    return nil, errors.new("not_found", ("template '%s' not found"):format(given.alias))
  end
  given.network = shape.table(said)
  wanted.mounts, err = volumes.mounts(gateway, body.volumeMounts, request.owner)
  if err then
    return nil, err
  end
  given.volumes = wanted.mounts and body.volumeMounts
  return given, wanted
end

local function create_of(gateway, request, body, lifetime)
  local given, wanted = read(gateway, request, body, lifetime)
  if not given then
    return answer.error(request, wanted)
  elseif not gateway:may_use(request, given.template) then
    return answer.failure(request, 404, ("template '%s' not found"):format(given.template))
  end
  local refusal = gateway.quota:make(request.owner, gateway)
  if refusal then
    return quota.refuse(request, refusal)
  end
  local ok, made, err = wait.call(make, gateway, request, wanted, given)
  gateway.quota:made(request.owner)
  if not ok then
    error(made, 0)
  elseif err then
    return answer.failure(request, err.kind == "limit_exceeded" and 429
      or (err.stage or err.kind == "system") and 503 or answer.status(err), err.message)
  elseif made then
    answer.json(request, 201, made:access())
  end
  return made
end

local function create(gateway, request)
  local body = answer.body(request, BODY_MOST)
  if body then
    create_of(gateway, request, body)
  end
end

-- Whoever asks again while it is still being made waits for it.
local function made_for(gateway, key)
  while gateway.asking[key] do
    wait.key(gateway.asking)
  end
  return gateway.asked[key] and gateway:find(gateway.asked[key])
end

local function create_for(gateway, key, request, body)
  gateway.asking[key] = true
  local ok, made = wait.call(create_of, gateway, request, body, LIFETIME)
  if ok and made then
    made.key, gateway.asked[key] = key, made.id
  end
  gateway.asking[key] = nil
  reactor.wake(gateway.asking)
  if not ok then
    error(made, 0)
  end
end

-- The second version: always with a token, and the same key gets the same sandbox.
local function create_again(gateway, request)
  local body = answer.body(request, BODY_MOST)
  local key = shape.text(request.headers["idempotency-key"])
  if not body then
    return
  end
  body.secure = true
  if not key then
    return create_of(gateway, request, body, LIFETIME)
  end
  key = (request.owner or "") .. "\n" .. key
  local found = made_for(gateway, key)
  if found then
    return answer.json(request, 201, found:access())
  end
  return create_for(gateway, key, request, body)
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

-- One that has ended while it was asked for is answered as one that has ended before.
local function refuse(gateway, request, err)
  if not answer.is_gone(err) then
    return answer.error(request, err)
  end
  gateway:living() -- notes how it has ended
  answer.failure(request, 404, ended.message(gateway.ended, request.meant.id, request.owner))
end

-- `about`: `default`, and what else of the field `name` ("timeout") is not usual.
local function with_timeout(gateway, request, about, called)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local seconds, err = wishes.timeout(body[about.name or "timeout"],
    { default = about.default, may_be_none = about.may_be_none, most = gateway.lifetime })
  if seconds and seconds > (about.most or seconds) then
    return answer.failure(request, 400, ("%s: at most %d seconds"):format(about.name, about.most))
  end
  if not seconds then
    return refuse(gateway, request, err)
  end
  local ok
  ok, err = called(seconds, body)
  if not ok then
    return refuse(gateway, request, err)
  end
  return ok
end

-- Only what runs has a time that can be moved.
local function is_asleep(request, found)
  if found:is_paused() then
    answer.failure(request, 404, ("Sandbox %s is paused: connect to it first"):format(found.id))
    return true
  end
end

verbs["POST /timeout"] = function(gateway, request, found)
  if not is_asleep(request, found) and with_timeout(gateway, request, { may_be_none = true },
    function(seconds) return found:extend(seconds) end) then
    answer.empty(request, 204)
  end
end

verbs["POST /refreshes"] = function(gateway, request, found)
  if not is_asleep(request, found) and with_timeout(gateway, request, { name = "duration",
    default = LEAST, may_be_none = true, most = REFRESH_MOST }, function(seconds)
    return core.time() + seconds <= found.ends_at or found:extend(math.max(seconds, LEAST))
  end) then
    answer.empty(request, 204)
  end
end

verbs["POST /connect"] = function(gateway, request, found)
  local was_paused = found:is_paused()
  local about = { default = request.path:find("^/v2/") and LIFETIME or nil, may_be_none = true }
  if with_timeout(gateway, request, about, function(seconds, body)
    if was_paused then
      return found:resume(seconds, body.memory ~= false)
    end
    return core.time() + seconds <= found.ends_at or found:extend(seconds)
  end) then
    answer.json(request, was_paused and 201 or 200, found:access())
  end
end

verbs["POST /resume"] = function(gateway, request, found)
  if not found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not paused"):format(found.id))
  elseif with_timeout(gateway, request, { default = LEAST, may_be_none = true },
    function(seconds, body) return found:resume(seconds, body.memory ~= false) end) then
    answer.json(request, 201, found:access())
  end
end

verbs["POST /pause"] = function(gateway, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is already paused"):format(found.id))
  end
  local ok, err = found:pause(body.memory ~= false)
  if not ok then
    return refuse(gateway, request, err)
  end
  answer.empty(request, 204)
end

verbs["GET /metrics"] = function(_, request, found)
  telling.metrics(request, found)
end

verbs["GET /logs"] = function(_, request, found)
  local tell = request.path:find("^/v2/") and telling.logs or telling.old_logs
  tell(request, found)
end

verbs["PUT /network"] = function(gateway, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not running"):format(found.id))
  end
  local filled, err = vault.fill(gateway, body, request.owner)
  local wanted
  if filled then
    wanted, err = reach.read(body.allow_internet_access, filled)
  end
  if not wanted then
    return refuse(gateway, request, err)
  end
  local given = found.given
  local network, internet = given.network, given.internet
  -- First: a secret that changes meanwhile is filled into these rules.
  given.network, given.internet = body, body.allow_internet_access ~= false
  local ok
  ok, err = reach.set(found.sandbox, wanted, gateway.network)
  if not ok then
    given.network, given.internet = network, internet
    return refuse(gateway, request, err)
  end
  answer.empty(request, 204)
end

-- Why an owner may not keep another one.
local function too_many(gateway, owner)
  local count = 0
  for id in pairs(gateway.snapshots) do
    count = count + (gateway.owners[id] == owner and 1 or 0)
  end
  return count >= SNAPSHOTS_MOST and ("there are %d snapshots of this key; delete some"):format(
    count) or building.problem()
end

verbs["POST /snapshots"] = function(gateway, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local name = body.name ~= json.null and body.name or nil
  local wanted, err = wishes.check("snapshots", { name = name }, { name = { type = "name" } })
  local problem = wanted and too_many(gateway, request.owner)
  if problem then
    return answer.failure(request, 507, problem)
  end
  local kept
  if wanted then
    kept, err = found.sandbox:create_snapshot(wanted)
  end
  if not kept then
    return refuse(gateway, request, err)
  end
  gateway.snapshots[kept.id], gateway.owners[kept.id] = found.id, request.owner
  answer.json(request, 201, { snapshotID = kept.id, names = json.list({ kept.name }) })
end

local function copy_of(given)
  local copy = {}
  for name, value in pairs(given) do
    copy[name] = value
  end
  return copy
end

-- A copy, as the answer tells of it.
local function fork(gateway, request, found, seconds)
  local refusal = gateway.quota:make(request.owner, gateway)
  if refusal then
    return { error = { code = 429, message = refusal.message } }
  end
  local ok, copy, err = wait.call(found.sandbox.fork, found.sandbox, { timeout = seconds })
  gateway.quota:made(request.owner)
  if not ok then
    error(copy, 0)
  end
  local given = copy_of(found.given)
  given.timeout = seconds
  copy, err = started(copy, given, err) -- what runs is not copied
  if not copy then
    return { error = { code = answer.status(err), message = err.message } }
  end
  return { sandbox = add(gateway, copy, given, request.owner):access() }
end

verbs["POST /fork"] = function(gateway, request, found)
  local list = json.list()
  if found:is_paused() then
    return answer.failure(request, 409, ("Sandbox %s is not running"):format(found.id))
  elseif with_timeout(gateway, request, { default = LEAST }, function(seconds, body)
    local count = (body.count == nil or body.count == json.null) and 1 or shape.number(body.count)
    if not count or count < 1 or count > FORKS_MOST or count % 1 ~= 0 then
      return nil, errors.new("invalid_argument",
        ("count: a number from 1 to %d was expected"):format(FORKS_MOST))
    end
    for i = 1, count do
      list[i] = fork(gateway, request, found, seconds)
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
  id = urls.decode(id):match("^[^-]*")
  local found = gateway:find_own(request, id)
  if not found then
    return answer.failure(request, 404, ended.message(gateway.ended, id, request.owner))
  end
  request.meant = found
  return called(gateway, request, found)
end

local function many_metrics(gateway, request)
  telling.many_metrics(request, function(id) return gateway:find_own(request, id) end)
end

local plain = {
  ["POST /sandboxes"] = create,
  ["POST /v2/sandboxes"] = create_again,
  ["GET /sandboxes"] = listing.old,
  ["GET /v2/sandboxes"] = listing.page,
  ["GET /sandboxes/metrics"] = many_metrics,
  ["GET /snapshots"] = listing.snapshots,
  ["GET /codecell/live"] = live.answer,
  ["GET /templates"] = templates.list,
  ["GET /v2/templates"] = templates.list,
}

local REFUSED = { "teams", "api%-keys", "access%-tokens", "nodes", "admin" }

--- Answer a request to the control plane, of which is known whose it is.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function control.answer(gateway, request)
  local path = request.path
  local called = plain[request.method .. " " .. path]
  if called then
    return called(gateway, request)
  end
  local id, rest = path:gsub("^/v2", ""):match("^/sandboxes/([^/]+)(.*)$")
  if id then
    return answer_one(gateway, request, id, rest)
  elseif path:find("^/templates/?") or path:find("^/v%d/templates") then
    return templates.answer(gateway, request)
  elseif path:find("^/volumes/?") then
    return volumes.answer(gateway, request)
  elseif path:find("^/secrets/?") then
    return vault.answer(gateway, request)
  end
  if path == "/access-tokens" and request.method == "POST" then
    return answer.failure(request, 410, "access tokens are no more: use a key")
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
