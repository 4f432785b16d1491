--- The streams of events of a session that can be read again: those that go on, and some that are
--- complete.
local streams = {}

local COMPLETE_MOST, BYTES_MOST = 16, 4 * 1024 * 1024

---@class codecell.McpStreams
---@field package list codecell.McpStream[] oldest first
---@field package serial integer
local Streams = {}
Streams.__index = Streams

---@return codecell.McpStreams
function streams.new()
  return setmetatable({ list = {}, serial = 0 }, Streams)
end

--- Let the oldest that are complete give way, the newest of all never.
function Streams:make_room()
  local count, bytes = 0, 0
  for i = #self.list, 1, -1 do
    local one = self.list[i]
    if one.is_complete then
      count, bytes = count + 1, bytes + one.bytes
      if i < #self.list and (count > COMPLETE_MOST or bytes > BYTES_MOST) then
        table.remove(self.list, i)
      end
    end
  end
end

--- Let one be read again. It gets its number.
---@param one codecell.McpStream
function Streams:add(one)
  self.serial = self.serial + 1
  one.number, one.store = self.serial, self
  self.list[#self.list + 1] = one
  self:make_room()
end

--- Let one be read no more.
---@param one codecell.McpStream
function Streams:remove(one)
  for i = #self.list, 1, -1 do
    if self.list[i] == one then
      table.remove(self.list, i)
    end
  end
  one:close()
end

--- The stream of an event, and the event's number in it.
---@param id string of the event, as the client was told it
---@return codecell.McpStream? one nil: there is none, or not any more
---@return integer? number
function Streams:find(id)
  local wanted, number = id:match("^(%d+)%-(%d+)$")
  wanted, number = tonumber(wanted), tonumber(number)
  for _, one in ipairs(self.list) do
    if one.number == wanted and one:reaches(number) then
      return one, number
    end
  end
end

--- The end of all.
function Streams:close()
  for _, one in ipairs(self.list) do
    one:close()
  end
end

return streams
