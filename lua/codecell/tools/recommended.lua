--- The small set of tools that models do best with.
local describe = require "codecell.tools.describe"

local recommended = {}

local VERBS = {
  files = require "codecell.tools.files",
  install = require "codecell.tools.install",
  read_output = require "codecell.tools.read_output",
  run_code = require "codecell.tools.run_code",
  run_shell = require "codecell.tools.run_shell",
}

-- In the order in which they are told; each where the sandbox has what it needs.
local ORDER = {
  { name = "run_code", feature = "run_code" }, { name = "run_shell", feature = "commands" },
  { name = "files", feature = "files" }, { name = "install", feature = "install" },
  { name = "read_output" },
}

--- The definitions, of what is there now.
---@param kit codecell.Kit
---@return codecell.ToolDefinition[]
function recommended.definitions(kit)
  local about, list = kit.place:about(), {}
  for _, one in ipairs(ORDER) do
    if not one.feature or about.features[one.feature] then
      local definition = VERBS[one.name].define(about, describe)
      if definition then
        definition.name = one.name
        list[#list + 1] = definition
      end
    end
  end
  return list
end

--- Call one of them.
---@param kit codecell.Kit
---@param definition codecell.ToolDefinition
---@param given table checked arguments
---@param about table options of the call
---@return codecell.ToolResult
function recommended.call(kit, definition, given, about)
  return VERBS[definition.name].call(kit, given, about)
end

return recommended
