--- codecell.Archive: files of a sandbox as a tar stream (POSIX ustar, with pax headers for what
--- that has no room for).
---
--- Directories are listed when they are reached and content is read in blocks, so that memory is
--- bounded by the largest directory. Whoever unpacks the stream must come to no harm by it: names
--- only lead down, nobody owns the files, and no member lies behind a link of the stream.
local errors = require "codecell.errors"
local listing = require "codecell.files.listing"

local BLOCK = 512
local CHUNK = 65536
local DEPTH_MOST = 1000
local NUMBER_MOST = 8589934591 -- what eleven octal digits hold
local KINDS = { file = "0", symlink = "2", dir = "5" }

local archive = {}

---@class codecell.Archive
---@field package sandbox codecell.Sandbox
---@field package work table[] what is to be packed, the next one last
---@field package content table? of the file that is being packed: `descriptor`, `left`, `size`
---@field package links table<string, true> names of the links that were packed
---@field package left number bytes that may still be packed
---@field package is_over boolean? the end was read
---@field package failure codecell.Error? why there is no more to read
local Archive = {}
Archive.__index = Archive

-- ---- headers ----

local function octal(value, digits)
  return ("%0" .. digits .. "o"):format(value)
end

local function padding(size)
  return ("\0"):rep(-size % BLOCK)
end

