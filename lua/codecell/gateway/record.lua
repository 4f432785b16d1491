--- One sandbox, as the gateway knows it.
local answer = require "codecell.gateway.answer"
local codecell = require "codecell"
local core = require "codecell.core"
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local shape = require "codecell.e2b.shape"
local wait = require "codecell.wait"

local record = {}

record.ENVD = "0.6.13" -- the version whose behaviour is kept to
local CLIENT = "local"
local DAY = 86400
local AT_ONCE = 0.001 -- seconds
local MIB = 1048576
local LOGS_MOST, LOGS_OLD = 1000, 100 -- lines that are kept, and that go at once
local KEPT = 30 -- seconds that the end of a process can still be heard of

---@class codecell.GatewayRecord
---@field id string
---@field sandbox codecell.Sandbox
---@field token string? of envd
---@field traffic string? of its ports, where they are not public
---@field runs table<integer, codecell.GatewayRun> its processes, by number
---@field runs_count integer
---@field package ended_runs table those that have ended, the oldest first: a queue
---@field watchers table<string, table>
---@field owner string? the name of the key that has made it
---@field gateway codecell.Gateway that it is of
---@field visitors integer requests to it that are being answered
---@field is_over boolean? it was killed
---@field is_stopped boolean? because the gateway ends
---@field is_resuming boolean?
---@field told_pause "full"|"filesystem"|nil what a client told it to keep when it paused it; nil:
---its timeout did, or it runs
---@field tried table<integer, boolean> its ports that clients have asked for, and their `count`
---@field given table what it was asked for
local Record = {}
Record.__index = Record

-- Who waits for it is woken whenever something is told of any of them.
record.news = { count = 0 }

--- Make the record of a sandbox that was just created.
---@param sandbox codecell.Sandbox
---@param given table `template envs metadata timeout secure auto_pause auto_resume is_public
---network internet mask domain`
---@return codecell.GatewayRecord
function record.new(sandbox, given)
  local self = setmetatable({ id = sandbox.id, sandbox = sandbox, given = given, runs = {},
    runs_count = 0, ended_runs = { first = 1, last = 0 }, watchers = {},
    logs = {}, told = 0, measured = {}, tried = { count = 0 }, owner = given.owner,
    token = given.secure and answer.secret() or nil,
    traffic = not given.is_public and answer.secret() or nil, started_at = core.time(),
    envs = { E2B_SANDBOX = "true", E2B_SANDBOX_ID = sandbox.id,
      E2B_TEMPLATE_ID = given.template } }, Record)
  sandbox:set_envs(self.envs)
  for name, value in pairs(given.envs) do
    self.envs[name] = self.envs[name] or value
  end
  self:extend(given.timeout)
  self:log("info", "Sandbox created")
  return self
end

--- Whether it is there, running or paused.
---@return boolean
function Record:lives()
  return not self.sandbox:_closed() and self.sandbox._backend.state(self.sandbox) == "running"
end

---@return boolean
function Record:is_paused()
  return self:lives() and not self.sandbox:is_running()
end

---@return integer
function Record:count_watchers()
  local count = 0
  for _ in pairs(self.watchers) do
    count = count + 1
  end
  return count
end

--- Know of a process that was started. Its number may be that of one that has ended.
---@param run codecell.GatewayRun
function Record:add_run(run)
  self.runs_count = self.runs_count + (self.runs[run.pid] and 0 or 1)
  self.runs[run.pid] = run
end

--- Know of it no more.
---@param run codecell.GatewayRun
function Record:forget_run(run)
  if self.runs[run.pid] == run then
    self.runs[run.pid] = nil
    self.runs_count = self.runs_count - 1
  end
end

--- Know of one that has ended for a while.
---@param run codecell.GatewayRun
function Record:keep_ended(run)
  local queue = self.ended_runs
  queue.last = queue.last + 1
  queue[queue.last] = { run = run, until_time = reactor.now() + KEPT }
end

--- Forget those that have ended, and were known of for long enough.
---@param is_full boolean? all that have ended
function Record:forget_ended(is_full)
  local queue = self.ended_runs
  local oldest = queue[queue.first]
  while oldest and (is_full or oldest.until_time <= reactor.now()) do
    self:forget_run(oldest.run)
    queue[queue.first], queue.first = nil, queue.first + 1
    oldest = queue[queue.first]
  end
end

