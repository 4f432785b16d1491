--- The contents of files: GET of /files.
local answer = require "codecell.gateway.answer"
local kind = require "codecell.files.kind"
local packing = require "codecell.gateway.envd.packing"
local paths = require "codecell.gateway.envd.paths"
local shape = require "codecell.e2b.shape"

local content = {}

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
  local found = kind.of(path)
  local shown = found:find("^text/") and found .. "; charset=utf-8" or found
  return { { "Content-Type", shown }, { "Vary", "Accept-Encoding" },
    { "Accept-Ranges", "bytes" }, { "X-Content-Type-Options", "nosniff" },
    { "Content-Disposition", ('inline; filename="%s"'):format(name) },
    found ~= kind.pdf and { "Content-Security-Policy", LOCKED } or nil }
end

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }

local function date_of(seconds)
  local at = os.date("!*t", math.floor(seconds))
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[at.wday], at.day, MONTHS[at.month],
    at.year, at.hour, at.min, at.sec)
end

-- The status where the client wants the file only if it has changed, or has not; and whether it
-- still wants a part of it.
local function condition_of(headers, modified)
  modified = math.floor(modified)
  local since = shape.http_date(headers["if-modified-since"])
  local before = shape.http_date(headers["if-unmodified-since"])
  local same = headers["if-range"]
  if before and modified > before then
    return 412
  elseif since and modified <= since then
    return 304
  end
  return nil, same == nil or shape.http_date(same) == modified
end

-- The codings that a client takes, with how much it wants each.
local function wanted_codings(header)
  local wanted = {}
  for piece in header:lower():gmatch("[^,]+") do
    local name, rest = piece:match("^%s*([^;%s]+)%s*(.*)$")
    if name then
      wanted[name] = tonumber(rest:match("q%s*=%s*([%d.]+)") or "1") or 0
    end
  end
  return wanted
end

-- What is asked with these is asked of the file as it is.
local CONDITIONS = { range = true, ["if-modified-since"] = true, ["if-unmodified-since"] = true }

-- "gzip", "identity", or nil: neither is taken. It is packed for who names nothing else: most
-- clients name gzip without being asked, and are on this machine or close to it.
local function coding_of(request)
  local wanted = wanted_codings(request.headers["accept-encoding"] or "identity")
  local others = 0
  for name, much in pairs(wanted) do
    others = others + (name ~= "gzip" and much > 0 and 1 or 0)
  end
  local packed = wanted.gzip or wanted["*"] or 0
  if (wanted.identity or wanted["*"] or 1) <= 0 then
    return packed > 0 and "gzip" or nil
  end
  for name in pairs(CONDITIONS) do
    others = others + (request.headers[name] and 1 or 0)
  end
  return packed > 0 and others == 0 and "gzip" or "identity"
end

-- False: it cannot be packed here.
local function send_packed(request, path, source)
  local read = packing.pack(source)
  if not read then
    return false
  end
  local fields = fields_of(path)
  fields[#fields + 1] = { "Content-Encoding", "gzip" }
  local ok, err = request:start(200, answer.headers(nil, fields)), nil
  while ok do
    local chunk
    chunk, err = read()
    if not chunk then
      break
    end
    ok = request:write(chunk)
  end
  if ok and not err then
    request:finish()
  else
    request:abort()
  end
  return true
end

-- Also files that say that they are empty, as those of /proc.
local function reply_packed(request, path, open)
  local source, err = open(0)
  if not source then
    answer.error(request, err)
    return true
  end
  local sent = send_packed(request, path, source)
  if type(source) ~= "string" then
    source:close()
  end
  return sent
end

local function reply(request, path, entry, open)
  local fields = fields_of(path)
  fields[#fields + 1] = { "Last-Modified", date_of(entry.modified_time) }
  local unwanted, takes_part = condition_of(request.headers, entry.modified_time)
  if unwanted then
    return answer.empty(request, unwanted, fields)
  end
  local first, length
  if takes_part then
    first, length = part_of(request.headers.range, entry.size)
  end
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
    answer.rest(request, source, length)
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
  local entry
  entry, err = sandbox._backend.ask(sandbox, "read", "stat", path, true)
  if not entry and answer.is_gone(err) then
    return answer.gone(request, one.id)
  elseif not entry then
    return answer.failure(request, 404, ("path '%s' does not exist"):format(path))
  elseif entry.type ~= "file" then
    return answer.failure(request, 400, ("path '%s' is %s"):format(path,
      entry.type == "dir" and "a directory" or "no file"))
  end
  local function open(first, length)
    return sandbox._backend.ask(sandbox, "read " .. path, "read", path, first, length)
  end
  local coding = coding_of(request)
  if not coding then
    return answer.failure(request, 406, "Accept-Encoding: gzip or identity was expected")
  elseif coding == "gzip" and request.method == "GET" and reply_packed(request, path, open) then
    return
  end
  return reply(request, path, entry, open)
end

return content
