--- A session by standard input and output: a line is a message.
local core = require "codecell.core"
local lines = require "codecell.mcp.lines"
local mcp = require "codecell.mcp"
local message = require "codecell.mcp.message"
local reactor = require "codecell.reactor"
local task = require "codecell.task"
local wait = require "codecell.wait"

local stdio = {}

local QUEUE_MOST = 1024 * 1024 -- bytes that wait for the client before who speaks waits too
local PATIENCE = 600 -- seconds in which a client takes nothing, and is taken for dead

---@class codecell.McpStdio
---@field package input userdata
---@field package output userdata
---@field session codecell.McpSession
local Stdio = {}
Stdio.__index = Stdio

-- ---- what is said ----

local function fail(self)
  self.is_broken = true
  reactor.wake(self.room)
  reactor.wake(self.queue)
end

-- One line; false once nobody reads any more.
local function write(self, line)
  local at, deadline = 0, wait.deadline(PATIENCE)
  while true do
    local went_to = self.output:try_write(line, at)
    if went_to == #line then
      return true
    elseif not went_to then
      return false
    elseif went_to > at then
      deadline = wait.deadline(PATIENCE)
    end
    at = went_to
    if not wait.wait(self.output, deadline) then
      return false
    end
  end
end

local function speak(self)
  while not self.is_broken do
    local line = table.remove(self.queue, 1)
    if not line then
      wait.key(self.queue)
    elseif write(self, line) then
      self.waiting = self.waiting - #line
      reactor.wake(self.room)
    else
      fail(self)
    end
  end
end

local function emit(self, value)
  while self.waiting > QUEUE_MOST and not self.is_broken do
    if not wait.key(self.room) then
      return -- given up
    end
  end
  local line = message.encode(value) .. "\n"
  self.queue[#self.queue + 1] = line
  self.waiting = self.waiting + #line
  reactor.wake(self.queue)
end

-- ---- what is heard ----

local function hear(self, line)
  if not line then
    emit(self, message.answer(nil, nil, message.problem("request",
      ("a message has at most %d bytes"):format(message.most))))
  elseif line:find("%S") then
    self.session:receive(line)
  end
end

local function listen(self)
  local found = lines.new(message.most)
  while not self.is_broken do
    local piece = self.input:try_read()
    if piece then
      found:add(piece, function(line) hear(self, line) end)
    elseif piece == nil then
      local line = found:rest()
      if line ~= nil then
        hear(self, line)
      end
      self.has_ended = true
      return
    else
      wait.wait(self.input)
    end
  end
end

-- What should not happen ends it, in words.
local function guarded(self, called)
  local ok, problem = wait.call(called, self)
  if not ok then
    self.session.problem(tostring(problem))
    fail(self)
  end
end

--- Take both streams: what else the program writes goes to standard error from now on.
---@param given table options of `codecell.mcp.session`, without `emit`
---@return codecell.McpStdio? stdio
---@return codecell.Error? err kind "system", and those of `codecell.mcp.session`
function stdio.open(given)
  local self = setmetatable({ queue = {}, room = {}, waiting = 0 }, Stdio)
  given.emit, given.is_modern = function(value) emit(self, value) end, true
  local err
  self.session, err = mcp.session(given)
  if self.session then
    self.input, err = core.reader(reactor.get(), 0)
  end
  if self.input then
    self.output, err = core.writer(reactor.get())
  end
  if not self.output then
    if self.session then
      self.session:close()
    end
    return nil, err
  end
  task.background(guarded, self, speak)
  task.background(guarded, self, listen)
  return self
end

--- Whether the client has gone, or says no more.
---@return boolean
function Stdio:is_over()
  return self.has_ended or self.is_broken or false
end

--- The end: at once for what runs, and then for what was still to be said.
---@param seconds number that the client may take for it
function Stdio:close(seconds)
  self.session:close()
  local deadline = reactor.now() + seconds
  while self.waiting > 0 and not self.is_broken and reactor.now() < deadline do
    reactor.get():step(deadline - reactor.now())
  end
  self.input:close()
  self.output:close()
end

return stdio
