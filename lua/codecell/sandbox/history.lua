--- What was run in a sandbox: the code of each execution and what it did, while that is little.
local history = {}

local MOST, BYTES_MOST = 1000, 8 * 1024 * 1024 -- older ones are forgotten first

---@class codecell.PastRun
---@field at integer seconds of os.time when it ended
---@field code string
---@field language string
---@field context string id
---@field execution codecell.Execution

local function size_of(code, execution)
  local size = #code
  for _, chunks in pairs(execution.logs) do
    for _, chunk in ipairs(chunks) do
      size = size + #chunk
    end
  end
  for _, result in ipairs(execution.results) do
    for _, value in pairs(result) do
      size = size + (type(value) == "string" and #value or 64)
    end
  end
  return size
end

local function forget_oldest(kept)
  kept.bytes = kept.bytes - kept.sizes[kept.first]
  kept[kept.first], kept.sizes[kept.first] = nil, nil
  kept.first = kept.first + 1
end

--- Run a cell, and keep what it did.
---@param sandbox codecell.Sandbox
---@param kernel codecell.Kernel
---@param job table as of `Kernel:execute`
---@return codecell.Execution?
---@return codecell.Error?
function history.execute(sandbox, kernel, job)
  local execution, err = sandbox._backend.execute(sandbox, kernel, job)
  if not execution then
    return nil, err
  end
  local kept = sandbox._history
  if not kept then
    kept = { first = 1, last = 0, bytes = 0, sizes = {} }
    sandbox._history = kept
  end
  kept.last = kept.last + 1
  kept[kept.last] = { at = os.time(), code = job.code, language = execution.language,
    context = execution.context, execution = execution }
  kept.sizes[kept.last] = size_of(job.code, execution)
  kept.bytes = kept.bytes + kept.sizes[kept.last]
  while kept.first < kept.last and (kept.bytes > BYTES_MOST or kept.last - kept.first >= MOST) do
    forget_oldest(kept)
  end
  return execution
end

--- The runs that are kept, oldest first.
---@param sandbox codecell.Sandbox
---@return codecell.PastRun[]
---@return integer forgotten how many there were before them
function history.list(sandbox)
  local kept, list = sandbox._history, {}
  for i = kept and kept.first or 1, kept and kept.last or 0 do
    list[#list + 1] = kept[i]
  end
  return list, kept and kept.first - 1 or 0
end

return history
