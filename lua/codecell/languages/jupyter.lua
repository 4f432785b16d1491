--- Jupyter kernels of this machine, as languages: what a sandbox sees of them.
---
--- A kernelspec is a folder with a kernel.json. It is looked for where the system has them, and in
--- the folders of interpreters that were chosen by setup or by a variable.
local core = require "codecell.core"
local interpreters = require "codecell.languages.interpreters"
local json = require "codecell.json"
local modules = require "codecell.languages.modules"
local reactor = require "codecell.reactor"

local jupyter = {}

local SIZE_MOST = 65536 -- bytes of a kernel.json
local SPECS_MOST = 1000 -- of one place
local NEWS = 1 -- seconds: kernels are not installed more often
local INSTALL = "install jupyter_client: apt-get install python3-jupyter-client, or choose a "
  .. "virtual environment that has it (CODECELL_PYTHON)"
-- What a kernel is called, where that is not its language.
local LANGUAGE_OF = { ir = "r" }

---@class codecell.Kernelspec
---@field name string of its folder, in small letters
---@field display_name string
---@field language string as the kernelspec has it, in small letters
---@field folder string
---@field argv string[]

local found, found_at -- kernelspecs by name, and when they were looked for
local bridge, why_not -- the Python that has jupyter_client, or why there is none

local function read_text(path)
  local file = io.open(path, "rb")
  local text = file and file:read(SIZE_MOST + 1)
  if file then
    file:close()
  end
  return text and #text <= SIZE_MOST and text or nil
end

local function is_text(value)
  return type(value) == "string" and value ~= "" and not value:find("[%z\1-\31\127]")
end

-- The kernelspec of a folder; nil for what nobody could start.
local function read_spec(folder, name)
  local text = read_text(folder .. "/kernel.json")
  local spec = text and json.decode(text)
  if type(spec) ~= "table" or type(spec.argv) ~= "table" or not is_text(spec.argv[1]) then
    return nil
  end
  for i = 1, #spec.argv do
    if type(spec.argv[i]) ~= "string" then
      return nil
    end
  end
  return {
    name = name:lower(),
    display_name = is_text(spec.display_name) and spec.display_name or name,
    language = is_text(spec.language) and spec.language:lower() or "",
    folder = folder,
    argv = spec.argv,
  }
end

-- Folders that a sandbox sees, the chosen ones first.
local function prefixes()
  local list = require("codecell.languages").prefixes()
  list[#list + 1] = "/usr/local"
  list[#list + 1] = "/usr"
  return list
end

local function look()
  local specs = {}
  for _, prefix in ipairs(prefixes()) do
    local place = prefix .. "/share/jupyter/kernels"
    for i, name in ipairs(modules.names_in(place)) do
      local lower = name:lower()
      if i <= SPECS_MOST and not specs[lower] and lower:match("^[%w._-]+$") then
        specs[lower] = read_spec(place .. "/" .. name, name)
      end
    end
  end
  return specs
end

local function find_bridge()
  for _, prefix in ipairs(prefixes()) do
    local program = prefix .. "/bin/python3"
    if interpreters.exists(program) and modules.has(prefix, "jupyter_client") then
      return program
    end
  end
  local program = require("codecell.languages").program("python")
  return nil, program and ("%s cannot import jupyter_client"):format(program)
    or "there is no Python to speak to Jupyter kernels with"
end

local function refresh()
  local clock = reactor.get()
  local now = clock and clock:now()
  if not found or not now or now - found_at > NEWS then
    found, found_at = look(), now or -NEWS
    bridge, why_not = find_bridge()
  end
end

local function by_language(name)
  local best
  for _, spec in pairs(found) do
    if spec.language == name and (not best or spec.name > best.name) then
      best = spec
    end
  end
  return best
end

--- Look again at the next question, whenever the last time was.
function jupyter.forget()
  found = nil
end

--- All kernels of this machine.
---@return codecell.Kernelspec[] specs
function jupyter.list()
  refresh()
  local list = {}
  for _, spec in pairs(found) do
    list[#list + 1] = spec
  end
  table.sort(list, function(left, right)
    return left.name < right.name
  end)
  return list
end

--- The kernel of a name or a language, as a session language.
---@param name string of the kernelspec, or of its language, in small letters. "jupyter-" before it
---is for those that a language of codecell's own has the name of
---@return table? way `name`, `program`, `arguments`
---@return string? reason why there is none; nil: no kernel has this name
---@return string? hint
function jupyter.find(name)
  refresh()
  name = name:gsub("^jupyter%-", "")
  local spec = found[name] or by_language(LANGUAGE_OF[name] or name)
  if not spec then
    return nil
  elseif not bridge then
    return nil, ("its Jupyter kernel %q is here, but %s; %s"):format(spec.name, why_not, INSTALL),
      INSTALL
  end
  return {
    name = spec.name,
    program = bridge,
    arguments = function(program)
      return { program, "-I", "-c", core.kernel("jupyter_kernel.py")
        .. core.kernel("jupyter_cell.py") .. core.kernel("jupyter.py"), spec.folder }
    end,
  }
end

return jupyter
