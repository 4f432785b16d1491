--- Secrets that never enter: headers that are added to requests outside of the sandbox.
---
--- Code inside asks for http://NAME/; the request is handed over by the egress (handover.lua), gets
--- the headers of its rule here, and goes on to https://NAME/. Which rule it is was decided by the
--- name that the policy allowed, and nothing in the request can change it.
local errors = require "codecell.errors"
local fields = require "codecell.http.fields"
local http = require "codecell.http"
local options = require "codecell.options"

local rules = {}

local RULE = {
  headers = { type = "table" },
  ca_file = { type = "text" },
}
-- Whoever decides these could make one request two, or send it to another server.
local FORBIDDEN = { host = true, ["content-length"] = true, expect = true }

local TIMEOUT = 300 -- for the head of an answer: models think long
local IDLE = 300

-- ---- what was given ----

-- Some servers take "-" and "_" for the same.
local function plain(name)
  return (name:lower():gsub("_", "-"))
end

local function compile_one(verb, key, given, level)
  local where = ("%s: network: rules: %s"):format(verb, tostring(key))
  local name, port
  if type(key) == "string" then
    name, port = key:match("^([^:]+):?(%d*)$")
  end
  if not name or tonumber(port) == 0 then
    error(where .. ': "name" or "name:port" expected', level + 1)
  elseif type(given) ~= "table" then
    error(("%s: table expected, got %s"):format(where, type(given)), level + 1)
  end
  options.check(where, given, RULE, level + 2)
  local rule = { name = name:lower():gsub("%.$", ""), key = key, ca_file = given.ca_file,
    headers = fields.check(where .. ": headers", given.headers, level + 1), own = {} }
  rule.plain, rule.secure = tonumber(port) or 80, tonumber(port) or 443
  if #rule.headers == 0 then
    error(where .. ": headers: at least one expected", level + 1)
  end
  for i = 1, #rule.headers do
    local header = rule.headers[i][1]
    if FORBIDDEN[header:lower()] or fields.is_hop_by_hop(header) then
      error(("%s: headers: %s cannot be set by a rule"):format(where, header), level + 1)
    end
    rule.own[plain(header)] = true
  end
  return rule
end

--- What the rules of a `network` say, by "name:port" as code inside asks for it.
---@param verb string for messages
---@param given table<string, codecell.Rule>?
---@param level integer stack level to blame: 1 is the caller of this
---@return table<string, table> compiled
function rules.compile(verb, given, level)
  local compiled = {}
  for key, one in pairs(given or {}) do
    local rule = compile_one(verb, key, one, level + 1)
    local place = rule.name .. ":" .. rule.plain
    if compiled[place] then
      error(("%s: network: rules: %s: there is another one for it"):format(verb, key), level + 1)
    end
    compiled[place] = rule
  end
  return compiled
end

--- Why a rule can never be used: what would have to be allowed.
---@param rule table
---@param policy userdata
---@return string? what nil: nothing is missing
function rules.missing(rule, policy)
  for _, port in ipairs({ rule.plain, rule.secure }) do
    if not policy:_allows(rule.name .. ":" .. port) then
      return rule.name .. ":" .. port
    end
  end
  return nil
end

--- A copy of `rules` without any value.
---@param given table<string, codecell.Rule>?
---@return table<string, {headers: string[]}>?
function rules.shown(given)
  if not given then
    return nil
  end
  local shown = {}
  for key, rule in pairs(given) do
    local list, names = fields.check("rules", rule.headers, 1), {}
    for i = 1, #list do
      names[i] = list[i][1]
    end
    table.sort(names)
    shown[key] = { headers = names }
  end
  return shown
end

-- ---- a request ----

-- An answer to TRACE shows what was sent.
local REFUSED = { TRACE = true, TRACK = true, CONNECT = true }
local STATUS = { timeout = 504, denied_by_policy = 403 }
local TEXT = { { "Content-Type", "text/plain" } }

