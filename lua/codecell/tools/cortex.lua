--- The two tools of a coding agent: execute_python_code and get_sandbox_info.
local json = require "codecell.json"
local names = require "codecell.packages.names"
local parts = require "codecell.agent.format.parts"
local services = require "codecell.service"
local wait = require "codecell.wait"
local words = require "codecell.agent.words"

local cortex = {}

local TIMEOUT = 300 -- seconds
local NOBODY = "anonymous"

--- What a model is told of them.
---@type codecell.ToolDefinition[]
cortex.definitions = {
  { name = "execute_python_code", title = "Run Python code", output = { type = "object" },
    description = "Run Python code in an isolated sandbox, and get what it prints.",
    fields = {
      { name = "code", type = "string", is_required = true, description = "the Python code" },
      { name = "timeout", type = "integer",
        description = ("seconds that it may take; default %d"):format(TIMEOUT) },
      { name = "install_packages", type = "array", description = "packages to install before" },
    } },
  { name = "get_sandbox_info", title = "Sandbox", output = { type = "object" },
    is_read_only = true,
    description = "Get what is known of a sandbox, or of all of this conversation.",
    fields = { { name = "sandbox_id", type = "string", description = "one of them" } } },
}

local function failure(given, message, about)
  local code = type(given.code) == "string" and given.code or json.null
  return { success = false, error = message, code = code,
    sandbox_id = about and about.sandbox_id or json.null,
    details = about and about.details or nil }
end

--- What is wrong with a call of execute_python_code.
---@param given table
---@return string? problem
function cortex.check(given)
  if type(given.code) ~= "string" or given.code == "" then
    return "InvalidRequest: code is required"
  end
  local timeout = given.timeout
  if timeout ~= nil and timeout ~= json.null and not (type(timeout) == "number" and timeout > 0
      and timeout < math.huge) then
    return "InvalidRequest: timeout: seconds above 0 expected"
  end
  local list = given.install_packages
  if list ~= nil and list ~= json.null then
    if type(list) ~= "table" then
      return "InvalidRequest: install_packages: a list of names expected"
    end
    for key, name in pairs(list) do
      if type(key) ~= "number" or type(name) ~= "string" then
        return "InvalidRequest: install_packages: a list of names expected"
      end
    end
  end
end

local function or_nil(value)
  return value ~= json.null and value or nil
end

-- What the agent may not install, before anything is made.
local function check_packages(list, allowed)
  if not allowed or not allowed[1] then
    return nil
  end
  local known = {}
  for _, name in ipairs(allowed) do
    known[names.python(name).name] = true
  end
  for _, text in ipairs(list) do
    local one = names.python(text)
    if not one or not known[one.name] then
      return ("PackageDenied: %s is not among the allowed packages: %s; the code was not run")
        :format(text:sub(1, 80), table.concat(allowed, ", "))
    end
  end
end

