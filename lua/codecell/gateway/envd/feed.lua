--- What goes on inside a sandbox, on its way to one client that listens: a queue with a bound.
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local feed = {}

local FULL = 1048576 -- bytes that wait for the client: who adds more waits too
local JOINED = 262144 -- bytes that are written at once

---@class codecell.GatewayFeed
---@field package pieces string[]
---@field package first integer
---@field package last integer
---@field package size integer
---@field is_left boolean? nobody reads it any more
---@field ended "done"|"broken"|nil
local Feed = {}
Feed.__index = Feed

---@return codecell.GatewayFeed
function feed.new()
  return setmetatable({ pieces = {}, first = 1, last = 0, size = 0 }, Feed)
end

--- Add something; waits while the client is behind.
---@param piece string
---@return boolean taken false: nobody reads it any more
function Feed:put(piece)
  while self.size > FULL and not self.is_left do
    if not wait.key(self) then
      return false
    end
  end
  if self.is_left then
    return false
  end
  self.last = self.last + 1 -- `#` finds any end of a list that is taken from at its beginning
  self.pieces[self.last] = piece
  self.size = self.size + #piece
  reactor.wake(self)
  return true
end

--- Nothing more will come.
---@param how "done"|"broken" broken: the client is to see that something is missing
function Feed:finish(how)
  self.ended = self.ended or how
  reactor.wake(self)
end

--- Nobody reads it any more.
function Feed:leave()
  self.is_left, self.pieces, self.first, self.last = true, {}, 1, 0
  reactor.wake(self)
end

local function take(self)
  local list, size = {}, 0
  while self.pieces[self.first] and size < JOINED do
    local piece = self.pieces[self.first]
    self.pieces[self.first], self.first = nil, self.first + 1
    list[#list + 1], size = piece, size + #piece
  end
  if self.first > self.last then
    self.pieces, self.first, self.last = {}, 1, 0
  end
  self.size = self.size - size
  if size > 0 then
    reactor.wake(self)
    return table.concat(list)
  end
end

-- What is over already when it begins is sent at once, and costs the client one wake-up.
local function write(self, request, headers, piece)
  if not request.has_started and self.ended == "done" and self.size == 0 then
    return request:reply(200, headers, piece) == true
  end
  return (request.has_started or request:start(200, headers) == true)
    and request:write(piece) == true
end

--- Send all of it, as it comes.
---@param request codecell.IncomingRequest
---@param given {headers: table, alive: string?, every: number?, deadline: number?} headers of the
---answer, which begins with the first piece; alive is sent after that many seconds without another
---@return "done"|"broken"|"left"|"late" outcome done: the answer was finished
function Feed:send(request, given)
  local quiet = given.every and reactor.now() + given.every
  while true do
    local piece = take(self)
    if not piece and self.ended then
      if self.ended == "done" and not request.has_finished then
        request:finish()
      end
      return self.ended
    elseif not piece and not wait.key(self, wait.earlier(quiet, given.deadline)) then
      local task = wait.task()
      if task and task.cancelled or request:is_left() then
        self:leave()
        return "left"
      elseif given.deadline and reactor.now() >= given.deadline then
        self:leave()
        return "late"
      end
      piece = quiet and reactor.now() >= quiet and given.alive
    end
    if piece and not write(self, request, given.headers, piece) then
      self:leave()
      return "left"
    end
    quiet = piece and given.every and reactor.now() + given.every or quiet
  end
end

return feed
