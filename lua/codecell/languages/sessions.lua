--- The languages that keep a session, and how the kernel of each is started.
local core = require "codecell.core"
local interpreters = require "codecell.languages.interpreters"

local function node(name)
  return function(program)
    return { program, "--no-force-async-hooks-checks", "--input-type=commonjs", "-e",
      core.kernel("javascript.boot"), name }
  end
end

-- V8's own words; and, of node 18, that its memory was not made writable.
local OUT_OF_MEMORY = { "out of memory", "Check failed: reservation_.SetPermissions(" }

-- Where javascript_types.js looks, on this machine.
local STRIPPERS = { "/usr/bin/esbuild", "/usr/local/bin/esbuild" }
for _, folder in ipairs({ "/usr/local/lib/node_modules", "/usr/lib/node_modules",
  "/usr/share/nodejs" }) do
  STRIPPERS[#STRIPPERS + 1] = folder .. "/esbuild/package.json"
  STRIPPERS[#STRIPPERS + 1] = folder .. "/typescript/package.json"
end

-- Debian's node comes without its headers, but as a library whose name tells its version: these
-- are of nodes before 22.
local OLD_LIBRARIES = { "72", "93", "108", "109", "115" }

local function is_old_library(program)
  for _, version in ipairs(program:find("^/usr/bin/") and OLD_LIBRARIES or {}) do
    if interpreters.exists("/usr/lib/x86_64-linux-gnu/libnode.so." .. version) then
      return true
    end
  end
  return false
end

-- Whether types can be taken away. Where the version of node is not known, the kernel will say.
local function strips_types(program)
  for _, path in ipairs(STRIPPERS) do
    if interpreters.exists(path) then
      return true
    end
  end
  local prefix = program:gsub("/bin/[^/]*$", "")
  local file = io.open(prefix .. "/include/node/node_version.h", "rb")
  local text = file and file:read(4096) or ""
  if file then
    file:close()
  end
  local major = tonumber(text:match("NODE_MAJOR_VERSION (%d+)"))
  local minor = tonumber(text:match("NODE_MINOR_VERSION (%d+)"))
  local is_known = major and minor
  if is_known and (major > 22 or major == 22 and minor >= 13)
    or not is_known and not is_old_library(program) then
    return true
  end
  local hint = "install esbuild: apt-get install esbuild; or node 22.13 or later"
  local version = is_known and ("is node %d.%d"):format(major, minor) or "is older than node 22"
  return nil, ("%s %s, which takes no types away; %s"):format(program, version, hint), hint
end

-- Bash cannot hold a NUL: its scripts lose them too. It takes a carriage return for a letter, which
-- those that end each line are not meant as.
local function plain_script(code)
  code = code:gsub("%z", "")
  if code:find("\r\n", 1, true) and not code:find("[^\r]\n") and not code:find("^\n") then
    code = code:gsub("\r\n", "\n")
  end
  return code
end

return {
  {
    name = "python",
    final_answer = true,
    aliases = { "py", "python3" },
    extensions = { "py" },
    programs = { "python3" },
    variable = "CODECELL_PYTHON",
    hint = "install Python: apt-get install python3; or name one with CODECELL_PYTHON",
    parts = "python",
    arguments = function(program)
      return { program, "-I", "-S", "-c", core.kernel("python.boot") }
    end,
  },
  {
    name = "lua",
    final_answer = true,
    aliases = { "luajit" },
    extensions = { "lua" },
    programs = { "lua5.4", "lua", "lua5.3", "lua5.2", "lua5.1", "luajit" },
    variable = "CODECELL_LUA_PROGRAM",
    hint = "install Lua: apt-get install lua5.4; or name one with CODECELL_LUA_PROGRAM",
    arguments = function(program)
      local argv = { program }
      for i, name in ipairs({ "lua_text.lua", "lua_display.lua", "lua_shell.lua", "lua.lua" }) do
        argv[i + 1] = "-e" .. core.kernel(name)
      end
      -- Each serves until an interrupt; then the next one goes on.
      for i = #argv + 1, #argv + 500 do
        argv[i] = "-e" .. core.kernel("lua.boot")
      end
      return argv
    end,
  },
  {
    name = "javascript",
    final_answer = true,
    aliases = { "js", "node" },
    extensions = { "js", "mjs", "cjs" },
    programs = { "node", "nodejs" },
    variable = "CODECELL_NODE",
    hint = "install node 18 or later: apt-get install nodejs; or name one with CODECELL_NODE",
    parts = "javascript",
    out_of_memory = OUT_OF_MEMORY,
    arguments = node("javascript"),
  },
  {
    name = "typescript",
    final_answer = true,
    aliases = { "ts" },
    extensions = { "ts", "mts", "cts" },
    programs = { "node", "nodejs" },
    variable = "CODECELL_NODE",
    hint = "install node and esbuild: apt-get install nodejs esbuild; node 22.13 needs no esbuild",
    check = strips_types,
    parts = "javascript",
    out_of_memory = OUT_OF_MEMORY,
    arguments = node("typescript"),
  },
  {
    name = "bash",
    aliases = { "sh", "shell" },
    extensions = { "sh", "bash" },
    programs = { "bash" },
    variable = "CODECELL_BASH",
    hint = "install bash 4.4 or later: apt-get install bash; or name one with CODECELL_BASH",
    prepare = plain_script,
    out_of_memory = { "alloc: cannot allocate " },
    arguments = function(program)
      return { program, "-c", core.kernel("bash.sh") .. core.kernel("bash_cell.sh"), "bash" }
    end,
  },
}
