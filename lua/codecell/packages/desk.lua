--- The desk of a sandbox: what it may have of packages, what it had, and what it was refused.
local network = require "codecell.network"

local desk = {}

local KEPT = 1000 -- names in each list

---@class codecell.PackageDesk
---@field policy codecell.PackagePolicy
---@field source table
---@field admitted table<string, table<string, true>> by manager: what allowed packages need
---@field asked table<string, codecell.PackageRequest> by manager: all that was installed by verb
---@field unfinished number bytes of files that are being fetched
---@field record table what the gateway said: `not_found` and `denied` (sets of names), `refused`
---and `failed` (lists)
local Desk = {}
Desk.__index = Desk

--- The desk of a new sandbox.
---@param sandbox codecell.Sandbox
---@param offer {policy: codecell.PackagePolicy, source: table, most: number?} most: bytes of a
---file; default: of the disk of the sandbox
---@return codecell.PackageDesk
function desk.new(sandbox, offer)
  return setmetatable({
    weak = setmetatable({ sandbox = sandbox }, { __mode = "v" }), policy = offer.policy,
    source = offer.source, most = offer.most, admitted = offer.policy:admit(), asked = {},
    record = { not_found = {}, denied = {}, refused = {}, failed = {} }, counts = {},
    unfinished = 0,
  }, Desk)
end

-- A hostile sandbox may ask without end.
local function has_room(self, list)
  self.counts[list] = (self.counts[list] or 0) + 1
  return self.counts[list] <= KEPT
end

local function tell(self, name, why, allow)
  local sandbox = self.weak.sandbox
  if sandbox then
    network.refuse(sandbox, { host = name, port = 0, why = "package", detail = why, allow = allow,
      times = 1 })
  end
end

--- How large a file may be.
---@return number bytes
function Desk:disk()
  local sandbox = self.weak.sandbox
  return self.most or sandbox and sandbox._limits.disk or 0
end

--- Whether a package may be had; a refusal is told.
---@param manager "pip"|"npm"
---@param name string normal form
---@return string? why not
function Desk:refusal(manager, name)
  local why, allow = self.policy:refusal(manager, name, self.admitted)
  if why and not self.record.denied[name] and has_room(self, "denied") then
    self.record.denied[name] = true
    self.record.refused[#self.record.refused + 1] = { name = name, why = why, allow = allow }
    tell(self, name, why, allow)
  end
  return why
end

--- Whether it matters what an allowed package needs.
---@return boolean
function Desk:has_list()
  return self.policy.allow ~= nil and self.policy.dependencies
end

--- Let a package have what it needs.
---@param manager "pip"|"npm"
---@param names string[] normal forms
function Desk:admit(manager, names)
  if self:has_list() then
    for _, name in ipairs(names) do
      self.admitted[manager][name] = true
    end
  end
end

--- The index has no such package.
---@param name string
---@param why string
function Desk:missing(name, why)
  if not self.record.not_found[name] and has_room(self, "missing") then
    self.record.not_found[name] = true
    tell(self, name, why)
  end
end

--- The index gave nothing, or something else than it promised.
---@param message string one line
---@param kind codecell.ErrorKind? default "unavailable"
function Desk:failed(message, kind)
  if has_room(self, "failed") then
    self.record.failed[#self.record.failed + 1] = { message = message, kind = kind }
  end
end

return desk
