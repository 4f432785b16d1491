--- codecell.e2b: an account of E2B, with its sandboxes, templates and snapshots.
local control = require "codecell.e2b.control"
local create = require "codecell.create"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local settings = require "codecell.e2b.settings"

local account = {}

---@class codecell.E2bAccount
---@field package given fun(): table options of every verb; not a field that is printed
local Account = {}
Account.__index = Account

--- An account, so that its key and its place are said once.
---@param given table? `api_key domain api_url sandbox_url debug request_timeout max_retries
---on_request validate_api_key`; default: what the environment says
---@return codecell.E2bAccount
function account.account(given)
  options.check("account", given, settings.options)
  local kept = {}
  for name, value in pairs(given or {}) do
    kept[name] = value
  end
  return setmetatable({ given = function() return kept end }, Account)
end

-- Options of a call win over those of the account.
local function merged(self, given)
  local all = { backend = "e2b" }
  for name, value in pairs(self.given()) do
    all[name] = value
  end
  for name, value in pairs(given or {}) do
    all[name] = value
  end
  return all
end

--- As `codecell.create`.
---@param given table?
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err
function Account:create(given)
  return create.create(merged(self, given))
end

--- As `codecell.connect`.
---@param id string
---@param given table?
---@return codecell.Sandbox? sandbox
---@return codecell.Error? err
function Account:connect(id, given)
  return create.connect(id, merged(self, given))
end

--- As `codecell.list`.
---@param given table?
---@return codecell.SandboxInfo[]? page
---@return codecell.Error? err
function Account:list(given)
  return create.list(merged(self, given))
end

--- As `codecell.kill`.
---@param id string
---@return boolean? killed
---@return codecell.Error? err
function Account:kill(id)
  return create.kill(id, merged(self))
end

local function resolved(self, verb)
  local found, err = settings.resolve(verb, self.given())
  if not found then
    return nil, err
  end
  local loop
  loop, err = reactor.get()
  return loop and found, err
end

--- As `sandbox:get_info()` of a sandbox that no object is needed for.
---@param id string
---@return codecell.SandboxInfo? info
---@return codecell.Error? err kind "not_found"
function Account:get_info(id)
  options.argument("get_info", "id", id, "name")
  local found, err = resolved(self, "get_info")
  local given
  if found then
    given, err = control.get(found, "get_info", id)
  end
  if not given then
    return nil, err
  end
  return control.info(given)
end

--- As `sandbox:set_timeout(seconds)`: it may shorten the time, and resumes nothing.
---@param id string
---@param seconds number from now
---@return true? done
---@return codecell.Error? err kind "not_found"
function Account:set_timeout(id, seconds)
  options.argument("set_timeout", "id", id, "name")
  options.argument("set_timeout", "seconds", seconds, "number", { above = 0, most = 86400 })
  local found, err = resolved(self, "set_timeout")
  if not found then
    return nil, err
  end
  return control.set_timeout(found, "set_timeout", id, seconds)
end

--- As `sandbox:pause(given)`.
---@param id string
---@param given {keep_memory: boolean?}? default true
---@return boolean? paused false if it was
---@return codecell.Error? err kind "not_found"
function Account:pause(id, given)
  options.argument("pause", "id", id, "name")
  given = options.check("pause", given, { keep_memory = { type = "boolean" } })
  local found, err = resolved(self, "pause")
  if not found then
    return nil, err
  end
  return control.pause(found, "pause", id, given.keep_memory ~= false)
end

local PAGE = { limit = { type = "integer", least = 1, most = 100 }, next = { type = "name" } }

--- One page of its templates.
---@param given {limit: integer?, next: string?}?
---@return table[]? page {id, names, aliases, public, cpu_count, memory, build, state}; `next`
---@return codecell.Error? err
function Account:templates(given)
  given = options.check("templates", given, PAGE)
  local found, err = resolved(self, "templates")
  if not found then
    return nil, err
  end
  return control.templates(found, given)
end

--- Whether there is a template of that name, its own or another's.
---@param name string
---@return boolean? exists
---@return codecell.Error? err
function Account:has_template(name)
  options.argument("has_template", "name", name, "name")
  local found, err = resolved(self, "has_template")
  if not found then
    return nil, err
  end
  return control.has_template(found, name)
end

local SNAPSHOTS = { limit = PAGE.limit, name = { type = "name" }, next = PAGE.next,
  sandbox = { type = "name" } }

--- One page of its snapshots.
---@param given {sandbox: string?, name: string?, limit: integer?, next: string?}?
---@return {id: string, names: string[]}[]? page with `next` if there is another
---@return codecell.Error? err
function Account:snapshots(given)
  given = options.check("snapshots", given, SNAPSHOTS)
  local found, err = resolved(self, "snapshots")
  if not found then
    return nil, err
  end
  return control.snapshots(found, given)
end

--- Remove a template or a snapshot.
---@param id string
---@return boolean? removed false if there was none
---@return codecell.Error? err
function Account:remove_template(id)
  options.argument("remove_template", "id", id, "name")
  local found, err = resolved(self, "remove_template")
  if not found then
    return nil, err
  end
  return control.remove_template(found, "remove_template", id)
end

--- Whether the key is one that E2B takes: by one request that changes nothing.
---@return true? valid
---@return codecell.Error? err kinds "unauthenticated", "unavailable" (with where to look), ...
function Account:check()
  local found, err = resolved(self, "check")
  if not found then
    return nil, err
  end
  local page
  page, err = control.list(found, { limit = 1 })
  return page and true, err
end

return account
