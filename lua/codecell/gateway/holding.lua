--- What is held in memory of the bodies of requests, of all clients together: a bound that no
--- number of them passes.
local errors = require "codecell.errors"

local holding = {}

local PATIENCE = 60 -- seconds that a body may be silent

local held, most = 0, 1073741824 -- bytes

--- Set how much it may be.
---@param bytes integer
function holding.set(bytes)
  most = bytes
end

---@return integer bytes that are held now
function holding.count()
  return held
end

--- The next piece of a body. It is held until `holding.done`.
---@param request codecell.IncomingRequest
---@param timeout number? seconds; default: as of `read` of a request
---@return string? chunk nil at the end of the body, and on failure
---@return codecell.Error? err as of `read`; "rate_limited": all of them hold too much
function holding.read(request, timeout)
  local chunk, err = request:read(timeout)
  if chunk then
    held, request.held = held + #chunk, (request.held or 0) + #chunk
    if held > most then
      return nil, errors.new("rate_limited", "too much is being sent here; try again later")
    end
  end
  return chunk, err
end

local STATUS = { timeout = 408, rate_limited = 429 }

--- The whole body of a request, held as of `read`.
---@param request codecell.IncomingRequest
---@param limit integer bytes of this one
---@return string? body
---@return integer? status after nil: what to answer; nil: nobody is there
function holding.all(request, limit)
  local chunks = {}
  local status
  repeat
    local chunk, err = holding.read(request, PATIENCE)
    chunks[#chunks + 1] = chunk
    status = err and (STATUS[err.kind] or 400) or (request.held or 0) > limit and 413 or nil
  until not chunk or status
  if request:is_left() then
    return nil, nil
  end
  return not status and table.concat(chunks) or nil, status
end

--- What is held of that request is held no more. Idempotent; its end does it too.
---@param request codecell.IncomingRequest
function holding.done(request)
  held = held - (request.held or 0)
  request.held = nil
end

return holding
