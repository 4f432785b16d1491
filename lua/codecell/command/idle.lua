--- Sandboxes in which nothing happens: none of their processes spends processor time.
---
--- What is in a sandbox descends from the process that names it, so that any program of the user
--- can tell, without the one that made it.
local codecell = require "codecell"
local processes = require "codecell.command.processes"

local idle = {}

local LOOK = 1 -- seconds between two looks

-- Of each process: its parent, and the ticks that it and its ended children have had; proc(5).
local function ticks()
  local list = {}
  for pid, text in pairs(processes.each "stat") do
    -- The name in parentheses may hold anything.
    local numbers = {}
    for number in (text:match "^.*%) %a (.*)$" or ""):gmatch "%-?%d+" do
      numbers[#numbers + 1] = tonumber(number)
    end
    if numbers[14] then
      list[pid] = { parent = numbers[1],
        ticks = numbers[11] + numbers[12] + numbers[13] + numbers[14] }
    end
  end
  return list
end

-- The ticks of all processes below each of these.
local function spent(found)
  local all, sums = ticks(), {}
  for _, sandbox in ipairs(found) do
    sums[sandbox.pid] = 0
  end
  for pid, process in pairs(all) do
    local at, steps = pid, 0
    while at and not sums[at] and all[at] and steps < 64 do
      at, steps = all[at].parent, steps + 1
    end
    if at and sums[at] then
      sums[at] = sums[at] + process.ticks
    end
  end
  return sums
end

--- Those of these sandboxes that spend no processor time for a second.
---@param found {pid: integer}[]
---@return {pid: integer}[]
function idle.among(found)
  local before, list = spent(found), {}
  if #found == 0 then
    return list
  end
  local deadline = codecell.reactor():now() + LOOK
  while codecell.reactor():now() < deadline do
    codecell.step(deadline - codecell.reactor():now())
  end
  local after = spent(found)
  for _, sandbox in ipairs(found) do
    if after[sandbox.pid] == before[sandbox.pid] then
      list[#list + 1] = sandbox
    end
  end
  return list
end

return idle
