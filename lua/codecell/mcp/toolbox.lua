--- The tools of a session: those that work in its sandbox, or the sets that others have documented,
--- whose sandboxes are those of a service of the session's own.
local errors = require "codecell.errors"
local tools = require "codecell.tools"

local toolbox = {}

local INSTALL = 600 -- seconds that an installation may take

-- Modes of a service by the backends of create.
local MODES = { ["local"] = "kernel", e2b = "production", mock = "mock" }
-- What of create a service can be told for all its sandboxes; of an audit the path.
local TAKEN = { audit = true, backend = true, template = true, limits = true }

--- What a set of tools does not take.
---@param set string?
---@param given table options of `codecell.create`
---@return string? problem
function toolbox.problem(set, given)
  if set == nil or set == "recommended" then
    return nil
  end
  for name, value in pairs(given) do
    if not TAKEN[name] or name == "audit" and type(value) ~= "string" then
      return ("the set %s takes no %s: its sandboxes are made as the configuration says; "
        .. "the set recommended takes it"):format(set, name)
    end
  end
  for name in pairs(given.limits or {}) do
    if name ~= "memory" and name ~= "cpu" then
      return ("the set %s takes no limit of %s; the set recommended does"):format(set, name)
    end
  end
end

local function service_of(session, given)
  local limits = given.limits or {}
  return require("codecell.service").service({
    mode = MODES[given.backend or "local"], template = given.template, audit = given.audit,
    memory_limit = limits.memory, cpu_limit = limits.cpu, pool_size = 0, rate_limit_per_min = 0,
    execution_timeout = session.timeout, max_execution_time = session.timeout,
    sandbox_timeout = session.idle, idle_timeout = session.idle })
end

--- The tools of a session, which makes nothing yet.
---@param session codecell.McpSession
---@param set string? default "recommended"
---@param policy codecell.Policy?
---@return codecell.Kit? kit
---@return codecell.Error|codecell.Service|nil err after nil: of `codecell.service`, or kind
---"invalid_argument": the set does not take what is wanted of the sandbox; else the service that is
---to be closed with the session, if there is one
function toolbox.new(session, set, policy)
  if set == nil or set == "recommended" then
    return tools.kit({ create = session.create, policy = policy, timeout = session.timeout,
      sandbox = function() return session.box:get(math.max(session.timeout, INSTALL)) end })
  end
  local problem = toolbox.problem(set, session.create)
  if problem then
    return nil, errors.new("invalid_argument", "mcp: " .. problem)
  end
  local service, err = service_of(session, session.create)
  if not service then
    return nil, err
  end
  return tools.kit({ set = set, policy = policy, timeout = session.timeout, service = service,
    session = "mcp" }), service
end

return toolbox
