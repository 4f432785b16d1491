--- The actions that run code and install what it needs.
local base64 = require "codecell.base64"
local errors = require "codecell.errors"
local fields = require "codecell.actions.fields"
local format = require "codecell.agent.format"
local shape = require "codecell.actions.shape"
local sources = require "codecell.packages.sources"

local code = {}

local MINUTE = 60
local BYTES = { png = true, jpeg = true, pdf = true }

-- Bytes in base64; what is text stays so.
local function result_of(call, result)
  local plain = { isMainResult = result.is_main_result, formats = shape.list(result:formats()) }
  for _, name in ipairs(plain.formats) do
    local value = result[name]
    plain[name] = BYTES[name] and value and base64.encode(value)
      or name == "text" and value and call:cut(value) or value
  end
  return plain
end

local function results_of(call, reply)
  local list = {}
  for i, result in ipairs(reply.results or {}) do
    list[i] = result_of(call, result)
  end
  return shape.list(list)
end

function code.execute(call, given)
  local found, err = call:sandbox(given)
  if not found then
    return nil, err
  end
  local reply
  reply, err = call.service:execute(given.code, { sandbox = found.id, owner = call.owner,
    language = given.language, envs = given.envs })
  if not reply then
    return nil, err
  end
  local stderr, is_cut = call:cut(table.concat(reply.logs.stderr))
  local told = { sandboxId = found.id, language = reply.language, output = reply.output,
    stderr = stderr, results = results_of(call, reply),
    executionTime = reply.execution_time, text = format(reply.execution), mock = reply.mock,
    truncated = reply.truncated and true or is_cut or nil, stateLost = reply.state_lost or nil,
    degradedFrom = reply.degraded_from, warnings = reply.warnings }
  if not reply.success then
    told.failed = { message = call:cut(reply.details.message), kind = reply.details.kind,
      hint = reply.details.hint }
    told.traceback = reply.details.traceback and call:cut(reply.details.traceback)
  end
  return told
end

-- The host program fetches them: a request that said from where would reach any machine by it.
local function check_sources(envs)
  for name in pairs(envs or {}) do
    if sources.is_variable(name) then
      return nil, errors.new("denied_by_policy", ("install: envs: %s: where packages come from is "
        .. "said by the host alone"):format(name), "leave it out")
    end
  end
  return true
end

function code.install(call, given)
  local list = fields.packages(given)
  if not list[1] then
    return nil, errors.new("invalid_argument", "Code is required for `install` action.")
  end
  local is_ours, refusal = check_sources(given.envs)
  if not is_ours then
    return nil, refusal
  end
  local found, err = call:sandbox(given)
  local done
  if found then
    done, err = found:install(list, { language = given.language, envs = given.envs,
      timeout = 10 * MINUTE })
  end
  if not done and not (err and err.packages) then
    return nil, err
  end
  done = done or { packages = err.packages, log = err.log, failed = err.message }
  local lines, packages, failed = {}, {}, done.failed
  for i, one in ipairs(done.packages) do
    packages[i] = { name = one.name, version = one.version, status = one.status }
    lines[i] = ("%s %s: %s"):format(one.name, one.version or "", one.status)
    if one.status ~= "installed" and one.status ~= "present" then
      failed = failed or one.name .. ": " .. one.status
    end
  end
  return { sandboxId = found.id, packages = shape.list(packages), seconds = done.seconds,
    failed = failed and { message = failed, kind = "install",
      hint = "check the names of the packages" } or nil,
    output = call:cut(done.log or ""), text = table.concat(lines, "\n") }
end

return code
