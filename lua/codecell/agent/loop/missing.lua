--- A module that is missing: installed, and the code run once more, where nothing can have happened
--- yet and where it is known which package it is.
local known = require "codecell.packages.known"
local repair = require "codecell.agent.repair"

local missing = {}

-- Whether a line does nothing but import, or is none.
local IMPORTS = {
  pip = function(line)
    return line:find("^import%s+[%w_.,%s]+$") or line:find("^from%s+[%w_.]+%s+import%s+[%w_*,%s]+$")
  end,
  npm = function(line)
    return line:find("^const%s+[%w_${},:%s]+=%s*require%(%s*['\"][^'\"]+['\"]%s*%)%s*;?$")
      or line:find("^import%s+[%w_${},*%s]+%sfrom%s+['\"][^'\"]+['\"]%s*;?$")
  end,
}
local COMMENTS = { pip = "^#", npm = "^//" }

local function escaped(text)
  return (text:gsub("%p", "%%%0"))
end

-- Whether it is this line itself that wants the module, and not what it imports.
local function names_module(line, module)
  return (" " .. line .. " "):find("[%s'\",]" .. escaped(module) .. "[%s'\",./)]") ~= nil
end

-- The line that failed, if all before it only imports: of other code nobody knows what it did.
local function failed_import(code, number, manager)
  local count = 0
  for line in (code .. "\n"):gmatch("([^\n]*)\n") do
    count = count + 1
    local is_import = IMPORTS[manager](line:gsub("%s+$", ""))
    if count == number then
      return is_import and line or nil
    elseif not is_import and line:find("%S") and not line:find(COMMENTS[manager]) then
      return nil
    end
  end
end

-- Of JavaScript: node tells no line of an import that it could not resolve.
local function line_of(code, module, manager, number)
  if number or manager == "pip" then
    return number
  end
  local count = 0
  for line in (code .. "\n"):gmatch("([^\n]*)\n") do
    count = count + 1
    if IMPORTS.npm(line:gsub("%s+$", "")) and names_module(line, module) then
      return count
    end
  end
end

--- The package to install, if that is all that is the matter: an import at the top of the first
--- cell, before anything else was done.
---@param execution codecell.Execution
---@param code string
---@return string? package
---@return string? module
function missing.package(execution, code)
  local module, manager = repair.missing_module(execution)
  if not module or execution.execution_count ~= 1 or #execution.files_changed > 0
    or #execution.results > 0 or execution.logs.stdout[1] or execution.logs.stderr[1] then
    return nil
  end
  local line = failed_import(code, line_of(code, module, manager, execution.error.line), manager)
  if line and names_module(line, module) then
    return known.package_of(manager, module), module
  end
end

return missing
