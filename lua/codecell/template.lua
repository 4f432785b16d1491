--- Templates: what sandboxes begin with, prepared once and shared by all of them, read-only.
---
--- A template is a home (files below /home/user, which each sandbox sees and changes for itself
--- alone), variables, and if wanted a root folder: the programs of an unpacked image in the place
--- of this machine's.
local core = require "codecell.core"
local errors = require "codecell.errors"
local options = require "codecell.options"

local template = {}

-- Described in the library itself; the last part of their modules' names.
local INCLUDED = { "python-datascience" }

---@class codecell.Template
---@field name string
---@field description string?
---@field built boolean whether it is in the store; one that is included can serve unbuilt
---@field created_at integer? seconds since 1970
---@field root string? folder with the programs, where they are not those of this machine
---@field envs table<string, string>
---@field cwd string?
---@field imports string[] Python modules that a pool of it should have ready
---@field files integer?
---@field size number? bytes
---@field packages table<string, string[]>? by language: what it was asked to have
---@field steps string[]? how it was built
---@field from string? what it was built from

local function store()
  return require "codecell.template.store"
end

local function included(name)
  for _, one in ipairs(INCLUDED) do
    if one == name then
      return require("codecell.template." .. name)
    end
  end
end

--- The description of a template that comes with the library.
---@param name string
---@return table? description
function template.included(name)
  return included(name)
end

local function all_names()
  local names, err = store().names("template")
  if not names then
    return nil, err
  end
  local seen = {}
  for _, name in ipairs(names) do
    seen[name] = true
  end
  for _, name in ipairs(INCLUDED) do
    if not seen[name] then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

-- What the Python of this machine lacks for an unbuilt one, or nil.
local function lacks(description)
  local languages = require "codecell.languages"
  local modules = require "codecell.languages.modules"
  local program = languages.program("python")
  local prefix = program and program:match("^(.*)/bin/[^/]+$")
  for _, module in ipairs(description.modules) do
    if not prefix or not modules.has(prefix, module) then
      return module, program
    end
  end
end

-- ---- what create begins with ----

--- Whether a folder is one with programs, as the / of a machine is.
---@param path string
---@return boolean
function template.is_root(path)
  if core.host_has(path, "/bin/sh") then
    return true
  end
  local programs = core.host_directory(path .. "/usr/bin", false)
  if programs then
    programs:close()
  end
  return programs ~= nil
end

