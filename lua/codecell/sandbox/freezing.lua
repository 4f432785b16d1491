--- Freezing: a sandbox is kept as it is, as evidence. Its code stands still, its files can be read
--- and not be changed, and it does not end at its time for a day.
local errors = require "codecell.errors"
local pause = require "codecell.sandbox.pause"

local freezing = {}

local KEPT = 86400 -- seconds; freezing it again makes it a day from then on
-- What would change what is kept.
local CHANGES = { append = true, link = true, mkdir = true, remove = true, rename = true,
  signal = true, touch = true, unpack = true, write = true }

local function refused(what)
  return nil, errors.new("unavailable", what .. ": the sandbox is frozen; unfreeze it first",
    "unfreeze it first")
end

-- A backend that lets everything be looked at.
local function still(real)
  local backend = setmetatable({}, { __index = real })
  function backend.ask(sandbox, what, operation, ...)
    if CHANGES[operation] then
      return refused(what)
    end
    return real.ask(sandbox, what, operation, ...)
  end
  function backend.update_network()
    return refused("update_network")
  end
  return backend
end

--- Whether it is frozen.
---@param sandbox codecell.Sandbox
---@return boolean
function freezing.is_frozen(sandbox)
  return sandbox._frozen ~= nil
end

--- Keep it as it is.
---@param sandbox codecell.Sandbox
---@return true? frozen
---@return codecell.Error? err
function freezing.freeze(sandbox)
  if sandbox.backend ~= "local" then
    return nil, errors.unsupported("freeze", sandbox.backend, "pause it")
  end
  local ok, err = true, nil
  if not sandbox._frozen then
    ok, err = pause.pause(sandbox)
  end
  if ok then
    ok, err = sandbox._backend.set_timeout(sandbox, KEPT)
  end
  if ok and not sandbox._frozen then
    sandbox._frozen = sandbox._backend
    sandbox._backend = still(sandbox._backend)
  end
  return ok, err
end

--- Let it go on.
---@param sandbox codecell.Sandbox
---@return true? running
---@return codecell.Error? err
function freezing.unfreeze(sandbox)
  if not sandbox._frozen then
    return nil, errors.new("invalid_argument", "unfreeze: the sandbox is not frozen")
  end
  local still_one = sandbox._backend
  sandbox._backend, sandbox._frozen = sandbox._frozen, nil
  local ok, err = pause.resume(sandbox)
  if not ok then
    sandbox._backend, sandbox._frozen = still_one, sandbox._backend
  end
  return ok, err
end

--- Why it does not go on.
---@param sandbox codecell.Sandbox
---@param verb string
---@return codecell.Error? err nil: it is not frozen
function freezing.refusal(sandbox, verb)
  if sandbox._frozen then
    return select(2, refused(verb))
  end
end

return freezing
