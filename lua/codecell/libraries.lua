--- C libraries of the machine, behind modules of ours: each is loaded by its first use.
local errors = require "codecell.errors"

local libraries = {}

--- Load one.
---@param name string of the module: "curl"
---@param feature string what cannot be done without: "HTTP"
---@param package string what is to be installed, in words
---@return lightuserdata? functions its table, for the engine
---@return codecell.Error? err kind "unsupported"
function libraries.load(name, feature, package)
  local ok, functions = pcall(require, "codecell." .. name)
  if ok then
    return functions
  end
  return nil, errors.unsupported(feature, "local",
    ("the module codecell.%s cannot be loaded: install %s"):format(name, package))
end

return libraries
