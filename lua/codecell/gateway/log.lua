--- What a gateway tells its operator: a line of JSON for each event. Never a key, a token, a
--- signature or a query; of requests to the code's own servers not even the path, which is theirs.
local json = require "codecell.json"
local shape = require "codecell.e2b.shape"

local log = {}

local METHOD_MOST, PATH_MOST = 16, 256 -- bytes

--- A function that writes lines.
---@param write fun(line: string)
---@return fun(event: string, about: table)
function log.to(write)
  return function(event, about)
    about.event, about.time = event, shape.timestamp(os.time())
    write(json.encode(about) .. "\n")
  end
end

--- What is told of a request that was answered.
---@param request codecell.IncomingRequest
---@param plane string
---@param seconds number
---@return table about
function log.of(request, plane, seconds)
  return {
    request = request.id, method = request.method:sub(1, METHOD_MOST), plane = plane,
    path = plane ~= "port" and shape.text(request.path:sub(1, PATH_MOST)) or nil,
    port = plane == "port" and request.place.port or nil,
    sandbox = request.place and request.place.id or nil, key = request.owner,
    status = request.status, seconds = seconds, received = request.received,
    sent = request.sent, left = request.has_left or nil, limited = request.limited,
  }
end

return log
