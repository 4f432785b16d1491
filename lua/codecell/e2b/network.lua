--- What a sandbox of E2B may reach: our `network` in the words of the control plane.
local errors = require "codecell.errors"
local json = require "codecell.json"

local network = {}

local EVERYTHING = "0.0.0.0/0"

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
  elseif given.deny and #given.deny > 0 then
    return refuse(verb, "deny in `network`", "there allow wins: allow only what is not denied")
  end
  local allow = json.list()
  for i, name in ipairs(given.allow or {}) do
    if has_port(name) then
      return refuse(verb, ("a port in `network` (%q)"):format(name), "leave the port out")
    end
    allow[i] = name
  end
  target.allowOut, target.denyOut = allow, json.list({ EVERYTHING })
  if given.rules then
    local err
    target.rules, err = rules_of(verb, given.rules)
    if not target.rules then
      return nil, err
    end
  end
  return true
end

return network
