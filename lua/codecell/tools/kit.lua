--- codecell.Kit: a set of tools for one conversation of a model, and where their calls go.
local arguments = require "codecell.tools.arguments"
local dialect = require "codecell.tools.dialect"
local errors = require "codecell.errors"
local json = require "codecell.json"
local kept = require "codecell.tools.kept"
local media = require "codecell.agent.media"
local messages = require "codecell.tools.messages"
local nearest = require "codecell.nearest"
local options = require "codecell.options"
local place = require "codecell.tools.place"
local report = require "codecell.agent.format.report"
local result = require "codecell.tools.result"
local sets = require "codecell.tools.sets"
local wait = require "codecell.wait"

local tools = {}

local IMAGES = 4 -- of an answer
local NAME_SHOWN = 80 -- bytes of a name that a model has made up

---@class codecell.ToolResult
---@field name string of the tool
---@field is_error boolean
---@field word string? why, in a word of `codecell errors`
---@field text string all of it but the pictures, within the budget
---@field parts codecell.ToolPart[] the text, then the pictures
---@field structured table the same as a table, without pictures, within the budget
---@field outputs {id: string, bytes: integer}[] what was cut, for `read_output`
---@field execution codecell.Execution? of `run_code`
---@field command codecell.CommandResult? of `run_shell`
---@field err codecell.Error? of a call that could not be done

---@class codecell.ToolPart
---@field type "text"|"image"|"json"
---@field text string? of a text; of an image what stands for it
---@field mime string? of an image
---@field data string? bytes of an image
---@field width integer?
---@field height integer?
---@field value any of "json"

---@class codecell.ToolBudget
---@field chars integer? characters of the sandbox's text in an answer (10000)
---@field tokens integer? of the whole text, as `count` counts them; default: any number
---@field images integer? pictures in an answer (4); 0: none
---@field image_px integer? of the longer side; larger ones are made smaller inside the sandbox

---@class codecell.KitOptions
---@field sandbox (codecell.Sandbox|fun(): codecell.Sandbox?, codecell.Error?)? where calls go; a
---function is asked at each call. Without `sandbox` and `service` the kit makes one at first use
---@field service codecell.Service? sandboxes and limits by its configuration
---@field user string? whose: of the service, and for the policy
---@field session string? key of the service's sandbox; default: of this kit alone
---@field create table? options of `codecell.create` for a sandbox that is made; what is told of the
---sandbox where it is not there yet
---@field set "recommended"|"actions"|"cortex"|nil ("recommended")
---@field languages string[]? those of code, of the ones that are there
---@field timeout number? seconds of a call (60; with a service its execution_timeout)
---@field budget codecell.ToolBudget?
---@field count (fun(text: string): number)? tokens of a text; default: a quarter of its bytes
---@field vision boolean? whether the model takes pictures (true); else charts are told in words
---@field difference boolean? tell what has changed since the last run where that is shorter (false)
---@field policy codecell.Policy? asked before each verb
---@field approve function? who is asked by the policy
---@field agent string? name, for the policy
---@field on_event (fun(event: table): false?)? hears of each call: `{type = "call", tool,
---arguments}` before it, which is not made where that answers false, and `{type = "result", tool,
---arguments, result}` after it

---@class codecell.Kit
---@field package definitions codecell.ToolDefinition[]
local Kit = {}
Kit.__index = Kit

local OPTIONS = {
  agent = { type = "name" }, approve = { type = "function" },
  budget = { type = "table", fields = {
    chars = { type = "integer", least = 200 }, tokens = { type = "integer", least = 100 },
    images = { type = "integer" }, image_px = { type = "integer", least = 16 } } },
  count = { type = "function" }, create = { type = "table" },
  difference = { type = "boolean" }, languages = { type = "strings", least = 1 },
  on_event = { type = "function" }, policy = { type = "table" },
  sandbox = { type = "either", expected = "sandbox or function",
    rules = { table = { type = "table" }, userdata = { type = "userdata" },
      ["function"] = { type = "function" } } },
  service = { type = "table" }, session = { type = "name" },
  set = { type = "choice", choices = sets.names }, timeout = { type = "number", above = 0,
    most = 86400 },
  user = { type = "name" }, vision = { type = "boolean" },
}

