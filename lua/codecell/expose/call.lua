--- One call of an exposed function: whether it may be, the function itself, and what became of it.
local arguments = require "codecell.expose.arguments"
local errors = require "codecell.errors"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local calling = {}

local RUNNING_MOST = 256 -- functions that go on though nobody waits for them any more
local MESSAGE_MOST = 4096

--- Kinds of errors that the code is told, and the status of the answer.
calling.statuses = {
  cancelled = 499, denied_by_policy = 403, invalid_argument = 400, limit_exceeded = 413,
  not_found = 404, rate_limited = 429, timeout = 504, unavailable = 503,
}

local unpack = require "codecell.unpack"

local function pack(...)
  return { n = select("#", ...), ... }
end

-- ---- what a function raises ----

-- Where a message was raised is the host's business: its paths stay here.
local PLACES = { "^%[string \"[^\n]-\"%]:%d+: ", "^[^\n]-%.lua:%d+: ", "^%([^\n%)]+%):%d+: ",
  "^stdin:%d+: ", "^[^%s:]*/[^\n:]*:%d+: ", "^%.%.%.[^\n:]*:%d+: " }

-- What was raised again has one for each time.
local function without_place(text)
  text = text:gsub("\n?stack traceback:\n.*$", "")
  local i = 1
  while PLACES[i] do
    local rest, count = text:gsub(PLACES[i], "", 1)
    text, i = rest, count > 0 and 1 or i + 1
  end
  return text
end

-- What a function raised, or returned after nil, as an error; without a kind, unless it has one.
local function failure_of(value)
  local kind, message = "", nil
  if type(value) == "table" then
    kind, message = value.kind or "", value.message
  end
  if type(message) ~= "string" then
    message = (type(value) == "string" or type(value) == "number") and tostring(value)
      or "the function failed with a " .. type(value)
  end
  return errors.new(calling.statuses[kind] and kind or nil,
    without_place(message):sub(1, MESSAGE_MOST))
end

-- ---- whether it may be ----

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

-- The arguments, which somebody who is asked may edit; nil, err where it is forbidden.
local function permit_by(policy, call, body)
  local ok, permitted, err = wait.call(policy.permit, policy, { verb = "expose", what = call.name,
    name = call.name, code = body, language = "json" })
  if not ok then
    reactor.fail(tostring(permitted))
    return nil, errors.new("unavailable", "the host could not decide")
  elseif not permitted then
    return nil, errors.new("denied_by_policy", err.reason or err.message)
  end
  return type(permitted) == "table" and permitted.code or body
end

-- The same by the policy of the sandbox, and by that of the functions.
local function permit(entry, call)
  local denied, asked = entry.denied[call.called], entry.asked[call.called]
  if denied then
    return nil, errors.new("denied_by_policy", denied)
  end
  local body, err = call.body, nil
  if asked then
    body, err = permit_by(asked, call, body)
  end
  if body and entry.policy then
    body, err = permit_by(entry.policy, call, body)
  end
  return body, err
end

-- ---- the function ----

-- Run the function in a task of its own: pack of its values, or nil, err.
local function run(exposed, entry, call, request, list)
  if exposed.running >= RUNNING_MOST then
    return nil, errors.new("unavailable", arguments.busy)
  end
  local count = #list
  for i = 1, count do
    if list[i] == json.null then
      list[i] = nil
    end
  end
  local outcome
  exposed.running = exposed.running + 1
  local child, err = task.background(function()
    outcome = pack(wait.call(entry.functions[call.called], unpack(list, 1, count)))
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

-- JSON of the result, and the result; or nil, and what the code is told.
local function result_of(exposed, entry, call, request, list)
  local outcome, err = run(exposed, entry, call, request, list)
  if not outcome then
    return nil, err
  elseif not outcome[1] then
    return nil, failure_of(outcome[2])
  elseif outcome[2] == nil and outcome[3] ~= nil then
    return nil, failure_of(outcome[3])
  end
  local text
  text, err = json.encode(outcome[2])
  if not text then
    return nil, errors.new(nil, "the result is no JSON: "
      .. err.message:gsub("^json%.encode: ", ""))
  elseif #text > entry.result then
    return nil, errors.new("limit_exceeded",
      ("the result has %d bytes of JSON, more than %d"):format(#text, entry.result))
  elseif not arguments.hold(exposed, call, #text) then
    return nil, errors.new("unavailable", arguments.busy)
  end
  return { text = text, value = outcome[2] }
end

-- The same before the eyes of whoever looks on. What cannot be recorded is not done.
local function seen_result_of(exposed, entry, call, request, list)
  local sandbox = exposed.about.sandbox
  if not sandbox or not sandbox._witness then
    return result_of(exposed, entry, call, request, list)
  end
  local is_called, result, failure
  local done, err = sandbox._witness.call(sandbox, call.name, list, function()
    is_called = true
    result, failure = result_of(exposed, entry, call, request, list)
    return result, failure
  end)
  if done or failure and err == failure then
    return done, err
  end
  reactor.fail(is_called and tostring(err) or ("%s was not called: %s"):format(call.name,
    tostring(err)))
  return nil, errors.new("unavailable", is_called
    and "it was called, and the host cannot record what came of it"
    or "the host cannot record the call")
end

--- Do what a request asks for.
---@param exposed table what the sandbox exposes
---@param entry table the functions of a name, and how they may be called
---@param call table `name` ("tools.search"), `called` ("search"), `held` (0); gets `body`
---@param request codecell.IncomingRequest
---@return string? text JSON of the result
---@return codecell.Error? err what the code is told; without a kind it is the function's own
function calling.perform(exposed, entry, call, request)
  local ok, err = spend(entry)
  local body, list, result
  if ok then
    body, err = arguments.read(exposed, call, request, entry.arguments)
  end
  if body then
    call.body = body
    body, err = permit(entry, call)
  end
  if body then
    list, err = arguments.decode(exposed, body)
  end
  if list and request:is_left() then
    return nil, errors.new("cancelled", "who called it has gone")
  elseif list then
    result, err = seen_result_of(exposed, entry, call, request, list)
  end
  return result and result.text, err
end

return calling
