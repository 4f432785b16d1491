--- codecell.e2b: an account of E2B, with its sandboxes, templates and snapshots.
local control = require "codecell.e2b.control"
local create = require "codecell.create"
local options = require "codecell.options"
local reactor = require "codecell.reactor"
local secret = require "codecell.e2b.secret"
local settings = require "codecell.e2b.settings"
local template = require "codecell.e2b.template"
local volume = require "codecell.e2b.volume"

local account = {}

---@class codecell.E2bAccount
---@field package given fun(): table options of every verb; not a field that is printed
local Account = {}
Account.__index = Account

--- An account, so that its key and its place are said once.
---@param given table? `api_key domain api_url sandbox_url debug request_timeout max_retries
---on_request validate_api_key volume_url`; default: what the environment says
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

-- Call what asks the control plane, once its settings are known.
local function ask(self, verb, called, ...)
  local found, err = resolved(self, verb)
  if not found then
    return nil, err
  end
  return called(found, ...)
end

-- ---- templates ----

--- What is known of a template.
---@param id string its id or name
---@return table? about {id, names, public, created_at, updated_at, spawn_count, builds}: each build
---{id, state, cpu_count, memory, created_at, finished_at}
---@return codecell.Error? err kind "not_found"
function Account:template(id)
  options.argument("template", "id", id, "name")
  return ask(self, "template", template.get, id)
end

--- Let others use a template, or no others any more.
---@param id string its id or name
---@param audience "public"|"team"
---@return string[]? names
---@return codecell.Error? err kinds "not_found", "permission_denied"
function Account:publish_template(id, audience)
  options.argument("publish_template", "id", id, "name")
  if audience ~= "public" and audience ~= "team" then
    error("publish_template: audience: \"public\" or \"team\" expected", 2)
  end
  return ask(self, "publish_template", template.publish, id, audience == "public")
end

--- The tags of a template, and the build that each means.
---@param id string its id or name
---@return {tag: string, build: string, created_at: number}[]? tags
---@return codecell.Error? err kind "not_found"
function Account:tags(id)
  options.argument("tags", "id", id, "name")
  return ask(self, "tags", template.tags, id)
end

--- Give a build more tags.
---@param target string "name:tag", or a name for its default tag
---@param tags string[]
---@return {build: string, tags: string[]}? assigned
---@return codecell.Error? err kinds "not_found", "invalid_argument"
function Account:assign_tags(target, tags)
  options.argument("assign_tags", "target", target, "name")
  options.argument("assign_tags", "tags", tags, "strings", { least = 1 })
  return ask(self, "assign_tags", template.assign, target, tags)
end

--- Take tags away from a template.
---@param name string
---@param tags string[]
---@return true? done
---@return codecell.Error? err kinds "not_found", "invalid_argument"
function Account:remove_tags(name, tags)
  options.argument("remove_tags", "name", name, "name")
  options.argument("remove_tags", "tags", tags, "strings", { least = 1 })
  return ask(self, "remove_tags", template.unassign, name, tags)
end

local BUILD = { cpu_count = { type = "integer", least = 1, most = 1024 },
  force = { type = "boolean" }, from = { type = "name" }, image = { type = "name" },
  memory = { type = "integer", least = 1048576, most = 2 ^ 50 }, on_log = { type = "function" },
  ready = { type = "text" }, start = { type = "text" }, steps = { type = "table" },
  tags = { type = "strings" }, timeout = { type = "number", above = 0, most = 86400 } }

---@class codecell.E2bBuildOptions
---@field from string? a template to begin with; default "base"
---@field image string? an image to begin with instead
---@field steps table[]? in their order: {run = command, user =}, {env = {NAME = value}},
---{workdir = path}, {user = name}, {copy = name, to = path, archive = file, mode =}: archive is a
---tar stream packed with gzip on this machine, copy what of it is meant
---@field start string? command that runs in each of its sandboxes
---@field ready string? command that succeeds once that is ready
---@field tags string[]? default: the one behind ":" in the name, or "default"
---@field cpu_count integer? default 2
---@field memory integer? bytes, default 1 GiB
---@field force boolean? nothing of what is kept of earlier builds is used
---@field timeout number? seconds that are waited, default 3600
---@field on_log (fun(line: string))?

