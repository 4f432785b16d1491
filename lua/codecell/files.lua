--- sandbox.files: the files of a sandbox. All paths are resolved inside it.
local core = require "codecell.core"
local errors = require "codecell.errors"
local home = require "codecell.home"
local listing = require "codecell.files.listing"
local metadata = require "codecell.metadata"
local options = require "codecell.options"
local receiver = require "codecell.receiver"
local wait = require "codecell.wait"

local INLINE = 65536 -- bytes that go in the message itself
local IN_A_ROW = 500 -- entries, until others have their turn

---@class codecell.Files
---@field package _sandbox codecell.Sandbox
local Files = {}
Files.__index = Files

local files = {}

--- The part of a sandbox.
---@param sandbox codecell.Sandbox
---@return codecell.Files
function files.new(sandbox)
  return setmetatable({ _sandbox = sandbox }, Files)
end

local function usable(self, verb)
  local sandbox = receiver.part(self, verb, "files", 4)
  return sandbox -- not a tail call, which would be a level less in some Luas
end

local PATH_MOST = 4095

-- A path that the sandbox could take, or nil, err.
local function check_path(verb, path, level)
  options.argument(verb, "path", path, "text", nil, (level or 3) + 1)
  if path == "" or #path > PATH_MOST then
    return nil, errors.new("invalid_argument", ("%s: %s"):format(verb,
      path == "" and "a path is not empty"
      or ("a path has at most %d bytes, this one has %d"):format(PATH_MOST, #path)))
  end
  return true
end

local function ask(self, verb, path, operation, ...)
  local sandbox = self._sandbox
  return sandbox._backend.ask(sandbox, verb .. " " .. path, operation, ...)
end

-- ---- entries ----

local function permissions(entry)
  local letters = { entry.type == "dir" and "d" or entry.type == "symlink" and "l" or "-" }
  local mode = entry.mode
  for place = 8, 0, -1 do
    local set = math.floor(mode / 2 ^ place) % 2 == 1
    letters[#letters + 1] = set and ("xwr"):sub(place % 3 + 1, place % 3 + 1) or "-"
  end
  return table.concat(letters)
end

local function owner(id)
  return id == 0 and "root" or id == 1000 and "user" or tostring(id)
end

-- What the sandbox says of a file, as users get it.
local function complete(entry, base)
  if entry.absolute then -- a backend that knows it says the rest as well
    entry.path, entry.absolute = entry.absolute, nil
    return entry
  end
  local path = home.absolute(base)
  if entry.path ~= "" then
    path = (path == "/" and "" or path) .. "/" .. entry.path
  end
  entry.path = path
  entry.name = path:match("([^/]+)$") or "/"
  entry.permissions = permissions(entry)
  entry.owner, entry.group = owner(entry.uid), owner(entry.gid)
  entry.uid, entry.gid = nil, nil
  return entry
end

-- ---- content ----

local READ = {
  gzip = { type = "boolean" },
  length = { type = "integer", most = 2 ^ 53 },
  offset = { type = "integer", most = 2 ^ 53 },
  user = { type = "name" },
}

local function read_all(descriptor, length)
  local pieces = {}
  while length > 0 do
    local piece, err = descriptor:read(length)
    if err then
      descriptor:close()
      return nil, err
    elseif not piece then
      break
    end
    pieces[#pieces + 1] = piece
    length = length - #piece
  end
  descriptor:close()
  return table.concat(pieces)
end

-- What one call may make of a file, whose size is not always known before its end.
local function read_bounded(self, path, content, offset, length)
  local size, most = content:size(), self._sandbox._reads or self._sandbox._holds
  local wanted = math.min(length or math.huge, size and math.max(size - offset, 0) or most + 1)
  local bytes, err
  if wanted <= most or not size and not length then
    content:seek(offset)
    bytes, err = read_all(content, wanted)
  else -- a file with holes says any size
    content:close()
  end
  if err then
    return nil, err
  elseif bytes and #bytes <= most then
    return bytes
  end
  return nil, errors.new("limit_exceeded",
    ("read %s: %s are more than %s (%.0f); read parts, by offset and length"):format(path,
      bytes and "its bytes" or ("%.0f bytes"):format(wanted),
      self._sandbox._reads and "one call reads" or "limits.disk", most))
end

--- The bytes of a file.
---@param path string relative ones start at /home/user; "~" is understood
---@param given table? `offset` (0), `length` (to the end), `user`, `gzip` (packed on its way, where
---it has one: default false)
---@return string? bytes
---@return codecell.Error? err kinds "not_found", "permission_denied", "invalid_argument" (a
---directory)
function Files:read(path, given)
  usable(self, "read")
  local ok, err = check_path("read", path)
  given = options.check("read", given, READ)
  if not ok then
    return nil, err
  end
  local offset, length = given.offset or 0, given.length
  local content
  content, err = ask(self, "read", path, "read", path, offset, length, given)
  if not content then
    return nil, err
  elseif type(content) == "string" then
    return content -- alone: io.write(files:read(path)) is to work
  end
  return read_bounded(self, path, content, offset, length)
end

local WRITE = {
  gzip = { type = "boolean" },
  metadata = { type = "metadata" },
  mode = { type = "integer", least = 0, most = 4095 },
  user = { type = "name" },
}

local function write(self, verb, path, data, given)
  local source = data
  if #data > INLINE then
    local err
    source, err = require("codecell.core").memory(data)
    if not source then
      return nil, err
    end
  end
  local entry, err = ask(self, verb, path, "write", path, source, given.mode or 0, false,
    given)
  if source ~= data then
    source:close()
  end
  if not entry then
    if err.kind == "unsupported" and next(given.metadata or {}) then
      err.message = err.message .. ": its kernel keeps no metadata of files; Linux 6.6 does"
    end
    return nil, err
  end
  return complete(entry, path)
end

--- Write a file; missing directories are made.
---@param path string
---@param data string bytes
---@param given table? `mode` (of a new file 0644), `metadata` (kept with the file until it is
---written again: names and values of printable ASCII, 4096 bytes in all), `user`, `gzip` (packed on
---its way, where it has one: default false)
---@return codecell.EntryInfo? entry
---@return codecell.Error? err kinds "no_space", "permission_denied", "invalid_argument" (a
---directory), "unsupported" (metadata on a kernel older than 6.6)
function Files:write(path, data, given)
  usable(self, "write")
  local ok, err = check_path("write", path)
  options.argument("write", "data", data, "data")
  given = options.check("write", given, WRITE)
  if ok then
    ok, err = metadata.check("write", given.metadata or {})
  end
  if not ok then
    return nil, err
  end
  return write(self, "write", path, data, given)
end

--- Write several files.
---@param list {path: string, data: string}[]
---@return codecell.EntryInfo[]? entries
---@return codecell.Error? err of the first that failed; those before it are written
function Files:write_files(list)
  usable(self, "write_files")
  options.argument("write_files", "list", list, "table")
  for i, file in ipairs(list) do
    local name = ("list[%d]"):format(i)
    options.argument("write_files", name, file, "table")
    options.argument("write_files", name .. ".path", file.path, "text")
    options.argument("write_files", name .. ".data", file.data, "data")
  end
  local entries = {}
  for i, file in ipairs(list) do
    local entry, err = check_path("write_files", file.path)
    if entry then
      entry, err = write(self, "write_files", file.path, file.data, {})
    end
    if not entry then
      return nil, err
    end
    entries[i] = entry
  end
  return entries
end

-- ---- directories ----

local LIST = { depth = { type = "integer", least = 1, most = 1000 } }

--- What a directory holds, by name.
---@param path string
---@param given {depth: integer?}? depth 1: its own entries
---@return codecell.EntryInfo[]? entries
---@return codecell.Error? err kinds "not_found", "invalid_argument", "limit_exceeded"
function Files:list(path, given)
  usable(self, "list")
  local ok, err = check_path("list", path)
  given = options.check("list", given, LIST)
  if not ok then
    return nil, err
  end
  local entries
  entries, err = listing(self._sandbox, "list " .. path, path, given.depth or 1)
  if not entries then
    return nil, err
  end
  for i, entry in ipairs(entries) do
    complete(entry, path)
    if i % IN_A_ROW == 0 then
      wait.turn()
    end
  end
  table.sort(entries, function(one, other) return one.path < other.path end)
  return entries
end

--- Whether there is something at a path.
---@param path string
---@return boolean? exists
---@return codecell.Error? err
function Files:exists(path)
  usable(self, "exists")
  local ok, err = check_path("exists", path)
  if not ok then
    return nil, err
  end
  local entry
  entry, err = ask(self, "exists", path, "stat", path, false)
  if entry then
    return true
  elseif err.kind == "not_found" then
    return false
  end
  return nil, err
end

--- What is known of a file; a link is described itself.
---@param path string
---@return codecell.EntryInfo? entry
---@return codecell.Error? err kind "not_found"
function Files:get_info(path)
  usable(self, "get_info")
  local ok, err = check_path("get_info", path)
  if not ok then
    return nil, err
  end
  local entry
  entry, err = ask(self, "get_info", path, "stat", path, false)
  if not entry then
    return nil, err
  end
  return complete(entry, path)
end

--- Remove a file, or a directory with all that is in it. Links are not followed.
---@param path string
---@return true? done
---@return codecell.Error? err kind "not_found"
function Files:remove(path)
  usable(self, "remove")
  local ok, err = check_path("remove", path)
  if not ok then
    return nil, err
  end
  return ask(self, "remove", path, "remove", path)
end

-- To another mount, or a directory that lies under an overlay: nothing but a copy does it, which a
-- program inside makes.
local function move(self, old, new)
  local sandbox = self._sandbox
  local moved, err = sandbox.commands:run({ "mv", "-T", "--", home.absolute(old),
    home.absolute(new) })
  if moved and moved.exit_code ~= 0 then
    err = errors.new("system", ("rename %s: %s"):format(old, (moved.stderr:gsub("%s*\n.*", ""))))
  end
  if err then
    return nil, err
  end
  return ask(self, "rename", old, "stat", new, false)
end

--- Rename a file or directory; missing directories are made.
---@param old string
---@param new string
---@return codecell.EntryInfo? entry of the new name
---@return codecell.Error? err
function Files:rename(old, new)
  usable(self, "rename")
  local ok, err = check_path("rename", old)
  if ok then
    ok, err = check_path("rename", new)
  end
  if not ok then
    return nil, err
  end
  local entry
  entry, err = ask(self, "rename", old, "rename", old, new)
  if not entry and err.errno == core.errno.EXDEV then
    entry, err = move(self, old, new)
  end
  if not entry then
    return nil, err
  end
  return complete(entry, new)
end

--- Make a directory, with those above it.
---@param path string
---@return boolean? made false if it was there
---@return codecell.Error? err
function Files:make_dir(path)
  usable(self, "make_dir")
  local ok, err = check_path("make_dir", path)
  if not ok then
    return nil, err
  end
  ok, err = ask(self, "make_dir", path, "mkdir", path, 493) -- 0755
  if not ok and err.kind == "already_exists" then
    return false
  end
  return ok, err
end

local WATCH = { entry = { type = "boolean" }, network_mounts = { type = "boolean" },
  recursive = { type = "boolean" } }

--- Learn of what happens in a directory, from now on. Links are not followed below it.
---@param path string
---@param given {recursive: boolean?, entry: boolean?, network_mounts: boolean?}? recursive: in all
---directories below it too, and those that are made later; of "e2b" entry: each event has what is
---known of its file, network_mounts: those of the network as well; default false
---@return codecell.Watcher? watcher close it; it ends with its directory and its sandbox
---@return codecell.Error? err kinds "not_found", "invalid_argument" (not a directory),
---"limit_exceeded" (64 watchers of a sandbox, 8192 directories)
function Files:watch_dir(path, given)
  local sandbox = usable(self, "watch_dir")
  local ok, err = check_path("watch_dir", path)
  given = options.check("watch_dir", given, WATCH)
  if not ok then
    return nil, err
  end
  local backend = sandbox._backend
  for _, name in ipairs({ "entry", "network_mounts" }) do
    if given[name] and not backend.watches[name] then
      return nil, errors.unsupported("watch_dir: " .. name, backend.name, "leave it out")
    end
  end
  return backend.watch(sandbox, path, given.recursive == true, given)
end

-- ---- to and from the host ----

--- Copy a file or a whole directory of this machine into the sandbox; modes are kept.
---@param host_path string
---@param path string
---@return codecell.EntryInfo? entry
---@return codecell.Error? err
function Files:upload(host_path, path)
  local sandbox = usable(self, "upload")
  options.argument("upload", "host_path", host_path, "text")
  local ok, err = check_path("upload", path)
  if not ok then
    return nil, err
  end
  ok, err = require("codecell.files.transfer").upload(sandbox, host_path, path)
  if not ok then
    return nil, err
  end
  return self:get_info(path)
end

local DOWNLOAD = { links = { type = "choice", choices = { "refuse", "skip" } } }

--- Copy a file or a whole directory of the sandbox to this machine; modes are kept, and nothing in
--- names or links leads out of the place that is named.
---@param path string
---@param host_path string
---@param given {links: "refuse"|"skip"|nil}? links that lead out of the copy: end it with an error
---(default), or leave them out
---@return true? done
---@return codecell.Error? err
function Files:download(path, host_path, given)
  local sandbox = usable(self, "download")
  local ok, err = check_path("download", path)
  options.argument("download", "host_path", host_path, "text")
  given = options.check("download", given, DOWNLOAD)
  if not ok then
    return nil, err
  end
  local transfer = require "codecell.files.transfer"
  return transfer.download(sandbox, path, host_path, given.links == "skip")
end

-- The paths of an argument of `archive`, or nil, err.
local function paths_of(what)
  if type(what) == "string" or what.path then
    what = { what }
  end
  local list = {}
  for i, one in ipairs(what) do
    local name = ("paths[%d]"):format(i)
    local path = type(one) == "table" and one.path or one
    options.argument("archive", name, path, "text", nil, 4)
    local ok, err = check_path("archive", path, 4)
    if not ok then
      return nil, err
    elseif type(one) ~= "table" or one.op ~= "remove" then
      list[#list + 1] = { path = home.absolute(path), is_found = type(one) == "table" }
    end
  end
  return list
end

local PATHS = {
  type = "either", expected = "path or list of them",
  rules = { string = { type = "text" }, table = { type = "table" } },
}

--- Files and whole directories as a tar stream, read piece by piece: modes, times and links are
--- kept, whoever owns them is not. Names are those below /home/user, or else below /. To unpack one
--- in a sandbox, write it there and run `tar`.
---@param paths string|table a path, or a list of paths and of what has a `path`, as entries and
---changes have: `archive("out")`, `archive(execution.files_changed)` (without what was removed, or
---is gone by now)
---@return codecell.Archive? archive
---@return codecell.Error? err kind "invalid_argument"
function Files:archive(paths)
  local sandbox = usable(self, "archive")
  options.argument("archive", "paths", paths, "either", PATHS)
  local list, err = paths_of(paths)
  if not list then
    return nil, err
  end
  return require("codecell.files.archive").new(sandbox, list)
end

return files
