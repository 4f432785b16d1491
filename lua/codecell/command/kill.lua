--- `codecell kill`: end sandboxes, whichever program made them.
local codecell = require "codecell"
local core = require "codecell.core"
local command = require "codecell.command"

local kill = {
  summary = "end sandboxes by their ids",
  usage = "codecell kill ID... | --all",
  description = "Ends your sandboxes at once, whichever program made them, and waits until\n"
    .. "nothing of them is left. Status 1 if one of the ids is no sandbox of yours.\n",
  options = {
    { name = "all", help = "every sandbox of yours" },
  },
}

-- The kernel ends all processes of a sandbox before its first one is gone.
local GONE_WITHIN = 5

local function lives(ids)
  for _, sandbox in ipairs(core.sandboxes() or {}) do
    if ids[sandbox.id] then
      return true
    end
  end
  return false
end

local function wait_until_gone(ids)
  local deadline = codecell.reactor():now() + GONE_WITHIN
  while lives(ids) and codecell.reactor():now() < deadline do
    codecell.step(0.02)
  end
  return not lives(ids)
end

local function wanted(options, arguments)
  if options.all and arguments[1] then
    return nil, "give ids or --all, not both"
  elseif not options.all then
    if not arguments[1] then
      return nil, "give the id of a sandbox, or --all"
    end
    return arguments
  end
  local ids = {}
  for i, sandbox in ipairs(core.sandboxes() or {}) do
    ids[i] = sandbox.id
  end
  return ids
end

function kill.run(options, arguments)
  local ids, message = wanted(options, arguments)
  if not ids then
    return nil, message
  end
  local status, killed = command.status.success, {}
  for _, id in ipairs(ids) do
    local done, err = core.kill_sandbox(id)
    if done then
      killed[id] = true
    elseif err then
      io.stderr:write("codecell kill: ", tostring(err), "\n")
      status = command.status.failed
    elseif not options.all then
      io.stderr:write("codecell kill: no sandbox ", id, " of yours\n")
      status = math.max(status, command.status.code_failed)
    end
  end
  if not wait_until_gone(killed) then
    io.stderr:write("codecell kill: killed, but not gone after ", GONE_WITHIN, " s\n")
    return command.status.failed
  end
  return status
end

return kill
