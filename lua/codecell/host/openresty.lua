--- Waiting in OpenResty, or nginx with its Lua module: a request that waits leaves the worker free
--- for others.
---
--- nginx polls no descriptor that it has not made. A small process, one a worker, made at the first
--- wait, polls the reactor instead and rings a cosocket; whoever waits does so on a semaphore.
local core = require "codecell.core"
local errors = require "codecell.errors"
local host = require "codecell.host"
local reactor = require "codecell.reactor"
local semaphore = require "ngx.semaphore"

local ngx = _G.ngx

local openresty = {}

local LEVELS = { debug = 8, info = 7, warning = 5, error = 4 } -- ngx.DEBUG, INFO, WARN, ERR

-- Where nginx lets a light thread wait.
local PHASES = {
  access = true, content = true, preread = true, rewrite = true, server_rewrite = true,
  ssl_cert = true, ssl_client_hello = true, ssl_session_fetch = true, timer = true,
}

local SILENCE = 10000 -- milliseconds without a ring, which comes each second: it is broken
local LOOK = 1        -- seconds between looks of those who wait, should it be

local driving -- a light thread of a timer serves the bell
local busy    -- somebody waits

local function serve(socket)
  while busy or not ngx.worker.exiting() do
    if not socket:receive(1) then
      return
    end
    reactor.get():step(0)
    if not socket:send("k") then
      return
    end
  end
end

local function connect(socket)
  local loop, bell, err
  loop, err = reactor.get()
  if not loop then
    return nil, err
  end
  bell, err = core.bell()
  if not bell then
    return nil, err
  end
  socket:settimeout(SILENCE)
  local ok
  ok, err = socket:connect("unix:" .. bell:path())
  if ok then
    ok, err = bell:accept(loop)
  end
  if not ok then
    bell:close()
    return nil, err
  end
  return bell
end

local function drive()
  local socket = ngx.socket.tcp()
  local bell, err = connect(socket)
  local ok
  if bell then
    ok, err = pcall(serve, socket) -- LuaJIT can wait within
    socket:close()
    bell:close()
  end
  driving = false
  if not ok then
    ngx.log(ngx.ERR, "codecell: ", tostring(err))
  end
end

local function ensure_driven()
  if not driving then
    driving = ngx.timer.at(0, drive) and true or false
  end
end

---@class codecell.LightThread a light thread of nginx, seen as a task
local Guest = {}
Guest.__index = Guest

function Guest:pause()
  self.is_resumed = false
  repeat
    ensure_driven()
    self.semaphore:wait(LOOK)
  until self.is_resumed
end

function Guest:resume()
  self.serial, self.is_resumed = self.serial + 1, true
  self.semaphore:post(1)
end

local guests = setmetatable({}, { __mode = "k" }) -- by thread; a guest does not lead back to it

local function guest_of(thread)
  local guest = guests[thread]
  if not guest then
    guest = setmetatable({ serial = 0, semaphore = semaphore.new(0) }, Guest)
    guests[thread] = guest
  end
  return guest
end

-- A task all of whose waits are refused.
local function refused_in(phase)
  return {
    cancelled = true,
    refusal = function(verb)
      return errors.new("unsupported",
        ("%s: nothing can wait in the phase %s of nginx"):format(verb, phase),
        "start it by ngx.timer.at(0, ...)")
    end,
  }
end

local function adopt(thread)
  local phase = ngx.get_phase()
  if not thread or not PHASES[phase] then
    return refused_in(phase)
  end
  return guest_of(thread)
end

--- From now on a verb waits in the light thread that calls it, and other requests are served
--- meanwhile. In phases that cannot wait it returns an error of kind "unsupported". May be called
--- in init_by_lua.
---@return true
function openresty.attach()
  return host.attach("openresty", function()
    return {
      adopt = adopt,
      log = function(level, message)
        ngx.log(LEVELS[level], "codecell: ", message)
      end,
      watch = function(is_busy)
        busy = is_busy
        if busy and PHASES[ngx.get_phase()] then
          ensure_driven() -- what runs in the background must be stepped, too
        end
      end,
    }
  end)
end

--- Light threads that wait are served to their end; later ones are left alone.
---@return boolean detached false if it was not attached
function openresty.detach()
  return host.detach("openresty")
end

return openresty
