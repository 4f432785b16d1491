rockspec_format = "3.0"
package = "codecell"
version = "scm-1"

source = {
  url = "git+file://.", -- `luarocks make` builds the tree that it is called in
}

description = {
  summary = "Run code that a language model wrote, isolated, from any Lua program",
  detailed = [[
A sandbox on this machine as a Lua value: started in about a millisecond, without root, a
daemon or a container, closed when it is collected. Python sessions that keep their
variables, shell commands, terminals and files; limits on everything; the code found in a
model's answer, and the results shown to the model or a person. Linux 5.10 and later.]],
  license = "MIT",
  labels = { "sandbox", "security", "ai", "linux" },
}

supported_platforms = { "linux" }

dependencies = {
  "lua >= 5.1, < 5.5",
}

external_dependencies = {
  CARES = { header = "ares.h" },
  CURL = { library = "curl" }, -- its headers are where the compiler looks, not where LuaRocks does
  MICROHTTPD = { library = "microhttpd" },
  ZLIB = { header = "zlib.h" },
}

-- The warden is compiled, embedded and then linked in: a build in steps, so make.
build = {
  type = "make",
  build_target = "all",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    CARES_INCDIR = "$(CARES_INCDIR)",
    CARES_LIBDIR = "$(CARES_LIBDIR)",
    CURL_LIBDIR = "$(CURL_LIBDIR)",
    MICROHTTPD_LIBDIR = "$(MICROHTTPD_LIBDIR)",
    ZLIB_LIBDIR = "$(ZLIB_LIBDIR)",
  },
  install_variables = {
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    INST_BINDIR = "$(BINDIR)",
    INST_LIBDIR = "$(LIBDIR)",
    INST_LUADIR = "$(LUADIR)",
    INST_MANDIR = "$(PREFIX)/man/man1",
    INST_DOCDIR = "$(PREFIX)/doc",
    ROCK = "yes", -- the command looks for its modules in the tree of LuaRocks
  },
}

test = {
  type = "command",
  command = "make test",
}
