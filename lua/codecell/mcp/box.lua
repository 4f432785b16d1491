--- The sandbox of a session: made when it is first needed, made anew when it has ended.
local create = require "codecell.create"
local errors = require "codecell.errors"
local merged = require "codecell.merged"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local box = {}

---@class codecell.McpBox
---@field package sandbox codecell.Sandbox?
---@field ended string? why the one before has ended; taken by `news`
local Box = {}
Box.__index = Box

local DAY = 86400

--- Nothing is made yet.
---@param given table? options of `codecell.create`
---@param idle number seconds that it lives when it is not used
---@param on_event fun(event: table) hears what the sandbox tells
---@return codecell.McpBox
function box.new(given, idle, on_event)
  return setmetatable({ wanted = merged(given, { on_event = on_event }), idle = idle }, Box)
end

--- The sandbox, if there is one that lives.
---@return codecell.Sandbox?
function Box:peek()
  local sandbox = self.sandbox
  if sandbox and not sandbox:is_running() then
    local _, err = sandbox.files:exists(".")
    self.ended = err and err.message:gsub("^exists [^:]*: ", "") or "the sandbox has ended"
    sandbox:close()
    self.sandbox = nil
  end
  return self.sandbox
end

-- It lives until nobody has used it for so long, and as long as this takes.
local function lifetime(self, seconds)
  return math.min(math.max(seconds, self.idle), DAY)
end

local function prolong(self, sandbox, seconds)
  local ends_at = reactor.now() + lifetime(self, seconds)
  if ends_at > self.ends_at + 1 then
    local ok, err = sandbox:set_timeout(ends_at - reactor.now())
    if not ok then
      return nil, err
    end
    self.ends_at = ends_at
  end
  return sandbox
end

local function make(self, seconds)
  self.is_making = true
  self.wanted.timeout = lifetime(self, seconds)
  local ok, sandbox, err = wait.call(create.create, self.wanted)
  if not ok then
    sandbox, err = nil, errors.new("invalid_argument", tostring(sandbox))
  end
  self.is_making = nil
  reactor.wake(self)
  if sandbox and self.is_closed then
    sandbox:close()
    return nil, errors.new("cancelled", "the session has ended")
  end
  self.sandbox, self.ends_at = sandbox, reactor.now() + self.wanted.timeout
  return sandbox, err
end

--- The sandbox for something that takes at most so long. Who comes while it is made waits for it.
---@param seconds number
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err of `codecell.create`
function Box:get(seconds)
  while self.is_making do
    if not wait.key(self) then
      return nil, wait.failure("create")
    end
  end
  if self.is_closed then
    return nil, errors.new("cancelled", "the session has ended")
  end
  local sandbox = self:peek()
  if sandbox then
    return prolong(self, sandbox, seconds)
  end
  return make(self, seconds)
end

--- Why the sandbox before this one has ended: told once.
---@return string?
function Box:news()
  local ended = self.ended
  self.ended = nil
  return ended
end

--- The end, at once, of whatever runs in it.
function Box:close()
  self.is_closed = true
  if self.sandbox then
    self.sandbox:close()
    self.sandbox = nil
  end
end

return box
