/* store.c -- folders of the host that hold what came out of sandboxes. */
#include "../host/store.h"
#include "core.h"

/* host_remove(path): true, or nil, err. */
static int host_remove(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L, cell_store_remove(luaL_checkstring(L, 1), &error),
                    &error);
}

/* host_store(path, make): true when nobody else can write there; or nil, err.
 */
static int host_store(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_error error = {0};

  return lcell_done(L, cell_store_check(path, lua_toboolean(L, 2), &error),
                    &error);
}

/* host_lock(path, alone): a Descriptor, which is the lock; or nil, err. */
static int host_lock(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  int alone = lua_toboolean(L, 2);
  struct cell_error error = {0};
  struct lcell_descriptor *descriptor = lcell_new_descriptor(L);

  descriptor->fd = cell_store_lock(path, alone, &error);
  return lcell_opened(L, descriptor, &error);
}

/* host_has(root, path): whether there is a file for one whose / is root. */
static int host_has(lua_State *L)
{
  struct cell_error error = {0};
  int found =
    cell_store_has_file(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &error);

  if (found < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, found);
  return 1;
}

static const luaL_Reg functions[] = {
  {"host_has", host_has},
  {"host_lock", host_lock},
  {"host_remove", host_remove},
  {"host_store", host_store},
  {NULL, NULL},
};

void lcell_open_store(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
