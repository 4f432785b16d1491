--- What happens in a directory of a sandbox of E2B, as it happens.
local core = require "codecell.core"
local ends = require "codecell.e2b.ends"
local errors = require "codecell.errors"
local files = require "codecell.e2b.files"
local failure = require "codecell.e2b.failure"
local reactor = require "codecell.reactor"
local rpc = require "codecell.e2b.rpc"
local shape = require "codecell.e2b.shape"
local task = require "codecell.task"
local verbs = require "codecell.verbs"
local wait = require "codecell.wait"
require "codecell.files.watcher" -- the verbs

local watcher = {}

local KEPT_MOST = 10000 -- events that nobody has read
-- What a watcher may be told, from which envd on.
local SINCE = { recursive = "0.1.4", entry = "0.6.3", network_mounts = "0.6.4" }
local KINDS = {
  EVENT_TYPE_CREATE = "create", EVENT_TYPE_WRITE = "write", EVENT_TYPE_REMOVE = "remove",
  EVENT_TYPE_RENAME = "rename", EVENT_TYPE_CHMOD = "chmod",
  "create", "write", "remove", "rename", "chmod",
}

local Watcher = {}
Watcher.__index = verbs.of(core.Watcher, Watcher)

-- Not in an `event`, as those of processes are.
local function hear(state, message)
  local event = shape.table(message.filesystem)
  if shape.table(message.start) then
    state.is_started = true
  elseif event and state.last - state.first < KEPT_MOST then
    state.last = state.last + 1
    state.events[state.last] = { name = shape.text(event.name) or "",
      type = KINDS[event.type] or "write", entry = files.entry(event.entry) }
  elseif event then
    state.has_lost = true
  end
end

local function follow(state, stream)
  local message, err = stream:next()
  while message and not state.is_let_go do
    hear(state, message)
    reactor.wake(state)
    message, err = stream:next()
  end
  stream:close()
  state.is_over, state.err = true, err
  reactor.wake(state)
end

--- Watch a directory.
---@param sandbox table
---@param path string
---@param recursive boolean
---@param given table `entry network_mounts`
---@return codecell.Watcher? watcher
---@return codecell.Error? err
function watcher.start(sandbox, path, recursive, given)
  local what, there = "watch_dir " .. path, sandbox._plane
  local asked = { recursive = recursive, entry = given.entry,
    network_mounts = given.network_mounts }
  for name, version in pairs(SINCE) do
    if asked[name] and not there:has(version) then
      return nil, errors.unsupported("watch_dir: " .. name, "e2b",
        "build the template again: its envd is older than " .. version)
    end
  end
  local stream, err = rpc.open(there, what, "filesystem.Filesystem/WatchDir",
    { path = path, recursive = recursive or nil, includeEntry = given.entry or nil,
      allowNetworkMounts = given.network_mounts or nil }, {})
  if not stream then
    return nil, err
  end
  local state = { events = {}, first = 0, last = 0 }
  task.background(function() follow(state, stream) end)
  local deadline = wait.deadline(there.settings.request_timeout)
  while not state.is_started and not state.is_over do
    if not wait.key(state, deadline) then
      stream:close()
      return nil, wait.failure(what, there.settings.request_timeout)
    end
  end
  if not state.is_started then
    return nil, state.err or failure.protocol(what, "the end of what has not begun")
  end
  -- Collected, it is noticed with the next message.
  return setmetatable({ _state_of = state, _stream = stream,
    _end = ends.watch(function() state.is_let_go = true end) }, Watcher)
end

--- The next event, without waiting.
---@return codecell.FileEvent|false|nil event false: not yet; nil: the end
---@return codecell.Error? err after nil
function Watcher:try_read()
  local state = self._state_of
  if not state then
    error("try_read: watcher is closed", 2)
  elseif state.first < state.last then
    state.first = state.first + 1
    local event = state.events[state.first]
    state.events[state.first] = nil
    return event
  elseif state.has_lost then
    state.has_lost = nil
    return nil, errors.new("limit_exceeded", "read: events were lost, because more happened than "
      .. "was read; list the directory to see how it is, and read on")
  elseif state.is_over then
    return nil, state.err
  end
  return false
end

function Watcher:_closed()
  return self._state_of == nil
end

function Watcher:_token()
  return self._state_of
end

function Watcher:_release()
  if self._stream then
    self._stream:close()
  end
  self._stream, self._state_of = nil, nil
end

return watcher
