--- A model behind an endpoint that speaks OpenAI's chat completions, as most do: what
--- `codecell.agent.loop` asks.
---
---     local ask = codecell.agent.chat { model = "gpt-4.1", on_text = io.write }
---     local outcome = codecell.agent.loop { prompt = "How many primes are there?", ask = ask }
local answer = require "codecell.agent.chat.answer"
local errors = require "codecell.errors"
local events = require "codecell.agent.chat.events"
local failure = require "codecell.e2b.failure"
local http = require "codecell.http"
local json = require "codecell.json"
local merged = require "codecell.merged"
local options = require "codecell.options"
local secret = require "codecell.config.secret"

local URL = "https://api.openai.com/v1"
local TIMEOUT, IDLE = 300, 120 -- seconds: of the whole, and of silence
local ANSWER_MOST, PROBLEM_MOST = 67108864, 65536 -- bytes
local VALUES_MOST = 4194304 -- of JSON

---@class codecell.ChatOptions
---@field model string as the endpoint calls it
---@field url string? where `/chat/completions` is below; default: OPENAI_BASE_URL, else OpenAI's
---@field key string? sent as a bearer token, over https or to this machine alone; default:
---OPENAI_API_KEY. It stands in no message
---@field stream boolean? have the answer as it is written (true)
---@field on_text (fun(text: string))? hears the text as it comes, in pieces
---@field timeout number? seconds of a whole answer (300)
---@field idle number? seconds that it may be silent (120)
---@field headers table<string, string>? besides
---@field parameters table? fields of the request besides: `temperature`, `max_tokens`, ...

local OPTIONS = {
  headers = { type = "envs" }, idle = { type = "number", above = 0 }, key = { type = "name" },
  model = { type = "name" }, on_text = { type = "function" }, parameters = { type = "table" },
  stream = { type = "boolean" }, timeout = { type = "number", above = 0, most = 86400 },
  url = { type = "name" },
}

-- ---- the request ----

local LOOPBACK = { ["127.0.0.1"] = true, ["[::1]"] = true, localhost = true }

local function address_of(given)
  local url = (given.url or os.getenv "OPENAI_BASE_URL" or URL):gsub("/+$", "")
  local scheme, authority = url:match("^(https?)://([^/?#]+)")
  if not scheme or authority:find("@", 1, true) then
    error("agent.chat: url: https://name/path expected", 4)
  end
  local is_ours = LOOPBACK[authority:gsub(":%d+$", ""):lower()]
  return url .. "/chat/completions", scheme == "https" or is_ours
end

