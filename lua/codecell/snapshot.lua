--- Snapshots: the files of a sandbox, kept to begin other sandboxes with, or to be taken elsewhere.
local core = require "codecell.core"
local options = require "codecell.options"

local MOST = 2 ^ 40 -- bytes of what is imported, unless the caller says so

---@class codecell.Snapshot
---@field id string give it to create as `template`
---@field name string? for people
---@field created_at integer seconds since 1970
---@field files integer
---@field size number bytes
---@field root string? folder with the programs, where they are not those of this machine

local snapshot = {}

local function store()
  return require "codecell.template.store"
end

local function shape(about)
  return { id = about.name, name = about.title, created_at = about.created_at,
    files = about.files, size = about.size, root = about.root }
end

local TAKE = { name = { type = "name" } }

--- See `Sandbox:create_snapshot`.
---@param sandbox codecell.Sandbox
---@param given table?
---@return codecell.Snapshot? made
---@return codecell.Error? err
function snapshot.take(sandbox, given)
  given = options.check("create_snapshot", given, TAKE, 4)
  local from = sandbox._given
  local about = { kind = "snapshot", title = given.name, root = from.root,
    envs = from.template_envs, cwd = from.cwd, template = from.template }
  local id = "s" .. core.random_id(20)
  local kept, err = require("codecell.template.keep").home(sandbox, id, about)
  if not kept then
    return nil, err
  end
  return shape(kept)
end

--- All snapshots of this user, oldest first.
---@return codecell.Snapshot[]? list
---@return codecell.Error? err
function snapshot.list()
  local names, err = store().names("snapshot")
  if not names then
    return nil, err
  end
  local list = {}
  for _, name in ipairs(names) do
    local about = store().read(name)
    list[#list + 1] = about and shape(about)
  end
  table.sort(list, function(one, other)
    return one.created_at < other.created_at
      or one.created_at == other.created_at and one.id < other.id
  end)
  return list
end

local function find(verb, id)
  options.argument(verb, "id", id, "name", nil, 4)
  local about, err = store().read(id)
  if about and about.kind == "snapshot" or err then
    return about, err
  end
  return nil, store().missing(verb, id, store().names("snapshot") or {}, "snapshot")
end

--- Remove a snapshot. Sandboxes that began with it keep its files until they end.
---@param id string
---@return true? removed
---@return codecell.Error? err kind "not_found"
function snapshot.remove(id)
  local about, err = find("remove", id)
  if not about then
    return nil, err
  end
  local removed
  removed, err = store().remove(id)
  return removed ~= nil and true or nil, err
end

-- The stream of an archive whose end is the end of its sandbox too.
local Export = {}
Export.__index = Export

--- The next piece of the stream.
---@return string? chunk nil at the end
---@return codecell.Error? err after nil; the stream is not whole
function Export:read()
  local piece, err = self.archive:read()
  if not piece then
    self:close()
  end
  return piece, err
end

--- Let go before the end. Idempotent, never raises.
function Export:close()
  self.archive:close()
  self.sandbox:close()
end

Export.__close = Export.close -- Lua 5.4

--- The files of a snapshot as a tar stream, for a backup or another machine.
---@param id string
---@return codecell.Archive? stream `read` and `close`
---@return codecell.Error? err kind "not_found", and those of create
function snapshot.export(id)
  local about, err = find("export", id)
  if not about then
    return nil, err
  end
  local sandbox
  sandbox, err = require("codecell.create").create({ template = id,
    limits = { disk = math.max(math.ceil(about.size), 1024 * 1024) } })
  if not sandbox then
    return nil, err
  end
  local archive
  archive, err = sandbox.files:archive("/home/user")
  if not archive then
    sandbox:close()
    return nil, err
  end
  return setmetatable({ archive = archive, sandbox = sandbox }, Export)
end

local IMPORT = {
  name = { type = "name" },
  most = { type = "number", above = 0 },
}

--- Make a snapshot of a tar stream, whoever made it: what is in it becomes the home. Names that
--- lead out of it, devices and the like end it with an error; set-user-ID bits are left out.
---@param source fun(): string?, codecell.Error? gives the next piece; nil at the end
---@param given {name: string?, most: number?}? `most`: bytes of all files, default 2^40
---@return codecell.Snapshot? made
---@return codecell.Error? err kinds "invalid_argument" (no tar stream, or a hostile one),
---"limit_exceeded", "no_space"
function snapshot.import(source, given)
  options.argument("import", "source", source, "function")
  given = options.check("import", given, IMPORT)
  local kept, err = require("codecell.template.keep").stream("s" .. core.random_id(20),
    { kind = "snapshot", title = given.name }, source, given.most or MOST)
  if not kept then
    err.message = "import: " .. err.message
    return nil, err
  end
  return shape(kept)
end

return snapshot
