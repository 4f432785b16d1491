--- The gateway: E2B's API over the sandboxes of this machine.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local control = require "codecell.gateway.control"
local core = require "codecell.core"
local ended = require "codecell.gateway.ended"
local envd = require "codecell.gateway.envd"
local holding = require "codecell.gateway.holding"
local interpreter = require "codecell.gateway.interpreter"
local keys = require "codecell.gateway.keys"
local log = require "codecell.gateway.log"
local metrics = require "codecell.gateway.metrics"
local origin = require "codecell.gateway.origin"
local page = require "codecell.gateway.page"
local plane = require "codecell.e2b.plane"
local ports = require "codecell.gateway.ports"
local quota = require "codecell.gateway.quota"
local reactor = require "codecell.reactor"
local record = require "codecell.gateway.record"
local routing = require "codecell.gateway.routing"
local signed = require "codecell.gateway.envd.signed"
local store = require "codecell.template.store"
local uploads = require "codecell.gateway.templates.uploads"
local volume_content = require "codecell.gateway.volumes.content"
local volumes = require "codecell.gateway.volumes"
local wait = require "codecell.wait"

local gateway = {}

local RESUMED = 300 -- seconds that one lives which a request has resumed
local DAY = 86400
local SOON = 0.1 -- seconds that a timer may be early, by another clock
local DEBUG = "debug_sandbox_id" -- what the SDKs' debug mode calls its only sandbox
local CLOSE = { { "Connection", "close" }, { "Retry-After", "1" } }

---@class codecell.GatewayOptions
---@field keys {name: string, key: string}[]? whoever makes sandboxes must have one; nil: nobody
---must
---@field domain string? below which each port of a sandbox has a name
---@field names string[]? by which it may be asked where it has no keys, besides localhost
---@field network "none"|"open"|{allow: string[]}|nil what no sandbox reaches more than
---@field limits table? of a sandbox, as in create
---@field lifetime integer? seconds that a sandbox may be asked to live, at most
---@field quota table? as of `quota.new`
---@field audit codecell.Audit? where everything that its sandboxes do is recorded
---@field log (fun(line: string))? hears of each event as a line of JSON
---@field images table<string, string>? what stands for an image of a build; "": base
---@field volumes string? folder in which volumes are kept; nil: there are none
---@field is_secure boolean? it is reached by HTTPS
---@field problem fun(text: string) hears of what should not happen, where there is no log

---@class codecell.Gateway
---@field keys codecell.GatewayKeys?
---@field domain string?
---@field network "none"|"open"|{allow: string[]}|nil
---@field limits table?
---@field lifetime integer
---@field quota codecell.GatewayQuota
---@field metrics codecell.GatewayMetrics
---@field records table<string, codecell.GatewayRecord>
---@field ended codecell.GatewayEnded
---@field asked table<string, string> the sandbox that a request with a key of its own has made
---@field asking table<string, true> requests with a key of their own that make one now
---@field serial integer how many sandboxes it has made
---@field busy integer requests that are being answered
---@field is_draining boolean? it takes no more requests
---@field snapshots table<string, string> the sandbox that each was taken of
---@field owners table<string, string> of snapshots
---@field connections fun(): integer how many clients are connected
---@field images table<string, string> what stands for an image: a folder, or a template; "": base
---@field builds table<string, codecell.GatewayBuild> by id
---@field building integer how many are being done
---@field queued integer how many wait until others are done
---@field listeners table<string, integer> who is told what goes on, by owner
---@field places table<string, {final: string, owner: string}> where archives may be sent
---@field places_count table<string, integer> by owner
---@field spawns table<string, {count: integer, at: integer}> how often templates were used, by id
---@field secrets codecell.GatewaySecret[]
---@field volumes table<string, codecell.GatewayVolume> by id
---@field volumes_folder string? where they lie
---@field is_secure boolean? it is reached by HTTPS
---@field audit codecell.Audit? where everything is recorded
local Gateway = {}
Gateway.__index = Gateway

local function tell(self, event, about)
  if self.log then
    self.log(event, about)
  end
end

