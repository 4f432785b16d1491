--- What templates are called: by name, "name:tag", or an id that is made of the name.
local core = require "codecell.core"
local errors = require "codecell.errors"
local shape = require "codecell.e2b.shape"
local store = require "codecell.template.store"

local naming = {}

naming.TAG = "default"
local ID = 20 -- digits
-- The names of E2B's own templates: what every sandbox here has.
local PLAIN = { base = true, ["code-interpreter-v1"] = true, ["code-interpreter-stateful"] = true }

local function wrong(message)
  return nil, errors.new("invalid_argument", message)
end

--- Whether it is a name of what every sandbox here has.
---@param name string
---@return boolean
function naming.is_plain(name)
  return PLAIN[name] == true
end

--- The id of a template: always the same for a name.
---@param name string without a tag
---@return string
function naming.id(name)
  if PLAIN[name] then
    return name
  end
  return core.digest("sha256"):update("template " .. name):finish():sub(1, ID)
end

--- The two parts of a name.
---@param value any
---@return string? name
---@return string|codecell.Error|nil tag nil: it has none; after nil the error
function naming.split(value)
  local name, colon, tag = (shape.text(value) or ""):match("^(%w[%w._/-]*)(:?)([%w._-]*)$")
  if not name or name:find("..", 1, true) or colon == ":" and not tag:find("^%w") then
    return wrong("the name of a template was expected: name or name:tag, of letters, digits, "
      .. "\".\", \"_\" and \"-\"")
  end
  return name, colon == ":" and tag or nil
end

--- What the store calls a build.
---@param name string
---@param tag string?
---@return string
function naming.stored(name, tag)
  return (tag == nil or tag == naming.TAG) and name or name .. ":" .. tag
end

--- The names of all that were built here, without their tags.
---@return table<string, string[]>? tags of each
---@return codecell.Error? err
function naming.all()
  local names, err = store.names("template")
  if not names then
    return nil, err
  end
  local all = {}
  for _, stored in ipairs(names) do
    local name, tag = naming.split(stored)
    if name then
      all[name] = all[name] or {}
      table.insert(all[name], tag or naming.TAG)
    end
  end
  return all
end

-- A name that has this id.
local function by_id(id)
  if #id == ID and id:find("^%x+$") then
    for name in pairs(naming.all() or {}) do
      if naming.id(name) == id then
        return name
      end
    end
  end
end

--- Whether a template is for whoever asks.
---@param found codecell.GatewayTemplate
---@param owner string?
---@return boolean
function naming.may_see(found, owner)
  local about = found.about
  return not about or about.owner == nil or about.owner == owner or about.public == true
end

--- Whether whoever asks may build it anew, change or remove it: what the operator has built on this
--- machine is nobody's here.
---@param about table? as the store has it
---@param owner string?
---@return boolean
function naming.may_change(about, owner)
  return about ~= nil and about.kind == "template" and about.build ~= nil and about.owner == owner
end

---@class codecell.GatewayTemplate
---@field id string
---@field name string without its tag
---@field stored string? what the store calls it; nil: what every sandbox here has
---@field about table? as the store has it; nil: it comes with the library, or is plain

--- The template that is meant.
---@param value any its name, "name:tag", id, or the id of a snapshot
---@return codecell.GatewayTemplate? found
---@return codecell.Error? err kinds "invalid_argument", "not_found"
function naming.find(value)
  local name, tag = naming.split(value)
  if not name then
    return nil, tag
  elseif PLAIN[name] and (tag == nil or tag == naming.TAG) then
    return { id = name, name = name }
  end
  name = not store.is_name(name) and name or by_id(name) or name
  local stored = naming.stored(name, tag)
  local about = store.is_name(stored) and store.read(stored)
  local is_included = not tag and require("codecell.template").included(name)
  if not about and not is_included then
    return nil, errors.new("not_found", ("template '%s' not found"):format(value))
  end
  local is_snapshot = about and about.kind == "snapshot"
  return { id = is_snapshot and name or naming.id(name), name = name, stored = stored,
    about = about or nil }
end

--- The template that is meant whatever tags it has.
---@param value any as of `naming.find`
---@return codecell.GatewayTemplate? found of its default tag, else of any
---@return codecell.Error? err
function naming.known(value)
  local found, err = naming.find(value)
  local name, tag = naming.split(value)
  if found or not name or tag then
    return found, err
  end
  name = by_id(name) or name
  local tags = (naming.all() or {})[name]
  if not tags then
    return nil, err
  end
  local stored = naming.stored(name, tags[1])
  return { id = naming.id(name), name = name, stored = stored, about = store.read(stored) }
end

return naming
