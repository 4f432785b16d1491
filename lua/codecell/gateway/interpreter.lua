--- What the code interpreter of a sandbox answers: contexts, and code with a stream of JSON lines.
local answer = require "codecell.gateway.answer"
local base64 = require "codecell.base64"
local core = require "codecell.core"
local errors = require "codecell.errors"
local execution = require "codecell.execution"
local feed = require "codecell.gateway.envd.feed"
local json = require "codecell.json"
local paths = require "codecell.gateway.envd.paths"
local shape = require "codecell.e2b.shape"
local task = require "codecell.task"
local urls = require "codecell.http.url"
local wait = require "codecell.wait"
local wishes = require "codecell.gateway.control.wishes"

local interpreter = {}

local BODY_MOST = 67108864 -- bytes: code of the most that a sandbox takes, escaped
local UNPROCESSABLE = 422 -- the status of what is no JSON object, or has no code
local ORDER = { values = 262144, wrong = UNPROCESSABLE } -- each line of code ends with an escape
local TEXTS = { "code", "language", "cwd", "context_id" }
local CONTEXTS_MOST = 256
local LANGUAGE_MOST = 64 -- bytes of a name
local LONGEST = 86400 -- seconds
local ALIVE_EVERY = 5 -- seconds
local SHORT = { [""] = "python", js = "javascript", ts = "typescript" }
local PICTURES = { png = true, jpeg = true, pdf = true }

local function line(value)
  return errors.assert(json.encode(value)) .. "\n"
end

local ALIVE, LAST = line({ type = "keepalive" }), line({ type = "end_of_execution" })

-- A client may send as many blanks as fit in a body: the pattern takes the square of their number.
local function language_of(given)
  local name = (type(given) == "string" and given or ""):sub(1, LANGUAGE_MOST):lower()
    :match("^%s*(.-)%s*$")
  return SHORT[name] or name
end

local function text_of(value)
  return type(value) == "string" and value ~= "" and value or nil
end

-- The body of a request with fields of the right types; it was refused already where it is none.
local function body_of(request)
  local body = answer.body(request, BODY_MOST, ORDER)
  for _, name in ipairs(body and TEXTS or {}) do
    local value = body[name]
    if value ~= nil and value ~= json.null and type(value) ~= "string" then
      return answer.text(request, UNPROCESSABLE, name .. ": a text was expected")
    end
  end
  local envs = body and body.env_vars
  for name, value in pairs(shape.table(envs) or {}) do
    envs = type(name) == "string" and type(value) == "string" and envs
  end
  if envs ~= nil and envs ~= json.null and type(envs) ~= "table" then
    return answer.text(request, UNPROCESSABLE, "env_vars: texts by their names were expected")
  end
  return body
end

-- ---- contexts ----

local function shown(context)
  return { id = context.id, language = context.language, cwd = context.cwd }
end

local function find(one, id)
  for _, context in ipairs(one.sandbox:list_code_contexts()) do
    if context.id == id then
      return context
    end
  end
end

local function list(one, request)
  local all = json.list()
  for i, context in ipairs(one.sandbox:list_code_contexts()) do
    all[i] = shown(context)
  end
  answer.json(request, 200, all)
end

local function create(one, request)
  local body = body_of(request)
  if not body then
    return
  end
  local cwd, err = paths.resolve(text_of(body.cwd))
  local made
  if #one.sandbox:list_code_contexts() >= CONTEXTS_MOST then
    err = errors.new("limit_exceeded", ("more than %d contexts"):format(CONTEXTS_MOST))
  elseif cwd then
    made, err = one.sandbox:create_code_context({ cwd = cwd,
      language = language_of(body.language) })
  end
  if not made then
    return answer.text(request, 500, err.message)
  end
  answer.json(request, 200, shown(made))
end

local function answer_context(one, request, id, rest)
  local called = request.method == "DELETE" and rest == "" and "remove_code_context"
    or request.method == "POST" and rest == "/restart" and "restart_code_context"
  if not called then
    return answer.text(request, 404, "Not Found")
  elseif not find(one, id) then
    return answer.text(request, 404, ("Context %s not found"):format(id))
  end
  local ok, err = one.sandbox[called](one.sandbox, id)
  if not ok then
    return answer.text(request, 500, err.message)
  end
  answer.json(request, 200, json.null)
end

-- ---- code ----