local function came(self, made)
  self.serial = self.serial + 1
  made.serial, made.visitors, made.gateway = self.serial, 0, self
  self.metrics:add("codecell_sandboxes_created")
  tell(self, "sandbox_created", { sandbox = made.id, key = made.owner,
    template = made.given.template })
end

--- A gateway without sandboxes.
---@param given codecell.GatewayOptions
---@return codecell.Gateway
function gateway.new(given)
  local self = setmetatable({ keys = given.keys and keys.new(given.keys), domain = given.domain,
    names = given.names or {}, network = given.network, limits = given.limits,
    lifetime = given.lifetime or DAY, quota = quota.new(given.quota or {}),
    metrics = metrics.new(), log = given.log and log.to(given.log), problem = given.problem,
    snapshots = {}, owners = {}, asked = {}, asking = {}, serial = 0, busy = 0, requests = 0,
    mark = core.random_id(6), connections = function() return 0 end, images = given.images or {},
    listeners = {}, builds = {}, builds_serial = 0, building = 0, queued = 0, places = {},
    places_count = {}, spawns = {}, secrets = {}, volumes = {}, volumes_count = 0,
    volumes_folder = given.volumes, audit = given.audit or nil, is_secure = given.is_secure,
    ended = ended.new() }, Gateway)
  volumes.load(self)
  self.records = setmetatable({}, { __newindex = function(records, id, made)
    rawset(records, id, made)
    came(self, made)
  end })
  return self
end

--- Tell the operator of what should not happen.
---@param text string
---@param about table of the event that tells it
function Gateway:fault(text, about)
  if self.log then
    self.log("problem", about)
  else
    self.problem(text)
  end
end

--- Hear of something that one of the sandboxes did, or had happen to it.
---@param one codecell.GatewayRecord
---@param event string
---@param about table?
function Gateway:hear(one, event, about)
  local told = { sandbox = one.id, key = one.owner }
  for name, value in pairs(about or {}) do
    told[name] = value
  end
  tell(self, event, told)
end

--- What a sandbox tells of itself, as what its policy has refused.
---@param one codecell.GatewayRecord
---@param event codecell.Event|codecell.InstallEvent
function Gateway:happened(one, event)
  one:hear(event)
  if event.type == "refused" then
    self.metrics:add("codecell_refusals", nil, event.times or 1)
    self:hear(one, "refused", { what = event.what, why = event.why, times = event.times })
  end
end

-- ---- its sandboxes ----

-- Why one has ended that nobody has ended.
local function reason(one)
  if not one.sandbox:_closed() then
    local _, err = one.sandbox:_state()
    if err and err.kind == "out_of_memory" then
      return "memory"
    end
  end
  return core.time() >= one.ends_at - SOON and "time" or "gone"
end

--- End one, and forget it.
---@param one codecell.GatewayRecord
---@param why string? default: somebody has asked for it
function Gateway:drop(one, why)
  self.records[one.id] = nil
  if one.key then
    self.asked[one.key] = nil
  end
  one:kill()
  why = why or "asked"
  ended.add(self.ended, one, why)
  self.metrics:add("codecell_sandboxes_ended", ('reason="%s"'):format(why))
  self:hear(one, "sandbox_ended", { reason = why })
end

