--- A libuv handle on the reactor's descriptor, which keeps a loop alive only while somebody waits.
local host = require "codecell.host"
local reactor = require "codecell.reactor"

---@class codecell.PollHandle
---@field package uv table luv
---@field package turn fun() called by the loop when the reactor has news
---@field package handle? userdata
---@field package loop? codecell.Reactor held, so that its descriptor lives as long as the handle
local Poll = {}
Poll.__index = Poll

local poll = {}

---@param uv table luv, or Neovim's vim.loop
---@param turn fun()
---@return codecell.PollHandle
function poll.new(uv, turn)
  return setmetatable({ uv = uv, turn = turn }, Poll)
end

local function open(self, loop)
  local handle, err = self.uv.new_poll(loop:pollfd())
  if not handle then
    error(("watch the reactor: %s"):format(tostring(err)), 0)
  end
  self.handle, self.loop = handle, loop
  self:start()
end

--- Have `turn` called when there is news.
function Poll:start()
  if self.handle then
    self.handle:start("r", self.turn)
  end
end

--- Have it called no more, until `start`.
function Poll:stop()
  if self.handle then
    self.handle:stop()
  end
end

--- Keep the loop alive, or not. Opens the handle at first use, and anew for a new reactor.
---@param busy boolean
function Poll:keep_alive(busy)
  local loop = busy and reactor.get()
  if loop and loop ~= self.loop then
    self:close()
    open(self, loop)
  end
  if self.handle and busy then
    self.handle:ref()
  elseif self.handle then
    self.handle:unref()
  end
end

--- Give the handle back; before the reactor closes its descriptor, which libuv would still watch.
function Poll:close()
  if self.handle then
    self.handle:stop()
    self.handle:close()
    self.handle, self.loop = nil, nil
  end
end

--- Handle what the reactor has, from the loop's top level. An error is that of a broken reactor.
function poll.step()
  host.set_home()
  local happened, err = reactor.get():step(0)
  if happened == nil then
    error(tostring(err), 0)
  end
end

return poll
