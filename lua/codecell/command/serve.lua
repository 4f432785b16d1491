--- `codecell serve`: a background program that others ask by HTTP.
local codecell = require "codecell"
local command = require "codecell.command"
local core = require "codecell.core"
local errors = require "codecell.errors"
local gateway = require "codecell.command.serve.gateway"
local launch = require "codecell.command.launch"
local named = require "codecell.command.serve.named"
local reactor = require "codecell.reactor"
local server = require "codecell.server"
local wait = require "codecell.wait"

local IDLE = 1800 -- seconds
local DAY = 86400
local FAREWELL = 2 -- seconds for those who listen to what ends with it
local LOOK = 5 -- seconds between two looks at how long nobody has asked for anything

local serve = {
  summary = "answer E2B's API with sandboxes of this machine",
  usage = "codecell serve [--host ADDRESS] [--port PORT] [--api-key KEY | --no-auth]\n"
    .. "                [--domain NAME] [--tls-cert FILE --tls-key FILE]\n"
    .. "       codecell serve --unix PATH [--idle SECONDS]",
  description = "Answers as E2B's cloud does, by sandboxes of this machine: the official SDKs and\n"
    .. "whatever else speaks its API need E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY\n"
    .. "alone, which it prints. It ends with all sandboxes. With --domain and a certificate\n"
    .. "for NAME and *.NAME they need E2B_DOMAIN instead, and everything is as in the cloud.\n"
    .. "A page for browsers is at /.\n\n"
    .. "With --unix it answers at a socket instead, without a key: the socket and its\n"
    .. "folder are for this user alone. There it also keeps the sandboxes that 'codecell\n"
    .. "run --name NAME' makes, which starts it, and it ends with all of them when nobody\n"
    .. "has asked for anything for a while.\n",
  example = "codecell serve --port 0 --api-key KEY",
  options = {
    { name = "host", value = "ADDRESS", kind = "name", help = "where it is (127.0.0.1)" },
    { name = "port", value = "PORT", kind = "name", help = "where it is (3000; 0: any)" },
    { name = "api-key", value = "KEY", kind = "name", repeated = true,
      help = "that clients need ($E2B_API_KEY, else a new one)" },
    { name = "api-keys", value = "FILE", kind = "text",
      help = "of more, a line each: KEY, or NAME KEY" },
    { name = "no-auth", help = "clients need no key" },
    { name = "domain", value = "NAME", kind = "name",
      help = "PORT-ID.NAME leads here (localhost:PORT)" },
    { name = "image", value = "NAME=FOLDER", kind = "name", repeated = true,
      help = "what builds of templates take for an image: a folder, a template, base" },
    { name = "volumes", value = "FOLDER", kind = "name",
      help = "where volumes are kept; what code writes there is not bounded" },
    { name = "tls-cert", value = "FILE", kind = "name",
      help = "HTTPS: a certificate, then what has signed it, in PEM" },
    { name = "tls-key", value = "FILE", kind = "name", help = "its key, in PEM" },
    { name = "network", value = "N", kind = "network",
      help = "none, open, or NAME,...: what sandboxes reach at most" },
    { name = "debug", help = "one sandbox at 49983 and 49999 too, for E2B_DEBUG=true" },
    { name = "audit", value = "PATH", kind = "name",
      help = "record what is done there, before it is done (default CODECELL_AUDIT)" },
    { name = "log", help = "tell requests and events as lines of JSON on standard error" },
    { name = "grace", value = "SECONDS", kind = "seconds",
      help = "that requests may take once it is to end (10)" },
    { name = "max-sandboxes", value = "N", kind = "count", most = 100000,
      help = "at once (1000)" },
    { name = "key-sandboxes", value = "N", kind = "count", most = 100000,
      help = "at once, of one key" },
    { name = "max-timeout", value = "SECONDS", kind = "seconds",
      help = "that a sandbox may be asked to live (86400)" },
    { name = "rate", value = "N", kind = "number", most = 1000000,
      help = "requests a second of one key to make and manage sandboxes" },
    { name = "connections", value = "N", kind = "count", most = 65536,
      help = "requests to one sandbox at once (1024)" },
    { name = "max-upload", value = "SIZE", kind = "size",
      help = "bodies of requests that are held at once (1G)" },
    { name = "memory", value = "SIZE", kind = "size", help = "of a sandbox (1G)" },
    { name = "disk", value = "SIZE", kind = "size", help = "of a sandbox (512M)" },
    { name = "cpu", value = "N", kind = "number", most = 1024,
      help = "processors of a sandbox" },
    { name = "processes", value = "N", kind = "count", most = 1048576,
      help = "of a sandbox (256)" },
    { name = "unix", value = "PATH", kind = "name", help = "of the socket that it is asked by" },
    { name = "idle", value = "SECONDS", kind = "seconds",
      help = "it ends when nobody has asked for so long (default 1800)" },
  },
}

-- What is wrong with one request ends none of the sandboxes that are kept.
local function answer(request, beside)
  if request.path:sub(1, #named.prefix) ~= named.prefix then
    return beside:answer(request)
  end
  local ok, problem = wait.call(named.answer, request, request.path:sub(#named.prefix + 1))
  if not ok then
    io.stderr:write("codecell serve: ", tostring(problem), "\n")
    if not request.has_started then
      request:reply(500, { { "Content-Type", "text/plain" } }, "This could not be answered.\n")
    end
  end
end

local function fail(err)
  io.stderr:write("codecell serve: ", tostring(err), "\n")
  return command.status.failed
end

-- What is at the path is only removed if it is a socket: such a list has none.
local function is_taken(folder, path)
  local name = path:match("[^/]*$")
  for _, entry in ipairs(core.host_list(folder) or {}) do
    if entry.name == name then
      return true
    end
  end
  return false
end

-- The folder is locked for as long as this runs: a socket that lies there from before is nobody's.
local function listen(made, path)
  local folder = path:match("^(.*)/[^/]+$") or "."
  local ok, err = core.host_store(folder, true)
  local lock
  if ok then
    lock, err = core.host_lock(folder, true)
  end
  if not lock then
    return nil, err
  elseif is_taken(folder, path) then
    lock:close()
    return nil, errors.new("already_exists", path .. " is there, and no socket; name another path")
  end
  os.remove(path)
  local place
  place, err = made:listen({ unix = path })
  return place and lock, err
end

-- Until nobody has asked for anything for so long, and no sandbox of E2B's API is there.
local function wait_for_end(idle, beside)
  local seen = reactor.now()
  while true do
    if beside.busy > 0 or next(beside:living()) then
      seen = reactor.now()
    end
    local left = idle - math.min(named.idle(), reactor.now() - seen)
    if left <= 0 then
      return
    end
    codecell.step(math.min(LOOK, left))
  end
end

function serve.run(options, arguments)
  if arguments[1] then
    return nil, "takes no arguments"
  elseif not options.unix then
    return gateway.run(options, fail)
  end
  local beside, problem = gateway.without_port(options)
  if not beside then
    return nil, problem
  end
  local made, err = server.new(function(request)
    answer(request, beside)
  end, { idle = DAY })
  if not made then
    return fail(err)
  end
  launch.warn("serve")
  local lock
  lock, err = listen(made, options.unix)
  if not lock then
    return fail(err)
  end
  command.write("listening on unix:", options.unix, "\n")
  command.flush()
  wait_for_end(options.idle or IDLE, beside)
  os.remove(options.unix)
  beside:close(FAREWELL)
  made:close()
  named.close()
  lock:close()
  return command.status.success
end

return serve
