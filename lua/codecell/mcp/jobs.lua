--- Calls of tools, each a job: one that takes long goes on after its request was answered.
local reactor = require "codecell.reactor"
local tail = require "codecell.process.tail"
local task = require "codecell.task"
local wait = require "codecell.wait"

local jobs = {}

local RUNNING_MOST = 16
local KEPT_MOST, KEPT_BYTES_MOST = 16, 16 * 1024 * 1024 -- of those that are over
local SHOWN_MOST = 4096 -- bytes of what one has printed

---@class codecell.McpJob
---@field id string
---@field name string of the tool
---@field started_at number
---@field result codecell.ToolResult? nil: it runs
---@field follower codecell.McpRequest? whose answer waits for it
---@field is_told boolean? the client knows its id
---@field printed fun(): string the last of what it has printed
---@field package task codecell.Task
local Job = {}
Job.__index = Job

---@class codecell.McpJobs
---@field package session codecell.McpSession
---@field list codecell.McpJob[] oldest first
local Jobs = {}
Jobs.__index = Jobs

---@param session codecell.McpSession
---@return codecell.McpJobs
function jobs.new(session)
  return setmetatable({ session = session, list = {}, serial = 0 }, Jobs)
end

--- How many run.
---@return integer
function Jobs:count()
  local count = 0
  for _, job in ipairs(self.list) do
    count = count + (job.result and 0 or 1)
  end
  return count
end

-- Bytes that are kept of a result.
local function weight_of(result)
  local bytes = #result.text
  for _, part in ipairs(result.parts) do
    bytes = bytes + (part.data and #part.data or 0)
  end
  return bytes
end

-- The oldest that are over give way, the last one never.
local function make_room(self)
  local count, bytes = 0, 0
  for i = #self.list, 1, -1 do
    local result = self.list[i].result
    if result then
      count, bytes = count + 1, bytes + weight_of(result)
      if count > 1 and (count > KEPT_MOST or bytes > KEPT_BYTES_MOST) then
        table.remove(self.list, i)
      end
    end
  end
end

--- Nobody will ask for it.
---@param job codecell.McpJob
function Jobs:forget(job)
  for i = #self.list, 1, -1 do
    if self.list[i] == job then
      table.remove(self.list, i)
    end
  end
end

-- What the code prints goes to whoever waits for it now.
local function hear(self, job, add, stream)
  return function(text)
    add(text)
    if job.follower then
      job.follower:printed(text)
    end
    self.session:log("info", stream, text, job.follower)
  end
end

--- Start a call.
---@param name string of a tool
---@param arguments table
---@param follower codecell.McpRequest
---@return codecell.McpJob? job nil: there are too many
function Jobs:start(name, arguments, follower)
  if self:count() >= RUNNING_MOST then
    return nil
  end
  self.serial = self.serial + 1
  local add, printed = tail(SHOWN_MOST)
  local job = setmetatable({ id = "job" .. self.serial, name = name, printed = printed,
    follower = follower, started_at = reactor.now() }, Job)
  self.list[#self.list + 1] = job
  follower.held:use()
  job.task = task.background(function()
    job.result = self.session.kit:call(name, arguments, {
      on_stdout = hear(self, job, add, "stdout"), on_stderr = hear(self, job, add, "stderr") })
    follower.held:leave()
    job.seconds = reactor.now() - job.started_at
    if not job.is_told and not job.follower then
      self:forget(job) -- its request was given up
    end
    make_room(self)
    self.session:called(job)
    reactor.wake(job)
  end)
  return job
end

---@param id string
---@return codecell.McpJob?
function Jobs:find(id)
  for _, job in ipairs(self.list) do
    if job.id == id then
      return job
    end
  end
end

--- All of them have to end.
function Jobs:close()
  for _, job in ipairs(self.list) do
    job:stop()
  end
end

--- Interrupt it.
---@return boolean stopped false: it was over
function Job:stop()
  return not self.result and self.task ~= nil and self.task:cancel()
end

--- Wait for its end.
---@param seconds number at most
---@return codecell.ToolResult? result
function Job:wait(seconds)
  local deadline = reactor.now() + seconds
  while not self.result and wait.key(self, deadline) do -- luacheck: ignore 542
  end
  return self.result
end

return jobs
