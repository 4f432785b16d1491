--- Verbs of a sandbox that are done before the eyes of whoever looks on, if there is anybody: see
--- codecell.sandbox.witness, which is loaded by the first sandbox that has one.
local seen = {}

--- Do something that no backend is asked for.
---@param sandbox codecell.Sandbox
---@param event string
---@param describe fun(): table what is recorded of it, made where it is
---@param called function
---@param ... any its arguments
---@return any value
---@return codecell.Error? err
function seen.verb(sandbox, event, describe, called, ...)
  if not sandbox._witness then
    return called(...)
  end
  return sandbox._witness.verb(sandbox, event, describe, called, ...)
end

--- Tell what a program that runs is about to be given.
---@param process codecell.Process
---@param event "input"|"signal"
---@param value string|integer
---@return true? recorded
---@return codecell.Error? err it is not to be done
function seen.process(process, event, value)
  local witness = process._sandbox._witness
  if not witness then
    return true
  end
  return witness.note_process(process, event, value)
end

return seen
