--- A context with a copy of the variables of another: its kernel is a fork of the other's.
---
--- A new kernel is started as any other, with a wire and output of its own. Told to wait, it hands
--- these to the kernel that is copied, which forks; from then on the copy speaks on that wire, and
--- the process that was started stands for it: it passes on interrupts, and both end together.
local context = require "codecell.context"
local core = require "codecell.core"
local errors = require "codecell.errors"
local pause = require "codecell.sandbox.pause"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local turns = require "codecell.context.turns"
local wait = require "codecell.wait"

local FORK, ERROR, DONE = 5, 18, 19 -- src/wire/protocol.h
local TURN = 300 -- seconds that the running cell may take
local TIMEOUT = 30 -- seconds for each step
local TEXT_MOST = 1000 -- bytes of what a kernel says is wrong
local PID = "^%d%d?%d?%d?%d?%d?%d?$" -- Linux has none above 2^22
local CAN = { python = true }

local branch = {}

local function fail(kernel, err)
  return nil, kernel.sandbox._backend.reason(kernel.sandbox, "fork") or err
end

-- The parts of the next DONE with that number.
local function hear(kernel, id)
  local process = kernel.process
  local deadline = wait.deadline(TIMEOUT)
  while kernel.process == process and not process:_closed() do
    local kind, request, parts = process:_receive()
    if kind and request == id and (kind == DONE or kind == ERROR) then
      local values = {}
      for i = 1, #parts, 2 do
        values[parts[i]] = parts[i + 1]
      end
      if kind == DONE then
        return values
      end
      local text = tostring(values.value):sub(1, TEXT_MOST):gsub("%c+", " ")
      text = secrets.hide(kernel.sandbox, text)
      return nil, values.name == "unsupported" and errors.new("unsupported", "fork: " .. text, text)
        or errors.new("system", "fork: " .. text)
    elseif kind == nil or process:_state() == "exited" or process:_state() == "failed" then
      local _, err = process:_state()
      return fail(kernel, err or errors.new("system", "fork: the interpreter has ended"))
    elseif not kind and not wait.wait(process, deadline) or reactor.now() >= deadline then
      return nil, wait.failure("fork", TIMEOUT, "the machine may be too busy")
    end
  end
  return nil, errors.new("cancelled", "fork: the context was restarted or removed")
end

local function ask(kernel, id, role, path, other)
  local sent, err = kernel.process:_send(FORK, id,
    { "role", role, "path", path, "other", ("%d"):format(other) })
  if not sent then
    return fail(kernel, err)
  end
  return hear(kernel, id)
end

-- The number of a kernel as the code sees it.
local function pid_of(kernel)
  local process = kernel.process
  local deadline = wait.deadline(TIMEOUT)
  while process:_state() == "starting" and wait.wait(process, deadline) do
    if process:_closed() then
      return 0
    end
  end
  return kernel.copy or process:_pid()
end

local function copy(from, to)
  local id, path = core.random(), ("/tmp/.codecell-%s"):format(core.random_id(20))
  local done, err = ask(to, id, "wait", path, pid_of(from))
  if done then
    done, err = ask(from, id, "branch", path, pid_of(to))
  end
  if done then
    done, err = hear(to, id)
  end
  if not done then
    return nil, err
  end
  to.copy = tonumber(tostring(done.pid):match(PID))
  if not to.copy then
    return nil, errors.new("system", "fork: the copy does not say the number of its process")
  end
  to.count, to.version, to.ready = from.count, from.version, true
  return true
end

--- Add a context with a copy of the variables of another one. It waits until no cell runs there.
---@param sandbox codecell.Sandbox
---@param origin codecell.Context
---@return codecell.Context? context
---@return codecell.Error? err kinds "unsupported" (the language, or what runs in it), "not_found",
---"unavailable" (its variables are lost), "cancelled", "timeout", "sandbox_gone"
function branch.fork(sandbox, origin)
  local refusal = pause.refusal(sandbox, "fork")
  if refusal then
    return nil, refusal
  end
  local from, err = context.kernel(sandbox, "fork", origin)
  if not from then
    return nil, err
  elseif not CAN[origin.language] then
    return nil, errors.unsupported("context:fork of " .. origin.language, "local",
      ("only contexts of Python can be copied; create a new one and run the code of %s again")
        :format(origin.id))
  end
  return turns.hold(from, "fork", TURN, function()
    local ok, problem = not from.process or from:settle()
    local made
    if ok and from.lost then
      ok, problem = nil, errors.new("unavailable", "fork: the interpreter of this context has "
        .. "ended, and its variables are lost; run its code again")
    end
    if ok then
      made, problem = context.create(sandbox, origin.language, from.cwd)
    end
    if not made or not from.process then -- without a process there is nothing to copy
      return made, problem
    end
    local to = context.kernel(sandbox, "fork", made)
    ok, problem = turns.hold(to, "fork", TURN, function() -- it is in the list already
      local there, why = to:start()
      if not there then
        return nil, why
      end
      return copy(from, to)
    end)
    if not ok then
      context.remove(sandbox, to)
      return nil, problem
    end
    return made
  end)
end

return branch
