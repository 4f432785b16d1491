--- codecell.mcp: a server of the Model Context Protocol, whatever carries its messages.
---
--- A session is one client. It hears messages by `receive`, and speaks by functions that it was
--- given; nothing in it knows of pipes or of HTTP.
local about = require "codecell.mcp.about"
local box = require "codecell.mcp.box"
local calls = require "codecell.mcp.calls"
local create = require "codecell.create"
local errors = require "codecell.errors"
local holding = require "codecell.gateway.holding"
local jobs = require "codecell.mcp.jobs"
local json = require "codecell.json"
local levels = require "codecell.mcp.levels"
local message = require "codecell.mcp.message"
local modern = require "codecell.mcp.modern"
local options = require "codecell.options"
local prompts = require "codecell.mcp.prompts"
local reactor = require "codecell.reactor"
local request = require "codecell.mcp.request"
local resources = require "codecell.mcp.resources"
local task = require "codecell.task"
local toolbox = require "codecell.mcp.toolbox"
local version = require "codecell.mcp.version"
local wait = require "codecell.wait"

local mcp = {}

local HELD_MOST = 128 * 1024 * 1024 -- bytes of messages that are not done with
local ANSWERING_MOST = 64 -- requests at a time; twice as many pings, which tell that it lives

---@class codecell.McpSession
---@field version string? of the protocol; nil: before `initialize`
---@field client table? what it says of itself
---@field package create table options of its sandbox
---@field package kit codecell.Kit
---@field package service codecell.Service? of its tools, where they need one
---@field package box codecell.McpBox
---@field package jobs codecell.McpJobs
---@field package timeout number
---@field package idle number
---@field package job_after number
---@field package subscriptions table<string, boolean> URIs
---@field package subscribed integer how many those are
---@field package outputs {id: string, bytes: integer}[] that can be read on
---@field package log_level string the least that is told
---@field package share codecell.HoldingShare of what its messages may take in memory
---@field package listeners codecell.McpRequest[] that end with the session
---@field package emit fun(value: table)
---@field package answering table<string, codecell.McpRequest>
---@field package count integer of those
local Session = {}
Session.__index = Session

---@class codecell.McpOptions
---@field emit fun(value: table) tells the client what it has not asked for; may wait
---@field create table? options of `codecell.create` for the sandbox
---@field set string? of tools, as of `codecell.tools.kit`: "recommended", "actions", "cortex"
---@field policy codecell.Policy? asked before each verb
---@field timeout number? seconds of a call, default 300
---@field idle number? seconds that the sandbox lives when it is not used, default 3600
---@field job_after number? seconds after which a call is answered with a job, default 45
---@field problem (fun(text: string))? hears of faults of this library
---@field share codecell.HoldingShare? of memory for messages; default: 128 MiB of its own
---@field is_modern boolean? requests that name their own revision (2026-07-28) are answered too:
---where all requests are of one client. Default false

local SECONDS = { type = "number", above = 0, most = 86400 }
local OPTIONS = {
  emit = { type = "function" }, create = { type = "table", fields = create.options },
  set = { type = "name" }, policy = { type = "table" }, timeout = SECONDS, idle = SECONDS,
  job_after = SECONDS, problem = { type = "function" }, is_modern = { type = "boolean" },
  share = { type = "table" },
}
local TIMEOUT, IDLE, JOB_AFTER = 300, 3600, 45

local function hear(self, event)
  if event.type == "refused" or event.class == "security" then
    self:log("warning", "sandbox", event.message)
  elseif event.type == "paused" then
    self:log("notice", "sandbox", "the sandbox was paused: its time is over")
  end
end

--- A session that has not begun. Its sandbox is made by the first call that needs one.
---@param given codecell.McpOptions
---@return codecell.McpSession? session
---@return codecell.Error? err the set of tools cannot be had so; never of "recommended"
function mcp.session(given)
  given = options.check("mcp.session", given, OPTIONS)
  options.argument("mcp.session", "emit", given.emit, "function")
  errors.assert(reactor.get())
  local self = setmetatable({
    emit = given.emit, create = given.create or {}, timeout = given.timeout or TIMEOUT,
    idle = given.idle or IDLE, job_after = given.job_after or JOB_AFTER,
    problem = given.problem or reactor.fail, is_modern = given.is_modern,
    subscriptions = {}, subscribed = 0, outputs = {}, log_level = levels.default,
    answering = {}, count = 0, listeners = {}, share = given.share or holding.share(HELD_MOST),
  }, Session)
  self.box = box.new(given.create, self.idle, function(event) hear(self, event) end)
  self.jobs = jobs.new(self)
  self.kit, self.service = toolbox.new(self, given.set, given.policy)
  if not self.kit then
    return nil, self.service
  end
  return self
