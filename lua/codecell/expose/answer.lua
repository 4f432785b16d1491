--- One call of an exposed function: a request of the code, and its answer.
---
--- POST /NAME/FUNCTION with a JSON list of arguments; 200 and the JSON of the result, or another
--- status and {"error": {"message", "kind"}}, the message alone for who accepts text/plain.
--- GET / lists what there is. The code can send any bytes: the library of the server reads heads,
--- codecell.json bodies, and both within bounds.
local errors = require "codecell.errors"
local json = require "codecell.json"
local network = require "codecell.network"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local task = require "codecell.task"
local wait = require "codecell.wait"

local answer = {}

local JSON = { { "Content-Type", "application/json" } }
local TEXT = { { "Content-Type", "text/plain; charset=utf-8" } }
local HELD_MOST = 64 * 2 ^ 20 -- bytes of arguments and results of one sandbox in memory
local RUNNING_MOST = 256      -- functions that go on though nobody waits for them any more
local MESSAGE_MOST, TOLD_MOST = 4096, 4096
local VALUES_MOST = 65536 -- of JSON in the arguments: reading them takes the time of all others
local QUICK = 1024        -- bytes that take no time to speak of
local REST = 0.001        -- seconds
local BUSY = "too much is asked of the host at once; try again"

local STATUS = {
  cancelled = 499, denied_by_policy = 403, invalid_argument = 400, limit_exceeded = 413,
  not_found = 404, rate_limited = 429, timeout = 504, unavailable = 503,
}

local unpack = table.unpack or unpack -- luacheck: ignore

local function pack(...)
  return { n = select("#", ...), ... }
end

-- ---- what the code is told ----

-- Where a message was raised is the host's business: its paths stay here.
local PLACES = { "^%[string \"[^\n]-\"%]:%d+: ", "^[^\n]-%.lua:%d+: ", "^%([^\n%)]+%):%d+: ",
  "^stdin:%d+: ", "^[^%s:]*/[^\n:]*:%d+: ", "^%.%.%.[^\n:]*:%d+: " }

local function without_place(text)
  text = text:gsub("\n?stack traceback:\n.*$", "")
  for _, place in ipairs(PLACES) do
    local rest, count = text:gsub(place, "", 1)
    if count > 0 then
      return rest
    end
  end
  return text
end

-- What a function raised, or returned after nil, as an error of codecell's shape.
local function failure_of(value)
  local kind, message
  if type(value) == "table" then
    kind, message = value.kind, value.message
  end
  if type(message) ~= "string" then
    message = (type(value) == "string" or type(value) == "number") and tostring(value)
      or "the function failed with a " .. type(value)
  end
  return { kind = type(kind) == "string" and STATUS[kind] and kind or nil,
    message = without_place(message):sub(1, MESSAGE_MOST),
    retry_after = kind == "rate_limited" and value.retry_after or nil }
end

local function refuse(request, failure)
  local status = failure.kind and STATUS[failure.kind] or 500
  if (request.headers.accept or ""):find("text/plain", 1, true) then
    return request:reply(status, TEXT, json.repair(failure.message) .. "\n")
  end
  return request:reply(status, JSON, json.encode({ error = { message = failure.message,
    kind = failure.kind, retry_after = failure.retry_after } }))
end

local function list(request, names)
  local all = {}
  for name, entry in pairs(names) do
    all[name] = json.list()
    for called in pairs(entry.functions) do
      table.insert(all[name], called)
    end
    table.sort(all[name])
  end
  return request:reply(200, JSON, json.encode(all))
end

-- ---- what comes before a call ----

local function spend(entry)
  local rate, now = entry.rate, reactor.now()
  if not rate then
    return true
  end
  local left = (rate.left or rate.calls) + (now - (rate.at or now)) * rate.calls / rate.per
  rate.left, rate.at = math.min(left, rate.calls), now
  if rate.left < 1 then
    local err = errors.new("rate_limited", ("it may be called %d times in %g s; try again later")
      :format(rate.calls, rate.per))
    err.retry_after = (1 - rate.left) * rate.per / rate.calls
    return nil, err
  end
  rate.left = rate.left - 1
  return true
end

local function hold(exposed, bytes)
  if exposed.held + bytes > HELD_MOST then
    return false
  end
  exposed.held = exposed.held + bytes
  return true
