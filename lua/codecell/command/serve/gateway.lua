--- E2B's API on a port: what `codecell serve` is without --unix.
local address = require "codecell.command.serve.address"
local answers = require "codecell.gateway.answer"
local codecell = require "codecell"
local command = require "codecell.command"
local gateway = require "codecell.gateway"
local json = require "codecell.json"
local plane = require "codecell.e2b.plane"
local reactor = require "codecell.reactor"
local server = require "codecell.server"
local shape = require "codecell.e2b.shape"
local wait = require "codecell.wait"

local serve = {}

local servers = {} -- while the program runs

local PORT = 3000
local IDLE = 600 -- seconds that a client may be silent
local CONNECTIONS = 4096
local SWEEP = 5 -- seconds between two looks at what has ended
local DEBUG_PORTS = { plane.ENVD, plane.CODE } -- of the SDKs' debug mode, besides 3000

local function problem_of(options)
  local port = options.port or tostring(PORT)
  if not port:find("^%d+$") or tonumber(port) > 65535 then
    return "--port: a number from 0 to 65535"
  elseif options["api-key"] and options["no-auth"] then
    return "give --api-key or --no-auth, not both"
  elseif options.network and options.network ~= "none" then
    return "--network: none"
  end
  return address.problem(options)
end

-- "debian:12=/srv/debian", "ubuntu:22.04=base": what stands for an image.
local function images_of(options)
  local images = {}
  for _, text in ipairs(options.image or {}) do
    local name, place = text:match("^([^=%s]+)=(%S.*)$")
    if not name then
      return nil, "--image: NAME=FOLDER, the name of a template, or base"
    end
    images[name] = place ~= "base" and place or ""
  end
  return images
end

-- The key that clients need, and whether it is a new one.
local function key_of(options)
  if options["no-auth"] then
    return nil, false
  end
  local known = options["api-key"] or os.getenv("E2B_API_KEY")
  if known and known ~= "" then
    return known, false
  end
  return "e2b_" .. answers.secret():sub(1, 40), true
end

-- Paths and times, and no query: signatures stand there.
local function log(request, began)
  io.stderr:write(json.encode({
    time = shape.timestamp(os.time()), method = request.method, path = request.path,
    sandbox = request.headers["e2b-sandbox-id"], status = request.status,
    seconds = reactor.now() - began,
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

-- Answer at a port; what comes there may all be for one place of one sandbox.
local function listen(options, answering, port, place)
  local identity, err = address.identity(options)
  if not identity then
    return nil, err
  end
  local made
  made, err = server.new(function(request)
    local began = reactor.now()
    local ok, problem = wait.call(answering.answer, answering, request, place)
    if not ok then -- of this request alone: the sandboxes of others go on
      give_up(request, problem)
    end
    if options.log then
      log(request, began)
    end
  end, { idle = IDLE, connections = CONNECTIONS, certificate = identity.certificate,
    key = identity.key })
  local found
  if made then
    found, err = made:listen({ host = options.host, port = port })
  end
  servers[#servers + 1] = made
  return found, err
end

local function listen_debug(options, answering)
  local id, err = answering:debug()
  local ok = id
  for _, port in ipairs(id and DEBUG_PORTS or {}) do
    if ok then
      ok, err = listen(options, answering, port, { id = id, port = port })
    end
  end
  return ok, err
end

-- A key that was given is its giver's: it is in no log.
local function announce(options, place, new_key)
  command.write("listening on ", address.url(options, place), "\n",
    address.variables(options, place), new_key and "E2B_API_KEY=" .. new_key .. "\n" or "")
  io.stdout:flush()
end

--- Serve until the program is ended.
---@param options table of the command
---@param fail fun(err: codecell.Error): integer
---@return integer? status
---@return string? problem with the options
function serve.run(options, fail)
  local wrong = problem_of(options)
  local images, problem = images_of(options)
  if wrong or problem then
    return nil, wrong or problem
  end
  local key, is_new = key_of(options)
  local answering = gateway.new({ key = key, network = options.network, images = images })
  local place, err = listen(options, answering, tonumber(options.port or PORT))
  if not place then
    return fail(err)
  end
  answering.domain = address.domain(options, place)
  if options.debug then
    local ok
    ok, err = listen_debug(options, answering)
    if not ok then
      return fail(err)
    end
  end
  announce(options, place, is_new and key or nil)
  while true do
    codecell.step(SWEEP)
    answering:living()
  end
end

return serve