end

-- ---- what it says ----

--- Tell the client something that it has not asked for.
---@param method string
---@param params table?
function Session:notify(method, params)
  if self.is_closed then
    return
  end
  modern.tell(self, method, params)
  if self.version then
    self.emit({ jsonrpc = "2.0", method = method, params = params })
  end
end

--- A line for the client's log.
---@param level string
---@param logger string
---@param data any
---@param about_request codecell.McpRequest? that it belongs to
function Session:log(level, logger, data, about_request)
  local least = self.log_level
  if about_request and about_request.version == version.modern then
    least = about_request.log_level
  elseif not self.version then
    least = nil
  end
  if not least or not levels.is_at_least(level, least) then
    return
  end
  local params = { level = level, logger = logger, data = data }
  if about_request then
    about_request:notify("notifications/message", params)
  else
    self:notify("notifications/message", params)
  end
end

--- Whether the client listens to what becomes of a resource.
---@param uri string
---@return boolean
function Session:wants(uri)
  return self.subscriptions[uri] or modern.wants(self, uri)
end

--- A call of a tool has ended.
---@param job codecell.McpJob
function Session:called(job)
  resources.add(self, job.result)
end

-- ---- what it answers ----

local function initialize(self, wanted)
  if self.version then
    return nil, message.problem("request", "the session was initialized already")
  elseif type(wanted.params.protocolVersion) ~= "string" then
    return nil, message.problem("params", "protocolVersion: a string expected")
  end
  self.version = version.negotiate(wanted.params.protocolVersion)
  self.client = message.is_object(wanted.params.clientInfo) and wanted.params.clientInfo or {}
  return { protocolVersion = self.version, capabilities = about.capabilities(),
    serverInfo = about.server(), instructions = about.instructions(self) }
end

local function set_level(self, wanted)
  if not levels.is_known(wanted.params.level) then
    return nil, message.problem("params", "level: one of " .. table.concat(levels.names, ", "))
  end
  self.log_level = wanted.params.level
  return {}
end

local METHODS = {
  initialize = initialize,
  ["logging/setLevel"] = set_level,
  ping = function() return {} end,
  ["tools/call"] = calls.call,
  ["tools/list"] = calls.list,
}
for _, module in ipairs({ prompts, resources }) do
  for method, handler in pairs(module.methods) do
    METHODS[method] = handler
  end
end

local BEFORE = { initialize = true, ping = true }

-- Who may answer: the handler, or nil and why not.
local function find(self, wanted)
  local handler, problem = modern.find(self, wanted, METHODS)
  if handler or problem then
    return handler, problem
  end
  wanted.version = self.version
  handler = METHODS[wanted.method]
  if not handler then
    return nil, message.problem("method", "there is no method " .. json.repair(
      wanted.method:sub(1, 80)))
  elseif not self.version and not BEFORE[wanted.method] then
    return nil, message.problem("request", wanted.method .. ": initialize comes first")
  end
  return handler
end

local function respond(self, wanted)
  local handler, problem = find(self, wanted)
  local result
  if handler then
    local ok
    ok, result, problem = wait.call(handler, self, wanted)
    if not ok then
      if not self.is_closed then -- else what it needed was gone
        self.problem(tostring(result))
      end
      result, problem = nil, message.problem("internal", wanted.method .. " has failed")
    end
  end
  if result then
    result = modern.result(wanted, result)
  elseif not problem then
    problem = message.problem("internal", wanted.method .. " was given up")
  end
  wanted:finish(message.answer(wanted.id, result, problem))
end

-- A number and a text are different ids.
local function key_of(id)
  return type(id) .. ":" .. tostring(id)
end

