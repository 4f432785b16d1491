--- codecell.Execution and its results: what one piece of code did.
local execution = {}

-- Formats of a result that are text or raw bytes, and those that are JSON.
local PLAIN = {
  text = true, html = true, markdown = true, svg = true, png = true, jpeg = true, pdf = true,
  latex = true, javascript = true,
}
local STRUCTURED = { json = true, data = true, chart = true }

---@class codecell.Result
local Result = {}
Result.__index = Result

--- Names of the formats that are there, in alphabetical order; those of `extra` are MIME types.
---@return string[]
function Result:formats()
  local names = {}
  for name in pairs(self) do
    if PLAIN[name] or STRUCTURED[name] then
      names[#names + 1] = name
    end
  end
  for name in pairs(self.extra or {}) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local JSON_MOST = 16777216 -- bytes of a structured result; a kernel sends at most so much
local TEXT_MOST = 4195328 -- bytes of a text of an error; a kernel sends at most so much

-- What a kernel says is data of the code's: text that is not JSON, or too much of it, stays text.
local function structured(text, allowance)
  if #text > JSON_MOST then
    return text
  end
  local value, err = require("codecell.json").decode_within(text, allowance)
  if err then
    return text
  end
  return value
end

-- By results: the JSON of those structured formats that hold whole numbers written as fractions.
local texts = setmetatable({}, { __mode = "k" })

local function keep_written(result, name, text)
  if text:find("%d%.0+[^%d]") or text:find("%d[eE][-+%d]") then
    texts[result] = texts[result] or {}
    texts[result][name] = text
  end
end

--- What a kernel has written of a structured format, where that says more than its value: 1.0 is
--- no whole number in other languages, and no other number than 1 in Lua.
---@param result codecell.Result
---@param name string
---@return string? json
function execution.written(result, name)
  return type(result[name]) == "table" and (texts[result] or {})[name] or nil
end

--- A result from the parts of a kernel's frame.
---@param parts string[] name, value, name, value, ...
---@param allowance {values: integer} of JSON that the results of a cell may still hold
---@return codecell.Result
function execution.result(parts, allowance)
  local result = setmetatable({ is_main_result = false }, Result)
  for i = 1, #parts, 2 do
    local name, value = parts[i], parts[i + 1]
    if name == "main" then
      result.is_main_result = value == "1"
    elseif PLAIN[name] then
      result[name] = value
    elseif STRUCTURED[name] then
      result[name] = structured(value, allowance)
      keep_written(result, name, value)
    else
      local mime = name:match("^(.*) json$")
      result.extra = result.extra or {}
      result.extra[mime or name] = mime and structured(value, allowance) or value
    end
  end
  return result
end

-- Other formats by their MIME types; nil: there is none.
local function named(extra)
  local found
  for name, value in pairs(type(extra) == "table" and extra or {}) do
    if type(name) == "string" then
      found = found or {}
      found[name] = value
    end
  end
  return found
end

--- A result from formats that were decoded already.
---@param formats table text and bytes by the names of formats, `json data chart` as values, `extra`
---@param is_main boolean the value of the last expression
---@return codecell.Result
function execution.decoded(formats, is_main)
  local result = setmetatable({ is_main_result = is_main }, Result)
  for name, value in pairs(formats) do
    if STRUCTURED[name] or PLAIN[name] and type(value) == "string" then
      result[name] = value
    end
  end
  result.extra = named(formats.extra)
  return result
end

local DIGITS_MOST = 15

--- A number that code has written, who may write anything.
---@param text string
---@return integer? number nil: it is none
function execution.number(text)
  return #text <= DIGITS_MOST and text:find("^%d+$") and tonumber(text) or nil
end

--- The error of a cell from the parts of a kernel's frame.
---@param parts string[]
---@return codecell.ExecutionError
function execution.failure(parts)
  local failure = { name = "", value = "", traceback = "" }
  for i = 1, #parts, 2 do
    local name, value = parts[i], parts[i + 1]
    if name == "line" then
      failure.line = execution.number(value)
    elseif failure[name] then
      failure[name] = value:sub(1, TEXT_MOST)
    end
  end
  return failure
end

--- What the machine did to a cell, in the shape of an error of its language.
---@param name string "TimeoutError", "OutOfMemoryError" or "KernelDiedError"
---@param value string
---@return codecell.ExecutionError
function execution.mishap(name, value)
  return { name = name, value = value, traceback = name .. ": " .. value }
end

--- The error of code that ran too long.
---@param seconds number
---@return codecell.ExecutionError
function execution.late(seconds)
  return execution.mishap("TimeoutError",
    ("the code ran longer than %g s; pass a longer timeout"):format(seconds))
end

--- The error of code that took too much memory.
---@return codecell.ExecutionError
function execution.hog()
  return execution.mishap("OutOfMemoryError",
    "the code used more memory than its limit; raise limits.memory")
end

--- An execution of which nothing is known yet.
---@param language string
---@param context string id
---@return codecell.Execution
function execution.new(language, context)
  return {
    results = {},
    logs = { stdout = {}, stderr = {} },
    language = language,
    context = context,
    execution_count = 0,
    seconds = 0,
    timings = { queue = 0, create = 0, install = 0, run = 0 },
    timed_out = false,
    out_of_memory = false,
    state_lost = false,
    refused = {},
    files_changed = {},
  }
end

--- Put what was kept of the process's output into an execution.
---@param self codecell.Execution
---@param process codecell.Process
function execution.take_output(self, process)
  for which = 0, 1 do
    local head, tail, total = process:_kept(which)
    if total > 0 then
      local name = which == 0 and "stdout" or "stderr"
      local log = self.logs[name]
      log[1] = head ~= "" and head or nil
      log[#log + 1] = tail
      local kept = #head + #(tail or "")
      if kept < total then
        self.truncated = self.truncated or {}
        self.truncated[name] = { kept = kept, total = total }
      end
    end
  end
end

return execution
