--- codecell.Job: code of a service that runs while the program goes on.
---
---     local job = service:start("train()", { key = "long" })
---     repeat codecell.step(1); io.write(job:output()) until job:poll() ~= false
local errors = require "codecell.errors"
local execute = require "codecell.service.execute"
local options = require "codecell.options"
local task = require "codecell.task"

local job = {}

local KEPT_MOST = 1024 * 1024 -- bytes of output that nobody has asked for yet
local LEFT_OUT = "[output was left out here]\n"
local SPARE = 30 -- seconds that a sandbox lives on after its code

---@class codecell.Job
---@field package task codecell.Task
local Job = {}
Job.__index = Job

-- Take what is printed; of too much that nobody fetches the latest stays.
local function keep(self, text)
  local kept = self.kept
  kept[#kept + 1], self.size = text, self.size + #text
  if self.size > KEPT_MOST then
    local all = table.concat(kept)
    self.kept, self.is_cut = { all:sub(-KEPT_MOST / 2) }, true
    self.size = #self.kept[1]
  end
end

local function heard(self, called)
  return function(text)
    keep(self, text)
    if called then
      return called(text)
    end
  end
end

--- See `Service:start`.
---@param service codecell.Service
---@param code string
---@param given table checked options
---@param find fun(): codecell.ServiceEntry?, codecell.Error? the sandbox, made if need be
---@return codecell.Job?
---@return codecell.Error?
function job.start(service, code, given, find)
  local self = setmetatable({ service = service, kept = {}, size = 0 }, Job)
  given.timeout = given.timeout or service.config.max_execution_time
  given.on_stdout, given.on_stderr = heard(self, given.on_stdout), heard(self, given.on_stderr)
  function given.on_start(started, sandbox)
    self.run, self.sandbox = started, sandbox
    if self.wanted then
      self:set_timeout(self.wanted)
    end
  end
  local err
  self.task, err = task.async(execute.run, service, code, given, find)
  return self.task and self, err
end

--- The reply, without waiting.
---@return codecell.Reply|false|nil reply false as long as it runs
---@return codecell.Error? err after nil: the code was not run
function Job:poll()
  return self.task:poll()
end

--- Wait for the end.
---@param timeout number? seconds; default: as long as it may run
---@return codecell.Reply? reply
---@return codecell.Error? err kind "timeout" when it still runs, and those of `Service:execute`
function Job:wait(timeout)
  return self.task:wait(timeout)
end

--- What it has printed since the last call; of more than 1 MiB the latest half.
---@return string
function Job:output()
  local text = (self.is_cut and LEFT_OUT or "") .. table.concat(self.kept)
  self.kept, self.size, self.is_cut = {}, 0, nil
  return text
end

--- Let it take so many seconds from now; its sandbox lives as long, and a little longer.
---@param seconds number at most max_execution_time
---@return boolean? done false: it has ended
---@return codecell.Error? err kinds "limit_exceeded" (more than max_execution_time, or err.word
---"budget"), "unsupported"
function Job:set_timeout(seconds)
  options.argument("set_timeout", "seconds", seconds, "number", { above = 0, most = 86400 })
  local most = self.service.config.max_execution_time
  if seconds > most then
    return nil, errors.new("limit_exceeded", ("set_timeout: %g s are more than the %g s that a "
      .. "call may ask for; raise max_execution_time"):format(seconds, most),
      "raise max_execution_time")
  elseif self.task.done then
    return false
  elseif not self.run then
    self.wanted = seconds -- once it runs
    return true
  end
  local about = self.sandbox._about
  if about.started_at + about.timeout < os.time() + seconds + SPARE then
    local ok, err = self.sandbox:set_timeout(math.min(seconds + SPARE, 86400))
    if not ok then
      return nil, err
    end
  end
  return self.run:set_timeout(seconds)
end

--- End it.
---@return boolean killed false if it had ended
function Job:kill()
  if self.task.done then
    return false
  elseif self.run then
    return self.run:kill()
  end
  return self.task:cancel()
end

return job