-- The default ones and those of the call, which says the version of what is in both.
local function merged_packages(agent, list)
  local all, seen = {}, {}
  for _, source in ipairs({ list, agent and agent.default_packages or {} }) do
    for _, text in ipairs(source) do
      local one = names.python(text)
      local name = one and one.name or text
      if not seen[name] then
        seen[name] = true
        all[#all + 1] = text
      end
    end
  end
  return all
end

local function create_options(agent)
  if not agent then
    return nil
  end
  return { timeout = agent.timeout, network = agent.enable_network and "open" or "none",
    read_only = not agent.enable_file_system or nil, gpu = agent.enable_gpu or nil,
    packages = agent.allowed_packages[1] and { allow = agent.allowed_packages } or nil }
end

local function limit_of(service, agent)
  local most = service.config.max_execution_time
  return agent and math.min(agent.max_execution_time, most) or most
end

local function installed_of(reply, asked)
  local list = json.list({})
  if not asked[1] then
    return list
  end
  for i, one in ipairs(reply.packages or {}) do
    list[i] = one.name
  end
  return #list > 0 and list or json.list(asked)
end

-- What no model may take for the real thing.
local function marked(told, reply)
  told.mock, told.degraded_from = reply.mock, reply.degraded_from
  return told
end

local function details_of(reply, warnings, cut)
  local packages = {}
  for i, one in ipairs(reply.packages or {}) do
    packages[i] = { name = one.name, version = one.version, status = one.status }
  end
  local about = reply.details or {}
  return { kind = about.kind, hint = about.hint, line = about.line,
    text = reply.text and cut(reply.text), traceback = about.traceback and cut(about.traceback),
    packages = json.list(packages),
    install_time = reply.timings and reply.timings.install or nil,
    warnings = json.list(warnings), stderr = cut(table.concat(reply.logs.stderr)) }
end

-- The code was not run.
local function refused(given, err, has_details)
  local word = words.of_error(err)
  return failure(given, ("%s: %s"):format(word.word == "install" and "PackageInstallError"
    or word.word, err.message), { details = has_details and { kind = word.word,
    hint = err.hint or word.model, packages = err.packages, log = err.log } or nil })
end

local function answer(given, ctx, reply, packages, warnings, most)
  local function cut(text)
    return parts.cut(text, most)
  end
  local details = ctx.details and details_of(reply, warnings, cut) or nil
  if not reply.success then
    return marked(failure(given, cut(reply.details.message), { sandbox_id = reply.sandbox_id,
      details = details }), reply)
  end
  return marked({ success = true, output = reply.output, sandbox_id = reply.sandbox_id,
    execution_time = reply.execution_time, packages_installed = installed_of(reply, packages),
    code = ctx.echo_code ~= false and given.code or nil, details = details }, reply)
end

local function run(given, ctx)
  local problem = cortex.check(given)
  if problem then
    return failure(given, problem)
  end
  local service, err = services.of(ctx.service)
  if not service then
    return failure(given, words.of_error(err).word .. ": " .. err.message)
  end
  local agent = ctx.agent
  local asked = or_nil(given.install_packages) or {}
  problem = check_packages(asked, agent and agent.allowed_packages)
  if problem then
    return failure(given, problem)
  end
  local packages = merged_packages(agent, asked)
  local most = limit_of(service, agent)
  local wanted = or_nil(given.timeout) or math.min(TIMEOUT, most)
  local reply
  reply, err = service:execute(given.code, { owner = ctx.user or NOBODY, key = ctx.session,
    create = create_options(agent), packages = packages[1] and packages or nil,
    timeout = math.min(wanted, most) })
  if not reply then
    return refused(given, err, ctx.details)
  end
  local warnings = {}
  if wanted > most then
    warnings[1] = ("timeout %.14g s is more than the %.14g s that are allowed"):format(wanted, most)
  end
  for _, text in ipairs(reply.warnings) do
    warnings[#warnings + 1] = text
  end
  return answer(given, ctx, reply, packages, warnings, service.config.max_output_length)
end

local function guarded(called, given, ctx)
  if type(given) ~= "table" then
    return { success = false, error = "InvalidRequest: an object expected", code = json.null,
      sandbox_id = json.null }
  end
  local ok, told = wait.call(called, given, ctx or {})
  if not ok then
    return failure(given, "internal: " .. tostring(told):gsub("\n.*", ""))
  end
  return told
end

--- Run Python code; never raises.
---@param given {code: string, timeout: number?, install_packages: string[]?} timeout in seconds,
---300 by default
---@param ctx table? of the host: `service`, `user`, `session` (keeps variables from call to call;
---else each call has a sandbox of its own), `agent` (a checked codecell.AgentConfig), `details`
---(true: more fields, below `details`), `echo_code` (false: the code is not sent back)
---@return table reply `success output sandbox_id execution_time packages_installed code`, or
---`success error code sandbox_id`; and `mock` where nothing was executed, `degraded_from` where
---another mode stands in
function cortex.execute_python_code(given, ctx)
  return guarded(run, given, ctx)
end

local STATES = { killed = "killed", expired = "expired", idle = "ended", closed = "ended",
  died = "ended" }

local function shown(one)
  return { sandbox_id = one.id, status = one.state, started_at = one.started_at,
    end_at = one.end_at, timeout = one.timeout, metadata = one.metadata }
end

local function info(given, ctx)
  local service, err = services.of(ctx.service)
  if not service then
    return { success = false, error = words.of_error(err).word .. ": " .. err.message }
  end
  local owner, wanted = ctx.user or NOBODY, or_nil(given.sandbox_id)
  if wanted ~= nil and type(wanted) ~= "string" then
    return { success = false, error = "InvalidRequest: sandbox_id: a text expected",
      sandbox_id = json.null }
  end
  local list = json.list({})
  for _, one in ipairs(service:list({ owner = owner })) do
    list[#list + 1] = shown(one)
  end
  for _, id in ipairs(service.roster.gone_order) do
    local was = service.roster.gone[id]
    if was and was.owner == owner then
      list[#list + 1] = { sandbox_id = id, status = STATES[was.why], ended_at = was.at }
    end
  end
  if wanted == nil then
    return list
  end
  for _, one in ipairs(list) do
    if one.sandbox_id == wanted then
      return one
    end
  end
  return { success = false, error = ("not_found: Sandbox not found: %s"):format(
    wanted:sub(1, 80)), sandbox_id = wanted }
end

--- What is known of the sandboxes of a user; never raises.
---@param given {sandbox_id: string?}?
---@param ctx table? as of `execute_python_code`
---@return table entry or list of `sandbox_id status started_at end_at timeout metadata`; those that
---are gone have `ended_at`
function cortex.get_sandbox_info(given, ctx)
  return guarded(info, given == nil and {} or given, ctx)
end

return cortex
