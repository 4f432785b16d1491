/* core.c -- require "codecell.core": the engine's face in Lua.
**
** Private to lua/codecell: nothing here waits or has a default.
*/
#include "core.h"
#include "../bytes/utf8.h"
#include "../embedded.h"
#include "../random.h"
#include "../start/launch.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

#define WHOLE_MAX 9007199254740992.0 /* 2^53: exact in every Lua */

/* ---- helpers of the other files ---- */

static int object_index(lua_State *L)
{
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  if (!lua_isnil(L, -1) || !lua_isuserdata(L, 1))
    return 1;
  lcell_getuservalue(L, 1);
  if (!lua_istable(L, -1))
    return 0;
  lua_pushvalue(L, 2);
  lua_rawget(L, -2);
  return 1;
}

static int object_newindex(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TUSERDATA);
  lcell_getuservalue(L, 1);
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_pushvalue(L, 2);
  lua_pushvalue(L, 3);
  lua_rawset(L, -3);
  return 0;
}

static int object_tostring(lua_State *L)
{
  const char *name = lua_tostring(L, lua_upvalueindex(1));

  lua_pushfstring(L, "%s: %p", name, lua_topointer(L, 1));
  return 1;
}

void lcell_new_type(lua_State *L, const char *name, const luaL_Reg *methods,
                    const luaL_Reg *metamethods)
{
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  luaL_newmetatable(L, name);
  luaL_setfuncs(L, metamethods, 0);
  lua_pushvalue(L, -2);
  lua_pushcclosure(L, object_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, object_newindex);
  lua_setfield(L, -2, "__newindex");
  lua_pushstring(L, name);
  lua_pushcclosure(L, object_tostring, 1);
  lua_setfield(L, -2, "__tostring");
  lua_pushstring(L, name);
  lua_setfield(L, -2, "__name");
  lua_pushstring(L, name); /* nobody takes the finalizer off by accident */
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

void *lcell_new_object(lua_State *L, const char *name, size_t size)
{
  void *object = lua_newuserdata(L, size);

  memset(object, 0, size);
  lua_newtable(L);
  lcell_setuservalue(L, -2);
  luaL_setmetatable(L, name);
  return object;
}

void lcell_push_size(lua_State *L, uint64_t value)
{
  if (value <= (uint64_t)WHOLE_MAX)
    lua_pushinteger(L, (lua_Integer)value);
  else
    lua_pushnumber(L, (lua_Number)value);
}

uint64_t lcell_check_size(lua_State *L, int index)
{
  lua_Number number = luaL_checknumber(L, index);

  luaL_argcheck(L, number >= 0 && number <= WHOLE_MAX, index,
                "whole number expected");
  return (uint64_t)number;
}

int64_t lcell_check_ms(lua_State *L, int index)
{
  lua_Number milliseconds = luaL_checknumber(L, index) * 1000.0;

  if (!(milliseconds > 0))
    return 0;
  if (milliseconds >= (lua_Number)(INT64_MAX / 4))
    return INT64_MAX / 4;
  return (int64_t)ceil(milliseconds);
}

uint64_t lcell_size_field(lua_State *L, int index, const char *name,
                          uint64_t otherwise)
{
  uint64_t value = otherwise;

  lua_getfield(L, index, name);
  if (!lua_isnil(L, -1))
    value = lcell_check_size(L, -1);
  lua_pop(L, 1);
  return value;
}

/* ---- functions of the module ---- */

static int core_kernel(lua_State *L)
{
  const char *name = luaL_checkstring(L, 1);
  const struct cell_embedded_kernel *kernel;

  for (kernel = cell_embedded_kernels; kernel->name != NULL; kernel++)
    if (strcmp(kernel->name, name) == 0) {
      lua_pushlstring(L, (const char *)kernel->bytes, kernel->size);
      return 1;
    }
  return 0;
}

static int core_random(lua_State *L)
{
  struct cell_error error = {0};
  uint64_t number;

  if (cell_random_number(&number, &error) < 0)
    return lcell_fail(L, &error);
  lcell_push_size(L, number);
  return 1;
}

static int core_random_id(lua_State *L)
{
  uint64_t length = lcell_check_size(L, 1);
  struct cell_error error = {0};
  char id[65];

  luaL_argcheck(L, length < sizeof id, 1, "at most 64");
  if (cell_random_id(id, (size_t)length, &error) < 0)
    return lcell_fail(L, &error);
  lua_pushlstring(L, id, (size_t)length);
  return 1;
}

static int core_isatty(lua_State *L)
{
  lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
  return 1;
}

static int core_terminal_size(lua_State *L)
{
  struct winsize size;

  if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) < 0)
    return lcell_failed(L, CELL_UNSUPPORTED, errno, "terminal size");
  lua_pushinteger(L, size.ws_row);
  lua_pushinteger(L, size.ws_col);
  return 2;
}

