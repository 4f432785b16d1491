--- Lines of JSON that come in pieces, as the code interpreter sends them.
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"

local lines = {}

local LINE_MOST = 134217728 -- bytes: pictures are in them
local VALUES_MOST = 4194304 -- of JSON, in all lines of one answer

---@class codecell.E2bLines
---@field package pieces string[] of the line that has begun
---@field package size integer bytes in them
---@field package rest string what came after the last line end, not looked at yet
local Lines = {}
Lines.__index = Lines

--- A reader of lines that come in pieces of any size.
---@param what string begins the message of an error
---@return codecell.E2bLines
function lines.reader(what)
  return setmetatable({ pieces = {}, size = 0, rest = "", at = 1, what = what,
    allowance = { values = VALUES_MOST } }, Lines)
end

--- Add what has come; all lines before were taken.
---@param chunk string
function Lines:add(chunk)
  self.rest, self.at = chunk, 1
end

local function decode(self, text)
  if not text:find("%S") then
    return false
  end
  local value, err = json.decode_within(text, self.allowance)
  if err and err.kind == "limit_exceeded" then
    err.message = self.what .. ": " .. err.message
    return nil, err
  elseif err or type(value) ~= "table" or value == json.null then
    return nil, failure.protocol(self.what, "a line without a JSON object")
  end
  return value
end

--- The object of the next whole line.
---@return table|false|nil value false: more must come
---@return codecell.Error? err after nil
function Lines:next()
  while self.at <= #self.rest do
    local stop = self.rest:find("\n", self.at, true)
    local piece = self.rest:sub(self.at, (stop or #self.rest + 1) - 1)
    self.at = (stop or #self.rest) + 1
    self.pieces[#self.pieces + 1], self.size = piece, self.size + #piece
    if self.size > LINE_MOST then
      return nil, failure.protocol(self.what, ("a line of more than %d bytes"):format(LINE_MOST))
    end
    if stop then
      local text = table.concat(self.pieces)
      self.pieces, self.size = {}, 0
      local value, err = decode(self, text)
      if value ~= false then
        return value, err
      end
    end
  end
  return false
end

return lines
