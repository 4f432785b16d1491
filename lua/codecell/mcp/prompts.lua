--- prompts/*, and completion/complete: requests that people pick from a menu, and what they type
--- into them.
local address = require "codecell.mcp.address"
local json = require "codecell.json"
local message = require "codecell.mcp.message"

local prompts = {}

local TEXT_MOST = 100000 -- bytes of an argument
local VALUES_MOST = 100

local PROMPTS = {
  {
    name = "analyze_file",
    title = "Analyse a file",
    description = "Look into a file of the sandbox and answer a question about it, by code",
    arguments = {
      { name = "path", description = "of the file in the sandbox", required = true },
      { name = "question", description = "what is to be found out", required = false },
    },
    text = function(given)
      return ("Analyse the file %s in the sandbox, by code. First find out its size and its form, "
        .. "and look at a part of it. Then %s. Check what you found by a second way where that is "
        .. "cheap, draw a chart where it helps, and say what you are not sure of."):format(
        given.path, given.question and "answer this: " .. given.question
        or "summarize what is in it, and what is unusual")
    end,
  },
  {
    name = "solve_by_code",
    title = "Solve by code",
    description = "Write a program for a task, test it in the sandbox, and mend it until it works",
    arguments = {
      { name = "task", description = "what the program is to do", required = true },
      { name = "language", description = "in which it is written", required = false },
    },
    text = function(given)
      return ("Write a program for this task%s, and run it in the sandbox: %s\n\nWrite tests with "
        .. "cases at the edges first, run them, and mend the program until they pass. Keep the "
        .. "program as a file in the sandbox. In the end show the program, the tests that passed, "
        .. "and what it does not do."):format(
        given.language and " in " .. given.language or "", given.task)
    end,
  },
}

local function find(name)
  for _, prompt in ipairs(PROMPTS) do
    if prompt.name == name then
      return prompt
    end
  end
end

local function list()
  local shown = json.list()
  for i, prompt in ipairs(PROMPTS) do
    shown[i] = { name = prompt.name, title = prompt.title, description = prompt.description,
      arguments = json.list(prompt.arguments) }
  end
  return { prompts = shown }
end

-- What is wrong with what was given for it.
local function problem_of(prompt, given)
  for _, argument in ipairs(prompt.arguments) do
    local value = given[argument.name]
    if value == nil and argument.required then
      return ("arguments: %s is missing"):format(argument.name)
    elseif value ~= nil and (type(value) ~= "string" or #value > TEXT_MOST) then
      return ("arguments: %s: text of at most %d bytes expected"):format(argument.name, TEXT_MOST)
    end
  end
end

local function get(_, request)
  local name, given = request.params.name, request.params.arguments or {}
  local prompt = find(name)
  if not prompt then
    return nil, message.problem("params", "there is no such prompt")
  elseif not message.is_object(given) then
    return nil, message.problem("params", "arguments: an object expected")
  end
  local problem = problem_of(prompt, given)
  if problem then
    return nil, message.problem("params", problem)
  end
  return { description = prompt.description, messages = json.list({
    { role = "user", content = { type = "text", text = prompt.text(given) } } }) }
end

-- ---- completion ----

-- Names in the folder that was typed so far.
local function paths(session, value)
  local sandbox = session.box:peek()
  local folder, start = value:match("^(.*/)([^/]*)$")
  folder, start = folder or "", start or value
  local entries = sandbox and not value:find("%z")
    and sandbox.files:list(folder == "" and "." or folder)
  local values = {}
  for _, entry in ipairs(entries or {}) do
    if entry.name:sub(1, #start) == start
      and session.kit:_is_allowed("resources", { verb = "read", path = entry.path }) then
      values[#values + 1] = json.repair(folder .. entry.name .. (entry.type == "dir" and "/" or ""))
    end
  end
  return values
end

local function starting(names, value)
  local values = {}
  for _, name in ipairs(names) do
    values[#values + 1] = name:sub(1, #value) == value and name or nil
  end
  return values
end

local function output_ids(session, value)
  local ids = {}
  for i, output in ipairs(session.outputs) do
    ids[i] = output.id
  end
  return starting(ids, value)
end

local function languages(_, value)
  return starting(require("codecell.languages").available(), value)
end

local COMPLETIONS = {
  ["ref/prompt"] = {
    analyze_file = { path = paths },
    solve_by_code = { language = languages },
  },
  ["ref/resource"] = {
    [address.file_template] = { path = paths },
    [address.output_template] = { id = output_ids },
  },
}

local function complete(session, request)
  local ref, argument = request.params.ref, request.params.argument
  if not message.is_object(ref) or not message.is_object(argument)
    or type(argument.name) ~= "string" or type(argument.value) ~= "string" then
    return nil, message.problem("params", "ref and argument: objects expected")
  end
  local known = COMPLETIONS[ref.type]
  known = known and known[ref.name or ref.uri or ""]
  if not known then
    return nil, message.problem("params", "ref: there is no such prompt or template")
  end
  local found = known[argument.name]
  local all = found and found(session, argument.value) or {}
  local values = json.list()
  for i = 1, math.min(#all, VALUES_MOST) do
    values[i] = all[i]
  end
  return { completion = { values = values, total = #all, hasMore = #all > #values } }
end

--- Answers by their methods.
prompts.methods = {
  ["completion/complete"] = complete,
  ["prompts/get"] = get,
  ["prompts/list"] = list,
}

return prompts