--- A kit of tools. It creates nothing until it is called.
---@param given codecell.KitOptions?
---@return codecell.Kit
function tools.kit(given)
  given = options.check("tools.kit", given, OPTIONS)
  if given.sandbox and given.service then
    error("tools.kit: give sandbox or service, not both", 2)
  end
  local self = setmetatable({ given = given, outputs = kept.new(), previous = {} }, Kit)
  local err
  self.place, err = place.new(given)
  if not self.place then
    error("tools.kit: " .. err.message, 2)
  end
  self.verbs = sets[given.set or "recommended"]
  return self
end

local function definitions(self)
  return self.verbs.definitions(self)
end

--- The tools as a request of a provider takes them, in its field `tools`; for "mcp" what
--- `tools/list` answers. Made of what is there now: languages that can run, the network.
---@param name codecell.Dialect
---@return table[] list
function Kit:schemas(name)
  options.argument("schemas", "dialect", name, "choice", { choices = dialect.names })
  return dialect.write(name, definitions(self))
end

-- What a result is called of a tool that may not be.
local function named(name)
  return json.repair(tostring(name):sub(1, NAME_SHOWN))
end

-- The definition of that name, or a result that says which there are.
local function find(self, name)
  local names = {}
  for i, definition in ipairs(definitions(self)) do
    if definition.name == name then
      return definition
    end
    names[i] = definition.name
  end
  local near = type(name) == "string" and nearest(name:sub(1, NAME_SHOWN), names)
  local shown = type(name) == "string" and '"' .. json.repair(name:sub(1, NAME_SHOWN)) .. '"'
    or "without a name"
  return nil, errors.new("not_found", ("there is no tool %s%s; the tools are %s"):format(shown,
    near and ("; did you mean %s?"):format(near) or "", table.concat(names, ", ")),
    "call one of the tools there are; nothing was run")
end

local function call(self, name, given, about)
  local definition, err = find(self, name)
  if not definition then
    return result.of_error(named(name), err)
  end
  local read
  read, err = (self.verbs.read or arguments.read)(definition, given)
  if not read then
    return result.of_error(definition.name, err)
  end
  if self.given.on_event and self.given.on_event({ type = "call", tool = definition.name,
    arguments = read }) == false then
    return result.of_error(definition.name, errors.new("cancelled",
      definition.name .. ": the host has stopped before it; nothing was run"))
  end
  local done = self.verbs.call(self, definition, read, about)
  if self.place:is_renewed() then
    result.add_note(done, "the sandbox had ended and this is a new one: variables, files and "
      .. "commands of earlier calls are gone")
  end
  if self.given.on_event then
    self.given.on_event({ type = "result", tool = definition.name, arguments = read,
      result = done })
  end
  return done
end

local CALL = {
  final_answer = { type = "boolean" },
  on_stderr = { type = "function" }, on_stdout = { type = "function" },
  run = { type = "function" }, timeout = { type = "number", above = 0, most = 86400 },
}

--- Call a tool. It waits as verbs do, and never raises: whatever is wrong is a result that says
--- what to do. Cancelling the task in which it waits interrupts the code.
---@param name string as the model has said it
---@param given table|string|nil arguments, as a table or as JSON
---@param about {on_stdout: fun(text: string)?, on_stderr: fun(text: string)?, run: function?,
---timeout: number?, final_answer: boolean?}? of the host: what is printed, as it comes; `run` gets
---what can be killed by `:kill()`; seconds that this call may take; whether code of a language that
---can do so has a function `final_answer`
---@return codecell.ToolResult result
function Kit:call(name, given, about)
  about = options.check("call", about, CALL)
  local ok, done = wait.call(call, self, name, given, about)
  if not ok then
    return result.of_error(named(name), errors.new("system", ("%s has failed in codecell itself:"
      .. " %s"):format(tostring(name):sub(1, NAME_SHOWN), (tostring(done):gsub("\n.*", "")))))
  end
  return done
