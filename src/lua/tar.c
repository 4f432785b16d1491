/* tar.c -- codecell.Tar: what the headers of a tar stream say. */
#include "../bytes/tar.h"
#include "core.h"

#define TAR "codecell.Tar"

static int tar_new(lua_State *L)
{
  struct cell_tar *tar = lcell_new_object(L, TAR, sizeof *tar);

  memset(tar, 0, sizeof *tar);
  return 1;
}

static void push_member(lua_State *L, const struct cell_tar *tar)
{
  static const char *const types[] = {"file", "dir", "symlink", "hardlink"};

  lua_createtable(L, 0, 6);
  lua_pushstring(L, types[tar->type]);
  lua_setfield(L, -2, "type");
  lua_pushstring(L, tar->path);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, tar->target);
  lua_setfield(L, -2, "target");
  lua_pushinteger(L, (lua_Integer)tar->mode);
  lua_setfield(L, -2, "mode");
  lcell_push_size(L, tar->size);
  lua_setfield(L, -2, "size");
  lua_pushnumber(L, (lua_Number)tar->modified);
  lua_setfield(L, -2, "modified");
}

static int push_wrong(lua_State *L, const struct cell_tar *tar)
{
  lua_pushnil(L);
  lua_pushstring(L, tar->wrong);
  return 2;
}

/* header(block): "member" and a table; "extension" and its size; "end"; or nil
** and why it is none.
*/
static int tar_header(lua_State *L)
{
  struct cell_tar *tar = luaL_checkudata(L, 1, TAR);
  size_t length;
  const char *block = luaL_checklstring(L, 2, &length);

  luaL_argcheck(L, length == CELL_TAR_BLOCK, 2, "a block has 512 bytes");
  switch (cell_tar_header(tar, (const unsigned char *)block)) {
  case CELL_TAR_MEMBER:
    lua_pushliteral(L, "member");
    push_member(L, tar);
    return 2;
  case CELL_TAR_EXTENSION:
    lua_pushliteral(L, "extension");
    lcell_push_size(L, tar->size);
    return 2;
  case CELL_TAR_END:
    lua_pushliteral(L, "end");
    return 1;
  default:
    return push_wrong(L, tar);
  }
}

/* extend(bytes): true, or nil and why not. */
static int tar_extend(lua_State *L)
{
  struct cell_tar *tar = luaL_checkudata(L, 1, TAR);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);

  if (cell_tar_extend(tar, (const unsigned char *)bytes, length) < 0)
    return push_wrong(L, tar);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg methods[] = {
  {"extend", tar_extend},
  {"header", tar_header},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {NULL, NULL},
};

void lcell_open_tar(lua_State *L)
{
  lcell_new_type(L, TAR, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, tar_new);
  lua_setfield(L, -2, "tar");
}
