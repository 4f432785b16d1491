--- `codecell kill`: end sandboxes, whichever program made them.
local codecell = require "codecell"
local core = require "codecell.core"
local command = require "codecell.command"
local json = require "codecell.json"
local keeper = require "codecell.command.keeper"
local urls = require "codecell.http.url"

local kill = {
  summary = "end sandboxes by their ids or names",
  usage = "codecell kill ID|NAME... | --all [--json]",
  description = "Ends your sandboxes at once, whichever program made them, and waits until\n"
    .. "nothing of them is left. Status 1 if one of the ids is no sandbox of yours.\n",
  takes = "sandbox",
  statuses = { [1] = "one of them is no sandbox of yours" },
  example = "codecell kill --all",
  options = {
    { name = "all", help = "every sandbox of yours" },
    { name = "json", help = "print of each whether it was ended" },
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

local ID = "^i" .. ("[a-z0-9]"):rep(20) .. "$"

-- One that `codecell run --name` has made: whether there was one.
local function kill_named(name)
  local client = keeper.find()
  if not client then
    return false
  end
  local killed = keeper.ask(client, "DELETE", "sandboxes/" .. urls.encode(name))
  client:close()
  return killed == true
end

local function wanted(options, arguments)
  if options.all and arguments[1] then
    return nil, "give ids or --all, not both"
  elseif not options.all then
    if (arguments[1] or "") == "" then
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

-- One of them: whether it was ended, or nil and why nobody can.
local function end_one(word)
  if word:find(ID) then
    return core.kill_sandbox(word)
  end
  return kill_named(word)
end

local function tell(...)
  io.stderr:write("codecell kill: ", ...)
  io.stderr:write("\n")
end

function kill.run(options, arguments)
  local words, message = wanted(options, arguments)
  if not words then
    return nil, message
  end
  local status, killed, rows = command.status.success, {}, json.list()
  for i, word in ipairs(words) do
    local done, err = end_one(word)
    killed[word] = done or nil
    rows[i] = { id = word, killed = done == true, problem = err and tostring(err) }
    if err then
      tell(tostring(err))
      status = command.status.failed
    elseif not done and not options.all then
      tell("no sandbox ", (word:gsub("%c", "?")), " of yours")
      status = math.max(status, command.status.code_failed)
    end
  end
  if not wait_until_gone(killed) then
    tell("killed, but not gone after ", GONE_WITHIN, " s")
    status = command.status.failed
  end
  if options.json then
    command.print_json(rows)
  end
  return status
end

return kill
