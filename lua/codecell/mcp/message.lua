--- Messages of JSON-RPC 2.0: reading what a client has sent, and what answers it.
local errors = require "codecell.errors"
local json = require "codecell.json"

local message = {}

--- Codes of errors: those of JSON-RPC, and those of MCP.
message.code = {
  parse = -32700,
  request = -32600,
  method = -32601,
  params = -32602,
  internal = -32603,
  busy = -32000,
  resource = -32002,
  version = -32022,
}

--- Bytes of a message: limits.code is 8 MiB, and JSON may take two for one.
message.most = 32 * 1024 * 1024
local VALUES_MOST = 1000000
local VALUE = 16 -- bytes of one, as json.decode counts them
local BATCH_MOST = 64

---@class codecell.RpcError
---@field code integer
---@field message string
---@field data any

--- An error for an answer.
---@param name string a key of `message.code`
---@param text string
---@param data any?
---@return codecell.RpcError
function message.problem(name, text, data)
  return { code = message.code[name], message = text, data = data }
end

--- The answer to a request.
---@param id string|number|nil nil: nobody can tell
---@param result any
---@param problem codecell.RpcError? instead of a result
---@return table
function message.answer(id, result, problem)
  if problem then
    return { jsonrpc = "2.0", id = id == nil and json.null or id, error = problem }
  end
  return { jsonrpc = "2.0", id = id, result = result }
end

--- JSON of a message, in one line.
---@param value table
---@return string
function message.encode(value)
  return errors.assert(json.encode(value))
end

local function is_object(value)
  return type(value) == "table" and value ~= json.null and not json.is_list(value)
end
message.is_object = is_object

local function is_id(value)
  return type(value) == "string" or type(value) == "number" and math.abs(value) < math.huge
end

--- What a value is.
---@param value any decoded
---@return "request"|"notification"|"answer"|nil kind nil: it is no message
---@return codecell.RpcError? problem
function message.kind(value)
  if not is_object(value) then
    return nil, message.problem("request", "a message is an object")
  elseif value.jsonrpc ~= "2.0" then
    return nil, message.problem("request", 'a message has "jsonrpc": "2.0"')
  elseif value.method == nil and (value.result ~= nil or value.error ~= nil) then
    return "answer"
  elseif type(value.method) ~= "string" then
    return nil, message.problem("request", "method: a string expected")
  elseif value.id ~= nil and not is_id(value.id) then
    return nil, message.problem("request", "id: a string or a number expected")
  elseif value.params ~= nil and not is_object(value.params) then
    return nil, message.problem(value.id ~= nil and "params" or "request",
      "params: an object expected")
  end
  return value.id ~= nil and "request" or "notification"
end

--- The id that an answer to such a value has, as far as it can be told.
---@param value any
---@return string|number|nil
function message.id_of(value)
  return is_object(value) and is_id(value.id) and value.id or nil
end

local function check_batch(list)
  if #list == 0 then
    return nil, message.problem("request", "a batch without messages")
  elseif #list > BATCH_MOST then
    return nil, message.problem("request", ("a batch has at most %d messages"):format(BATCH_MOST))
  end
  return list
end

--- Read what has come.
---@param text string
---@return any value nil: it is none
---@return codecell.RpcError? problem
---@return integer? bytes that it has in memory, about
function message.read(text)
  if #text > message.most then
    return nil, message.problem("request", ("a message has at most %d bytes"):format(
      message.most))
  elseif json.repair(text) ~= text then
    return nil, message.problem("parse", "a message is UTF-8")
  end
  local allowance = { values = VALUES_MOST }
  local value, err = json.decode_within(text, allowance)
  local problem
  if err then
    problem = message.problem("parse", (err.message:gsub("^json%.decode: ", "")))
  elseif json.is_list(value) then
    value, problem = check_batch(value)
  end
  return value, problem, #text + (VALUES_MOST - allowance.values) * VALUE
end

return message
