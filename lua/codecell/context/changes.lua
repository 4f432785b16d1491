--- Which files a cell has changed, in whatever language: told by the sandbox, not by a kernel.
---
--- The host has a descriptor that is readable when something may have changed below the home. A
--- cell that changes nothing costs a look at it before and after.
local core = require "codecell.core"
local reactor = require "codecell.reactor"
local secrets = require "codecell.secrets"
local wait = require "codecell.wait"

local PATIENCE = 60 -- seconds that another cell may take to ask
local HOME = "/home/user/"

local changes = {}

local function ask(sandbox, restart, pass)
  return sandbox._backend.ask(sandbox, "files_changed", "changes", restart, pass)
end

-- Count from now on. Cells that begin meanwhile wait: what they change is not to be swallowed.
local function restart(sandbox, state)
  state.is_asking = true
  local answer, err = ask(sandbox, true, sandbox:_changed() == nil)
  -- No room for the descriptor: then always look.
  if not answer and err.errno == core.errno.EMFILE then
    answer = ask(sandbox, true, false)
  end
  state.is_known = answer ~= nil
  state.is_asking = false
  reactor.wake(state)
end

--- A cell is about to be sent. What was changed before it, by the program or in the background, is
--- not its doing; with cells of other contexts running, nobody can tell.
---@param sandbox codecell.Sandbox
---@return table mark for `finish`, which must be called once
function changes.begin(sandbox)
  local state = sandbox._changes
  if not state then
    state = { running = 0, is_known = false, is_asking = false }
    sandbox._changes = state
  end
  state.running = state.running + 1
  if state.running == 1 and (not state.is_known or sandbox:_changed() ~= false) then
    restart(sandbox, state)
  end
  local deadline = state.is_asking and wait.deadline(PATIENCE)
  repeat until not (state.is_asking and wait.key(state, deadline))
  return { sandbox = sandbox, state = state }
end

-- Nothing is told rather than half of it.
local function say_truncated(execution, kept, total, unknown)
  execution.truncated = execution.truncated or {}
  execution.truncated.files_changed = { kept = kept, total = total, unknown = unknown }
end

local function tell(sandbox, execution, answer)
  local list = {}
  for i, change in ipairs(answer) do
    change.path = secrets.hide(sandbox, HOME .. change.path)
    list[i] = change
  end
  execution.files_changed = list
  if answer.unknown or #list < answer.total then
    say_truncated(execution, #list, answer.total, answer.unknown or nil)
  end
end

--- A cell has ended: put what was changed since the last one into its execution.
---@param mark table? of `begin`
---@param execution codecell.Execution? nil: the cell was not run
function changes.finish(mark, execution)
  if not mark then
    return
  end
  local sandbox, state = mark.sandbox, mark.state
  state.running = state.running - 1
  if not execution or state.is_known and sandbox:_changed() == false then
    return
  end
  if not state.is_known or sandbox:_closed() or sandbox:_state() ~= "running" then
    return say_truncated(execution, 0, 0, true)
  end
  local answer = ask(sandbox, false, false)
  if answer then
    tell(sandbox, execution, answer)
  else
    state.is_known = false
    say_truncated(execution, 0, 0, true)
  end
end

return changes
