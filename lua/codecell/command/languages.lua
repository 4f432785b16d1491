--- `codecell languages`: what code can be written in here.
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"
local languages = require "codecell.languages"

local listing = {
  summary = "list the languages and whether this machine has them",
  usage = "codecell languages [--json]",
  description = "Lists the languages that code can be in, with the interpreter of each, or how to\n"
    .. "get it. Code of the sorts session and jupyter keeps its variables from cell to\n"
    .. "cell; what is run once keeps only its files.\n",
  example = "codecell languages --json",
  options = {
    { name = "json", help = "print them as JSON" },
  },
}

local ROW = "%-12s %-8s %-10s %s\n"

-- What to type, where that is said; the program and its folders are not of interest then.
local function remedy(language)
  local prefix = language.name .. ": "
  local reason, hint = language.reason, language.hint
  if hint and reason:sub(-#hint - 2) == "; " .. hint then
    return hint
  end
  return reason:sub(1, #prefix) == prefix and reason:sub(#prefix + 1) or reason
end

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local found = languages.list()
  if options.json then
    for _, language in ipairs(found) do
      language.aliases = json.list(language.aliases)
      language.extensions = json.list(language.extensions)
    end
    command.print_json(json.list(found))
    return command.status.success
  end
  -- A pipe gets rows alone, so that a column can be cut out of it.
  if core.isatty(1) then
    command.write(ROW:format("LANGUAGE", "SORT", "AVAILABLE", "PROGRAM, OR HOW TO GET IT"))
  end
  for _, language in ipairs(found) do
    command.write(ROW:format(language.name, language.sort, language.available and "yes" or "no",
      language.available and language.program or remedy(language)))
  end
  return command.status.success
end

return listing
