--- Outputs that were cut, kept so that a model can read the rest; the oldest are forgotten.
local cut = require "codecell.agent.format.cut"
local errors = require "codecell.errors"
local parts = require "codecell.agent.format.parts"
local unicode = require "codecell.agent.unicode"

local kept = {}

local COUNT_MOST, BYTES_MOST = 64, 33554432
local GROWING_MOST = 32 -- background commands that can be read

---@class codecell.KeptOutputs
local Kept = {}
Kept.__index = Kept

--- A store.
---@return codecell.KeptOutputs
function kept.new()
  return setmetatable({ entries = {}, growing = {}, serial = 0, first = 1, bytes = 0 }, Kept)
end

local function forget_oldest(self)
  local id = "o" .. self.first
  self.first = self.first + 1
  if self.entries[id] then
    self.bytes = self.bytes - #self.entries[id].text
    self.entries[id] = nil
  end
end

--- Keep a text.
---@param text string as the sandbox has printed it
---@return string id
function Kept:add(text)
  self.serial = self.serial + 1
  local id = "o" .. self.serial
  self.entries[id] = { text = text, at = 1, tidy = "" }
  self.bytes = self.bytes + #text
  while self.first < self.serial
    and (self.bytes > BYTES_MOST or self.serial - self.first >= COUNT_MOST) do
    forget_oldest(self)
  end
  return id
end

--- Let what still grows be read under an id.
---@param id string
---@param source fun(): string, string?, integer, string? the first that was kept, the last of it if
---there is something between them, how much came in all, and how it has ended
function Kept:follow(id, source)
  local growing = self.growing
  if not self.entries[id] then
    growing[#growing + 1] = id
  end
  self.entries[id] = { source = source, text = "" }
  if #growing > GROWING_MOST then
    self.entries[table.remove(growing, 1)] = nil
  end
end

-- Make readable as much as is asked for: texts may be long, and most of them nobody reads.
local function prepare(entry, wanted)
  while #entry.tidy < wanted and entry.at <= #entry.text do
    local piece = cut.block(entry.text, entry.at)
    entry.at = entry.at + #piece
    entry.tidy = entry.tidy .. parts.tidy(piece) .. (entry.at <= #entry.text and "\n" or "")
  end
end

local function read_kept(entry, offset, count)
  prepare(entry, offset + 4 * count + 4)
  local piece, next_offset = cut.piece(entry.tidy, offset, count)
  local is_end = next_offset >= #entry.tidy and entry.at > #entry.text
  return piece, next_offset, is_end and "end of the output" or nil
end

local function read_growing(entry, offset, count)
  local head, tail, total, ending = entry.source()
  local base, shift, note = head, 0, ""
  if tail and offset >= #head then
    base, shift = tail, total - #tail
    note = offset < shift and ("[%d bytes were left out here]\n"):format(shift - offset) or ""
  end
  local piece, next_offset = cut.piece(base, math.max(offset - shift, 0), count)
  next_offset = next_offset + shift
  return note .. parts.tidy(piece), next_offset, next_offset >= total and ending or nil
end

--- Read a part of one.
---@param id string
---@param offset integer bytes
---@param count integer characters at most
---@return string? text
---@return {state: string, next_offset: integer?}|codecell.Error about state: in words, with how to
---go on; next_offset nil: that was all; after nil err, kind "not_found"
function Kept:read(id, offset, count)
  local entry = self.entries[id]
  if not entry then
    local number = tonumber(id:match("^o(%d+)$"))
    local was_there = number and number >= 1 and number <= self.serial or id:find("^p%d+$")
    return nil, errors.new("not_found", was_there
      and ("read_output: %s is no longer kept"):format(id)
      or ("read_output: there is no output %q"):format(unicode.repair(id:sub(1, 40))),
      was_there and "run it again, and print less at once"
      or "take an id that a result has named")
  end
  local text, next_offset, ending = (entry.source and read_growing or read_kept)(entry, offset,
    count)
  if ending then
    return text, { state = ending }
  end
  return text, { next_offset = next_offset, state = ("%s: read_output{id=%q, offset=%d}"):format(
    entry.source and "it still runs; what comes next" or "there is more", id, next_offset) }
end

return kept
