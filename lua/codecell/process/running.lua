--- The processes of a sandbox that run in the background, by their numbers.
local running = {}

--- Keep a running process with its sandbox, so that it can be found by its number.
---@param sandbox codecell.Sandbox
---@param process codecell.Process
function running.keep(sandbox, process)
  local kept = sandbox._processes
  for other in pairs(kept) do
    if other:_closed() or other:_finished() then
      kept[other] = nil
    end
  end
  kept[process] = true
  process._processes = kept
end

--- The kept process of that number, if it runs.
---@param sandbox codecell.Sandbox
---@param pid integer
---@return codecell.Process?
function running.find(sandbox, pid)
  for process in pairs(sandbox._processes) do
    if process.pid == pid and not process:_closed() and process:_state() == "running" then
      return process
    end
  end
end

--- A second object for a process, which only lets go when it is closed.
---@param origin codecell.Process
---@return codecell.Process
function running.connect(origin)
  local process = origin:_connect()
  for _, name in ipairs({ "pid", "_sandbox", "_started", "_streams", "_terminal", "_about" }) do
    process[name] = origin[name]
  end
  return process
end

return running