local function field(text, size)
  return text .. ("\0"):rep(size - #text)
end

-- Name and prefix as a ustar header has them, or nil.
local function split(name)
  if #name <= 100 then
    return name, ""
  end
  for at = math.min(#name - 1, 156), 1, -1 do
    if name:byte(at) == 47 and #name - at <= 100 and at < #name then
      return name:sub(at + 1), name:sub(1, at - 1)
    end
  end
end

local function header(name, prefix, kind, mode, size, time, target)
  local text = table.concat({
    field(name, 100), octal(mode, 7), "\0", octal(0, 7), "\0", octal(0, 7), "\0",
    octal(size, 11), "\0", octal(time, 11), "\0", (" "):rep(8), kind, field(target, 100),
    "ustar\0", "00", ("\0"):rep(64), octal(0, 7), "\0", octal(0, 7), "\0", field(prefix, 155),
    ("\0"):rep(12),
  })
  local sum = 0
  for i = 1, BLOCK do
    sum = sum + text:byte(i)
  end
  return text:sub(1, 148) .. octal(sum, 6) .. "\0 " .. text:sub(157)
end

-- "LENGTH key=value\n", where the length counts itself.
local function record(key, value)
  local rest = (" %s=%s\n"):format(key, value)
  local length = #rest + #tostring(#rest)
  if #tostring(length) > #tostring(#rest) then
    length = #rest + #tostring(length)
  end
  return length .. rest
end

-- The headers of a member.
local function head(name, entry, size)
  local extra = {}
  local time = math.floor(entry.modified_time)
  local target = entry.type == "symlink" and entry.symlink_target or ""
  local short, prefix = split(name)
  if not short then
    extra[#extra + 1] = record("path", name)
    short, prefix = name:sub(1, 100), ""
  end
  if #target > 100 then
    extra[#extra + 1] = record("linkpath", target)
    target = target:sub(1, 100)
  end
  if size > NUMBER_MOST then
    extra[#extra + 1] = record("size", ("%.0f"):format(size))
  end
  if time < 0 or time > NUMBER_MOST then
    extra[#extra + 1] = record("mtime", ("%.0f"):format(time))
    time = 0
  end
  local own = header(short, prefix, KINDS[entry.type], entry.mode % 512,
    size > NUMBER_MOST and 0 or size, time, target)
  if #extra == 0 then
    return own
  end
  local text = table.concat(extra)
  return header("pax", "", "x", 420, #text, 0, "") .. text .. padding(#text) .. own
end

-- ---- members ----

-- Whether unpacking the name would go through a link of this stream, or replace one.
local function is_behind_link(self, name)
  if self.links[name] then
    return true
  end
  for at in name:gmatch("()/") do
    if self.links[name:sub(1, at - 1)] then
      return true
    end
  end
  return false
end

local function ask(self, path, operation, ...)
  return self.sandbox._backend.ask(self.sandbox, "archive " .. path, operation, ...)
end

-- Put what a directory holds before what waits, in the order of names.
local function descend(self, item)
  if item.depth == DEPTH_MOST then
    return nil, errors.new("limit_exceeded",
      ("archive %s: nested deeper than %d directories"):format(item.path, DEPTH_MOST))
  end
  local entries, err = listing(self.sandbox, "archive " .. item.path, item.path, 1)
  if not entries then
    return nil, err
  end
  table.sort(entries, function(one, other) return one.path > other.path end)
  local folder = item.path == "/" and "" or item.path
  local name = item.name == "" and "" or item.name .. "/"
  for _, entry in ipairs(entries) do
    self.work[#self.work + 1] = { path = folder .. "/" .. entry.path, name = name .. entry.path,
      entry = entry, depth = item.depth + 1, is_found = true }
  end
  return true
end

-- Begin with the content of a file: its headers, and all of it if it is small.
local function open_file(self, item)
  local content, err = ask(self, item.path, "read", item.path, 0)
  if not content then
    return nil, err
  end
  local size = type(content) == "string" and #content or content:size() or item.entry.size
  self.left = self.left - size
  if self.left < 0 then
    if type(content) ~= "string" then
      content:close()
    end
    return nil, errors.new("limit_exceeded", ("archive %s: more than limits.disk (%.0f bytes)")
      :format(item.path, self.sandbox._holds))
  end
  local headers = head(item.name, item.entry, size)
  if type(content) == "string" then
    return headers .. content .. padding(size)
  end
  self.content = { descriptor = content, left = size, size = size }
  return headers
end

-- The next piece of a large file. One that has become shorter ends in zeros, as its header says
-- how long it is.
local function read_file(self)
  local content = self.content
  local piece, err = content.descriptor:read(math.min(content.left, CHUNK))
  if err then
    return nil, err
  end
  piece = piece or ("\0"):rep(math.min(content.left, CHUNK))
  content.left = content.left - #piece
  if content.left == 0 then
    content.descriptor:close()
    self.content = nil
    piece = piece .. padding(content.size)
  end
  return piece
end

-- What was listed, and has gone since, is left out.
local function missing(item, err)
  if err.kind == "not_found" and item.is_found then
    return ""
  end
  return nil, err
end

-- The beginning of a member; "" for one that has none; or nil, err.
local function begin(self, item)
  local entry = item.entry
  if not entry then
    local err
    entry, err = ask(self, item.path, "stat", item.path, false)
    if not entry then
      return missing(item, err)
    end
    item.entry = entry
  end
  if not KINDS[entry.type] or item.name ~= "" and is_behind_link(self, item.name) then
    return ""
  elseif entry.type == "symlink" then
    self.links[item.name] = true
    return head(item.name, entry, 0)
  end
  local piece, err
  if entry.type == "file" then
    piece, err = open_file(self, item)
  else
    local ok
    ok, err = descend(self, item)
    piece = ok and (item.name == "" and "" or head(item.name .. "/", entry, 0))
  end
  if not piece then
    return missing(item, err)
  end
  return piece
end

-- ---- the stream ----

local function next_piece(self)
  if self.content then
    return read_file(self)
  end
  while #self.work > 0 do
    local piece, err = begin(self, table.remove(self.work))
    if piece ~= "" then
      return piece, err
    end
  end
  self.is_over = true
  return ("\0"):rep(2 * BLOCK)
end

--- The next piece of the stream.
---@return string? chunk nil at the end
---@return codecell.Error? err after nil; the stream is not whole: kinds "not_found",
---"permission_denied", "limit_exceeded" (more than `limits.disk`), "sandbox_gone", "cancelled" once
---it was closed
function Archive:read()
  if self.is_over or self.failure then
    return nil, self.failure
  end
  local piece, err = next_piece(self)
  if self.failure or not piece then
    self.failure = self.failure or err -- closed while this waited
    self:close()
    return nil, self.failure
  end
  return piece
end

--- Let go before the end. Idempotent, never raises.
function Archive:close()
  local content = self.content
  self.content, self.work = nil, {}
  if not self.is_over then
    self.failure = self.failure or errors.new("cancelled", "read: the archive was closed")
  end
  if content then
    content.descriptor:close()
  end
end

Archive.__close = Archive.close -- Lua 5.4

-- What a path is called in the stream: below the home, else below the root.
local function name_of(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    if part == ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  local name = table.concat(parts, "/")
  return name == "home/user" and "" or (name:gsub("^home/user/", ""))
end

--- Begin a stream.
---@param sandbox codecell.Sandbox
---@param list {path: string, is_found: boolean}[] absolute; one that is_found may be gone by now
---@return codecell.Archive
function archive.new(sandbox, list)
  local most = sandbox._holds
  local self = setmetatable({ sandbox = sandbox, work = {}, links = {}, left = most }, Archive)
  for i = #list, 1, -1 do
    self.work[#self.work + 1] = { path = list[i].path, name = name_of(list[i].path), depth = 1,
      is_found = list[i].is_found }
  end
  return self
end

return archive
