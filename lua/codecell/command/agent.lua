--- `codecell agent`: make the file of a coding agent, and have its tools answer.
local agent = require "codecell.agent"
local agent_config = require "codecell.agent_config"
local command = require "codecell.command"
local errors = require "codecell.errors"
local files = require "codecell.command.agent-config"
local json = require "codecell.json"
local requests = require "codecell.command.requests"
local write = require "codecell.write"

local VALUES_MOST = 1000000 -- of a call: many small ones would take all memory

local listing = {
  summary = "make a coding agent's file, or answer for its tools",
  usage = "codecell agent new --type coding [OPTIONS] [FILE]\n"
    .. "       codecell agent run FILE [--mode M] [--print-tools | --print-prompt] [--provider P]",
  description = "new writes a configuration (agent.json). run reads calls of its tools from\n"
    .. "standard input, {\"name\": ..., \"arguments\": {...}} a line, and writes a reply\n"
    .. "a line.\n",
  parts = { { "new", "file" }, { "run", "file" } },
  example = "codecell agent new --type coding agent.json",
  notes = requests.note,
  options = {
    { name = "type", value = "TYPE", help = "of agent: coding" },
    { name = "name", value = "NAME", kind = "name", help = "what it is called" },
    { name = "description", value = "TEXT", help = "what it is for" },
    { name = "prompt", value = "TEXT", help = "its system prompt" },
    { name = "package", value = "NAME", repeated = true, help = "installed before the first code" },
    { name = "allow", value = "NAME", repeated = true, help = "may be installed; default any" },
    { name = "timeout", value = "SECONDS", kind = "seconds", help = "how long a sandbox lives" },
    { name = "max-time", value = "SECONDS", kind = "seconds", help = "the most for one execution" },
    { name = "network", help = "let code reach the network" },
    { name = "no-files", help = "let code keep no files" },
    { name = "gpu", help = "let code use the graphics processors" },
    { name = "json", help = "new: print the name of the file as JSON; run does so always" },
    requests.option,
    { name = "print-tools", help = "print the definitions of the tools" },
    { name = "print-prompt", help = "print what the model is told" },
    { name = "provider", value = "NAME", help = "whose shape they have: openai, anthropic" },
  },
}

local function make(options, path)
  if options.type ~= "coding" then
    return nil, "new: --type coding is the one type there is"
  end
  local config, problems = agent_config.validate({ name = options.name,
    description = options.description, system_prompt = options.prompt,
    default_packages = options.package, allowed_packages = options.allow,
    timeout = options.timeout,
    max_execution_time = options["max-time"], enable_network = options.network,
    enable_file_system = not options["no-files"], enable_gpu = options.gpu })
  if not config then
    return nil, "new: " .. table.concat(problems, "; ")
  end
  path = path or "agent.json"
  local there = io.open(path, "rb")
  if there then
    there:close()
    return nil, ("new: %s is there already; name another file"):format(path)
  end
  local written, problem = write(path, errors.assert(json.encode(agent_config.camel(config)))
    .. "\n")
  if not written then
    command.abort(problem)
  end
  if options.json then
    command.print_json({ file = path })
  else
    command.write("wrote ", path, "; codecell agent run ", path, " answers for its tools\n")
  end
  return command.status.success
end

local function reply_to(one, line)
  local asked, err = json.decode(line, VALUES_MOST)
  if err or type(asked) ~= "table" then
    return { success = false, error = "InvalidRequest: "
      .. (err and err.message or "an object expected") }
  end
  return one:call(asked.name, asked.arguments or {})
end

local function run(options, path)
  if not path then
    return nil, "run: give the file of an agent"
  end
  local config, problems = files.load(path)
  if not config then
    return nil, "run: " .. table.concat(problems, "; ")
  end
  requests.choose_mode(options)
  local one = agent.new(config, { session = "agent", user = "command" })
  if options["print-tools"] then
    command.print_json(one:tools(options.provider))
  elseif options["print-prompt"] then
    command.write(one:prompt())
  else
    return requests.serve("agent", function(line)
      return (json.encode(reply_to(one, line)))
    end)
  end
  return command.status.success
end

function listing.run(options, arguments)
  if arguments[3] then
    return nil, "give one file"
  elseif arguments[1] == "new" then
    return make(options, arguments[2])
  elseif arguments[1] == "run" then
    return run(options, arguments[2])
  end
  return nil, "give new or run"
end

return listing