local function headers_of(self)
  local list = { { "Content-Type", "application/json" },
    { "Accept", self.stream and "text/event-stream" or "application/json" } }
  if self.key then
    list[3] = { "Authorization", "Bearer " .. self.key:reveal() }
  end
  for name, value in pairs(self.given.headers or {}) do
    list[#list + 1] = { name, value }
  end
  return list
end

local function body_of(self, messages, about)
  local body = merged(self.given.parameters)
  body.model, body.messages = self.given.model, json.list(messages)
  body.tools = about and about.tools
  if self.stream then
    body.stream, body.stream_options = true, { include_usage = true }
  end
  return json.encode(body)
end

-- ---- the answer ----

local BY_STATUS = { [400] = "invalid_argument", [401] = "unauthenticated",
  [403] = "permission_denied", [404] = "not_found", [408] = "timeout", [413] = "limit_exceeded",
  [422] = "invalid_argument", [429] = "rate_limited" }
local HINTS = { [401] = "check the key", [404] = "check url and model",
  [429] = "wait, or raise the limit of the account" }

local function new_error(self, kind, text, hint)
  text = failure.line(text, { self.key and self.key:reveal() })
  return errors.new(kind, ("agent.chat: %s%s"):format(text, hint and "; " .. hint or ""), hint)
end

-- The words of an error, which endpoints put in two places.
local function said_in(body)
  local value = json.decode(body, 10000)
  local told = type(value) == "table" and value ~= json.null and (value.error or value) or nil
  return type(told) == "string" and told or type(told) == "table" and told.message or nil
end

local function refusal(self, response)
  local body = response:all(PROBLEM_MOST)
  response:close()
  local status = response.status
  local said = said_in(body or "")
  local kind = BY_STATUS[status] or status >= 500 and "unavailable" or "protocol"
  local err = new_error(self, kind, type(said) == "string" and ("%s (%d)"):format(said, status)
    or ("the server answers %d"):format(status), HINTS[status])
  err.status, err.retry_after = status, failure.retry_after(response.headers)
  return err
end

local function decode(self, text)
  local value, err = json.decode(text, VALUES_MOST)
  if err or type(value) ~= "table" or value == json.null then
    return nil, new_error(self, "protocol", "the server sent what is no JSON object")
  elseif value.error and value.error ~= json.null then
    return nil, new_error(self, "unavailable", said_in(text) or "the server gave up")
  end
  return value
end

local function read_whole(self, response)
  local body, err = response:all(ANSWER_MOST)
  if not body then
    return nil, new_error(self, err.kind, err.message)
  end
  local value
  value, err = decode(self, body)
  if value and not (type(value.choices) == "table" and type(value.choices[1]) == "table") then
    return nil, new_error(self, "protocol", "the server sent an answer without choices")
  end
  return value, err
end

-- Add what events say; true: that was the last one.
local function take(self, built, list)
  for _, data in ipairs(list) do
    if data == "[DONE]" then
      return true
    end
    local piece, err = decode(self, data)
    if not piece then
      return nil, err
    end
    local text = built:add(piece)
    if text and self.given.on_text then
      self.given.on_text(text)
    end
  end
  return false
end

-- What the next piece of a stream says: true where that was the end.
local function read_piece(self, response, reader, built)
  local chunk, err = response:read()
  local list
  if err then
    return nil, new_error(self, err.kind, err.message)
  elseif chunk then
    list, err = reader:add(chunk)
  else
    list = { reader:rest() }
  end
  if err then
    return nil, new_error(self, err.kind, err.message)
  end
  local is_over
  is_over, err = take(self, built, list)
  if is_over or err or chunk then
    return is_over, err, chunk
  elseif built:is_done() then
    return true
  end
  return nil, new_error(self, "unavailable", "the answer broke off before its end")
end

local function read_stream(self, response)
  local reader, built, size = events.reader(), answer.new(), 0
  while true do
    local is_over, err, chunk = read_piece(self, response, reader, built)
    if err then
      return nil, err
    elseif is_over then
      return built:response()
    end
    size = size + #chunk
    if size > ANSWER_MOST then
      return nil, new_error(self, "limit_exceeded", ("the answer is longer than %d bytes"):format(
        ANSWER_MOST))
    end
  end
end

-- ---- asking ----

local function ask(self, messages, about)
  local body, err = body_of(self, messages, about)
  if not body then
    return nil, err
  end
  local whole = math.min(self.given.timeout or TIMEOUT, about and about.seconds or math.huge)
  local response
  response, err = http.request({ url = self.url, method = "POST", headers = headers_of(self),
    body = body, timeout = whole, whole = whole, idle = math.min(self.given.idle or IDLE, whole),
    environment = true })
  if not response then
    return nil, new_error(self, err.kind, err.message, err.hint)
  elseif response.status < 200 or response.status >= 300 then
    return nil, refusal(self, response)
  end
  local is_stream = (response.headers["content-type"] or ""):find("text/event-stream", 1, true)
  local value
  if is_stream then
    value, err = read_stream(self, response)
  else
    value, err = read_whole(self, response)
  end
  response:close()
  return value, err
end

--- What asks the model; `codecell.agent.loop` calls it, with its conversation.
---@param given codecell.ChatOptions
---@return fun(messages: table[], about: codecell.LoopAsk?): table?, codecell.Error? ask its answer
---is a whole response; kinds of error: "unauthenticated", "rate_limited" (with retry_after),
---"unavailable", "timeout", "invalid_argument", "not_found", "cancelled", "protocol", "unsupported"
return function(given)
  given = options.check("agent.chat", given, OPTIONS, 4)
  options.argument("agent.chat", "model", given.model, "name", nil, 4)
  local url, is_private = address_of(given)
  local key = given.key or os.getenv "OPENAI_API_KEY"
  if given.key and not is_private then
    error("agent.chat: key: it is sent over https, or to this machine; not to " .. url, 3)
  end
  local self = { given = given, url = url, stream = given.stream ~= false,
    key = key and key ~= "" and is_private and secret.new(key) or nil }
  return function(messages, about)
    return ask(self, messages, about)
  end
end
