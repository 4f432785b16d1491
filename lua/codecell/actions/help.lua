--- The action that explains the others, so that the description of the tool can be short.
local fields = require "codecell.actions.fields"
local nearest = require "codecell.nearest"

local help = {}

local function overview()
  local lines = { "`action` chooses what is done. Begin with create, and keep the sessionId." }
  for _, action in ipairs(fields.actions) do
    lines[#lines + 1] = ("- %s: %s"):format(action.name, action.purpose)
  end
  lines[#lines + 1] = "help with a topic explains one of them."
  return table.concat(lines, "\n")
end

local function of_action(action)
  local lines = { ("%s: %s."):format(action.name, action.purpose) }
  for _, field in ipairs(action.fields) do
    lines[#lines + 1] = ("- %s (%s%s): %s"):format(field.name, field.type,
      field.required and ", required" or "", field.help)
  end
  return table.concat(lines, "\n")
end

--- Explain all actions, or one.
---@param topic string?
---@return string text
function help.text(topic)
  local action = topic and fields.by_name[topic]
  if action then
    return of_action(action)
  end
  local near = topic and nearest(topic, fields.names)
  return (near and ("There is no action %q; did you mean %s?\n"):format(topic, near) or "")
    .. overview()
end

return help
