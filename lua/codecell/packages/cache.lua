--- What was fetched and installed once, on this machine: read-only, shared by all its sandboxes.
---
--- A *file* is what an index gave, named by its checksum. A *layer* is what an installation left, a
--- tar stream that nobody here looks into, named by all that was asked for; beside it lies what is
--- told of it. Both come to be under another name and are renamed when they are whole: a builder
--- that is killed leaves nothing half.
local core = require "codecell.core"
local errors = require "codecell.errors"
local json = require "codecell.json"
local xdg = require "codecell.xdg"

local cache = {}

local MOST = 8 * 2 ^ 30 -- bytes
local ABANDONED = 6 * 3600 -- seconds after which nobody writes any more
local ABOUT_MOST = 2 ^ 20 -- bytes of what is told of a layer

local settings = { most = MOST }

--- Bound what is kept.
---@param bytes number
function cache.set_most(bytes)
  settings.most = bytes
end

local function folder()
  local base = xdg("XDG_CACHE_HOME", ".cache")
  if not base then
    return nil, errors.new("unavailable",
      "packages: no folder to keep them in; set XDG_CACHE_HOME or HOME to an absolute path")
  end
  return base .. "/codecell/packages"
end

-- Where things of a sort are; made with `make`.
local function place(sort, make)
  local path, err = folder()
  if not path then
    return nil, err
  end
  path = path .. "/" .. sort
  local ok
  ok, err = core.host_store(path, make)
  if not ok then
    err.message = "packages: " .. err.message
      .. (err.kind == "permission_denied" and "; set XDG_CACHE_HOME to a folder of your own" or "")
    return nil, err
  end
  return path
end

---@class codecell.CacheWriter
---@field size number bytes so far
---@field package path string
---@field package target userdata
local Writer = {}
Writer.__index = Writer

--- Begin something new.
---@param sort "files"|"layers"
---@param algorithm "sha256"|"sha512"|"sha1"|nil of its checksum, if it is to have one
---@return codecell.CacheWriter? writer
---@return codecell.Error? err
function cache.create(sort, algorithm)
  local path, err = place(sort, true)
  local root, target
  if path then
    root, err = core.host_directory(path, false)
  end
  local name = core.random_id(20) .. ".part"
  if root then
    target, err = root:make_file(name, 256)
    root:close()
  end
  if not target then
    return nil, err
  end
  return setmetatable({ path = path, name = name, target = target, size = 0,
    digest = algorithm and core.digest(algorithm) }, Writer)
end

--- Add bytes.
---@param bytes string
---@return true? done
---@return codecell.Error? err kind "no_space", "system"
function Writer:write(bytes)
  self.size = self.size + #bytes
  if self.digest then
    self.digest:update(bytes)
  end
  return self.target:write(bytes)
end

--- What was written so far, to read.
---@return userdata? descriptor the caller closes it
function Writer:reopen()
  return core.host_file(self.path .. "/" .. self.name) or nil
end

--- Let go of what is not whole. Idempotent.
function Writer:discard()
  if self.target then
    self.target:close()
    self.target = nil
    os.remove(self.path .. "/" .. self.name)
  end
end

--- It is whole: give it its name, at once.
---@param name string
---@return true? done
---@return codecell.Error? err
function Writer:keep(name)
  -- A name that outlives a crash of the machine must not stand for less than all of it.
  local ok, err = self.target:flush()
  if not ok then
    self:discard()
    return nil, err
  end
  self.target:close()
  self.target = nil
  local problem
  ok, problem = os.rename(self.path .. "/" .. self.name, self.path .. "/" .. name)
  if not ok then
    os.remove(self.path .. "/" .. self.name)
    return nil, errors.new("system", "packages: " .. problem)
  end
  return true
end

-- Everything that is kept, the oldest use first, and how much it is; what was abandoned goes.
local function survey()
  local list, total, now = {}, 0, os.time()
  for _, sort in ipairs({ "files", "layers" }) do
    local path = place(sort, false)
    for _, entry in ipairs(path and core.host_list(path) or {}) do
      local full = path .. "/" .. entry.name
      if entry.name:find("%.part$") then
        if now - entry.modified_time > ABANDONED then
          os.remove(full)
        end
      elseif entry.type == "file" then
        list[#list + 1] = { path = full, size = entry.size, at = entry.modified_time }
        total = total + entry.size
      end
    end
  end
  table.sort(list, function(one, other)
    return one.at < other.at or one.at == other.at and one.path < other.path
  end)
  return list, total
end

-- Keep within the bound: what was not used for longest goes first. Who has it open goes on.
local function evict()
  local list, total = survey()
  for _, entry in ipairs(list) do
    if total <= settings.most then
      return
    end
    if os.remove(entry.path) then
      total = total - entry.size
    end
  end
end

local function touch(path, name)
  local root = core.host_directory(path, false)
  if root then
    root:describe(name, nil, os.time())
    root:close()
  end
end

-- ---- files ----

--- A file by its checksum.
---@param algorithm "sha256"|"sha512"
---@param digest string hexadecimal digits
---@return userdata? descriptor to read; the caller closes it
function cache.file(algorithm, digest)
  local path, name = place("files", false), algorithm .. "-" .. digest
  local found = path and core.host_file(path .. "/" .. name)
  if found then
    touch(path, name)
  end
  return found or nil
end

--- Keep a file that is whole and has this checksum.
---@param writer codecell.CacheWriter
---@param algorithm "sha256"|"sha512"
---@param digest string
function cache.keep_file(writer, algorithm, digest)
  writer:keep(algorithm .. "-" .. digest)
  evict()
end

-- ---- layers ----

--- The layer of that key, and what is told of it.
---@param key string
---@return table? about with `size` and `made_at`
---@return userdata? descriptor of the stream; the caller closes it
function cache.layer(key)
  local path = place("layers", false)
  local told = path and core.host_file(path .. "/" .. key .. ".json")
  local text = told and told:size() <= ABOUT_MOST and told:read(told:size())
  if told then
    told:close()
  end
  local about = text and json.decode(text)
  local stream = about and core.host_file(path .. "/" .. key .. ".tar")
  if not stream then
    return nil
  elseif stream:size() ~= about.size then -- of two that were built at the same time
    stream:close()
    return nil
  end
  touch(path, key .. ".json")
  touch(path, key .. ".tar")
  return about, stream
end

--- Keep a layer.
---@param writer codecell.CacheWriter its stream, whole
---@param key string
---@param about table what is told of it
---@return true? done
---@return codecell.Error? err
function cache.keep_layer(writer, key, about)
  about.size, about.made_at = writer.size, os.time()
  local told, err = cache.create("layers")
  local ok
  if told then
    ok, err = told:write(json.encode(about))
  end
  if ok then
    ok, err = writer:keep(key .. ".tar")
  else
    writer:discard()
  end
  if ok then
    ok, err = told:keep(key .. ".json")
  elseif told then
    told:discard()
  end
  evict()
  return ok, err
end

--- What is kept, and may be.
---@return {folder: string, bytes: number, files: integer, most: number}? usage
---@return codecell.Error? err kind "unavailable": there is no folder for it
function cache.usage()
  local path, err = folder()
  if not path then
    return nil, err
  end
  local list, total = survey()
  return { folder = path, bytes = total, files = #list, most = settings.most }
end

--- Remove all that is kept. Who has some of it open goes on.
function cache.clear()
  for _, entry in ipairs((survey())) do
    os.remove(entry.path)
  end
end

return cache
