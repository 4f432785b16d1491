--- `codecell purge`: what was recorded of somebody, or too long ago, goes.
local audit = require "codecell.audit"
local command = require "codecell.command"
local launch = require "codecell.command.launch"
local size = require "codecell.command.size"

local purge = {
  summary = "empty the records of somebody, or of long ago",
  usage = "codecell purge --subject NAME | --older SECONDS [FILE]",
  description = "Removes the contents of records from an audit file, the folder FILE, or\n"
    .. "$XDG_STATE_HOME/codecell/audit: of all that was done on somebody's behalf, or that is\n"
    .. "older. Digests stay, so that 'codecell audit verify' still holds; a record tells which\n"
    .. "were emptied, and not whose they were. Programs may go on writing meanwhile.\n",
  takes = "file",
  example = "codecell purge --subject ann",
  options = {
    { name = "subject", value = "NAME", kind = "name", help = "on whose behalf it was done" },
    { name = "older", value = "SECONDS", kind = "number", most = 2 ^ 40,
      help = "what was recorded so long ago, or longer" },
    { name = "json", help = "print the result as JSON" },
  },
}

function purge.run(options, arguments)
  if arguments[2] then
    return nil, "takes one file"
  elseif (options.subject ~= nil) == (options.older ~= nil) then
    return nil, "give --subject NAME or --older SECONDS"
  end
  local place, err = audit.place(arguments[1])
  local opened, count
  if place then
    opened, err = audit.existing(place)
  end
  if opened and options.subject then
    count, err = opened:purge(options.subject)
  elseif opened then
    count, err = opened:purge_before(require("codecell.core").time() - options.older)
  end
  if not count then
    return launch.fail("purge", err)
  elseif options.json then
    command.print_json({ emptied = count })
  else
    command.write(size.count(count, "record"), " emptied\n")
  end
  return command.status.success
end

return purge
