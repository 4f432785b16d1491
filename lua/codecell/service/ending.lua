--- How the sandboxes of a service end: killed, or since nobody has used them.
local downloads = require "codecell.service.downloads"
local log = require "codecell.log"
local reactor = require "codecell.reactor"
local task = require "codecell.task"

local ending = {}

local PART = "e2b:service"

--- Count one that has ended, and tell.
---@param self codecell.Service
---@param entry codecell.ServiceEntry
---@param why string
function ending.settle(self, entry, why)
  local seconds = self.clock() - entry.made
  if why == "expired" then
    seconds = math.min(seconds, entry.sandbox._about.timeout) -- it is seen later than it is over
  end
  self.ledger:finish({ why = why, seconds = seconds, cpu = entry.cpu, memory = entry.memory,
    owner = entry.owner, backend = entry.sandbox.backend })
  log.write("info", PART, "Sandbox ended: " .. entry.id, { event = "sandbox.kill",
    sandbox = entry.id, why = why })
  self:_emit("sandbox.kill", { sandbox = entry.id, owner = entry.owner, why = why })
end

--- End one for good. One whose end could not be brought about stays, and is tried again.
---@param self codecell.Service
---@param entry codecell.ServiceEntry
---@param why "killed"|"idle"|"closed"
---@return true?
---@return codecell.Error? err
function ending.finish(self, entry, why)
  local one = entry.sandbox
  if entry.is_ending then
    return true -- whoever has begun does the rest
  elseif not one:_closed() then
    entry.is_ending = true
    local killed, err = one:kill()
    if killed == nil then
      entry.is_ending = nil
      return nil, err
    end
    one:close()
  end
  self.roster:remove(entry, why)
  return true
end

--- End those that nobody has used for a while.
---@param self codecell.Service
function ending.reap(self)
  local now = self.clock()
  for _, entry in ipairs(self.roster:list()) do
    local is_kept = entry.users > 0 or entry.sandbox:is_frozen()
    if not is_kept and now - entry.used >= self.config.idle_timeout then
      ending.finish(self, entry, "idle")
    end
  end
  downloads.forget(self, os.time())
  self.rates:forget()
end

--- Look for them in the background, while there is any sandbox.
---@param self codecell.Service
function ending.watch(self)
  local watcher = self.watcher
  if not watcher then
    watcher = { serial = 0, is_background = true }
    function watcher.resume()
      watcher.serial = watcher.serial + 1
      task.background(function()
        ending.reap(self)
        if not self.is_closed and self.roster:list()[1] then
          ending.watch(self)
        end
      end)
    end
    self.watcher = watcher
  end
  if not watcher.is_parked and not watcher.is_ready then
    reactor.park(watcher, nil, reactor.now() + self.config.cleanup_interval)
  end
end

--- Look for them no more.
---@param self codecell.Service
function ending.rest(self)
  local watcher = self.watcher
  if watcher then
    watcher.serial = watcher.serial + 1 -- its alarm is stale
    reactor.unpark(watcher)
    self.watcher = nil
  end
end

return ending
