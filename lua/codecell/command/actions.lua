--- `codecell actions`: requests of a model on standard input, replies on standard output.
local actions = require "codecell.actions"
local command = require "codecell.command"
local help = require "codecell.actions.help"
local launch = require "codecell.command.launch"
local requests = require "codecell.command.requests"

local listing = {
  summary = "answer requests of a model, one JSON object a line",
  usage = "codecell actions [--user NAME] [--session ID] [--auto-create] [--topics]",
  description = "Reads one request a line, and writes one reply a line, as JSON. Sandboxes live\n"
    .. "until they are killed, their time is over, or the input ends.\n",
  example = "echo '{\"action\":\"list_sandboxes\"}' | codecell actions",
  options = {
    { name = "user", value = "NAME", kind = "name", help = "whose sandboxes these are" },
    { name = "session", value = "ID", kind = "name", help = "the sessionId, whatever is asked" },
    { name = "auto-create", help = "make a sandbox where one is missing" },
    { name = "topics", help = "explain the actions, and read nothing" },
  },
}

local LINE_MOST = 16 * 1024 * 1024
local TOO_LONG = "longer than 16 MiB" -- which is no JSON

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  elseif options.topics then
    command.write(help.text(), "\n")
    return command.status.success
  end
  local ctx = { user = options.user, session = options.session,
    auto_create = options["auto-create"] }
  local ok, err = requests(LINE_MOST, function(line)
    if not line or line:find("%S") then
      command.write(actions.call_json(line or TOO_LONG, ctx), "\n")
      io.stdout:flush()
    end
  end)
  local service = require("codecell.service").default
  if service then
    service:close()
  end
  if not ok then
    return launch.fail("actions", err)
  end
  return command.status.success
end

return listing
