/* census.c -- core.sandboxes and core.kill_sandbox. */
#include "../sandbox/census.h"
#include "core.h"

#define ENTRIES_MIN 64

static void push_entry(lua_State *L, const struct cell_census_entry *entry)
{
  lua_createtable(L, 0, 4);
  lua_pushstring(L, entry->id);
  lua_setfield(L, -2, "id");
  lua_pushinteger(L, (lua_Integer)entry->pid);
  lua_setfield(L, -2, "pid");
  lua_pushinteger(L, (lua_Integer)entry->uid);
  lua_setfield(L, -2, "uid");
  lua_pushnumber(L, (lua_Number)entry->started);
  lua_setfield(L, -2, "started");
}

/* sandboxes(whose): "mine" (default) or "all". */
static int census_sandboxes(lua_State *L)
{
  static const char *const names[] = {"mine", "all", NULL};
  enum cell_census_scope scope = luaL_checkoption(L, 1, "mine", names) == 1
                                   ? CELL_CENSUS_ALL
                                   : CELL_CENSUS_MINE;
  struct cell_census_entry *entries;
  struct cell_error error;
  size_t size = ENTRIES_MIN;
  long count, i;

  for (;;) { /* the block is a userdata: no error can leak it */
    entries = lua_newuserdata(L, size * sizeof *entries);
    count = cell_census_list(entries, size, scope, &error);
    if (count < 0)
      return lcell_fail(L, &error);
    if ((size_t)count <= size)
      break;
    lua_pop(L, 1);
    size = (size_t)count + ENTRIES_MIN;
  }
  lua_createtable(L, (int)count, 0);
  for (i = 0; i < count; i++) {
    push_entry(L, &entries[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int census_kill_sandbox(lua_State *L)
{
  size_t length;
  const char *id = luaL_checklstring(L, 1, &length);
  struct cell_error error;
  int killed;

  if (length != CELL_ID_SIZE - 1 || !cell_census_is_id(id)) {
    lua_pushboolean(L, 0); /* what cannot be an id is nobody's */
    return 1;
  }
  killed = cell_census_kill(id, &error);
  if (killed < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, killed);
  return 1;
}

static const luaL_Reg functions[] = {
  {"kill_sandbox", census_kill_sandbox},
  {"sandboxes", census_sandboxes},
  {NULL, NULL},
};

void lcell_open_census(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
