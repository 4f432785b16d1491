--- A second sandbox with a copy of the files of a first one.
---
--- The host asks the one for a file, which it opens inside, and gives the descriptor to the other,
--- which copies from it: no content passes through the host, and no path is followed on it. Folders
--- of this machine are mounted again; of those under an overlay the differences are copied.
local core = require "codecell.core"
local errors = require "codecell.errors"
local mounts = require "codecell.project.mounts"
local options = require "codecell.options"
local pause = require "codecell.sandbox.pause"

local PLACES = { "/home/user", "/tmp" }
local DEPTH_MOST = 64
local LIST_MOST = 100000
-- What the second has of the first unless told otherwise.
local SAME = { "backend", "cwd", "gpu", "limits", "mounts", "network", "on_event", "on_timeout",
  "packages", "read_only", "root_view", "secrets", "template", "timeout", "user" }

local duplicate = {}

-- A copy is one verb, for whoever looks on too.
local function ask(sandbox, what, operation, ...)
  return (sandbox._unseen or sandbox._backend).ask(sandbox, what, operation, ...)
end

local OWNER = { read = 256, search = 320, all = 448 } -- 0400, 0500, 0700

local function may(mode, bits)
  for _, bit in ipairs({ 64, 128, 256 }) do
    if math.floor(bits / bit) % 2 == 1 and math.floor(mode / bit) % 2 == 0 then
      return false
    end
  end
  return true
end

-- Its owner may do everything.
local function opened(mode)
  return mode % 64 + OWNER.all + mode - mode % 512
end

-- A file that its own code may not read is opened for as long as that: the code stands still.
local function read(from, path, mode)
  local is_closed = not may(mode, OWNER.read)
  local ok, err = true, nil
  if is_closed then
    ok, err = ask(from, "fork " .. path, "touch", path, opened(mode))
  end
  local content
  if ok then
    content, err = ask(from, "fork " .. path, "read", path, 0)
  end
  if is_closed then
    ask(from, "fork " .. path, "touch", path, mode)
  end
  if type(content) == "string" then
    return core.memory(content)
  end
  return content, err
end

local function copy_file(from, to, path, mode)
  local content, err = read(from, path, mode)
  if not content then
    return nil, err
  end
  local entry
  entry, err = ask(to, "fork " .. path, "write", path, content, mode)
  content:close()
  return entry and true, err
end

local function make(from, to, path, entry)
  if entry.type == "dir" then
    local ok, err = ask(to, "fork " .. path, "mkdir", path, opened(entry.mode))
    return ok or err.kind == "already_exists" or nil, err
  elseif entry.type == "symlink" then
    return ask(to, "fork " .. path, "link", path, entry.symlink_target)
  elseif entry.type == "file" then
    return copy_file(from, to, path, entry.mode)
  end
  return true -- a socket or a pipe has no content
end

local function finish(to, path, entry)
  return ask(to, "fork " .. path, "touch", path, entry.mode, entry.modified_time)
end

