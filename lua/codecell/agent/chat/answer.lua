--- A streamed answer of a model, put together of its pieces.
local json = require "codecell.json"

local answer = {}

local CALLS_MOST = 128 -- tool calls of one answer

---@class codecell.StreamedAnswer
local Answer = {}
Answer.__index = Answer

--- Nothing has come yet.
---@return codecell.StreamedAnswer
function answer.new()
  return setmetatable({ texts = {}, calls = {}, count = 0 }, Answer)
end

local function text_in(value, name)
  local text = type(value) == "table" and value ~= json.null and value[name]
  return type(text) == "string" and text ~= "" and text or nil
end

local function add_call(self, piece)
  local index = type(piece) == "table" and piece.index
  if type(index) ~= "number" or index < 0 or index >= CALLS_MOST or index % 1 ~= 0 then
    return
  end
  local call = self.calls[index + 1]
  if not call then
    call = { arguments = {} }
    self.calls[index + 1], self.count = call, math.max(self.count, index + 1)
  end
  local called = piece["function"]
  call.id = call.id or text_in(piece, "id")
  call.name = call.name or text_in(called, "name")
  call.arguments[#call.arguments + 1] = text_in(called, "arguments")
end

--- Add a piece.
---@param piece table decoded
---@return string? text that it adds to the answer
function Answer:add(piece)
  if type(piece.usage) == "table" and piece.usage ~= json.null then
    self.usage = piece.usage
  end
  local choice = type(piece.choices) == "table" and piece.choices[1]
  if type(choice) ~= "table" then
    return nil
  end
  self.reason = text_in(choice, "finish_reason") or self.reason
  local delta = type(choice.delta) == "table" and choice.delta or {}
  local text = text_in(delta, "content")
  self.texts[#self.texts + 1] = text
  for _, call in ipairs(type(delta.tool_calls) == "table" and delta.tool_calls or {}) do
    add_call(self, call)
  end
  return text
end

--- Whether the model has said that it is done.
---@return boolean
function Answer:is_done()
  return self.reason ~= nil
end

--- The whole of it, as an answer that was not streamed.
---@return table response
function Answer:response()
  local message = { role = "assistant", content = table.concat(self.texts) }
  for i = 1, self.count do
    local call = self.calls[i]
    if call then
      message.tool_calls = message.tool_calls or json.list({})
      table.insert(message.tool_calls, { id = call.id or ("call_%d"):format(i), type = "function",
        ["function"] = { name = call.name or "", arguments = table.concat(call.arguments) } })
    end
  end
  if message.content == "" and message.tool_calls then
    message.content = json.null
  end
  return { choices = json.list({ { message = message, finish_reason = self.reason } }),
    usage = self.usage }
end

return answer
