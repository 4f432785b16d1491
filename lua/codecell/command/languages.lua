--- `codecell languages`: what code can be written in here.
local command = require "codecell.command"
local json = require "codecell.json"
local languages = require "codecell.languages"

local listing = {
  summary = "list the languages and whether this machine has them",
  usage = "codecell languages [--json]",
  description = "Lists the languages that code can be in, with the interpreter of each, or the\n"
    .. "reason why it is not available.\n",
  options = {
    { name = "json", help = "print them as JSON" },
  },
}

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local found = languages.list()
  if options.json then
    for _, language in ipairs(found) do
      language.extensions = json.list(language.extensions)
    end
    command.print_json(json.list(found))
    return command.status.success
  end
  for _, language in ipairs(found) do
    command.write(("%-12s %s\n"):format(language.name,
      language.available and language.program or "not available: " .. language.reason))
  end
  return command.status.success
end

return listing
