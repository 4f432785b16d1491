--- What the code of a sandbox calls exposed functions with: a module for each language that has one
--- here, and a command. They lie in a folder of the sandbox, which variables lead to.
local core = require "codecell.core"
local sorted = require "codecell.sorted"

local inside = {}

local FOLDER = "/tmp/.codecell/host"

-- What is put before the value that a variable has, and what stands for that where it has none.
local PATHS = {
  { "PATH", FOLDER .. "/bin:" },
  { "PYTHONPATH", FOLDER .. "/python:", "" },
  { "NODE_PATH", FOLDER .. "/node_modules:", "" },
  { "LUA_PATH", FOLDER .. "/lua/?.lua;", ";" },
}

-- Statements that say to readers of its source which names it has.
local function javascript(names)
  local lines = { core.kernel("host.js") }
  for _, name in ipairs(names) do
    lines[#lines + 1] = ("exports.%s = namespace('%s');\n"):format(name, name)
  end
  return table.concat(lines)
end

local function write(sandbox, path, text, mode)
  local entry, err = sandbox._backend.ask(sandbox, "expose", "write", FOLDER .. "/" .. path, text,
    mode or 0, false)
  return entry and true, err
end

--- Let the code know of what is exposed now.
---@param sandbox codecell.Sandbox
---@param exposed table
---@return true? done
---@return codecell.Error? err
function inside.tell(sandbox, exposed)
  local names = sorted(exposed.names)
  local ok, err = write(sandbox, "node_modules/host/index.js", javascript(names))
  if not ok or exposed.is_told then
    return ok, err
  end
  for path, source in pairs({ ["python/host.py"] = "host.py", ["lua/host.lua"] = "host.lua" }) do
    ok, err = write(sandbox, path, core.kernel(source))
    if not ok then
      return nil, err
    end
  end
  ok, err = write(sandbox, "bin/host", core.kernel("host.sh"), 493) -- 0755
  if not ok then
    return nil, err
  end
  local environment = sandbox._environment
  local added = { CODECELL_HOST = FOLDER,
    CODECELL_HOST_URL = ("http://127.0.0.1:%d"):format(exposed.port) }
  for _, row in ipairs(PATHS) do
    local name, before, default = row[1], row[2], row[3]
    local value = environment:get(name) or default
    if value:sub(1, #before) ~= before then
      added[name] = before .. value
    end
  end
  environment:add(added)
  exposed.is_told = true
  return true
end

return inside
