--- Lists of the control plane: sandboxes and snapshots.
local answer = require "codecell.gateway.answer"
local base64 = require "codecell.base64"
local codecell = require "codecell"
local json = require "codecell.json"
local shape = require "codecell.e2b.shape"
local urls = require "codecell.http.url"

local listing = {}

local PAGE_MOST = 100

-- ---- sandboxes ----

-- What must match: the query has taken off the first of three layers.
local function metadata_of(text)
  local wanted = {}
  for name, value in pairs(answer.form(text)) do
    wanted[urls.decode(name)] = urls.decode(value)
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
    and (not wanted.template or given.template == wanted.template or given.alias == wanted.template)
    and (not wanted.after or one.started_at >= wanted.after)
end

-- Those of whoever asks that match, in their order.
local function chosen(gateway, request, wanted)
  local list = {}
  for _, one in pairs(gateway:living()) do
    if one.owner == request.owner and matches(one, wanted) then
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

--- The page of a list that a query asks for; it was refused already where there is none.
---@param request codecell.IncomingRequest
---@param list any[]
---@param query table<string, string>
---@param mark fun(one: any): string what tells one from the others
---@param is_past (fun(one: any, from: string): boolean?)? whether one comes after what has that
---mark, which may be gone; default: what follows it in the list
---@return any[]? page
---@return string[]? following the field that leads to the next one
function listing.cut(request, list, query, mark, is_past)
  local limit = page_of(query.limit, PAGE_MOST)
  local cursor = query.nextToken and query.nextToken ~= "" and base64.decode(query.nextToken)
  local from = cursor and cursor:match("^from:(.+)$")
  if not limit or query.nextToken and query.nextToken ~= "" and not from then
    answer.failure(request, 400, limit and "invalid nextToken"
      or ("limit: a number from 1 to %d was expected"):format(PAGE_MOST))
    return nil
  end
  local page, first = json.list(), from and #list + 1 or 1
  for i = #list, from and 1 or #list + 1, -1 do
    if is_past and is_past(list[i], from) then
      first = i
    elseif not is_past and mark(list[i]) == from then
      first = i + 1
    end
  end
  for i = first, math.min(#list, first + limit - 1) do
    page[#page + 1] = list[i]
  end
  local more = first + limit - 1 < #list
  return page, more and { "X-Next-Token", base64.encode("from:" .. mark(page[#page])) } or nil
end

local function problem_of(query, wanted)
  for state in pairs(wanted.states) do
    if state ~= "running" and state ~= "paused" then
      return "state: running and paused were expected"
    end
  end
  if query.order and query.order ~= "asc" and query.order ~= "desc" then
    return "order: asc or desc was expected"
  elseif query.startedAfter and not wanted.after then
    return "startedAfter: a time was expected"
  elseif (query.template or ""):find(":", 1, true) then
    return "template: a name without a tag was expected"
  end
end

function listing.page(gateway, request)
  local query = answer.form(request.query)
  local wanted = { metadata = metadata_of(query.metadata), states = states_of(query.state),
    ascending = query.order == "asc", template = query.template,
    after = shape.time(query.startedAfter) }
  local wrong = problem_of(query, wanted)
  if wrong then
    return answer.failure(request, 400, wrong)
  end
  -- One that the cursor names may be over: what was made after it follows all the same.
  local page, following = listing.cut(request, chosen(gateway, request, wanted), query,
    function(one) return ("%d"):format(one.serial) end, function(one, from)
      local serial = tonumber(from:match("^%d+$"))
      return serial and (one.serial - serial) * (wanted.ascending and 1 or -1) > 0
    end)
  if not page then
    return
  end
  local running = 0
  for _, one in pairs(gateway:living()) do
    local counts = one.owner == request.owner and not one:is_paused()
    running = running + (counts and 1 or 0)
  end
  for i = 1, #page do
    page[i] = page[i]:listed()
  end
  answer.json(request, 200, page, { { "X-Total-Running", tostring(running) }, following })
end

function listing.old(gateway, request)
  local list = json.list()
  for i, one in ipairs(chosen(gateway, request, { states = { running = true },
    metadata = metadata_of(answer.form(request.query).metadata) })) do
    list[i] = one:listed()
  end
  answer.json(request, 200, list)
end

-- ---- snapshots ----

function listing.snapshots(gateway, request)
  local query = answer.form(request.query)
  local all, err = codecell.snapshot.list()
  if not all then
    return answer.error(request, err)
  end
  local list = {}
  for i = #all, 1, -1 do -- the newest first
    local one = all[i]
    if gateway:may_use(request, one.id)
      and (not query.sandboxID or gateway.snapshots[one.id] == query.sandboxID)
      and (not query.name or one.name == query.name) then
      list[#list + 1] = { snapshotID = one.id, names = json.list({ one.name }) }
    end
  end
  local page, following = listing.cut(request, list, query, function(one) return one.snapshotID end)
  if page then
    answer.json(request, 200, page, { following })
  end
end

return listing
