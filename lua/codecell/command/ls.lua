--- `codecell ls`: the sandboxes that live, found by their processes.
local core = require "codecell.core"
local command = require "codecell.command"
local idle = require "codecell.command.idle"
local json = require "codecell.json"
local keeper = require "codecell.command.keeper"

local ls = {
  summary = "list the sandboxes that live on this machine",
  usage = "codecell ls [--all] [--idle] [--json]",
  description = "Lists your sandboxes, whichever program made them: id, process number, age, and\n"
    .. "the name of those that 'codecell run --name' keeps. With --idle it looks for a\n"
    .. "second, and lists those in which nothing runs: what 'codecell kill' can end.\n",
  example = "codecell ls --json",
  options = {
    { name = "all", help = "those of other users too" },
    { name = "idle", help = "those alone that spend no processor time for a second" },
    { name = "json", help = "print them as JSON" },
  },
}

local UNITS = { { 86400, "d" }, { 3600, "h" }, { 60, "m" } }

local function age(seconds)
  for _, unit in ipairs(UNITS) do
    if seconds >= unit[1] then
      return ("%d%s"):format(math.floor(seconds / unit[1]), unit[2])
    end
  end
  return ("%ds"):format(math.max(0, math.floor(seconds)))
end

-- Those that stay between commands have names.
local function add_names(found)
  local client = keeper.find()
  local named = client and keeper.ask(client, "GET", "sandboxes") or {}
  local names = {}
  for _, one in ipairs(named) do
    names[one.id] = one.name
  end
  for _, one in ipairs(found) do
    one.name = names[one.id]
  end
  if client then
    client:close()
  end
end

function ls.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local found, err = core.sandboxes(options.all and "all" or "mine")
  if not found then
    io.stderr:write("codecell ls: ", tostring(err), "\n")
    return command.status.failed
  end
  if options.idle then
    found = idle.among(found)
  end
  add_names(found)
  if options.json then
    command.print_json(json.list(found))
    return command.status.success
  end
  -- A pipe gets rows alone, so that the first column can be cut out of it.
  if core.isatty(1) then
    command.write(#found > 0 and "ID                    PID      AGE  NAME\n" or "no sandboxes\n")
  end
  for _, sandbox in ipairs(found) do
    command.write(("%s %-8d %s%s\n"):format(sandbox.id, sandbox.pid,
      age(os.time() - sandbox.started), sandbox.name and "  " .. sandbox.name or ""))
  end
  return command.status.success
end

return ls
