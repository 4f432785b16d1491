--- `codecell tools`: the tools that a model is given, as people or as a provider reads them.
local command = require "codecell.command"
local sets = require "codecell.tools.sets"
local sorted = require "codecell.sorted"
local tools = require "codecell.tools"

local WIDTH = 78

local listing = {
  summary = "show the tools for a model, as its provider wants them",
  usage = "codecell tools [--dialect D] [--set S] [--network N] [--json]",
  description = "Shows the tools of codecell.tools.kit: what a model may call, made from what\n"
    .. "this machine has. With --dialect prints what a request's field `tools` takes.\n",
  example = "codecell tools --dialect anthropic",
  options = {
    { name = "dialect", value = "D", choices = tools.dialects, help = "one of "
      .. table.concat(tools.dialects, ", ") },
    { name = "set", value = "S", choices = sets.names,
      help = "recommended (default), actions (the twelve) or cortex" },
    { name = "network", value = "NET", kind = "network",
      help = "of the sandbox that is told of: none (default), open, or names" },
    { name = "json", help = "print JSON; without --dialect that of mcp" },
  },
}

local function as_set(list)
  local found = {}
  for _, name in ipairs(list) do
    found[name] = true
  end
  return found
end

-- Lines of so many characters, each with two spaces before it.
local function wrapped(text)
  local lines, line = {}, " "
  for word in text:gmatch("%S+") do
    if #line + #word >= WIDTH then
      lines[#lines + 1], line = line, " "
    end
    line = line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

local function show(kit)
  for _, tool in ipairs(kit:schemas("mcp")) do
    local required, names = as_set(tool.inputSchema.required), {}
    for i, name in ipairs(sorted(tool.inputSchema.properties)) do
      names[i] = required[name] and name or name .. "?"
    end
    command.write(tool.name, "{", table.concat(names, ", "), "}\n",
      wrapped(tool.description), "\n")
  end
end

function listing.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  end
  local kit = tools.kit({ set = options.set, create = { network = options.network } })
  if options.dialect or options.json then
    command.print_json(kit:schemas(options.dialect or "mcp"))
  else
    show(kit)
  end
  return command.status.success
end

return listing