end

-- The whole body; `held` of the call grows by what of it is in memory.
local function read(exposed, call, request, most)
  local chunks, size = {}, 0
  while true do
    local chunk, err = request:read()
    if err then
      return nil, err
    elseif not chunk then
      return table.concat(chunks)
    end
    size = size + #chunk
    if size > most then
      return nil, errors.new("limit_exceeded", ("the arguments have more than %d bytes of JSON; "
        .. "pass a path instead, or have the host raise limits.arguments"):format(most))
    elseif not hold(exposed, #chunk) then
      return nil, errors.new("unavailable", BUSY)
    end
    call.held = call.held + #chunk
    chunks[#chunks + 1] = chunk
  end
end

local function rest(exposed, seconds)
  wait.key(nil, reactor.now() + math.max(seconds, REST))
  exposed.is_resting = nil
  reactor.wake(exposed)
end

-- What is long to read is read one at a time, for half of the host's time at most.
local function decode_in_turn(exposed, body)
  if #body <= QUICK then
    return json.decode(body, VALUES_MOST)
  end
  while exposed.is_resting do
    if not wait.key(exposed) then
      return nil, wait.failure("call")
    end
  end
  exposed.is_resting = true
  local began = reactor.now()
  local arguments, err = json.decode(body, VALUES_MOST)
  task.background(rest, exposed, reactor.now() - began)
  return arguments, err
end

local function decode(exposed, body)
  if body == "" then
    return json.list()
  end
  local arguments, err = decode_in_turn(exposed, body)
  if err and err.kind == "limit_exceeded" then
    return nil, errors.new("limit_exceeded", ("the arguments have more than %d values; pass a "
      .. "path instead"):format(VALUES_MOST))
  elseif err then
    return nil, errors.new("invalid_argument", "the arguments are no JSON: "
      .. err.message:gsub("^json%.decode: ", ""))
  elseif not body:find("^%s*%[") then
    return nil, errors.new("invalid_argument", "the arguments are a list: [1, \"two\"]")
  end
  return arguments
end

-- ---- the call ----

-- Run the function in a task of its own: pack of its values, or nil, err.
local function run(exposed, entry, call, request, arguments)
  if exposed.running >= RUNNING_MOST then
    return nil, errors.new("unavailable", BUSY)
  end
  local count = #arguments
  for i = 1, count do
    if arguments[i] == json.null then
      arguments[i] = nil
    end
  end
  local outcome
  exposed.running = exposed.running + 1
  local child, err = task.background(function()
    outcome = pack(wait.call(entry.functions[call.called], unpack(arguments, 1, count)))
    exposed.running = exposed.running - 1
  end)
  if not child then
    exposed.running = exposed.running - 1
    return nil, err
  elseif not outcome then
    request:end_with_client()
    child:wait(entry.timeout)
  end
  if outcome then
    return outcome
  end
  child:cancel()
  if request:is_left() then
    return nil, errors.new("cancelled", "who called it has gone")
  end
  return nil, errors.new("timeout", ("it took longer than %g s"):format(entry.timeout))
end

-- The policy may ask a person, who may edit the arguments; nil, err where it forbids them.
local function permit(entry, call)
  local policy = entry.policy
  if entry.denied[call.called] then
    return nil, errors.new("denied_by_policy", entry.denied[call.called])
  elseif not policy then
    return call.body
  end
  local ok, permitted, err = wait.call(policy.permit, policy, { verb = "expose", what = call.name,
    name = call.name, code = call.body, language = "json" })
  if not ok then
    reactor.fail(tostring(permitted))
    return nil, errors.new("unavailable", "the host could not decide")
  elseif not permitted then
    return nil, errors.new("denied_by_policy", err.reason or err.message)
  end
  return type(permitted) == "table" and permitted.code or call.body
end

-- What cannot be recorded is not done.
local function record(exposed, call, arguments)
  local sandbox = exposed.about.sandbox
  local audit = sandbox and sandbox._audit
  if not audit then
    return true
  end
  local number, err = audit:write({ event = "call", phase = "before", sandbox = sandbox.id,
    name = call.name, arguments = arguments }, sandbox._mask)
  call.record = number
  if not number then
    reactor.fail(("%s was not called: %s"):format(call.name, tostring(err)))
    return nil, errors.new("unavailable", "the host cannot record the call")
  end
  return true
end

-- JSON of the result; or nil, and what the code is told.
local function perform(exposed, entry, call, request)
  local ok, err = spend(entry)
  local body, arguments, outcome, text
  if ok then
    body, err = read(exposed, call, request, entry.arguments)
  end
  if body then
    call.body = body
    body, err = permit(entry, call)
  end
  if body then
    arguments, err = decode(exposed, body)
  end
  if arguments and request:is_left() then
    return nil, errors.new("cancelled", "who called it has gone")
  end
  ok = arguments
  if arguments then
    ok, err = record(exposed, call, arguments)
  end
  if ok then
    outcome, err = run(exposed, entry, call, request, arguments)
  end
  if not outcome then
    return nil, err
  elseif not outcome[1] then
    return nil, failure_of(outcome[2])
  elseif outcome[2] == nil and outcome[3] ~= nil then
    return nil, failure_of(outcome[3])
  end
  text, err = json.encode(outcome[2])
  if not text then
    return nil, { message = "the result is no JSON: " .. err.message:gsub("^json%.encode: ", "") }
  elseif #text > entry.result then
    return nil, errors.new("limit_exceeded",
      ("the result has %d bytes of JSON, more than %d"):format(#text, entry.result))
  elseif not hold(exposed, #text) then
    return nil, errors.new("unavailable", BUSY)
  end
  call.held, call.result = call.held + #text, outcome[2]
  return text
end

-- ---- what is told of it ----

local function about(exposed, call)
  local sandbox = exposed.about.sandbox
  return sandbox, sandbox and call.body
    and secrets.hide(sandbox, json.repair(call.body:sub(1, TOLD_MOST))) or ""
end

local function tell(exposed, call, text, failure)
  local sandbox, arguments = about(exposed, call)
  if sandbox and sandbox._audit and call.record then
    local number, err = sandbox._audit:write({ event = "call", phase = "after", of = call.record,
      sandbox = sandbox.id, seconds = reactor.now() - call.began, result = call.result,
      err = failure and { kind = failure.kind, message = failure.message } }, sandbox._mask)
    if not number then
      reactor.fail(("%s was called, and not recorded: %s"):format(call.name, tostring(err)))
    end
  end
  if sandbox and not sandbox:_closed() then
    local is_denied = failure and failure.kind == "denied_by_policy"
    network.event(sandbox, { type = "call", class = is_denied and "security" or nil,
      sort = is_denied and "policy" or nil, name = call.name, arguments = arguments,
      success = failure == nil, message = failure and secrets.hide(sandbox, failure.message),
      kind = failure and failure.kind, seconds = reactor.now() - call.began,
      received = call.body and #call.body or 0, sent = text and #text or 0 })
  end
end

--- Answer a request, in the coroutine that the server gives it.
---@param exposed table what the sandbox exposes
---@param request codecell.IncomingRequest
function answer.answer(exposed, request)
  local headers = request.headers
  if headers.origin then -- a page in a browser of the code: nobody has asked for that
    return refuse(request, errors.new("denied_by_policy", "pages may not call the host"))
  elseif request.method == "GET" and request.path == "/" then
    return list(request, exposed.names)
  end
  local name, called = request.path:match("^/([%w_]+)/([%w_]+)$")
  local entry = exposed.names[name]
  if request.method ~= "POST" or not entry or not entry.functions[called] then
    return refuse(request, errors.new("not_found", name
      and ("the host has no function %s.%s"):format(name, called)
      or "POST to /NAME/FUNCTION, with a JSON list of arguments"))
  elseif not (headers["content-type"] or ""):find("^application/json") then
    return refuse(request, errors.new("invalid_argument",
      "Content-Type: application/json expected"))
  end
  local call = { name = name .. "." .. called, called = called, held = 0, began = reactor.now() }
  local text, failure = perform(exposed, entry, call, request)
  if failure then
    failure.message = call.name .. ": " .. failure.message
  end
  tell(exposed, call, text, failure)
  if text then
    request:reply(200, JSON, text)
  elseif not request:is_left() then
    refuse(request, failure)
  end
  exposed.held = exposed.held - call.held
end

return answer
