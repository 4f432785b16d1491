--- Approved changes, made in the folders of this machine: `Sandbox:apply`.
---
--- What is written is compared, byte for byte, with what a diff has shown. Where it is written is
--- decided here: each name is resolved beneath the folder and no link is followed. A file is
--- written beside its place and moved there; what fails is told, and everything else is done.
local core = require "codecell.core"
local errors = require "codecell.errors"
local mounts = require "codecell.project.mounts"
local options = require "codecell.options"
local project = require "codecell.project"

local apply = {}

local EEXIST, ENOTEMPTY = core.errno.EEXIST, core.errno.ENOTEMPTY

local function refuse(kind, change, text, hint)
  local path = project.printable(change.path)
  return nil, errors.new(kind, ("apply %s: %s"):format(path, text), hint)
end

-- Of the folder's functions: their messages have names in them as they are.
local function tried(change, ok, err)
  if not ok then
    err.message = ("apply %s: %s"):format(project.printable(change.path),
      project.printable(err.message))
  end
  return ok, err
end

local function conflict(change, text)
  return refuse("already_exists", change, text .. " since the sandbox was created",
    "look at both, or pass force = true")
end

local AGAIN = "look at it again, or pass force = true"
local SAME = { "op", "type", "mode", "size", "target" }

-- Whether it is what was shown, if anything was.
local function check_told(work, change)
  local told = not work.force and (work.sandbox._told or {})[change.path]
  if told and told.was ~= change.was then
    return conflict(change, "it was changed here")
  end
  for _, field in ipairs(told and SAME or {}) do
    if told[field] ~= change[field] then
      return refuse("already_exists", change, "the code has changed it since changes() told of it",
        AGAIN)
    end
  end
  return true
end

-- Whether it is as it was when the sandbox was made, or as it was made here.
local function is_ours(mount, name, real)
  return real.changed <= mount.folders[1].opened_at or real.changed == mount.placed[name]
end

-- Whether what is there is what was there when the sandbox was made.
local function check_real(work, change)
  local mount = change.mount
  local real, err = core.project_look(mount.folders[1].folder, change.name)
  if real == nil then
    return tried(change, nil, err)
  end
  change.real = real
  if work.force or not real and change.op ~= "write" and change.op ~= "chmod" then
    return true
  elseif not real then
    return conflict(change, "it was removed here")
  elseif change.op == "create" and not (real.type == "dir" and change.type == "dir") then
    return conflict(change, "it was made here")
  elseif change.op ~= "create" and real.type ~= change.was then
    return conflict(change, "it became something else here")
  elseif (real.type ~= "dir" or change.op == "write") and not is_ours(mount, change.name, real) then
    return conflict(change, "it was changed here")
  end
  return true
end

local apply_one

-- The directories on the way that the code has made and that are not here yet.
local function make_parents(work, change)
  local root = change.mount.folders[1].folder
  for place in change.name:gmatch("()/") do
    local parent = change.name:sub(1, place - 1)
    local real, err = core.project_look(root, parent)
    if real == nil then
      return tried(change, nil, err)
    elseif not real then
      local made = work.by_path[change.mount.path .. "/" .. parent]
      if not made or made.type ~= "dir" then
        return refuse("not_found", change, "the folder that holds it is not there any more")
      end
      local ok, problem = apply_one(work, made)
      if not ok then
        return nil, problem
      end
    end
  end
  return true
end

local function beside(change)
  local folder = change.name:match("^(.*/)") or ""
  return folder .. ".codecell-" .. core.random_id(16)
end

-- What stands where something of another kind is to be.
local function clear(change)
  local real = change.real
  if real and (real.type == "dir") ~= (change.type == "dir") then
    return tried(change, core.project_remove(change.mount.folders[1].folder, change.name,
      real.type == "dir"))
  end
  return true
end

-- Moves what was made to its place, or takes it away.
local function place(change, made, mode, ok, err)
  local root = change.mount.folders[1].folder
  local is_new = change.op == "create" and not change.real
  if ok then
    ok, err = clear(change)
  end
  if ok then
    ok, err = tried(change, core.project_place(root, made, change.name, mode, is_new))
  end
  if not ok then
    core.project_remove(root, made, false)
  end
  return ok, err