--- All that are not over; what is left of the others is let go.
---@return table<string, codecell.GatewayRecord>
function Gateway:living()
  local gone = {}
  for id, one in pairs(self.records) do
    if not one:lives() then
      gone[#gone + 1] = id
    end
    one:forget_ended()
  end
  for _, id in ipairs(gone) do
    self:drop(self.records[id], reason(self.records[id]))
  end
  volumes.sweep(self)
  return self.records
end

--- The one of that id, if it is not over.
---@param id string
---@return codecell.GatewayRecord?
function Gateway:find(id)
  local found = self.records[id == DEBUG and self.debugged or id]
  if found and not found:lives() then
    self:living()
    return nil
  end
  return found
end

--- The one of that id, if it is of whoever asks: another's is as one that never was.
---@param request codecell.IncomingRequest
---@param id string
---@return codecell.GatewayRecord?
function Gateway:find_own(request, id)
  local found = self:find(id)
  return found and found.owner == request.owner and found or nil
end

--- Whether a template is for whoever asks: those of this machine are for all, a snapshot for its
--- owner, and one of which this gateway knows no owner for the operator.
---@param request codecell.IncomingRequest
---@param id string
---@return boolean
function Gateway:may_use(request, id)
  local owner = self.owners[id]
  if owner or not self.keys then
    return owner == request.owner
  end
  local about = store.is_name(id) and store.read(id)
  return request.owner == self.keys.first or not about or about.kind ~= "snapshot"
end

--- What a sandbox is limited to: what its template wants, within what any may have.
---@param wanted table? limits as of create
---@return table? limits
function Gateway:limits_of(wanted)
  if not self.limits then
    return wanted
  end
  local limits = {}
  for name, value in pairs(wanted or {}) do
    limits[name] = value
  end
  for name, most in pairs(self.limits) do
    limits[name] = math.min(limits[name] or most, most)
  end
  return limits
end

--- Make the sandbox of the SDKs' debug mode, which ask for none and have no token.
---@return string? id
---@return codecell.Error? err
function Gateway:debug()
  local made, err = codecell.create({ network = self.network or "open", timeout = DAY,
    limits = self.limits, audit = self.audit })
  if not made then
    return nil, err
  end
  self.records[made.id] = record.new(made, { template = "base", envs = {}, metadata = {},
    timeout = DAY, is_public = true, internet = self.network ~= "none",
    owner = self.keys and self.keys.first })
  self.debugged = made.id
  return made.id
end

-- ---- requests ----

local function answer_port(found, request, place)
  if place.port == plane.ENVD then
    return envd.answer(found, request)
  elseif found.traffic
    and not answer.is_same(request.headers["e2b-traffic-access-token"], found.traffic) then
    return answer.failure(request, 403, "A traffic access token is needed",
      { sandboxId = found.id })
  elseif place.port == plane.CODE then
    return interpreter.answer(found, request)
  end
  return ports.answer(found, request, place.port)
end

local function answer_sandbox(self, request, place)
  local found = self:find(place.id)
  request.meant = found
  if found and found:is_paused() and found.given.auto_resume then
    found:resume(RESUMED)
  end
  if not found or found:is_paused() then
    return answer.gone(request, place.id)
  elseif self.quota:enter(request, found) then
    request.visited = found
    return answer_port(found, request, place)
  end
end

-- Told to the operator alone: how much others do is not for everybody with a key.
local function answer_metrics(self, request)
  local given = request.headers["x-api-key"]
    or (request.headers.authorization or ""):match("^[Bb]earer +(%S+)$")
  if self.keys and self.keys:owner(given) ~= self.keys.first then
    return answer.failure(request, 401, "the metrics need the first API key")
  end
  local now = { paused = 0, running = 0, busy = self.busy, connections = self.connections() }
  for _, one in pairs(self:living()) do
    local state = one:is_paused() and "paused" or "running"
    now[state] = now[state] + 1
  end
  request:reply(200, { { "Content-Type", metrics.KIND } }, self.metrics:text(now))
end

local function answer_control(self, request)
  if request.path == "/metrics" and request.method == "GET" then
    return answer_metrics(self, request)
  elseif request.path == "/" and (request.method == "GET" or request.method == "HEAD") then
    return page.answer(self, request)
  elseif uploads.answer(self, request) -- whoever was told the place of one
    or volume_content.answer(self, request) then -- or has its token
    return
  elseif self.keys then
    request.owner = self.keys:owner(request.headers["x-api-key"])
    if not request.owner then
      return answer.failure(request, 401, "Invalid API key")
    end
  end
  local refusal = self.quota:request(request.owner)
  if refusal then
    return quota.refuse(request, refusal)
  end
  return control.answer(self, request)
end

-- For whoever watches it: that it is up, and not for long any more.
local function answer_health(self, request)
  if request.method ~= "GET" and request.method ~= "HEAD" then
    return answer.empty(request, 405, { { "Allow", "GET, HEAD" } })
  elseif self.is_draining then
    return answer.json(request, 503, { status = "draining" }, CLOSE)
  end
  answer.json(request, 200, { status = "ok" })
end

local function answer_all(self, request, fixed)
  local place, problem = fixed, nil
  if not fixed then
    place, problem = routing.find(request.headers)
  end
  request.place = place or nil
  if place == false and request.path == "/health" then
    return answer_health(self, request)
  elseif self.is_draining then
    return answer.failure(request, 503, "the gateway is about to end", nil, CLOSE)
  elseif request.method == "OPTIONS" then
    return answer.preflight(request)
  elseif fixed or place == false and not self.keys then
    local refusal = origin.problem(request.headers, self.names)
    if refusal then
      return answer.failure(request, 403, refusal)
    end
  end
  if place == nil then
    return answer.failure(request, 400, problem)
  elseif place == false then
    place, problem = signed.find(self, request)
    request.place = place
  end
  if problem then
    return quota.refuse(request, problem)
  elseif place then
    return answer_sandbox(self, request, place)
  end
  return answer_control(self, request)
end

local PLANES = { [plane.ENVD] = "envd", [plane.CODE] = "code" }
-- What is counted by what is asked for.
local COUNTED = { ["envd /process.Process/Start"] = "codecell_commands",
  ["code /execute"] = "codecell_cells" }

local function note(self, request, began)
  local name = request.place and (PLANES[request.place.port] or "port") or "control"
  local seconds = reactor.now() - began
  request.has_left = not request.is_broken_off and request:is_left()
  self.metrics:answered(name, request.status, { seconds = seconds, received = request.received,
    sent = request.sent })
  local counted = COUNTED[name .. " " .. request.path]
  if counted and request.method == "POST" and request.status == 200 then
    self.metrics:add(counted)
  end
  if request.limited then
    self.metrics:add("codecell_limited")
  end
  if self.log then
    self.log("request", log.of(request, name, seconds))
  end
end

-- The verbs of a sandbox that somebody has ended meanwhile raise.
local function went_meanwhile(self, request, one)
  if request.place then
    return answer.gone(request, one.id)
  end
  answer.failure(request, 404, ended.message(self.ended, one.id, request.owner))
end

local function give_up(self, request, problem)
  local may_answer = not request.has_started and not request:is_left()
  local has_gone = request.meant and not request.meant:lives()
  if has_gone and may_answer then
    return went_meanwhile(self, request, request.meant)
  elseif has_gone then
    return request:abort()
  end
  self:fault(("%s %s: %s"):format(request.method, request.path, tostring(problem)),
    { request = request.id, message = tostring(problem) })
  if may_answer then
    answer.failure(request, 500, "the gateway has failed; what it says tells more")
  else
    request:abort()
  end
end

--- Answer a request.
---@param request codecell.IncomingRequest
---@param fixed {id: string, port: integer}? where it goes, whatever it says
function Gateway:answer(request, fixed)
  local began = reactor.now()
  self.requests, self.busy = self.requests + 1, self.busy + 1
  request.id = ("%s-%d"):format(self.mark, self.requests)
  local ok, problem = wait.call(answer_all, self, request, fixed)
  if not ok then -- of this request alone: the sandboxes of others go on
    give_up(self, request, problem)
  end
  holding.done(request)
  if request.visited then
    quota.leave(request.visited)
  end
  self.busy = self.busy - 1
  note(self, request, began)
end

-- ---- its end ----

--- Take no more requests; those that came may end.
---@param seconds number that they may take
function Gateway:drain(seconds)
  local deadline = reactor.now() + seconds
  self.is_draining = true
  tell(self, "draining", { requests = self.busy, seconds = seconds })
  while self.busy > 0 and reactor.now() < deadline do
    codecell.step(deadline - reactor.now())
  end
end

--- End all sandboxes, and let whoever listens to them hear of it.
---@param seconds number that this may take
function Gateway:close(seconds)
  local deadline = reactor.now() + seconds
  local id, one = next(self.records)
  while id do -- one that is still being made may come in meanwhile
    one.is_stopped = true
    self:drop(one, "stopped")
    id, one = next(self.records)
  end
  while self.busy > 0 and reactor.now() < deadline do
    codecell.step(deadline - reactor.now())
  end
end

return gateway