-- What directories are in the end, they are when all that is in them is there.
local function copy_entry(from, to, path, entry, directories)
  local ok, err = make(from, to, path, entry)
  if not ok then
    return nil, err
  elseif entry.type == "dir" then
    directories[#directories + 1] = { path = path, entry = entry }
  elseif entry.type == "file" or entry.type == "symlink" then
    return finish(to, path, entry)
  end
  return true
end

local function finish_directories(to, directories)
  for i = #directories, 1, -1 do
    local ok, err = finish(to, directories[i].path, directories[i].entry)
    if not ok then
      return nil, err
    end
  end
  return true
end

-- All that is below a place. What its owner may not look into is opened for that,
-- and put into `closed`.
local function list(from, place, closed, entries, depth)
  local found, err = ask(from, "fork " .. place, "list", place, DEPTH_MOST, LIST_MOST)
  for _, entry in ipairs(found ~= true and found or {}) do
    local path = place .. "/" .. entry.path
    local _, above = entry.path:gsub("/", "")
    if mounts.holding(from, path) then
      entry.type = "mount" -- the other one has it
    elseif entry.type == "dir" and depth + above + 1 >= DEPTH_MOST then
      -- What it holds was not listed.
      return nil, errors.new("invalid_argument",
        ("fork: %s is nested deeper than %d directories"):format(place, DEPTH_MOST))
    end
    entry.path = path
    entries[#entries + 1] = entry
    if #entries > LIST_MOST then
      return nil, errors.new("limit_exceeded", ("fork: more than %d files"):format(LIST_MOST))
    end
    if entry.type == "dir" and not may(entry.mode, OWNER.search) then
      local ok
      ok, err = ask(from, "fork " .. path, "touch", path, opened(entry.mode))
      if ok then
        closed[#closed + 1] = entry
        ok, err = list(from, path, closed, entries, depth + above + 1)
      end
      if not ok then
        return nil, err
      end
    end
  end
  return found and entries, err
end

local function copy_place(from, to, place)
  local closed, directories = {}, {}
  local entries, err = list(from, place, closed, {}, 0)
  local ok = entries ~= nil
  table.sort(entries or {}, function(one, other) return one.path < other.path end) -- parents first
  for _, entry in ipairs(entries or {}) do
    if ok then
      ok, err = copy_entry(from, to, entry.path, entry, directories)
    end
  end
  if ok then
    ok, err = finish_directories(to, directories)
  end
  for i = #closed, 1, -1 do
    ask(from, "fork", "touch", closed[i].path, closed[i].mode)
  end
  return ok or nil, err
end

local function copy_change(from, to, path, change, directories)
  local ok, err = true, nil
  if change.op == "remove" or change.was and (change.type ~= "file" or change.was ~= "file")
    and change.op ~= "chmod" then
    ok, err = ask(to, "fork " .. path, "remove", path)
    ok = ok or err.kind == "not_found" -- with what it was in
  end
  if not ok or change.op == "remove" then
    return ok or nil, err
  elseif change.op == "chmod" then
    return finish(to, path, change)
  elseif change.type == "dir" and not may(change.mode, OWNER.search) then
    return nil, errors.new("permission_denied", ("fork %s: Permission denied"):format(path),
      "give its owner the right to read it: chmod u+rx") -- what it holds was not told
  end
  return copy_entry(from, to, path, { type = change.type, mode = change.mode,
    symlink_target = change.target }, directories)
end

-- What lies over folders of this machine, in the sandbox that has the same.
local function copy_overlay(from, to, i, mount)
  local changes, err = ask(from, "fork " .. mount.path, "differences", i, LIST_MOST)
  if changes and changes.truncated then
    changes, err = nil, errors.new("limit_exceeded",
      ("fork: too much has changed below %s"):format(mount.path))
  end
  local directories = {}
  for _, change in ipairs(changes or {}) do
    local ok
    ok, err = copy_change(from, to, mount.path .. "/" .. change.path, change, directories)
    if not ok then
      return nil, err
    end
  end
  if not changes then
    return nil, err
  end
  return finish_directories(to, directories)
end

local function copy_files(from, to)
  local ok, err = true, nil
  for _, place in ipairs(PLACES) do
    if ok and not mounts.holding(from, place) then
      ok, err = copy_place(from, to, place)
    end
  end
  for i, mount in ipairs(from._mounts or {}) do
    if ok and mount.mode == "overlay" then
      ok, err = copy_overlay(from, to, i, mount)
    end
  end
  return ok, err
end

--- See `Sandbox:fork`.
---@param from codecell.Sandbox
---@param given table?
---@return codecell.Sandbox? copy
---@return codecell.Error? err
function duplicate.fork(from, given)
  local create = require "codecell.create"
  local rules = {}
  for _, name in ipairs({ "envs", "languages", "limits", "metadata", "name", "timeout", "warm" }) do
    rules[name] = create.options[name]
  end
  given = options.check("fork", given, rules, 4)
  local wanted = { envs = from._environment.added, metadata = from._about.metadata }
  for _, name in ipairs(SAME) do
    wanted[name] = from._given[name]
  end
  wanted.template, wanted.audit = from._given.template_handle, from._audit
  wanted.on_event = from._listener or wanted.on_event
  for name, value in pairs(given) do
    wanted[name] = value
  end
  local to, err = create.create(wanted)
  local ok
  if to then
    ok, err = pause.hold(from)
  end
  if ok then
    ok, err = copy_files(from, to)
    local going, problem = pause.release(from)
    ok, err = ok and going, err or problem
  end
  if ok then
    if from._packages then
      require("codecell.packages").copy(from, to)
    end
    return to
  elseif to then
    to:close()
  end
  return nil, err
end

return duplicate
