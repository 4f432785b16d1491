--- Volumes of an account of E2B: folders that sandboxes share, and their files.
local control = require "codecell.e2b.control"
local errors = require "codecell.errors"
local failure = require "codecell.e2b.failure"
local json = require "codecell.json"
local options = require "codecell.options"
local shape = require "codecell.e2b.shape"
local transport = require "codecell.e2b.transport"
local urls = require "codecell.http.url"

local volume = {}

local HOUR = 3600 -- seconds that a file may take
local TOKEN = "^[%w._~+/=-]+$"

---@class codecell.E2bVolume
---@field id string
---@field name string
---@field package settings codecell.E2bSettings
---@field package token fun(): string
---@field package url string
local Volume = {}
Volume.__index = Volume

---@class codecell.E2bVolumeEntry
---@field name string
---@field path string in the volume
---@field type "file"|"dir"|"symlink"|"other"
---@field size integer bytes
---@field mode integer permission bits
---@field uid integer
---@field gid integer
---@field accessed_time number seconds since 1970
---@field modified_time number
---@field changed_time number
---@field symlink_target string?

-- ---- of the account ----

local function new(settings, what, answer)
  local found = shape.table(answer) or {}
  local id, token = shape.text(found.volumeID), shape.text(found.token)
  local domain = shape.text(found.domain)
  if not id or not id:find("^[%w-]+$") or not token or not token:find(TOKEN) then
    return nil, failure.protocol(what, "no volume")
  elseif domain and not domain:find("^[%w.:-]+$") then
    domain = nil
  end
  local url = settings.volume_url or domain and "https://api." .. domain
    or (settings.debug and "http://localhost:8080" or "https://api." .. settings.domain)
  return setmetatable({ id = id, name = shape.text(found.name) or "", settings = settings,
    token = function() return token end, url = url }, Volume)
end

-- What is answered, without the head of the answer.
local function json_of(asked)
  local answer, err = transport.json(asked)
  if not answer then
    return nil, err
  end
  return answer
end

local function call(settings, what, method, id, body)
  return json_of(control.request(settings, what, method,
    "/volumes" .. (id and "/" .. urls.encode(id) or ""), body))
end

---@return codecell.E2bVolume? made
---@return codecell.Error? err
function volume.create(settings, name)
  local answer, err = call(settings, "create_volume", "POST", nil, { name = name })
  if not answer then
    return nil, err
  end
  return new(settings, "create_volume", answer)
end

---@return codecell.E2bVolume? found
---@return codecell.Error? err
function volume.get(settings, id)
  local answer, err = call(settings, "volume", "GET", id)
  if not answer then
    return nil, err
  end
  return new(settings, "volume", answer)
end

---@return {id: string, name: string}[]? list
---@return codecell.Error? err
function volume.list(settings)
  local answer, err = call(settings, "volumes", "GET")
  if not answer then
    return nil, err
  elseif answer == true or not json.is_list(answer) then
    return nil, failure.protocol("volumes", "no list")
  end
  local list = {}
  for i = 1, #answer do
    local one = shape.table(answer[i]) or {}
    list[i] = { id = shape.text(one.volumeID), name = shape.text(one.name) }
  end
  return list
end

---@return boolean? removed false if there was none
---@return codecell.Error? err
function volume.remove(settings, id)
  local answer, err = call(settings, "remove_volume", "DELETE", id)
  if not answer and err.status == 404 then
    return false
  end
  return answer and true, err
end

-- ---- its files ----

local TYPES = { directory = "dir", file = "file", symlink = "symlink" }

local function entry_of(what, given)
  local found = shape.table(given) or {}
  local path = shape.text(found.path)
  if not path then
    return nil, failure.protocol(what, "no path of an entry")
  end
  return { name = shape.text(found.name) or path:match("[^/]*$"), path = path,
    type = TYPES[found.type] or "other", size = shape.number(found.size) or 0,
    mode = (shape.number(found.mode) or 0) % 4096, uid = shape.number(found.uid) or 0,
    gid = shape.number(found.gid) or 0, accessed_time = shape.time(found.atime) or 0,
    modified_time = shape.time(found.mtime) or 0, changed_time = shape.time(found.ctime) or 0,
    symlink_target = shape.text(found.target) }
end

-- What `query` is: name and value in turn, with their count.
local function request(self, what, method, part, query)
  local known = self.settings
  return {
    what = what, method = method, timeout = known.request_timeout, retries = known.max_retries,
    url = ("%s/volumecontent/%s/%s%s"):format(self.url, self.id, part, transport.query(query)),
    headers = { { "User-Agent", control.agent }, { "Authorization", "Bearer " .. self.token() } },
    hidden = { known.key(), self.token() }, on_request = known.on_request,
    is_safe = method == "GET",
  }
end

local function ask_entry(asked)
  local answer, err = transport.json(asked)
  if not answer then
    return nil, err
  end
  return entry_of(asked.what, answer)
end

local WRITE = { force = { type = "boolean" }, gid = { type = "integer", most = 2 ^ 32 - 1 },
  mode = { type = "integer", most = 4095 }, uid = { type = "integer", most = 2 ^ 32 - 1 } }
local METADATA = { gid = WRITE.gid, mode = WRITE.mode, uid = WRITE.uid }

local function place(path, given)
  return { n = 10, "path", path, "uid", given.uid, "gid", given.gid, "mode", given.mode,
    "force", given.force }
end

