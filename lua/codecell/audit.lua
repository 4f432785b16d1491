--- codecell.audit: what was done in sandboxes and what came of it, in a file that shows whether
--- anybody has changed it. docs/audit.md has its format.
---
---     local audit = codecell.assert(codecell.audit.open { path = "/var/lib/agent/audit.jsonl" })
---     local sandbox = codecell.assert(codecell.create { audit = audit:of("ann") })
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local errors = require "codecell.errors"
local journal = require "codecell.audit.journal"
local lines = require "codecell.audit.lines"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local texts = require "codecell.audit.texts"
local xdg = require "codecell.xdg"

local NAME = "audit.jsonl"
local FILE_MOST = 64 * 1024 * 1024 -- bytes, before a file is put aside
local LOOK = 3600 -- seconds between two looks for what is too old

local audit = {}

---@class codecell.Audit
---@field path string
---@field subject string? on whose behalf
---@field agent string? who asked
---@field code boolean whether code, input and files that are written stand in it
---@field output boolean whether what came out does too
---@field retention number? seconds that contents are kept
---@field package journal codecell.Journal
---@field package file table what all views of a file share
local Audit = {}
Audit.__index = Audit

local OPEN = {
  agent = { type = "name" },
  code = { type = "boolean" },
  max_size = { type = "integer", least = 65536, most = 2 ^ 40 },
  output = { type = "boolean" },
  path = { type = "text" },
  retention = { type = "number", above = 0, most = 2 ^ 40 },
  subject = { type = "name" },
  sync = { type = "boolean" },
}

--- The file that a path means: a folder has one in it, and so has the user who names none.
---@param path string?
---@return string? path
---@return codecell.Error? err kind "invalid_argument"
function audit.place(path)
  if not path then
    local state = xdg("XDG_STATE_HOME", ".local/state")
    if not state then
      return nil, errors.new("invalid_argument", "audit: neither XDG_STATE_HOME nor HOME says "
        .. "where it is to be; give a path", "give a path")
    end
    return state .. "/codecell/audit/" .. NAME
  end
  path = path:gsub("(.)/+$", "%1")
  local folder = core.host_directory(path, false)
  if folder then
    folder:close()
    return path .. "/" .. NAME
  end
  return path
end

--- Begin or go on with an audit. Nothing is written before there is something to record.
---@param given table? `path` (of a file, or of a folder for `audit.jsonl` in it; default:
---`$XDG_STATE_HOME/codecell/audit`), `subject` (on whose behalf), `agent` (who asks), `code` (true;
---false: of code, input and written files only digests), `output` (true; false: the same of what
---comes out), `retention` (seconds that contents are kept; nil: for ever), `max_size` (64 MiB: of a
---file before it is put aside), `sync` (false; true: each record is on the disk before anything is
---done)
---@return codecell.Audit? audit
---@return codecell.Error? err kinds "permission_denied" (others can write there), "not_found",
---"invalid_argument"
function audit.open(given)
  given = options.check("open", given, OPEN)
  local path, err = audit.place(given.path)
  if not path then
    return nil, err
  end
  local ok
  ok, err = core.host_store((lines.split(path)), true)
  if ok then
    ok, err = reactor.get() -- by which it waits for others that write
  end
  if not ok then
    err.message = "audit: " .. err.message
    return nil, err
  end
  return setmetatable({ path = path, subject = given.subject, agent = given.agent,
    code = given.code ~= false, output = given.output ~= false, retention = given.retention,
    journal = journal.new(path, given.max_size or FILE_MOST, given.sync == true), file = {} },
    Audit)
end

--- One that is there already, to be purged.
---@param path string
---@return codecell.Audit? audit
---@return codecell.Error? err kind "not_found" too
function audit.existing(path)
  local from, err = lines.open(lines.files(path)[1])
  if not from then
    return nil, err
  end
  from:close()
  return audit.open({ path = path })
end

--- Whether a value is an audit.
---@param value any
---@return boolean
function audit.is(value)
  return type(value) == "table" and getmetatable(value) == Audit
end

--- The same file, on somebody's behalf.
---@param subject string?
---@param agent string? who asks: the name of an agent or tool
---@return codecell.Audit
function Audit:of(subject, agent)
  local view = {}
  for name, value in pairs(self) do
    view[name] = value
  end
  view.subject, view.agent = subject or self.subject, agent or self.agent
  return setmetatable(view, Audit)
end

local HEAD = { event = true, of = true, phase = true }

-- What is too old is emptied, now and then.
local function keep_house(self)
  local now = reactor.now()
  if not self.retention or self.file.looked and now - self.file.looked < LOOK
    and now - self.file.looked < self.retention then
    return true
  end
  self.file.looked = now
  return require("codecell.audit.purge").older(self, core.time() - self.retention)
end

--- Record something.
---@param event table `event` (a word of lower-case letters), `phase` ("before" or "after"; nil: it
---has happened at once), `of` (of an outcome: the number of what it is the outcome of), `sandbox`
---(id), and whatever else there is to tell; texts of any length, functions by their type alone
---@param mask userdata? of secrets that are not to stand in it
---@return integer? number of the record
---@return codecell.Error? err it could not be recorded, and is not to be done: kinds "no_space",
---"permission_denied", "system", "limit_exceeded"
function Audit:write(event, mask)
  options.argument("write", "event", event, "table")
  if not chain.is_event(event.event) then
    error("write: event: a word of lower-case letters expected, got " .. tostring(event.event), 2)
  end
  local content = {}
  for name, value in pairs(event) do
    if not HEAD[name] then
      content[name] = texts.copy(value, mask)
    end
  end
  return self:_add(event, content)
end

-- The same of what is in order already.
function Audit:_add(event, content)
  local ok, err = keep_house(self)
  if not ok then
    return nil, err
  end
  content.salt = core.random_id(32)
  content.subject, content.agent = content.subject or self.subject, content.agent or self.agent
  return self.journal:add({ event = event.event, phase = event.phase, of = event.of }, content)
end

--- Empty the records of somebody; the chain holds all the same.
---@param subject string
---@return integer? count of records
---@return codecell.Error? err
function Audit:purge(subject)
  options.argument("purge", "subject", subject, "name")
  return require("codecell.audit.purge").subject(self, subject)
end

--- The same of what was recorded before some time.
---@param at number seconds since 1970
---@return integer? count of records
---@return codecell.Error? err
function Audit:purge_before(at)
  options.argument("purge_before", "at", at, "number")
  return require("codecell.audit.purge").older(self, at)
end

--- Compare a file with itself.
---@param path string? as of `open`
---@param given {anchor: string?}? "NUMBER DIGEST" that was kept elsewhere; default: the one beside
---the file
---@return codecell.AuditReport? report
---@return codecell.Error? err it cannot be read
function audit.verify(path, given)
  return require("codecell.audit.verify").verify(path, given)
end

--- What was done in each sandbox, as far as it was kept.
---@param path string? as of `open`
---@param filter {sandbox: string?, subject: string?}?
---@return codecell.AuditSession[]? sessions in the order of their beginnings
---@return codecell.Error? err kinds "not_found", "protocol": the file is not as it was written
function audit.sessions(path, filter)
  return require("codecell.audit.sessions").list(path, filter)
end

--- Each record of a file, oldest first.
---@param path string? as of `open`
---@param each fun(record: codecell.AuditRecord)
---@return true? done
---@return codecell.Error? err kinds "not_found", "protocol"
function audit.read(path, each)
  return require("codecell.audit.records").each(path, each)
end

return audit
