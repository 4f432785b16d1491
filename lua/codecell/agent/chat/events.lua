--- Server-sent events that come in pieces of any size, as models stream their answers.
local errors = require "codecell.errors"

local events = {}

local LINE_MOST = 4194304 -- bytes of a line, and of the data of an event

---@class codecell.ServerEvents
---@field package pieces string[] of the line that has begun
---@field package size integer bytes in them
---@field package data string[] lines of the event that has begun
local Events = {}
Events.__index = Events

--- A reader.
---@return codecell.ServerEvents
function events.reader()
  return setmetatable({ pieces = {}, size = 0, data = {}, data_size = 0 }, Events)
end

local function too_long()
  return nil, errors.new("protocol", ("an event of more than %d bytes"):format(LINE_MOST))
end

-- What a line adds; the data of an event where one has ended.
local function take(self, line)
  line = line:gsub("\r$", "")
  if line == "" then
    local data = self.data[1] and table.concat(self.data, "\n")
    self.data, self.data_size = {}, 0
    return data or false
  end
  local text = line:match("^data: ?(.*)$")
  if text then
    self.data[#self.data + 1], self.data_size = text, self.data_size + #text
    if self.data_size > LINE_MOST then
      return too_long()
    end
  end
  return false
end

--- Add what has come.
---@param chunk string
---@return string[]? list data of the events that are complete now
---@return codecell.Error? err kind "protocol": an event that is too long
function Events:add(chunk)
  local list, at = {}, 1
  while at <= #chunk do
    local stop = chunk:find("\n", at, true)
    local piece = chunk:sub(at, (stop or #chunk + 1) - 1)
    at = (stop or #chunk) + 1
    self.pieces[#self.pieces + 1], self.size = piece, self.size + #piece
    if self.size > LINE_MOST then
      return too_long()
    elseif stop then
      local data, err = take(self, table.concat(self.pieces))
      self.pieces, self.size = {}, 0
      if err then
        return nil, err
      end
      list[#list + 1] = data or nil
    end
  end
  return list
end

--- What was not ended by an empty line.
---@return string? data
function Events:rest()
  take(self, table.concat(self.pieces))
  return self.data[1] and table.concat(self.data, "\n") or nil
end

return events
