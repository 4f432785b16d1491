--- codecell.Shared: a sandbox in the hands of one of several agents, with the rights that it has.
local errors = require "codecell.errors"
local merged = require "codecell.merged"
local options = require "codecell.options"

local shared = {}

local EVENTS_MOST = 1000
local RIGHTS = { "reader", "runner" }

---@class codecell.Shared
---@field agent string
---@field right "reader"|"runner"
---@field id string of the sandbox
local Shared = {}
Shared.__index = Shared

--- Keep what an agent did, for all who share it.
---@param entry codecell.ServiceEntry
---@param one table `who event` and more
function shared.tell(entry, one)
  local events = entry.events
  one.serial, one.at = (entry.serial or 0) + 1, os.time()
  entry.serial = one.serial
  events[#events + 1] = one
  if #events > EVENTS_MOST then
    table.remove(events, 1)
  end
end

local function right_of(given, agent)
  local right = given.rights
  if type(right) == "table" then
    right = right[agent]
  end
  right = right or "runner"
  options.argument("share", ("rights of %s"):format(agent), right, "choice",
    { choices = RIGHTS }, 5)
  return right
end

--- See `Service:share`.
---@param service codecell.Service
---@param id string
---@param given table
---@return table<string, codecell.Shared>?
---@return codecell.Error?
function shared.share(service, id, given)
  options.argument("share", "id", id, "name", nil, 4)
  given = options.check("share", given, {
    agents = { type = "strings", least = 1 }, owner = { type = "name" },
    rights = { type = "either", expected = "string or table",
      rules = { string = { type = "name" }, table = { type = "table" } } },
  }, 4)
  local entry, err = service.roster:find("share", id, given.owner)
  if not entry then
    return nil, err
  end
  entry.rights, entry.events = entry.rights or {}, entry.events or {}
  local handles = {}
  for _, agent in ipairs(given.agents or {}) do
    local right = right_of(given, agent)
    entry.rights[agent] = right
    handles[agent] = setmetatable({ service = service, entry = entry, agent = agent,
      right = right, id = id }, Shared)
    shared.tell(entry, { who = agent, event = "joined", right = right })
  end
  return handles
end

-- Whether the right is still there, and covers a verb.
local function check(self, verb, needs_runner)
  local right = self.entry.rights[self.agent]
  if not right then
    return nil, errors.new("denied_by_policy", ("%s: %s has left %s"):format(verb, self.agent,
      self.id))
  end
  self.right = right
  if needs_runner and right ~= "runner" then
    return nil, self.service.roster.denied(verb, self.agent, right, self.id)
  end
  local entry, err = self.service.roster:find(verb, self.id, nil)
  return entry and entry.sandbox, err
end

--- Run code: variables are those of all who share it.
---@param code string
---@param given table? of `Service:execute`
---@return codecell.Reply? reply
---@return codecell.Error? err kind "denied_by_policy" for a reader
function Shared:run(code, given)
  local found, err = check(self, "run", true)
  if not found then
    return nil, err
  end
  local about = merged(given, { sandbox = self.id, owner = self.agent })
  local reply
  reply, err = self.service:execute(code, about)
  shared.tell(self.entry, { who = self.agent, event = "run", code = code,
    success = reply ~= nil and reply.success, output = reply and reply.output or nil,
    text = reply and reply.text or nil })
  return reply, err
end

--- Read a file.
---@param path string
---@return string? data
---@return codecell.Error? err
function Shared:read(path)
  local found, err = check(self, "read", false)
  if not found then
    return nil, err
  end
  return found.files:read(path)
end

--- Write a file.
---@param path string
---@param data string
---@return codecell.EntryInfo? entry
---@return codecell.Error? err kind "denied_by_policy" for a reader
function Shared:write(path, data)
  local found, err = check(self, "write", true)
  if not found then
    return nil, err
  end
  local entry
  entry, err = found.files:write(path, data)
  if entry then
    shared.tell(self.entry, { who = self.agent, event = "write", path = path })
  end
  return entry, err
end

--- What has happened, oldest first.
---@param since integer? the serial of the last event that is known
---@return table[]? events `serial at who event` and more
---@return codecell.Error? err
function Shared:events(since)
  local found, err = check(self, "events", false)
  if not found then
    return nil, err
  end
  local list = {}
  for _, one in ipairs(self.entry.events) do
    if one.serial > (since or 0) then
      list[#list + 1] = one
    end
  end
  return list
end

--- Give the right back. Idempotent.
function Shared:leave()
  if self.entry.rights[self.agent] then
    self.entry.rights[self.agent] = nil
    shared.tell(self.entry, { who = self.agent, event = "left" })
  end
end

return shared
