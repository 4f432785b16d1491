--- Who looks on at what a service does: its audit, and those who listen to "security".
local merged = require "codecell.merged"
local spans = require "codecell.spans"
local wait = require "codecell.wait"

local watching = {}

--- The audit that a configuration asks for.
---@param found codecell.Config
---@return codecell.Audit|false|nil audit false: none
---@return codecell.Error? err after nil
function watching.open(found)
  if not found.audit then
    return false
  end
  return require("codecell.audit").open({ path = found.audit, code = found.audit_code,
    output = found.audit_output, sync = found.audit_sync, retention = found.audit_retention })
end

--- What a sandbox tells of itself, for those who listen to the service too.
---@param service codecell.Service
---@param given table options of `Service:create`
---@return function? on_event
function watching.on_event(service, given)
  local called = given.on_event
  if not service.config.enable_event_emission then
    return called
  end
  return function(event)
    if event.class == "security" then
      service:_emit("security", merged(event, { owner = given.owner }))
    end
    return called and called(event)
  end
end

local SORTS = { denied_by_policy = "policy", limit_exceeded = "limit", rate_limited = "limit" }

--- Tell of a call that was not let in. Nothing was done, so nothing is undone where that cannot be
--- recorded.
---@param service codecell.Service
---@param owner string?
---@param language string
---@param err codecell.Error
function watching.refuse(service, owner, language, err)
  if service.audit then
    local ok, problem = service.audit:of(owner):write({ event = "refused", kind = err.kind,
      reason = err.message, language = language })
    if not ok then
      require("codecell.log").write("error", "codecell:audit", tostring(problem),
        { event = "audit.unrecorded" })
    end
  end
  if SORTS[err.kind] then
    service:_emit("security", { type = "security", class = "security", sort = SORTS[err.kind],
      owner = owner, message = err.message })
  end
end

--- Do something as a span, of which those of its sandboxes are parts.
---@param name string
---@param attributes table<string, any>
---@param called function which gives a value, or nil, err
---@param ... any its arguments
---@return any value
---@return codecell.Error? err
function watching.span(name, attributes, called, ...)
  local span = spans.start(name, attributes)
  if not span then
    return called(...)
  end
  local ok, value, err = wait.call(called, ...)
  spans.finish(span, not ok and value or value == nil and err or nil)
  if not ok then
    error(value, 0)
  end
  return value, err
end

return watching
