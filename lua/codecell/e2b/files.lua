--- The files of a sandbox of E2B: what `codecell.files` and its like ask a backend.
local core = require "codecell.core"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local gzip = require "codecell.http.gzip"
local json = require "codecell.json"
local plane = require "codecell.e2b.plane"
local rpc = require "codecell.e2b.rpc"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"

local files = {}

local ENVD = plane.ENVD
local WHOLE_MOST = 65536 -- bytes that are read at once
local CHUNK = 262144
local ANSWER_MOST = 1048576
local OCTETS = "0.5.7" -- of envd, from which on a body is a file
local METADATA = "0.6.2"
local PROGRAM = 60 -- seconds
local DEFAULT_MODE = 420 -- 0644

-- ---- entries ----

local TYPES = { FILE_TYPE_FILE = "file", FILE_TYPE_DIRECTORY = "dir", FILE_TYPE_SYMLINK = "symlink",
  [1] = "file", [2] = "dir", [3] = "symlink" }

local function entry_of(what, given)
  local found = shape.table(given)
  local path = found and shape.text(found.path)
  if not path then
    return nil, failure.protocol(what, "no path of an entry")
  end
  local target = shape.text(found.symlinkTarget)
  target = target ~= "" and target or nil
  local permissions = (shape.text(found.permissions) or ""):gsub("^L", "l")
  local entry = {
    absolute = path, path = "", name = shape.text(found.name) or path:match("[^/]*$"),
    type = target and "symlink" or TYPES[found.type] or "other",
    size = shape.number(found.size) or 0, mode = (shape.number(found.mode) or 0) % 4096,
    permissions = permissions, owner = shape.text(found.owner) or "",
    group = shape.text(found.group) or "", modified_time = shape.time(found.modifiedTime) or 0,
    symlink_target = target,
  }
  if shape.table(found.metadata) then
    entry.metadata = shape.texts(found.metadata)
  end
  return entry
end

--- An entry as users get it.
---@param given any as envd sends it
---@return codecell.EntryInfo? entry nil: it is none
function files.entry(given)
  local entry = entry_of("", given)
  if entry then
    entry.path, entry.absolute = entry.absolute, nil
  end
  return entry
end

local function call(there, what, method, body, user)
  return rpc.call(there, what, "filesystem.Filesystem/" .. method, body, { user = user,
    is_safe = method == "Stat" or method == "ListDir" })
end

local asked = {}

function asked.stat(there, what, path)
  local answer, err = call(there, what, "Stat", { path = path })
  if not answer then
    return nil, err
  end
  return entry_of(what, answer.entry)
end

