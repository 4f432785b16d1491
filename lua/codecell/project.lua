--- What code has changed in folders of this machine that are under an overlay: `Sandbox:changes`.
---
--- The sandbox tells what differs, and can lie about its own files only. What a diff has shown is
--- remembered by its digest, so that `apply` writes that and nothing else.
local core = require "codecell.core"
local diff = require "codecell.project.diff"
local errors = require "codecell.errors"
local home = require "codecell.home"
local mounts = require "codecell.project.mounts"
local options = require "codecell.options"
local wait = require "codecell.wait"

local MOST = 50000 -- differences of one overlay
local TEXT_MOST = 1024 * 1024 -- bytes of a file that is shown as a diff
local LINES_MOST = 50000 -- of what was and what is
local TEXTS_MOST = 16 * 1024 * 1024 -- of all that are
local DIGEST_MOST = 64 * 1024 * 1024 -- of a file that is compared with what was shown
local PIECE = 1024 * 1024
local TURN = 0.0001 -- seconds, in which other work goes on between two pieces

local project = {}


local function ask(sandbox, what, operation, ...)
  return sandbox._backend.ask(sandbox, what, operation, ...)
end

--- A name as one line: it is the code's.
---@param path string
---@return string
function project.printable(path)
  return (path:gsub("%c", function(byte) return ("\\%03o"):format(byte:byte()) end))
end

local HINT = "give create mounts = {{host = \"/folder\", mode = \"overlay\"}}"

-- ---- what is different ----

local function by_path(one, other)
  return one.path < other.path
end

