--- What a sandbox of E2B may reach: our `network` in the words of the control plane.
local errors = require "codecell.errors"
local json = require "codecell.json"

local network = {}

local EVERYTHING = "0.0.0.0/0"
local PRIVATE_LEAST = 4 -- bytes: what is shorter stands in too much else

local function refuse(verb, what, hint)
  return nil, errors.unsupported(verb .. ": " .. what, "e2b", hint)
end

local function has_port(name)
  return name:find("^[^:]+:%d+$") or name:find("]:%d+$")
end

local function rules_of(verb, rules)
  local hosts = {}
  for host, rule in pairs(rules) do
    if rule.ca_file or has_port(host) then
      return refuse(verb, ("a rule of `network` (%q)"):format(host),
        "leave its port and its ca_file out")
    end
    hosts[host] = json.list({ { transform = { headers = rule.headers } } })
  end
  return hosts
end

--- Whether it is an address, or a range of them, and no name.
---@param text string
---@return boolean
function network.is_address(text)
  return (text:find("^[%d.]+/?%d*$") or text:find(":", 1, true)
    and text:find("^[%x:.]+/?%d*$")) ~= nil
end

-- What is denied there is an address, or a range of them.
local function list_of(verb, given, are_addresses)
  local list = json.list()
  for i, name in ipairs(given or {}) do
    if has_port(name) then
      return refuse(verb, ("a port in `network` (%q)"):format(name), "leave the port out")
    elseif are_addresses and not network.is_address(name) then
      return refuse(verb, ("a name that `network` denies (%q)"):format(name),
        "deny addresses, or allow only what is not denied")
    end
    list[i] = name
  end
  return list
end

--- What of it no message and no event may show: the values of headers, which are keys.
---@param given string|table|nil checked by the rule of `network`
---@return string[]
function network.private(given)
  local values = {}
  for _, rule in pairs(type(given) == "table" and given.rules or {}) do
    for _, value in pairs(rule.headers or {}) do
      values[#values + 1] = #value >= PRIVATE_LEAST and value or nil
    end
  end
  return values
end

--- Put it into the body of a request.
---@param verb string
---@param given string|table|nil checked by the rule of `network`; nil: as the cloud does
---@param body table gets allow_internet_access
---@param target table gets the lists and the rules
---@return true? done
---@return codecell.Error? err kind "unsupported": what E2B cannot express
function network.put(verb, given, body, target)
  body.allow_internet_access = given ~= "none"
  if type(given) ~= "table" then
    return true
  end
  local is_open = given.allow == "open"
  local deny, err = list_of(verb, given.deny, is_open)
  if deny and not is_open and #deny > 0 then
    return refuse(verb, "deny in `network`", "there allow wins: allow only what is not denied")
  end
  local allow
  if deny then
    allow, err = list_of(verb, not is_open and given.allow or nil)
  end
  if not allow then
    return nil, err
  end
  target.allowOut, target.denyOut = allow, is_open and deny or json.list({ EVERYTHING })
  if given.rules then
    target.rules, err = rules_of(verb, given.rules)
    if not target.rules then
      return nil, err
    end
  end
  return true
end

return network