--- An absolute path without "." and double slashes.
---@param path string
---@return string
function template.plain(path)
  local parts = {}
  for part in path:gmatch("[^/]+") do
    parts[#parts + 1] = part ~= "." and part or nil
  end
  return "/" .. table.concat(parts, "/")
end

local function of_folder(path)
  path = template.plain(path)
  if path == "/" or ("/" .. path .. "/"):find("/../", 1, true) then
    return nil, errors.new("invalid_argument", path == "/"
      and "create: the programs of this machine need no template; leave `template` out"
      or ("create: template %s: name the folder without \"..\""):format(path))
  end
  local folder, err = core.host_directory(path, false)
  if not folder then
    err.message = ("create: template %s: %s"):format(path, err.message)
    return nil, err
  end
  folder:close()
  if not template.is_root(path) then
    return nil, errors.new("invalid_argument",
      ("create: %s has neither bin/sh nor usr/bin, so no programs; make a template of its files: "
        .. "codecell template build NAME --from %s"):format(path, path))
  end
  return { name = path, id = path, root = path, envs = {}, imports = {} }
end

local function of_description(description)
  local module, program = lacks(description)
  if not module then
    return { name = description.name, id = "included", envs = description.envs or {},
      imports = description.imports }
  end
  local hint = "codecell template build " .. description.name
  return nil, errors.new("not_found", ("create: the template %s is not built, and %s has no %s; "
    .. "build it: %s"):format(description.name, program or "there is no Python that", module, hint),
    hint)
end

-- What sandboxes of this Lua state began with, by handle: a fork begins with the same, whatever its
-- name means by then.
local begun = setmetatable({}, { __mode = "v" })

local function hold_again(found)
  local lock, err
  if found.home then
    lock, err = core.host_lock(found.home, false)
    if not lock then
      return nil, err
    end
  end
  local again = {}
  for key, value in pairs(found) do
    again[key] = value
  end
  again.lock = lock
  return again
end

--- What a sandbox begins with.
---@param name string of a template, id of a snapshot, or absolute path of a root folder
---@return table? found `name id home root envs cwd imports lock size`
---@return codecell.Error? err kinds "not_found", "invalid_argument", "permission_denied"
function template.find(name)
  if begun[name] then
    return hold_again(begun[name])
  elseif name:sub(1, 1) == "/" then
    return of_folder(name)
  end
  local about, err = store().hold(name)
  if about then
    about.envs = about.envs or {}
    return about
  elseif err then
    return nil, err
  end
  local description = included(name)
  if description then
    return of_description(description)
  end
  return nil, store().missing("create", name, all_names() or {}, "template")
end

--- Complete what a sandbox is asked for by its template.
---@param given table options of create that are being completed
---@return true? done
---@return codecell.Error? err
function template.apply(given)
  local found, err = template.find(given.template)
  if not found then
    return nil, err
  end
  local envs = {}
  for _, more in ipairs({ found.envs, given.envs or {} }) do
    for key, value in pairs(more) do
      envs[key] = value
    end
  end
  given.template, given.template_id, given.template_lock = found.name, found.id, found.lock
  given.template_envs, given.template_imports = found.envs, found.imports
  given.template_handle, given.template_begun = found.name .. "@" .. found.id, found
  begun[given.template_handle] = found
  given.envs, given.root, given.cwd = envs, found.root, given.cwd or found.cwd
  local is_empty = found.entries == 0 -- then the sandbox's own empty home does
  given.home = found.home and not is_empty and { found.home } or nil
  given.home_size = found.home and found.size or 0
  return true
end

-- ---- what there is ----

local function shape(about, name)
  local description = included(name) or {}
  return {
    name = name, description = about.description or description.description,
    built = about.id ~= nil, created_at = about.created_at, root = about.root,
    envs = about.envs or description.envs or {}, cwd = about.cwd,
    imports = about.imports or description.imports or {}, files = about.files, size = about.size,
    packages = about.packages, steps = about.steps, from = about.from and about.from.text,
  }
end

--- All templates: those that were built, and those that come with the library. It is
--- `codecell.templates` too.
---@return codecell.Template[]? list by name
---@return codecell.Error? err kind "permission_denied": others could change the folder of templates
function template.templates()
  local names, err = all_names()
  if not names then
    return nil, err
  end
  local list = {}
  for i, name in ipairs(names) do
    list[i] = shape(store().read(name) or {}, name)
  end
  return list
end

--- What is known of a template.
---@param name string
---@return codecell.Template? about
---@return codecell.Error? err kind "not_found"
function template.show(name)
  options.argument("show", "name", name, "name")
  local about, err = store().read(name)
  if err then
    return nil, err
  elseif about and about.kind == "template" or included(name) then
    return shape(about or {}, name)
  end
  return nil, store().missing("show", name, all_names() or {}, "template")
end

--- Remove a template. Sandboxes that have it keep it until they end.
---@param name string
---@return true? removed
---@return codecell.Error? err kind "not_found"
function template.remove(name)
  options.argument("remove", "name", name, "name")
  local about, problem = store().read(name)
  if about and about.kind == "snapshot" or not about and not problem then
    return nil, store().missing("remove", name, store().names("template") or {}, "template")
  end
  local removed, err = store().remove(name)
  return removed ~= nil and true or nil, err
end

--- Build a template, in a sandbox of its own: see codecell.BuildOptions. What had the name before
--- serves until it is done, and those who have it keep it. Of a build that fails nothing is left.
---
---     codecell.template.build("charts", { from = "/srv/charts", python = { "plotnine" },
---       run = { "./prepare" } })
---@param name string letters, digits, ".", "_" and "-"
---@param given codecell.BuildOptions?
---@return codecell.Template? built
---@return codecell.Error? err of the step that failed, with `step` (its number) and `output` (its
---last lines): kinds "invalid_argument", "limit_exceeded", "no_space", "timeout", and those of
---create and install
function template.build(name, given)
  options.argument("build", "name", name, "name")
  local built, err = require("codecell.template.build").build(name, given)
  if not built then
    return nil, err
  end
  return shape(built, name)
end

--- What a template was made of and is not any more as it was then.
---@param name string
---@param given {packages: boolean?}? packages: ask the indexes for newer versions; default true
---@return {what: string, had: string, has: string}[]? moved empty: it is up to date
---@return codecell.Error? err kinds "not_found", "unavailable" (an index does not answer)
function template.outdated(name, given)
  options.argument("outdated", "name", name, "name")
  given = options.check("outdated", given, { packages = { type = "boolean" } })
  local about, err = store().read(name)
  if not about or about.kind ~= "template" then
    local names = store().names("template") or {}
    return nil, err or store().missing("outdated", name, names, "template")
  end
  return require("codecell.template.outdated").look(about, given.packages ~= false)
end

return template
