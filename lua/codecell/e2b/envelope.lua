--- The envelopes of Connect streams: one byte of flags, four of length, JSON.
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"

local envelope = {}

local HEAD = 5 -- bytes
local END = 2 -- the flag of the last one
local SIZE_MOST = 33554432 -- bytes of one
local VALUES_MOST = 1048576 -- of JSON in one

--- One message as a stream takes it.
---@param text string JSON
---@param is_end boolean? it is the last one
---@return string bytes
function envelope.encode(text, is_end)
  local size, floor = #text, math.floor
  return string.char(is_end and END or 0, floor(size / 16777216),
    floor(size / 65536) % 256, floor(size / 256) % 256, size % 256) .. text
end

---@class codecell.E2bEnvelopes what has come of a stream, and was not taken yet
---@field package pieces string[]
---@field package size integer bytes in them
---@field package what string
local Envelopes = {}
Envelopes.__index = Envelopes

--- A reader of envelopes that come in pieces of any size.
---@param what string begins the message of an error
---@param values integer? of JSON in one, at most; default 1048576
---@return codecell.E2bEnvelopes
function envelope.reader(what, values)
  return setmetatable({ pieces = {}, size = 0, what = what,
    values = values or VALUES_MOST }, Envelopes)
end

--- Add what has come.
---@param chunk string
function Envelopes:add(chunk)
  self.pieces[#self.pieces + 1] = chunk
  self.size = self.size + #chunk
end

-- All that is there as one string: joined only when enough has come, so that a large envelope in
-- small pieces is not copied again and again.
local function joined(self)
  if #self.pieces > 1 then
    self.pieces = { table.concat(self.pieces) }
  end
  return self.pieces[1] or ""
end

--- The next whole message.
---@return table|false|nil message false: more must come
---@return boolean|codecell.Error|nil is_end after a message: it is the last; after nil the error
function Envelopes:next()
  if not self.wanted then
    if self.size < HEAD then
      return false
    end
    local flags, a, b, c, d = joined(self):byte(1, HEAD)
    self.flags, self.wanted = flags, ((a * 256 + b) * 256 + c) * 256 + d
    if flags ~= 0 and flags ~= END then
      return nil, failure.protocol(self.what, "an envelope with the flags " .. flags)
    elseif self.wanted > SIZE_MOST then
      return nil, failure.protocol(self.what,
        ("an envelope of %.0f bytes"):format(self.wanted))
    end
  end
  if self.size < HEAD + self.wanted then
    return false
  end
  local bytes = joined(self)
  local text, rest = bytes:sub(HEAD + 1, HEAD + self.wanted), bytes:sub(HEAD + self.wanted + 1)
  self.pieces, self.size, self.wanted = { rest }, #rest, nil
  local value, err = json.decode(text, self.values)
  if err or type(value) ~= "table" or value == json.null then
    return nil, failure.protocol(self.what, "an envelope without a JSON object")
  end
  return value, self.flags == END
end

return envelope
