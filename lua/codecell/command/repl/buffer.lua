--- A text that is being typed, and the cursor in it: a place between two characters, by its bytes.
local unicode = require "codecell.agent.unicode"

local MOST = 4194304 -- bytes

---@class codecell.Buffer
---@field text string valid UTF-8
---@field at integer bytes before the cursor
---@field cut string? what was cut last
local Buffer = {}
Buffer.__index = Buffer

local buffer = {}

---@param text string?
---@return codecell.Buffer
function buffer.new(text)
  return setmetatable({ text = text or "", at = #(text or "") }, Buffer)
end

local function before(self)
  return self.text:sub(1, self.at)
end

local function after(self)
  return self.text:sub(self.at + 1)
end

--- Another text, with the cursor at its end.
---@param text string
function Buffer:set(text)
  self.text, self.at = text, #text
end

---@param text string
function Buffer:insert(text)
  if #self.text + #text <= MOST then
    self.text = before(self) .. text .. after(self)
    self.at = self.at + #text
  end
end

-- How long the character before a place is, with what combines with it left alone.
local function size_before(text, at)
  local size = 1
  while size < 4 and at - size >= 1 and text:byte(at - size + 1) >= 0x80
    and text:byte(at - size + 1) < 0xC0 do
    size = size + 1
  end
  return size
end

function Buffer:left()
  if self.at > 0 then
    self.at = self.at - size_before(self.text, self.at)
  end
end

function Buffer:right()
  if self.at < #self.text then
    self.at = self.at + (unicode.size(self.text, self.at + 1) or 1)
  end
end

--- The line of the cursor: where it begins, and where it ends.
---@return integer first bytes before it
---@return integer last
function Buffer:line()
  local first = before(self):match("^.*\n()")
  local last = self.text:find("\n", self.at + 1, true)
  return (first or 1) - 1, last and last - 1 or #self.text
end

function Buffer:home()
  self.at = (self:line())
end

function Buffer:finish()
  self.at = select(2, self:line())
end

--- To the line above; false: there is none.
---@return boolean moved
function Buffer:up()
  local first = self:line()
  if first == 0 then
    return false
  end
  local column = unicode.length(self.text:sub(first + 1, self.at))
  self.at = first - 1
  local above, last = self:line()
  local line = self.text:sub(above + 1, last)
  self.at = above + #unicode.head(line, column)
  return true
end

--- To the line below; false: there is none.
---@return boolean moved
function Buffer:down()
  local first, last = self:line()
  if last == #self.text then
    return false
  end
  local column = unicode.length(self.text:sub(first + 1, self.at))
  self.at = last + 1
  local below, till = self:line()
  self.at = below + #unicode.head(self.text:sub(below + 1, till), column)
  return true
end

-- Where the word before or behind the cursor begins or ends.
local function word_left(self)
  local rest = before(self):gsub("[^%w_\128-\255]+$", ""):gsub("[%w_\128-\255]+$", "")
  return #rest
end

local function word_right(self)
  local _, last = after(self):find("^[^%w_\128-\255]*[%w_\128-\255]*")
  return self.at + last
end

function Buffer:word_left()
  self.at = word_left(self)
end

function Buffer:word_right()
  self.at = word_right(self)
end

-- Remove from one place to another; what was there can be inserted again.
local function cut(self, from, till, keeps)
  if keeps and till > from then
    self.cut = self.text:sub(from + 1, till)
  end
  self.text = self.text:sub(1, from) .. self.text:sub(till + 1)
  self.at = from
end

function Buffer:backspace()
  if self.at > 0 then
    cut(self, self.at - size_before(self.text, self.at), self.at)
  end
end

function Buffer:delete()
  if self.at < #self.text then
    cut(self, self.at, self.at + (unicode.size(self.text, self.at + 1) or 1))
  end
end

function Buffer:rub_word()
  cut(self, word_left(self), self.at, true)
end

function Buffer:delete_word()
  cut(self, self.at, word_right(self), true)
end

--- To the end of the line, or the end of the line itself.
function Buffer:kill()
  local _, last = self:line()
  cut(self, self.at, last == self.at and last < #self.text and last + 1 or last, true)
end

--- To the beginning of the line.
function Buffer:kill_back()
  local first = self:line()
  cut(self, first, self.at, true)
end

function Buffer:yank()
  self:insert(self.cut or "")
end

return buffer
