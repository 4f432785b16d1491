--- The result of a call, as a provider wants to get it back.
local base64 = require "codecell.base64"
local dialect = require "codecell.tools.dialect"
local json = require "codecell.json"
local options = require "codecell.options"

local tools = {}

local function images_of(result)
  local list = {}
  for _, part in ipairs(result.parts) do
    list[#list + 1] = part.type == "image" and part or nil
  end
  return list
end

local function data_url(image)
  return ("data:%s;base64,%s"):format(image.mime, base64.encode(image.data))
end

local write = {}

-- A tool message takes text alone: pictures follow in a message of the user.
function write.openai(result, call_id)
  local images = images_of(result)
  local message = { role = "tool", tool_call_id = call_id, content = result.text }
  if not images[1] then
    return message
  end
  local content = json.list({ { type = "text",
    text = ("The pictures of the tool call %s:"):format(call_id or result.name) } })
  for _, image in ipairs(images) do
    content[#content + 1] = { type = "image_url", image_url = { url = data_url(image) } }
  end
  return message, { role = "user", content = content }
end

function write.openai_responses(result, call_id)
  local images = images_of(result)
  local output = result.text
  if images[1] then
    output = json.list({ { type = "input_text", text = result.text } })
    for _, image in ipairs(images) do
      output[#output + 1] = { type = "input_image", detail = "auto", image_url = data_url(image) }
    end
  end
  return { type = "function_call_output", call_id = call_id, output = output }
end

function write.anthropic(result, call_id)
  local content = json.list({ { type = "text", text = result.text } })
  for _, image in ipairs(images_of(result)) do
    content[#content + 1] = { type = "image", source = { type = "base64",
      media_type = image.mime, data = base64.encode(image.data) } }
  end
  return { type = "tool_result", tool_use_id = call_id, content = content,
    is_error = result.is_error }
end

-- Pictures are parts beside the response, which is JSON.
function write.gemini(result, call_id)
  local parts = json.list({})
  for i, image in ipairs(images_of(result)) do
    parts[i] = { inlineData = { mimeType = image.mime, data = base64.encode(image.data) } }
  end
  return { functionResponse = { id = call_id, name = result.name,
    response = { [result.is_error and "error" or "output"] = result.text } } },
    parts[1] and parts or nil
end

function write.mcp(result)
  local content = json.list({ { type = "text", text = result.text } })
  for _, image in ipairs(images_of(result)) do
    content[#content + 1] = { type = "image", mimeType = image.mime,
      data = base64.encode(image.data) }
  end
  return { content = content, structuredContent = result.structured, isError = result.is_error }
end

--- A result in a dialect.
---@param name codecell.Dialect
---@param result codecell.ToolResult
---@param call_id string? of the call that it answers, as the provider has given it; not of "mcp"
---@return table encoded "openai": a message of the role tool; "openai_responses": an item;
---"anthropic": a content block; "gemini": a part; "mcp": what `tools/call` answers
---@return table? pictures where they do not fit into the first: "openai": a message of the user, to
---be put behind all tool messages; "gemini": a list of parts
function tools.encode(name, result, call_id)
  options.argument("tools.encode", "dialect", name, "choice", { choices = dialect.names })
  options.argument("tools.encode", "result", result, "table")
  return write[name](result, call_id)
end

return tools
