--- The rules of a policy: read once, never changed, and asked what they say of a request.
local options = require "codecell.options"
local package_names = require "codecell.policy.package_names"
local patterns = require "codecell.policy.patterns"
local sorted = require "codecell.sorted"

local rules = {}

--- What a policy is asked about.
rules.verbs = { "run", "shell", "install", "read", "write", "net", "env", "gpu", "expose" }

local EFFECTS = { "allow", "ask", "deny" }
local WEIGHT = { allow = 1, ask = 2, deny = 3 }
local MOST = 1000

---@class codecell.PolicyRule `{"deny", verb = "install", package = "evil*", because = "..."}`
---@field [1] "allow"|"ask"|"deny"
---@field verb (string|string[])? of: run shell install read write net env gpu expose; default: all
---@field user (string|string[])? patterns; each field that is given must match
---@field agent (string|string[])?
---@field tool (string|string[])?
---@field language (string|string[])?
---@field package (string|string[])? without version: "scikit-*"; of one installer: "npm:six"
---@field path (string|string[])? "/data" is all that is in it; "/work/**/.git"
---@field host (string|string[])? "*.example.org", or with a port: then of that port alone
---@field env (string|string[])? name of a variable
---@field name (string|string[])? of an exposed function: "tools.search"
---@field because string? told to the model and to who is asked

-- What holds where no rule says anything.
local MODES = {
  auto = {},
  ask = { run = "ask", shell = "ask", install = "ask", write = "ask", net = "ask", gpu = "ask",
    expose = "ask" },
  locked = { install = "deny", write = "deny", net = "deny", env = "deny", gpu = "deny",
    expose = "deny" },
}

--- The modes there are.
rules.modes = { "ask", "auto", "locked" }

local TEXTS = { type = "either", expected = "string or list of strings",
  rules = { string = { type = "name" }, table = { type = "strings", least = 1 } } }
local RULE = { because = { type = "name" }, verb = TEXTS }
for field in pairs(patterns.fields) do
  RULE[field] = TEXTS
end
local FIELDS = sorted(patterns.fields)

local function listed(value)
  return type(value) == "table" and value or { value }
end

local function text_of(effect, given)
  local pieces = { effect }
  if given.verb then
    pieces[2] = table.concat(listed(given.verb), " or ")
  end
  for _, field in ipairs(FIELDS) do
    if given[field] then
      pieces[#pieces + 1] = ("%s %s"):format(field, table.concat(listed(given[field]), " or "))
    end
  end
  return table.concat(pieces, " ")
end

-- What it is about as `network` of a sandbox says it, and `packages`.
local function hosts_of(given)
  local list = {}
  for i, pattern in ipairs(given.host and listed(given.host) or {}) do
    list[i] = patterns.key("host", { host = pattern })
  end
  return list
end

local function packages_of(given)
  local wanted = given.language and {}
  for i, name in ipairs(given.language and listed(given.language) or {}) do
    wanted[i] = patterns.key("language", { language = name })
  end
  local list = {}
  for _, pattern in ipairs(given.package and listed(given.package) or {}) do
    for _, entry in ipairs(package_names.entries(pattern, wanted)) do
      list[#list + 1] = entry
    end
  end
  return list
end

local function compile(index, given, level)
  local where = ("policy: rules[%d]"):format(index)
  options.argument("policy", ("rules[%d]"):format(index), given, "table", nil, level + 1)
  local named = {}
  for key, value in pairs(given) do
    if key ~= 1 then
      named[key] = value
    end
  end
  options.check(where, named, RULE, level + 1)
  options.argument(where, "effect", given[1], "choice", { choices = EFFECTS }, level + 1)
  local rule = { effect = given[1], because = given.because, tests = {},
    label = ("rule %d (%s)"):format(index, text_of(given[1], given)) }
  if given.verb then
    rule.verbs = {}
    for _, verb in ipairs(listed(given.verb)) do
      options.argument(where, "verb", verb, "choice", { choices = rules.verbs }, level + 1)
      rule.verbs[verb] = true
    end
  end
  for _, field in ipairs(FIELDS) do
    for i, pattern in ipairs(given[field] and listed(given[field]) or {}) do
      rule.tests[field] = rule.tests[field] or {}
      rule.tests[field][i] = patterns.of(field, pattern)
    end
  end
  rule.host, rule.package = hosts_of(given), packages_of(given)
  return rule
end

--- Read rules.
---@param given codecell.PolicyRule[]
---@param level integer stack level to blame, as `error` counts
---@return table[] compiled
function rules.compile(given, level)
  if #given > MOST then
    error(("policy: rules: at most %d expected, got %d"):format(MOST, #given), level)
  end
  local list = {}
  for i = 1, #given do
    list[i] = compile(i, given[i], level + 1)
  end
  return list
end

local function matches_any(tests, request, needs_all)
  for i = 1, #tests do
    if tests[i](request, needs_all) then
      return true
    end
  end
  return false
end

-- A rule that would allow is not met by a part of what a request may mean.
local function matches(rule, request)
  if rule.verbs and not rule.verbs[request.verb] then
    return false
  end
  for _, tests in pairs(rule.tests) do
    if not matches_any(tests, request, rule.effect == "allow") then
      return false
    end
  end
  return true
end

--- What is said of a request: the strictest of the rules that match, of equals the first; else
--- what the mode says.
---@param list table[] compiled
---@param mode string
---@param request table each field is one text
---@return "allow"|"ask"|"deny" effect
---@return string label of the rule or mode that made it
---@return string? because
function rules.decide(list, mode, request)
  local found
  for i = 1, #list do
    local rule = list[i]
    if (not found or WEIGHT[rule.effect] > WEIGHT[found.effect]) and matches(rule, request) then
      found = rule
    end
  end
  if found then
    return found.effect, found.label, found.because
  end
  return MODES[mode][request.verb] or "allow", ("mode %q"):format(mode)
end

--- What is denied to somebody of one field, as entries of `network` or `packages`.
---@param list table[] compiled
---@param subject {user: string?, agent: string?, tool: string?}
---@param verb string
---@param field "host"|"package"
---@return {pattern: string, rule: string}[]
function rules.denied(list, subject, verb, field)
  local denied = {}
  for _, rule in ipairs(list) do
    local request = { verb = verb }
    for name, value in pairs(subject) do
      request[name] = value
    end
    for _, pattern in ipairs(rule.effect == "deny" and rule[field] or {}) do
      request[field] = pattern
      if matches(rule, request) then
        denied[#denied + 1] = { pattern = pattern, rule = rule.label }
      end
    end
  end
  return denied
end

--- Whether the first effect is stricter than the second.
---@param one string
---@param other string?
---@return boolean
function rules.is_stricter(one, other)
  return not other or WEIGHT[one] > WEIGHT[other]
end

return rules
