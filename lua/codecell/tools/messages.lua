--- The tool calls in a provider's answer, and the messages that answer them.
local encode = require("codecell.tools.encode").encode
local errors = require "codecell.errors"
local json = require "codecell.json"
local result = require "codecell.tools.result"

local messages = {}

local CALLS_MOST = 100 -- in one answer
local VALUES_MOST = 4000000 -- as `json.decode` counts them

---@class codecell.ToolRequest
---@field id string?
---@field name string
---@field arguments any

local function is_object(value)
  return type(value) == "table" and value ~= json.null
end

local function list_of(value)
  return is_object(value) and value or {}
end

local function text_of(value)
  return type(value) == "string" and value or nil
end

-- The field of a path of names and numbers; nil where something on the way is no table.
local function at(value, ...)
  for i = 1, select("#", ...) do
    if not is_object(value) then
      return nil
    end
    value = value[(select(i, ...))]
  end
  return value
end

local find = {}

function find.openai(message)
  local calls = {}
  message = at(message, "choices", 1, "message") or message
  for _, one in ipairs(list_of(at(message, "tool_calls"))) do
    calls[#calls + 1] = { id = text_of(at(one, "id")), name = text_of(at(one, "function", "name")),
      arguments = at(one, "function", "arguments") }
  end
  return calls
end

function find.openai_responses(message)
  local calls = {}
  for _, one in ipairs(list_of(at(message, "output") or message)) do
    if at(one, "type") == "function_call" then
      calls[#calls + 1] = { id = text_of(at(one, "call_id")), name = text_of(at(one, "name")),
        arguments = at(one, "arguments") }
    end
  end
  if at(message, "type") == "function_call" then
    calls[1] = { id = text_of(message.call_id), name = text_of(message.name),
      arguments = message.arguments }
  end
  return calls
end

function find.anthropic(message)
  local calls = {}
  for _, one in ipairs(list_of(at(message, "content"))) do
    if at(one, "type") == "tool_use" then
      calls[#calls + 1] = { id = text_of(at(one, "id")), name = text_of(at(one, "name")),
        arguments = at(one, "input") }
    end
  end
  return calls
end

function find.gemini(message)
  local calls = {}
  message = at(message, "candidates", 1, "content") or message
  for _, one in ipairs(list_of(at(message, "parts"))) do
    local called = at(one, "functionCall")
    if is_object(called) then
      calls[#calls + 1] = { id = text_of(called.id), name = text_of(called.name),
        arguments = called.args }
    end
  end
  return calls
end

function find.mcp(message)
  if at(message, "method") ~= "tools/call" then
    return {}
  end
  return { { id = at(message, "id"), name = text_of(at(message, "params", "name")),
    arguments = at(message, "params", "arguments") } }
end

-- What is put behind the assistant's message, of what each call was answered with.
local lay_out = {}

function lay_out.openai(answers)
  local list, pictures = json.list({}), {}
  for _, one in ipairs(answers) do
    list[#list + 1] = one.encoded
    pictures[#pictures + 1] = one.pictures
  end
  for _, message in ipairs(pictures) do -- behind all tool messages, which may not be parted
    list[#list + 1] = message
  end
  return list
end

lay_out.openai_responses = lay_out.openai

function lay_out.anthropic(answers)
  local content = json.list({})
  for i, one in ipairs(answers) do
    content[i] = one.encoded
  end
  return json.list({ { role = "user", content = content } })
end

function lay_out.gemini(answers)
  local parts = json.list({})
  for i, one in ipairs(answers) do
    parts[i] = one.encoded
  end
  for _, one in ipairs(answers) do
    for _, picture in ipairs(one.pictures or {}) do
      parts[#parts + 1] = picture
    end
  end
  return json.list({ { role = "user", parts = parts } })
end

function lay_out.mcp(answers)
  local list = json.list({})
  for i, one in ipairs(answers) do
    list[i] = { jsonrpc = "2.0", id = one.id, result = one.encoded }
  end
  return list
end

local function answer(kit, request, number, about)
  if number > CALLS_MOST then
    return result.of_error(request.name or "", errors.new("limit_exceeded",
      ("more than %d calls in one answer; this one was not made"):format(CALLS_MOST),
      "call the rest in the next answer"))
  end
  return kit:call(request.name, request.arguments, about)
end

--- See `Kit:handle`.
---@param kit codecell.Kit
---@param name codecell.Dialect
---@param message any
---@param about table checked options of each call
---@return table[] messages
---@return codecell.ToolResult[] results
function messages.handle(kit, name, message, about)
  if type(message) == "string" then
    message = json.decode(message, VALUES_MOST)
  end
  local answers, results = {}, {}
  for i, request in ipairs(find[name](message)) do
    local told = answer(kit, request, i, about)
    local encoded, pictures = encode(name, told, request.id)
    answers[i], results[i] = { id = request.id, encoded = encoded, pictures = pictures }, told
  end
  return answers[1] and lay_out[name](answers) or json.list({}), results
end

return messages
