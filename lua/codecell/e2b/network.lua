--- What a sandbox of E2B may reach: our `network` in the words of the control plane.
local errors = require "codecell.errors"
local json = require "codecell.json"

local network = {}

local EVERYTHING = "0.0.0.0/0"

local function refuse(verb, what, hint)
  return nil, errors.unsupported(verb .. ": " .. what, "e2b", hint)
end

local function rules_of(rules)
  local hosts
  for host, rule in pairs(rules or {}) do
    hosts = hosts or {}
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
    if name:find("^[^:]+:%d+$") or name:find("]:%d+$") then
      return refuse(verb, ("a port in `network` (%q)"):format(name), "leave the port out")
    end
    allow[i] = name
  end
  target.allowOut, target.denyOut = allow, json.list({ EVERYTHING })
  target.rules = rules_of(given.rules)
  return true
end

return network
