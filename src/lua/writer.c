/* writer.c -- codecell.Writer: the standard output of a program that speaks a
** protocol by it; for the command alone.
*/
#include "../host/writer.h"
#include "core.h"

#define WRITER "codecell.Writer"

/* writer(reactor): descriptor 1 is taken from now on. */
static int writer_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  struct cell_writer *writer = lcell_new_object(L, WRITER, sizeof *writer);
  struct cell_error error = {0};

  *writer = (struct cell_writer)CELL_WRITER_CLOSED;
  if (cell_writer_open(writer, reactor, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

static struct cell_writer *check_open(lua_State *L)
{
  struct cell_writer *writer = luaL_checkudata(L, 1, WRITER);

  luaL_argcheck(L, writer->reactor != NULL, 1, "the output is closed");
  return writer;
}

static int writer_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L)->token);
  return 1;
}

/* try_write(bytes, from): how far it went; nil: nobody reads any more. */
static int writer_try_write(lua_State *L)
{
  struct cell_writer *writer = check_open(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  uint64_t from = lcell_check_size(L, 3);

  luaL_argcheck(L, from <= length, 3, "behind the end");
  from += cell_writer_write(writer, bytes + from, length - (size_t)from);
  if (writer->is_broken)
    lua_pushnil(L);
  else
    lcell_push_size(L, from);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int writer_close(lua_State *L)
{
  cell_writer_close(luaL_checkudata(L, 1, WRITER));
  return 0;
}

static const luaL_Reg methods[] = {
  {"_token", writer_token},
  {"close", writer_close},
  {"try_write", writer_try_write},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", writer_close},
  {"__gc", writer_close},
  {NULL, NULL},
};

void lcell_open_writer(lua_State *L)
{
  lcell_new_type(L, WRITER, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, writer_new);
  lua_setfield(L, -2, "writer");
}
