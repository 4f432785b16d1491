--- Templates of an account of E2B: what is known of them, their tags, and building them there.
local control = require "codecell.e2b.control"
local core = require "codecell.core"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local sorted = require "codecell.sorted"
local transport = require "codecell.e2b.transport"
local urls = require "codecell.http.url"
local wait = require "codecell.wait"

local template = {}

local MIB = 1048576
local PAUSE = 0.2 -- seconds between two looks at a build
local PAGE = 100 -- lines
local PIECE = 262144
local HOUR = 3600
local CPUS, MEMORY = 2, 1024 * MIB

local function path_of(id, rest)
  return "/templates/" .. urls.encode(id) .. (rest or "")
end

local function call(settings, what, method, path, body)
  local answer, err = transport.json(control.request(settings, what, method, path, body))
  if not answer then
    return nil, err
  end
  return answer
end

-- ---- what is known ----

local function build_of(given)
  local found = shape.table(given) or {}
  return { id = shape.text(found.buildID), state = shape.text(found.status),
    cpu_count = shape.number(found.cpuCount), memory = (shape.number(found.memoryMB) or 0) * MIB,
    created_at = shape.time(found.createdAt), finished_at = shape.time(found.finishedAt) }
end

---@return table? about
---@return codecell.Error? err kind "not_found"
function template.get(settings, id)
  local answer, err = call(settings, "template", "GET", path_of(id))
  local found = shape.table(answer)
  if not found or not shape.text(found.templateID) then
    return nil, err or failure.protocol("template", "no id of a template")
  end
  local builds = {}
  for i, one in ipairs(shape.table(found.builds) or {}) do
    builds[i] = build_of(one)
  end
  return { id = shape.text(found.templateID), names = shape.table(found.names) or {},
    public = shape.flag(found.public), created_at = shape.time(found.createdAt),
    updated_at = shape.time(found.updatedAt), spawn_count = shape.number(found.spawnCount),
    builds = builds }
end

---@return string[]? names
---@return codecell.Error? err
function template.publish(settings, id, is_public)
  local answer, err = call(settings, "publish_template", "PATCH", "/v2" .. path_of(id),
    { public = is_public })
  if not answer then
    return nil, err
  end
  return (shape.table(answer) or {}).names or {}
end

---@return {tag: string, build: string, created_at: number}[]? tags
---@return codecell.Error? err
function template.tags(settings, id)
  local answer, err = call(settings, "tags", "GET", path_of(id, "/tags"))
  if not answer then
    return nil, err
  end
  local list = {}
  for i, one in ipairs(shape.table(answer) or {}) do
    one = shape.table(one) or {}
    list[i] = { tag = shape.text(one.tag), build = shape.text(one.buildID),
      created_at = shape.time(one.createdAt) }
  end
  return list
end

---@return {build: string, tags: string[]}? assigned
---@return codecell.Error? err
function template.assign(settings, target, tags)
  local answer, err = call(settings, "assign_tags", "POST", "/templates/tags",
    { target = target, tags = json.list(tags) })
  if not answer then
    return nil, err
  end
  local found = shape.table(answer) or {}
  return { build = shape.text(found.buildID), tags = shape.table(found.tags) or {} }
end

---@return true? done
---@return codecell.Error? err
function template.unassign(settings, name, tags)
  local answer, err = call(settings, "remove_tags", "DELETE", "/templates/tags",
    { name = name, tags = json.list(tags) })
  return answer and true, err
end

-- ---- building ----

local function wrong(number, text)
  return nil, errors.new("invalid_argument", ("build_template: steps[%d]: %s"):format(number, text))
end

local readers = {}

function readers.run(step)
  return { type = "RUN", args = json.list({ step.run, step.user }) }
end

