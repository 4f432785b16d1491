--- `codecell actions`: requests of a model on standard input, replies on standard output.
local actions = require "codecell.actions"
local command = require "codecell.command"
local help = require "codecell.actions.help"
local requests = require "codecell.command.requests"

local listing = {
  summary = "answer requests of a model, one JSON object a line",
  usage = "codecell actions [OPTIONS]",
  description = "Reads one request a line, and writes one reply a line, as JSON. Sandboxes live\n"
    .. "until they are killed, their time is over, or the input ends.\n",
  notes = requests.note,
  example = "echo '{\"action\":\"list_sandboxes\"}' | codecell actions",
  options = {
    requests.option,
    { name = "user", value = "NAME", kind = "name", help = "whose sandboxes these are" },
    { name = "session", value = "ID", kind = "name", help = "the sessionId, whatever is asked" },
    { name = "auto-create", help = "make a sandbox where one is missing" },
    { name = "topics", help = "explain the actions, and read nothing" },
  },
}

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  elseif options.topics then
    command.write(help.text(), "\n")
    return command.status.success
  end
  requests.choose_mode(options)
  local ctx = { user = options.user, session = options.session,
    auto_create = options["auto-create"] }
  return requests.serve("actions", function(line)
    return actions.call_json(line, ctx)
  end)
end

return listing
