--- The sandboxes of a service: whose they are, who has used them when, and why those that are gone
--- are gone.
local errors = require "codecell.errors"

local roster = {}

local REMEMBERED = 1000 -- of those that are gone

---@class codecell.ServiceEntry
---@field sandbox codecell.Sandbox
---@field owner string? the user it was made for
---@field key string? under which its owner finds it again
---@field metadata table<string, string> what it is marked with
---@field made number
---@field used number when it was used last
---@field users integer how many use it now
---@field busy_seconds number
---@field cpu number processors, and
---@field memory integer bytes, by which its time is paid
---@field on_timeout string? "pause": it does not end with its time
---@field is_temporary boolean? ended by whoever made it
---@field is_ending boolean? its end has begun: nobody finds it any more
---@field rights table<string, string>? of those it is shared with: "runner" or "reader"

---@class codecell.Roster
local Roster = {}
Roster.__index = Roster

--- An empty one.
---@param clock fun(): number seconds
---@param on_end fun(entry: codecell.ServiceEntry, why: string) told once of each that has ended
---@return codecell.Roster
function roster.new(clock, on_end)
  return setmetatable({ clock = clock, on_end = on_end, by_id = {}, keys = {},
    gone = {}, gone_order = {}, coming = 0 }, Roster)
end

--- What stands for a key of an owner.
---@param owner string?
---@param key string
---@return string
function Roster.place(owner, key)
  return (owner or "") .. "\0" .. key
end

--- Add one that was made.
---@param made codecell.Sandbox
---@param about table `owner key metadata on_timeout is_temporary cpu memory` of the entry
---@return codecell.ServiceEntry
function Roster:add(made, about)
  local now = self.clock()
  local entry = { sandbox = made, id = made.id, owner = about.owner, key = about.key,
    metadata = about.metadata, on_timeout = about.on_timeout, is_temporary = about.is_temporary,
    cpu = about.cpu, memory = about.memory, made = now, used = now, users = 0, busy_seconds = 0 }
  self.by_id[made.id] = entry
  if about.key then
    self.keys[self.place(about.owner, about.key)] = entry
  end
  return entry
end

