/* lua_mounts.c -- folders of the host for sandboxes, in Lua. */
#include "descriptor.h"
#include "host_folder.h"
#include "lua_core.h"

#include <sys/stat.h>

/* host_folder(path): Descriptor, {path, uid, gid, is_ours}: its canonical path,
** its owner, and whether that is who the code of a sandbox is outside (of a
** root host anybody is).
*/
static int host_folder(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_host_folder folder;
  struct cell_error error = {0};

  if (cell_host_folder_open(&folder, path, &error) < 0)
    return lcell_fail(L, &error);
  lcell_push_descriptor(L, &folder.fd, 0);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, folder.path);
  lua_setfield(L, -2, "path");
  lua_pushinteger(L, (lua_Integer)folder.uid);
  lua_setfield(L, -2, "uid");
  lua_pushinteger(L, (lua_Integer)folder.gid);
  lua_setfield(L, -2, "gid");
  lua_pushboolean(L, folder.is_ours);
  lua_setfield(L, -2, "is_ours");
  return 2;
}

/* One of `folders`, at the top of the stack: {path, folder = Descriptor}. */
static void pack_folder(lua_State *L, struct cell_packer *packer)
{
  struct stat status = {0};
  uint64_t size;

  lua_getfield(L, -1, "path");
  cell_pack_string(packer, luaL_checkstring(L, -1));
  lua_getfield(L, -2, "folder");
  if (fstat(lcell_check_descriptor(L, -1, &size), &status) < 0)
    packer->failed = 1;
  cell_pack_u64(packer, (uint64_t)status.st_dev);
  cell_pack_u64(packer, (uint64_t)status.st_ino);
  lua_pop(L, 2);
}

/* A mount at the top of the stack. */
static void pack_mount(lua_State *L, struct cell_packer *packer)
{
  static const char *const modes[] = {"read", "write", "overlay", NULL};
  size_t i, count;

  lua_getfield(L, -1, "mode");
  cell_pack_u32(packer, (uint32_t)luaL_checkoption(L, -1, NULL, modes));
  lua_getfield(L, -2, "sockets");
  cell_pack_u32(packer, lua_toboolean(L, -1) ? CELL_MOUNT_SOCKETS : 0);
  lua_getfield(L, -3, "path");
  cell_pack_string(packer, luaL_checkstring(L, -1));
  lua_getfield(L, -4, "folders");
  luaL_checktype(L, -1, LUA_TTABLE);
  count = lua_rawlen(L, -1);
  cell_pack_u32(packer, (uint32_t)count);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, -1, (int)i);
    pack_folder(L, packer);
    lua_pop(L, 1);
  }
  lua_pop(L, 4);
}

/* pack_mounts(list): what `mounts` of a new sandbox takes. Each of the list is
** {mode, path, sockets, folders = {{path, folder = Descriptor}, ...}}.
*/
static int pack_mounts(lua_State *L)
{
  struct cell_packer packer;
  size_t i, count;
  void *room;

  luaL_checktype(L, 1, LUA_TTABLE);
  count = lua_rawlen(L, 1);
  /* What else CREATE holds is small. */
  room = lua_newuserdata(L, CELL_MESSAGE_MAX - 1024);
  cell_pack_start(&packer, room, CELL_MESSAGE_MAX - 1024);
  cell_pack_u32(&packer, (uint32_t)count);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, 1, (int)i);
    pack_mount(L, &packer);
    lua_pop(L, 1);
  }
  if (packer.failed || count > CELL_MOUNTS_MAX)
    return lcell_failed(L, CELL_LIMIT_EXCEEDED, 0, "the mounts are too many");
  lua_pushlstring(L, room, packer.used);
  return 1;
}

static const luaL_Reg functions[] = {
  {"host_folder", host_folder},
  {"pack_mounts", pack_mounts},
  {NULL, NULL},
};

void lcell_open_mounts(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
