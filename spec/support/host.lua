-- host.lua -- starts real hosts, each as a process of its own, and looks what they leave.

local attack = require "spec.support.attack"
local core = require "codecell.core"
local shell = require "spec.support.shell"

local host = {}

local LONG = 60 -- seconds that no end of a sandbox takes

local root = attack.host("pwd"):gsub("%s+$", "")

--- Variables before a command line, so that it finds this tree and the module built for that Lua.
--- nil and a reason where there is none.
function host.environment(version)
  local build = assert(os.getenv "CODECELL_BUILD" or package.cpath:match "([^;]*)/[%d.]+/%?%.so")
  local library = ("%s/%s/?.so"):format(build, version)
  if not shell.read((library:gsub("%?", "codecell/core"))) then
    return nil, "the module is not built for Lua " .. version
  end
  return ("LUA_PATH=%s LUA_CPATH=%s "):format(
    shell.quote(("%s/lua/?.lua;%s/lua/?/init.lua;%s/?.lua;;"):format(root, root, root)),
    shell.quote(library .. ";;"))
end

--- Whether the interpreter under test finds a module.
function host.has_module(name)
  return shell.run(("%s -e 'require \"%s\"'"):format(shell.lua, name)).status == 0
end

--- Run a Lua script in the interpreter under test.
function host.run(script)
  local path = os.tmpname()
  shell.write(path, script)
  local version = _VERSION:match "%d%.%d"
  local result = shell.run(assert(host.environment(version)) .. shell.lua .. " " .. path)
  os.remove(path)
  return result
end

--- Whether nothing is left of the sandboxes whose ids a host has printed as "id ID", after a while
--- for those that the host left open.
function host.leaves_nothing(text)
  local codecell = require "codecell"
  local deadline = codecell.reactor():now() + LONG
  for id in text:gmatch "id (%w+)" do
    while true do
      local found = false
      for _, one in ipairs(core.sandboxes("all")) do
        found = found or one.id == id
      end
      if not found then
        break
      elseif codecell.reactor():now() > deadline then
        return false
      end
      codecell.step(0.02)
    end
  end
  return text:find("id %w+") ~= nil
end

--- The Lua block of a section of docs/hosts.md, and what it says that it prints.
function host.snippet(section)
  local page = assert(shell.read "docs/hosts.md")
  local _, from = page:find("\n## " .. section .. "\n", 1, true)
  assert(from, "docs/hosts.md has no section " .. section)
  local code = assert(page:match("```lua\n(.-)```", from))
  local lines = {}
  for line in code:gmatch "%-%-> ([^\n]*)" do
    lines[#lines + 1] = line .. "\n"
  end
  return code, table.concat(lines)
end

return host