-- To take away the first of many costs as much as all that follow it.
local function newest(logs)
  local kept = {}
  for i = 1, LOGS_MOST do
    kept[i] = logs[#logs - LOGS_MOST + i]
  end
  return kept
end

--- Add a line to its log.
---@param level string
---@param message string
---@param about table<string, string>?
function Record:log(level, message, about)
  if #self.logs >= LOGS_MOST + LOGS_OLD then
    self.logs = newest(self.logs)
  end
  self.told = self.told + 1
  self.logs[#self.logs + 1] = { number = self.told, at = core.time(), level = level,
    message = message, fields = about or {} }
  record.news.count = record.news.count + 1
  reactor.wake(record.news)
end

--- Add what its sandbox tells.
---@param event codecell.Event|codecell.InstallEvent
function Record:hear(event)
  if event.type == "refused" then
    self:log("warn", event.message, { event = "refused", what = event.what, why = event.why,
      allow = event.allow, times = ("%d"):format(event.times or 1) })
  elseif event.type == "paused" then
    self:log("info", "Sandbox paused at the end of its time")
  elseif event.type == "install" then
    self:log(event.success and "info" or "warn", event.message or event.command)
  end
end

--- Let it end, or pause, so many seconds from now.
---@param seconds number 0: at once
---@return true? done
---@return codecell.Error? err
function Record:extend(seconds)
  local ok, err = self.sandbox:set_timeout(math.max(math.min(seconds, DAY), AT_ONCE))
  if ok then
    self.lifetime, self.ends_at = seconds, core.time() + seconds
  end
  return ok, err
end

-- What runs ends, files stay.
local function forget_processes(self)
  self.sandbox._backend.ask(self.sandbox, "pause", "signal", 0, 9, false)
  for _, context in ipairs(self.sandbox:list_code_contexts()) do
    self.sandbox:restart_code_context(context.id)
  end
end

--- Let it stand still. It is kept for a day, unless it is resumed.
---@param keeps_memory boolean false: only its files
---@return true? done
---@return codecell.Error? err
function Record:pause(keeps_memory)
  if not keeps_memory then
    forget_processes(self)
  end
  local ok, err = self.sandbox:pause()
  if ok then
    ok, err = self.sandbox:set_timeout(DAY)
    self.told_pause = keeps_memory and "full" or "filesystem"
    self:log("info", "Sandbox paused")
    self.gateway:hear(self, "sandbox_paused")
  end
  return ok, err
end

local function go_on(self, seconds, keeps_memory)
  if keeps_memory == false or not self.told_pause and not self.given.pauses_memory then
    forget_processes(self)
  end
  local ok, err = self:extend(seconds) -- ahead: what resumes gets as much as it had last
  if ok then
    ok, err = self.sandbox:resume()
  end
  if ok then
    self.told_pause = nil
    ok, err = self:extend(seconds)
    self:log("info", "Sandbox resumed")
    self.gateway:hear(self, "sandbox_resumed")
  end
  return ok, err
end

--- Let it go on. Several may ask for it at once: what one of them starts then, the others leave
--- alone.
---@param seconds number that it lives from now on
---@param keeps_memory boolean? false: with its files alone
---@return true? done
---@return codecell.Error? err
function Record:resume(seconds, keeps_memory)
  while self.is_resuming do
    if not wait.key(self) then
      return nil, wait.failure("resume")
    end
  end
  if not self:lives() then
    return nil, errors.new("sandbox_gone", "resume: the sandbox has ended")
  elseif not self:is_paused() then
    return true
  end
  self.is_resuming = true
  local called, ok, err = wait.call(go_on, self, seconds, keeps_memory)
  self.is_resuming = nil
  reactor.wake(self)
  if not called then
    error(ok, 0)
  end
  return ok, err
end

--- End it.
function Record:kill()
  self.is_over = true
  self:log("info", "Sandbox killed")
  self.sandbox:kill()
  self.sandbox:close()
  for _, watching in pairs(self.watchers) do
    watching.stop()
  end
  reactor.wake(self)
end

-- ---- as the control plane tells it ----

-- What is there again when it goes on.
local function pause_mode(self)
  return self.told_pause or (self.given.pauses_memory and "full" or "filesystem")
end

--- What whoever may speak to it is told.
---@return table
function Record:access()
  local json = codecell.json
  return {
    templateID = self.given.template, sandboxID = self.id, clientID = CLIENT,
    envdVersion = record.ENVD, envdAccessToken = self.token,
    trafficAccessToken = self.traffic or json.null, domain = self.given.domain or json.null,
    alias = self.given.alias,
  }
end

--- What a list tells of it.
---@return table
function Record:listed()
  local info = self.sandbox:get_info()
  local limits = info.limits
  local cpu = limits.cpu.value > 0 and math.ceil(limits.cpu.value) or self.given.cpus
  return {
    templateID = self.given.template, alias = self.given.alias, sandboxID = self.id,
    clientID = CLIENT, startedAt = shape.timestamp(self.started_at),
    endAt = shape.timestamp(self.ends_at), envdVersion = record.ENVD, cpuCount = cpu,
    memoryMB = math.floor(limits.memory.value / MIB),
    diskSizeMB = math.floor(limits.disk.value / MIB), metadata = self.given.metadata,
    state = self:is_paused() and "paused" or "running",
    volumeMounts = codecell.json.list(self.given.volumes or {}),
    isolation = info.isolation, -- no field of E2B's: what runs here is in no machine of its own
  }
end

--- What is known of it.
---@return table
function Record:detail()
  local given, detail = self.given, self:listed()
  detail.envdAccessToken, detail.domain = self.token, given.domain
  detail.allowInternetAccess, detail.network = given.internet, given.network
  detail.lifecycle = { autoResume = given.auto_resume == true,
    onTimeout = given.auto_pause and "pause" or "kill" }
  detail.pauseMode = detail.state == "paused" and pause_mode(self) or nil
  return detail
end

return record
