--- The actions about files and ports.
local base64 = require "codecell.base64"
local downloads = require "codecell.service.downloads"
local errors = require "codecell.errors"
local json = require "codecell.json"
local masked = require "codecell.files.masked"
local shape = require "codecell.actions.shape"
local unicode = require "codecell.agent.unicode"

local files = {}

local function contents(given)
  if given.encoding == nil or given.encoding == "utf-8" or given.encoding == "utf8" then
    return given.fileContent
  elseif given.encoding ~= "base64" then
    return nil, errors.new("invalid_argument",
      ("encoding of `write_file`: base64 expected, or none, got %q"):format(given.encoding))
  end
  local data = base64.decode((given.fileContent:gsub("%s", "")))
  if not data then
    return nil, errors.new("invalid_argument", "fileContent of `write_file` is no base64.")
  end
  return data
end

function files.write_file(call, given)
  local data, err = contents(given)
  local found, entry
  if data then
    found, err = call:sandbox(given)
  end
  if found then
    entry, err = found.files:write(given.filePath, data)
  end
  if not entry then
    return nil, err
  end
  return { sandboxId = found.id, filePath = entry.path, size = #data,
    text = ("%d bytes were written to %s."):format(#data, entry.path) }
end

local function is_text(data)
  return not data:find("%z") and json.repair(data) == data
end

-- A piece of a text ends between two characters; the next one has the rest.
local function whole(data)
  local kept = data:sub(1, #data - unicode.incomplete(data))
  return kept ~= "" and is_text(kept) and kept or data
end

function files.read_file(call, given)
  local found, err = call:sandbox(given)
  local about
  if found then
    about, err = found.files:get_info(given.filePath)
  end
  local data, more
  local offset = given.offset or 0
  local most = math.min(given.limit or call.most, call.most)
  if about then
    data, more = masked(found, given.filePath, offset, most)
    err = more
  end
  if not data then
    return nil, err
  end
  data = more and whole(data) or data
  local told = { sandboxId = found.id, filePath = given.filePath, size = about.size,
    truncated = more or nil, nextOffset = more and offset + #data or nil }
  if is_text(data) then
    told.content = data
    told.text = told.content
  else
    told.content, told.encoding = base64.encode(data), "base64"
    told.text = ("%d bytes that are no text"):format(#data)
  end
  return told
end

function files.get_file_downloadurl(call, given)
  local found, err = call:sandbox(given)
  local url, ends
  if found then
    url, ends = downloads.url(call.service, found, given.filePath)
    err = ends
  end
  if not url then
    return nil, err
  end
  return { sandboxId = found.id, filePath = given.filePath, url = url, downloadUrl = url,
    expiresAt = shape.time(ends), expires_at = shape.time(ends), text = url }
end

function files.get_host(call, given)
  local found, err = call:sandbox(given)
  local host
  if found then
    host, err = found:get_host(given.port)
  end
  if not host then
    return nil, err
  end
  return { sandboxId = found.id, host = host, port = given.port, text = host }
end

return files
