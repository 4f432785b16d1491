--- Which packages may be had: the decision on a name.
local names = require "codecell.packages.names"
local nearest = require "codecell.nearest"
local sorted = require "codecell.sorted"

local policy = {}

-- What packages are built with, where they come as sources: the index does not tell which.
local BUILDERS = {
  "setuptools", "wheel", "flit-core", "hatchling", "hatch-vcs", "poetry-core", "pdm-backend",
  "setuptools-scm", "packaging", "pathspec", "pluggy", "trove-classifiers", "editables", "tomli",
  "typing-extensions",
}

---@class codecell.PackagePolicy
---@field allow table<string, table<string, true>>? by manager; nil: every name
---@field deny table<string, table<string, true>>
---@field dependencies boolean
---@field index string?
---@field registry string?
local Policy = {}
Policy.__index = Policy

local PLAIN = { npm = string.lower, pip = names.plain_python }

-- Extras and versions do not count: "Requests[socks]==2" is requests.
local function plain(manager, text)
  local spec = manager == "pip" and names.python(text) or manager == "npm" and names.npm(text)
  return spec and spec.name or PLAIN[manager](text)
end

local function by_manager(list)
  local found = { npm = {}, pip = {} }
  for _, text in ipairs(list) do
    local manager, name = text:match("^(%a%a%a):(.*)$")
    for one, of_one in pairs(found) do
      if not PLAIN[manager] or manager == one then
        of_one[plain(one, PLAIN[manager] and name or text)] = true
      end
    end
  end
  return found
end

--- What was given, as it is decided by.
---@param given boolean|table|nil checked by the rule
---@return codecell.PackagePolicy
function policy.new(given)
  local fields = type(given) == "table" and given or {}
  return setmetatable({
    is_denied = given == false, is_offered = given ~= nil and given ~= false,
    allow = fields.allow and by_manager(fields.allow), deny = by_manager(fields.deny or {}),
    dependencies = fields.dependencies ~= false, index = fields.index,
    registry = fields.registry, given = fields,
  }, Policy)
end

--- What an installer needs beside the packages themselves.
---@return table<string, table<string, true>> admitted by manager, for one sandbox to add to
function Policy:admit()
  local admitted = { npm = {}, pip = {} }
  for _, name in ipairs(self.dependencies and BUILDERS or {}) do
    admitted.pip[name] = true
  end
  return admitted
end

--- Whether a package may be had.
---@param manager "pip"|"npm"
---@param name string normal form
---@param admitted table<string, table<string, true>>? what allowed ones need
---@return string? why not
---@return string? allow what would allow it, as it stands in create
function Policy:refusal(manager, name, admitted)
  if self.is_denied then
    return "`packages` is false"
  elseif self.deny[manager][name] then
    return "it is in the deny list of `packages`"
  elseif not self.allow or self.allow[manager][name] or admitted and admitted[manager][name] then
    return nil
  end
  local near = nearest(name, sorted(self.allow[manager]))
  local meant = near and ("; did you mean %q?"):format(near) or ""
  return "it is not in the allow list of `packages`" .. meant,
    ("packages = {allow = {%q}}"):format(name)
end

--- All of it that decides what an installer gets, in one text: equal for equal policies.
---@param manager "pip"|"npm"
---@return string
function Policy:canonical(manager)
  return table.concat({ self.allow and table.concat(sorted(self.allow[manager]), " ") or "*",
    table.concat(sorted(self.deny[manager]), " "), tostring(self.dependencies) }, "\n")
end

return policy
