--- The tool `run_code`: code of a language, in a session that keeps its variables.
local json = require "codecell.json"
local languages = require "codecell.languages"
local markdown = require "codecell.agent.format.markdown"
local parts = require "codecell.agent.format.parts"
local result = require "codecell.tools.result"
local words = require "codecell.agent.words"

local run_code = {}

local FILES_MOST = 50 -- changed ones that are told
local CHANGED_MOST = 4000 -- characters of what the user has made of code

local TEXTS = { type = "array", items = { type = "string" } }
local OUTPUTS = { type = "array", description = "what was cut, for read_output",
  items = { type = "object", properties = { id = { type = "string" },
    bytes = { type = "integer" } }, required = json.list({ "id", "bytes" }) } }

local FILES = { type = "array", items = { type = "object", properties = {
  path = { type = "string" }, op = { type = "string" } }, required = json.list({ "path" }) } }

--- JSON Schema of what code and commands tell.
---@param more table<string, table>
---@return table
function run_code.schema(more)
  local properties = { stdout = { type = "string" }, stderr = { type = "string" },
    notes = TEXTS, outputs = OUTPUTS, seconds = { type = "number" } }
  for name, schema in pairs(more) do
    properties[name] = schema
  end
  return result.schema(properties)
end

-- "py" for python; only of what is there.
local function alias_of(names)
  return function(value)
    local found = languages.find(value:sub(1, 60))
    for _, name in ipairs(names) do
      if found and found.name == name then
        return name
      end
    end
  end
end

--- The field `language`.
---@param names string[]
---@param description string
---@return codecell.ToolField
function run_code.language(names, description)
  return { name = "language", type = "string", enum = names, alias = alias_of(names),
    description = description .. "; default " .. run_code.default(names) }
end

--- What code is in that does not say it.
---@param names string[]
---@return string
function run_code.default(names)
  for _, name in ipairs(names) do
    if name == "python" then
      return name
    end
  end
  return names[1]
end

--- The definition; nil: there is no language.
---@param about codecell.ToolAbout
---@param describe table
---@return codecell.ToolDefinition?
function run_code.define(about, describe)
  if not about.languages[1] then
    return nil
  end
  return { title = "Run code", is_open = describe.is_open(about),
    description = ("Run code in an isolated sandbox (%s) and get what it prints, the value of its "
      .. "last expression, its pictures and its errors. %s %s %s For shell commands use "
      .. "run_shell.%s%s")
      :format(table.concat(about.languages, ", "), describe.state(about), describe.network(about),
        describe.limits(about), describe.exposed(about), describe.mock(about)),
    fields = {
      { name = "code", type = "string", is_required = true, is_data = true,
        description = "the code, complete" },
      run_code.language(about.languages, "what the code is in"),
      { name = "intent", type = "string",
        description = "what the code is for, in a few words, shown to the user" },
    },
    output = run_code.schema({ language = { type = "string" }, results = TEXTS,
      pictures = { type = "integer" }, traceback = { type = "string" }, files_changed = FILES }) }
end

-- The first of the files that it has changed.
local function changed_files(execution)
  local list = json.list()
  for i, one in ipairs(execution.files_changed or {}) do
    if i > FILES_MOST then
      break
    end
    list[i] = { path = json.repair(one.path), op = one.op }
  end
  return list[1] and list or nil
end

-- Whether code of it can give a final answer.
local function can_end(kit, language)
  local found = languages.find(language)
  return kit.place:about().features.final_answer and found and found.final_answer
end

--- Tell the model what ran instead of what it had asked for.
---@param told codecell.ToolResult
---@param asked string
---@param ran string?
function run_code.tell_change(told, asked, ran)
  if ran and ran ~= asked then
    result.add_note(told, "the user has changed the code; what ran:\n"
      .. markdown.quote(parts.cut(ran, CHANGED_MOST), "text"))
  end
end

--- Run it.
---@param kit codecell.Kit
---@param given {code: string, language: string?}
---@param about table options of the call
---@return codecell.ToolResult
function run_code.call(kit, given, about)
  local language = given.language or run_code.default(kit.place:about().languages)
  local allowed, err = kit:_permit("run_code", { verb = "run", code = given.code,
    language = language })
  if not allowed then
    return result.of_error("run_code", err)
  end
  local execution
  execution, err = kit.place:run_code(allowed.code or given.code, { language = language,
    timeout = kit.place:timeout(about.timeout), on_stdout = about.on_stdout,
    on_stderr = about.on_stderr, final_answer = about.final_answer and can_end(kit, language)
      or nil }, about.run)
  if not execution then
    return result.of_error("run_code", err)
  end
  local report = kit:_report(execution, "run_code " .. language)
  local told = result.of_report("run_code", report, words.of_execution(execution),
    { language = language, seconds = execution.seconds, files_changed = changed_files(execution) })
  told.execution = execution
  run_code.tell_change(told, given.code, allowed.code)
  return told
end

return run_code
