--- Secrets of the account. Their values are in this program's memory and nowhere else: they never
--- come back, and enter no sandbox. Rules of a network name them; they are filled in here, for the
--- headers that are added outside.
local answer = require "codecell.gateway.answer"
local errors = require "codecell.errors"
local json = require "codecell.json"
local listing = require "codecell.gateway.control.listing"
local reach = require "codecell.gateway.control.reach"
local shape = require "codecell.e2b.shape"
local urls = require "codecell.http.url"

local vault = {}

local BODY_MOST = 1048576
local MOST = 1000
local NAME_MOST = 128
local VALUE_MOST = 65536 -- bytes
local ENTRIES_MOST = 32 -- of metadata
local MARK = "%${e2b%.secrets%.([%w_-]+)}"

---@class codecell.GatewaySecret
---@field id string
---@field name string in lower case
---@field owner string?
---@field version integer
---@field metadata table<string, string>
---@field value fun(): string not a field that is printed

local function is_of(one, owner)
  return owner == nil or one.owner == owner
end

local function find(gateway, selector, owner)
  for _, one in ipairs(gateway.secrets) do
    if (one.id == selector or one.name == selector:lower()) and is_of(one, owner) then
      return one
    end
  end
end

-- ---- in rules ----

-- The secrets of whoever asks, by name and id: rules may name many of many.
local function secrets_of(gateway, owner)
  local known = {}
  for _, one in ipairs(gateway.secrets) do
    if is_of(one, owner) then
      known[one.name], known[one.id] = one, one
    end
  end
  return known
end

-- The header with its secrets; nil and the name that nothing has. Of one that becomes too long no
-- more is made than what it is refused for: short texts can name a long secret often.
local function filled(known, text)
  local missing
  local size = #text
  if size > reach.VALUE_MOST then
    return text
  end
  local value = text:gsub(MARK, function(name)
    local one = known[name] or known[name:lower()]
    missing = missing or not one and name or nil
    if not one or size > reach.VALUE_MOST then
      return nil
    end
    size = size + #one.value() - #"${e2b.secrets.}" - #name
    return one.value()
  end)
  if missing then
    return nil, missing
  end
  return value:sub(1, reach.VALUE_MOST + 1)
end

local function copy(given)
  local list = {}
  for name, value in pairs(given) do
    list[name] = value
  end
  return json.is_list(given) and json.list(list) or list
end

-- A rule with its secrets, and whether it has any.
local function fill_rule(known, rule)
  local made, uses = json.list(), false
  for i, one in ipairs(shape.table(rule) or {}) do
    local transform = copy(shape.table((shape.table(one) or {}).transform) or {})
    local headers = {}
    for name, text in pairs(shape.texts(transform.headers)) do
      local value, missing = filled(known, text)
      if not value then
        return nil, missing
      end
      headers[name], uses = value, uses or value ~= text
    end
    transform.headers = headers
    made[i] = { transform = transform }
  end
  return made, uses
end

