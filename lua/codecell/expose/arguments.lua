--- The arguments of a call: a body that the code has sent, read within bounds.
local errors = require "codecell.errors"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"
local whole = require "codecell.http.whole"

local arguments = {}

--- What the code is told where it asks for more than the host has to spare.
arguments.busy = "too much is asked of the host at once; try again"

local HELD_MOST = 64 * 2 ^ 20 -- bytes of arguments and results of one sandbox in memory
local VALUES_MOST = 65536     -- of JSON: reading them takes the time of all others
local QUICK = 1024            -- bytes that take no time to speak of
local REST = 0.001            -- seconds

--- Count bytes of a call that stay in memory until it is answered.
---@param exposed table
---@param call table
---@param bytes integer
---@return boolean held false: there are too many
function arguments.hold(exposed, call, bytes)
  if exposed.held + bytes > HELD_MOST then
    return false
  end
  exposed.held, call.held = exposed.held + bytes, call.held + bytes
  return true
end

--- The whole body.
---@param exposed table
---@param call table
---@param request codecell.IncomingRequest
---@param most integer bytes
---@return string? body
---@return codecell.Error? err
function arguments.read(exposed, call, request, most)
  return whole(request, function(bytes, size)
    if size > most then
      return errors.new("limit_exceeded", ("the arguments have more than %d bytes of JSON; "
        .. "pass a path instead, or have the host raise limits.arguments"):format(most))
    elseif not arguments.hold(exposed, call, bytes) then
      return errors.new("unavailable", arguments.busy)
    end
  end)
end

local function rest(exposed, seconds)
  wait.key(nil, reactor.now() + math.max(seconds, REST))
  exposed.is_resting = nil
  reactor.wake(exposed)
end

-- What is long to read is read one at a time, for half of the host's time at most.
local function decode_in_turn(exposed, body)
  if #body <= QUICK then
    return json.decode(body, VALUES_MOST)
  end
  while exposed.is_resting do
    if not wait.key(exposed) then
      return nil, wait.failure("call")
    end
  end
  exposed.is_resting = true
  local began = reactor.now()
  local list, err = json.decode(body, VALUES_MOST)
  task.background(rest, exposed, reactor.now() - began)
  return list, err
end

--- The values.
---@param exposed table
---@param body string
---@return any[]? list null is json.null
---@return codecell.Error? err
function arguments.decode(exposed, body)
  if body == "" then
    return json.list()
  end
  local list, err = decode_in_turn(exposed, body)
  if err and err.kind == "limit_exceeded" then
    return nil, errors.new("limit_exceeded", ("the arguments have more than %d values; pass a "
      .. "path instead"):format(VALUES_MOST))
  elseif err then
    return nil, errors.new("invalid_argument", "the arguments are no JSON: "
      .. err.message:gsub("^json%.decode: ", ""))
  elseif not body:find("^%s*%[") then
    return nil, errors.new("invalid_argument", "the arguments are a list: [1, \"two\"]")
  end
  return list
end

return arguments
