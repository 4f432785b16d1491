--- Where a request is to go: the control plane, or a port of a sandbox.
local routing = {}

local ID = "^[a-z0-9]+$"

local function port_of(text)
  local port = text:find("^%d+$") and #text <= 5 and tonumber(text)
  return port and port >= 1 and port <= 65535 and port or nil
end

local function place(id, port)
  id = id:match("^[^-]*")
  port = port_of(port)
  if not id:find(ID) then
    return nil, "the id of the sandbox is none"
  elseif not port then
    return nil, "the port of the sandbox is none"
  end
  return { id = id, port = port }
end

-- "49983-iabc.example.com:3000"
local function by_host(host)
  local port, id = host:match("^(%d+)%-([^.:]+)%.")
  if port then
    return place(id, port)
  end
end

--- Find the place of a request.
---@param headers codecell.Fields
---@return {id: string, port: integer}|false|nil place false: the control plane
---@return string? problem after nil: what is wrong with the request
function routing.find(headers)
  local found, problem = by_host(headers.host or "")
  if found or problem then
    return found, problem
  end
  local id, port = headers["e2b-sandbox-id"], headers["e2b-sandbox-port"]
  if id and port then
    return place(id, port)
  elseif id or port then
    return nil, "E2b-Sandbox-Id and E2b-Sandbox-Port belong together"
  end
  return false
end

return routing