local function accept(self, value, reply, held)
  local wanted = request.new(self, value, reply, held)
  local key = key_of(value.id)
  if self.answering[key] then
    return wanted:finish(message.answer(value.id, nil, message.problem("request",
      "a request of this id is being answered")))
  elseif self.count >= (value.method == "ping" and 2 or 1) * ANSWERING_MOST then
    return wanted:finish(message.answer(value.id, nil, message.problem("busy",
      ("%d requests are being answered: wait for one of them"):format(self.count))))
  end
  self.answering[key], self.count = wanted, self.count + 1
  held:use()
  task.background(function()
    wanted.task = wait.task()
    respond(self, wanted)
    self.answering[key], self.count = nil, self.count - 1
    held:leave()
  end)
end

local function cancelled(self, params)
  local id = params and params.requestId
  local wanted = (type(id) == "string" or type(id) == "number") and self.answering[key_of(id)]
  if wanted and wanted.method ~= "initialize" then
    wanted:cancel()
  end
end

-- ---- what it hears ----

-- One message: whether anything will answer it.
local function take(self, value, reply, held)
  local kind, problem = message.kind(value)
  if not kind then
    reply(message.answer(message.id_of(value), nil, problem), true)
    return true
  elseif kind == "request" then
    accept(self, value, reply, held)
    return true
  elseif kind == "notification" and value.method == "notifications/cancelled" then
    cancelled(self, value.params)
  end
  return false
end

-- Several answers become one list.
local function gather(values, reply)
  local answers, open = json.list(), 0
  for _, value in ipairs(values) do
    local kind = message.kind(value)
    open = open + ((kind == "request" or not kind) and 1 or 0)
  end
  return open > 0, function(value, is_last)
    if not is_last then
      return reply(value, false)
    end
    answers[#answers + 1] = value
    open = open - 1
    if open == 0 then
      reply(answers[1] and answers or nil, true)
    end
  end
end

local function take_all(self, values, reply, held)
  if self.version and version.is_at_least(self.version, "2025-06-18") then
    reply(message.answer(nil, nil, message.problem("request",
      "a batch: since 2025-06-18 there are none")), true)
    return true
  end
  local is_answered, each = gather(values, reply)
  for _, value in ipairs(values) do
    if message.is_object(value) and value.method == "initialize" and message.id_of(value) then
      each(message.answer(value.id, nil, message.problem("request",
        "initialize: not in a batch")), true)
    else
      take(self, value, each, held)
    end
  end
  return is_answered
end

-- What there is no memory for is refused, but for what gives some back.
local function take_unheld(self, value, reply, err)
  if message.kind(value) == "notification" then
    return take(self, value, reply)
  end
  reply(message.answer(message.id_of(value), nil, message.problem("busy", err.message)), true)
  return true
end

--- Hear something of the client. Returns at once, unless the client takes nothing.
---@param value string|table JSON, or what `codecell.mcp.message` has read of it
---@param reply (fun(value: table?, is_last: boolean))? tells the client what belongs to this: in
---the end with `is_last`, and nil where nothing answers it any more. Default: `emit`
---@param held codecell.Held? what it has in memory: taken
---@return boolean is_answered whether `reply` is called with `is_last`, now or later
function Session:receive(value, reply, held)
  if self.is_closed then
    if held then
      held:leave()
    end
    return false
  end
  reply = reply or function(answer)
    if answer then
      self.emit(answer)
    end
  end
  local problem, bytes, err
  if type(value) == "string" then
    value, problem, bytes = message.read(value)
  end
  if problem then
    reply(message.answer(nil, nil, problem), true)
    return true
  elseif not held then
    held, err = holding.hold(self.share, bytes or 0)
  end
  if not held then
    return take_unheld(self, value, reply, err)
  end
  local is_answered = (json.is_list(value) and take_all or take)(self, value, reply, held)
  held:leave()
  return is_answered
end

--- Whether something is being answered, or runs as a job.
---@return boolean
function Session:is_busy()
  return self.count > 0 or self.jobs:count() > 0
end

--- Whether something would be lost with it: a sandbox, or what is being done.
---@return boolean
function Session:has_something()
  return self.service ~= nil or self.box:peek() ~= nil or self:is_busy()
end

--- The end: of what runs, and of the sandbox. Idempotent.
function Session:close()
  if not self.is_closed then
    self.is_closed = true
    self.jobs:close()
    for _, wanted in pairs(self.answering) do
      wanted:cancel()
    end
    self.box:close()
    self.kit:close()
    if self.service then
      self.service:close()
    end
  end
end

return mcp
