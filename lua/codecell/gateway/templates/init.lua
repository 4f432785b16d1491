--- Templates, as the control plane tells and changes them.
local answer = require "codecell.gateway.answer"
local building = require "codecell.gateway.templates.building"
local codecell = require "codecell"
local errors = require "codecell.errors"
local json = require "codecell.json"
local listing = require "codecell.gateway.control.listing"
local naming = require "codecell.gateway.templates.naming"
local record = require "codecell.gateway.record"
local shape = require "codecell.e2b.shape"
local sorted = require "codecell.sorted"
local store = require "codecell.template.store"
local uploads = require "codecell.gateway.templates.uploads"
local urls = require "codecell.http.url"

local templates = {}

local BODY_MOST = 1048576
local TAGS_MOST = 20
local MIB = 1048576
local MEMORY = 1024 -- MiB that a sandbox has whose template says nothing
local PLAIN_BUILD = "00000000-0000-4000-8000-000000000000"

-- ---- what is told ----

-- The builds of a template, the newest first: those of whoever asks, and of its tags.
local function builds_of(gateway, name, tags, owner)
  local list, seen = {}, {}
  for _, one in pairs(gateway.builds) do
    if one.name == name and one.owner == owner then
      list[#list + 1], seen[one.id] = one, true
    end
  end
  for _, tag in ipairs(tags or {}) do
    local about = store.read(naming.stored(name, tag))
    local one = about and building.of_template(name, about)
    if one and not seen[one.id] then
      list[#list + 1], seen[one.id] = one, true
    end
  end
  table.sort(list, function(one, other)
    if one.created_at ~= other.created_at then
      return one.created_at > other.created_at
    end
    return (one.serial or 0) > (other.serial or 0)
  end)
  return list
end

-- The build that a template stands for: of its default tag, else of any.
local function about_of(name, tags)
  for _, tag in ipairs(tags or {}) do
    if tag == naming.TAG then
      return store.read(name)
    end
  end
  return tags and tags[1] and store.read(naming.stored(name, tags[1])) or nil
end

local function memory_of(one)
  return one and one.memory and math.floor(one.memory / MIB) or MEMORY
end

local function shown(gateway, name, tags, owner)
  local about = about_of(name, tags)
  local builds = builds_of(gateway, name, tags, owner)
  local current = about and building.of_template(name, about) or builds[1]
  local id = naming.id(name)
  local used = gateway.spawns[id] or { count = 0 }
  return {
    templateID = id, buildID = current and current.id or PLAIN_BUILD,
    cpuCount = current and current.cpus or 1, memoryMB = memory_of(current),
    diskSizeMB = math.floor((about and about.size or 0) / MIB),
    public = naming.is_plain(name) or about ~= nil and about.public ~= false,
    aliases = json.list({ name }), names = json.list({ name }),
    createdAt = shape.timestamp(builds[1] and builds[#builds].created_at or 0),
    updatedAt = shape.timestamp(builds[1] and builds[1].updated_at or 0), createdBy = json.null,
    lastSpawnedAt = used.at and shape.timestamp(used.at) or json.null, spawnCount = used.count,
    buildCount = #builds, envdVersion = record.ENVD,
    buildStatus = current and current.status or "ready",
  }
end

-- All names: of E2B's own, of what was built, and of what is being built.
local function all_names(gateway, owner)
  local all, err = naming.all()
  if not all then
    return nil, err
  end
  for name, tags in pairs(all) do
    all[name] = naming.may_see({ about = store.read(naming.stored(name, tags[1])) }, owner) and tags
      or nil
  end
  local included
  included, err = codecell.templates()
  for _, one in ipairs(included or {}) do
    if not one.built then
      all[one.name] = all[one.name] or {}
    end
  end
  for _, one in pairs(gateway.builds) do
    if one.owner == owner and (one.status == "waiting" or one.status == "building") then
      all[one.name] = all[one.name] or {}
    end
  end
  return included and all, err
end

--- `GET /templates`
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function templates.list(gateway, request)
  local all, err = all_names(gateway, request.owner)
  if not all then
    return answer.error(request, err)
  end
  local names = sorted(all)
  table.insert(names, 1, "code-interpreter-v1")
  table.insert(names, 1, "base")
  local page, following = listing.cut(request, names, answer.form(request.query),
    function(name) return name end)
  if page then
    for i = 1, #page do
      page[i] = shown(gateway, page[i], all[page[i]], request.owner)
    end
    answer.json(request, 200, page, { following })
  end
end

-- One that is known, or of which a build was asked for.
local function find(gateway, value, request)
  local found, err = naming.known(value)
  local owner = request.owner
  if found and naming.may_see(found, owner) and gateway:may_use(request, found.name) then
    return found
  end
  for _, one in pairs(gateway.builds) do
    if one.owner == owner and (naming.id(one.name) == value or one.name == value) then
      return { id = naming.id(one.name), name = one.name }
    end
  end
  return nil, err or errors.new("not_found", ("template '%s' not found"):format(value))
end

-- Another's is as one that never was, also where both want the same name.
local function build_of(gateway, found, id, owner)
  local one = gateway.builds[id]
  if one and one.name == found.name and one.owner == owner then
    return one
  end
  local tags = (naming.all() or {})[found.name]
  for _, known in ipairs(builds_of(gateway, found.name, tags, owner)) do
    if known.id == id then
      return known
    end
  end
end

local verbs = {}

verbs["GET "] = function(gateway, request, found)
  local tags = (naming.all() or {})[found.name]
  local told, list = shown(gateway, found.name, tags, request.owner), json.list()
  for i, one in ipairs(builds_of(gateway, found.name, tags, request.owner)) do
    local at = shape.timestamp(one.updated_at)
    list[i] = { buildID = one.id, status = one.status, createdAt = shape.timestamp(one.created_at),
      updatedAt = at, finishedAt = (one.status == "ready" or one.status == "error") and at or nil,
      cpuCount = one.cpus or 1, memoryMB = memory_of(one), envdVersion = record.ENVD }
  end
  local page, following = listing.cut(request, list, answer.form(request.query),
    function(one) return one.buildID end)
  if page then
    told.builds = page
    answer.json(request, 200, told, { following })
  end
end

verbs["PATCH "] = function(_, request, found)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  elseif not naming.may_change(found.about, request.owner) then
    return answer.failure(request, 403, ("%s is no template of yours"):format(found.name))
  end
  for _, tag in ipairs((naming.all() or {})[found.name] or {}) do
    local ok, err = store.rewrite(naming.stored(found.name, tag), function(about)
      about.public = body.public == true
    end)
    if not ok then
      return err and answer.error(request, err) or answer.failure(request, 404, "it is not there")
    end
  end
  answer.json(request, 200, { names = json.list({ found.name }) })
end

verbs["DELETE "] = function(gateway, request, found)
  local removed, err = nil, nil
  local is_snapshot = found.about and found.about.kind == "snapshot"
  if found.about and not is_snapshot and not naming.may_change(found.about, request.owner) then
    return answer.failure(request, 403, ("%s is no template of yours"):format(found.name))
  elseif is_snapshot then
    removed, err = codecell.snapshot.remove(found.name)
    gateway.snapshots[found.name], gateway.owners[found.name] = nil, nil
  else
    for _, tag in ipairs((naming.all() or {})[found.name] or {}) do
      if not err then
        removed, err = store.remove(naming.stored(found.name, tag))
      end
    end
  end
  for id, one in pairs(gateway.builds) do
    if one.name == found.name and one.owner == request.owner and one.status ~= "building" then
      gateway.builds[id], removed = nil, true
    end
  end
  if err then
    return answer.error(request, err)
  elseif not removed then
    return answer.failure(request, 403, ("%s is no template of yours"):format(found.name))
  end
  gateway.spawns[found.id] = nil
  answer.empty(request, 204)
end

verbs["GET /tags"] = function(_, request, found)
  local list = json.list()
  for i, tag in ipairs((naming.all() or {})[found.name] or {}) do
    local about = store.read(naming.stored(found.name, tag))
    list[i] = about and { tag = tag, buildID = building.of_template(found.name, about).id,
      createdAt = shape.timestamp(about.created_at) }
  end
  answer.json(request, 200, list)
end

verbs["GET /files"] = function(gateway, request, _, hash)
  return uploads.ask(gateway, request, hash)
end

local of_build = {
  ["POST "] = building.begin,
  ["GET /status"] = function(_, request, one) return building.status(request, one) end,
  ["GET /logs"] = function(_, request, one) return building.logs(request, one) end,
}

-- ---- tags ----

local function tags_in(body)
  local tags = {}
  for i, tag in ipairs(shape.table(body.tags) or {}) do
    if type(tag) ~= "string" or #tag > 128 or not tag:find("^%w[%w._-]*$") or i > TAGS_MOST then
      return nil
    end
    tags[i] = tag
  end
  return tags[1] and tags
end

-- The template that a name of a body means, and the tags of the body; it was answered already
-- where there are none.
local function read_tags(request, field)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return nil
  end
  local tags = tags_in(body)
  local found, err = (field == "name" and naming.known or naming.find)(body[field])
  if not tags then
    err = errors.new("invalid_argument",
      "tags: names of letters, digits, \".\", \"_\" and \"-\" expected")
  elseif found and not naming.may_change(found.about, request.owner) then
    err = errors.new("permission_denied", ("%s is no template of yours"):format(found.name))
  end
  if err then
    return answer.error(request, err)
  end
  return found, tags
end

local function assign_tags(_, request)
  local found, tags = read_tags(request, "target")
  if not found then
    return
  end
  local target = store.read(found.stored)
  local one = building.of_template(found.name, target)
  for _, tag in ipairs(tags) do
    local stored = naming.stored(found.name, tag)
    if stored ~= found.stored then
      local ok, err = building.keep_again(found.stored, stored, one.id)
      if not ok then
        return answer.error(request, err)
      end
    end
  end
  answer.json(request, 201, { buildID = one.id, tags = json.list(tags) })
end

local function remove_tags(_, request)
  local found, tags = read_tags(request, "name")
  if not found then
    return
  end
  for _, tag in ipairs(tags) do
    if tag == naming.TAG then
      return answer.failure(request, 400,
        "the tag 'default' stays with its template; delete the template")
    end
  end
  for _, tag in ipairs(tags) do
    local _, err = store.remove(naming.stored(found.name, tag))
    if err then
      return answer.error(request, err)
    end
  end
  answer.empty(request, 204)
end

-- ---- all of it ----

local function tell_alias(gateway, request, name)
  local found, err = naming.known(name)
  if found and not gateway:may_use(request, found.name) then
    found, err = nil, errors.new("not_found", ("template '%s' not found"):format(name))
  end
  if not found then
    return answer.error(request, err)
  elseif not naming.may_see(found, request.owner) then
    return answer.failure(request, 403, ("%s is no template of yours"):format(name))
  end
  answer.json(request, 200, { templateID = found.id,
    public = naming.is_plain(found.name) or not found.about or found.about.public ~= false })
end

local plain = {
  ["POST /templates/tags"] = assign_tags,
  ["DELETE /templates/tags"] = remove_tags,
  ["POST /v2/templates"] = building.request,
  ["POST /v3/templates"] = building.request,
}

local function answer_one(gateway, request, id, rest)
  local found, err = find(gateway, urls.decode(id), request)
  if not found then
    return answer.error(request, err)
  end
  local build, verb = rest:match("^/builds/([%w-]+)(.*)$")
  local called = build and of_build[request.method .. " " .. verb]
  if called and (request.method ~= "POST" or request.path:find("^/v2/")) then
    local one = build_of(gateway, found, build, request.owner)
    if not one then
      return answer.failure(request, 404, ("build '%s' not found"):format(build))
    end
    return called(gateway, request, one)
  end
  local hash = rest:match("^/files/(%w+)$")
  called = verbs[request.method .. " " .. (hash and "/files" or rest)]
  if called then
    return called(gateway, request, found, hash)
  end
  answer.failure(request, request.method == "POST" and 410 or 404, request.method == "POST"
    and "this way to build templates is over: begin with POST /v3/templates" or "no such path")
end

--- What is asked of one template.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function templates.answer(gateway, request)
  local path = request.path
  local called = plain[request.method .. " " .. path]
  local alias = request.method == "GET" and path:match("^/templates/aliases/([^/]+)$")
  if called then
    return called(gateway, request)
  elseif alias then
    return tell_alias(gateway, request, urls.decode(alias))
  end
  local id, rest = path:gsub("^/v%d", ""):match("^/templates/([^/]+)(.*)$")
  if not id then
    return answer.failure(request, request.method == "POST" and 410 or 404, "no such path")
  end
  return answer_one(gateway, request, id, rest)
end

return templates
