--- Forms with files, read as they come.
local errors = require "codecell.errors"

local multipart = {}

local PARTS_MOST = 10000
local HEAD_MOST = 65536 -- bytes
local BOUNDARY_MOST = 70 -- bytes (RFC 2046)

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

-- The value of a parameter; quoted pairs are the three that clients escape.
local function parameter(field, name)
  local quoted = (";" .. field):match(';%s*' .. name .. '="([^"]*)"')
  local plain = quoted or (";" .. field):match(";%s*" .. name .. "=([^;%s]+)")
  return plain and (plain:gsub("%%22", '"'):gsub("%%0[Dd]", "\r"):gsub("%%0[Aa]", "\n"))
end

local function disposition_of(head)
  for line in head:gmatch("[^\r\n]+") do
    local value = line:match("^[Cc]ontent%-[Dd]isposition:%s*(.*)$")
    if value then
      return value:gsub('\\"', "%%22")
    end
  end
  return ""
end

---@class codecell.GatewayForm
---@field package source fun(): string?, codecell.Error?
---@field package buffer string what has come, and was not taken yet
---@field package mark string what stands before each part, and after the last
---@field package is_inside boolean before a mark, not behind one
---@field package parts integer
local Form = {}
Form.__index = Form

--- A reader of a form.
---@param kind string its Content-Type
---@param source fun(): string?, codecell.Error? the next piece of it; nil: the end
---@return codecell.GatewayForm? form
---@return codecell.Error? err kind "invalid_argument"
function multipart.reader(kind, source)
  local boundary = parameter(kind, "boundary")
  if not boundary or #boundary > BOUNDARY_MOST then
    return wrong("multipart/form-data without a boundary")
  end
  -- The first mark may be the very beginning of the body.
  return setmetatable({ source = source, buffer = "\r\n", mark = "\r\n--" .. boundary,
    is_inside = true, parts = 0 }, Form)
end

local function fill(self)
  local chunk, err = self.source()
  if not chunk then
    return nil, err or errors.new("invalid_argument", "the form is cut off")
  end
  self.buffer = self.buffer .. chunk
  return true
end

-- What comes before the next mark, in pieces; nil at the mark, which is taken.
local function take(self)
  while true do
    local at, stop = self.buffer:find(self.mark, 1, true)
    if at == 1 then
      self.buffer, self.is_inside = self.buffer:sub(stop + 1), false
      return nil
    end
    local count = at and at - 1 or #self.buffer - #self.mark + 1 -- a mark may have begun
    if count > 0 then
      local piece = self.buffer:sub(1, count)
      self.buffer = self.buffer:sub(count + 1)
      return piece
    end
    local ok, err = fill(self)
    if not ok then
      return nil, err
    end
  end
end

local function take_head(self)
  local from = 1
  while true do
    local stop, last = self.buffer:find("\r\n\r\n", from, true)
    if stop then
      local head = self.buffer:sub(1, stop)
      self.buffer = self.buffer:sub(last + 1)
      return head
    elseif #self.buffer > HEAD_MOST then
      return wrong("the head of a part is too long")
    end
    from = math.max(#self.buffer - 2, 1)
    local ok, err = fill(self)
    if not ok then
      return nil, err
    end
  end
end

--- The next part; what was not read of the one before is skipped.
---@return {name: string?, filename: string?}? part nil after the last
---@return codecell.Error? err
function Form:next()
  local err
  while not err and self.is_inside do
    err = select(2, take(self))
  end
  while not err and #self.buffer < 2 do
    err = select(2, fill(self))
  end
  if err or self.buffer:sub(1, 2) == "--" then
    return nil, err
  end
  self.parts = self.parts + 1
  if self.parts > PARTS_MOST then
    return wrong(("a form has at most %d parts"):format(PARTS_MOST))
  end
  local head
  head, err = take_head(self)
  if not head then
    return nil, err
  end
  self.is_inside = true
  local field = disposition_of(head)
  return { name = parameter(field, "name"), filename = parameter(field, "filename") }
end

--- The next piece of the part.
---@return string? piece nil at its end
---@return codecell.Error? err
function Form:read()
  if not self.is_inside then
    return nil
  end
  return take(self)
end

return multipart
