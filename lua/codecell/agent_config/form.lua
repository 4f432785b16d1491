--- Forms of an agent's configuration: a page for a browser, and questions on a terminal.
local agent_config = require "codecell.agent_config"
local json = require "codecell.json"
local page = require "codecell.agent_config.page"

local form = {}

---@class codecell.AgentForm
---@field initial codecell.AgentConfig
local Form = {}
Form.__index = Form

--- See `agent_config.form`.
---@param given table
---@return codecell.AgentForm?
---@return string[]?
function form.new(given)
  if given.on_save ~= nil and type(given.on_save) ~= "function" then
    error("form: on_save: function expected, got " .. type(given.on_save), 3)
  end
  local initial, problems = agent_config.validate(given.initial or {})
  if not initial then
    return nil, problems
  end
  return setmetatable({ initial = initial, on_save = given.on_save }, Form)
end

--- The form as one page, without anything from elsewhere. "Save" sends the configuration as JSON to
--- `action`, if that is given, hands it to the page around it by `postMessage`, and offers it as a
--- file.
---@param given {action: string?}?
---@return string html
function Form:html(given)
  return page.html(agent_config.fields, agent_config.camel(self.initial), given or {})
end

--- Take what was filled in.
---@param filled table|string fields, or JSON of them
---@return codecell.AgentConfig? config
---@return string[]? problems all of them; nothing was saved
function Form:save(filled)
  if type(filled) == "string" then
    local value, err = json.decode(filled)
    if err then
      return nil, { err.message }
    end
    filled = value
  end
  local config, problems = agent_config.validate(filled)
  if not config then
    return nil, problems
  end
  if self.on_save then
    self.on_save(config)
  end
  return config
end

local function shown(field, value)
  if field.type == "packages" then
    return table.concat(value, ", ")
  elseif field.type == "boolean" then
    return value and "yes" or "no"
  end
  return tostring(value)
end

local YES = { yes = true, y = true, ["true"] = true, on = true }
local NO = { no = true, n = true, ["false"] = true, off = true }

local function understand(field, answer)
  if field.type == "boolean" then
    local word = answer:lower()
    if NO[word] then
      return false
    end
    return YES[word] or answer
  elseif field.type == "number" then
    return tonumber(answer) or answer
  elseif field.type == "packages" then
    local list = {}
    for name in answer:gmatch("[^,%s]+") do
      list[#list + 1] = name
    end
    return list
  end
  return answer
end

local function problem_of(camel, value)
  local _, problems = agent_config.validate({ [camel] = value })
  return problems and problems[1]
end

--- Ask for every field on a terminal; an empty answer keeps what is there.
---@param read fun(): string? a line; nil: nobody answers any more
---@param write fun(text: string)
---@return codecell.AgentConfig? config that was saved
---@return string[]? problems
function Form:ask(read, write)
  local filled = agent_config.camel(self.initial)
  for _, field in ipairs(agent_config.fields) do
    write(("%s%s\n"):format(field.help, field.type == "boolean" and " (yes or no)" or ""))
    while true do
      write(("%s%s [%s]: "):format(field.label, field.unit and " in " .. field.unit or "",
        shown(field, self.initial[field.name])))
      local answer = read()
      if answer == nil then
        return nil, { "the answers ended" }
      elseif answer == "" then
        break
      end
      local value = understand(field, answer)
      local problem = problem_of(field.camel, value)
      if not problem then
        filled[field.camel] = value
        break
      end
      write(problem .. "\n")
    end
  end
  return self:save(filled)
end

return form
