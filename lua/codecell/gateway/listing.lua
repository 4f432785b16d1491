--- Lists of the control plane: sandboxes, snapshots and templates.
local answer = require "codecell.gateway.answer"
local base64 = require "codecell.base64"
local codecell = require "codecell"
local json = require "codecell.json"
local record = require "codecell.gateway.record"
local shape = require "codecell.e2b.shape"
local wishes = require "codecell.gateway.wishes"

local listing = {}

local PAGE_MOST = 100
local MIB = 1048576

-- ---- sandboxes ----

-- What must match: the query has taken off the first of three layers.
local function metadata_of(text)
  local wanted = {}
  for name, value in pairs(answer.form(text)) do
    wanted[answer.decoded(name)] = answer.decoded(value)
  end
  return wanted
end

local function states_of(text)
  if not text or text == "" then
    return { running = true, paused = true }
  end
  local states = {}
  for state in text:gmatch("[^,]+") do
    states[state] = true
  end
  return states
end

local function matches(one, wanted)
  local given = one.given
  for name, value in pairs(wanted.metadata) do
    if given.metadata[name] ~= value then
      return false
    end
  end
  return wanted.states[one:is_paused() and "paused" or "running"] == true
    and (not wanted.template or given.template == wanted.template)
    and (not wanted.after or one.started_at >= wanted.after)
end

-- Those that match, in their order, from the cursor on.
local function chosen(gateway, wanted)
  local list = {}
  for _, one in pairs(gateway:living()) do
    if matches(one, wanted) then
      list[#list + 1] = one
    end
  end
  local way = wanted.ascending and 1 or -1
  table.sort(list, function(left, right)
    return (left.serial - right.serial) * way < 0
  end)
  return list
end

local function page_of(text, default)
  local limit = text and tonumber(text:match("^%d+$") or "")
  if text and (not limit or limit < 1 or limit > PAGE_MOST) then
    return nil
  end
  return limit or default
end

local function cut(request, list, query, mark)
  local limit = page_of(query.limit, PAGE_MOST)
  local cursor = query.nextToken and query.nextToken ~= "" and base64.decode(query.nextToken)
  local from = cursor and cursor:match("^from:(.+)$")
  if not limit or query.nextToken and query.nextToken ~= "" and not from then
    answer.failure(request, 400, limit and "invalid nextToken"
      or ("limit: a number from 1 to %d was expected"):format(PAGE_MOST))
    return nil
  end
  local page, first = json.list(), 1
  for i, one in ipairs(from and list or {}) do
    first = mark(one) == from and i + 1 or first
  end
  for i = first, math.min(#list, first + limit - 1) do
    page[#page + 1] = list[i]
  end
  local more = first + limit - 1 < #list
  return page, more and { "X-Next-Token", base64.encode("from:" .. mark(page[#page])) } or nil
end

function listing.page(gateway, request)
  local query = answer.form(request.query)
  local wanted = { metadata = metadata_of(query.metadata), states = states_of(query.state),
    ascending = query.order == "asc", template = query.template,
    after = shape.time(query.startedAfter) }
  if query.startedAfter and not wanted.after then
    return answer.failure(request, 400, "startedAfter: a time was expected")
  end
  local page, following = cut(request, chosen(gateway, wanted), query,
    function(one) return one.id end)
  if not page then
    return
  end
  local running = 0
  for _, one in pairs(gateway:living()) do
    running = running + (one:is_paused() and 0 or 1)
  end
  for i = 1, #page do
    page[i] = page[i]:listed()
  end
  answer.json(request, 200, page, { { "X-Total-Running", tostring(running) }, following })
end

function listing.old(gateway, request)
  local list = json.list()
  for i, one in ipairs(chosen(gateway, { states = { running = true },
    metadata = metadata_of(answer.form(request.query).metadata) })) do
    list[i] = one:listed()
  end
  answer.json(request, 200, list)
end

-- ---- snapshots and templates ----

function listing.snapshots(gateway, request)
  local query = answer.form(request.query)
  local all, err = codecell.snapshot.list()
  if not all then
    return answer.error(request, err)
  end
  local list = {}
  for _, one in ipairs(all) do
    if (not query.sandboxID or gateway.snapshots[one.id] == query.sandboxID)
      and (not query.name or one.name == query.name) then
      list[#list + 1] = { snapshotID = one.id, names = json.list({ one.name }) }
    end
  end
  local page, following = cut(request, list, query, function(one) return one.snapshotID end)
  if page then
    answer.json(request, 200, page, { following })
  end
end

local function shown(name, one)
  local at = shape.timestamp(one and one.created_at or 0)
  return { templateID = name, buildID = "00000000-0000-4000-8000-000000000000", cpuCount = 0,
    memoryMB = 1024, diskSizeMB = math.floor((one and one.size or 0) / MIB), public = true,
    aliases = json.list({ name }), names = json.list({ name }), createdAt = at, updatedAt = at,
    createdBy = json.null, lastSpawnedAt = json.null, spawnCount = 0, buildCount = 1,
    envdVersion = record.ENVD, buildStatus = "ready" }
end

function listing.templates(_, request)
  local all, err = codecell.templates()
  if not all then
    return answer.error(request, err)
  end
  local list = json.list({ shown("base"), shown("code-interpreter-v1") })
  for _, one in ipairs(all) do
    list[#list + 1] = shown(one.name, one)
  end
  local page, following = cut(request, list, answer.form(request.query),
    function(one) return one.templateID end)
  if page then
    answer.json(request, 200, page, { following })
  end
end

--- What is asked of one template.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function listing.template(gateway, request)
  local alias = request.path:match("^/templates/aliases/([^/]+)$")
  local name = alias or request.path:match("^/templates/([^/]+)$")
  name = name and answer.decoded(name)
  if not name or request.method ~= "GET" and request.method ~= "DELETE" then
    return answer.failure(request, 501, "codecell serve builds no templates: use codecell template")
  elseif request.method == "GET" then
    local id, err = wishes.template(name)
    if not id then
      return answer.error(request, err)
    end
    return answer.json(request, 200, alias and { templateID = id, public = true } or shown(id))
  end
  local removed, err = codecell.snapshot.remove(name)
  if not removed then
    return answer.error(request, err)
  end
  gateway.snapshots[name] = nil
  answer.empty(request, 204)
end

return listing