-- What is passed on: what the code says, but never what the rule does.
local function headers_of(request, rule)
  local list = {}
  local given = fields.end_to_end(request.headers)
  for i = 1, #given do
    local name = given[i][1]
    if not rule.own[plain(name)] and not FORBIDDEN[name:lower()] then
      list[#list + 1] = given[i]
    end
  end
  for i = 1, #rule.headers do
    list[#list + 1] = rule.headers[i]
  end
  return list
end

local function length_of(message)
  local text = message.headers["content-length"]
  return text and text:find("^%d+$") and #text < 16 and tonumber(text) or nil
end

local function body_of(request)
  local length = length_of(request)
  if length == 0 or not length and not request.headers["transfer-encoding"] then
    return nil
  end
  return function()
    return request:read(IDLE)
  end, length
end

local function has_body(request, response)
  return request.method ~= "HEAD" and response.status ~= 204 and response.status ~= 304
end

local function pass_back(request, response)
  local headers, given = {}, fields.end_to_end(response.headers)
  for i = 1, #given do
    if given[i][1]:lower() ~= "content-length" then
      headers[#headers + 1] = given[i]
    end
  end
  local length = has_body(request, response) and length_of(response) or nil
  if request.method == "HEAD" then
    length = length_of(response)
  end
  local ok = request:start(response.status, headers, length)
  if not has_body(request, response) then
    response:close()
    return ok and request:finish()
  end
  while ok do
    local chunk, err = response:read()
    if err then
      break
    elseif not chunk then
      return request:finish()
    end
    ok = request:write(chunk, IDLE)
  end
  response:close()
  request:abort() -- what is missing must be missed
end

-- One for each rule of a sandbox: nobody else's requests go by its connections.
local function client_of(sandbox, rule)
  local clients = sandbox._clients
  if not clients then
    clients = setmetatable({}, { __mode = "k" })
    sandbox._clients = clients
  end
  local client = clients[rule]
  if client and client.policy == sandbox._policy then
    return client.made
  end
  local made, err = http.client({ policy = sandbox._policy, name_servers = sandbox._name_servers,
    ca_file = rule.ca_file })
  if made then
    clients[rule] = { made = made, policy = sandbox._policy }
  end
  return made, err
end

-- Where the name has led to is told as the egress tells it.
local function tell(request, rule, err)
  local address, why = err.message:match("its address (%S+) is not allowed: (.+)$")
  local sandbox = request.about.sandbox
  if address and sandbox then
    require("codecell.network").refuse(sandbox, { why = "address", host = rule.name,
      port = rule.secure, detail = address .. ", " .. why, times = 1 })
  end
end

local function fail(request, err)
  return request:reply(STATUS[err.kind] or 502, TEXT, err.message .. "\n")
end

--- Answer a request that the sandbox's code has made for a name with a rule.
---@param request codecell.IncomingRequest
---@param sandbox codecell.Sandbox
---@param place string "name:port", as the egress has decided
function rules.answer(request, sandbox, place)
  local rule = sandbox._rules[place]
  if not rule then
    return fail(request, errors.new("denied_by_policy", place .. " refused: it has no rule now"))
  elseif REFUSED[request.method] or not fields.is_token(request.method) then
    return request:reply(405, TEXT, "This method is not passed on.\n")
  elseif not request.target:find("^/[!\"$-~]*$")
    or #request.headers > fields.passed_most then
    return request:reply(400, TEXT, "This request is not passed on.\n")
  end
  local client, err = client_of(sandbox, rule)
  sandbox = nil -- luacheck: ignore
  if not client then
    return fail(request, err)
  end
  local body, length = body_of(request)
  request:end_with_client()
  local response
  response, err = client:request({
    url = ("https://%s:%d%s"):format(rule.name, rule.secure, request.target),
    method = request.method, headers = headers_of(request, rule), body = body, length = length,
    timeout = TIMEOUT, idle = IDLE,
  })
  if response and #response.headers > fields.passed_most then
    response:close()
    response, err = nil, errors.new("protocol", "its answer has too many fields")
  end
  if not response then
    tell(request, rule, err)
    return fail(request, err)
  end
  return pass_back(request, response)
end

return rules
