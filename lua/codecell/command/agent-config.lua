--- `codecell agent-config`: the configuration of a coding agent, as a schema, a form, or checked.
local agent_config = require "codecell.agent_config"
local command = require "codecell.command"
local core = require "codecell.core"
local json = require "codecell.json"

local listing = {
  summary = "show the schema of a coding agent, its form, or check one",
  usage = "codecell agent-config [--schema | --html | --ask] [FILE]",
  description = "Says all that is wrong with the configuration in FILE, or prints it complete:\n"
    .. "what it leaves out has its default. Without FILE the defaults.\n",
  takes = "file",
  example = "codecell agent-config --html agent.json >form.html",
  options = {
    { name = "schema", help = "print its JSON Schema" },
    { name = "html", help = "print a form to change it, one page that needs nothing else" },
    { name = "ask", help = "ask for each field on the terminal, and print the outcome" },
  },
}

local MOST = 1024 * 1024

--- A configuration from a file.
---@param path string
---@return codecell.AgentConfig? config
---@return string[]? problems
function listing.load(path)
  local stream, err = core.host_file(path)
  local text
  if stream then
    text, err = stream:read(math.min(stream:size(), MOST) + 1)
    stream:close()
  end
  if not text then
    return nil, { tostring(err or path .. ": it is empty") }
  end
  local value
  value, err = json.decode(text)
  if err then
    return nil, { path .. ": " .. err.message }
  end
  return agent_config.validate(value)
end

local function say(problems)
  for _, problem in ipairs(problems) do
    io.stderr:write("codecell agent-config: ", problem, "\n")
  end
  return command.status.usage
end

local function ask(initial)
  local form = agent_config.form({ initial = initial })
  local config, problems = form:ask(function() return io.stdin:read("*l") end,
    function(text) io.stderr:write(text) end)
  if not config then
    return say(problems)
  end
  command.print_json(agent_config.camel(config))
  return command.status.success
end

function listing.run(options, arguments)
  if arguments[2] then
    return nil, "give one file"
  elseif options.schema then
    command.print_json(agent_config.schema())
    return command.status.success
  end
  local config, problems = agent_config.defaults(), nil
  if arguments[1] then
    config, problems = listing.load(arguments[1])
  end
  if not config then
    return say(problems)
  elseif options.ask then
    return ask(config)
  elseif options.html then
    command.write(agent_config.form({ initial = config }):html())
  else
    command.print_json(agent_config.camel(config))
  end
  return command.status.success
end

return listing
