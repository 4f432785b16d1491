--- What /proc tells of the processes of this machine, as far as this user may see them.
local core = require "codecell.core"

local processes = {}

--- All of a file there, or of another one.
---@param path string
---@return string? text nil: it is not there, or not for this user
function processes.read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

--- A file of every process.
---@param name string "stat", "cmdline"
---@return table<integer, string> texts by the numbers of the processes
function processes.each(name)
  local texts = {}
  for _, entry in ipairs(core.host_list("/proc") or {}) do
    local pid = entry.name:find "^%d+$" and tonumber(entry.name)
    if pid then
      texts[pid] = processes.read(("/proc/%d/%s"):format(pid, name))
    end
  end
  return texts
end

return processes
