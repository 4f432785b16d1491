--- Building templates: what a client asks for, step by step, done in a sandbox of its own.
local answer = require "codecell.gateway.answer"
local build = require "codecell.template.build"
local codecell = require "codecell"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local keep = require "codecell.template.keep"
local naming = require "codecell.gateway.templates.naming"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local steps = require "codecell.gateway.templates.steps"
local store = require "codecell.template.store"
local task = require "codecell.task"
local wait = require "codecell.wait"

local building = {}

local BODY_MOST = 4194304 -- bytes
local TAGS_MOST = 20
local BUILDS_MOST = 1000 -- of one key that are remembered
local STORED_MOST = 68719476736 -- bytes of all templates and snapshots
local AT_ONCE = 4
local WAITING_MOST = 100
local LINES_MOST, LINE_MOST = 10000, 4096
local LOG_MOST = 1048576 -- bytes of what one build has said
local LOGS_MOST = 50 -- builds of one key that keep it
local CUT = "more was said than is kept"
local PAGE = 100
local MIB = 1048576
local MEMORY_LEAST, MEMORY_MOST = 128, 1048576 -- MiB
local LEVELS = { debug = 1, info = 2, warn = 3, error = 4 }

---@class codecell.GatewayBuild
---@field id string
---@field name string of the template, without a tag
---@field tags string[]
---@field owner string?
---@field status "waiting"|"building"|"ready"|"error"
---@field logs table[]
---@field logged integer bytes in them
---@field is_cut boolean? it has said more
---@field reason table?
---@field created_at integer
---@field updated_at integer

local function uuid(digits)
  return ("%s-%s-4%s-8%s-%s"):format(digits:sub(1, 8), digits:sub(9, 12), digits:sub(13, 15),
    digits:sub(16, 18), digits:sub(19, 30))
end

-- ---- asking for one ----

