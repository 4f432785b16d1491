--- Folders of this machine that a sandbox has: what create is given of them, and what becomes of
--- it. The kernel does the rest: bind mounts and overlays, made before any code runs.
local core = require "codecell.core"
local errors = require "codecell.errors"
local options = require "codecell.options"

local mounts = {}

local HOME = "/home/user"
-- Where a folder may be put. /home/user itself may be one; /tmp is the sandbox's own.
local PLACES = { HOME, "/data", "/media", "/mnt", "/srv", "/work", "/workspace" }
local BELOW = "/tmp"
local MOST = 16
local FOLDERS_MOST = 32
local PATH_MOST = 255

mounts.rule = { type = "table" }

local FIELDS = {
  host = { type = "text" },
  mode = { type = "choice", choices = { "read", "overlay", "write" } },
  path = { type = "text" },
  sockets = { type = "boolean" },
}

-- ---- what is asked for ----

local function is_at_or_below(path, place)
  return path == place or path:sub(1, #place + 1) == place .. "/"
end

local function is_allowed(path)
  for _, place in ipairs(PLACES) do
    if is_at_or_below(path, place) then
      return true
    end
  end
  return path:sub(1, #BELOW + 1) == BELOW .. "/"
end

-- The absolute path inside, or nil and what is wrong with it.
local function absolute(path)
  if path == "~" or path:sub(1, 2) == "~/" then
    path = HOME .. path:sub(2)
  elseif path:sub(1, 1) ~= "/" then
    path = HOME .. "/" .. path
  end
  path = path:gsub("/+", "/"):gsub("(.)/$", "%1")
  for part in path:gmatch("[^/]+") do
    if part == "." or part == ".." then
      return nil, ("%q: no \".\" or \"..\" in it"):format(path)
    end
  end
  if #path > PATH_MOST then
    return nil, ("at most %d bytes, this one has %d"):format(PATH_MOST, #path)
  elseif not is_allowed(path) then
    return nil, ("%q is no place for a mount; those are %s, and below %s"):format(path,
      table.concat(PLACES, ", "), BELOW)
  end
  return path
end

local function refuse(level, i, text, ...)
  error(("create: mounts[%d]" .. text):format(i, ...), level)
end

-- The last part of a folder's path; of "." and ".." that of what they are.
local function name_of(host)
  local name = host:match("[^/]*$")
  local folder, about
  if name == "." or name == ".." then
    folder, about = core.host_folder(host)
  end
  if folder then
    folder:close()
    name = about.path:match("[^/]*$")
  end
  return name
end

local function check_one(given, i, level)
  if type(given) ~= "table" then
    refuse(level + 1, i, ": {host =, path =, mode =} expected, got %s", type(given))
  end
  options.check(("create: mounts[%d]"):format(i), given, FIELDS, level + 1)
  if not given.host or given.host == "" then
    refuse(level + 1, i, ".host: the folder of this machine is missing")
  end
  local host = given.host:gsub("(.)/+$", "%1") -- "link/" would be what the link leads to
  local path, problem = absolute(given.path or HOME .. "/" .. name_of(host))
  if not path then
    refuse(level + 1, i, given.path and ".path: %s" or ".path: give one (%s)", problem)
  end
  return { host = host, path = path, mode = given.mode or "read",
    sockets = given.sockets == true }
end

-- No mount lies in another one: which of them would hold it?
local function check_apart(list, level)
  for i, one in ipairs(list) do
    for j = 1, i - 1 do
      local other = list[j]
      if is_at_or_below(one.path, other.path) or is_at_or_below(other.path, one.path) then
        refuse(level + 1, i, ".path: %s and %s of mounts[%d] lie in one another", one.path,
          other.path, j)
      end
    end
  end
end

--- Check what create was given, and complete it. Raises.
---@param given table[]? `{host =, path =, mode =, sockets =}` each
---@param level integer stack level to blame, as `error` counts
---@return table[]? list nil: there are none
function mounts.check(given, level)
  if given == nil or next(given) == nil then
    return nil
  end
  local list = {}
  for i = 1, #given do
    list[i] = check_one(given[i], i, level + 1)
  end
  if given.host then
    error("create: mounts: a list expected: mounts = {{host = ...}}", level)
  elseif #list == 0 or #list > MOST then
    error(("create: mounts: a list of 1 to %d expected, got %d"):format(MOST, #list), level)
  end
  check_apart(list, level + 1)
  return list
end

-- ---- what is opened ----

local NOT_OURS = "%s belongs to uid %d and gid %d: no change to it could be kept; "
  .. "use mode = \"read\", or copy it with files:upload"
local OF_ROOT = "%s belongs to root: code that writes there could leave programs that run as root; "
  .. "give the folder to another user, or use mode = \"overlay\" and apply what it changed"

-- Whether code may do with this folder what the mode says.
local function check_owner(mount, about)
  if mount.mode == "overlay" and not about.is_ours then
    return nil, errors.new("permission_denied", ("create: " .. NOT_OURS):format(mount.host,
      about.uid, about.gid), "use mode = \"read\", or copy it with files:upload")
  elseif mount.mode == "write" and about.for_root and (about.uid == 0 or about.gid == 0) then
    return nil, errors.new("denied_by_policy", ("create: " .. OF_ROOT):format(mount.host),
      "give the folder to another user, or use mode = \"overlay\"")
  end
  return true
end

local function open_folder(mount, host)
  local folder, about = core.host_folder(host)
  if not folder then
    about.message = "create: mounts: " .. about.message
    return nil, about
  end
  local ok, err = check_owner(mount, about)
  if not ok then
    folder:close()
    return nil, err
  end
  return { path = about.path, folder = folder, opened_at = about.opened_at }
end

local function open_all(opened, mount, hosts)
  mount.folders, mount.placed = {}, {}
  opened[#opened + 1] = mount
  for _, host in ipairs(hosts) do
    local folder, err = open_folder(mount, host)
    if not folder then
      return nil, err
    end
    table.insert(mount.folders, folder)
  end
  return true
end

--- What users are told of the mounts of a sandbox.
---@param sandbox codecell.Sandbox
---@return {host: string, path: string, mode: string}[] list
function mounts.list(sandbox)
  local list = {}
  for _, mount in ipairs(sandbox._mounts or {}) do
    if mount.host then
      list[#list + 1] = { host = mount.host, path = mount.path, mode = mount.mode }
    end
  end
  return list
end

--- The mount of a sandbox that a path is at or below.
---@param sandbox codecell.Sandbox
---@param path string absolute, inside
---@return table? mount
---@return integer? place in its mounts
function mounts.holding(sandbox, path)
  local best, place
  for i, mount in ipairs(sandbox._mounts or {}) do
    if is_at_or_below(path, mount.path) and not (best and #best.path > #mount.path) then
      best, place = mount, i
    end
  end
  return best, place
end

--- Whether a mount of a sandbox lies below a path.
---@param sandbox codecell.Sandbox
---@param path string absolute, inside
---@return boolean
function mounts.lies_below(sandbox, path)
  for _, mount in ipairs(sandbox._mounts or {}) do
    if mount.path ~= path and is_at_or_below(mount.path, path) then
      return true
    end
  end
  return false
end

local function close_all(opened)
  for _, mount in ipairs(opened) do
    for _, folder in ipairs(mount.folders) do
      folder.folder:close()
    end
  end
end

--- Let go of the folders, once nobody holds them.
---@param opened table[]?
function mounts.close(opened)
  if opened and (opened.held or 0) > 0 then
    opened.is_closing = true
  elseif opened then
    close_all(opened)
  end
end

--- Call a function that needs the folders and waits: another coroutine may close the sandbox.
---@param sandbox codecell.Sandbox
---@param body fun(sandbox: codecell.Sandbox, given: table): any, codecell.Error?
---@param given table
---@return any? value
---@return codecell.Error? err
function mounts.keep(sandbox, body, given)
  local opened = sandbox._mounts or {}
  opened.held = (opened.held or 0) + 1
  local value, err = body(sandbox, given)
  opened.held = opened.held - 1
  if opened.held == 0 and opened.is_closing then
    close_all(opened)
  end
  return value, err
end

--- Say of a failed start which folder it was about.
---@param opened table[] of `open`
---@param err codecell.Error of a stage of ours, or of any other
---@return codecell.Error err
function mounts.explain(opened, err)
  local stage = err.stage or ""
  if not err.hint or not (stage == "overlay" or stage:find("^mount")) then
    return err
  end
  local mount = opened[tonumber(err.message:match("mounts%[(%d+)%]")) or #opened == 1 and 1]
  local what = mount and (mount.host or "the home of the template") or "mounts"
  err.message = ("create: %s: %s"):format(what, err.hint)
  return err
end

--- Open what a sandbox is to have.
---@param list table[]? of `check`
---@param home string[]? absolute paths of folders that are the home, the first on top
---@return table[]|false? opened each with `folders`; false: there is nothing; to be closed
---@return string|codecell.Error? payload for core.sandbox, or err
function mounts.open(list, home)
  local opened, ok, err = {}, true, nil
  if home and home[1] then
    ok, err = open_all(opened, { path = HOME, mode = "overlay", is_home = true }, home)
  end
  for _, mount in ipairs(ok and list or {}) do
    if ok then
      ok, err = open_all(opened, { path = mount.path, mode = mount.mode, host = mount.host,
        sockets = mount.sockets }, { mount.host })
    end
  end
  local payload
  if ok and #opened == 0 then
    return false
  elseif ok and home and #home > FOLDERS_MOST - #opened then
    err = errors.new("limit_exceeded",
      ("create: at most %d folders in all"):format(FOLDERS_MOST))
  elseif ok then
    payload, err = core.pack_mounts(opened)
  end
  if not payload then
    mounts.close(opened)
    return nil, err
  end
  return opened, payload
end

return mounts
