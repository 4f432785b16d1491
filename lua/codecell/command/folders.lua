--- Folders of this machine on the command line: --mount, and what becomes of changes to them.
local command = require "codecell.command"
local json = require "codecell.json"
local mounts = require "codecell.project.mounts"
local size = require "codecell.command.size"

local folders = {}

--- The options.
folders.options = {
  { name = "mount", value = "FOLDER", kind = "mount", repeated = true,
    help = "a folder of yours, HOST[:PATH[:MODE]]; PATH: /home/user/NAME, MODE: read, overlay\n"
      .. (" "):rep(29) .. "(changes stay inside; the default with --changes or --apply) or write" },
  { name = "changes", help = "print what the code changed in it, as a diff" },
  { name = "apply", help = "make these changes in the folder, if the code succeeded" },
}

--- What create gets of the words.
---@param options table as options.parse gave them
---@return table[]? mounts
---@return string? message of bad usage
function folders.mounts(options)
  local wants_changes = options.changes or options.apply
  local list, overlays = {}, 0
  for i, word in ipairs(options.mount or {}) do
    list[i] = { host = word.host, path = word.path,
      mode = word.mode or (wants_changes and "overlay" or "read") }
    overlays = overlays + (list[i].mode == "overlay" and 1 or 0)
  end
  if wants_changes and overlays == 0 then
    return nil, (options.changes and "--changes" or "--apply")
      .. " needs a folder: --mount HOST, or --mount HOST:PATH:overlay"
  end
  local ok, problem = pcall(mounts.check, list, 1)
  if not ok then
    return nil, (problem:gsub("^.-create: mounts%[%d+%]%.?", "--mount: "))
  end
  return list
end

local function describe(change)
  local what = change.op .. " " .. change.path
  if change.target then
    return what .. " -> " .. change.target
  elseif change.op == "chmod" then
    return ("%s %o"):format(what, change.mode)
  elseif change.type == "file" then
    return ("%s (%.0f bytes%s)"):format(what, change.size,
      change.omitted and ", " .. change.omitted or "")
  end
  return what .. (change.type == "dir" and "/" or "")
end

-- Names are the code's: one line each.
local function one_line(text)
  return (text:gsub("%c", function(byte) return ("\\%03o"):format(byte:byte()) end))
end

-- Code begins beside the folder: what it wrote there was perhaps meant for it.
local function tell_unchanged(sandbox)
  local places = {}
  for _, mount in ipairs(sandbox:get_info().mounts) do
    places[#places + 1] = mount.mode == "overlay" and mount.path or nil
  end
  io.stderr:write("codecell: nothing has changed in the folder, which code finds at ",
    one_line(table.concat(places, ", ")), "\n")
end

local function print_changes(view, changes, sandbox)
  for _, change in ipairs(changes) do
    if change.diff and change.diff ~= "" then
      view.out:foreign(change.diff)
    else
      view.out:foreign(one_line(describe(change)) .. "\n")
    end
  end
  view.out:settle()
  if #changes == 0 then
    tell_unchanged(sandbox)
  elseif changes.truncated then
    io.stderr:write("codecell: there are more changes than these\n")
  end
end

local function tell_applied(outcome)
  io.stderr:write("codecell: ", size.count(#outcome.applied, "change"), " applied\n")
  for _, failed in ipairs(outcome.failed) do
    io.stderr:write("codecell: not applied: ", (tostring(failed.err):gsub("^apply ", "")), "\n")
  end
end

-- The outcome, or nil, err.
local function apply(sandbox, status)
  if status ~= command.status.success then
    io.stderr:write("codecell: nothing is applied, since the code failed\n")
    return { applied = {}, failed = {} }
  end
  return sandbox:apply { all = true }
end

--- After the code: show and apply, as far as asked for.
---@param sandbox codecell.Sandbox
---@param options table as options.parse gave them
---@param status integer exit status of the code
---@param view table? of show.open; nil: nothing is printed
---@return table? report `changes`, `applied`, `failed`
---@return integer|codecell.Error status or err
function folders.finish(sandbox, options, status, view)
  local report = {}
  if options.changes then
    local changes, err = sandbox:changes { diff = true }
    if not changes then
      return nil, err
    end
    report.changes = changes
    if view then
      print_changes(view, changes, sandbox)
    end
  end
  if options.apply then
    local outcome, err = apply(sandbox, status)
    if not outcome then
      return nil, err
    end
    report.applied, report.failed = outcome.applied, outcome.failed
    if view and status == command.status.success then
      tell_applied(outcome)
    end
    if #outcome.failed > 0 then
      status = command.status.failed
    end
  end
  return report, status
end

--- The report as it is printed with an Execution.
---@param report table of `finish`
---@param into table
---@return table into
function folders.as_table(report, into)
  for name, list in pairs(report) do
    for _, entry in ipairs(list) do
      entry.err = entry.err and tostring(entry.err)
    end
    into[name] = json.list(list)
  end
  return into
end

return folders
