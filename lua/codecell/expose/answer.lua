--- Requests of the code for exposed functions, and their answers.
---
--- POST /NAME/FUNCTION with a JSON list of arguments; 200 and the JSON of the result, or another
--- status and {"error": {"message", "kind"}}, the message alone for who accepts text/plain.
--- GET / lists what there is. The code can send any bytes: the library of the server reads heads,
--- codecell.json bodies, and both within bounds.
local calling = require "codecell.expose.call"
local errors = require "codecell.errors"
local json = require "codecell.json"
local network = require "codecell.network"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local sorted = require "codecell.sorted"

local answer = {}

local JSON = { { "Content-Type", "application/json" } }
local TEXT = { { "Content-Type", "text/plain; charset=utf-8" } }
local TOLD_MOST = 4096 -- bytes of arguments

local function refuse(request, failure)
  local status = calling.statuses[failure.kind or ""] or 500
  if (request.headers.accept or ""):find("text/plain", 1, true) then
    return request:reply(status, TEXT, json.repair(failure.message) .. "\n")
  end
  return request:reply(status, JSON, json.encode({ error = { message = failure.message,
    kind = failure.kind, retry_after = failure.retry_after } }))
end

local function list(request, names)
  local all = {}
  for name, entry in pairs(names) do
    all[name] = json.list(sorted(entry.functions))
  end
  return request:reply(200, JSON, json.encode(all))
end

-- ---- what is told of it ----

local function about(exposed, call)
  local sandbox = exposed.about.sandbox
  return sandbox, sandbox and call.body
    and secrets.hide(sandbox, json.repair(call.body:sub(1, TOLD_MOST))) or ""
end

local function tell(exposed, call, text, failure)
  local sandbox, arguments = about(exposed, call)
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
  local text, failure = calling.perform(exposed, entry, call, request)
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
