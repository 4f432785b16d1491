--- How many do something at the same time: the others wait in a line of bounded length.
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local gate = {}

---@class codecell.ServiceGate
---@field busy integer how many are in
---@field line table[] who waits, first come first
local Gate = {}
Gate.__index = Gate

--- An open gate.
---@param given {most: integer, line_most: integer, patience: number, what: string, knob: string}
---@return codecell.ServiceGate
function gate.new(given)
  return setmetatable({ most = given.most, line_most = given.line_most,
    patience = given.patience, what = given.what, knob = given.knob, busy = 0, line = {} }, Gate)
end

local function overloaded(self, why)
  local err = errors.new("unavailable", ("%s: %s; the code was not run; wait, or raise %s"):format(
    self.what, why, self.knob), "raise " .. self.knob)
  err.word, err.stage, err.retry_after = "overloaded", "queue", 1
  return err
end

local function remove(self, ticket)
  for i, one in ipairs(self.line) do
    if one == ticket then
      table.remove(self.line, i)
      return
    end
  end
end

-- The first in line comes in.
local function let_in(self)
  while self.busy < self.most and self.line[1] do
    local ticket = table.remove(self.line, 1)
    ticket.is_in = true
    self.busy = self.busy + 1
    reactor.wake(ticket)
  end
end

--- Come in, now or when it is one's turn.
---@param patience number? seconds; the gate's own if nil
---@return boolean? entered
---@return codecell.Error? err kind "unavailable", err.word "overloaded"; "cancelled"
function Gate:enter(patience)
  if self.busy < self.most and not self.line[1] then
    self.busy = self.busy + 1
    return true
  elseif #self.line >= self.line_most then
    return nil, overloaded(self, ("%d run and %d wait"):format(self.busy, #self.line))
  end
  local ticket = {}
  self.line[#self.line + 1] = ticket
  local deadline = reactor.now() + (patience or self.patience)
  while not ticket.is_in do
    if not wait.key(ticket, deadline) and not ticket.is_in then
      remove(self, ticket)
      if reactor.now() < deadline then
        return nil, errors.new("cancelled", self.what .. ": cancelled while it waited; "
          .. "the code was not run")
      end
      return nil, overloaded(self, ("waited %g s for its turn"):format(patience or self.patience))
    end
  end
  return true
end

--- Leave, and let the next in.
function Gate:leave()
  self.busy = self.busy - 1
  let_in(self)
end

--- Another size, from now on.
---@param most integer
function Gate:set(most)
  self.most = most
  let_in(self)
end

return gate
