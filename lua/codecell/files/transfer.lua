--- Copies between this machine and a sandbox: files and whole directories, streamed.
local core = require "codecell.core"
local errors = require "codecell.errors"
local listing = require "codecell.files.listing"
local wait = require "codecell.wait"

local DEPTH_MOST = 64
local TURN = 0.0001 -- seconds, in which other work goes on between two blocks

local transfer = {}

local function ask(sandbox, what, operation, ...)
  return sandbox._backend.ask(sandbox, what, operation, ...)
end

-- ---- into the sandbox ----

local upload_directory

local function upload_file(sandbox, from, to)
  local source, mode = core.host_file(from)
  if not source then
    return nil, mode
  end
  local entry, err = ask(sandbox, "upload " .. to, "write", to, source, mode)
  source:close()
  return entry and true, err
end

local function upload_entry(sandbox, from, to, entry, depth)
  if entry.type == "dir" then
    return upload_directory(sandbox, from, to, entry.mode, depth + 1)
  elseif entry.type == "symlink" then
    return ask(sandbox, "upload " .. to, "link", to, entry.target)
  end
  return upload_file(sandbox, from, to)
end

function upload_directory(sandbox, from, to, mode, depth)
  if depth > DEPTH_MOST then
    return nil, errors.new("invalid_argument",
      ("upload: %s is nested deeper than %d directories"):format(from, DEPTH_MOST))
  end
  local entries, err = core.host_list(from)
  if not entries then
    return nil, err
  end
  local ok
  ok, err = ask(sandbox, "upload " .. to, "mkdir", to, mode)
  if not ok and err.kind ~= "already_exists" then
    return nil, err
  end
  for _, entry in ipairs(entries) do
    local below = "/" .. entry.name
    ok, err = upload_entry(sandbox, from .. below, to .. below, entry, depth)
    if not ok then
      return nil, err
    end
  end
  return true
end

--- Copy a file or directory of this machine into a sandbox.
---@param sandbox codecell.Sandbox
---@param from string path on this machine
---@param to string path in the sandbox
---@return true? done
---@return codecell.Error? err
function transfer.upload(sandbox, from, to)
  local directory = core.host_directory(from, false)
  if directory then
    directory:close()
    return upload_directory(sandbox, from, to, 493, 1)
  end
  return upload_file(sandbox, from, to)
end

-- ---- out of the sandbox ----

-- A file of the sandbox, to a new one below the directory `root` of this machine.
local function download_file(sandbox, from, root, name, mode, budget)
  local content, err = ask(sandbox, "download " .. from, "read", from, 0)
  if not content then
    return nil, err
  end
  if type(content) == "string" then
    content, err = core.memory(content)
  end
  local target
  if content then
    target, err = root:make_file(name, mode)
  end
  local count = target and 1
  while count and count > 0 do
    count, err = content:copy_to(target)
    wait.key(nil, wait.deadline(TURN))
    budget.left = budget.left - (count or 0)
    if count and budget.left < 0 then
      count, err = nil, errors.new("limit_exceeded",
        ("download %s: more than limits.disk (%.0f bytes)"):format(from, budget.most))
    end
  end
  for _, descriptor in pairs({ content, target }) do
    descriptor:close()
  end
  return count and true, err
end

local function download_link(root, entry, skip)
  local ok, err = root:make_link(entry.path, entry.symlink_target)
  if ok or skip then
    return true
  end
  if err.kind == "invalid_argument" then
    err.hint = "pass links = \"skip\" to leave such links out"
    err.message = err.message .. "; " .. err.hint
  end
  return nil, err
end

local function download_entry(sandbox, from, root, entry, skip, budget)
  if entry.type == "dir" then
    local _, above = entry.path:gsub("/", "")
    if above + 1 == DEPTH_MOST then -- what it holds was not listed
      return nil, errors.new("invalid_argument",
        ("download: %s is nested deeper than %d directories"):format(from, DEPTH_MOST))
    end
    return root:make_directory(entry.path, entry.mode)
  elseif entry.type == "symlink" then
    return download_link(root, entry, skip)
  elseif entry.type == "file" then
    return download_file(sandbox, from .. "/" .. entry.path, root, entry.path, entry.mode, budget)
  end
  return true -- a socket or a pipe has no content
end

-- What leaves a sandbox is no more than it can hold: holes and hard links would say otherwise.
local function budget_of(sandbox)
  local most = sandbox._holds
  return { most = most, left = most }
end

local function download_directory(sandbox, from, to, skip)
  local entries, err = listing(sandbox, "download " .. from, from, DEPTH_MOST)
  if not entries then
    return nil, err
  end
  local root
  root, err = core.host_directory(to, true)
  if not root then
    return nil, err
  end
  local budget = budget_of(sandbox)
  table.sort(entries, function(one, other) return one.path < other.path end) -- parents first
  for _, entry in ipairs(entries) do
    local ok
    ok, err = download_entry(sandbox, from, root, entry, skip, budget)
    if not ok then
      root:close()
      return nil, err
    end
  end
  root:close()
  return true
end

--- Copy a file or directory of a sandbox to this machine.
---@param sandbox codecell.Sandbox
---@param from string path in the sandbox
---@param to string path on this machine
---@param skip boolean leave out links that lead outside
---@return true? done
---@return codecell.Error? err kinds "not_found", "invalid_argument" (names that lead outside),
---"limit_exceeded" (more than `limits.disk`), ...
function transfer.download(sandbox, from, to, skip)
  local entry, err = ask(sandbox, "download " .. from, "stat", from, true)
  if not entry then
    return nil, err
  elseif entry.type == "dir" then
    return download_directory(sandbox, from, to, skip)
  end
  local folder, name = to:match("^(.*)/([^/]+)$")
  local root
  root, err = core.host_directory(folder == "" and "/" or folder or ".", false)
  if not root then
    return nil, err
  end
  local ok
  ok, err = download_file(sandbox, from, root, name or to, entry.mode, budget_of(sandbox))
  root:close()
  return ok, err
end

return transfer
