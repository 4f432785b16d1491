/* reader.c -- codecell.Reader: what a program is given to read, such as its
** standard input; for the command alone.
*/
#include "../host/reader.h"
#include "core.h"

#define READER "codecell.Reader"
#define READ_MAX 65536

static struct cell_reader *check_reader(lua_State *L)
{
  struct cell_reader *reader = luaL_checkudata(L, 1, READER);

  luaL_argcheck(L, reader->reactor != NULL, 1, "reader is closed");
  return reader;
}

/* reader(reactor, descriptor) */
static int reader_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  int fd = (int)luaL_checkinteger(L, 2);
  struct cell_reader *reader = lcell_new_object(L, READER, sizeof *reader);
  struct cell_error error = {0};

  *reader = (struct cell_reader)CELL_READER_CLOSED;
  if (cell_reader_open(reader, reactor, fd, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

/* try_read(): what has come, at most 64 KiB; false: nothing yet; nil at the
** end; nil, err.
*/
static int reader_try_read(lua_State *L)
{
  struct cell_reader *reader = check_reader(L);
  char *bytes = lua_newuserdata(L, READ_MAX);
  enum cell_reader_state state;
  struct cell_error error = {0};
  size_t count;

  if (cell_reader_read(reader, bytes, READ_MAX, &count, &state, &error) < 0)
    return lcell_fail(L, &error);
  if (state == CELL_READER_END)
    return 0;
  if (state == CELL_READER_LATER)
    lua_pushboolean(L, 0);
  else
    lua_pushlstring(L, bytes, count);
  return 1;
}

static int reader_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_reader(L)->token);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int reader_close(lua_State *L)
{
  cell_reader_close(luaL_checkudata(L, 1, READER));
  return 0;
}

static const luaL_Reg methods[] = {
  {"_token", reader_token},
  {"close", reader_close},
  {"try_read", reader_try_read},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", reader_close},
  {"__gc", reader_close},
  {NULL, NULL},
};

void lcell_open_reader(lua_State *L)
{
  lcell_new_type(L, READER, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, reader_new);
  lua_setfield(L, -2, "reader");
}
