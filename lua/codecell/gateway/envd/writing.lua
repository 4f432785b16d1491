--- POST of /files: what comes is written as it comes, so that its size costs no memory.
local answer = require "codecell.gateway.answer"
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local multipart = require "codecell.gateway.envd.multipart"
local metadata = require "codecell.metadata"
local packing = require "codecell.gateway.envd.packing"
local paths = require "codecell.gateway.envd.paths"

local writing = {}

local PIECE = 262144 -- bytes that are written at once
local CHUNKS_MOST = 1024 -- small ones weigh more than what they hold
local INLINE = 65536 -- bytes that go in a message itself
local BODY_MOST = 1048576 -- bytes of a body that names files
local SOURCES_MOST = 1000

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

-- ---- a file that is being written ----

local Target = {}
Target.__index = Target

local function append(one, path, data)
  local source, err = data, nil
  if #data > INLINE then
    source, err = core.memory(data)
  end
  local entry
  if source then
    entry, err = one.sandbox._backend.ask(one.sandbox, "write " .. path, "append", path, source)
  end
  if source and source ~= data then
    source:close()
  end
  return entry, err
end

local function flush(self)
  local data = table.concat(self.chunks)
  self.chunks, self.size = {}, 0
  if self.entry then
    return append(self.one, self.path, data)
  end
  local err
  self.entry, err = self.one.sandbox.files:write(self.path, data, { metadata = self.noted })
  return self.entry, err
end

local function add(self, chunk)
  self.chunks[#self.chunks + 1] = chunk
  self.size = self.size + #chunk
  if self.size >= PIECE then
    return flush(self)
  elseif #self.chunks >= CHUNKS_MOST then
    self.chunks = { table.concat(self.chunks) }
  end
  return true
end

local function open(one, path, noted)
  return setmetatable({ one = one, path = path, noted = noted, chunks = {}, size = 0 }, Target)
end

-- What the client is told of it, once all is written.
local function finish(self)
  local ok, err = true, nil
  if not self.entry or self.size > 0 then
    ok, err = flush(self)
  end
  return ok and { path = self.entry.path, name = self.entry.name, type = "file",
    metadata = next(self.noted) and self.noted or nil }, err
end

-- Write what `read` gives.
local function write(one, path, noted, read)
  local target = open(one, path, noted)
  while true do
    local chunk, err = read()
    local ok = not err
    if chunk then
      ok, err = add(target, chunk)
    end
    if not ok then
      return nil, err
    elseif not chunk then
      return finish(target)
    end
  end
end

-- ---- requests ----

local function metadata_of(headers)
  local noted = {}
  for i = 1, #headers do
    local name = headers[i][1]:lower():match("^x%-metadata%-(.*)$")
    if name then
      noted[name] = headers[i][2]
    end
  end
  local ok, err = metadata.check("X-Metadata", noted)
  return ok and noted, err
end

local function read_form(one, kind, query, given)
  local form, err = multipart.reader(kind, given.read)
  local list, seen = json.list(), {}
  while form and not err do
    local part
    part, err = form:next()
    if not part then
      break
    elseif part.name == "file" then
      local path
      path, err = paths.resolve(query.path or part.filename)
      if path and (query.path or part.filename or "") == "" then
        path, err = wrong("a part has no file name")
      elseif path and seen[path] then
        path, err = wrong(("'%s' is there twice"):format(path))
      end
      if path then
        seen[path] = true
        list[#list + 1], err = write(one, path, given.noted, function() return form:read() end)
      end
    end
  end
  return not err and list or nil, err
end

local function read_files(one, request, query, given)
  local kind = request.headers["content-type"] or ""
  if kind:find("^multipart/form%-data") then
    return read_form(one, kind, query, given)
  elseif not kind:find("^application/octet%-stream") then
    return wrong("the content is neither multipart/form-data nor application/octet-stream")
  elseif not query.path then
    return wrong("path is needed with application/octet-stream")
  end
  local path, err = paths.resolve(query.path)
  local length = tonumber((request.headers["content-length"] or ""):match("^%d+$") or 0)
  local entry
  if path and length > one.sandbox._limits.disk then -- what is there should stay
    err = errors.new("no_space", ("%s: not enough space"):format(path))
  elseif path then
    entry, err = write(one, path, given.noted, given.read)
  end
  return entry and json.list({ entry }), err
end

local function body_of(request)
  local encoding = (request.headers["content-encoding"] or "identity"):lower()
  local function read()
    return request:read()
  end
  if encoding == "identity" then
    return read, function() end
  elseif encoding ~= "gzip" then
    return wrong(("Content-Encoding: %s is not understood"):format(encoding))
  end
  return packing.unpack(read)
end

--- Write what a request brings.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param query table<string, string>
function writing.answer(one, request, query)
  local err = paths.check_user(one, query.username)
  local noted, read, close, list
  if not err then
    noted, err = metadata_of(request.headers)
  end
  if noted then
    read, close = body_of(request)
    err = not read and close or nil
  end
  if read then
    list, err = read_files(one, request, query, { read = read, noted = noted })
    close()
  end
  if request:is_left() then
    return
  elseif not list then
    return answer.error(request, err)
  end
  answer.json(request, 200, list)
end

-- ---- several files as one ----

local function sources_of(body)
  local list = {}
  local given = type(body.source_paths) == "table" and body.source_paths or {}
  if #given == 0 or #given > SOURCES_MOST then
    return wrong(("source_paths: 1 to %d paths expected"):format(SOURCES_MOST))
  end
  for i = 1, #given do
    local path, err = paths.resolve(given[i])
    if not path then
      return nil, err
    end
    list[i] = path
  end
  return list
end

-- What is large goes from file to file inside.
local function join(one, sources, target)
  local entry, err = one.sandbox.files:write(target, "")
  for _, path in ipairs(entry and sources or {}) do
    local content
    content, err = one.sandbox._backend.ask(one.sandbox, "read " .. path, "read", path, 0)
    if not content then
      return nil, err
    end
    entry, err = one.sandbox._backend.ask(one.sandbox, "write " .. target, "append", target,
      content)
    if type(content) ~= "string" then
      content:close()
    end
    if not entry then
      return nil, err
    end
  end
  return entry, err
end

local function compose(one, body)
  local sources, err = sources_of(body)
  local path
  if sources then
    path, err = paths.resolve(body.destination)
  end
  if not path then
    return nil, err
  end
  local files = one.sandbox.files
  local beside = path .. ".compose-" .. core.random_id(12)
  local ok, entry
  ok, err = join(one, sources, beside)
  if ok then
    entry, err = files:rename(beside, path)
  end
  if not entry then
    files:remove(beside)
    return nil, err
  end
  for _, source in ipairs(sources) do
    if source ~= path then
      files:remove(source)
    end
  end
  return { path = entry.path, name = entry.name, type = "file" }
end

--- Put files together into one, instead of them.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
function writing.compose(one, request)
  local body = answer.body(request, BODY_MOST)
  if not body then
    return
  end
  local entry
  local err = paths.check_user(one, type(body.username) == "string" and body.username or nil)
  if not err then
    entry, err = compose(one, body)
  end
  if not entry then
    return answer.error(request, err)
  end
  answer.json(request, 200, entry)
end

return writing
