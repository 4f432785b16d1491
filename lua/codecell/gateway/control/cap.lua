--- What no sandbox of a gateway may reach more than: what a client wants is cut down to it.
local core = require "codecell.core"
local errors = require "codecell.errors"

local cap = {}

local PORTS = { "80", "443" } -- of a place that names none, as policies have it
local BELOW = "any.thing" -- stands for what is below a name

local function policy_of(allow)
  return core.policy("named", allow, {}, {})
end

-- Whether a policy allows all that an entry names. Of ranges only the same one is sure.
local function covers(policy, list, entry)
  for _, one in ipairs(list) do
    if one == entry then
      return true
    end
  end
  if entry:find("/", 1, true) then
    return false
  end
  local name, port = entry:match("^(.*):(%d+)$")
  if not name or name:find(":", 1, true) and name:sub(1, 1) ~= "[" then
    name, port = entry:find(":", 1, true) and "[" .. entry .. "]" or entry, nil
  end
  name = name:gsub("^%*", BELOW)
  for _, one in ipairs(port and { port } or PORTS) do
    if not policy:_allows(name .. ":" .. one) then
      return false
    end
  end
  return true
end

-- What is in both lists: the narrower entries of each.
local function common(first, second)
  local first_policy, err = policy_of(first)
  local second_policy
  if first_policy then
    second_policy, err = policy_of(second)
  end
  if not second_policy then
    return nil, err
  end
  local list, known = {}, {}
  local function take(entries, policy, others)
    for _, entry in ipairs(entries) do
      if not known[entry] and covers(policy, others, entry) then
        known[entry] = true
        list[#list + 1] = entry
      end
    end
  end
  take(second, first_policy, first)
  take(first, second_policy, second)
  return list
end

local function check_rules(allow, rules)
  local policy, err = policy_of(allow)
  if not policy then
    return nil, err
  end
  for place in pairs(rules or {}) do
    local name, port = place:match("^(.*):(%d+)$")
    if not policy:_allows((name or place) .. ":" .. (port or "443")) then
      return nil, errors.new("denied_by_policy",
        ("network.rules: %s is not within what this gateway allows"):format(place))
    end
  end
  return true
end

--- What a sandbox gets of what is wanted.
---@param most "none"|"open"|{allow: string[]}|nil what none gets more than; nil: open
---@param wanted "none"|"open"|table a network, as of `codecell.create`
---@return "none"|"open"|table|nil network
---@return codecell.Error? err kinds "denied_by_policy": a rule for a name that is not within it;
---"invalid_argument"
function cap.within(most, wanted)
  if most == nil or most == "open" or wanted == "none" then
    return wanted
  elseif most == "none" then
    return "none"
  end
  local given = type(wanted) == "table" and wanted or { allow = "open" }
  local ok, err = check_rules(most.allow, given.rules)
  if not ok then
    return nil, err
  end
  local allow = most.allow
  if given.allow ~= "open" then
    allow, err = common(most.allow, given.allow or {})
    if not allow then
      return nil, err
    end
  end
  return { allow = allow, deny = given.deny, rules = given.rules }
end

return cap