local function without(list, host)
  local kept = json.list()
  for _, one in ipairs(shape.table(list) or {}) do
    if one ~= host then
      kept[#kept + 1] = one
    end
  end
  return kept
end

--- What a client wants of a network, with its secrets.
---@param gateway codecell.Gateway
---@param given any as the client says it; it stays as it is
---@param owner string?
---@param drop boolean? a host whose secrets are gone is not reached any more, instead of an error
---@return any network
---@return boolean|codecell.Error|nil uses whether it has secrets; after nil the error
function vault.fill(gateway, given, owner, drop)
  local network = shape.table(given) and shape.table(given.rules) and copy(given)
  if not network then
    return given, false
  end
  local uses = false
  network.rules = {}
  local known = secrets_of(gateway, owner)
  for host, rule in pairs(given.rules) do
    local made, used = fill_rule(known, rule)
    if not made and not drop then
      return nil, errors.new("invalid_argument", ("network.rules: there is no secret '%s'"):format(
        used))
    elseif not made then
      network.allowOut, used = without(network.allowOut, host), true
    end
    network.rules[host], uses = made, uses or used
  end
  return network, uses
end

-- What runs with a secret has its new value, or reaches nobody with it, from now on.
local function refresh(gateway)
  local list = {} -- others come and go while one is told, and get other rules
  for _, one in pairs(gateway:living()) do
    list[#list + 1] = one
  end
  for _, one in ipairs(gateway.network ~= "none" and list or {}) do
    local network, uses = vault.fill(gateway, one.given.network, one.owner, true)
    if uses and one:lives() then
      reach.set(one.sandbox, reach.read(one.given.internet, network) or "none", gateway.network)
    end
  end
end

-- ---- /secrets ----

local function told(one)
  return { secretID = one.id, name = one.name, currentVersion = one.version,
    metadata = one.metadata, createdAt = shape.timestamp(one.created_at),
    updatedAt = shape.timestamp(one.updated_at) }
end

local function value_of(body)
  local value = shape.text(body.value)
  if not value or value == "" or #value > VALUE_MOST or value:find("%c") then
    return nil, ("value: a text of at most %d bytes without control characters"):format(VALUE_MOST)
  end
  return function() return value end
end

local function metadata_of(body)
  local given, count = shape.table(body.metadata), 0
  for name, text in pairs(given or {}) do
    count = count + 1
    if type(name) ~= "string" or type(text) ~= "string" or count > ENTRIES_MOST then
      return nil, ("metadata: at most %d texts by name"):format(ENTRIES_MOST)
    end
  end
  return given and shape.texts(given) or false
end

-- What the body says of a secret; it was refused already where that makes no sense.
local function read(request)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return nil
  end
  local value, problem = value_of(body)
  local metadata
  if value then
    metadata, problem = metadata_of(body)
  end
  if problem then
    return answer.failure(request, 400, problem)
  end
  return { value = value, metadata = metadata, name = shape.text(body.name) }
end

local function create(gateway, request)
  local given = read(request)
  if not given then
    return
  elseif not given.name or #given.name > NAME_MOST or not given.name:find("^[%w_-]+$") then
    return answer.failure(request, 400,
      "name: letters, digits, \"_\" and \"-\" expected, at most 128")
  elseif find(gateway, given.name, request.owner) then
    return answer.failure(request, 409, ("secret '%s' is there already"):format(given.name))
  elseif #gateway.secrets >= MOST then
    return answer.failure(request, 429, ("there are %d secrets already"):format(MOST))
  end
  local now = os.time()
  local one = { id = "sec_" .. answer.secret():sub(1, 32), name = given.name:lower(),
    owner = request.owner, version = 1, metadata = given.metadata or {}, value = given.value,
    created_at = now, updated_at = now }
  table.insert(gateway.secrets, one)
  answer.json(request, 201, told(one))
end

local function list(gateway, request)
  local all = {}
  for _, one in ipairs(gateway.secrets) do
    all[#all + 1] = is_of(one, request.owner) and one or nil
  end
  local page, following = listing.cut(request, all, answer.form(request.query),
    function(one) return one.id end)
  if page then
    for i = 1, #page do
      page[i] = told(page[i])
    end
    answer.json(request, 200, page, { following })
  end
end

local verbs = {}

function verbs.GET(_, request, one)
  answer.json(request, 200, told(one))
end

function verbs.POST(gateway, request, one)
  local given = read(request)
  if given then
    one.value, one.metadata = given.value, given.metadata or one.metadata
    one.version, one.updated_at = one.version + 1, os.time()
    refresh(gateway)
    answer.json(request, 200, told(one))
  end
end

function verbs.DELETE(gateway, request, one)
  for i, other in ipairs(gateway.secrets) do
    if other == one then
      table.remove(gateway.secrets, i)
    end
  end
  refresh(gateway)
  answer.empty(request, 204)
end

--- Answer a request to /secrets.
---@param gateway codecell.Gateway
---@param request codecell.IncomingRequest
function vault.answer(gateway, request)
  local selector = request.path:match("^/secrets/([^/]+)$")
  if selector then
    selector = urls.decode(selector)
    local one = find(gateway, selector, request.owner)
    local called = verbs[request.method]
    if not one or not called then
      return answer.failure(request, 404, ("secret '%s' not found"):format(selector))
    end
    return called(gateway, request, one)
  elseif request.path == "/secrets" and (request.method == "GET" or request.method == "POST") then
    return (request.method == "POST" and create or list)(gateway, request)
  end
  answer.failure(request, 404, "no such path")
end

return vault
