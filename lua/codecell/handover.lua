--- Requests that the egress of a sandbox hands over, and who answers them.
local http = require "codecell.http"
local reactor = require "codecell.reactor"
local rules = require "codecell.rules"
local server = require "codecell.server"

local CONNECTIONS = 4096 -- of all sandboxes; each has a limit of its own
local IDLE = 300

local handover = {}

-- What answers may wait long, and the sandbox may be let go of meanwhile: tail calls leave no
-- frame here that holds it.
local function answer(request)
  local about = request.about
  if not about.sandbox then
    return request:abort()
  elseif about.place then
    return rules.answer(request, about.sandbox, about.place)
  elseif about.sandbox._gateway then
    return about.sandbox._gateway(request)
  end
  return request:reply(404, { { "Content-Type", "text/plain" } }, "There is nothing here.\n")
end

local shared -- of all sandboxes; made again in a forked copy of the host

local function get_server()
  if shared and not shared:is_closed() then
    return shared
  end
  local err
  shared, err = server.new(answer, { connections = CONNECTIONS, idle = IDLE })
  return shared, err
end

--- Whether requests can be handed over here, before a sandbox is made that needs it.
---@return true? ok
---@return codecell.Error? err kind "unsupported"
function handover.prepare()
  local found, err = get_server()
  if not found then
    return nil, err
  end
  return http.prepare()
end

--- Take what has been handed over. Inside a step: nothing waits here.
---@param sandbox codecell.Sandbox
function handover.take(sandbox)
  local descriptor, name, port = sandbox:_handed()
  while descriptor do
    local found, err = get_server()
    -- Nobody holds a sandbox for the sake of what its code asks.
    local about = setmetatable({ sandbox = sandbox, place = name ~= "" and name .. ":" .. port
      or nil }, { __mode = "v" })
    if not found then
      descriptor:close()
      reactor.fail(tostring(err))
    else
      found:adopt(descriptor, about)
    end
    descriptor, name, port = sandbox:_handed()
  end
end

return handover
