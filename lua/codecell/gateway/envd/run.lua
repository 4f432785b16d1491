--- A process of a sandbox and those who listen to it. What is printed while nobody does is lost.
local base64 = require "codecell.base64"
local feed = require "codecell.gateway.envd.feed"
local reactor = require "codecell.reactor"
local rpc = require "codecell.gateway.envd.rpc"
local signals = require "codecell.process.signals"
local task = require "codecell.task"
local wait = require "codecell.wait"

local run = {}

local IN_A_ROW = 8 -- pieces of output
local GONE = 10 -- seconds that the end of one that was killed is waited for
local LEFT_MOST = 64 -- pieces that are still read once it was killed
local TURN, UNHEARD = 0.0005, 0.01 -- seconds
local ALIVE = rpc.message({ event = { keepalive = {} } })
local KILLED_BY = { SIGKILL = "killed", SIGTERM = "terminated", SIGINT = "interrupt",
  SIGSEGV = "segmentation fault", SIGABRT = "aborted", SIGHUP = "hangup", SIGPIPE = "broken pipe" }

---@class codecell.GatewayRun
---@field process codecell.Process
---@field pid integer
---@field about table `cmd args envs cwd tag`
---@field has_input boolean
---@field is_terminal boolean
---@field is_killed boolean? its output ends with it, whoever else has it
---@field is_held boolean? nothing of its output is dropped
---@field over string? the message that tells its end
local Run = {}
Run.__index = Run

-- One that is behind is waited for: others may come and go meanwhile.
local function tell(self, message)
  local listeners = {}
  for listener in pairs(self.feeds) do
    listeners[#listeners + 1] = listener
  end
  for _, listener in ipairs(listeners) do
    if self.feeds[listener] and not listener:put(message) then
      self.feeds[listener] = nil
    end
  end
end

-- Its output may end before it does.
local function end_of(self)
  local process = self.process
  local status = process:_exit()
  while not status do
    if not wait.wait(process) or process:_closed() then
      return nil
    end
    status = process:_exit()
    if not status and process:try_wait() == nil then
      return nil
    end
  end
  if status.signal ~= 0 then
    local name = signals.name(status.signal)
    local text = "signal: " .. (KILLED_BY[name] or name:gsub("^SIG", ""):lower())
    return { exitCode = -1, status = text, error = text }
  elseif status.code == 0 then
    return { exited = true, status = "exit status 0" }
  end
  local text = ("exit status %d"):format(status.code)
  return { exitCode = status.code, exited = true, status = text, error = text }
end

-- Whoever is heard waits for those who hear it; what nobody hears is lost and holds nothing up.
local function hold(self)
  local held = not self.is_killed and next(self.feeds) ~= nil
  if held ~= self.is_held then
    self.is_held = held
    self.process:_hold(0, held)
    self.process:_hold(1, held)
  end
end

-- A program may print without end: others have their turn meanwhile, and what nobody hears need
-- not be read quickly.
local function read_all(self)
  local process, count, left = self.process, 0, LEFT_MOST
  while not process:_closed() do
    hold(self)
    local chunk, stream = process:try_read()
    if chunk and next(self.feeds) then
      tell(self, rpc.message({ event = { data = { [stream] = base64.encode(chunk) } } }))
    end
    count, left = count + 1, left - (self.is_killed and 1 or 0)
    if chunk == nil then
      return stream
    elseif self.is_killed and process:_exit() and (not chunk or left <= 0) then
      return nil -- what others print whom it has started is not waited for
    elseif not chunk and not wait.wait(process) then
      return nil
    elseif chunk and count % IN_A_ROW == 0 then
      wait.key(nil, reactor.now() + (next(self.feeds) and TURN or UNHEARD))
    end
  end
end

-- What its sandbox came to is no end of its own: who listens is to see a connection break off.
local function went_with_sandbox(self, one, told)
  return told.exitCode == -1 and not self.is_killed and (one.is_over
    or one.sandbox:_closed() or one.sandbox._backend.reason(one.sandbox, "run") ~= nil)
end

local function attend(self, one)
  local err = read_all(self)
  local told = not err and not self.process:_closed() and end_of(self)
  if told and went_with_sandbox(self, one, told) then
    told = nil
  end
  local how = told and "done" or "broken"
  if told then
    self.over = rpc.message({ event = { ["end"] = told } })
    tell(self, self.over)
    tell(self, rpc.last)
  end
  for listener in pairs(self.feeds) do
    listener:finish(how)
  end
  self.feeds = {}
  if how == "done" then
    self.about = { tag = self.about.tag } -- the rest is told of what runs
  end
  if not self.process:_closed() then
    self.process:close()
  end
  reactor.wake(self)
  one:log("info", "Process ended", { pid = tostring(self.pid) })
  if how == "done" then
    one:keep_ended(self)
  else
    one:forget_run(self)
  end
end

--- Attend to a process that was started.
---@param one codecell.GatewayRecord
---@param process codecell.Process
---@param given table `about has_input is_terminal`
---@return codecell.GatewayRun
function run.new(one, process, given)
  local self = setmetatable({ process = process, pid = process.pid, about = given.about,
    has_input = given.has_input, is_terminal = given.is_terminal, feeds = {} }, Run)
  one:add_run(self)
  one:log("info", "Process started", { pid = tostring(self.pid), cmd = given.about.cmd })
  return self
end

--- Read what it prints, from now on.
---@param one codecell.GatewayRecord
function Run:begin(one)
  task.background(attend, self, one)
end

--- Listen to it from now on.
---@return codecell.GatewayStream
function Run:listen()
  local listener = feed.new()
  listener:put(rpc.message({ event = { start = { pid = self.pid } } }))
  if self.over then
    listener:put(self.over)
    listener:put(rpc.last)
    listener:finish("done")
  else
    self.feeds[listener] = true
  end
  return {
    feed = listener, alive = ALIVE, source = self,
    left = function()
      listener:leave()
      self.feeds[listener] = nil
    end,
  }
end

--- Send it a signal.
---@param number integer
---@param how {group: boolean}?
---@return boolean? sent false: it has ended
---@return codecell.Error? err
function Run:kill(number, how)
  if self.over or self.process:_closed() then
    return false
  end
  local sent, err = self.process:kill(number, how)
  self.is_killed = self.is_killed or sent
  if sent and not self.process:_closed() then
    reactor.wake(self.process:_token())
  end
  return sent, err
end

--- Whether it has ended, though those who listen may not have taken its last words yet.
---@return boolean
function Run:has_ended()
  return self.over ~= nil or self.process:_closed()
    or self.is_killed == true and self.process:_exit() ~= false
end

--- Wait until it has ended, if that does not take long: it was killed.
function Run:await_end()
  local deadline = reactor.now() + GONE
  while not self:has_ended() do
    if not wait.wait(self.process, deadline) then
      return
    end
  end
end

return run
