--- A second sandbox with a copy of the files of a first one.
---
--- The host asks the one for a file, which it opens inside, and gives the descriptor to the other,
--- which copies from it: no content passes through the host, and no path is followed on it. Folders
--- of this machine are mounted again; of those under an overlay the differences are copied.
local core = require "codecell.core"
local errors = require "codecell.errors"
local mounts = require "codecell.mounts"
local options = require "codecell.options"
local pause = require "codecell.pause"

local PLACES = { "/home/user", "/tmp" }
local DEPTH_MOST = 64
local LIST_MOST = 100000
-- What the second has of the first unless told otherwise.
local SAME = { "backend", "cwd", "limits", "mounts", "network", "on_timeout", "packages",
  "read_only", "root_view", "secrets", "template", "timeout", "user" }

local duplicate = {}

local function ask(sandbox, what, operation, ...)
  return sandbox._backend.ask(sandbox, what, operation, ...)
end

local function copy_file(from, to, path, mode)
  local content, err = ask(from, "fork " .. path, "read", path, 0)
  if type(content) == "string" then
    content, err = core.memory(content)
  end
  if not content then
    return nil, err
  end
  local entry
  entry, err = ask(to, "fork " .. path, "write", path, content, mode)
  content:close()
  return entry and true, err
end

-- Whether its owner may list what a directory holds, and reach it.
local function is_open(entry)
  local owner = math.floor(entry.mode / 64)
  return owner % 2 == 1 and owner % 8 >= 4
end

local function copy_entry(from, to, path, entry)
  if entry.type == "dir" and not is_open(entry) then -- what it holds was not listed
    return nil, errors.new("permission_denied", ("fork %s: Permission denied"):format(path),
      "give its owner the right to read it: chmod u+rx")
  elseif entry.type == "dir" then
    local ok, err = ask(to, "fork " .. path, "mkdir", path, entry.mode)
    return ok or err.kind == "already_exists" or nil, err
  elseif entry.type == "symlink" then
    return ask(to, "fork " .. path, "link", path, entry.symlink_target)
  elseif entry.type == "file" then
    return copy_file(from, to, path, entry.mode)
  end
  return true -- a socket or a pipe has no content
end

local function copy_place(from, to, place)
  local entries, err = ask(from, "fork " .. place, "list", place, DEPTH_MOST, LIST_MOST)
  if not entries then
    return nil, err
  end
  entries = entries == true and {} or entries
  table.sort(entries, function(one, other) return one.path < other.path end) -- parents first
  for _, entry in ipairs(entries) do
    local path = place .. "/" .. entry.path
    local _, above = entry.path:gsub("/", "")
    if mounts.holding(from, path) then
      entry.type = "mount" -- the other one has it
    elseif entry.type == "dir" and above + 1 == DEPTH_MOST then -- what it holds was not listed
      return nil, errors.new("invalid_argument",
        ("fork: %s is nested deeper than %d directories"):format(place, DEPTH_MOST))
    end
    local ok
    ok, err = copy_entry(from, to, path, entry)
    if not ok then
      return nil, err
    end
  end
  return true
end

-- The code cannot have closed it to us: it is the same user's.
local function permit(to, path, mode)
  local done, err = to.commands:run({ "chmod", ("%o"):format(mode), "--", path })
  return done and true, err
end

local function copy_change(from, to, path, change)
  local ok, err = true, nil
  if change.op == "remove" or change.was and (change.type ~= "file" or change.was ~= "file")
    and change.op ~= "chmod" then
    ok, err = ask(to, "fork " .. path, "remove", path)
    ok = ok or err.kind == "not_found" -- with what it was in
  end
  if not ok or change.op == "remove" then
    return ok or nil, err
  elseif change.op == "chmod" then
    return permit(to, path, change.mode)
  end
  return copy_entry(from, to, path, { type = change.type, mode = change.mode,
    symlink_target = change.target })
end

-- What lies over folders of this machine, in the sandbox that has the same.
local function copy_overlay(from, to, i, mount)
  local changes, err = ask(from, "fork " .. mount.path, "differences", i, LIST_MOST)
  if changes and changes.truncated then
    changes, err = nil, errors.new("limit_exceeded",
      ("fork: too much has changed below %s"):format(mount.path))
  end
  for _, change in ipairs(changes or {}) do
    local ok
    ok, err = copy_change(from, to, mount.path .. "/" .. change.path, change)
    if not ok then
      return nil, err
    end
  end
  return changes and true, err
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
  wanted.template = from._given.template_handle
  for name, value in pairs(given) do
    wanted[name] = value
  end
  local to, err = create.create(wanted)
  local stood = pause.is_paused(from)
  local ok
  if to then
    ok, err = pause.pause(from)
  end
  if ok then
    ok, err = copy_files(from, to)
    if not stood then
      local going, problem = pause.resume(from)
      ok, err = ok and going, err or problem
    end
  end
  if ok then
    return to
  elseif to then
    to:close()
  end
  return nil, err
end

return duplicate
