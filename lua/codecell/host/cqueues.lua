--- Waiting in the loop of cqueues, and with it of lua-http: a coroutine polls the reactor as it
--- would any other object, and steps it.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local host = require "codecell.host"
local reactor = require "codecell.reactor"

local adapter = {}

---@class codecell.CqueuesGuest a coroutine of a controller, seen as a task
local Guest = {}
Guest.__index = Guest

--- Poll and step until what it waits for has happened: in its own step, or in that of another
--- coroutine, which then signals.
function Guest:pause()
  local loop = reactor.get()
  self.is_resumed = false
  repeat
    cqueues.poll(loop, self.condition)
    if not self.is_resumed then
      local happened, err = loop:step(0)
      if happened == nil then
        error(tostring(err), 0)
      end
    end
  until self.is_resumed
end

function Guest:resume()
  self.serial, self.is_resumed = self.serial + 1, true
  self.condition:signal()
end

local guests = setmetatable({}, { __mode = "k" }) -- by thread; a guest does not lead back to it

local function guest_of(thread)
  local guest = guests[thread]
  if not guest then
    guest = setmetatable({ serial = 0, condition = condition.new() }, Guest)
    guests[thread] = guest
  end
  return guest
end

-- Within a coroutine of the program's own, a poll would end up in whoever resumes that.
local function adopt(thread)
  local controller, is_its_own = cqueues.running()
  return thread and controller and is_its_own and guest_of(thread) or nil
end

--- From now on a verb that waits in a coroutine of a controller polls, and others run on. Elsewhere
--- a verb waits by itself.
---@return true
function adapter.attach()
  return host.attach("cqueues", function()
    return { adopt = adopt }
  end)
end

--- Coroutines that wait are served to their end; later ones wait by themselves.
---@return boolean detached false if it was not attached
function adapter.detach()
  return host.detach("cqueues")
end

return adapter
