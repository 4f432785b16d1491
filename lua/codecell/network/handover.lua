--- Requests that the egress of a sandbox hands over, and who answers them.
local http = require "codecell.http"
local rules = require "codecell.network.rules"
local server = require "codecell.server"
local wait = require "codecell.wait"

local CONNECTIONS = 4096 -- as many as a sandbox can have
local IDLE = 300
local TEXT = { { "Content-Type", "text/plain" } }

local handover = {}

-- What answers may wait long, and the sandbox may be let go of meanwhile: tail calls leave no frame
-- here that holds it.
local function answer(request)
  local about = request.about
  if not about.sandbox then
    return request:abort()
  elseif about.place then
    return rules.answer(request, about.sandbox, about.place)
  elseif about.sandbox._gateway then
    return about.sandbox._gateway(request)
  end
  return request:reply(404, TEXT, "There is nothing here.\n")
end

-- What code inside asks for is no reason to raise in the host's loop.
local function answer_safely(request)
  local ok = wait.call(answer, request)
  if not ok and not request.has_started then
    request:reply(500, TEXT, "The host could not answer.\n")
  end
end

-- One for each sandbox: none takes the connections of another.
local function server_of(sandbox)
  local found, err = sandbox._server, nil
  if not found or found:is_closed() then
    found, err = server.new(answer_safely, { connections = CONNECTIONS, idle = IDLE })
    sandbox._server = found
  end
  return found, err
end

--- Whether requests can be handed over here, before a sandbox is made that needs it.
---@return true? ok
---@return codecell.Error? err kind "unsupported"
function handover.prepare()
  local ok, err = server.prepare()
  if ok then
    ok, err = http.prepare()
  end
  return ok, err
end

--- Take what has been handed over. Inside a step: nothing waits here.
---@param sandbox codecell.Sandbox
function handover.take(sandbox)
  local descriptor, name, port = sandbox:_handed()
  while descriptor do
    local found = server_of(sandbox)
    if found then
      found:adopt(descriptor, setmetatable({ sandbox = sandbox, place = name ~= ""
        and name .. ":" .. port or nil }, { __mode = "v" }))
    else
      descriptor:close() -- then the code sees a reset
    end
    descriptor, name, port = sandbox:_handed()
  end
end

return handover
