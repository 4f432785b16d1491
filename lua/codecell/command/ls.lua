--- `codecell ls`: the sandboxes that live, found by their processes.
local core = require "codecell.core"
local command = require "codecell.command"
local json = require "codecell.json"

local ls = {
  summary = "list the sandboxes that live on this machine",
  usage = "codecell ls [--all] [--json]",
  description = "Lists your sandboxes, whichever program made them: id, process number, age.\n",
  options = {
    { name = "all", help = "those of other users too" },
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

function ls.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local found, err = core.sandboxes(options.all and "all" or "mine")
  if not found then
    io.stderr:write("codecell ls: ", tostring(err), "\n")
    return command.status.failed
  end
  if options.json then
    command.print_json(json.list(found))
    return command.status.success
  end
  -- A pipe gets rows alone, so that the first column can be cut out of it.
  if core.isatty(1) then
    command.write(#found > 0 and "ID                    PID      AGE\n" or "no sandboxes\n")
  end
  for _, sandbox in ipairs(found) do
    command.write(("%s %-8d %s\n"):format(sandbox.id, sandbox.pid,
      age(os.time() - sandbox.started)))
  end
  return command.status.success
end

return ls
