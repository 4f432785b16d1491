/* bell.c -- codecell.Bell: the reactor's news on a socket of the host. */
#include "core.h"

#include "../reactor/bell.h"

static struct cell_bell *check_bell(lua_State *L)
{
  return luaL_checkudata(L, 1, LCELL_BELL);
}

/* Listens at once. */
static int bell_new(lua_State *L)
{
  struct cell_bell *bell =
    lcell_new_object(L, LCELL_BELL, sizeof(struct cell_bell));
  struct cell_error error = {0};

  /* The zeroed object looks like one that owns standard input. */
  *bell = (struct cell_bell)CELL_BELL_CLOSED;
  if (cell_bell_listen(bell, &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

static int bell_path(lua_State *L)
{
  lua_pushstring(L, check_bell(L)->address.sun_path);
  return 1;
}

/* accept(reactor): true, false when nobody has connected yet, or nil, err. */
static int bell_accept(lua_State *L)
{
  struct cell_bell *bell = check_bell(L);
  struct cell_reactor *reactor = lcell_check_reactor(L, 2);
  struct cell_error error = {0};
  int accepted = cell_bell_accept(bell, cell_reactor_pollfd(reactor), &error);

  if (accepted < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, accepted);
  return 1;
}

static int bell_close(lua_State *L)
{
  cell_bell_close(check_bell(L));
  return 0;
}

static const luaL_Reg methods[] = {
  {"accept", bell_accept},
  {"close", bell_close},
  {"path", bell_path},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", bell_close},
  {"__gc", bell_close},
  {NULL, NULL},
};

void lcell_open_bell(lua_State *L)
{
  lcell_new_type(L, LCELL_BELL, methods, metamethods);
  lua_setfield(L, -2, "Bell");
  lua_pushcfunction(L, bell_new);
  lua_setfield(L, -2, "bell");
}
