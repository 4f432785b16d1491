--- What models answer, in the dialects of their providers: the text, what it cost, why it ended,
--- and how it goes into the conversation.
local json = require "codecell.json"

local answers = {}

local unpack = require "codecell.unpack"

local function at(value, ...)
  for i = 1, select("#", ...) do
    if type(value) ~= "table" then
      return nil
    end
    value = value[(select(i, ...))]
  end
  return value ~= json.null and value or nil
end

-- The message in a whole response.
local INSIDE = {
  openai = function(reply) return at(reply, "choices", 1, "message") end,
  openai_responses = function() return nil end,
  anthropic = function() return nil end,
  gemini = function(reply) return at(reply, "candidates", 1, "content") end,
}

local function join(list, out)
  for _, part in ipairs(type(list) == "table" and list or {}) do
    local text = at(part, "text")
    if type(text) == "string" and at(part, "thought") ~= true then
      out[#out + 1] = text
    elseif at(part, "content") then
      join(part.content, out)
    end
  end
end

-- The texts of a message, whatever it is made of.
local function text_of(message)
  local content = at(message, "content") or at(message, "parts") or at(message, "output") or message
  if type(content) == "string" then
    return content
  end
  local out = {}
  join(content, out)
  return table.concat(out)
end

local COPIED = { "content", "parts", "role", "tool_calls", "refusal", "name", "annotations",
  "reasoning_content", "reasoning_details" }

-- What was added for the loop is nothing for the provider.
local function plain(message, role)
  local kept = {}
  for _, name in ipairs(type(message) == "table" and COPIED or {}) do
    kept[name] = message[name]
  end
  if type(message) == "string" then
    kept.content = message
  end
  kept.role = kept.role or role
  return kept
end

local function entries_of(dialect, reply, message)
  if dialect == "openai_responses" then
    local output = at(reply, "output")
    return type(output) == "table" and output
      or { { role = "assistant", content = text_of(reply) } }
  end
  return { plain(message, dialect == "gemini" and "model" or "assistant") }
end

local USAGE = {
  { "prompt_tokens", "input_tokens", "promptTokenCount" },
  { "completion_tokens", "output_tokens", "candidatesTokenCount" },
}

local function number(value)
  return type(value) == "number" and value == value and value >= 0 and value or nil
end

local function count_of(usage, names)
  for _, name in ipairs(names) do
    local value = number(at(usage, name))
    if value then
      return value
    end
  end
end

-- Words, as providers have them; whatever else an endpoint says is no reason.
local function reason_in(reply)
  local reason = at(reply, "choices", 1, "finish_reason") or at(reply, "stop_reason")
    or at(reply, "candidates", 1, "finishReason") or at(reply, "finish_reason")
  if type(reason) == "string" and #reason <= 64 and not reason:find("[%c\127-\255]") then
    return reason ~= "" and reason:lower() or nil
  end
end

---@class codecell.LoopAnswer
---@field text string
---@field entries table[] what is put into the conversation
---@field message any for `Kit:handle`
---@field stop_reason string?
---@field tokens number? of the request and of the answer
---@field cost number?

--- Read an answer.
---@param dialect codecell.Dialect
---@param reply string|table text, a message, or a whole response
---@return codecell.LoopAnswer
function answers.read(dialect, reply)
  if type(reply) == "string" then
    reply = dialect == "gemini" and { parts = { { text = reply } } } or { content = reply }
  end
  local message = INSIDE[dialect](reply) or reply
  local usage = at(reply, "usage") or at(reply, "usageMetadata")
  local input, output = count_of(usage, USAGE[1]), count_of(usage, USAGE[2])
  return { text = text_of(message), entries = entries_of(dialect, reply, message),
    message = reply, stop_reason = reason_in(reply),
    tokens = (input or output) and (input or 0) + (output or 0) or number(at(usage,
      "total_tokens")), cost = number(at(usage, "cost")) }
end

-- Of an encoded result of a tool: what a message of the user can have of it.
local PICTURES = {
  openai = function(_, pictures) return pictures and pictures.content end,
  openai_responses = function(encoded) return encoded.output end,
  anthropic = function(encoded) return encoded.content end,
  gemini = function(_, pictures) return pictures end,
}

-- Texts are told as one, before the pictures.
local function pictures_in(dialect, results)
  local encode, list = require("codecell.tools.encode").encode, {}
  for _, result in ipairs(results) do
    local found = PICTURES[dialect](encode(dialect, result))
    for _, part in ipairs(type(found) == "table" and found or {}) do
      list[#list + 1] = not part.text and part or nil
    end
  end
  return list
end

local TEXT = { openai = "text", openai_responses = "input_text", anthropic = "text" }

--- A message of the user: what code did.
---@param dialect codecell.Dialect
---@param text string
---@param results codecell.ToolResult[]? whose pictures are shown
---@return table message
function answers.told(dialect, text, results)
  local pictures = pictures_in(dialect, results or {})
  if dialect == "gemini" then
    return { role = "user", parts = json.list({ { text = text }, unpack(pictures) }) }
  elseif #pictures == 0 then
    return { role = "user", content = text }
  end
  return { role = "user",
    content = json.list({ { type = TEXT[dialect], text = text }, unpack(pictures) }) }
end

return answers