--- Build a template there, and wait for it.
---@param name string name, or "name:tag"
---@param given codecell.E2bBuildOptions
---@return {id: string, build: string, names: string[], tags: string[]}? built
---@return codecell.Error? err kinds "invalid_argument" (a step has failed: `step` says which),
---"timeout", ...
function Account:build_template(name, given)
  options.argument("build_template", "name", name, "name")
  given = options.check("build_template", given, BUILD)
  if given.from and given.image then
    error("build_template: give from or image, not both", 2)
  end
  local complete = {}
  for key, value in pairs(given) do
    complete[key] = value
  end
  complete.from = given.from or not given.image and "base" or nil
  return ask(self, "build_template", template.build, name, complete)
end

-- ---- volumes ----

--- Make a volume: a folder that sandboxes share, `create{volumes = {["/mnt/data"] = name}}`.
---@param name string letters, digits, "_" and "-"
---@return codecell.E2bVolume? made
---@return codecell.Error? err kinds "invalid_argument", "unavailable" (there is one)
function Account:create_volume(name)
  options.argument("create_volume", "name", name, "name")
  return ask(self, "create_volume", volume.create, name)
end

--- A volume that is there.
---@param id string
---@return codecell.E2bVolume? found
---@return codecell.Error? err kind "not_found"
function Account:volume(id)
  options.argument("volume", "id", id, "name")
  return ask(self, "volume", volume.get, id)
end

--- All volumes.
---@return {id: string, name: string}[]? list
---@return codecell.Error? err
function Account:volumes()
  return ask(self, "volumes", volume.list)
end

--- Remove a volume with all its files.
---@param id string
---@return boolean? removed false if there was none
---@return codecell.Error? err
function Account:remove_volume(id)
  options.argument("remove_volume", "id", id, "name")
  return ask(self, "remove_volume", volume.remove, id)
end

-- ---- secrets ----

local SECRET = { metadata = { type = "metadata" } }

--- Keep a secret. Header rules name it, `network = {rules = {[host] = {headers = {Authorization =
---"Bearer ${e2b.secrets.NAME}"}}}}`: it is filled in outside of the sandbox.
---@param name string letters, digits, "_" and "-", at most 128
---@param value string
---@param given {metadata: table<string, string>?}?
---@return codecell.E2bSecret? made without its value
---@return codecell.Error? err kinds "invalid_argument", "unavailable" (there is one)
function Account:create_secret(name, value, given)
  options.argument("create_secret", "name", name, "name")
  options.argument("create_secret", "value", value, "text")
  given = options.check("create_secret", given, SECRET)
  return ask(self, "create_secret", secret.create, name, value, given.metadata)
end

--- What is known of a secret.
---@param selector string its id or name
---@return codecell.E2bSecret? found
---@return codecell.Error? err kind "not_found"
function Account:secret(selector)
  options.argument("secret", "selector", selector, "name")
  return ask(self, "secret", secret.get, selector)
end

--- Give a secret another value: a new version of it.
---@param selector string its id or name
---@param value string
---@param given {metadata: table<string, string>?}? default: as it was
---@return codecell.E2bSecret? changed
---@return codecell.Error? err kind "not_found"
function Account:update_secret(selector, value, given)
  options.argument("update_secret", "selector", selector, "name")
  options.argument("update_secret", "value", value, "text")
  given = options.check("update_secret", given, SECRET)
  return ask(self, "update_secret", secret.update, selector, value, given.metadata)
end

--- Remove a secret.
---@param selector string its id or name
---@return boolean? removed false if there was none
---@return codecell.Error? err
function Account:remove_secret(selector)
  options.argument("remove_secret", "selector", selector, "name")
  return ask(self, "remove_secret", secret.remove, selector)
end

--- One page of the secrets.
---@param given {limit: integer?, next: string?}?
---@return codecell.E2bSecret[]? page with `next` if there is another
---@return codecell.Error? err
function Account:secrets(given)
  given = options.check("secrets", given, PAGE)
  return ask(self, "secrets", secret.list, given)
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
