-- own.lua -- what /proc says of this process. Read here and not by a child, which would find it in
-- the middle of starting that child: with signals blocked, and both ends of the pipe to it.
local own = {}

local function read(name)
  local file = assert(io.open("/proc/self/" .. name))
  local text = file:read("*a")
  file:close()
  return text
end

--- How many descriptors are open.
function own.descriptors()
  local size = tonumber(read("status"):match("FDSize:%s*(%d+)")) -- of the table, not a count
  local count = 0
  for descriptor = 0, size - 1 do
    local file = io.open("/proc/self/fdinfo/" .. descriptor)
    if file then
      file:close()
      count = count + 1
    end
  end
  return count
end

--- Its children, its threads, and what it does with signals, in lines.
function own.belongings()
  local status = read("status")
  local pid = read("stat"):match("^%d+")
  local children = read("task/" .. pid .. "/children")
  return ("children: %s\nthreads: %s\n%s"):format(children == "" and "none" or children,
    status:match("Threads:%s*(%d+)"), status:match("SigBlk:.-SigCgt:%s*%x+"))
end

return own
