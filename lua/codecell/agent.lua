--- codecell.agent: an agent's configuration, its tools, and what it is told.
---
---     local agent = codecell.agent.new { name = "Data", enableNetwork = true }
---     agent:call("execute_python_code", { code = "print(1)" })
local agent_config = require "codecell.agent_config"
local cortex = require "codecell.tools.cortex"
local dialect = require "codecell.tools.dialect"
local errors = require "codecell.errors"
local json = require "codecell.json"
local merged = require "codecell.merged"
local nearest = require "codecell.nearest"
local prompt = require "codecell.agent.prompt"
local settings = require "codecell.config"

local agent = {}

local CODING = "coding"
-- How each provider wants a tool to be written; the others take what OpenAI does.
local DIALECTS = { anthropic = "anthropic", gemini = "gemini", google = "gemini",
  openai_responses = "openai_responses" }

---@class codecell.Agent
---@field config codecell.AgentConfig
---@field ctx table
local Agent = {}
Agent.__index = Agent

local function invalid(verb, problems)
  return errors.new("invalid_argument", verb .. ": " .. table.concat(problems, "; "))
end

--- An agent of a configuration.
---@param given table as of `codecell.agent_config.validate`
---@param ctx table? `service`, `user`, `session`, `details`, `echo_code`
---@return codecell.Agent? agent
---@return codecell.Error? err kind "invalid_argument", with every problem
function agent.new(given, ctx)
  local config, problems = agent_config.validate(given)
  if not config then
    return nil, invalid("agent", problems)
  end
  return setmetatable({ config = config, ctx = merged({ agent = config }, ctx) }, Agent)
end

local function name_of(tool)
  return type(tool) == "table" and (tool.name or type(tool["function"]) == "table"
    and tool["function"].name) or nil
end

--- The tools of a request: its own, and those of a coding agent.
---@param given table `agent_type`, `tools`, `provider_id` ("anthropic" and "google" have
---shapes of their own)
---@return table[]? tools a list
---@return codecell.Error? err kind "invalid_argument": two tools have one name
function agent.tools_for(given)
  local list, seen = json.list({}), {}
  for i, tool in ipairs(given.tools or {}) do
    list[i] = tool
    seen[name_of(tool) or tostring(tool)] = true
  end
  if given.agent_type ~= CODING then
    return list
  end
  for _, definition in ipairs(cortex.definitions) do
    if seen[definition.name] then
      return nil, errors.new("invalid_argument", ("tools: %s is the name of a tool of coding "
        .. "agents; rename yours"):format(definition.name))
    end
  end
  for _, tool in ipairs(dialect.write(DIALECTS[given.provider_id] or "openai",
    cortex.definitions)) do
    list[#list + 1] = tool
  end
  return list
end

local REQUEST = { message = "string", agent_type = "string", system_prompt = "string",
  provider_id = "string", model_id = "string", tools = "table" }

-- What the live configuration says; of a broken one nothing.
local function facts(given, service)
  local found = service and service.config or settings()
  local about = merged(given)
  if found then
    about.max_execution_time, about.is_mock = found.max_execution_time, found.mode == "mock"
    about.backend = found.backend
  end
  return about
end

--- Check a request for an agent, and complete it.
---@param given {message: string, agent_type: string?, system_prompt: string?, provider_id: string?,
---model_id: string?, tools: table[]?}
---@param config table? of the agent, as of `codecell.agent_config.validate`
---@return table? request the same fields, with the generated prompt and all tools
---@return codecell.Error? err kind "invalid_argument", with every problem
function agent.request(given, config)
  local problems = {}
  for name, value in pairs(type(given) == "table" and given or {}) do
    if not REQUEST[name] then
      problems[#problems + 1] = "there is no field " .. tostring(name)
    elseif type(value) ~= REQUEST[name] then
      problems[#problems + 1] = ("%s: %s expected, got %s"):format(name, REQUEST[name], type(value))
    end
  end
  if type(given) ~= "table" or type(given.message) ~= "string" then
    problems[#problems + 1] = "message: string expected"
  end
  local checked, wrong = agent_config.validate(config or {})
  for _, problem in ipairs(wrong or {}) do
    problems[#problems + 1] = problem
  end
  if problems[1] then
    table.sort(problems)
    return nil, invalid("request", problems)
  end
  local tools, err = agent.tools_for(given)
  if not tools then
    return nil, err
  end
  local told = { message = given.message, agent_type = given.agent_type,
    provider_id = given.provider_id, model_id = given.model_id, tools = tools,
    system_prompt = given.system_prompt }
  if given.agent_type == CODING then
    checked.system_prompt = given.system_prompt or checked.system_prompt
    local about = facts()
    about.network = not config and about.backend == "e2b" and "open" or nil -- as the cloud does
    told.system_prompt = prompt.text(checked, about)
  end
  return told
end

--- What a model is told of where its code runs.
---@param config table as of `codecell.agent_config.validate`
---@param about {is_persistent: boolean?, memory: integer?}? the rest is of `codecell.config`
---@return string? text
---@return codecell.Error? err kind "invalid_argument"
function agent.prompt(config, about)
  local checked, problems = agent_config.validate(config)
  if not checked then
    return nil, invalid("prompt", problems)
  end
  return prompt.text(checked, facts(about))
end

--- Ask a model, run the code of its answer, tell it what happened, until it has an answer.
---@param given codecell.LoopOptions
---@return codecell.LoopOutcome? outcome also of what went wrong: `stopped` and `err`
---@return codecell.Error? err kind "system": nothing can be waited for here
function agent.loop(given)
  return require("codecell.agent.loop")(given)
end

--- What asks a model behind an endpoint that speaks OpenAI's chat completions, streamed or not.
---@param given codecell.ChatOptions
---@return fun(messages: table[], about: codecell.LoopAsk?): table?, codecell.Error? ask for `loop`;
---its answer is a whole response. Kinds of error: "unauthenticated", "rate_limited" (with
---retry_after), "unavailable", "timeout", "invalid_argument", "not_found", "cancelled", "protocol"
function agent.chat(given)
  return require("codecell.agent.chat")(given)
end

--- What to tell a model whose code has failed: what it did, what to do about it, the line that the
--- error names, the package of a module that is missing.
---@param result codecell.Execution|codecell.Reply|codecell.ToolResult|codecell.Error
---@param given {code: string?, language: string?, attempt: integer?, most: integer?}? code: what
---was run; attempt, most: of repairs, are told where both are given
---@return string? prompt nil: nothing failed
function agent.repair_prompt(result, given)
  return require("codecell.agent.repair").prompt(result, given)
end

--- The tools that it has.
---@param provider string? whose shape they are to have
---@return table[]
function Agent:tools(provider) -- luacheck: no self
  return (agent.tools_for({ agent_type = CODING, provider_id = provider }))
end

--- What its model is told.
---@return string
function Agent:prompt()
  return prompt.text(self.config, facts({ is_persistent = self.ctx.session ~= nil },
    self.ctx.service))
end

--- Call one of its tools; never raises.
---@param name string
---@param given table
---@return table reply
function Agent:call(name, given)
  for _, definition in ipairs(cortex.definitions) do
    if definition.name == name then
      return cortex[name](given, self.ctx)
    end
  end
  local near = nearest(tostring(name), { "execute_python_code", "get_sandbox_info" })
  return { success = false, error = ("not_found: there is no tool %q%s"):format(
    tostring(name):sub(1, 80), near and ("; did you mean %s?"):format(near) or "") }
end

return agent
