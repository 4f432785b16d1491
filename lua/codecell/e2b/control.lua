--- The control plane of E2B: making, finding and ending sandboxes.
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local fields = require "codecell.http.fields"
local json = require "codecell.json"
local shape = require "codecell.e2b.shape"
local sorted = require "codecell.sorted"
local transport = require "codecell.e2b.transport"
local urls = require "codecell.http.url"

local control = {}

local MIB = 1048576
local LEAST_ENVD = "0.1.0" -- anything older cannot be spoken to
local MOMENT = 0.1 -- seconds

-- It says who asks: a server looks at it, and gets no other name than ours.
control.agent = "codecell-lua/0.1"

local function headers_of(settings, has_body)
  local list = { { "User-Agent", control.agent } }
  if settings.key() then
    list[#list + 1] = { "X-API-KEY", settings.key() }
  end
  if has_body then
    list[#list + 1] = { "Content-Type", "application/json" }
  end
  return list
end

--- A request to the control plane.
---@param settings codecell.E2bSettings
---@param what string begins the message of an error
---@param method string
---@param path string with its query
---@param body table? becomes JSON
---@return codecell.E2bRequest
function control.request(settings, what, method, path, body)
  return {
    what = what, method = method, url = settings.api_url .. path,
    headers = headers_of(settings, body ~= nil),
    body = body and transport.body(body), timeout = settings.request_timeout,
    retries = settings.max_retries, hidden = { settings.key() }, on_request = settings.on_request,
    is_safe = method ~= "POST",
  }
end

local function call(settings, what, method, path, body)
  return transport.json(control.request(settings, what, method, path, body))
end

--- Where a sandbox is in the control plane.
---@param id string
---@param rest string?
---@return string path
function control.path(id, rest)
  return "/sandboxes/" .. urls.encode(id) .. (rest or "")
end

-- ---- what a sandbox is ----

---@class codecell.E2bRecord what the control plane says of a sandbox that can be spoken to
---@field id string
---@field template string?
---@field domain string?
---@field version string of envd
---@field token fun(): string? for envd
---@field traffic fun(): string? for its ports, where they are not public

local function token(value)
  local found = shape.text(value)
  if found == "" or found and not fields.is_value(found) then
    found = nil
  end
  return function() return found end
end

local function domain_of(value)
  local found = shape.text(value)
  return found and found:find("^[%w.:-]+$") and found or nil
end

---@param what string
---@param answer any
---@return codecell.E2bRecord? record
---@return codecell.Error? err kind "protocol"
function control.record(what, answer)
  local found = shape.table(answer) or {}
  local id = shape.text(found.sandboxID)
  if not id or not id:find("^[%w-]+$") then
    return nil, failure.protocol(what, "no id of a sandbox")
  end
  return {
    id = id:match("^[^-]+") or id, template = shape.text(found.templateID),
    domain = domain_of(found.domain), version = shape.text(found.envdVersion) or "",
    token = token(found.envdAccessToken), traffic = token(found.trafficAccessToken),
  }
end

local function limit(by, value, unit)
  local number = shape.number(value)
  return number and { value = number * (unit or 1), by = by } or nil
end

-- E2B says nothing of it; a server of local sandboxes does.
local function isolation_of(found)
  local told = shape.text(found.isolation)
  return (told == "kernel" or told == "container") and told or "microvm"
end

local function network_of(found)
  local rules = shape.table(found.network)
  if rules and (shape.table(rules.allowOut) or shape.table(rules.denyOut)) then
    return { allow = shape.list_of_texts(rules.allowOut),
      deny = shape.list_of_texts(rules.denyOut) }
  end
  return found.allowInternetAccess == false and "none" or "open"
end

--- The languages that its code interpreter has.
---@return string[]
function control.languages()
  return { "python", "javascript", "typescript", "r", "java", "bash" }
end

-- Seconds from its start to its end. Its lifetime is asked for in whole ones, and the two times are
-- taken a moment apart.
local function lifetime(started, ends)
  local seconds = math.max(ends - started, 0)
  local near = math.floor(seconds + 0.5)
  return math.abs(seconds - near) < MOMENT and near or seconds
end

--- What is known of a sandbox, as `get_info` and `list` give it.
---@param found table of the control plane
---@return codecell.SandboxInfo
function control.info(found)
  local started, ends = shape.time(found.startedAt) or 0, shape.time(found.endAt) or 0
  local id = shape.text(found.sandboxID) or ""
  local isolation = isolation_of(found)
  return {
    id = id:match("^[^-]+") or id, backend = "e2b", template = shape.text(found.templateID),
    alias = shape.text(found.alias), state = shape.text(found.state) or "running",
    started_at = started, end_at = ends, timeout = lifetime(started, ends),
    metadata = shape.texts(found.metadata), isolation = isolation, network = network_of(found),
    limits = { cpu = limit(isolation, found.cpuCount),
      memory = limit(isolation, found.memoryMB, MIB),
      disk = limit(isolation, found.diskSizeMB, MIB) },
    languages = control.languages(),
    envd_version = shape.text(found.envdVersion),
  }
end

-- ---- verbs ----

local function too_old(settings, record)
  if shape.version(record.version) >= shape.version(LEAST_ENVD) then
    return nil
  end
  control.kill(settings, "create", record.id)
  local err = errors.new("unsupported", ("create: the template %s has envd %s, older than %s")
    :format(record.template or "", record.version, LEAST_ENVD), "build the template again")
  err.cause = "template"
  return err
end

--- Make a sandbox.
---@param settings codecell.E2bSettings
---@param body table
---@param mask userdata? what hides the secrets in it
---@param private string[] what else in it nobody may see
---@return codecell.E2bRecord? record
---@return codecell.Error? err with `cause` "network" where nobody was reached, or what came back
---was no answer
function control.create(settings, body, mask, private)
  local what = "Sandbox creation failed"
  local request = control.request(settings, what, "POST", "/sandboxes", body)
  request.hidden.mask = mask
  for _, value in ipairs(private) do
    request.hidden[#request.hidden + 1] = value
  end
  local answer, err = transport.json(request)
  local record
  if answer then
    record, err = control.record(what, answer)
  end
  if not record then
    err.cause = not err.status and err.kind ~= "cancelled" and "network" or nil
    return nil, err
  end
  err = too_old(settings, record)
  if err then
    return nil, err
  end
  return record
end

--- Reach a sandbox, which goes on if it was paused, and lives that long from now at least.
---@param settings codecell.E2bSettings
---@param what string
---@param id string
---@param timeout number seconds
---@return codecell.E2bRecord? record
---@return codecell.Error? err kind "not_found"
function control.connect(settings, what, id, timeout)
  local request = control.request(settings, what, "POST", control.path(id, "/connect"),
    { timeout = math.ceil(timeout) })
  request.is_safe = true -- a second one changes nothing
  local answer, err = transport.json(request)
  if not answer then
    return nil, err
  end
  return control.record(what, answer)
end

--- What is known of a sandbox.
---@param settings codecell.E2bSettings
---@param what string
---@param id string
---@return table? found as the control plane says it
---@return codecell.Error? err kind "not_found"
function control.get(settings, what, id)
  local answer, err = call(settings, what, "GET", control.path(id))
  if answer and not shape.text((shape.table(answer) or {}).sandboxID) then
    return nil, failure.protocol(what, "no id of a sandbox")
  end
  return answer, err
end

-- A verb of a sandbox without an answer. false: the status that says that it is so already.
local function act(settings, what, method, path, body, already)
  local request = control.request(settings, what, method, path, body)
  local answer, err = transport.json(request)
  if answer then
    return true
  elseif already and err.status == already then
    return request.may_have_run == true -- then it was this that has made it so
  end
  return nil, err
end

---@return boolean? killed false if there was none
---@return codecell.Error? err
function control.kill(settings, what, id)
  return act(settings, what, "DELETE", control.path(id), nil, 404)
end

---@return true? done
---@return codecell.Error? err
function control.set_timeout(settings, what, id, seconds)
  local request = control.request(settings, what, "POST", control.path(id, "/timeout"),
    { timeout = math.ceil(seconds) })
  request.is_safe = true
  local answer, err = transport.json(request)
  return answer and true, err
end

---@param keep_memory boolean false: files stay, processes do not
---@return boolean? paused false if it was
---@return codecell.Error? err
function control.pause(settings, what, id, keep_memory)
  return act(settings, what, "POST", control.path(id, "/pause"), { memory = keep_memory }, 409)
end

---@param body table as the control plane takes it; what is left out is cleared
---@param private string[] what in it nobody may see
---@return true? done
---@return codecell.Error? err
function control.update_network(settings, what, id, body, private)
  local request = control.request(settings, what, "PUT", control.path(id, "/network"), body)
  for _, value in ipairs(private) do
    request.hidden[#request.hidden + 1] = value
  end
  local answer, err = transport.json(request)
  return answer and true, err
end

---@param from number? seconds since 1970
---@param to number?
---@return table[]? list oldest first, as the control plane says it
---@return codecell.Error? err
function control.metrics(settings, what, id, from, to)
  local answer, err = call(settings, what, "GET", control.path(id, "/metrics") .. transport.query({
    n = 4, "start", from and ("%.0f"):format(math.floor(from)),
    "end", to and ("%.0f"):format(math.ceil(to)) }))
  if not answer then
    return nil, err
  end
  local list = {}
  for _, one in ipairs(shape.table(answer) or {}) do
    list[#list + 1] = shape.table(one)
  end
  return list
end

---@return table? snapshot {id, names}
---@return codecell.Error? err
function control.snapshot(settings, what, id, name)
  local answer, err = call(settings, what, "POST", control.path(id, "/snapshots"), { name = name })
  if not answer then
    return nil, err
  end
  local found = shape.table(answer) and shape.text(answer.snapshotID)
  if not found then
    return nil, failure.protocol(what, "no id of a snapshot")
  end
  return { id = found, names = shape.list_of_texts(answer.names) }
end

---@param timeout number seconds
---@return codecell.E2bRecord? record of the copy
---@return codecell.Error? err
function control.fork(settings, what, id, timeout)
  local answer, err = call(settings, what, "POST", control.path(id, "/fork"),
    { timeout = math.ceil(timeout), count = 1 })
  if not answer then
    return nil, err
  end
  local first = shape.table(answer[1]) or {}
  if shape.table(first.error) then
    return nil, failure.of_error(what, first.error, { settings.key() })
  end
  return control.record(what, first.sandbox)
end

-- ---- lists ----

-- Three layers, as the server takes them off: each key and value, the form, the query.
local function filter(metadata)
  if not metadata then
    return nil
  end
  local names, pieces = sorted(metadata), {}
  local function twice(text)
    return urls.encode(urls.encode(text))
  end
  for _, name in ipairs(names) do
    pieces[#pieces + 1] = twice(name) .. "=" .. twice(metadata[name])
  end
  return #pieces > 0 and table.concat(pieces, "&") or nil
end

--- One page of a list.
---@param settings codecell.E2bSettings
---@param what string
---@param path string
---@param query table as of `transport.query`
---@return table[]? elements with `next` if there is another page
---@return codecell.Error? err
function control.page(settings, what, path, query)
  local answer, response = call(settings, what, "GET", path .. transport.query(query))
  if not answer then
    return nil, response
  elseif answer == true or not json.is_list(answer) then
    return nil, failure.protocol(what, "no list")
  end
  local page = {}
  for i = 1, #answer do
    page[#page + 1] = shape.table(answer[i])
  end
  local following = response.headers["x-next-token"]
  page.next = following ~= "" and following or nil
  return page
end

--- One page of the sandboxes of the account.
---@param settings codecell.E2bSettings
---@param given table `state`, `metadata`, `limit`, `next`, `order`, `started_after`, `template`
---@return codecell.SandboxInfo[]? page with `next` if there is another
---@return codecell.Error? err
function control.list(settings, given)
  local page, err = control.page(settings, "list", "/v2/sandboxes", { n = 14,
    "state", given.state, "metadata", filter(given.metadata), "order", given.order,
    "startedAfter", given.started_after, "template", given.template,
    "limit", given.limit and math.min(given.limit, 100), "nextToken", given.next })
  if not page then
    return nil, err
  end
  for i = 1, #page do
    page[i] = control.info(page[i])
  end
  return page
end

--- One page of snapshots.
---@return table[]? page of {id, names}
---@return codecell.Error? err
function control.snapshots(settings, given)
  local page, err = control.page(settings, "list snapshots", "/snapshots", { n = 8,
    "sandboxID", given.sandbox, "name", given.name, "limit", given.limit,
    "nextToken", given.next })
  if not page then
    return nil, err
  end
  for i = 1, #page do
    page[i] = { id = shape.text(page[i].snapshotID), names = shape.list_of_texts(page[i].names) }
  end
  return page
end

---@return boolean? removed false if there was none
---@return codecell.Error? err
function control.remove_template(settings, what, id)
  return act(settings, what, "DELETE", "/templates/" .. urls.encode(id), nil, 404)
end

--- Whether there is a template of that name, the account's or another's.
---@return boolean? exists
---@return codecell.Error? err
function control.has_template(settings, name)
  local answer, err = call(settings, "templates", "GET",
    "/templates/aliases/" .. urls.encode(name))
  if answer or err.status == 403 then
    return true
  elseif err.status == 404 then
    return false
  end
  return nil, err
end

--- One page of the templates of the account.
---@return table[]? page of {id, names, aliases, public, cpu_count, memory, build, state}
---@return codecell.Error? err
function control.templates(settings, given)
  local page, err = control.page(settings, "templates", "/v2/templates", { n = 4,
    "limit", given.limit, "nextToken", given.next })
  if not page then
    return nil, err
  end
  for i = 1, #page do
    local found = page[i]
    page[i] = { id = shape.text(found.templateID), names = shape.list_of_texts(found.names),
      aliases = shape.list_of_texts(found.aliases), public = shape.flag(found.public),
      cpu_count = shape.number(found.cpuCount),
      memory = (shape.number(found.memoryMB) or 0) * MIB, build = shape.text(found.buildID),
      state = shape.text(found.buildStatus), envd_version = shape.text(found.envdVersion) }
  end
  return page
end

return control
