--- Ports of a sandbox, seen from this machine.
local core = require "codecell.core"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local POLL = 0.02 -- seconds between two knocks at a port

local knock = {}

--- Wait until something listens on a port inside.
---@param self codecell.Sandbox
---@param port integer
---@param timeout number seconds
---@return true? listening
---@return codecell.Error? err kind "timeout"
function knock.wait(self, port, timeout)
  local deadline = wait.deadline(timeout)
  while true do
    local connection, err = self._backend.ask(self, "wait_port", "dial", port)
    if connection then
      connection:close()
      return true
    elseif err.errno ~= core.errno.ECONNREFUSED then
      return nil, err
    end
    local again = wait.earlier(deadline, reactor.now() + POLL)
    local open = reactor.now() < deadline
    while wait.key(nil, again) do
      open = true
    end
    if not open or reactor.now() >= deadline then
      return nil, wait.failure("wait_port", timeout)
    end
  end
end

return knock
