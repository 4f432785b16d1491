--- E2B's API on a port: what `codecell serve` is without --unix.
local answers = require "codecell.gateway.answer"
local codecell = require "codecell"
local command = require "codecell.command"
local gateway = require "codecell.gateway"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local server = require "codecell.server"
local shape = require "codecell.e2b.shape"
local wait = require "codecell.wait"

local serve = {}

local PORT = 3000
local IDLE = 600 -- seconds that a client may be silent
local CONNECTIONS = 4096
local SWEEP = 5 -- seconds between two looks at what has ended

local function problem_of(options)
  local port = options.port or tostring(PORT)
  if not port:find("^%d+$") or tonumber(port) > 65535 then
    return "--port: a number from 0 to 65535"
  elseif options.key and options.open then
    return "give --key or --open, not both"
  elseif options.network and options.network ~= "none" then
    return "--network: none"
  end
end

local function key_of(options)
  if options.open then
    return nil
  end
  local known = options.key or os.getenv("E2B_API_KEY")
  return known and known ~= "" and known or "e2b_" .. answers.secret():sub(1, 40)
end

-- Paths and times, and no query: signatures stand there.
local function log(request, began)
  io.stderr:write(json.encode({
    time = shape.timestamp(os.time()), method = request.method, path = request.path,
    sandbox = request.headers["e2b-sandbox-id"], seconds = reactor.now() - began,
    left = request:is_left() or nil,
  }), "\n")
end

local function give_up(request, problem)
  io.stderr:write("codecell serve: ", request.method, " ", request.path, ": ", tostring(problem),
    "\n")
  if not request.has_started and not request:is_left() then
    answers.failure(request, 500, "the gateway has failed; what it says tells more")
  else
    request:abort()
  end
end

local function announce(place, key)
  local url = ("http://%s:%d"):format(place.host, place.port)
  command.write("E2B_API_URL=", url, "\nE2B_SANDBOX_URL=", url, "\n",
    key and "E2B_API_KEY=" .. key .. "\n" or "")
  io.stdout:flush()
end

--- Serve until the program is ended.
---@param options table of the command
---@param fail fun(err: codecell.Error): integer
---@return integer? status
---@return string? problem with the options
function serve.run(options, fail)
  local wrong = problem_of(options)
  if wrong then
    return nil, wrong
  end
  local key = key_of(options)
  local answering
  local made, err = server.new(function(request)
    local began = reactor.now()
    local ok, problem = wait.call(answering.answer, answering, request)
    if not ok then -- of this request alone: the sandboxes of others go on
      give_up(request, problem)
    end
    if options.log then
      log(request, began)
    end
  end, { idle = IDLE, connections = CONNECTIONS })
  local place
  if made then
    place, err = made:listen({ host = options.host, port = tonumber(options.port or PORT) })
  end
  if not place then
    return fail(err)
  end
  answering = gateway.new({ key = key, network = options.network,
    domain = options.domain or "localhost:" .. place.port })
  announce(place, key)
  while true do
    codecell.step(SWEEP)
    answering:living()
  end
end

return serve
