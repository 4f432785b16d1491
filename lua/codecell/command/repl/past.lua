--- What was typed before, in this session and those before it, kept in a file for this user alone.
local core = require "codecell.core"
local json = require "codecell.json"
local keys = require "codecell.keys"
local xdg = require "codecell.xdg"

local MOST, BYTES_MOST = 1000, 1048576 -- of what is kept
local ENTRY_MOST = 65536 -- bytes
local NAME, MODE = "repl_history", 384 -- 0600

-- What is given a value that nobody else should see, by its name.
local SECRET = { "pass", "secret", "token", "api_?key", "private_?key", "credential" }

---@class codecell.Past
---@field package entries string[] oldest first
---@field package folder string? where the file is
local Past = {}
Past.__index = Past

local past = {}

local function folder()
  local state = xdg("XDG_STATE_HOME", ".local/state")
  return state and state .. "/codecell"
end

local function read_all(path)
  local stream = core.host_file(path)
  local text
  if stream then
    stream:seek(math.max(0, stream:size() - BYTES_MOST))
    text = stream:read(BYTES_MOST)
    stream:close()
  end
  return text or ""
end

local function parse(text)
  local entries = {}
  for line in text:gmatch("[^\n]+") do
    local value = json.decode(line)
    if type(value) == "string" then
      entries[#entries + 1] = value
    end
  end
  local latest = {}
  for i = math.max(1, #entries - MOST + 1), #entries do
    latest[#latest + 1] = entries[i]
  end
  return latest
end

--- Whether code holds what should stand in no file: a key, or a value for something named so.
---@param text string
---@return boolean
function past.is_secret(text)
  if keys.any(text) then
    return true
  end
  for name, value in text:lower():gmatch("([%w_%-%.]+)[\"'%]]*%s*[:=]%s*([^%s])") do
    for _, word in ipairs(SECRET) do
      if name:find(word) and value ~= "=" then
        return true
      end
    end
  end
  return false
end

--- What is kept of earlier sessions; nothing is written before `add`.
---@param hidden string[] texts that are never kept, nor what holds one
---@return codecell.Past
function past.open(hidden)
  local place = folder()
  local self = setmetatable({ folder = place, hidden = hidden }, Past)
  self.entries = place and parse(read_all(place .. "/" .. NAME)) or {}
  self:rewind()
  return self
end

-- The whole of it, under another name first. It is no harm when that cannot be written.
local function write(self)
  local ok = core.host_store(self.folder, true)
  local directory = ok and core.host_directory(self.folder, false)
  if not directory then
    return
  end
  local lines, bytes = {}, 0
  for i = #self.entries, 1, -1 do
    local line = json.encode(self.entries[i]) .. "\n"
    bytes = bytes + #line
    if bytes > BYTES_MOST then
      break
    end
    table.insert(lines, 1, line)
  end
  local name = NAME .. "." .. core.random_id(8)
  local file = directory:make_file(name, MODE)
  if file and file:write(table.concat(lines)) then
    os.rename(self.folder .. "/" .. name, self.folder .. "/" .. NAME)
  elseif file then
    os.remove(self.folder .. "/" .. name)
  end
  if file then
    file:close()
  end
  directory:close()
end

local function is_kept(self, text)
  if #text > ENTRY_MOST or text:find("^%s") or past.is_secret(text) then
    return false
  end
  for _, one in ipairs(self.hidden) do
    if one ~= "" and text:find(one, 1, true) then
      return false
    end
  end
  return true
end

--- Remember a text, also in the file, unless it holds a secret, begins with a blank, or is the last
--- one again. What another session has added since stays.
---@param text string
function Past:add(text)
  text = text:gsub("%s+$", "")
  if text == self.entries[#self.entries] or not is_kept(self, text) then
    return
  end
  if self.folder then
    self.entries = parse(read_all(self.folder .. "/" .. NAME))
  end
  self.entries[#self.entries + 1] = text
  if #self.entries > MOST then
    table.remove(self.entries, 1)
  end
  if self.folder then
    write(self)
  end
end

--- Begin behind the newest one.
function Past:rewind()
  self.index, self.draft = #self.entries + 1, nil
end

--- The one before or behind; behind the newest is what was typed.
---@param step integer -1 or 1
---@param text string what is typed now
---@return string? text nil: there is none
function Past:move(step, text)
  local index = self.index + step
  if index < 1 or index > #self.entries + 1 then
    return nil
  end
  if self.index == #self.entries + 1 then
    self.draft = text
  end
  self.index = index
  return self.entries[index] or self.draft or ""
end

--- The newest one that holds a text.
---@param query string
---@param from integer? not newer than that one
---@return integer? index
---@return string? text
function Past:find(query, from)
  for i = math.min(from or #self.entries, #self.entries), 1, -1 do
    if self.entries[i]:find(query, 1, true) then
      return i, self.entries[i]
    end
  end
end

return past
