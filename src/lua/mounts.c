/* mounts.c -- folders of the host for sandboxes, in Lua. */
#include "../descriptor.h"
#include "../host/folder.h"
#include "core.h"

#include <errno.h>
#include <sys/stat.h>

/* host_folder(path): Descriptor, {path, uid, gid, opened_at, for_root,
** is_ours}: its canonical path, its owner, when that was, whether this program
** is root, and whether the owner is who the code of a sandbox is outside (of a
** root host anybody is).
*/
static int host_folder(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_host_folder folder;
  struct cell_error error = {0};
  struct lcell_descriptor *descriptor = lcell_new_descriptor(L);

  if (cell_host_folder_open(&folder, path, &error) < 0)
    return lcell_fail(L, &error);
  descriptor->fd = cell_fd_take(&folder.fd);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, folder.path);
  lua_setfield(L, -2, "path");
  lua_pushinteger(L, (lua_Integer)folder.uid);
  lua_setfield(L, -2, "uid");
  lua_pushinteger(L, (lua_Integer)folder.gid);
  lua_setfield(L, -2, "gid");
  lua_pushnumber(L, folder.opened_at);
  lua_setfield(L, -2, "opened_at");
  lua_pushboolean(L, folder.for_root);
  lua_setfield(L, -2, "for_root");
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

/* ---- what was changed in an overlay ---- */

static void push_type(lua_State *L, const char *name, uint32_t type)
{
  static const char *const types[] = {"file", "dir", "symlink", "other"};

  if (type > CELL_ENTRY_OTHER)
    return;
  lua_pushstring(L, types[type]);
  lua_setfield(L, -2, name);
}

static void push_difference(lua_State *L, struct cell_unpacker *unpacker)
{
  static const char *const names[] = {"create", "write", "remove", "chmod"};
  size_t length;
  const unsigned char *bytes = cell_unpack_bytes(unpacker, &length);
  uint32_t what;

  lua_createtable(L, 0, 8);
  lua_pushlstring(L, (const char *)bytes, length);
  lua_setfield(L, -2, "path");
  what = cell_unpack_u32(unpacker);
  lua_pushstring(L, names[what <= CELL_DIFFERENCE_CHMOD ? what : 0]);
  lua_setfield(L, -2, "op");
  push_type(L, "type", cell_unpack_u32(unpacker));
  push_type(L, "was", cell_unpack_u32(unpacker));
  lcell_push_size(L, cell_unpack_u32(unpacker));
  lua_setfield(L, -2, "mode");
  lcell_push_size(L, cell_unpack_u64(unpacker));
  lua_setfield(L, -2, "size");
  bytes = cell_unpack_bytes(unpacker, &length);
  if (length == 0)
    return;
  lua_pushlstring(L, (const char *)bytes, length);
  lua_setfield(L, -2, "target");
}

uint32_t lcell_push_differences(lua_State *L, struct cell_unpacker *unpacker,
                                uint32_t messages)
{
  uint32_t count, number;
  int place = 0;

  lua_newtable(L);
  for (; messages > 1; messages--)
    for (count = cell_unpack_u32(unpacker); count > 0; count--) {
      push_difference(L, unpacker);
      lua_rawseti(L, -2, ++place);
    }
  number = cell_unpack_u32(unpacker);
  if (number != E2BIG)
    return number;
  /* What was told is true though it was not all. */
  lua_pushboolean(L, 1);
  lua_setfield(L, -2, "truncated");
  return 0;
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
