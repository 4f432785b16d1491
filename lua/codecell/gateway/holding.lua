--- What is held in memory of the bodies of requests, of all clients together: a bound that no
--- number of them passes. Where it matters who sends, each has a share of it.
local errors = require "codecell.errors"

local holding = {}

local PATIENCE = 60 -- seconds that a body may be silent

local held, most = 0, 1073741824 -- bytes

---@class codecell.HoldingShare
---@field package held integer bytes
---@field package most integer

---@class codecell.Held what outlives its request
---@field package bytes integer
---@field package share codecell.HoldingShare?
---@field package users integer
local Held = {}
Held.__index = Held

--- Set how much it may be.
---@param bytes integer
function holding.set(bytes)
  most = bytes
end

---@return integer bytes that are held now
function holding.count()
  return held
end

--- How much one of the clients may have of it.
---@param bytes integer at most
---@return codecell.HoldingShare
function holding.share(bytes)
  return { held = 0, most = bytes }
end

local ALL = "too much is being sent here; try again later"
local OWN = "you have %d bytes in messages here that are not done with, of %d that one client may "
  .. "have: wait for some of them"

local function take(share, bytes)
  held = held + bytes
  if share then
    share.held = share.held + bytes
    if share.held > share.most then
      return nil, errors.new("rate_limited", OWN:format(share.held, share.most))
    end
  end
  if held > most then
    return nil, errors.new("rate_limited", ALL)
  end
  return true
end

local function give(share, bytes)
  held = held - bytes
  if share then
    share.held = share.held - bytes
  end
end

--- Whose share it is that a request fills.
---@param request codecell.IncomingRequest
---@param share codecell.HoldingShare
function holding.of(request, share)
  request.share = share
end

--- The next piece of a body. It is held until `holding.done`.
---@param request codecell.IncomingRequest
---@param timeout number? seconds; default: as of `read` of a request
---@return string? chunk nil at the end of the body, and on failure
---@return codecell.Error? err as of `read`; "rate_limited": all of them hold too much, or this one
function holding.read(request, timeout)
  local chunk, err = request:read(timeout)
  if chunk then
    request.held = (request.held or 0) + #chunk
    local ok
    ok, err = take(request.share, #chunk)
    if not ok then
      return nil, err
    end
  end
  return chunk, err
end

local STATUS = { timeout = 408, rate_limited = 429 }

--- The whole body of a request, held as of `read`.
---@param request codecell.IncomingRequest
---@param limit integer bytes of this one
---@return string? body
---@return integer? status after nil: what to answer; nil: nobody is there
---@return string? why of 429
function holding.all(request, limit)
  local chunks = {}
  local status, why
  repeat
    local chunk, err = holding.read(request, PATIENCE)
    chunks[#chunks + 1] = chunk
    status = err and (STATUS[err.kind] or 400) or (request.held or 0) > limit and 413 or nil
    why = status == 429 and err.message or nil
  until not chunk or status
  if request:is_left() then
    return nil, nil
  end
  return not status and table.concat(chunks) or nil, status, why
end

--- What is held of that request is held no more. Idempotent; its end does it too.
---@param request codecell.IncomingRequest
function holding.done(request)
  give(request.share, request.held or 0)
  request.held = nil
end

--- Hold what was made of a body as long as somebody uses it, instead of the body.
---@param share codecell.HoldingShare?
---@param bytes integer
---@return codecell.Held? held with one user
---@return codecell.Error? err kind "rate_limited": it is too much
function holding.hold(share, bytes)
  local ok, err = take(share, bytes)
  if not ok then
    give(share, bytes)
    return nil, err
  end
  return setmetatable({ bytes = bytes, share = share, users = 1 }, Held)
end

--- One more uses it.
function Held:use()
  self.users = self.users + 1
end

--- One uses it no more; the last one lets it go.
function Held:leave()
  self.users = self.users - 1
  if self.users == 0 then
    give(self.share, self.bytes)
  end
end

return holding