local function usable(self, verb, path)
  if getmetatable(self) ~= Volume then
    error(verb .. ": a volume expected, as of account:volume; call it with \":\"", 3)
  end
  options.argument(verb, "path", path, "name", nil, 4)
end

--- What a folder of it holds, by path.
---@param path string
---@param given {depth: integer?}? depth 1: its own entries
---@return codecell.E2bVolumeEntry[]? entries
---@return codecell.Error? err kind "not_found"
function Volume:list(path, given)
  usable(self, "list", path)
  given = options.check("list", given, { depth = { type = "integer", least = 1, most = 1000 } })
  local answer, err = transport.json(request(self, "list " .. path, "GET", "dir",
    { n = 4, "path", path, "depth", given.depth }))
  if not answer then
    return nil, err
  end
  local list = {}
  for i = 1, #(answer ~= true and answer or {}) do
    list[i], err = entry_of("list", answer[i])
    if not list[i] then
      return nil, err
    end
  end
  return list
end

--- What is known of a path of it; a link is described itself.
---@param path string
---@return codecell.E2bVolumeEntry? entry
---@return codecell.Error? err kind "not_found"
function Volume:get_info(path)
  usable(self, "get_info", path)
  return ask_entry(request(self, "get_info " .. path, "GET", "path", { n = 2, "path", path }))
end

--- Whether there is something at a path of it.
---@param path string
---@return boolean? exists
---@return codecell.Error? err
function Volume:exists(path)
  usable(self, "exists", path)
  local entry, err = self:get_info(path)
  if not entry and err.kind == "not_found" then
    return false
  end
  return entry and true, err
end

--- Make a folder in it.
---@param path string
---@param given {force: boolean?, mode: integer?, uid: integer?, gid: integer?}? force: with those
---above it, and also where it is there
---@return codecell.E2bVolumeEntry? entry
---@return codecell.Error? err kinds "not_found", "already_exists"
function Volume:make_dir(path, given)
  usable(self, "make_dir", path)
  given = options.check("make_dir", given, WRITE)
  return ask_entry(request(self, "make_dir " .. path, "POST", "dir", place(path, given)))
end

--- Change the mode or the owner of what is at a path of it.
---@param path string
---@param given {mode: integer?, uid: integer?, gid: integer?}
---@return codecell.E2bVolumeEntry? entry
---@return codecell.Error? err
function Volume:set_metadata(path, given)
  usable(self, "set_metadata", path)
  given = options.check("set_metadata", given, METADATA)
  local asked = request(self, "set_metadata " .. path, "PATCH", "path", { n = 2, "path", path })
  asked.body = transport.body({ uid = given.uid, gid = given.gid, mode = given.mode })
  table.insert(asked.headers, { "Content-Type", "application/json" })
  return ask_entry(asked)
end

local function each(response, called)
  while true do
    local chunk, err = response:read()
    if not chunk then
      response:close()
      return not err, err
    end
    called(chunk)
  end
end

--- The bytes of a file of it.
---@param path string
---@param given {on_chunk: fun(chunk: string)?}? on_chunk: is given them piece by piece instead
---@return string? bytes "" with on_chunk
---@return codecell.Error? err kind "not_found"
function Volume:read(path, given)
  usable(self, "read", path)
  given = options.check("read", given, { on_chunk = { type = "function" } })
  local asked = request(self, "read " .. path, "GET", "file", { n = 2, "path", path })
  asked.timeout = HOUR
  local response, err = transport.open(asked)
  local chunks, ok = {}, nil
  if response then
    ok, err = each(response, given.on_chunk or function(chunk) chunks[#chunks + 1] = chunk end)
  end
  if not ok then
    return nil, err
  end
  return table.concat(chunks)
end

--- Write a file of it.
---@param path string
---@param data string|fun(): string?, codecell.Error? its bytes, or what gives the next ones
---@param given {force: boolean?, mode: integer?, uid: integer?, gid: integer?}? force: also where
---there is one
---@return codecell.E2bVolumeEntry? entry
---@return codecell.Error? err kinds "already_exists", "no_space"
function Volume:write(path, data, given)
  usable(self, "write", path)
  given = options.check("write", given, WRITE)
  if type(data) ~= "string" and type(data) ~= "function" then
    error("write: data: a string or a function expected", 2)
  end
  local asked = request(self, "write " .. path, "PUT", "file", place(path, given))
  asked.body, asked.timeout = data, HOUR
  table.insert(asked.headers, { "Content-Type", "application/octet-stream" })
  return ask_entry(asked)
end

--- Remove what is at a path of it; of a folder all that it holds.
---@param path string
---@return true? done
---@return codecell.Error? err kind "not_found"
function Volume:remove(path)
  usable(self, "remove", path)
  local answer, err = json_of(request(self, "remove " .. path, "DELETE", "path",
    { n = 2, "path", path }))
  return answer and true, err
end

-- ---- in sandboxes ----

--- What create is to say of volumes.
---@param given table<string, string|codecell.E2bVolume>? by the path where each is to be
---@return table[]? list
---@return codecell.Error? err kind "invalid_argument"
function volume.mounts(given)
  local list = json.list()
  for path, one in pairs(given or {}) do
    local name = type(one) == "table" and one.name or one
    if type(path) ~= "string" or type(name) ~= "string" or path:sub(1, 1) ~= "/" then
      return nil, errors.new("invalid_argument",
        "create: volumes: absolute paths, and for each the name of a volume expected")
    end
    list[#list + 1] = { name = name, path = path }
  end
  table.sort(list, function(one, other) return one.path < other.path end)
  return list[1] and list
end

return volume
