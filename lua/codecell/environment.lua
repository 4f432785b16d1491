--- The environment variables of what runs in a sandbox.
local environment = {}

local BASE = {
  HOME = "/home/user", USER = "user", LOGNAME = "user",
  -- /run/bin: names that the machine's programs have elsewhere (src/warden/root/skeleton.c)
  PATH = "/home/user/.local/bin:/usr/local/bin:/usr/bin:/bin:/run/bin", LANG = "C.UTF-8",
  TMPDIR = "/tmp", TZ = "UTC", CODECELL = "1",
  PIP_BREAK_SYSTEM_PACKAGES = "1", -- there is no system to break: it is read-only
}

-- The proxy of a sandbox with a network; programs that know none need none.
local PROXY = "http://127.0.0.1:1008"
local DIRECT = "localhost,127.0.0.1,::1,0.0.0.0,sandbox"
local NETWORK = {
  http_proxy = PROXY, https_proxy = PROXY, all_proxy = PROXY, no_proxy = DIRECT,
  HTTP_PROXY = PROXY, HTTPS_PROXY = PROXY, ALL_PROXY = PROXY, NO_PROXY = DIRECT,
}

-- Where nothing answers, installers do not ask again: npm's default takes 70 s to say so.
local NO_NETWORK = { PIP_RETRIES = "0", npm_config_fetch_retries = "0" }

--- Where programs keep what they keep for themselves, if the home cannot be written to.
environment.elsewhere = { MPLCONFIGDIR = "/tmp/.matplotlib", XDG_CACHE_HOME = "/tmp/.cache" }

---@class codecell.Environment
---@field added table<string, string> what create and set_envs gave
---@field version integer raised at each change
local Environment = {}
Environment.__index = Environment

--- The environment that every sandbox starts with, and what is added to it.
---@param envs table<string, string>?
---@param has_network boolean? whether to name its proxy; with none, installers try once
---@param more table<string, string>? that come before those of its user
---@return codecell.Environment
function environment.new(envs, has_network, more)
  local self = setmetatable({ added = {}, version = 0 }, Environment)
  self:add(has_network and NETWORK or NO_NETWORK)
  self:add(more or {})
  self:add(envs or {})
  return self
end

--- That of a sandbox which is elsewhere: it has its own, and here is only what is added to it.
---@return codecell.Environment
function environment.empty()
  return setmetatable({ added = {}, version = 0 }, Environment)
end

--- Set variables for what starts later.
---@param envs table<string, string>
function Environment:add(envs)
  for name, value in pairs(envs) do
    self.added[name] = value
  end
  self.version = self.version + 1
end

--- The value of a variable.
---@param name string
---@return string? value
function Environment:get(name)
  return self.added[name] or BASE[name]
end

--- All of it as "NAME=value".
---@param more table<string, string>? for one program alone
---@return string[]
function Environment:list(more)
  more = more or {}
  local list, added = {}, self.added
  for name, value in pairs(more) do
    list[#list + 1] = name .. "=" .. value
  end
  for name, value in pairs(added) do
    if not more[name] then
      list[#list + 1] = name .. "=" .. value
    end
  end
  for name, value in pairs(BASE) do
    if not more[name] and not added[name] then
      list[#list + 1] = name .. "=" .. value
    end
  end
  return list
end

return environment
