--- What is held in memory of the bodies of requests, of all clients together: a bound that no
--- number of them passes.
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

--- The whole body of a request. It is held until `holding.done`.
---@param request codecell.IncomingRequest
---@param limit integer bytes of this one
---@param full integer status where it is longer than that: 413 or 507
---@return string? body
---@return integer? status after nil: what to answer; nil: nobody is there
function holding.read(request, limit, full)
  local chunks, size = {}, 0
  local status
  request.held = request.held or 0
  repeat
    local chunk, err = request:read(PATIENCE)
    size, held = size + #(chunk or ""), held + #(chunk or "")
    request.held = request.held + #(chunk or "")
    chunks[#chunks + 1] = chunk
    status = err and (err.kind == "timeout" and 408 or 400) or size > limit and full
      or held > most and 429 or nil
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