-- All differences of an overlay, with absolute paths.
local function read_overlay(sandbox, verb, i, list)
  local mount = sandbox._mounts[i]
  local found, err = ask(sandbox, verb, "differences", i, MOST)
  if not found and err.errno == core.errno.EINTR then
    return nil, errors.new("system",
      verb .. ": the code has ended the process that compares; pause the sandbox first",
      "pause the sandbox first")
  elseif not found then
    return nil, err
  end
  for _, change in ipairs(found) do
    change.name, change.mount = change.path, mount
    change.path = mount.path .. "/" .. change.name
    change.host = mount.host and mount.folders[1].path .. "/" .. change.name
    if (change.type or change.was) ~= "file" then
      change.size = 0
    end
    list[#list + 1] = change
  end
  list.truncated = list.truncated or found.truncated
  return true
end

--- All differences of all overlays, by path.
---@param sandbox codecell.Sandbox
---@param verb string for messages
---@return table[]? list each as of `Sandbox:changes`, and `name` below its `mount`; `truncated`
---@return codecell.Error? err
function project.read(sandbox, verb)
  local list, seen = {}, false
  for i, mount in ipairs(sandbox._mounts or {}) do
    if mount.mode == "overlay" then
      seen = true
      local ok, err = read_overlay(sandbox, verb, i, list)
      if not ok then
        return nil, err
      end
    end
  end
  if not seen then
    return nil, errors.new("unsupported",
      ("%s: nothing here is under an overlay; %s"):format(verb, HINT), HINT)
  end
  table.sort(list, by_path)
  return list
end

-- ---- what it is, byte for byte ----

local function rest(sandbox)
  wait.key(nil, wait.deadline(TURN))
  return not sandbox:_closed()
end

--- Call `take` with one piece of a file after the other, as the code has it now.
---@param sandbox codecell.Sandbox
---@param verb string for messages
---@param change table
---@param take fun(piece: string): true?, codecell.Error?
---@return true? done
---@return codecell.Error? err also that of `take`
function project.read_pieces(sandbox, verb, change, take)
  local content, err = ask(sandbox, verb .. " " .. project.printable(change.path), "read",
    change.path, 0)
  if type(content) == "string" then
    return take(content)
  elseif not content then
    return nil, err
  end
  content:seek(0)
  local ok = true
  while ok do
    local piece, problem = content:read(PIECE)
    if problem then
      ok, err = nil, problem
    elseif not piece then
      break
    else
      ok, err = take(piece)
    end
    if ok and not rest(sandbox) then
      ok, err = nil, errors.new("cancelled", verb .. ": the sandbox was closed")
    end
  end
  content:close()
  return ok, err
end

-- ---- diffs ----

-- What the file of this machine holds; nil: it is not shown, and why.
local function read_old(change, most)
  for _, folder in ipairs(change.mount.folders) do
    local file = core.project_open(folder.folder, change.name)
    if file then
      local size, pieces = file:size(), {}
      local piece = size <= most and file:read(PIECE)
      while piece do
        pieces[#pieces + 1] = piece
        piece = file:read(PIECE)
      end
      file:close()
      if size > most then
        return nil, "too large"
      end
      return table.concat(pieces)
    end
  end
  return nil, "unreadable"
end

-- The bytes of the file as it is now, or nil and why not; and their digest.
local function read_new(sandbox, change, budget)
  local digest, pieces, size = core.digest("sha256"), {}, 0
  local most = math.min(TEXT_MOST, budget.left)
  local longest = math.min(DIGEST_MOST, budget.bytes)
  local ok, err = project.read_pieces(sandbox, "changes", change, function(piece)
    size = size + #piece
    budget.bytes = budget.bytes - #piece
    if size > longest then
      return nil, errors.new("limit_exceeded", "changes: too large")
    end
    digest:update(piece)
    pieces[#pieces + 1] = size <= most and piece or nil
    return true
  end)
  if not ok then
    return nil, err.kind == "limit_exceeded" and "too large" or "unreadable"
  elseif size > most then
    return nil, "too large", digest:finish()
  end
  return table.concat(pieces), nil, digest:finish()
end

local function count_lines(text)
  return select(2, text:gsub("\n", "\n"))
end

local function show_text(change, old, new)
  if not diff.is_text(old or "") or not diff.is_text(new or "") then
    change.omitted = "binary"
    return
  elseif count_lines(old or "") + count_lines(new or "") > LINES_MOST then
    change.omitted = "too large"
    return
  end
  change.diff = diff.unified(old, new, change.name) -- nothing is masked: it is what is applied
end

-- Adds `diff`, or `omitted`: why there is none.
local function show(sandbox, change, budget)
  local is_file, was_file = change.type == "file", change.was == "file"
  if change.op == "chmod" or not (is_file or was_file) then
    return
  end
  local old, new, why
  if is_file then
    new, why, change.digest = read_new(sandbox, change, budget)
  end
  if was_file and not why then
    old, why = read_old(change, math.min(TEXT_MOST, budget.left))
  end
  if why then
    change.omitted = why
    return
  end
  budget.left = budget.left - #(old or "") - #(new or "")
  show_text(change, old, new)
end

-- ---- changes ----

--- Paths that were chosen, of files and of folders.
---@param paths string[] relative ones start at /home/user
---@return table<string, string> chosen by absolute path, as given
function project.select(paths)
  local chosen = {}
  for _, path in ipairs(paths) do
    chosen[home.absolute(path)] = path
  end
  return chosen
end

--- By which of the chosen paths a path is chosen, the longest that is or holds it.
---@param chosen table of `project.select`
---@param path string absolute
---@return string? path
function project.chosen_by(chosen, path)
  while path and path ~= "" do
    if chosen[path] then
      return path
    end
    path = path:match("^(.*)/")
  end
end

--- What users get of a change.
---@param change table
---@return codecell.Change
function project.public(change)
  return { path = change.path, op = change.op, type = change.type, was = change.was,
    size = change.size, mode = change.mode, target = change.target, host = change.host,
    diff = change.diff, omitted = change.omitted }
end

-- What is about to be told anew, or is no change any more: code could make names without end.
local function forget(sandbox, chosen)
  for path in pairs(sandbox._told or {}) do
    if not chosen or project.chosen_by(chosen, path) then
      sandbox._told[path] = nil
    end
  end
end

-- Remember what was told, to see at `apply` whether it is still so.
local function remember(sandbox, change)
  sandbox._told = sandbox._told or {}
  sandbox._told[change.path] = { op = change.op, type = change.type, was = change.was,
    mode = change.mode, size = change.size, target = change.target, digest = change.digest }
end

local CHANGES = { diff = { type = "boolean" }, paths = { type = "strings" } }

local function list_changes(sandbox, given)
  local all, err = project.read(sandbox, "changes")
  if not all then
    return nil, err
  end
  local chosen = given.paths and project.select(given.paths)
  local list = { truncated = all.truncated }
  local budget = { left = TEXTS_MOST, bytes = sandbox._limits.disk } -- holes can say any size
  forget(sandbox, chosen)
  for _, change in ipairs(all) do
    if not chosen or project.chosen_by(chosen, change.path) then
      if given.diff then
        show(sandbox, change, budget)
      end
      remember(sandbox, change)
      list[#list + 1] = project.public(change)
    end
  end
  if sandbox:_closed() then
    return nil, errors.new("cancelled", "changes: the sandbox was closed")
  end
  return list
end

--- See `Sandbox:changes`.
---@param sandbox codecell.Sandbox
---@param given table?
---@return codecell.Change[]? changes
---@return codecell.Error? err
function project.changes(sandbox, given)
  given = options.check("changes", given, CHANGES, 4)
  return mounts.keep(sandbox, list_changes, given)
end

return project
