--- What envd answers in a sandbox: files, its small endpoints, and remote calls.
local answer = require "codecell.gateway.answer"
local content = require "codecell.gateway.envd.content"
local core = require "codecell.core"
local filesystem = require "codecell.gateway.envd.filesystem"
local processes = require "codecell.gateway.envd.processes"
local rpc = require "codecell.gateway.envd.rpc"
local signed = require "codecell.gateway.envd.signed"
local writing = require "codecell.gateway.envd.writing"
local watching = require "codecell.gateway.envd.watching"

local envd = {}

local MIB = 1048576
local NO_STORE = { { "Cache-Control", "no-store" } }

local services = {
  ["process.Process"] = processes.methods,
  ["filesystem.Filesystem"] = filesystem.methods,
}
for name, method in pairs(watching.methods) do
  filesystem.methods[name] = method
end

local plain = { ["POST /files/compose"] = writing.compose }

plain["GET /envs"] = function(one, request)
  answer.json(request, 200, one.envs)
end

plain["GET /metrics"] = function(one, request)
  local used, err = one.sandbox:get_metrics()
  if not used then
    return answer.error(request, err)
  end
  local cpus = math.max(math.ceil(used.cpu_count or core.cpu_count()), 1)
  answer.json(request, 200, {
    ts = os.time(), cpu_count = cpus, cpu_used_pct = used.cpu_used_pct / cpus,
    mem_total_mib = math.floor(used.memory_total / MIB),
    mem_used_mib = math.floor(used.memory_used / MIB), mem_total = used.memory_total,
    mem_used = used.memory_used, mem_cache = 0, disk_used = used.disk_used,
    disk_total = used.disk_total,
  })
end

local function answer_files(one, request)
  local query = answer.form(request.query)
  local ok, problem = signed.check(one, request, query)
  if not ok then
    return answer.failure(request, 401, problem)
  elseif request.method == "POST" then
    return writing.answer(one, request, query)
  end
  return content.read(one, request, query)
end

--- Answer a request to envd.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
function envd.answer(one, request)
  local path, method = request.path, request.method
  if path == "/health" then
    return answer.empty(request, 204, NO_STORE)
  elseif path == "/files" and (method == "GET" or method == "HEAD" or method == "POST") then
    return answer_files(one, request)
  end
  local service, name = path:match("^/([%w.]+)/(%w+)$")
  local called = plain[method .. " " .. path]
  if not called and not services[service] then -- those of the cloud's own machinery are not here
    return answer.failure(request, 404, "no such path", { path = path })
  elseif one.token and not answer.is_same(request.headers["x-access-token"], one.token) then
    return answer.failure(request, 401, "access token is missing or does not match")
  elseif called then
    return called(one, request)
  end
  return rpc.answer(one, request, services[service][name])
end

return envd