end

-- Copies what the code has into the open file, as much as was told of it.
local function copy(work, change, target)
  local digest, count = core.digest("sha256"), 0
  local ok, err = project.read_pieces(work.sandbox, "apply", change, function(piece)
    count = count + #piece
    if count > change.size then
      return refuse("already_exists", change, "the code changes it")
    end
    digest:update(piece)
    return target:write(piece)
  end)
  local told = (work.sandbox._told or {})[change.path]
  if ok and count ~= change.size then
    return refuse("already_exists", change, "the code changes it")
  elseif ok and told and told.digest and told.digest ~= digest:finish() and not work.force then
    return refuse("already_exists", change, "the code has changed it since changes() showed it",
      AGAIN)
  end
  return ok, err
end

local function write_file(work, change)
  local root, made = change.mount.folders[1].folder, beside(change)
  if change.size > work.left then -- holes and hard links can say any size
    return refuse("limit_exceeded", change,
      ("with it there is more than limits.disk (%.0f bytes)"):format(work.most))
  end
  local target, err = core.project_file(root, made)
  if not target then
    return tried(change, nil, err)
  end
  local ok
  ok, err = copy(work, change, target)
  target:close()
  ok, err = place(change, made, change.mode, ok, err)
  work.left = work.left - change.size -- also of what the code has changed while it was read
  return ok, err
end

local function write_link(_, change)
  local root, made = change.mount.folders[1].folder, beside(change)
  local ok, err = tried(change, core.project_link(root, made, change.name, change.target or ""))
  if not ok then
    return nil, err
  end
  return place(change, made, nil, true)
end

-- Its bits come last: it may be closed to us.
local function write_directory(work, change)
  local ok, err = clear(change)
  if ok and not (change.real and change.real.type == "dir") then
    ok, err = tried(change, core.project_directory(change.mount.folders[1].folder, change.name))
  end
  if ok then
    table.insert(work.directories, change)
  end
  return ok, err
end

local WRITE = { dir = write_directory, file = write_file, symlink = write_link }

local function remove(_, change)
  local ok, err = true, nil
  if change.real then
    ok, err = core.project_remove(change.mount.folders[1].folder, change.name,
      change.real.type == "dir")
  end
  if not ok and (err.errno == ENOTEMPTY or err.errno == EEXIST) then
    return refuse("already_exists", change, "something is in it that was not removed with it")
  end
  return tried(change, ok, err)
end

local function permit(work, change)
  if change.type == "dir" then
    table.insert(work.directories, change)
    return true
  end
  return tried(change, core.project_permit(change.mount.folders[1].folder, change.name,
    change.mode))
end

local function perform(work, change)
  if change.op == "remove" then
    return remove(work, change)
  elseif change.op == "chmod" then
    return permit(work, change)
  elseif not WRITE[change.type] then
    return refuse("unsupported", change, "a socket, a pipe or a device is not copied out")
  end
  local ok, err = make_parents(work, change)
  if not ok then
    return nil, err
  end
  return WRITE[change.type](work, change)
end

local function keep_time(mount, name)
  local real = core.project_look(mount.folders[1].folder, name)
  mount.placed[name] = real and real.changed or nil
end

-- What is done in a directory changes its time, which is then ours too.
local function perform_in(work, change)
  local mount, above = change.mount, change.name:match("^(.*)/")
  local real = above and core.project_look(mount.folders[1].folder, above)
  local was_ours = real and is_ours(mount, above, real)
  local ok, err = perform(work, change)
  if ok then
    keep_time(mount, change.name)
  end
  if was_ours then
    keep_time(mount, above)
  end
  return ok, err
end

local function fail(work, change, err)
  local failed = project.public(change)
  failed.err = err
  table.insert(work.failed, failed)
end

