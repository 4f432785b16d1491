--- codecell.actions: one function for a model's tool call, chosen by its field `action`.
---
---     codecell.actions.call { action = "create", sessionId = "a" }
---     codecell.actions.call { action = "execute", sessionId = "a", code = "6 * 7" }
---
--- A table goes in, a table with `success` and `text` comes out; it never raises. Whose sandboxes
--- are meant is said by the host, in the second argument, and by nobody else.
local code = require "codecell.actions.code"
local commands = require "codecell.actions.commands"
local errors = require "codecell.errors"
local fields = require "codecell.actions.fields"
local finding = require "codecell.service.finding"
local files = require "codecell.actions.files"
local help = require "codecell.actions.help"
local json = require "codecell.json"
local keys = require "codecell.keys"
local nearest = require "codecell.nearest"
local parts = require "codecell.agent.format.parts"
local sandboxes = require "codecell.actions.sandboxes"
local services = require "codecell.service"
local shape = require "codecell.actions.shape"
local unpack = require "codecell.unpack"
local wait = require "codecell.wait"
local words = require "codecell.agent.words"

local actions = {}

local NOBODY = "anonymous" -- whoever the host does not name
local VALUES_MOST = 1000000 -- of a request: many small ones would take all memory
local SOON = 60 -- seconds before the end at which a warning is due

local VERBS = {}
for _, part in ipairs({ code, commands, files, sandboxes }) do
  for name, verb in pairs(part) do
    VERBS[name] = verb
  end
end

function VERBS.help(_, given)
  return { actions = shape.list({ unpack(fields.names) }),
    text = help.text(given.topic) }
end

-- ---- a call ----

---@class codecell.ActionCall
---@field service codecell.Service
---@field owner string
---@field most integer characters of an output
local Call = {}
Call.__index = Call

--- The sandbox that is meant.
---@param given table
---@param only_there any? whether none is made, though the host would have it
---@return codecell.Sandbox?
---@return codecell.Error?
function Call:sandbox(given, only_there)
  local entry = self.service.roster:under(self.owner, given.sessionId)
  if not entry and self.auto_create and not only_there then
    local made, problem = finding.get(self.service, { owner = self.owner, key = given.sessionId,
      metadata = { sessionId = given.sessionId } })
    if not made then
      return nil, problem
    end
    entry = made
  end
  if entry then
    self.service.roster:hold(entry)
    self.entry = entry
    return entry.sandbox
  end
  local err = self.service.roster:last_under(self.name, self.owner, given.sessionId)
  return nil, err or errors.new("not_found", ("Sandbox not found: there is none of sessionId %q; "
    .. "make it by the `create` action, and use the same sessionId"):format(given.sessionId),
    "use the create action first")
end

--- A text of the sandbox, short and without control characters.
---@param text string
---@return string
---@return boolean is_cut
function Call:cut(text)
  return parts.cut(text, self.most)
end

-- ---- warnings ----

