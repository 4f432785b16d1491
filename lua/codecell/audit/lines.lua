--- Reading an audit file: its parts in their order, and their lines, however long and whatever is
--- in them.
local chain = require "codecell.audit.chain"
local core = require "codecell.core"
local errors = require "codecell.errors"

local lines = {}

local CHUNK = 262144

--- The folder of a path, and the name in it.
---@param path string
---@return string folder
---@return string name
function lines.split(path)
  local folder, name = path:match("^(.*)/([^/]*)$")
  if not folder then
    return ".", path
  end
  return folder == "" and "/" or folder, name
end

--- How many parts of a file were full and put aside: PATH.1, PATH.2, ...
---@param path string
---@return integer[] numbers in their order
function lines.parts(path)
  local folder, name = lines.split(path)
  local numbers = {}
  for _, entry in ipairs(core.host_list(folder) or {}) do
    local digits = entry.name:sub(1, #name + 1) == name .. "."
      and entry.name:sub(#name + 2):match("^[1-9]%d*$")
    if digits and #digits <= 9 then
      numbers[#numbers + 1] = tonumber(digits)
    end
  end
  table.sort(numbers)
  return numbers
end

--- The files of a chain, oldest first.
---@param path string
---@return string[] paths
function lines.files(path)
  local list = {}
  for _, number in ipairs(lines.parts(path)) do
    list[#list + 1] = ("%s.%d"):format(path, number)
  end
  list[#list + 1] = path
  return list
end

---@class codecell.AuditLines
---@field number integer of the line that `next` has given last
---@field at integer where that line begins
---@field package file userdata
---@field package size integer bytes that it had when it was opened; what comes later is not read
---@field package text string what was read and not given
---@field package from integer where the next line begins in it
local Lines = {}
Lines.__index = Lines

--- Open a file.
---@param path string
---@return codecell.AuditLines? lines
---@return codecell.Error? err kinds "not_found", "permission_denied", "invalid_argument"
function lines.open(path)
  local file, err = core.host_file(path)
  if not file then
    err.message = "audit: " .. err.message
    return nil, err
  end
  return setmetatable({ file = file, size = file:size(), text = "", from = 1, number = 0, at = 0,
    offset = 0 }, Lines)
end

-- More of the file: a line may take many pieces. nil: there is no more; false, err.
local function more(self)
  local pieces, length = { self.text:sub(self.from) }, #self.text - self.from + 1
  repeat
    local left = self.size - self.offset
    local piece, err
    if left > 0 then
      piece, err = self.file:read(math.min(CHUNK, left))
    end
    if err then
      return false, err
    elseif not piece then
      break
    end
    self.offset = self.offset + #piece
    pieces[#pieces + 1], length = piece, length + #piece
  until piece:find("\n", 1, true) or length > chain.LINE_MOST
  local grown = #pieces > 1
  self.text, self.from = table.concat(pieces), 1
  return grown or nil
end

--- The next line.
---@return string|false|nil line without its end; false: longer than any that is written; nil: the
---end
---@return boolean|codecell.Error|nil whole false: the file ends in it; or err after nil
function Lines:next()
  local till = self.text:find("\n", self.from, true)
  if not till then
    local grown, err = more(self)
    if grown == false then
      return nil, err
    end
    till = self.text:find("\n", self.from, true)
  end
  local last = till or #self.text + 1
  if not till and self.from > #self.text then
    return nil
  end
  self.number, self.at = self.number + 1, (self.after or 0)
  if not till and #self.text - self.from >= chain.LINE_MOST then
    self.text, self.from = "", 1
    self.size = 0 -- there is no telling where the next one would begin
    return false
  end
  local line = self.text:sub(self.from, last - 1)
  self.from, self.after = last + 1, self.at + #line + 1
  return line, till ~= nil
end

--- Let go of the file.
function Lines:close()
  self.file:close()
end

--- What an error is about.
---@param path string
---@param number integer of a line
---@param problem string
---@return codecell.Error
function lines.malformed(path, number, problem)
  return errors.new("protocol", ("audit: %s: line %d: %s"):format(path, number, problem))
end

return lines