-- Once for each change, also when it is needed by another one.
function apply_one(work, change)
  if change.done ~= nil then
    return change.done, change.err
  end
  local ok, err = check_told(work, change)
  if ok then
    ok, err = check_real(work, change)
  end
  if ok then
    ok, err = perform_in(work, change)
  end
  change.done, change.err = ok or false, err
  if ok then
    table.insert(work.applied, project.public(change))
  else
    fail(work, change, err)
  end
  return ok, err
end

-- The bits of directories, the deepest first: they may be closed to us.
local function permit_directories(work)
  for i = #work.directories, 1, -1 do
    local change = work.directories[i]
    local ok, err = tried(change, core.project_permit(change.mount.folders[1].folder, change.name,
      change.mode))
    if not ok then
      work.refused[change.path] = true
      fail(work, change, err)
    end
  end
end

-- What was applied, without the directories whose bits could not be given.
local function applied(work)
  local list = {}
  for _, change in ipairs(work.applied) do
    if not work.refused[change.path] then
      list[#list + 1] = change
    end
  end
  return list
end

-- What is in .git is not run in the sandbox, but by the next command of its owner.
local function in_repository(path)
  return (path:lower() .. "/"):find("/.git/", 1, true) ~= nil
end

-- Whether a change that was chosen may be made at all.
local function check_choice(change, by)
  if not change.mount.host then
    return refuse("unsupported", change, "it belongs to a template, which stays as it is",
      "copy it with files:download")
  elseif in_repository("/" .. change.name) and not (by and in_repository(by)) then
    return refuse("denied_by_policy", change, "what is in .git runs as you with your next git "
      .. "command; name it in paths, if you have looked at it")
  end
  return true
end

-- Chosen changes: those that remove, the deepest first; then the others, parents first.
local function choose(work, all, chosen)
  local removed, others, used = {}, {}, {}
  for _, change in ipairs(all) do
    work.by_path[change.path] = change
    local by = chosen and project.chosen_by(chosen, change.path)
    if by or not chosen and change.mount.host then
      local ok, err = check_choice(change, by)
      used[by or ""] = true
      if not ok then
        fail(work, change, err)
      elseif change.op == "remove" then
        table.insert(removed, change)
      else
        table.insert(others, change)
      end
    end
  end
  local list = {}
  for i = #removed, 1, -1 do
    list[#list + 1] = removed[i]
  end
  for _, change in ipairs(others) do
    list[#list + 1] = change
  end
  return list, used
end

local function tell_unused(work, chosen, used)
  for path, given in pairs(chosen or {}) do
    if not used[path] then
      table.insert(work.failed, { path = given, err = errors.new("not_found",
        ("apply %s: nothing was changed there"):format(project.printable(given))) })
    end
  end
end

local function by_path(one, other)
  return one.path < other.path
end

local APPLY = { all = { type = "boolean" }, force = { type = "boolean" },
  paths = { type = "strings" } }

local function apply_all(sandbox, given)
  local all, err = project.read(sandbox, "apply")
  if not all then
    return nil, err
  end
  local most = sandbox._limits.disk
  local work = { sandbox = sandbox, force = given.force == true, by_path = {}, directories = {},
    applied = {}, failed = {}, refused = {}, left = most, most = most }
  local chosen = given.paths and project.select(given.paths)
  local list, used = choose(work, all, chosen)
  tell_unused(work, chosen, used)
  for _, change in ipairs(list) do
    apply_one(work, change)
  end
  permit_directories(work)
  local done = applied(work)
  table.sort(done, by_path)
  table.sort(work.failed, by_path)
  return { applied = done, failed = work.failed, truncated = all.truncated }
end

--- See `Sandbox:apply`.
---@param sandbox codecell.Sandbox
---@param given table?
---@return table? outcome
---@return codecell.Error? err
function apply.apply(sandbox, given)
  given = options.check("apply", given, APPLY, 4)
  if (given.paths ~= nil) == (given.all == true) then
    error("apply: give paths = {...}, or all = true", 3)
  end
  return mounts.keep(sandbox, apply_all, given)
end

return apply
