--- The calls of filesystem.Filesystem that watch a directory.
local core = require "codecell.core"
local errors = require "codecell.errors"
local feed = require "codecell.gateway.envd.feed"
local filesystem = require "codecell.gateway.envd.filesystem"
local paths = require "codecell.gateway.envd.paths"
local rpc = require "codecell.gateway.envd.rpc"
local task = require "codecell.task"
local wait = require "codecell.wait"

local watching = {}

local KEPT_MOST = 10000 -- events that wait to be fetched
local IN_A_ROW = 16 -- events, until others have their turn
local WATCHERS_MOST = 64 -- of a sandbox, whose events are fetched; those that have ended among them
local WITH_ENTRY = { create = true, write = true, chmod = true }
local ALIVE = rpc.message({ keepalive = {} })

local function shown(one, base, event, with_entry)
  local told = { name = event.name, type = "EVENT_TYPE_" .. event.type:upper() }
  if with_entry and WITH_ENTRY[event.type] then
    local entry = one.sandbox.files:get_info(base .. "/" .. event.name)
    told.entry = entry and filesystem.shown(one, entry)
  end
  return told
end

local function open(one, body)
  local path, err = paths.resolve(body.path)
  local found
  if path then
    found, err = one.sandbox.files:watch_dir(path, { recursive = body.recursive == true })
  end
  return found, err, path
end

-- Hand on what happens, until the directory, the watcher or the sandbox is gone.
local function attend(one, found, path, body, called, ended)
  local err
  local count = 0
  while not found:_closed() do
    local event
    event, err = found:read()
    count = count + 1
    if count % IN_A_ROW == 0 then
      wait.turn()
    end
    if event then
      local with_entry = body.includeEntry == true or body.include_entry == true
      if not called(shown(one, path, event, with_entry)) then
        break
      end
    elseif not err or err.kind ~= "limit_exceeded" then -- then some are lost, and others come
      break
    end
  end
  if not found:_closed() then
    found:close()
  end
  ended(err)
end

local methods = {}
watching.methods = methods

methods.WatchDir = { stream = function(one, body)
  local found, err, path = open(one, body)
  if not found then
    return nil, err
  end
  local listener = feed.new()
  listener:put(rpc.message({ start = {} }))
  task.background(attend, one, found, path, body, function(told)
    return listener:put(rpc.message({ filesystem = told }))
  end, function(problem)
    if not problem then
      listener:put(rpc.last)
    end
    listener:finish(problem and "broken" or "done")
  end)
  return { feed = listener, alive = ALIVE, left = function()
    listener:leave()
    found:close()
  end }
end }

methods.CreateWatcher = { call = function(one, body)
  if one:count_watchers() >= WATCHERS_MOST then
    return nil, errors.new("limit_exceeded",
      ("there are %d watchers already: remove one"):format(WATCHERS_MOST))
  end
  local found, err, path = open(one, body)
  if not found then
    return nil, err
  end
  local id = "w" .. core.random_id(16)
  local watched = { events = {}, last = 0, stop = function() found:close() end }
  one.watchers[id] = watched
  task.background(attend, one, found, path, body, function(told)
    watched.last = watched.last + 1
    watched.events[watched.last] = told
    watched.events[watched.last - KEPT_MOST] = nil
    return true
  end, function() end)
  return { watcherId = id }
end }

local function find(one, body)
  local found = one.watchers[body.watcherId or body.watcher_id or ""]
  if not found then
    return nil, errors.new("not_found", "there is no watcher of that id")
  end
  return found
end

-- What was done before the call is told by it. The sandbox looks at what has happened each time
-- that it looks at what it is asked, and may do so after its answer: hence twice.
local ROUNDS = 2

local function settle(one)
  for _ = 1, ROUNDS do
    one.sandbox._backend.ask(one.sandbox, "watch", "stat", "/", true)
  end
  wait.turn()
end

methods.GetWatcherEvents = { call = function(one, body)
  local found, err = find(one, body)
  if not found then
    return nil, err
  end
  settle(one)
  local events = {}
  for i = math.max(found.last - KEPT_MOST, 0) + 1, found.last do
    events[#events + 1] = found.events[i]
  end
  found.events, found.last = {}, 0
  return { events = #events > 0 and events or nil }
end }

methods.RemoveWatcher = { call = function(one, body)
  local found, err = find(one, body)
  if not found then
    return nil, err
  end
  one.watchers[body.watcherId or body.watcher_id] = nil
  found.stop()
  return {}
end }

return watching
