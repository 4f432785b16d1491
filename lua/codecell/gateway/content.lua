--- The contents of files: GET and POST of /files.
local answer = require "codecell.gateway.answer"
local holding = require "codecell.gateway.holding"
local json = require "codecell.json"
local multipart = require "codecell.gateway.multipart"
local paths = require "codecell.gateway.paths"

local content = {}

local CHUNK = 262144
local KINDS = {
  css = "text/css", csv = "text/csv", gif = "image/gif", html = "text/html", jpeg = "image/jpeg",
  jpg = "image/jpeg", js = "text/javascript", json = "application/json", md = "text/markdown",
  pdf = "application/pdf", png = "image/png", svg = "image/svg+xml", txt = "text/plain",
  xml = "text/xml",
}

-- ---- reading ----

local function kind_of(path)
  local kind = KINDS[(path:match("%.(%w+)$") or ""):lower()] or "application/octet-stream"
  return kind:find("^text/") and kind .. "; charset=utf-8" or kind
end

-- The part that is wanted: from where, and how many bytes; false: there is no such part.
local function part_of(header, size)
  local first, last = (header or ""):match("^bytes=(%d*)%-(%d*)$")
  if not first or first == "" and last == "" or #first > 15 or #last > 15 then
    return nil
  elseif first == "" then
    first, last = math.max(size - tonumber(last), 0), size - 1
  end
  first, last = tonumber(first), math.min(tonumber(last) or size - 1, size - 1)
  if first >= size or last < first then
    return false
  end
  return first, last - first + 1
end

-- Files come from the code, and their signed URLs are opened in browsers, at the host of the page:
-- none of them may do anything there. The reader of PDF that browsers have needs to be left alone.
local LOCKED = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"

local function fields_of(path)
  local name = path:match("([^/]*)$"):gsub('[%c"\\]', "_")
  local kind = kind_of(path)
  return { { "Content-Type", kind }, { "Vary", "Accept-Encoding" },
    { "Accept-Ranges", "bytes" }, { "X-Content-Type-Options", "nosniff" },
    { "Content-Disposition", ('inline; filename="%s"'):format(name) },
    kind ~= KINDS.pdf and { "Content-Security-Policy", LOCKED } or nil }
end

local function send(request, source, length)
  while length > 0 do
    local piece = source:read(math.min(length, CHUNK))
    if not piece or not request:write(piece) then
      return request:abort() -- it was cut meanwhile, or nobody wants it
    end
    length = length - #piece
  end
  request:finish()
end

local function reply(request, path, entry, open)
  local first, length = part_of(request.headers.range, entry.size)
  local fields = fields_of(path)
  if first == false then
    return answer.empty(request, 416, { { "Content-Range", ("bytes */%d"):format(entry.size) } })
  elseif first then
    fields[#fields + 1] = { "Content-Range",
      ("bytes %d-%d/%d"):format(first, first + length - 1, entry.size) }
  end
  local status = first and 206 or 200
  first, length = first or 0, length or entry.size
  if request.method == "HEAD" or length == 0 then
    return request:reply(status, answer.headers(nil, fields))
  end
  local source, err = open(first, length)
  if not source then
    return answer.error(request, err)
  elseif type(source) == "string" then
    return request:reply(status, answer.headers(nil, fields), source)
  end
  source:seek(first)
  if request:start(status, answer.headers(nil, fields), length) then
    send(request, source, length)
  end
  source:close()
end

--- Answer with a file.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param query table<string, string>
function content.read(one, request, query)
  local path, err = paths.resolve(query.path)
  err = err or paths.check_user(one, query.username)
  if err then
    return answer.error(request, err)
  end
  local sandbox = one.sandbox
  local entry = sandbox._backend.ask(sandbox, "read", "stat", path, true)
  if not entry then
    return answer.failure(request, 404, ("path '%s' does not exist"):format(path))
  elseif entry.type ~= "file" then
    return answer.failure(request, 400, ("path '%s' is %s"):format(path,
      entry.type == "dir" and "a directory" or "no file"))
  end
  return reply(request, path, entry, function(first, length)
    return sandbox._backend.ask(sandbox, "read " .. path, "read", path, first, length)
  end)
end

-- ---- writing ----

local function write(one, path, data)
  local target, err = paths.resolve(path)
  local entry
  if target then
    entry, err = one.sandbox.files:write(target, data)
  end
  return entry and { path = entry.path, name = entry.name, type = "file" }, err
end

-- The files of a request: {path, data} each.
local function files_of(request, query, body)
  local kind = request.headers["content-type"] or ""
  if kind:find("^application/octet%-stream") then
    if not query.path then
      return nil, "path is needed with application/octet-stream"
    end
    return { { path = query.path, data = body } }
  elseif not kind:find("^multipart/form%-data") then
    return nil, "the content is neither multipart/form-data nor application/octet-stream"
  end
  local parts, problem = multipart.read(kind, body)
  local list, seen = {}, {}
  for _, part in ipairs(parts or {}) do
    local path = query.path or part.filename
    if part.name == "file" and (not path or path == "") then
      return nil, "a part has no file name"
    elseif part.name == "file" and seen[path] then
      return nil, ("'%s' is there twice"):format(path)
    elseif part.name == "file" then
      list[#list + 1], seen[path] = { path = path, data = part.data }, true
    end
  end
  return parts and list, problem
end

local function has_metadata(headers)
  for i = 1, #headers do
    if headers[i][1]:lower():find("^x%-metadata%-") then
      return true
    end
  end
  return false
end

local function unpacked(request, body, most)
  local encoding = (request.headers["content-encoding"] or "identity"):lower()
  if encoding == "identity" then
    return body
  elseif encoding ~= "gzip" then
    return nil, ("Content-Encoding: %s is not understood"):format(encoding)
  end
  return multipart.gunzip(body, most)
end

local function write_all(one, request, query, given)
  local plain, problem = unpacked(request, given.body, given.most)
  local list
  if plain then
    list, problem = files_of(request, query, plain)
  end
  if not list then
    return answer.failure(request, 400, problem)
  end
  local written = json.list()
  for i, file in ipairs(list) do
    local err
    written[i], err = write(one, file.path, file.data)
    if not written[i] then
      return answer.error(request, err)
    end
  end
  answer.json(request, 200, written)
end

--- Write what a request brings.
---@param one codecell.GatewayRecord
---@param request codecell.IncomingRequest
---@param query table<string, string>
function content.write(one, request, query)
  local err = paths.check_user(one, query.username)
  if err then
    return answer.error(request, err)
  elseif has_metadata(request.headers) then
    return answer.failure(request, 400, "X-Metadata: metadata of files is not kept here")
  end
  local most = one.sandbox._limits.disk
  local body, status = holding.read(request, most, 507)
  if body then
    write_all(one, request, query, { body = body, most = most })
  elseif status then
    answer.failure(request, status, status == 507 and "not enough space"
      or "the body could not be taken; try again later")
  end
  holding.done(request)
end

return content
