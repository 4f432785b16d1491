--- Lua, by the compiler of its interpreter.
local report = require "codecell.analyze.report"
local scan = require "codecell.analyze.scan"

local lua_code = {}

-- Reads code from standard input; its arguments are modules to look for. Compiles, runs nothing.
local PROGRAM = [==[
local code = io.read("*a") or ""
local compile = loadstring or function(text, name) return load(text, name, "t") end
local chunk, problem = compile(code, "=cell")
if not chunk and not compile("return " .. code, "=cell") then
  io.write("error ", (problem:gsub("\n", " ")), "\n")
end
for _, name in ipairs(arg) do
  local there = package.loaded[name] ~= nil or package.preload[name] ~= nil
  local path = name:gsub("%.", "/"):gsub("%%", "%%%%")
  for place in (package.path .. ";" .. package.cpath):gmatch("[^;]+") do
    local file = not there and io.open((place:gsub("%?", path)), "rb")
    if file then
      file:close()
      there = true
    end
  end
  io.write(there and "there\n" or "missing\n")
end
]==]

local ARGUMENTS_MOST = 200 -- modules that are looked for

--- Look at code.
---@param sandbox codecell.Sandbox
---@param code string
---@param _ string language
---@param way table of `languages.way`
---@return table? found
---@return codecell.Error? err
function lua_code.look(sandbox, code, _, way)
  local imports = scan.lua(code)
  local argv = { way.program, "-e", PROGRAM, "/dev/null" }
  for i = 1, math.min(#imports, ARGUMENTS_MOST) do
    argv[#argv + 1] = imports[i].name
  end
  local result, err = report.run(sandbox, argv, code)
  if not result then
    return nil, err
  elseif result.exit_code ~= 0 then
    return report.overwhelmed(result)
  end
  local found, number = { imports = imports, errors = {}, warnings = {} }, 0
  for line in result.stdout:gmatch("[^\n]+") do
    local at, message = line:match("^error cell:(%d+): (.*)$")
    if line:find("^error ") then
      found.errors[1] = report.note(message or line:sub(7), at)
      found.is_unfinished = line:find("near '?<eof>'?$") ~= nil
        or line:find("near <eof>", 1, true) ~= nil
    else
      number = number + 1
      if imports[number] then
        imports[number].is_missing = line == "missing"
      end
    end
  end
  return found
end

return lua_code
