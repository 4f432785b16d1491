--- codecell.Session: the code of one conversation of one user, in a sandbox that stays.
---
---     local session = codecell.session { user = "ann", conversation = "7" }
---     session:run("x = 10")
---     print(session:run("x * 2").text)                                   --> 20
---
--- The names come from the host, never from a model: the same conversation of another user is
--- another sandbox.
local blocks = require "codecell.agent.blocks"
local format = require "codecell.agent.format"
local interpret = require "codecell.agent.interpret"
local merged = require "codecell.merged"
local options = require "codecell.options"

local session = {}

local GIVEN = {
  conversation = { type = "name" }, create = { type = "table" }, ip = { type = "name" },
  service = { type = "table" }, user = { type = "name" },
}

---@class codecell.Session
---@field user string
---@field conversation string
local Session = {}
Session.__index = Session

--- The session of a conversation; its sandbox is made when code is run.
---@param given {user: string, conversation: string, ip: string?, create: table?,
---service: codecell.Service?} create: options of its sandbox; service: default the state's own
---@return codecell.Session? session
---@return codecell.Error? err of `codecell.service`
function session.session(given)
  options.argument("session", "options", given, "table")
  given = options.check("session", given, GIVEN)
  options.argument("session", "user", given.user, "name")
  options.argument("session", "conversation", given.conversation, "name")
  local service, err = require("codecell.service").of(given.service)
  if not service then
    return nil, err
  end
  return setmetatable({ service = service, user = given.user, conversation = given.conversation,
    ip = given.ip, create = given.create or {} }, Session)
end

-- Who it is for, as the documents have it: "timestamp" is in milliseconds.
local function create_options(self)
  local who = { userId = self.user, sessionId = self.conversation, ip = self.ip,
    timestamp = ("%.0f"):format(os.time() * 1000) }
  return merged(self.create, { metadata = merged(who, self.create.metadata) })
end

local function with_sandbox(self, given)
  return merged(given, { owner = self.user, key = self.conversation,
    create = create_options(self) })
end

--- Run code; its variables and files stay for the next time.
---@param code string
---@param given table? of `Service:execute`: `language envs stdin timeout on_stdout ...`
---@return codecell.Reply? reply
---@return codecell.Error? err the code was not run
function Session:run(code, given)
  return self.service:execute(code, with_sandbox(self, given))
end

--- Start code that may take long, and go on.
---@param code string
---@param given table? as of `run`
---@return codecell.Job? job
---@return codecell.Error? err
function Session:start(code, given)
  return self.service:start(code, with_sandbox(self, given))
end

-- What one block did, for the model that wrote it.
local function observation_of(reply, err, number, count)
  local title = count > 1 and ("Block %d:\n\n"):format(number) or ""
  if not reply then
    return title .. "The code was not run: " .. err.message .. "\n"
  end
  return title .. format(reply.execution)
end

--- Run the code blocks of an assistant's message, in order, until one fails. Whether a message is
--- to be run at all is for the host to decide: never one that a user or a tool has pasted.
---@param message string Markdown
---@param given table? of `run`, for each block
---@return string? observation what to tell the model; nil: there was no code
---@return codecell.Reply[] replies of the blocks that were run
function Session:observe(message, given)
  options.argument("observe", "message", message, "data")
  local found, runnable = blocks.scan(message, { languages = interpret.can_run }), {}
  for _, block in ipairs(found) do
    if block.runnable then
      runnable[#runnable + 1] = block
    end
  end
  local observed, replies = {}, {}
  for i, block in ipairs(runnable) do
    local reply, err = self:run(block.code, merged(given, { language = block.language }))
    observed[i], replies[i] = observation_of(reply, err, i, #runnable), reply
    if not reply or not reply.success then
      break
    end
  end
  return observed[1] and table.concat(observed, "\n") or nil, replies
end

--- Its sandbox, made if there is none.
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err
function Session:sandbox()
  local all = create_options(self)
  all.owner, all.key = self.user, self.conversation
  local made, err = self.service:create(all)
  return made, not made and err or nil
end

--- What was run, oldest first.
---@return table[]
function Session:history()
  local list = {}
  for _, one in ipairs(self.service:history({ owner = self.user })) do
    if one.key == self.conversation then
      list[#list + 1] = one
    end
  end
  return list
end

--- End its sandbox; the next run makes another.
---@return boolean killed false: there was none
---@return codecell.Error? err
function Session:close()
  local entry = self.service.roster:under(self.user, self.conversation)
  if not entry then
    return false
  end
  return self.service:kill(entry.id, self.user)
end

return session