local function tags_of(body, first)
  local tags, seen = {}, {}
  if body.tags ~= nil and body.tags ~= json.null and not shape.table(body.tags) then
    return nil, errors.new("invalid_argument", "tags: a list was expected")
  end
  local function add(tag)
    if not seen[tag] then
      tags[#tags + 1], seen[tag] = tag, true
    end
  end
  add(first)
  for _, tag in ipairs(shape.table(body.tags) or {}) do
    if type(tag) ~= "string" or #tag > 128 or not tag:find("^%w[%w._-]*$") or #tags > TAGS_MOST then
      return nil, errors.new("invalid_argument",
        "tags: names of letters, digits, \".\", \"_\" and \"-\" expected")
    end
    add(tag)
  end
  return tags
end

--- Whether more may be kept: why it may not.
---@return string? problem
function building.problem()
  local size = 0
  for _, kind in ipairs({ "template", "snapshot" }) do
    for _, name in ipairs(store.names(kind) or {}) do
      size = size + ((store.read(name) or {}).size or 0)
    end
  end
  return size >= STORED_MOST and ("the templates and snapshots have %d GiB; delete some"):format(
    STORED_MOST / 2 ^ 30) or nil
end

-- Whether a name is free, or of whoever asks; what another is building is another's.
local function may_build(gateway, name, owner)
  for _, tag in ipairs((naming.all() or {})[name] or {}) do
    if not naming.may_change(store.read(naming.stored(name, tag)), owner) then
      return false
    end
  end
  for _, other in pairs(gateway.builds) do
    if other.name == name and other.owner ~= owner and other.status == "building" then
      return false
    end
  end
  return true
end

-- `first`: the tag that the name says, which alone is not the default where tags are given.
local function wanted_of(gateway, body, owner)
  local name, tag = naming.split(body.name or body.alias)
  if not name then
    return nil, tag
  elseif not store.is_name(naming.stored(name, tag)) then
    return nil, errors.new("invalid_argument", ("%s: a template's name has at most 64 letters, "
      .. "digits, \".\", \"_\" and \"-\", and no namespace"):format(name))
  elseif naming.is_plain(name) then
    return nil, errors.new("permission_denied", ("%s is no template of yours"):format(name))
  end
  if not may_build(gateway, name, owner) then
    return nil, errors.new("permission_denied", ("%s is no template of yours"):format(name))
  end
  local given = shape.table(body.tags) or {}
  local tags, err = tags_of(body, tag or given[1] or naming.TAG)
  if not tags then
    return nil, err
  end
  local memory, cpus = shape.number(body.memoryMB), shape.number(body.cpuCount)
  if memory and (memory < MEMORY_LEAST or memory > MEMORY_MOST) or cpus and cpus < 1 then
    return nil, errors.new("invalid_argument", ("memoryMB: from %d to %d; cpuCount: 1 or more")
      :format(MEMORY_LEAST, MEMORY_MOST))
  end
  return { name = name, tags = tags, cpus = cpus and math.floor(cpus),
    memory = memory and math.floor(memory) * MIB }
end

local function forget_oldest(gateway, owner)
  local list = {}
  for _, one in pairs(gateway.builds) do
    if one.status ~= "building" and one.owner == owner then
      list[#list + 1] = one
    end
  end
  table.sort(list, function(one, other) return one.serial < other.serial end)
  for i = 1, #list - LOGS_MOST do
    list[i].logs = {}
  end
  for i = 1, #list - BUILDS_MOST + 1 do
    gateway.builds[list[i].id] = nil
  end
end

--- Take the request for a build: `POST /v3/templates`.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function building.request(gateway, request)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local one, err = wanted_of(gateway, body, request.owner)
  if not one then
    return answer.error(request, err)
  end
  local problem = building.problem()
  if problem then
    return answer.failure(request, 507, problem)
  end
  forget_oldest(gateway, request.owner)
  gateway.builds_serial = gateway.builds_serial + 1
  one.id, one.status, one.logs, one.owner = uuid(answer.secret()), "waiting", {}, request.owner
  one.serial, one.created_at, one.updated_at = gateway.builds_serial, os.time(), os.time()
  one.logged = 0
  gateway.builds[one.id] = one
  answer.json(request, 202, { templateID = naming.id(one.name), buildID = one.id, public = false,
    names = json.list({ one.name }), aliases = json.list({ one.name }),
    tags = json.list(one.tags) })
end

-- ---- doing it ----

local function log(one, level, message, step)
  one.updated_at = os.time()
  message = json.repair(message:sub(1, LINE_MOST))
  if level == "info" and (#one.logs >= LINES_MOST or one.logged + #message > LOG_MOST) then
    if one.is_cut then
      return
    end
    one.is_cut, level, message = true, "warn", CUT
  end
  one.logged = one.logged + #message
  one.logs[#one.logs + 1] = { timestamp = shape.timestamp(os.time()), level = level,
    message = message, step = step }
end

-- What a step prints, a line at a time. It may print without end, and lines of any length, while
-- others wait: what is not kept is not looked at, and no pattern is tried from every place.
local function printer(one, at)
  local open = ""
  return function(text)
    local whole, rest = (open .. text):match("^(.*\n)(.*)$")
    open = (rest or open .. text):sub(-LINE_MOST)
    for line in (whole or ""):gmatch("([^\n]*)\n") do
      if one.is_cut then
        return
      end
      log(one, "info", (line:gsub("\r", "")), at.step)
    end
  end
end

local function base_of(gateway, body, owner)
  local image, template = shape.text(body.fromImage), shape.text(body.fromTemplate)
  if template and template ~= "" then
    local found, err = naming.find(template)
    if found and not (naming.may_see(found, owner)
      and gateway:may_use({ owner = owner }, found.name)) then
      found, err = nil, errors.new("not_found", ("template '%s' not found"):format(template))
    end
    return found and (found.stored or ""), err
  elseif image == nil or image == "" then
    return nil, errors.new("invalid_argument", "fromImage or fromTemplate is missing")
  end
  local plain = image:match("^e2bdev/([%w-]+):?[%w._-]*$")
  if gateway.images[image] then
    return gateway.images[image]
  elseif plain == "base" or plain == "code-interpreter" then
    return ""
  end
  return nil, errors.new("not_found", ("image '%s' is not here: no registry of images is asked; "
    .. "start codecell serve with --image %s=FOLDER, where the image was unpacked, or build from "
    .. "the template 'base'"):format(image:sub(1, 200), image:sub(1, 200)))
end

--- Keep the same home once more, under another tag.
---@param from string of the store
---@param to string
---@param id string of the build
---@return table? about
---@return codecell.Error? err
function building.keep_again(from, to, id)
  local sandbox, err = codecell.create({ template = from, network = "none" })
  if not sandbox then
    return nil, err
  end
  local about = {}
  for key, value in pairs(store.read(from) or {}) do
    about[key] = value
  end
  about.home, about.id, about.build = nil, nil, id
  local kept
  kept, err = keep.home(sandbox, to, about)
  sandbox:close()
  return kept, err
end

local function keep_tags(one)
  local first = naming.stored(one.name, one.tags[1])
  for i = 2, #one.tags do
    local ok, err = building.keep_again(first, naming.stored(one.name, one.tags[i]), one.id)
    if not ok then
      return nil, err
    end
  end
  return true
end

local function perform(gateway, one, body, list)
  local at = { step = "base" }
  local from, err = base_of(gateway, body, one.owner)
  local base
  if from then
    base, err = build.base(from ~= "" and from or nil)
  end
  if not base then
    return nil, err, at.step
  end
  local done
  done, err = build.perform(naming.stored(one.name, one.tags[1]), list, base, {
    limits = gateway.limits, network = gateway.network or "open",
    packages = gateway.network ~= "none",
    on_output = printer(one, at),
    on_step = function(i, count, text)
      at.step = list[i].number
      log(one, "info", ("[builder %d/%d] %s"):format(i, count, text), at.step)
      for _, note in ipairs(list[i].notes or {}) do
        log(one, "warn", note, at.step)
      end
    end,
    about = { build = one.id, owner = one.owner, cpus = one.cpus, memory = one.memory,
      public = false, start = list.start, ready = list.ready },
  })
  if done then
    done, err = keep_tags(one)
  end
  return done, err, err and err.step and at.step or "finalize"
end

-- It stands in a line with others: so many are done at a time.
local function take_turn(gateway)
  gateway.queued = gateway.queued + 1
  while gateway.building >= AT_ONCE do
    wait.key(gateway.builds)
  end
  gateway.queued, gateway.building = gateway.queued - 1, gateway.building + 1
end

local function refuse(one, message, step)
  log(one, "error", message, step)
  one.status, one.reason = "error", { message = message, step = step }
end

local function work(gateway, one, body, list)
  take_turn(gateway)
  log(one, "info", ("Building template %s"):format(naming.id(one.name)))
  local called, done, err, step = wait.call(perform, gateway, one, body, list)
  gateway.building = gateway.building - 1
  reactor.wake(gateway.builds)
  if not called then -- of this build alone: the line of the others goes on
    gateway:fault(("build %s: %s"):format(one.id, tostring(done)),
      { build = one.id, message = tostring(done) })
    return refuse(one, "the gateway has failed; what it says tells more", "finalize")
  end
  if done then
    log(one, "info", "Build finished")
    one.status = "ready"
    return
  end
  for line in (err.output or ""):sub(-LINE_MOST):gmatch("[^\n]+") do
    one.last = line
  end
  refuse(one, json.repair(err.message .. (one.last and ": " .. one.last or "")), step)
end

--- Begin a build that was asked for: `POST /v2/templates/{id}/builds/{build}`.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
---@param one codecell.GatewayBuild
function building.begin(gateway, request, one)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif one.status ~= "waiting" then
    return answer.failure(request, 400, ("build %s has begun already"):format(one.id))
  elseif gateway.queued >= WAITING_MOST then
    return answer.failure(request, 429, ("%d builds are waiting; try again later"):format(
      WAITING_MOST))
  end
  local list, err = steps.read(body, request.owner)
  if not list then
    return answer.error(request, err)
  elseif not may_build(gateway, one.name, one.owner) then -- another was faster
    return answer.failure(request, 403, ("%s is no template of yours"):format(one.name))
  end
  one.status = "building"
  if list.refusal then
    refuse(one, list.refusal.message, list.refusal.step)
  else
    task.background(work, gateway, one, body, list)
  end
  answer.json(request, 202, {})
end

-- ---- what is told of it ----

local function chosen(one, query)
  local least = LEVELS[query.level or ""] or 0
  local list = {}
  for _, entry in ipairs(one.logs) do
    if LEVELS[entry.level] >= least then
      list[#list + 1] = entry
    end
  end
  return list
end

local function number_of(text, default, most)
  local number = text and text:find("^%d+$") and #text < 10 and tonumber(text) or default
  return math.min(number, most)
end

--- How a build is: `GET /templates/{id}/builds/{build}/status`.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayBuild
function building.status(request, one)
  local query = answer.form(request.query)
  local all, entries, lines = chosen(one, query), json.list(), json.list()
  local from = number_of(query.logsOffset, 0, LINES_MOST)
  for i = from + 1, math.min(#all, from + number_of(query.limit, PAGE, PAGE)) do
    entries[#entries + 1], lines[#lines + 1] = all[i], all[i].message
  end
  answer.json(request, 200, { templateID = naming.id(one.name), buildID = one.id,
    status = one.status, logs = lines, logEntries = entries, reason = one.reason })
end

--- What a build has said: `GET /templates/{id}/builds/{build}/logs`.
---@param request codecell.IncomingRequest
---@param one codecell.GatewayBuild
function building.logs(request, one)
  local query = answer.form(request.query)
  local all, entries = chosen(one, query), json.list()
  local count = math.min(#all, number_of(query.limit, PAGE, 1000))
  for i = 1, count do
    entries[i] = query.direction == "backward" and all[#all - i + 1] or all[i]
  end
  answer.json(request, 200, { logs = entries })
end

--- One that is known of by its template alone: it was done before this program began.
---@param name string
---@param about table as the store has it
---@return codecell.GatewayBuild
function building.of_template(name, about)
  local id = about.build or uuid(core.digest("sha256"):update(about.id):finish())
  return { id = id, name = name, tags = {}, status = "ready", logs = {}, cpus = about.cpus,
    memory = about.memory, created_at = about.created_at, updated_at = about.created_at }
end

return building
