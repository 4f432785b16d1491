--- What somebody who watches over sandboxes wants to hear: that code was refused something, has hit
--- a limit, has shown a secret.
---
--- Each such event of a sandbox has `class = "security"`, and says in `sort` which it is:
--- "connect", "package", "limit", "redaction", "syscall", "policy".
local merged = require "codecell.merged"
local network = require "codecell.network"

local security = {}

---@class codecell.SecurityEvent
---@field type string "security", or "refused" of what the network was asked for
---@field class "security"
---@field sort "connect"|"package"|"limit"|"redaction"|"syscall"|"policy"
---@field sandbox string id
---@field message string one line

--- Tell of one.
---@param sandbox codecell.Sandbox
---@param sort string
---@param message string
---@param about table? more fields
function security.tell(sandbox, sort, message, about)
  if not sandbox._on_event then
    return
  end
  network.event(sandbox, merged({ type = "security", class = "security", sort = sort,
    message = message }, about))
end

local LIMITS = { limit_exceeded = true, no_space = true, out_of_memory = true }

--- How often something was masked until now.
---@param sandbox codecell.Sandbox
---@return integer
function security.masked(sandbox)
  return sandbox._mask and sandbox._mask:count() or 0
end

local function look_at_end(sandbox, verb, done)
  if done.timed_out then
    security.tell(sandbox, "limit", verb .. " was out of time", { limit = "timeout" })
  end
  if done.out_of_memory then
    security.tell(sandbox, "limit", verb .. " was out of memory", { limit = "memory" })
  end
  if done.truncated then
    security.tell(sandbox, "limit", verb .. " has printed more than is kept",
      { limit = "output" })
  end
  local failure = done.error
  if done.signal == "SIGSYS" or failure and tostring(failure.value):find("SIGSYS", 1, true) then
    security.tell(sandbox, "syscall", verb .. " was ended for a system call that nobody may make")
  end
end

--- Look at what came of a verb.
---@param sandbox codecell.Sandbox
---@param verb string
---@param masked integer as of `masked`, before it
---@param done table? codecell.Execution, codecell.CommandResult
---@param err codecell.Error?
function security.look(sandbox, verb, masked, done, err)
  if not sandbox._on_event then
    return
  end
  local times = security.masked(sandbox) - masked
  if times > 0 then
    security.tell(sandbox, "redaction", ("%s: a secret was masked in what it has shown"):format(
      verb), { times = times })
  end
  if type(done) == "table" then
    look_at_end(sandbox, verb, done)
  end
  if err and LIMITS[err.kind] then
    security.tell(sandbox, "limit", err.message, { limit = err.kind })
  elseif err and err.kind == "denied_by_policy" then
    security.tell(sandbox, "policy", err.message)
  end
end

return security
