--- What processes of this machine weigh, as /proc tells it.
local processes = require "codecell.command.processes"

local weight = {}

local function sum(text, pattern)
  local total
  for kilobytes in text:gmatch(pattern) do
    total = (total or 0) + tonumber(kilobytes) * 1024
  end
  return total
end

-- All that a process has started, itself first.
local function tree(pid, list)
  list[#list + 1] = pid
  local children = processes.read(("/proc/%d/task/%d/children"):format(pid, pid)) or ""
  for child in children:gmatch("%d+") do
    tree(tonumber(child), list)
  end
  return list
end

--- The memory of a process and of all that it has started.
---@param pid integer
---@return {private: number, pss: number?, processes: integer} memory bytes; private: what ends with
---it; pss: with its part of what others use too, nil where this user may not know
function weight.of(pid)
  local memory = { private = 0, pss = 0, processes = 0 }
  for _, one in ipairs(tree(pid, {})) do
    local rollup = processes.read(("/proc/%d/smaps_rollup"):format(one)) or ""
    local status = processes.read(("/proc/%d/status"):format(one)) or ""
    local private = sum(rollup, "\nPrivate_%a+:%s+(%d+)")
      or sum(status, "\nRss[AS][nh][om][ne]%a*:%s+(%d+)")
    local pss = sum(rollup, "\nPss:%s+(%d+)")
    if private then
      memory.processes = memory.processes + 1
      memory.private = memory.private + private
      memory.pss = memory.pss and pss and memory.pss + pss
    end
  end
  return memory
end

--- The memory of the kernel itself that it cannot give back: of the whole machine.
---@return number? bytes
function weight.kernel()
  local text = "\n" .. (processes.read("/proc/meminfo") or "")
  local total = 0
  for _, name in ipairs({ "SUnreclaim", "KernelStack", "PageTables", "Percpu" }) do
    local bytes = sum(text, "\n" .. name .. ":%s+(%d+)")
    total = total and bytes and total + bytes
  end
  return total
end

return weight
