--- tools/list and tools/call.
local json = require "codecell.json"
local markdown = require "codecell.agent.format.markdown"
local merged = require "codecell.merged"
local message = require "codecell.mcp.message"
local parts = require "codecell.agent.format.parts"
local reactor = require "codecell.reactor"
local resources = require "codecell.mcp.resources"
local tools = require "codecell.tools"
local version = require "codecell.mcp.version"

local calls = {}

local STOP = 5 -- seconds that an interrupted call may take to end
local LINKS_MOST = 8 -- files that a result names

-- ---- the list ----

local OPS = { "wait", "stop", "list" }

local function job_tool(session)
  return {
    name = "job",
    title = "Follow a long call",
    description = ("A call that takes longer than %g s is answered with the id of a job, and goes "
      .. "on. wait: the result of the call, waiting for it for at most %g s. stop: interrupt it. "
      .. "list: all jobs."):format(session.job_after, session.job_after),
    inputSchema = {
      type = "object",
      properties = {
        op = { type = "string", enum = json.list(OPS), description = "what to do" },
        id = { type = "string", description = 'of the job, as "job3"; not of list' },
      },
      required = json.list({ "op" }),
      additionalProperties = false,
    },
    annotations = { title = "Follow a long call", readOnlyHint = false, destructiveHint = false,
      idempotentHint = false, openWorldHint = false },
  }
end

-- The answer of a call that goes on has the id of its job alone.
local function with_job(schema)
  local changed = merged(schema, { properties = merged(schema.properties, {
    job = { type = "string", description = "of a call that goes on: its id" } }) })
  changed.required = nil
  return changed
end

--- All tools.
---@param session codecell.McpSession
---@param request codecell.McpRequest
---@return table result
function calls.list(session, request)
  local is_structured = version.is_at_least(request.version, "2025-06-18")
  local list = session.kit:schemas("mcp")
  for _, tool in ipairs(list) do
    tool.outputSchema = is_structured and tool.outputSchema and with_job(tool.outputSchema) or nil
  end
  list[#list + 1] = job_tool(session)
  return { tools = list }
end

-- ---- a call ----

local function text_result(text, is_error)
  return { content = json.list({ { type = "text", text = text } }), isError = is_error }
end

local function links(job, content)
  local execution = job.result.execution
  local count = 0
  for _, change in ipairs(execution and execution.files_changed or {}) do
    if change.op ~= "remove" and count < LINKS_MOST then
      count = count + 1
      content[#content + 1] = resources.link(change.path, change.size)
    end
  end
end

-- What a call has come to.
local function answer(session, request, job)
  local result = tools.encode("mcp", job.result)
  local is_new = version.is_at_least(request.version, "2025-06-18")
  if is_new then
    links(job, result.content)
  else
    result.structuredContent = nil
  end
  local ended = session.box:news()
  if ended then
    table.insert(result.content, 1, { type = "text", text = ("The sandbox before this one has "
      .. "ended (%s): its variables, files and packages are gone."):format(ended) })
  end
  return result
end

local function still_running(request, job)
  job.is_told = true
  local printed = parts.tidy(job.printed())
  local result = text_result(("Still running after %.0f s, as %s. Call the tool job with op "
    .. "\"wait\" and id %q for the result, or with op \"stop\" to interrupt it.%s"):format(
    reactor.now() - job.started_at, job.id, job.id, printed ~= "" and "\n\n" .. markdown.lay_out({
      { kind = "output", title = "The last of what it has printed", text = printed } }, {}) or ""),
    false)
  if version.is_at_least(request.version, "2025-06-18") then
    result.structuredContent = { job = job.id }
  end
  return result
end

-- For as long as a request may take. Who gives up the call interrupts it, who gives up the waiting
-- for its job does not.
local function follow(session, request, job, is_call)
  job.follower = request
  request:tell_progress()
  local done = job:wait(session.job_after)
  if job.follower == request then
    job.follower = nil
  end
  if done then
    if not job.is_told then
      session.jobs:forget(job)
    end
    return answer(session, request, job)
  elseif request.is_cancelled then
    if is_call then
      job:stop()
    end
    return nil
  end
  return still_running(request, job)
end

local function state_of(job)
  if not job.result then
    return ("running for %.1f s"):format(reactor.now() - job.started_at)
  end
  return ("over after %.1f s%s"):format(job.seconds, job.result.is_error and ", failed" or "")
end

local function list_jobs(session)
  local lines = {}
  for _, job in ipairs(session.jobs.list) do
    lines[#lines + 1] = ("%s: %s, %s"):format(job.id, job.name, state_of(job))
  end
  return text_result(lines[1] and table.concat(lines, "\n") or "There are no jobs.", false)
end

local function job_call(session, request, given)
  if given.op == "list" then
    return list_jobs(session)
  elseif given.op ~= "wait" and given.op ~= "stop" then
    return text_result("job: op is one of wait, stop, list", true)
  end
  local job = type(given.id) == "string" and session.jobs:find(given.id)
  if not job then
    return text_result(("job: there is no job %s; op \"list\" has all"):format(
      type(given.id) == "string" and ("%q"):format(given.id:sub(1, 40)) or "without an id"), true)
  elseif given.op == "stop" then
    local stopped = job:stop()
    if stopped and not job:wait(STOP) then
      return text_result(job.id .. " was told to stop.", false)
    end
  end
  return follow(session, request, job, false)
end

local function is_known(session, name)
  for _, known in ipairs(session.kit:names()) do
    if known == name then
      return true
    end
  end
  return false
end

--- Call one.
---@param session codecell.McpSession
---@param request codecell.McpRequest
---@return table? result nil: it was cancelled, or there is a problem
---@return codecell.RpcError? problem
function calls.call(session, request)
  local name, given = request.params.name, request.params.arguments
  if type(name) ~= "string" then
    return nil, message.problem("params", "name: a string expected")
  elseif given == nil or given == json.null then
    given = {}
  elseif not message.is_object(given) then
    return nil, message.problem("params", "arguments: an object expected")
  end
  if name == "job" then
    return job_call(session, request, given)
  elseif not is_known(session, name) then
    return nil, message.problem("params", ("there is no tool %q"):format(name:sub(1, 80)))
  end
  local job = session.jobs:start(name, given, request)
  if not job then
    return text_result("Too many calls are running at once: wait for one of them.", true)
  end
  return follow(session, request, job, true)
end

return calls
