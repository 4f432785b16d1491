--- codecell.Context: a session of one language, with variables of its own.
local core = require "codecell.core"
local errors = require "codecell.errors"
local kernel = require "codecell.context.kernel"
local languages = require "codecell.languages"
local program = require "codecell.context.program"

local context = {}

-- As in E2B, these are there from the start; none has a process before its first cell.
local FIRST = { "python", "javascript" }
-- What runs the cells of a context, by the sort of its language. Loaded with this file: a library
-- that is loaded again, as editors do with plugins, must not give its parts to the one before.
local RUNNERS = { session = kernel, jupyter = kernel, once = program }

---@class codecell.Context
---@field id string UUID
---@field language string
---@field cwd string
local Context = {}
Context.__index = Context

-- Whose they are; neither keeps the other.
local owners = setmetatable({}, { __mode = "kv" })

--- A context with a copy of the variables, in the same sandbox; only of Python. Waits until no code
--- runs in this one. Shared are open files, with their positions; not copied are threads (with some
--- there is no copy), child processes, and tasks of asyncio.
---@return codecell.Context? context
---@return codecell.Error? err kinds "unsupported" (the language, or what runs in it), "not_found"
---(it was removed), "cancelled", "timeout", "sandbox_gone"
function Context:fork()
  local sandbox = owners[self]
  if not sandbox or sandbox:_closed() then
    error("fork: sandbox is closed", 2)
  end
  return require("codecell.context.branch").fork(sandbox, self)
end

local function uuid()
  local function bits(digits)
    return ("%0" .. digits .. "x"):format(core.random() % 16 ^ digits)
  end
  return ("%s%s-%s-4%s-%x%s-%s%s"):format(bits(4), bits(4), bits(4), bits(3),
    8 + core.random() % 4, bits(3), bits(6), bits(6))
end

local function add(sandbox, name, sort, cwd)
  local self = setmetatable({ id = uuid(), language = name, cwd = cwd }, Context)
  local contexts = sandbox._contexts
  contexts.order[#contexts.order + 1] = self
  owners[self] = sandbox._owner
  contexts.kernels[self.id] = RUNNERS[sort].new(sandbox._owner, self)
  return self
end

-- The contexts of a sandbox, made when they are first asked for.
local function contexts_of(sandbox)
  local contexts = sandbox._contexts
  if not contexts.order then
    contexts.order = {}
    for _, name in ipairs(FIRST) do
      contexts.defaults[name] = add(sandbox, name, "session", sandbox._cwd)
    end
  end
  return contexts
end

--- Add a context to a sandbox. Its process starts with its first cell.
---@param sandbox codecell.Sandbox
---@param language string
---@param cwd string
---@return codecell.Context? context
---@return codecell.Error? err kinds "invalid_argument", and "unsupported" where it is not there
function context.create(sandbox, language, cwd)
  local way, err = languages.way(language, true, sandbox._root)
  if not way then
    return nil, err
  end
  contexts_of(sandbox)
  return add(sandbox, way.name, way.sort, cwd)
end

--- The context of a language that code without one runs in.
---@param sandbox codecell.Sandbox
---@param language string
---@return codecell.Context? context
---@return codecell.Error? err kinds "invalid_argument", "unsupported", and "not_found" if it was
---removed
function context.default(sandbox, language)
  local contexts = contexts_of(sandbox)
  local defaults = contexts.defaults
  local found = defaults[language]
  if not found then
    local definition, err = languages.find(language)
    if not definition then
      return nil, err
    end
    found = defaults[definition.name]
    if not found then
      found, err = context.create(sandbox, definition.name, sandbox._cwd)
    end
    if not found then
      return nil, err
    end
    defaults[definition.name] = found
  end
  if not contexts.kernels[found.id] then
    return nil, errors.new("not_found", ("the default context of %s was removed; make one with "
      .. "create_code_context, and give it as `context`"):format(found.language))
  end
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
  local found = contexts_of(sandbox).kernels[id]
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
  for i, one in ipairs(contexts_of(sandbox).order) do
    list[i] = one
  end
  return list
end

--- Forget the variables of a context, and the folder that it was made for: what it runs next starts
--- in that of the sandbox. It keeps its id and its place in the list.
---@param sandbox codecell.Sandbox
---@param found codecell.Kernel
---@return true
function context.restart(sandbox, found)
  found:stop()
  found.cwd, found.lost = sandbox._cwd, nil
  return true
end

--- Forget a context and end its process.
---@param sandbox codecell.Sandbox
---@param found codecell.Kernel
---@return true
function context.remove(sandbox, found)
  local contexts = sandbox._contexts
  found:stop()
  found.is_removed = true -- those who wait for their turn are given up
  contexts.kernels[found.context.id] = nil
  for i = #contexts.order, 1, -1 do
    if contexts.order[i] == found.context then
      table.remove(contexts.order, i)
    end
  end
  return true
end

return context
