--- What E2B answers in place of success, as errors of ours.
local errors = require "codecell.errors"
local json = require "codecell.json"
local shape = require "codecell.e2b.shape"

local failure = {}

local TEXT_MOST = 400 -- bytes of what a server says that become part of a message
local STATUS_PAGE = "see https://status.e2b.dev"
local WAIT_MOST = 3600 -- seconds that Retry-After may say

local BY_STATUS = {
  [400] = "invalid_argument", [401] = "unauthenticated", [403] = "permission_denied",
  [404] = "not_found", [405] = "protocol", [406] = "invalid_argument", [408] = "timeout",
  [409] = "unavailable", [410] = "not_found", [413] = "limit_exceeded", [416] = "invalid_argument",
  [422] = "invalid_argument", [429] = "rate_limited", [499] = "cancelled", [500] = "system",
  [501] = "unsupported", [502] = "unavailable", [503] = "unavailable", [504] = "unavailable",
  [507] = "no_space",
}

local HINTS = {
  [401] = "check the API key",
  [429] = "wait, or raise the limit of the account",
  [500] = STATUS_PAGE, [502] = STATUS_PAGE, [503] = STATUS_PAGE, [504] = STATUS_PAGE,
}

-- Of the Connect protocol.
local BY_CODE = {
  aborted = "unavailable", already_exists = "already_exists", canceled = "cancelled",
  data_loss = "system", deadline_exceeded = "timeout", failed_precondition = "invalid_argument",
  internal = "system", invalid_argument = "invalid_argument", not_found = "not_found",
  out_of_range = "invalid_argument", permission_denied = "permission_denied",
  resource_exhausted = "rate_limited", unauthenticated = "unauthenticated",
  unavailable = "unavailable", unimplemented = "unsupported", unknown = "system",
}

--- A text without keys, tokens and secrets.
---@param text string
---@param hidden {[integer]: string, mask: userdata?}? keys and tokens, and what hides secrets
---@return string
function failure.hide(text, hidden)
  for _, secret in ipairs(hidden or {}) do
    for _, form in ipairs({ secret, errors.assert(json.encode(secret)):sub(2, -2) }) do
      text = form ~= "" and text:gsub(form:gsub("%p", "%%%0"), "***") or text
    end
  end
  return hidden and hidden.mask and hidden.mask:hide(text) or text
end

--- One line of what a server has said, of bounded length.
---@param text any
---@param hidden table? what must not stand in it, as of `failure.hide`
---@return string
function failure.line(text, hidden)
  if type(text) ~= "string" then
    return ""
  end
  text = failure.hide(text, hidden)
  text = json.repair(text:sub(1, TEXT_MOST)):gsub("[%c%s]+", " ")
  return (text:gsub("^ ", ""):gsub(" $", ""))
end

--- The seconds of Retry-After, which may be a date: of the server's clock, if it says what time
--- it has.
---@param headers codecell.Fields
---@return number?
function failure.retry_after(headers)
  local said = headers["retry-after"] or ""
  local seconds = said:match("^%d+$") and tonumber(said)
  local at = not seconds and shape.http_date(said)
  if at then
    seconds = math.max(at - (shape.http_date(headers["date"]) or os.time()), 0)
  end
  return seconds and math.min(seconds, WAIT_MOST) or nil
end

-- What the body of an answer says: JSON of the control plane, of envd or of Connect, or plain text.
local function said_by(body, hidden)
  local value = body:find("^%s*{") and json.decode(body, 1000)
  if type(value) ~= "table" then
    return failure.line(body:find("^%s*<") and "" or body, hidden), nil
  end
  return failure.line(value.message or value.error, hidden),
    type(value.code) == "string" and value.code or nil
end

local function new(kind, what, detail, status, hint)
  local begins = what .. ": "
  local text = detail:sub(1, #begins) == begins and detail or begins .. detail -- not said twice
  local err = errors.new(kind, hint and text .. "; " .. hint or text, hint)
  err.status = status
  return err
end

--- The error of an answer that is no success.
---@param what string was tried
---@param status integer
---@param headers codecell.Fields
---@param body string
---@param hidden table?
---@return codecell.Error err with `status`, and `retry_after` where it was said
---@return string? code of Connect
function failure.of_answer(what, status, headers, body, hidden)
  local said, code = said_by(body, hidden)
  local kind = code and BY_CODE[code] or BY_STATUS[status]
    or (status >= 500 and "system" or status >= 400 and "invalid_argument" or "protocol")
  local detail = said == "" and ("the server answers %d"):format(status)
    or ("%s (%d)"):format(said, status)
  local err = new(kind, what, detail, status, HINTS[status])
  err.retry_after = failure.retry_after(headers)
  return err, code
end

--- The error that ends a stream, or stands in one element of a list.
---@param what string was tried
---@param given any {code, message}: of Connect a name, of the control plane a status
---@param hidden table?
---@return codecell.Error err
function failure.of_error(what, given, hidden)
  if type(given) ~= "table" then
    return failure.protocol(what, "an error that says nothing")
  end
  local code = given.code
  local kind = BY_CODE[code] or BY_STATUS[code] or "system"
  local said = failure.line(given.message, hidden)
  if said == "" then
    said = type(code) == "string" and failure.line(code) or "it failed"
  end
  return new(kind, what, said, type(code) == "number" and code or nil)
end

--- The other side said what makes no sense.
---@param what string was tried
---@param problem string
---@return codecell.Error err kind "protocol"
function failure.protocol(what, problem)
  return errors.new("protocol", ("%s: the server sent %s"):format(what, problem))
end

return failure
