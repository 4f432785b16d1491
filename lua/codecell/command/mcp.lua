--- `codecell mcp`: a server of the Model Context Protocol, for programs in which a model works.
local address = require "codecell.command.serve.address"
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local launch = require "codecell.command.launch"
local reactor = require "codecell.reactor"

local FAREWELL = 2 -- seconds for what was still to be said
local SWEEP = 5 -- seconds between two looks at sessions that nobody uses
local KEY_LEAST = 8 -- characters
local IDLE = 3600
local HTTP_IDLE = 600 -- seconds that a connection may be silent

local serve = {
  summary = "answer MCP clients: Claude, editors, agents",
  usage = "codecell mcp [OPTIONS]\n       codecell mcp --http PORT [OPTIONS]",
  description = "Gives whatever speaks the Model Context Protocol a sandbox for code: on standard\n"
    .. "input and output, where the client starts it, or by streamable HTTP at\n"
    .. "http://127.0.0.1:PORT/mcp. A client has a sandbox of its own, made by its first\n"
    .. "call, which ends with it.\n",
  notes = "Most clients take: {\"command\": \"codecell\", \"args\": [\"mcp\"]}\n",
  example = "codecell mcp --http 8931 --network pypi.org",
  statuses = { [0] = "the client has gone, or it was told to end" },
  options = {
    { name = "http", value = "PORT", kind = "count", most = 65535,
      help = "answer by HTTP at this port (0: any)" },
    { name = "host", value = "ADDRESS", kind = "name", help = "where it is (127.0.0.1)" },
    { name = "domain", value = "NAME", kind = "name", repeated = true,
      help = "a name of it, besides localhost; may be repeated" },
    { name = "api-key", value = "KEY", kind = "name", repeated = true,
      help = "that clients need ($CODECELL_MCP_KEY, else a new one)" },
    { name = "no-auth", help = "clients need no key" },
    { name = "sessions", value = "N", kind = "count", most = 10000,
      help = "at a time, by HTTP (64)" },
    { name = "sessions-per-key", value = "N", kind = "count", most = 10000,
      help = "of them (an equal share)" },
    { name = "max-upload", value = "SIZE", kind = "size",
      help = "messages that are held at once, by HTTP (128M)" },
    { name = "idle", value = "SECONDS", kind = "seconds",
      help = "a sandbox that nobody has used for so long ends (3600)" },
    { name = "timeout", value = "SECONDS", kind = "seconds",
      help = "time for one call (300)" },
    { name = "job-after", value = "SECONDS", kind = "seconds",
      help = "a call that takes longer is answered with a job (45)" },
    { name = "set", value = "SET", choices = { "recommended", "actions", "cortex" },
      help = "which tools there are (recommended)" },
    { name = "memory", value = "SIZE", kind = "size", help = "of a sandbox (1G)" },
    { name = "disk", value = "SIZE", kind = "size", help = "of a sandbox (512M)" },
    { name = "processes", value = "N", kind = "count", most = 1048576,
      help = "of a sandbox (256)" },
  },
}
for _, option in ipairs(launch.options_without("timeout", "file", "changes", "apply", "name")) do
  serve.options[#serve.options + 1] = option
end

-- ---- what was asked for ----

local function limits(options)
  local given = { memory = options.memory, disk = options.disk, processes = options.processes }
  return next(given) and given or nil
end

-- "none" that was said takes the tool away; unsaid, the tool alone installs.
local function packages(options)
  local given = options.packages
  if given and given.packages == nil then
    return false
  end
  return given and given.packages
end

-- What the variables say too; a service, which makes the sandboxes of the other sets of tools,
-- reads them by itself.
local function with_variables(options, found, create)
  local secrets, envs = launch.variables(options, found)
  create.secrets, create.envs = secrets, next(envs) and envs or nil
  create.metadata = next(found.metadata) and found.metadata or nil
  local audit, err = launch.audit(options, found)
  if audit == nil then
    return nil, tostring(err)
  end
  create.audit = audit or nil
  return create
end

-- What every sandbox is made with; or nil and what is wrong with the words.
local function create_of(options)
  local wanted, problem = launch.wanted(options)
  if not wanted then
    return nil, problem
  end
  local create = { backend = wanted.backend, mounts = wanted.mounts[1] and wanted.mounts or nil,
    limits = limits(options), network = options.network, template = options.template,
    packages = packages(options) }
  if options.set == nil or options.set == "recommended" then
    return with_variables(options, wanted.found, create)
  end
  create.envs = options.env and select(2, launch.variables(options, { hidden_env_prefix = "" }))
  create.audit = options.audit and command.absolute(options.audit)
  return create
end

local function session_of(options, create)
  return { create = create, set = options.set, timeout = options.timeout, idle = options.idle,
    job_after = options["job-after"],
    problem = function(text) io.stderr:write("codecell mcp: ", text, "\n") end }
end

local HTTP_ONLY = { "host", "domain", "api-key", "no-auth", "sessions", "sessions-per-key",
  "max-upload" }

local function problem_of(options)
  if not options.http then
    for _, name in ipairs(HTTP_ONLY) do
      if options[name] then
        return ("--%s belongs to --http PORT"):format(name)
      end
    end
  elseif options["no-auth"] and options["api-key"] then
    return "give --api-key or --no-auth, not both"
  elseif options["no-auth"] and not address.is_loopback(options.host) then
    return ("--no-auth: anybody who reaches %s could run code; give --api-key, or a --host of "
      .. "this machine alone"):format(options.host)
  end
end

-- The keys that clients need, and the one that nobody has given; or nil, nil and what is wrong.
local function keys_of(options)
  if options["no-auth"] then
    return nil
  end
  local list = {}
  for i, key in ipairs(options["api-key"] or {}) do
    list[i] = { name = tostring(i), key = key }
  end
  local known, new = os.getenv("CODECELL_MCP_KEY"), nil
  if not list[1] then
    new = (not known or known == "") and "mcp_"
      .. require("codecell.gateway.answer").secret():sub(1, 40) or nil
    list[1] = { name = "1", key = new or known }
  end
  for _, one in ipairs(list) do
    if #one.key < KEY_LEAST then
      return nil, nil, ("an API key has at least %d characters"):format(KEY_LEAST)
    end
  end
  return require("codecell.gateway.keys").new(list), new
end

local function warn(session)
  if session.create.backend == "local" then
    launch.warn("mcp")
  end
end

-- ---- by standard input and output ----

local function tell_people()
  if core.isatty(0) then
    io.stderr:write("codecell mcp: waiting for messages of JSON-RPC, a line each; clients start it "
      .. "by themselves.\n'codecell mcp --help' says how.\n")
  end
end

local function run_stdio(session)
  local stop, err = core.program_stop(codecell.reactor())
  local client
  if stop then
    warn(session)
    tell_people()
    client, err = require("codecell.mcp.stdio").open(session)
  end
  if not client then
    return launch.fail("mcp", err)
  end
  while not client:is_over() and not stop:try_read() do
    codecell.step()
  end
  client:close(FAREWELL)
  return command.status.success
end

-- ---- by HTTP ----

local function announce(place, new_key)
  local host = place.host:find(":", 1, true) and "[" .. place.host .. "]" or place.host
  command.write(("listening on http://%s:%d/mcp\n"):format(host, place.port))
  if new_key then
    command.write("Authorization: Bearer ", new_key, "\n")
  end
  command.flush()
end

local function listen(options, answering)
  local made, err = require("codecell.server").new(function(request)
    answering:answer(request)
  end, { idle = HTTP_IDLE })
  local host = options.host or "127.0.0.1"
  local place
  if made then
    place, err = made:listen({ host = host, port = options.http })
    err = err and address.cannot_listen(err, host, options.http,
      "--http names another (0: any that is free)")
  end
  return place and made, err or place
end

local function run_http(options, session)
  local keys, new_key, problem = keys_of(options)
  if problem then
    return nil, problem
  end
  local stop, err = core.program_stop(codecell.reactor())
  local answering = require("codecell.mcp.http").new({ session = session, keys = keys,
    names = options.domain, idle = options.idle or IDLE, sessions = options.sessions,
    sessions_of_one = options["sessions-per-key"], held = options["max-upload"] })
  local made, place
  if stop then
    core.program_raise_files()
    warn(session)
    made, place = listen(options, answering)
    err = place
  end
  if not made then
    return launch.fail("mcp", err)
  end
  announce(place, new_key)
  local due = 0
  while not stop:try_read() do
    codecell.step(SWEEP)
    if reactor.now() >= due then
      answering:tidy()
      due = reactor.now() + SWEEP
    end
  end
  made:stop_listening()
  answering:close()
  made:close()
  return command.status.success
end

function serve.run(options, arguments)
  local problem = arguments[1] and "takes no arguments" or problem_of(options)
  local create
  if not problem then
    create, problem = create_of(options)
  end
  problem = problem or require("codecell.mcp.toolbox").problem(options.set, create)
  if problem then
    return nil, problem
  end
  local session = session_of(options, create)
  if options.http then
    return run_http(options, session)
  end
  return run_stdio(session)
end

return serve
