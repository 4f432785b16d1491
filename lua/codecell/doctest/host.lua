--- Lua of a document that uses codecell itself, run by this program. Nothing holds it: it can do
--- what the program can.
local wait = require "codecell.wait"

local host = {}

local load_in = rawget(_G, "setfenv") and function(code, name, environment)
  local chunk, problem = rawget(_G, "loadstring")(code, name)
  return chunk and rawget(_G, "setfenv")(chunk, environment), problem
end or function(code, name, environment)
  return load(code, name, "t", environment)
end

-- The globals that the code sees: what it prints is kept. Names that it sets are its document's.
local function environment_of(printed)
  local function write(self, ...)
    for i = 1, select("#", ...) do
      printed[#printed + 1] = tostring((select(i, ...)))
    end
    return self
  end
  local output = { write = write, flush = function() return true end,
    setvbuf = function() return true end }
  return setmetatable({
    print = function(...)
      local words = {}
      for i = 1, select("#", ...) do
        words[i] = tostring((select(i, ...)))
      end
      printed[#printed + 1] = table.concat(words, "\t") .. "\n"
    end,
    io = setmetatable({ stdout = output, write = function(...) return write(output, ...) end },
      { __index = io }),
    os = setmetatable({ exit = function(status)
      error("os.exit(" .. tostring(status) .. ") was called", 2)
    end }, { __index = os }),
  }, { __index = _G })
end

--- Run a piece of Lua.
---@param code string
---@param session table what the pieces of a document share
---@return codecell.Execution execution as far as a comparison needs it
function host.run(code, session)
  local printed = {}
  session.environment = session.environment or environment_of(printed)
  local environment = environment_of(printed)
  for name in pairs(environment) do
    session.environment[name] = environment[name]
  end
  local chunk, problem = load_in(code, "=document", session.environment)
  local ok = chunk ~= nil
  if chunk then
    ok, problem = wait.call(chunk)
  end
  local execution = { logs = { stdout = printed, stderr = {} }, results = {} }
  if not ok then
    execution.error = { name = "Error", value = tostring(problem), traceback = tostring(problem) }
  end
  return execution
end

return host
