--- codecell.Session: the code of one conversation of one user, in a sandbox that stays.
---
---     local session = codecell.session { user = "ann", conversation = "7" }
---     session:run("x = 10")
---     print(session:run("x * 2").text)                                   --> 20
---
--- The names come from the host, never from a model: the same conversation of another user is
--- another sandbox.
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
  local service, err = given.service, nil
  if not service then
    service, err = require("codecell.service").service()
  end
  if not service then
    return nil, err
  end
  return setmetatable({ service = service, user = given.user, conversation = given.conversation,
    ip = given.ip, create = given.create or {} }, Session)
end

-- Who it is for, as the documents have it: "timestamp" is in milliseconds.
local function create_options(self)
  local all = {}
  for name, value in pairs(self.create) do
    all[name] = value
  end
  all.metadata = { userId = self.user, sessionId = self.conversation, ip = self.ip,
    timestamp = ("%.0f"):format(os.time() * 1000) }
  for name, value in pairs(self.create.metadata or {}) do
    all.metadata[name] = value
  end
  return all
end

--- Run code; its variables and files stay for the next time.
---@param code string
---@param given table? of `Service:execute`: `language envs stdin timeout on_stdout ...`
---@return codecell.Reply? reply
---@return codecell.Error? err the code was not run
function Session:run(code, given)
  local about = {}
  for name, value in pairs(given or {}) do
    about[name] = value
  end
  about.owner, about.key, about.create = self.user, self.conversation, create_options(self)
  return self.service:execute(code, about)
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