function asked.list(there, what, path, depth, most)
  local answer, err = call(there, what, "ListDir", { path = path, depth = depth })
  if not answer then
    return nil, err
  end
  local entries = {}
  local given = shape.table(answer.entries) or {}
  local base
  for i = 1, #given do
    local entry
    entry, err = entry_of(what, given[i])
    if not entry then
      return nil, err
    elseif i > most then
      return nil, errors.new("limit_exceeded", ("%s: more than %d entries"):format(what, most))
    end
    base = base or entry.absolute:match("^(.*)/[^/]*$") or "" -- the first lies in it
    if entry.absolute:sub(1, #base + 1) ~= base .. "/" then
      return nil, failure.protocol(what, "an entry that is not in the directory")
    end
    entry.path = entry.absolute:sub(#base + 2)
    entries[i] = entry
  end
  return entries
end

function asked.remove(there, what, path)
  local answer, err = call(there, what, "Remove", { path = path })
  return answer and true, err
end

function asked.rename(there, what, old, new)
  local answer, err = call(there, what, "Move", { source = old, destination = new })
  if not answer then
    return nil, err
  end
  return entry_of(what, answer.entry)
end

function asked.mkdir(there, what, path)
  local answer, err = call(there, what, "MakeDir", { path = path })
  return answer and true, err
end

-- ---- content ----

---@class codecell.E2bContent a file that is being read: as a descriptor of the engine's
---@field package response codecell.HttpResponse
---@field package total number? bytes that it has in all, with those before `offset`; nil: not said
---@field package kept string
---@field package unpacker codecell.Unpacker? of what comes packed
local Content = {}
Content.__index = Content

function Content:size()
  return self.total
end

function Content:seek() -- luacheck: no self
  -- the request has said from where
end

-- The next bytes, unpacked where they come packed.
local function receive(self)
  local unpacker = self.unpacker
  while true do
    local bytes, problem = false, nil
    if unpacker then
      bytes, problem = unpacker:next()
    end
    if bytes then
      return bytes
    elseif problem then
      return nil, failure.protocol(self.what, problem)
    end
    local chunk, err = self.response:read()
    if not unpacker or not chunk then
      return chunk, err or unpacker and unpacker:cut(self.what)
    end
    unpacker:add(chunk)
  end
end

function Content:read(count)
  if self.kept == "" then
    local chunk, err = receive(self)
    if not chunk then
      return nil, err
    end
    self.kept = chunk
  end
  local piece = self.kept:sub(1, count)
  self.kept = self.kept:sub(#piece + 1)
  return piece
end

function Content:copy_to(descriptor)
  local piece, err = self:read(CHUNK)
  local ok = true
  if piece then
    ok, err = descriptor:write(piece)
  end
  if not ok or err then
    return nil, err
  end
  return piece and #piece or 0
end

function Content:close()
  self.response:close()
  if self.unpacker then
    self.unpacker:close()
  end
end

local function range_of(offset, length)
  if offset == 0 and not length then
    return nil
  end
  return { "Range", ("bytes=%.0f-%s"):format(offset,
    length and ("%.0f"):format(offset + length - 1) or "") }
end

-- A body as a file that is being read; nil, err: it is packed in a way that was not asked for.
local function content_of_response(what, response, total, packs)
  local coding = (response.headers["content-encoding"] or "identity"):lower()
  local unpacker, err
  if coding == "gzip" and packs then
    unpacker, err = gzip.unpacker()
  elseif coding ~= "identity" then
    err = failure.protocol(what, "a file packed in a way that nobody asked for")
  end
  if err then
    response:close()
    return nil, err
  end
  return setmetatable({ what = what, response = response, kept = "", unpacker = unpacker,
    total = not unpacker and total or nil }, Content)
end

function asked.read(there, what, path, offset, length, given)
  if length == 0 then
    return ""
  end
  local packs = given and given.gzip and offset == 0 and not length
  local user = there:user(given and given.user)
  local response, err = there:open(what, ENVD, {
    method = "GET", path = "/files" .. transport.query({ n = 4, "path", path, "username", user }),
    headers = { packs and { "Accept-Encoding", "gzip" } or range_of(offset, length) },
    is_safe = true,
  })
  if not response then
    if err.status == 416 then -- it ends before
      return ""
    end
    return nil, err
  end
  local size = tonumber((response.headers["content-length"] or ""):match("^%d+$") or "")
  local is_part = response.status == 206
  if offset > 0 and not is_part then
    response:close()
    return nil, errors.unsupported(what .. " from an offset", "e2b", "this server sends no parts")
  elseif size and size <= WHOLE_MOST and not response.headers["content-encoding"] then
    local bytes
    bytes, err = response:all(WHOLE_MOST)
    return bytes and bytes:sub(1, length or -1), err -- who knows no parts sends the whole
  end
  return content_of_response(what, response, size and offset + size, packs)
end

-- ---- writing ----

-- A part of a form, whose name is the whole path.
local function form(path, data)
  local boundary = "codecell" .. core.random_id(24)
  local name = path:gsub('[\r\n"]', { ["\r"] = "%0D", ["\n"] = "%0A", ['"'] = "%22" })
  return ('--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
    .. 'Content-Type: application/octet-stream\r\n\r\n'):format(boundary, name) .. data
    .. ("\r\n--%s--\r\n"):format(boundary), "multipart/form-data; boundary=" .. boundary
end

local function pieces_of(source)
  return function()
    return source:read(CHUNK)
  end
end

local function metadata_headers(there, what, list, metadata)
  if next(metadata) == nil then
    return true
  elseif not there:has(METADATA) then
    return nil, errors.unsupported(what .. " with metadata", "e2b",
      "build the template again: its envd is older than " .. METADATA)
  end
  for name, value in pairs(metadata) do
    list[#list + 1] = { "X-Metadata-" .. name, value }
  end
  return true
end

-- The body as envd takes it, and the type that it has.
local function content_of(there, path, source)
  if there:has(OCTETS) then
    if type(source) == "string" then
      return source, #source, "application/octet-stream"
    end
    return pieces_of(source), source:size(), "application/octet-stream"
  end
  local data = source
  if type(source) ~= "string" then
    local list, piece = {}, source:read(CHUNK)
    while piece do
      list[#list + 1], piece = piece, source:read(CHUNK)
    end
    data = table.concat(list)
  end
  local body, kind = form(path, data)
  return body, #body, kind
end

-- A program for what envd has no call for.
local function run_program(there, what, argv, user)
  local stream, err = rpc.open(there, what, "process.Process/Start", {
    process = { cmd = argv[1], args = json.list({ argv[2], argv[3], argv[4], argv[5] }) },
    stdin = false,
  }, { user = user, deadline = PROGRAM })
  while stream do
    local message
    message, err = stream:next()
    local ended = message and shape.table((shape.table(message.event) or {})["end"])
    if ended then
      stream:close()
      if (shape.number(ended.exitCode) or 0) ~= 0 then
        return nil, errors.new("permission_denied", ("%s: %s failed"):format(what, argv[1]))
      end
      return true
    elseif not message then
      break
    end
  end
  return nil, err or failure.protocol(what, "no end of " .. argv[1])
end

function asked.link(there, what, path, target)
  return run_program(there, what, { "ln", "-sfn", "--", target, path }, there:user())
end

local function read_answer(what, response)
  local body, err = response:all(ANSWER_MOST)
  if not body then
    return nil, err
  end
  local value = json.decode(body, 100000) -- labelled as text
  local first = shape.table(value) and shape.table(value[1])
  local path = first and shape.text(first.path)
  if not path then
    return nil, failure.protocol(what, "no path of what was written")
  end
  return path, first
end

function asked.write(there, what, path, source, mode, _, given)
  given = given or {}
  local user = there:user(given.user)
  local body, length, kind = content_of(there, path, source)
  local headers = { { "Content-Type", kind } }
  local ok, err = metadata_headers(there, what, headers, given.metadata or {})
  if ok and given.gzip and there:has(OCTETS) then
    headers[#headers + 1] = { "Content-Encoding", "gzip" }
    body, err = gzip.packed(body)
    length, ok = nil, body
  end
  if not ok then
    return nil, err
  end
  local size = type(source) == "string" and #source or source:size()
  local response
  response, err = there:open(what, ENVD, {
    method = "POST", headers = headers, body = body, length = length,
    path = "/files" .. transport.query({ n = 4, "path", path, "username", user }),
    timeout = given.timeout,
  })
  if not response then
    return nil, err
  end
  local written, first = read_answer(what, response)
  if not written then
    return nil, first
  end
  if mode ~= 0 and mode ~= DEFAULT_MODE then
    ok, err = run_program(there, what, { "chmod", ("%04o"):format(mode), "--", written }, user)
    if not ok then
      return nil, err
    end
  end
  return { absolute = written, path = "", name = shape.text(first.name) or "", type = "file",
    size = size, metadata = shape.table(first.metadata) and shape.texts(first.metadata) or nil }
end

-- ---- for the backend ----

--- Answer a question of the library's.
---@param sandbox table
---@param what string begins the message of an error
---@param operation string
---@return any value
---@return codecell.Error? err after nil
function files.ask(sandbox, what, operation, ...)
  local answer = asked[operation]
  if not answer then
    return nil, errors.unsupported(what, "e2b", "do it by a command in the sandbox")
  end
  return answer(sandbox._plane, what, ...)
end

return files
