--- Requests to E2B, repeated only where they cannot have run.
local core = require "codecell.core"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local http = require "codecell.http"
local json = require "codecell.json"
local reactor = require "codecell.reactor"
local urls = require "codecell.http.url"
local wait = require "codecell.wait"

local transport = {}

local ANSWER_MOST = 67108864 -- bytes of an answer that is read as a whole
local PROBLEM_MOST, PROBLEM_TIME = 65536, 2 -- bytes and seconds of one that tells a failure
local VALUES_MOST = 4194304 -- of JSON
local PAUSE, PAUSE_MOST = 0.25, 4 -- seconds before a request is repeated, which double

---@class codecell.E2bRequest
---@field what string begins the message of an error
---@field url string with its query
---@field method string
---@field headers string[][]
---@field body (string|fun(): string?, codecell.Error?)?
---@field length integer? of a body that a function gives
---@field timeout number seconds for all, repetitions included
---@field idle number? seconds that the answer may be silent
---@field retries integer
---@field share boolean? its answer is read at once
---@field is_safe boolean? it may be repeated although it may have run
---@field may_have_run boolean? set here: it was repeated, and an earlier one was lost on its way
---@field scope codecell.E2bPlane? what gives it up, with all that is open there
---@field hidden table? what no message may show, as of `failure.hide`
---@field on_request (fun(event: codecell.E2bRequestEvent))?

