/* program.c -- codecell.Stop: the end that is asked of a program by a
** signal; for the command alone.
*/
#include "../host/program.h"
#include "core.h"

#include <signal.h>

#define STOP "codecell.Stop"

/* program_stop(reactor): SIGTERM and SIGINT are heard from now on. */
static int stop_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  struct cell_stop *stop = lcell_new_object(L, STOP, sizeof *stop);
  struct cell_error error = {0};

  *stop = (struct cell_stop)CELL_STOP_CLOSED;
  if (cell_stop_open(stop, reactor, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

/* try_read(): "SIGTERM" or "SIGINT"; false: none has come. */
static int stop_try_read(lua_State *L)
{
  const struct cell_stop *stop = luaL_checkudata(L, 1, STOP);

  if (stop->signal == 0)
    lua_pushboolean(L, 0);
  else
    lua_pushstring(L, stop->signal == SIGINT ? "SIGINT" : "SIGTERM");
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int stop_close(lua_State *L)
{
  cell_stop_close(luaL_checkudata(L, 1, STOP));
  return 0;
}

/* program_raise_files(): how many descriptors the program may have now. */
static int raise_files(lua_State *L)
{
  lcell_push_size(L, cell_program_raise_files());
  return 1;
}

static const luaL_Reg methods[] = {
  {"close", stop_close},
  {"try_read", stop_try_read},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", stop_close},
  {"__gc", stop_close},
  {NULL, NULL},
};

void lcell_open_program(lua_State *L)
{
  lcell_new_type(L, STOP, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, stop_new);
  lua_setfield(L, -2, "program_stop");
  lua_pushcfunction(L, raise_files);
  lua_setfield(L, -2, "program_raise_files");
}
