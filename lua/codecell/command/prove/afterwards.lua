--- What outlives a deadline, and what is left of sandboxes: looked at from outside.
local codecell = require "codecell"
local core = require "codecell.core"
local judge = require "codecell.command.prove.judge"
local processes = require "codecell.command.processes"

local afterwards = {}

local PATIENCE = 10 -- seconds that an end may take

-- Numbers of the processes of this machine whose command line has the text.
local function processes_with(text)
  local list = {}
  for pid, line in pairs(processes.each "cmdline") do
    list[#list + 1] = line:find(text, 1, true) and pid or nil
  end
  return list
end

-- Steps until it is so, for at most PATIENCE.
local function eventually(condition)
  local deadline = codecell.reactor():now() + PATIENCE
  while not condition() do
    if codecell.reactor():now() > deadline then
      return false
    end
    codecell.step(0.02)
  end
  return true
end

local DAEMON = [[
import os, signal, sys, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for descriptor in range(3): os.close(descriptor)
time.sleep(30)]]
local SHELL_DAEMON = [[
trap '' HUP INT TERM
(setsid sh -c 'trap "" HUP INT TERM; i=0; while [ $i -lt 30 ]; do sleep 1; i=$((i+1)); done' "$0" \
  >/dev/null 2>&1 </dev/null &)]]

local OUTLIVE = {
  name = "outlive the deadline", group = "deadlines",
  tried = "a daemon: fork, setsid, fork, deaf to every signal, output closed",
  blocked = { ended = "the end of its PID namespace" },
}

--- Whether a process that hides outlives its sandbox.
---@param python string?
---@param options table of the sandbox
---@return codecell.ProvedAttack
function afterwards.outlive(python, options)
  local name = "codecell-daemon-" .. core.random_id(12)
  local settings = { timeout = 60 }
  for key, value in pairs(options) do
    settings[key] = value
  end
  local sandbox, err = codecell.create(settings)
  local argv = python and { python, "-I", "-S", "-c", DAEMON, name }
    or { "/bin/sh", "-c", SHELL_DAEMON, name }
  local result
  if sandbox then
    result, err = sandbox.commands:run(argv, { timeout = PATIENCE })
  end
  if not result then
    return judge.failed(OUTLIVE, tostring(err))
  end
  local was_seen = processes_with(name)[1] ~= nil
  sandbox:set_timeout(0.5) -- its deadline
  eventually(function()
    return sandbox:_state() == "gone"
  end)
  local is_gone = eventually(function()
    return not processes_with(name)[1]
  end)
  sandbox:close()
  if not was_seen then
    return judge.skipped(OUTLIVE, "this user may not see the processes in its sandboxes")
  end
  local report = ("daemon %s\n"):format(is_gone and "ended" or "lives")
  return judge.of(OUTLIVE, { stdout = report, stderr = "" }, { token = name })
end

local LEFTOVERS = {
  name = "leave something behind", group = "deadlines",
  tried = "processes, mounts, control groups and descriptors, after the sandboxes were closed",
  blocked = { none = "the end of its namespaces" },
}

local function lines(path)
  local set = {}
  for line in (processes.read(path) or ""):gmatch "[^\n]+" do
    set[line] = true
  end
  return set
end

-- Folders of the control groups that the first process of a sandbox is in.
local function groups_of(id)
  local folders = {}
  for _, entry in ipairs(core.sandboxes("mine") or {}) do
    local text = entry.id == id and processes.read(("/proc/%d/cgroup"):format(entry.pid)) or ""
    for controllers, path in text:gmatch "%d+:([^:\n]*):([^\n]*codecell[^\n]*)" do
      folders[#folders + 1] = "/sys/fs/cgroup/" .. controllers:gsub("^name=", "") .. path
    end
  end
  return folders
end

local function descriptors()
  return #(core.host_list("/proc/self/fd") or {})
end

--- What is there before anything is attacked.
---@return table watch
function afterwards.watch()
  return { mounts = lines "/proc/self/mountinfo", descriptors = descriptors(), ids = {},
    groups = {} }
end

--- Keep a sandbox in mind that will be closed.
---@param watch table
---@param sandbox codecell.Sandbox
function afterwards.remember(watch, sandbox)
  watch.ids[#watch.ids + 1] = sandbox.id
  for _, folder in ipairs(groups_of(sandbox.id)) do
    watch.groups[#watch.groups + 1] = folder
  end
end

local function count_mounts(watch)
  local count = 0
  for line in pairs(lines "/proc/self/mountinfo") do
    count = count + (watch.mounts[line] and 0 or 1)
  end
  return count
end

--- What is left of those that were remembered.
---@param watch table
---@return codecell.ProvedAttack
function afterwards.leftovers(watch)
  local counts
  eventually(function()
    counts = { processes = 0, mounts = count_mounts(watch), groups = 0,
      descriptors = math.max(0, descriptors() - watch.descriptors) }
    for _, id in ipairs(watch.ids) do
      counts.processes = counts.processes + #processes_with("codecell-sandbox " .. id)
    end
    for _, folder in ipairs(watch.groups) do
      counts.groups = counts.groups + (processes.read(folder .. "/cgroup.procs") and 1 or 0)
    end
    return counts.processes + counts.mounts + counts.groups + counts.descriptors == 0
  end)
  local text = {}
  for _, name in ipairs { "processes", "mounts", "groups", "descriptors" } do
    text[#text + 1] = ("%s %s\n"):format(name,
      counts[name] == 0 and "none" or "left-" .. counts[name])
  end
  return judge.of(LEFTOVERS, { stdout = table.concat(text), stderr = "" }, { token = "\0" })
end

return afterwards