--- A query of name and value in turn; those that are nil are left out.
---@param list table {name, value, name, value, n = count}
---@return string query with its "?", or ""
function transport.query(list)
  local pieces = {}
  for i = 1, list.n, 2 do
    if list[i + 1] ~= nil then
      pieces[#pieces + 1] = urls.encode(list[i]) .. "="
        .. urls.encode(tostring(list[i + 1]))
    end
  end
  return #pieces > 0 and "?" .. table.concat(pieces, "&") or ""
end

-- Whether the server has refused it before it could do anything, or does not mind it twice. An
-- error with a code of its own comes from inside a sandbox, where it may have begun.
local function may_repeat(request, status, code, err)
  if err then
    return err.stage == "connect" and (err.kind == "unavailable")
      or request.is_safe and err.kind == "unavailable"
  end
  return status == 429 or status == 503 and not code
    or request.is_safe and (status == 502 or status == 504)
end

-- Wait until it may be tried again; false: there is no time for that.
local function rest(tries, deadline, retry_after, scope)
  local pause = PAUSE * 2 ^ (tries - 1) * (0.5 + core.random() % 1000 / 1000)
  local till = reactor.now() + math.max(retry_after or 0, math.min(pause, PAUSE_MOST))
  if till >= deadline then
    return false
  end
  while reactor.now() < till do
    local goes_on = wait.key(scope or {}, till) or reactor.now() >= till
    if not goes_on or scope and scope.is_let_go then
      return false -- cancelled
    end
  end
  return true
end

local function say(request, err)
  local said = errors.new(err.kind, ("%s: %s"):format(request.what, err.message), err.hint)
  said.stage, said.errno = err.stage, err.errno
  return said
end

local BODY_MOST = 4096 -- bytes of a body that are told
local PRIVATE = { authorization = true, ["x-api-key"] = true, ["x-access-token"] = true,
  ["e2b-traffic-access-token"] = true }

-- For whoever looks for a fault: what went out and what came back, without keys and secrets.
local function tell(request, began, response, err)
  local headers = {}
  for i, pair in ipairs(request.headers) do
    local is_private = PRIVATE[pair[1]:lower()]
    headers[i] = { pair[1], is_private and "***" or failure.hide(pair[2], request.hidden) }
  end
  local body = request.body
  request.on_request({
    what = request.what, method = request.method, url = failure.hide(request.url, request.hidden),
    headers = headers, seconds = reactor.now() - began,
    body = type(body) == "string" and failure.hide(body, request.hidden):sub(1, BODY_MOST) or nil,
    status = response and response.status, error = err and err.message,
  })
end

-- The beginning of what tells a failure, as far as it comes in time.
local function read_problem(response)
  local chunks, size, deadline = {}, 0, reactor.now() + PROBLEM_TIME
  while size < PROBLEM_MOST and reactor.now() < deadline do
    local chunk = response:read(deadline - reactor.now())
    if not chunk then
      break
    end
    chunks[#chunks + 1], size = chunk, size + #chunk
  end
  response:close()
  return table.concat(chunks)
end

-- One try: the response, or nil and an error, and whether another one is worth it.
local function try(request, left)
  local began = reactor.now()
  local response, err = http.request({
    url = request.url, method = request.method, headers = request.headers, body = request.body,
    length = request.length, timeout = left, idle = request.idle, environment = true,
    share = request.share,
    begun = request.scope and function(exchange) request.scope:hold(exchange) end,
  })
  if request.on_request then
    tell(request, began, response, err)
  end
  if not response then
    return nil, say(request, err), may_repeat(request, nil, nil, err)
  elseif response.status >= 200 and response.status < 300 then
    return response
  end
  local answer, code = failure.of_answer(request.what, response.status, response.headers,
    read_problem(response), request.hidden)
  return nil, answer, may_repeat(request, response.status, code)
end

--- Make a request and wait for the head of its answer, which is a success.
---@param request codecell.E2bRequest
---@return codecell.HttpResponse? response
---@return codecell.Error? err
function transport.open(request)
  local refusal = wait.refusal(request.what)
  if refusal then
    return nil, refusal
  elseif not reactor.get() then
    return nil, select(2, reactor.get())
  end
  local deadline, tries = wait.deadline(request.timeout), 0
  local once = type(request.body) == "function"
  while true do
    tries = tries + 1
    local response, err, again = try(request, math.max(deadline - reactor.now(), 0.001))
    if response then
      return response
    elseif not again or once or tries > request.retries
      or not rest(tries, deadline, err.retry_after, request.scope) then
      local is_closed = again and request.scope and request.scope.is_let_go
      return nil, is_closed and errors.new("cancelled", request.what .. ": the sandbox was closed")
        or err
    end
    request.may_have_run = request.may_have_run or err.status == 502 or err.status == 504
      or not err.status and err.stage ~= "connect"
  end
end

-- All of an answer, which may not trickle for ever.
local function read_all(request, response, deadline)
  local chunks, size = {}, 0
  while true do
    local left = deadline - reactor.now()
    local chunk, err
    if left > 0 then
      chunk, err = response:read(left)
    else
      err = wait.failure(request.what, request.timeout)
    end
    if err then
      response:close()
      return nil, err
    elseif not chunk then
      return table.concat(chunks)
    end
    size = size + #chunk
    if size > ANSWER_MOST then
      response:close()
      return nil, errors.new("limit_exceeded",
        ("the answer is longer than %d bytes"):format(ANSWER_MOST))
    end
    chunks[#chunks + 1] = chunk
  end
end

--- Make a request and read its answer as JSON, whatever type it says it has.
---@param request codecell.E2bRequest
---@return any value true where the answer has no body
---@return codecell.HttpResponse|codecell.Error response or err
function transport.json(request)
  request.share = true
  local response, err = transport.open(request)
  if not response then
    return nil, err
  end
  local body
  body, err = read_all(request, response, wait.deadline(request.timeout))
  if not body then
    return nil, say(request, err)
  elseif not body:find("%S") then
    return true, response
  end
  local value
  value, err = json.decode(body, VALUES_MOST)
  if err or type(value) ~= "table" and value ~= json.null then
    return nil, failure.protocol(request.what, err and "what is no JSON" or "no object")
  end
  return value, response
end

--- A table as the JSON body of a request.
---@param value table
---@return string
function transport.body(value)
  return errors.assert(json.encode(value))
end

return transport
