--- codecell.Context: a session of one language, with variables of its own.
local core = require "codecell.core"
local errors = require "codecell.errors"
local kernel = require "codecell.kernel"
local languages = require "codecell.languages"

local context = {}

---@class codecell.Context
---@field id string UUID
---@field language string
---@field cwd string
local Context = {}
Context.__index = Context

--- A context with a copy of the variables, in the same sandbox.
---@return nil
---@return codecell.Error err kind "unsupported"
function Context:fork()
  return nil, errors.unsupported("context:fork", "local",
    ("create a new context and run the code of %s again"):format(self.id))
end

local function uuid()
  local function bits(digits)
    return ("%0" .. digits .. "x"):format(core.random() % 16 ^ digits)
  end
  return ("%s%s-%s-4%s-%x%s-%s%s"):format(bits(4), bits(4), bits(4), bits(3),
    8 + core.random() % 4, bits(3), bits(6), bits(6))
end

--- Add a context to a sandbox. Its process starts with its first cell.
---@param sandbox codecell.Sandbox
---@param language string
---@param cwd string
---@return codecell.Context? context
---@return codecell.Error? err kind "invalid_argument"
function context.create(sandbox, language, cwd)
  local definition, err = languages.find(language)
  if not definition then
    return nil, err
  end
  local self = setmetatable({ id = uuid(), language = definition.name, cwd = cwd }, Context)
  local contexts = sandbox._contexts
  contexts.order[#contexts.order + 1] = self
  contexts.kernels[self.id] = kernel.new(sandbox._owner, self)
  return self
end

--- The context of a language that code without one runs in.
---@param sandbox codecell.Sandbox
---@param language string
---@return codecell.Context? context
---@return codecell.Error? err kind "invalid_argument"
function context.default(sandbox, language)
  local defaults = sandbox._contexts.defaults
  local found = defaults[language]
  if found then
    return found
  end
  local definition, err = languages.find(language)
  if not definition then
    return nil, err
  end
  found = defaults[definition.name]
  if not found then
    found, err = context.create(sandbox, language, sandbox._cwd)
    if not found then
      return nil, err
    end
  end
  defaults[definition.name], defaults[language] = found, found -- by its alias too
  return found
end

--- The kernel of a context that was made by this sandbox.
---@param sandbox codecell.Sandbox
---@param verb string
---@param wanted codecell.Context|string the object or its id
---@return codecell.Kernel? kernel
---@return codecell.Error? err kind "not_found"
function context.kernel(sandbox, verb, wanted)
  local id = type(wanted) == "table" and wanted.id or wanted
  local found = sandbox._contexts.kernels[id]
  if not found then
    return nil, errors.new("not_found",
      ("%s: the sandbox has no context %s"):format(verb, tostring(id)))
  end
  return found
end

--- All contexts, oldest first.
---@param sandbox codecell.Sandbox
---@return codecell.Context[]
function context.list(sandbox)
  local list = {}
  for i, one in ipairs(sandbox._contexts.order) do
    list[i] = one
  end
  return list
end

--- Forget a context and end its process.
---@param sandbox codecell.Sandbox
---@param found codecell.Kernel
function context.remove(sandbox, found)
  local contexts = sandbox._contexts
  found:stop()
  contexts.kernels[found.context.id] = nil
  for i = #contexts.order, 1, -1 do
    if contexts.order[i] == found.context then
      table.remove(contexts.order, i)
    end
  end
  for language, one in pairs(contexts.defaults) do
    if one == found.context then
      contexts.defaults[language] = nil
    end
  end
end

return context