/* launch_again(words): this interpreter once more, in the background. */
static int core_launch_again(lua_State *L)
{
  struct cell_error error = {0};
  const char **argv;
  size_t count;

  lua_settop(L, 1);
  argv = lcell_top_strings(L, 1, 64, &count);
  luaL_argcheck(L, count > 0, 1, "a word expected");
  return lcell_done(L, cell_launch_again((char **)argv, &error), &error);
}

static int core_getpid(lua_State *L)
{
  lua_pushinteger(L, getpid());
  return 1;
}

static int core_cpu_count(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)sysconf(_SC_NPROCESSORS_ONLN));
  return 1;
}

/* Seconds since 1970, with their fraction. */
static int core_time(lua_State *L)
{
  struct timespec now;

  clock_gettime(CLOCK_REALTIME, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

static int core_uid(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)geteuid());
  return 1;
}

/* repair(text): valid UTF-8, with U+FFFD for each byte that was not. */
static int core_repair(lua_State *L)
{
  size_t length, size;
  const char *text = luaL_checklstring(L, 1, &length);
  unsigned char *repaired;

  size = cell_utf8_repair((const unsigned char *)text, length, NULL);
  if (size == length) { /* a byte that is replaced makes it longer */
    lua_settop(L, 1);
    return 1;
  }
  repaired = lua_newuserdata(L, size);
  cell_utf8_repair((const unsigned char *)text, length, repaired);
  lua_pushlstring(L, (const char *)repaired, size);
  return 1;
}

/* plain(text, at): what stands from there to the next quote, and the place of
** that quote; nil where JSON has anything but printable ASCII in between.
*/
static int core_plain(lua_State *L)
{
  size_t length, i;
  const char *text = luaL_checklstring(L, 1, &length);
  size_t start = (size_t)luaL_checkinteger(L, 2) - 1;

  for (i = start; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (byte == '"') {
      lua_pushlstring(L, text + start, i - start);
      lua_pushinteger(L, (lua_Integer)i + 1);
      return 2;
    }
    if (byte < 0x20 || byte >= 0x7f || byte == '\\')
      return 0;
  }
  return 0;
}

/* working_folder(): its path; a shell's PWD may be that of another program. */
static int core_working_folder(lua_State *L)
{
  char path[PATH_MAX];

  if (getcwd(path, sizeof path) == NULL)
    return lcell_failed(L, cell_kind_of(errno), errno, "working folder");
  lua_pushstring(L, path);
  return 1;
}

/* environment(): the variables of this program as they are now, by name. */
static int core_environment(lua_State *L)
{
  char **variable;

  lua_newtable(L);
  for (variable = environ; variable != NULL && *variable != NULL; variable++) {
    const char *equals = strchr(*variable, '=');
    if (equals == NULL)
      continue;
    lua_pushlstring(L, *variable, (size_t)(equals - *variable));
    lua_pushstring(L, equals + 1);
    lua_rawset(L, -3);
  }
  return 1;
}

static const luaL_Reg functions[] = {
  {"cpu_count", core_cpu_count},
  {"environment", core_environment},
  {"getpid", core_getpid},
  {"isatty", core_isatty},
  {"kernel", core_kernel},
  {"launch_again", core_launch_again},
  {"plain", core_plain},
  {"random", core_random},
  {"random_id", core_random_id},
  {"repair", core_repair},
  {"terminal_size", core_terminal_size},
  {"time", core_time},
  {"uid", core_uid},
  {"working_folder", core_working_folder},
  {NULL, NULL},
};

#define CORE "codecell.core" /* in the registry */

EXPORT int luaopen_codecell_core(lua_State *L);

/* The same table each time: a library that is loaded again in a Lua state, as
** editors do with plugins, adds its verbs to the types that are there.
*/
int luaopen_codecell_core(lua_State *L)
{
  lua_getfield(L, LUA_REGISTRYINDEX, CORE);
  if (lua_istable(L, -1))
    return 1;
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, CORE);
  luaL_setfuncs(L, functions, 0);
  lcell_open_error(L);
  lcell_open_reactor(L);
  lcell_open_stem(L);
  lcell_open_sandbox(L);
  lcell_open_answer(L);
  lcell_open_process(L);
  lcell_open_watcher(L);
  lcell_open_descriptor(L);
  lcell_open_mounts(L);
  lcell_open_project(L);
  lcell_open_journal(L);
  lcell_open_store(L);
  lcell_open_base64(L);
  lcell_open_tar(L);
  lcell_open_digest(L);
  lcell_open_census(L);
  lcell_open_bell(L);
  lcell_open_policy(L);
  lcell_open_client(L);
  lcell_open_server(L);
  lcell_open_mask(L);
  lcell_open_datagram(L);
  lcell_open_program(L);
  lcell_open_reader(L);
  lcell_open_terminal(L);
  lcell_open_writer(L);
  return 1;
}
