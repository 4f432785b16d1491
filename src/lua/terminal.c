/* terminal.c -- codecell.Terminal: a terminal that gives each key as it is
** pressed; for the command alone.
*/
#include "../host/terminal.h"
#include "core.h"

#define TERMINAL "codecell.Terminal"

/* terminal(reactor, descriptor, keeps_lines) */
static int terminal_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  int fd = (int)luaL_checkinteger(L, 2);
  int keeps_lines = lua_toboolean(L, 3);
  struct cell_terminal *terminal =
    lcell_new_object(L, TERMINAL, sizeof *terminal);
  struct cell_error error = {0};

  *terminal = (struct cell_terminal)CELL_TERMINAL_CLOSED;
  if (cell_terminal_open(terminal, reactor, fd, keeps_lines, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

/* Has news when the size has changed. */
static int terminal_token(lua_State *L)
{
  struct cell_terminal *terminal = luaL_checkudata(L, 1, TERMINAL);

  luaL_argcheck(L, terminal->reactor != NULL, 1, "terminal is closed");
  lua_pushinteger(L, (lua_Integer)terminal->token);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int terminal_close(lua_State *L)
{
  cell_terminal_close(luaL_checkudata(L, 1, TERMINAL));
  return 0;
}

static const luaL_Reg methods[] = {
  {"_token", terminal_token},
  {"close", terminal_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", terminal_close},
  {"__gc", terminal_close},
  {NULL, NULL},
};

void lcell_open_terminal(lua_State *L)
{
  lcell_new_type(L, TERMINAL, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, terminal_new);
  lua_setfield(L, -2, "terminal");
}