local function result_line(result)
  local event = { type = "result", is_main_result = result.is_main_result == true,
    extra = result.extra or {} }
  local more = {}
  for _, name in ipairs(result:formats()) do
    local value, written = result[name], execution.written(result, name)
    if written then
      more[#more + 1] = (',"%s":%s'):format(name, json.repair(written):gsub("[\r\n]", " "))
    elseif value ~= nil then
      event[name] = PICTURES[name] and base64.encode(value) or value
    end
  end
  return (line(event):gsub("}\n$", function() return table.concat(more) .. "}\n" end))
end

local function now()
  return shape.timestamp(core.time())
end

-- How many cells its context has run, this one included, as far as is known before its end.
local function number_of(one, given)
  local contexts, chosen = one.sandbox._backend.contexts, given.context
  chosen = chosen or contexts.default(one.sandbox, given.language)
  local runner = chosen and contexts.kernel(one.sandbox, "execute", chosen)
  return (runner and runner.count or 0) + 1
end

-- Run it, and put into the feed what it says, after its number.
local function execute(one, code, given, listener)
  local number
  local function tell_number(known)
    if number ~= known then
      number = known
      listener:put(line({ type = "number_of_executions", execution_count = known }))
    end
  end
  local function say(text)
    tell_number(number or number_of(one, given))
    listener:put(text)
  end
  local function print_to(name)
    return function(text)
      say(line({ type = name, text = text, timestamp = now() }))
    end
  end
  given.on_stdout, given.on_stderr = print_to("stdout"), print_to("stderr")
  given.on_result = function(result) say(result_line(result)) end
  given.on_error = function(problem)
    say(line({ type = "error", name = problem.name, value = problem.value,
      traceback = problem.traceback }))
  end
  local done, err = one.sandbox:run_code(code, given)
  if done then
    tell_number(done.execution_count)
    listener:put(LAST)
  end
  return done, err
end

-- What it raises is raised where the request is answered.
local function attend(one, code, given, listener)
  local ok, done, err = wait.call(execute, one, code, given, listener)
  listener.problem, listener.err = not ok and done or nil, err
  listener:finish(ok and done and "done" or "broken")
end

-- What code is to run where; it was refused already where that is nothing.
local function read_order(one, request)
  local body = body_of(request)
  if not body then
    return nil
  elseif type(body.code) ~= "string" then
    return answer.text(request, UNPROCESSABLE, "code: a text was expected")
  end
  local id, language = text_of(body.context_id), text_of(body.language)
  if id and language then
    return answer.text(request, 400, "Only one of context_id or language can be provided")
  elseif id and not find(one, id) then
    return answer.text(request, 404, ("Context %s not found"):format(id))
  end
  local envs, err = wishes.check("execute", { envs = shape.texts(body.env_vars) },
    { envs = { type = "envs" } })
  if not envs then
    return answer.text(request, 400, err.message)
  end
  return body.code, { context = id, envs = envs.envs, timeout = LONGEST,
    language = not id and language_of(language) or nil }
end

local function answer_code(one, request)
  local code, given = read_order(one, request)
  if not given then
    return
  end
  local listener = feed.new()
  local running = task.background(attend, one, code, given, listener)
  request:end_with_client() -- who is not there any more interrupts the code
  local outcome = listener:send(request, { alive = ALIVE, every = ALIVE_EVERY,
    headers = answer.headers("application/x-ndjson") })
  if outcome == "left" then
    return running:cancel()
  elseif outcome == "done" then
    return
  elseif listener.problem then
    error(listener.problem, 0)
  elseif not request.has_started and listener.err and not answer.is_gone(listener.err) then
    return answer.text(request, 500, listener.err.message)
  end
  request:abort()
end

--- Answer a request to the code interpreter.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
function interpreter.answer(one, request)
  local path, method = request.path, request.method
  if path == "/health" and method == "GET" then
    return answer.json(request, 200, "OK")
  elseif path == "/execute" and method == "POST" then
    return answer_code(one, request)
  elseif path == "/contexts" and method == "GET" then
    return list(one, request)
  elseif path == "/contexts" and method == "POST" then
    return create(one, request)
  end
  local id, rest = path:match("^/contexts/([^/]+)(.*)$")
  if id then
    return answer_context(one, request, urls.decode(id), rest)
  end
  answer.text(request, 404, "Not Found")
end

return interpreter
