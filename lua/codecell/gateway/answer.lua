--- How the gateway answers: JSON, failures as E2B tells them, and what browsers want to be told.
local core = require "codecell.core"
local errors = require "codecell.errors"
local holding = require "codecell.gateway.holding"
local json = require "codecell.json"
local urls = require "codecell.http.url"

local answer = {}

local PIECE = 262144 -- bytes of a file that are read at once
local VALUES_MOST = 65536 -- of JSON in a request: reading them takes the time of all others

-- Whoever may ask has a key or a token; which page asks does not matter.
local OPEN = {
  { "Access-Control-Allow-Origin", "*" },
  { "Access-Control-Expose-Headers", "*" },
}
local PREFLIGHT = {
  OPEN[1],
  { "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" },
  { "Access-Control-Allow-Headers", "*, Authorization" },
  { "Access-Control-Max-Age", "7200" },
}

local STATUS = {
  already_exists = 409, cancelled = 502, denied_by_policy = 403, invalid_argument = 400,
  limit_exceeded = 429, no_space = 507, not_found = 404, out_of_memory = 507,
  permission_denied = 403, rate_limited = 429, sandbox_gone = 502, timeout = 504,
  unauthenticated = 401, unavailable = 503, unsupported = 400,
}

--- The status that an error of ours is answered with.
---@param err codecell.Error
---@return integer
function answer.status(err)
  return STATUS[err.kind] or 500
end

--- Fields for an answer.
---@param kind string? its Content-Type
---@param more string[][]?
---@return string[][]
function answer.headers(kind, more)
  local list = { OPEN[1], OPEN[2], kind and { "Content-Type", kind } or nil }
  for i = 1, #(more or {}) do
    list[#list + 1] = more[i]
  end
  return list
end

---@param request codecell.IncomingRequest
---@param status integer
---@param value any
---@param more string[][]? fields
function answer.json(request, status, value, more)
  request:reply(status, answer.headers("application/json", more), errors.assert(json.encode(value)))
end

---@param request codecell.IncomingRequest
---@param status integer
---@param text string
function answer.text(request, status, text)
  request:reply(status, answer.headers("text/plain; charset=utf-8"), text)
end

---@param request codecell.IncomingRequest
---@param status integer
---@param more string[][]?
function answer.empty(request, status, more)
  request:reply(status, answer.headers(nil, more))
end

--- Refuse, as the control plane and the files of envd do.
---@param request codecell.IncomingRequest
---@param status integer also told in the body, where the SDK of JavaScript looks for it
---@param message string
---@param more table? other values of the body
---@param fields string[][]? fields of the answer
function answer.failure(request, status, message, more, fields)
  local body = { code = status, message = message }
  for name, value in pairs(more or {}) do
    body[name] = value
  end
  local list = { { "X-Content-Type-Options", "nosniff" } }
  for i, pair in ipairs(fields or {}) do
    list[i + 1] = pair
  end
  answer.json(request, status, body, list)
end

--- There is no such sandbox, or no more: it may also have ended under a call.
---@param request codecell.IncomingRequest
---@param id string
function answer.gone(request, id)
  answer.failure(request, 502, "The sandbox was not found", { sandboxId = id })
end

--- Whether an error says so. What was cancelled here had its sandbox closed under it: a client
--- that has left is told nothing.
---@param err codecell.Error
---@return boolean
function answer.is_gone(err)
  return err.kind == "sandbox_gone" or err.kind == "cancelled"
end

--- Refuse for a reason of the library's.
---@param request codecell.IncomingRequest
---@param err codecell.Error
function answer.error(request, err)
  answer.failure(request, answer.status(err), err.message)
end

--- The body of an answer that was started, from an open file.
---@param request codecell.IncomingRequest
---@param source codecell.Descriptor
---@param length integer bytes, as was said when it was started
function answer.rest(request, source, length)
  while length > 0 do
    local piece = source:read(math.min(length, PIECE))
    if not piece or not request:write(piece) then
      return request:abort() -- it was cut meanwhile, or nobody wants it
    end
    length = length - #piece
  end
  request:finish()
end

--- What a browser asks before it asks.
---@param request codecell.IncomingRequest
function answer.preflight(request)
  request:reply(204, PREFLIGHT)
end

local TOLD = {
  [400] = "the body is cut off", [408] = "the body does not come",
  [413] = "the body is longer than %d bytes",
  [429] = "too much is being sent here; try again later",
}

--- The object in the body of a request; it was refused already where there is none.
---@param request codecell.IncomingRequest
---@param most integer bytes
---@param about {values: integer?, wrong: integer?}? values: of JSON, escapes within texts among
---them; default 65536. wrong: status of what is no object; default 400
---@return table? body an empty one is {}
function answer.body(request, most, about)
  local values, wrong = about and about.values or VALUES_MOST, about and about.wrong or 400
  local text, status = holding.all(request, most)
  local value, err
  if not text then
    if status then
      answer.failure(request, status, TOLD[status]:format(most))
    end
  elseif text:find("%S") then
    value, err = json.decode(text, values)
  else
    value = {}
  end
  holding.done(request)
  if not text then
    return nil
  end
  if err or type(value) ~= "table" or value == json.null or json.is_list(value) and #value > 0 then
    answer.failure(request, wrong, err and err.message or "a JSON object was expected")
    return nil
  end
  return value
end

local function decoded(text)
  return urls.decode((text:gsub("+", " ")))
end

--- The names and values of a form; of a name that comes twice the first.
---@param text string?
---@return table<string, string>
function answer.form(text)
  local values = {}
  for piece in (text or ""):gmatch("[^&]+") do
    local name, value = piece:match("^([^=]*)=?(.*)$")
    name = decoded(name)
    values[name] = values[name] or decoded(value)
  end
  return values
end

--- What stands for a secret where it is compared or looked for.
---@param text string
---@return string
function answer.digest(text)
  return core.digest("sha256"):update(text):finish()
end

--- Whether two secrets are the same, in a time that says nothing of where they differ.
---@param one string?
---@param other string?
---@return boolean
function answer.is_same(one, other)
  return one ~= nil and other ~= nil and answer.digest(one) == answer.digest(other)
end

--- A secret that nobody can guess: 64 hexadecimal digits.
---@return string
function answer.secret()
  return answer.digest(core.random_id(64))
end

return answer
