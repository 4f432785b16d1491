--- The output of something that runs elsewhere, kept in bounded memory: its first bytes and its
--- last, and whatever of them nobody has read yet. The engine does the same for processes here.
local errors = require "codecell.errors"
local reactor = require "codecell.reactor"
local wait = require "codecell.wait"

local output = {}

local HELD_MOST = 65536 -- bytes unread of a held one, until what comes waits
local PIECE = 1024 -- bytes up to which pieces are joined: tables of single bytes take much more
local LOOK = 1 -- seconds between two looks at whether there is room

---@class codecell.Output
---@field total integer bytes that came
---@field is_over boolean? nothing more will come
---@field package position integer of the reader
---@field package head table[] {at, text}: pieces that stay
---@field package tail table[] pieces of which the oldest go first
local Output = {}
Output.__index = Output

--- An empty one.
---@param limit integer bytes that are kept, half of them first ones
---@param mask userdata? of secrets, which do not stand in it
---@return codecell.Output
function output.new(limit, mask)
  return setmetatable({
    masking = mask and errors.assert(mask:stream()),
    total = 0, position = 0, head = {}, head_size = 0, head_limit = math.floor(limit / 2),
    tail = {}, first = 1, last = 0, tail_size = 0, tail_limit = limit - math.floor(limit / 2),
  }, Output)
end

local function drop(self)
  while self.tail_size > self.tail_limit do
    local oldest = self.tail[self.first]
    local excess = self.tail_size - self.tail_limit
    if #oldest.text <= excess then
      self.tail[self.first] = nil
      self.first, self.tail_size = self.first + 1, self.tail_size - #oldest.text
    else
      oldest.at, oldest.text = oldest.at + excess, oldest.text:sub(excess + 1)
      self.tail_size = self.tail_limit
    end
  end
end

local function append(list, last, at, text)
  local piece = list[last]
  if piece and #piece.text + #text <= PIECE then
    piece.text = piece.text .. text
    return last
  end
  list[last + 1] = { at = at, text = text }
  return last + 1
end

-- Add what may be shown.
local function add(self, text)
  local room = self.head_limit - self.head_size
  local kept = room > 0 and text:sub(1, room) or ""
  if kept ~= "" then
    append(self.head, #self.head, self.total, kept)
    self.head_size = self.head_size + #kept
  end
  local rest = text:sub(#kept + 1)
  if rest ~= "" then
    self.last = append(self.tail, self.last, self.total + #kept, rest)
    self.tail_size = self.tail_size + #rest
    drop(self)
  end
  self.total = self.total + #text
end

--- Add what has come.
---@param text string
function Output:add(text)
  add(self, self.masking and self.masking:feed(text) or text)
end

--- While one reads who must see everything, what comes waits for him.
---@param held boolean
function Output:hold(held)
  if self.held ~= held then
    self.held = held
    reactor.wake(self)
  end
end

--- Wait until there is room for more.
---@return boolean room false: who waits was cancelled
function Output:wait_for_room()
  while self.held and not self.is_over and self.total - self.position >= HELD_MOST do
    local look = reactor.now() + LOOK
    if not wait.key(self, look) and reactor.now() < look then
      return false
    end
  end
  return true
end

-- How many bytes of a text are whole characters, if more may come.
local function whole(text)
  for back = 1, math.min(3, #text) do
    local byte = text:byte(#text - back + 1)
    if byte >= 192 then
      local size = byte >= 240 and 4 or byte >= 224 and 3 or 2
      return size > back and #text - back or #text
    elseif byte < 128 then
      break
    end
  end
  return #text
end

local function piece_at(self, position)
  local low = self.read_head or 1
  while self.head[low] do
    local piece = self.head[low]
    if position < piece.at + #piece.text then
      self.read_head = low
      return piece
    end
    low = low + 1
  end
  self.read_head = low
  local at = math.max(self.read_tail or 1, self.first)
  while self.tail[at] do
    local piece = self.tail[at]
    if position < piece.at + #piece.text then
      self.read_tail = at
      return piece
    end
    at = at + 1
  end
  self.read_tail = at
end

--- Unread bytes; what was dropped unread is passed over.
---@param size integer bytes at most
---@param as_text boolean? half a character at the end waits for its rest
---@return string|false|nil chunk false: nothing yet; nil: the end
function Output:read(size, as_text)
  local pieces, count = {}, 0
  local position, in_head, in_tail = self.position, self.read_head, self.read_tail
  while count < size do
    local piece = position < self.total and piece_at(self, position)
    if not piece or count > 0 and piece.at > position then
      break
    end
    position = math.max(position, piece.at)
    local from = position - piece.at
    local text = piece.text:sub(from + 1, from + size - count)
    pieces[#pieces + 1], count, position = text, count + #text, position + #text
  end
  local chunk = table.concat(pieces)
  if as_text and not self.is_over then
    local length = whole(chunk)
    if length < #chunk then
      position, chunk = position - (#chunk - length), chunk:sub(1, length)
      self.read_head, self.read_tail = in_head, in_tail
    end
  end
  if chunk == "" and self.is_over then
    return nil
  elseif chunk == "" then
    return false
  end
  self.position = position
  reactor.wake(self)
  return chunk
end

--- What is kept.
---@return string head
---@return string? tail nil: nothing was dropped
---@return integer total
function Output:kept()
  local head, tail = {}, {}
  for i = 1, #self.head do
    head[i] = self.head[i].text
  end
  for i = self.first, self.last do
    tail[#tail + 1] = self.tail[i].text
  end
  local first, last = table.concat(head), table.concat(tail)
  if #first + #last >= self.total then
    return first .. last, nil, self.total
  end
  return first:sub(1, whole(first)), (last:gsub("^[\128-\191][\128-\191]?[\128-\191]?", "")),
    self.total
end

--- Nothing more will come.
function Output:finish()
  if self.masking and not self.is_over then
    add(self, self.masking:finish())
  end
  self.is_over = true
  reactor.wake(self)
end

return output
