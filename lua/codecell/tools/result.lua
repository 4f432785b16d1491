--- Results of calls: what a model is told, in one shape for every dialect.
local json = require "codecell.json"
local parts = require "codecell.agent.format.parts"
local words = require "codecell.agent.words"

local result = {}

local MESSAGE_MOST = 2000 -- characters

-- Where what a model can do about it is more than the word knows.
local HINTS = {
  timeout = "do less in one step, or start it by run_shell in the background; the output so far is "
    .. "kept",
  expired = "variables and files are gone; call again: a new sandbox may take its place",
  killed = "variables and files are gone; call again: a new sandbox may take its place",
}

--- JSON Schema of `structured.error`, which every tool has.
result.error_schema = {
  type = "object", description = "what went wrong, and what to do about it",
  properties = { word = { type = "string" }, message = { type = "string" },
    hint = { type = "string" }, retryable = { type = "boolean" } },
  required = json.list({ "word", "message" }),
}

--- JSON Schema of what a tool tells in `structured`.
---@param properties table<string, table>
---@return table
function result.schema(properties)
  properties.success = { type = "boolean" }
  properties.error = result.error_schema
  return { type = "object", properties = properties, required = json.list({ "success" }) }
end

--- A result that is a text.
---@param name string of the tool
---@param text string
---@param structured table without `success`
---@return codecell.ToolResult
function result.of_text(name, text, structured)
  structured.success = true
  return { name = name, is_error = false, text = text, parts = { { type = "text", text = text } },
    structured = structured, outputs = {} }
end

--- Tell one thing more, before everything else.
---@param told codecell.ToolResult
---@param note string
function result.add_note(told, note)
  told.text = ("Note: %s\n\n%s"):format(note, told.text)
  told.parts[1].text = told.text
  told.structured.notes = told.structured.notes or json.list({})
  table.insert(told.structured.notes, 1, note)
end

--- The result of a call that could not be done.
---@param name string of the tool
---@param err codecell.Error
---@return codecell.ToolResult
function result.of_error(name, err)
  local word = words.of_error(err)
  local hint = parts.cut(err.hint or HINTS[word.word] or word.model, MESSAGE_MOST)
  local message = parts.cut(err.message, MESSAGE_MOST) -- may quote what the model has said
  local text = ("Error (%s): %s%s"):format(word.word, message,
    message:find(hint, 1, true) and "" or "\nWhat to do: " .. hint)
  if err.reason and not message:find(err.reason, 1, true) then
    text = text .. "\nReason: " .. parts.cut(err.reason, MESSAGE_MOST)
  end
  return { name = name, is_error = true, word = word.word, text = text,
    parts = { { type = "text", text = text } }, outputs = {}, err = err,
    structured = { success = false, error = { word = word.word, message = message, hint = hint,
      retryable = word.retryable } } }
end

-- The parts of a report by the names that programs know them by.
local LISTS = { chart = "results", result = "results", table = "results", notice = "notes" }
local TEXTS = { output = "stdout", stderr = "stderr" }

local function structure(report)
  local told = { results = json.list({}), notes = json.list({}), pictures = #report.pictures }
  for _, part in ipairs(report.parts) do
    if TEXTS[part.kind] then
      told[TEXTS[part.kind]] = part.text
    elseif LISTS[part.kind] then
      table.insert(told[LISTS[part.kind]], part.text)
    elseif part.kind == "error" then
      told.traceback = part.text
    end
  end
  return told
end

--- The result of code or of a command.
---@param name string of the tool
---@param report codecell.Report
---@param word codecell.Word? what is the matter; nil: nothing
---@param about table? more of `structured`
---@return codecell.ToolResult
function result.of_report(name, report, word, about)
  local structured = structure(report)
  for key, value in pairs(about or {}) do
    structured[key] = value
  end
  structured.success = word == nil
  local text = report.text
  if word then
    local hint = HINTS[word.word] or word.model
    structured.error = { word = word.word, message = structured.traceback or word.developer,
      hint = hint, retryable = word.retryable }
    structured.traceback = nil
    text = ("%s\nWhat to do (%s): %s\n"):format(text, word.word, hint)
  end
  structured.outputs = json.list(report.outputs)
  local told = { { type = "text", text = text } }
  for _, picture in ipairs(report.pictures) do
    told[#told + 1] = { type = "image", mime = picture.type, data = picture.data,
      width = picture.width, height = picture.height, text = picture.text }
  end
  return { name = name, is_error = word ~= nil, word = word and word.word, text = text,
    parts = told, structured = structured, outputs = report.outputs }
end

return result