end

--- Call every tool that an answer of a provider asks for, one after the other.
---@param name codecell.Dialect
---@param message table|string the assistant's message, or the whole response; JSON or decoded
---@param about table? as of `call`, for each of them
---@return table[] messages to be put behind the assistant's own, in its dialect; empty: it asks for
---no tool
---@return codecell.ToolResult[] results
function Kit:handle(name, message, about)
  options.argument("handle", "dialect", name, "choice", { choices = dialect.names })
  return messages.handle(self, name, message, options.check("handle", about, CALL))
end

--- Read on where an output was cut.
---@param id string as the text of a result names it
---@param offset integer? bytes to pass over; default 0
---@return string? text within the budget; its last line says how to go on
---@return codecell.Error? err kind "not_found"
function Kit:read_output(id, offset)
  local text, about = self:_read_output(id, offset, function(text, state)
    return ("%s%s[%s]"):format(text, (text == "" or text:sub(-1) == "\n") and "" or "\n", state)
  end)
  if not text then
    return nil, about
  end
  return text
end

--- The same in another form.
---@param id string
---@param offset integer?
---@param compose fun(text: string, state: string): string
---@return string? composed
---@return {text: string, state: string, next_offset: integer?}|codecell.Error about
function Kit:_read_output(id, offset, compose)
  options.argument("read_output", "id", id, "text")
  return self:_fit(function(chars)
    local text, about = self.outputs:read(id, offset or 0, chars)
    if not text then
      return nil, about
    end
    about.text = text
    return compose(text, about.state), about
  end)
end

--- Forget what was kept, and end the sandbox that the kit has made. Idempotent.
function Kit:close()
  self.outputs, self.previous = kept.new(), {}
  self.place:close()
end

--- Ask the policy, if there is one.
---@param tool string
---@param request table as of `codecell.policy`
---@return table? allowed what it has changed: `code` or another
---@return codecell.Error? err kind "denied_by_policy"
function Kit:_permit(tool, request)
  local policy = self.given.policy
  if not policy then
    return {}
  end
  request.tool, request.user, request.agent = tool, self.given.user, self.given.agent
  request.what = request.what or tool
  request.touches = request.code and self.place:touches() or nil
  local allowed, err = policy:permit(request, self.given.approve)
  if not allowed then
    return nil, err
  end
  return type(allowed) == "table" and allowed or {}
end

--- Whether the policy lets something through that nobody is asked about.
---@param tool string
---@param request table as of `codecell.policy`
---@return boolean
function Kit:_is_allowed(tool, request)
  local policy = self.given.policy
  request.tool, request.user, request.agent = tool, self.given.user, self.given.agent
  return not policy or policy:decide(request) == "allow"
end

local function report_options(self)
  local budget = self.given.budget or {}
  return { budget = { chars = budget.chars, tokens = budget.tokens,
      images = budget.images or IMAGES, image_px = budget.image_px },
    count = self.given.count, vision = self.given.vision ~= false,
    keep = function(text)
      return self.outputs:add(text)
    end,
    shrink = function(picture, side)
      return self.place:with(function(sandbox)
        return media.shrink(sandbox, picture, side)
      end)
    end }
end

--- What an execution or a command has to say, within the budget.
---@param execution codecell.Execution|codecell.CommandResult
---@param what string? runs of the same kind, which are compared
---@return codecell.Report
function Kit:_report(execution, what)
  local given = report_options(self)
  if self.given.difference and what then
    given.previous, self.previous[what] = self.previous[what], execution
  end
  return report.of(execution, given)
end

--- Something that has as many characters as the budget lets it.
---@param make fun(chars: integer): string?, any gives it within so many characters
---@return string?
---@return any
function Kit:_fit(make)
  local budget = self.given.budget or {}
  return report.fit(budget, self.given.count, make)
end

--- The names of its tools.
---@return string[]
function Kit:names()
  local names = json.list({})
  for i, definition in ipairs(definitions(self)) do
    names[i] = definition.name
  end
  return names
end

return tools
