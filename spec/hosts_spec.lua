-- Hosts of odd shapes: several Lua states and threads, large, not dumpable, forking.

local attack = require "spec.support.attack"

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Keeps a sandbox a state, uses it, and leaves it to lua_close.
local script = [[
  local codecell = require "codecell"
  sandbox = sandbox or codecell.assert(codecell.create({ timeout = 60 }))
  codecell.assert(sandbox:run_code("n = globals().get('n', 0) + 21"))
  local second = codecell.assert(codecell.create({ timeout = 60 }))
  local result = codecell.assert(second.commands:run({ "echo", "hello" })).stdout
  second:close()
  return sandbox:run_code("n * 2").text .. " " .. result:gsub("\n", "")
]]

describe("a host", function()
  local program

  setup(function()
    local version = _VERSION:match("%d%.%d")
    program = os.tmpname()
    local wanted = "pkg-config --cflags --libs lua"
    local flags = attack.host(wanted .. version .. " 2>/dev/null || "
      .. wanted .. "-" .. version .. " 2>/dev/null"):gsub("\n", " ")
    local said = attack.host("${CC:-cc} -o " .. program .. " spec/support/threads_host.c " .. flags
      .. " -lpthread -Wl,-E 2>&1")
    if said ~= "" then
      program = nil
    end
  end)

  teardown(function()
    if program then
      os.remove(program)
    end
  end)

  for mode, expected in pairs({
    threads = ("42 hello\n"):rep(40),
    moved = "42 hello\n84 hello\n",
    beside = "42 hello\n42 hello\n84 hello\n",
    large = "42 hello\n",
    sealed = "42 hello\n",
  }) do
    it("of the shape '" .. mode .. "' works and leaves nothing #S126 #S133", function()
      if not program then
        return pending("no compiler or no Lua library to build a host with")
      end
      local text = attack.host(program .. " " .. mode .. " " .. quoted(script) .. " 2>&1")
      assert.equal(expected, text)
    end)
  end

  -- Run a script that has functions of C to fork, called from Lua: what it has written.
  local function run_forking(body)
    local library = os.tmpname()
    local source = library .. ".c"
    local file = assert(io.open(source, "w"))
    file:write([[
#include <lua.h>
#include <sys/wait.h>
#include <unistd.h>
static int l_fork(lua_State *L) { lua_pushinteger(L, fork()); return 1; }
static int l_wait(lua_State *L) { int s; waitpid(-1, &s, 0); lua_pushinteger(L, s); return 1; }
static int l_exit(lua_State *L) { _exit((int)lua_tointeger(L, 1)); return 0; }
int luaopen_forker(lua_State *L)
{
  lua_newtable(L);
  lua_pushcfunction(L, l_fork); lua_setfield(L, -2, "fork");
  lua_pushcfunction(L, l_wait); lua_setfield(L, -2, "wait");
  lua_pushcfunction(L, l_exit); lua_setfield(L, -2, "exit");
  return 1;
}
]])
    file:close()
    local version = _VERSION:match("%d%.%d")
    attack.host("${CC:-cc} -shared -fPIC -o " .. library .. " " .. source
      .. " $(pkg-config --cflags lua" .. version .. " 2>/dev/null"
      .. " || pkg-config --cflags lua-" .. version .. ") 2>&1")
    local text = attack.host(attack.interpreter() .. " -e " .. quoted(([[
      local forker = assert(package.loadlib(%q, "luaopen_forker"))()
      local codecell = require "codecell"
      io.stdout:setvbuf("no")
    ]]):format(library) .. body) .. " 2>&1")
    os.remove(library)
    os.remove(source)
    return text
  end

  it("that forks keeps its sandboxes, and its copy gets none #S125", function()
    if not program then
      return pending("no compiler or no Lua library to build a host with")
    end
    -- The copy tries to use, then to collect.
    local text = run_forking([[
      local sandbox = codecell.assert(codecell.create({ timeout = 60 }))
      sandbox:run_code("x = 41")
      local cat = codecell.assert(sandbox.commands:run("cat", { background = true, stdin = true }))
      cat:write("for the original")
      if forker.fork() == 0 then
        local ok, value, err = pcall(function() return sandbox:run_code("x + 100") end)
        io.write((ok and value) and "used " or "refused ")
        value, err = cat:read(5)
        io.write(value and "read " or err.kind, " ", tostring(cat:kill()), " ")
        pcall(function() sandbox:close() end)
        sandbox = nil
        collectgarbage() collectgarbage()
        local own = codecell.create({ timeout = 60 })
        io.write(own and own:run_code("6 * 7").text or "none", "\n")
        if own then own:close() end
        forker.exit(0)
      end
      forker.wait()
      print(sandbox:run_code("x + 1").text, (cat:read(5)))
    ]])
    assert.equal("refused sandbox_gone false 42\n42\tfor the original\n", text)
  end)

  it("that forks keeps what its pool has ready, and its copy makes its own #S125 #D21", function()
    if not program then
      return pending("no compiler or no Lua library to build a host with")
    end
    local text = run_forking([[
      local pool = codecell.assert(codecell.pool({ size = 1, languages = { "bash" } }))
      codecell.assert(pool:wait(30))
      if forker.fork() == 0 then
        codecell.assert(pool:wait(30))
        local own = codecell.assert(codecell.create({ warm = true, timeout = 60 }))
        io.write(own:run_code("echo $((6 * 7))", { language = "bash" }).logs.stdout[1])
        own:close()
        pool:close()
        forker.exit(0)
      end
      forker.wait()
      local sandbox = codecell.assert(codecell.create({ warm = true }))
      io.write(sandbox:run_code("echo original", { language = "bash" }).logs.stdout[1])
      print(pool:stats().taken, pool:stats().died)
    ]])
    assert.equal("42\noriginal\n1\t0\n", text)
  end)

  it("has its own children, working directory, locale and umask untouched #S133", function()
    local text = attack.host(attack.interpreter() .. " -e " .. quoted([[
      local function look(what)
        local pipe = io.popen(what)
        local text = pipe:read("*a")
        pipe:close()
        return text
      end
      local state = "umask; pwd; env | sort | grep -v '^_='; grep Umask /proc/$PPID/status"
      local before = look(state)
      local codecell = require "codecell"
      local sandbox = codecell.assert(codecell.create())
      sandbox:run_code("print(1)")
      local pipe = io.popen("exit 7")
      local first, second, third = pipe:close()
      print(third or first)
      print(look(state) == before, os.setlocale())
      sandbox:close()
      local ok, how, code = os.execute("exit 5")
      print(code or ok)
    ]]) .. " 2>&1")
    local closed, same, code = text:match("^(%S+)\n(%S+)\tC\n(%S+)\n$")
    assert.equal("true", same, text)
    assert.is_true(closed == "7" or closed == "true", text) -- 5.1 tells no status of a pipe
    assert.is_true(code == "5" or code == "1280", text)
  end)
end)
