/* standard.c -- codecell.Standard: standard input and output of a program that
** speaks a protocol by them; for the command alone.
*/
#include "../host/standard.h"
#include "core.h"

#define STANDARD "codecell.Standard"
#define READ_MOST 65536u

/* program_standard(reactor): both streams are taken from now on. */
static int standard_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  struct cell_standard *standard =
    lcell_new_object(L, STANDARD, sizeof *standard);
  struct cell_error error = {0};

  *standard = (struct cell_standard)CELL_STANDARD_CLOSED;
  if (cell_standard_open(standard, reactor, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

static struct cell_standard *check_open(lua_State *L)
{
  struct cell_standard *standard = luaL_checkudata(L, 1, STANDARD);

  luaL_argcheck(L, standard->reactor != NULL, 1, "the streams are closed");
  return standard;
}

static int standard_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L)->token);
  return 1;
}

/* try_read(): what has come; false: nothing yet; nil: the end. */
static int standard_try_read(lua_State *L)
{
  struct cell_standard *standard = check_open(L);
  void *buffer = lua_newuserdata(L, READ_MOST);
  size_t count = cell_standard_read(standard, buffer, READ_MOST);

  if (count > 0)
    lua_pushlstring(L, buffer, count);
  else if (standard->has_ended)
    lua_pushnil(L);
  else
    lua_pushboolean(L, 0);
  return 1;
}

/* try_write(bytes, from): how far it went; nil: nobody reads any more. */
static int standard_try_write(lua_State *L)
{
  struct cell_standard *standard = check_open(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  uint64_t from = lcell_check_size(L, 3);

  luaL_argcheck(L, from <= length, 3, "behind the end");
  from += cell_standard_write(standard, bytes + from, length - (size_t)from);
  if (standard->is_broken)
    lua_pushnil(L);
  else
    lcell_push_size(L, from);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int standard_close(lua_State *L)
{
  cell_standard_close(luaL_checkudata(L, 1, STANDARD));
  return 0;
}

static const luaL_Reg methods[] = {
  {"_token", standard_token},
  {"close", standard_close},
  {"try_read", standard_try_read},
  {"try_write", standard_try_write},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", standard_close},
  {"__gc", standard_close},
  {NULL, NULL},
};

void lcell_open_standard(lua_State *L)
{
  lcell_new_type(L, STANDARD, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, standard_new);
  lua_setfield(L, -2, "program_standard");
}
