--- How many sandboxes may live in this Lua state: those of users, those that are being made, and
--- those that pools keep ready, which give way to users.
local errors = require "codecell.errors"
local living = require "codecell.sandbox.living"

local room = {}

local most = 1000
local making = 0 -- for users
local known = 0 -- no more of users live than this
local stocks = {} -- pools that are open: `count` and `give_way`

--- Set how many there may be.
---@param count integer
function room.set(count)
  most = count
end

--- Have what a pool keeps counted.
---@param stock table `count()` of what it keeps and makes, `give_way()` ends one of
---them: whether there was one
function room.join(stock)
  stocks[#stocks + 1] = stock
end

---@param stock table
function room.leave(stock)
  for i = #stocks, 1, -1 do
    if stocks[i] == stock then
      table.remove(stocks, i)
    end
  end
end

local function stocked()
  local count = 0
  for i = 1, #stocks do
    count = count + stocks[i].count()
  end
  return count
end

-- The collector does not know what a sandbox weighs: at the limit it is asked once.
local function is_full()
  local others = making + stocked()
  if known + others < most then
    return false
  end
  known = living.count()
  if known + others >= most then
    collectgarbage()
    collectgarbage() -- an object that a finalizer kept goes with the second
    known = living.count()
  end
  return known + others >= most
end

local function give_way()
  for i = 1, #stocks do
    if stocks[i].give_way() then
      return true
    end
  end
  return false
end

-- Why there is no room.
local function full(verb)
  local ready = stocked()
  return errors.new("limit_exceeded",
    ("%s: %d sandboxes live in this Lua state%s; close some, or raise max_sandboxes in setup")
      :format(verb, known + making + ready,
        ready > 0 and (", %d of them for pools"):format(ready) or ""))
end

--- Whether one more may be kept ready.
---@return codecell.Error? err kind "limit_exceeded"; nil: it may
function room.refusal()
  return is_full() and full("pool") or nil
end

--- One more is to be made for a user, until `room.done`.
---@param verb string
---@return true? fits
---@return codecell.Error? err kind "limit_exceeded"
function room.enter(verb)
  if is_full() and not give_way() then
    return nil, full(verb)
  end
  making = making + 1
  return true
end

--- It was made, or could not be.
function room.done()
  making, known = making - 1, known + 1
end

return room
