--- The tool `read_output`: the rest of what was cut, and what a background command has printed.
local markdown = require "codecell.agent.format.markdown"
local result = require "codecell.tools.result"

local read_output = {}

--- The definition.
---@return codecell.ToolDefinition
function read_output.define()
  return { title = "Read output", is_read_only = true,
    description = "Read the rest of an output that was cut, or what a background command has "
      .. "printed so far. The results that need it name the id and the offset.",
    fields = {
      { name = "id", type = "string", is_required = true,
        description = "as a result has named it" },
      { name = "offset", type = "integer", description = "bytes to pass over; default 0" },
    },
    output = result.schema({ text = { type = "string" }, next_offset = { type = "integer" },
      state = { type = "string", description = "whether there is more, and how to read it" } }) }
end

--- A part of an output, quoted, and how to go on.
---@param text string
---@param state string
---@return string
function read_output.quote(text, state)
  local quoted = text ~= "" and markdown.lay_out({ { kind = "output", title = "Output",
    text = text } }, {}) .. "\n" or ""
  return ("%s[%s]\n"):format(quoted, state)
end

--- Read it.
---@param kit codecell.Kit
---@param given {id: string, offset: integer?}
---@return codecell.ToolResult
function read_output.call(kit, given)
  local text, about = kit:_read_output(given.id, given.offset, read_output.quote)
  if not text then
    return result.of_error("read_output", about)
  end
  return result.of_text("read_output", text,
    { text = about.text, next_offset = about.next_offset, state = about.state })
end

return read_output