local function warn_of_keys(given, warnings)
  local texts = { given.code or "", given.command or "", given.fileContent or "" }
  for _, value in pairs(given.envs or {}) do
    texts[#texts + 1] = value
  end
  for _, text in ipairs(texts) do
    if keys.any(text) then
      warnings[#warnings + 1] = "The request holds what looks like a key. Keys do not belong in "
        .. "requests: set E2B_CODE_EV_NAME on the host, and use the variable NAME in the code."
      return
    end
  end
end

local function warn_of_end(call, warnings)
  local about = call.entry and not call.entry.sandbox:_closed() and call.entry.sandbox._about
  local left = about and about.started_at + about.timeout - os.time()
  if left and left < SOON then
    warnings[#warnings + 1] = ("The sandbox ends in %d s; set_timeout keeps it longer."):format(
      math.max(math.ceil(left), 0))
  end
end

-- ---- replies ----

local function failure(session, message, kind, hint)
  return { sessionId = session, success = false, error = message, kind = kind, hint = hint,
    text = message .. (hint and not message:find(hint, 1, true) and " (" .. hint .. ")" or "") }
end

local function of_error(session, err)
  local word = words.of_error(err)
  local told = failure(session, err.message, word.word, err.hint or word.model)
  told.retryable, told.retryAfter = word.retryable, err.retry_after
  return told
end

local function complete(session, told)
  told.sessionId = session
  local failed = told.failed
  told.failed = nil
  told.success = failed == nil
  if failed then
    told.error, told.kind, told.hint = failed.message, failed.kind, failed.hint
  end
  return told
end

-- No model may take what the mock has done for done.
local function mark_mock(service, told)
  local entry = told.sandboxId and service.roster.by_id[told.sandboxId]
  local backend = entry and entry.sandbox.backend or service.config.backend
  if told.sandboxId and backend == "mock" then
    told.mock = true
    if not told.text:find("nothing was executed", 1, true) then
      told.text = told.text .. " [mock: nothing was executed]"
    end
  end
  return told
end

local function add_warnings(told, warnings)
  for _, text in ipairs(told.warnings or {}) do
    warnings[#warnings + 1] = text
  end
  told.warnings = warnings[1] and shape.list(warnings) or nil
  return told
end

-- ---- the call ----

-- A request for no action that there is.
local function unknown(session, name)
  local near = type(name) == "string" and nearest(name, fields.names)
  return failure(session, ("%s%s The actions are: %s."):format(
    name == nil and "Action is required." or ("There is no action %q."):format(tostring(name)
      :sub(1, 100)), near and (" Did you mean %s?"):format(near) or "",
    table.concat(fields.documented, ", ")), "invalid", "call help for what each of them does")
end

local function answer(request, ctx)
  local name = request.action
  local action = type(name) == "string" and fields.by_name[name]
  local session = ctx.session or fields.session(request)
  if not action then
    return unknown(session, name)
  end
  local given, problem, warnings = fields.read(action, request, { sessionId = ctx.session },
    json.null)
  if not given then
    return add_warnings(failure(session, problem, "invalid",
      ("call help with topic %s"):format(name)), warnings)
  end
  local service, err = services.of(ctx.service)
  if not service then
    return of_error(session, err)
  end
  local call = setmetatable({ name = name, service = service, owner = ctx.user or NOBODY,
    auto_create = ctx.auto_create, most = service.config.max_output_length }, Call)
  local ok, told
  ok, told, err = wait.call(VERBS[name], call, given)
  if call.entry then
    service.roster:release(call.entry, ok and err or nil)
  end
  if not ok then
    error(told, 0)
  end
  warn_of_keys(given, warnings)
  warn_of_end(call, warnings)
  told = told and mark_mock(service, complete(given.sessionId, told))
    or of_error(given.sessionId, err)
  return add_warnings(told, warnings)
end

local function check_context(ctx)
  for _, name in ipairs({ "user", "session" }) do
    local value = ctx[name]
    if value ~= nil and (type(value) ~= "string" or value == "" or value:find("%c")) then
      return ("ctx.%s: a text of one line expected"):format(name)
    end
  end
end

--- Answer a request of a model.
---@param request table `action` and its fields; in camelCase as documented, or in snake_case
---@param ctx table? what the host says, and no model: `user` (whose sandboxes these are), `session`
---(a sessionId that counts whatever the request says), `auto_create` (make a sandbox where one is
---missing), `service` (default: the state's own)
---@return table reply `success`, `text`, `sessionId`, and of a failure `error kind hint`; it can be
---encoded as JSON
function actions.call(request, ctx)
  ctx = ctx or {}
  if type(request) ~= "table" then
    return failure(nil, "A request is an object with a field `action`.", "invalid",
      "call help for what there is")
  end
  local wrong = check_context(ctx)
  if wrong then
    return failure(nil, wrong, "config", "the host must mend it")
  end
  local ok, told = wait.call(answer, request, ctx)
  if not ok then
    return failure(ctx.session or fields.session(request),
      "The action failed in codecell itself: " .. tostring(told):gsub("\n.*", ""), "internal",
      "try once more, then tell the user")
  end
  return told
end

--- Answer a request that is JSON.
---@param text string
---@param ctx table? as of `call`
---@return string reply JSON in one line
function actions.call_json(text, ctx)
  local request, err = json.decode(text, VALUES_MOST)
  local told
  if err then
    told = failure(nil, "The request is no JSON: " .. err.message, "invalid",
      "send one object a line")
  else
    told = actions.call(request, ctx)
  end
  return (json.encode(told)) or '{"success":false,"error":"The reply is no JSON."}'
end

return actions