--- Forget one, and remember why.
---@param entry codecell.ServiceEntry
---@param why "killed"|"expired"|"idle"|"closed"|"died"
function Roster:remove(entry, why)
  if not self.by_id[entry.id] then
    return
  end
  self.by_id[entry.id] = nil
  local place = entry.key and self.place(entry.owner, entry.key)
  if place and self.keys[place] == entry then
    self.keys[place] = nil -- else another has taken its place while it ended
  end
  self.gone[entry.id] = { owner = entry.owner, key = entry.key, why = why, at = os.time() }
  self.gone_order[#self.gone_order + 1] = entry.id
  if #self.gone_order > REMEMBERED then
    self.gone[table.remove(self.gone_order, 1)] = nil
  end
  self.on_end(entry, why)
end

local ENDS = { killed = "was killed", expired = "expired", idle = "was ended since nobody used it",
  closed = "was closed", died = "has ended" }

local function gone_error(verb, id, was)
  local err = errors.new("sandbox_gone", ("%s: Sandbox not found: %s %s at %s; make a new one"
    .. "%s"):format(verb, id, ENDS[was.why], os.date("!%Y-%m-%dT%H:%M:%SZ", was.at),
    was.why == "expired" and ", and call set_timeout before its time is over" or ""))
  err.word = was.why == "expired" and "expired" or "killed"
  return err
end

--- Whether an owner may see what is somebody's: who names none is the program itself.
local function may_see(owner, holder)
  return owner == nil or holder == owner
end

--- What somebody gets who has it from its owner, with less than it takes.
---@param verb string
---@param owner string
---@param right string that there is
---@param id string
---@return codecell.Error
function Roster.denied(verb, owner, right, id)
  return errors.new("denied_by_policy", ("%s: %s is a %s of %s and may not; its owner can share it "
    .. "with other rights"):format(verb, owner, right, id))
end

--- One of somebody's; another's is as if there had never been one.
---@param verb string
---@param id string
---@param owner string? nil: the program itself, which may use all
---@param right "runner"? what is enough for those whom it is shared with; nil: for its owner alone
---@return codecell.ServiceEntry?
---@return codecell.Error? err kinds "not_found", "sandbox_gone" (err.word "expired" or "killed")
function Roster:find(verb, id, owner, right)
  local entry = self.by_id[id]
  if entry and self:check(entry) then
    local has = entry.rights and entry.rights[owner]
    if not may_see(owner, entry.owner) and has and has ~= right then
      return nil, self.denied(verb, owner, has, id)
    elseif (may_see(owner, entry.owner) or has) and entry.is_ending then
      return nil, gone_error(verb, id, { why = "killed", at = os.time() })
    elseif may_see(owner, entry.owner) or has then
      return entry
    end
  end
  local was = self.gone[id]
  if was and may_see(owner, was.owner) then
    return nil, gone_error(verb, id, was)
  end
  return nil, errors.new("not_found", ("%s: Sandbox not found: there is no %q; list shows those "
    .. "there are"):format(verb, id))
end

--- The one under a key.
---@param owner string?
---@param key string
---@return codecell.ServiceEntry?
function Roster:under(owner, key)
  local entry = self.keys[self.place(owner, key)]
  return entry and not entry.is_ending and self:check(entry) and entry or nil
end

--- Use one from now on: nobody ends it for being idle.
---@param entry codecell.ServiceEntry
function Roster:hold(entry) -- luacheck: no self
  entry.users = entry.users + 1
end

--- Use it no more. One that turned out to have ended elsewhere is taken out.
---@param entry codecell.ServiceEntry
---@param err codecell.Error? why what was asked of it failed
function Roster:release(entry, err)
  entry.users, entry.used = entry.users - 1, self.clock()
  if err and err.kind == "sandbox_gone" and not entry.is_ending then
    self:lose(entry)
  end
end

--- Why the one that was last under a key is gone.
---@param verb string
---@param owner string?
---@param key string
---@return codecell.Error? err kind "sandbox_gone"; nil: there was none
function Roster:last_under(verb, owner, key)
  for i = #self.gone_order, 1, -1 do
    local id = self.gone_order[i]
    local was = self.gone[id]
    if was.key == key and was.owner == owner then
      return gone_error(verb, id, was)
    end
  end
end

-- Whether its time is over, as far as is known here.
local function is_late(entry, grace)
  local about = entry.sandbox._about
  return about ~= nil and os.time() >= about.started_at + about.timeout + grace
end

--- Take out one that has ended by itself.
---@param entry codecell.ServiceEntry
function Roster:lose(entry)
  self:remove(entry, is_late(entry, -1) and "expired" or "died")
  entry.sandbox:close()
end

local GRACE = 2 -- seconds that another machine's clock may be behind

-- Of one that lives elsewhere nobody is told when its time is over, unless it is paused then.
local function has_ended(entry)
  local one = entry.sandbox
  local state = one._backend.state(one)
  if state ~= "running" and state ~= "paused" then
    return true
  end
  return one.backend ~= "local" and entry.on_timeout ~= "pause"
    and is_late(entry, one.backend == "mock" and 0 or GRACE)
end

--- Whether it lives; one that has ended by itself is taken out.
---@param entry codecell.ServiceEntry
---@return boolean
function Roster:check(entry)
  if entry.sandbox:_closed() then
    self:remove(entry, "closed")
    return false
  elseif not has_ended(entry) then
    return true
  elseif not entry.is_ending then -- else whoever ends it takes it out
    self:lose(entry)
  end
  return false
end

--- All that live, oldest first.
---@param owner string? nil: of everybody
---@return codecell.ServiceEntry[]
function Roster:list(owner)
  local list, all = {}, {}
  for _, entry in pairs(self.by_id) do
    all[#all + 1] = entry
  end
  for _, entry in ipairs(all) do
    if self:check(entry) and may_see(owner, entry.owner) then
      list[#list + 1] = entry
    end
  end
  table.sort(list, function(one, other)
    return one.made < other.made or one.made == other.made and one.id < other.id
  end)
  return list
end

return roster
