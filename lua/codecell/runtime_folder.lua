--- Where this user's programs keep what lives no longer than the machine runs.
local core = require "codecell.core"

--- The folder; it may be missing. Whoever uses it sees by `core.host_store` that nobody else can.
---@return string path below XDG_RUNTIME_DIR, or in /tmp where there is none
return function()
  local base = os.getenv "XDG_RUNTIME_DIR"
  if base and base:sub(1, 1) == "/" then
    return base .. "/codecell"
  end
  return ("/tmp/codecell-%d"):format(core.uid())
end