function readers.env(step)
  local args = json.list()
  for _, name in ipairs(sorted(step.env)) do
    args[#args + 1], args[#args + 2] = name, step.env[name]
  end
  return { type = "ENV", args = args }
end

function readers.workdir(step)
  return { type = "WORKDIR", args = json.list({ step.workdir }) }
end

function readers.user(step)
  return { type = "USER", args = json.list({ step.user }) }
end

-- The archive is named by what it holds and where that goes.
local function hash_of(step)
  local file, err = core.host_file(step.archive)
  if not file then
    return nil, err
  end
  local digest = core.digest("sha256"):update(("COPY %s %s\0"):format(step.copy, step.to))
  local piece = file:read(PIECE)
  while piece do
    digest:update(piece)
    piece = file:read(PIECE)
  end
  file:close()
  return digest:finish()
end

function readers.copy(step, number)
  if type(step.to) ~= "string" or type(step.archive) ~= "string" then
    return wrong(number, "copy needs `to` and `archive`, a tar stream packed with gzip")
  end
  local hash, err = hash_of(step)
  if not hash then
    return wrong(number, err.message)
  end
  return { type = "COPY", filesHash = hash, archive = step.archive, args = json.list({ step.copy,
    step.to, step.user or "", step.mode and ("%o"):format(step.mode) or "" }) }
end

local KINDS = { "run", "env", "workdir", "copy", "user" }
local TYPES = { env = "table" }

local function read_steps(given)
  local list = json.list()
  for number, step in ipairs(given or {}) do
    local kind
    for _, name in ipairs(KINDS) do
      local is_right = type(step) == "table" and type(step[name]) == (TYPES[name] or "string")
      kind = kind or is_right and name or nil
    end
    if not kind then
      return wrong(number, "one with run, env, workdir, copy or user expected")
    end
    local made, err = readers[kind](step, number)
    if not made then
      return nil, err
    end
    list[number] = made
  end
  return list
end

local function send(settings, url, path)
  local file, err = core.host_file(path)
  if not file then
    return nil, err
  end
  local size = file:size()
  local response
  response, err = transport.open({ what = "build_template: " .. path, method = "PUT", url = url,
    headers = { { "User-Agent", control.agent } }, length = size, timeout = HOUR, retries = 0,
    body = function() return file:read(PIECE) end, hidden = { settings.key() },
    on_request = settings.on_request })
  file:close()
  if response then
    response:close()
  end
  return response and true, err
end

-- Each archive that is not there yet.
local function send_all(settings, id, steps)
  for _, step in ipairs(steps) do
    if step.type == "COPY" then
      local answer, err = call(settings, "build_template", "GET",
        path_of(id, "/files/" .. step.filesHash))
      local found = shape.table(answer) or {}
      local url = shape.text(found.url)
      local ok = answer and (found.present == true or url)
      if ok and found.present ~= true then
        ok, err = send(settings, url, step.archive)
      end
      if not ok then
        return nil, err or failure.protocol("build_template", "no place for an archive")
      end
      step.archive = nil
    end
  end
  return true
end

local function rest()
  local token, till = {}, reactor.now() + PAUSE
  while reactor.now() < till do
    if not wait.key(token, till) and reactor.now() < till then
      return wait.failure("build_template", PAUSE)
    end
  end
end

local function failed(found)
  local reason = shape.table(found.reason) or {}
  local err = errors.new("invalid_argument", "build_template: "
    .. (failure.line(reason.message) ~= "" and failure.line(reason.message) or "it failed"))
  err.step = shape.text(reason.step)
  return err
end

--- How a build is, from a line of its log on.
---@return table? status as the control plane says it
---@return codecell.Error? err
function template.status(settings, id, build, offset)
  local answer, err = call(settings, "build_template", "GET", path_of(id, "/builds/"
    .. urls.encode(build) .. "/status") .. transport.query({ n = 4, "logsOffset", offset,
    "limit", PAGE }))
  if answer and not shape.table(answer) then
    return nil, failure.protocol("build_template", "no status")
  end
  return answer, err
end

local function follow(settings, id, build, given)
  local offset, deadline = 0, reactor.now() + (given.timeout or HOUR)
  while true do
    local found, err = template.status(settings, id, build, offset)
    if not found then
      return nil, err
    end
    local entries = shape.table(found.logEntries) or {}
    offset = offset + #entries
    for _, entry in ipairs(given.on_log and entries or {}) do
      given.on_log(shape.text((shape.table(entry) or {}).message) or "")
    end
    if #entries == 0 and found.status == "ready" then
      return true
    elseif #entries == 0 and found.status == "error" then
      return nil, failed(found)
    elseif reactor.now() >= deadline then
      return nil, errors.new("timeout", ("build_template: it is not done after %d s; pass a longer "
        .. "timeout, or look at the build %s later"):format(given.timeout or HOUR, build))
    end
    err = #entries == 0 and rest()
    if err then
      return nil, err
    end
  end
end

--- Build one, and wait for it.
---@return {id: string, build: string, names: string[], tags: string[]}? built
---@return codecell.Error? err
function template.build(settings, name, given)
  local steps, err = read_steps(given.steps)
  if not steps then
    return nil, err
  end
  local answer
  answer, err = call(settings, "build_template", "POST", "/v3/templates", { name = name,
    tags = given.tags and json.list(given.tags), cpuCount = given.cpu_count or CPUS,
    memoryMB = math.ceil((given.memory or MEMORY) / MIB) })
  local found = shape.table(answer) or {}
  local id, build = shape.text(found.templateID), shape.text(found.buildID)
  if not id or not build then
    return nil, err or failure.protocol("build_template", "no id of a build")
  end
  local ok
  ok, err = send_all(settings, id, steps)
  if ok then
    ok, err = call(settings, "build_template", "POST", "/v2" .. path_of(id, "/builds/"
      .. urls.encode(build)), { fromTemplate = given.from, fromImage = given.image,
      force = given.force == true, steps = steps, startCmd = given.start, readyCmd = given.ready })
  end
  if ok then
    ok, err = follow(settings, id, build, given)
  end
  if not ok then
    return nil, err
  end
  return { id = id, build = build, names = shape.table(found.names) or {},
    tags = shape.table(found.tags) or {} }
end

return template
