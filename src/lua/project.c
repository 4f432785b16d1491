/* project.c -- changes made in a folder of the host, in Lua.
**
** Every function takes the Descriptor of the folder first, then a name beneath
** it.
*/
#include "../host/project.h"
#include "../descriptor.h"
#include "core.h"

static int check_folder(lua_State *L)
{
  uint64_t size;

  return lcell_check_descriptor(L, 1, &size);
}

static const char *type_of(mode_t mode)
{
  return S_ISREG(mode)   ? "file"
         : S_ISDIR(mode) ? "dir"
         : S_ISLNK(mode) ? "symlink"
                         : "other";
}

/* project_look(folder, name): {type, mode, changed}, seconds since 1970; false:
** nothing is there.
*/
static int project_look(lua_State *L)
{
  struct cell_error error = {0};
  struct stat status;
  int found =
    cell_project_look(check_folder(L), luaL_checkstring(L, 2), &status, &error);

  if (found < 0)
    return lcell_fail(L, &error);
  if (found == 0) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_createtable(L, 0, 3);
  lua_pushstring(L, type_of(status.st_mode));
  lua_setfield(L, -2, "type");
  lua_pushinteger(L, (lua_Integer)(status.st_mode & 0777));
  lua_setfield(L, -2, "mode");
  lua_pushnumber(L, (lua_Number)status.st_ctim.tv_sec +
                      (lua_Number)status.st_ctim.tv_nsec / 1e9);
  lua_setfield(L, -2, "changed");
  return 1;
}

/* project_open(folder, name): Descriptor of a regular file. */
static int project_open(lua_State *L)
{
  int folder = check_folder(L);
  const char *name = luaL_checkstring(L, 2);
  struct cell_error error = {0};
  struct lcell_descriptor *file = lcell_new_descriptor(L);

  file->fd = cell_project_open(folder, name, &file->size, &error);
  return lcell_opened(L, file, &error);
}

static int project_file(lua_State *L)
{
  int folder = check_folder(L);
  const char *name = luaL_checkstring(L, 2);
  struct cell_error error = {0};
  struct lcell_descriptor *file = lcell_new_descriptor(L);

  file->fd = cell_project_file(folder, name, &error);
  return lcell_opened(L, file, &error);
}

/* project_link(folder, name, place, target) */
static int project_link(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L,
                    cell_project_link(check_folder(L), luaL_checkstring(L, 2),
                                      luaL_checkstring(L, 3),
                                      luaL_checkstring(L, 4), &error),
                    &error);
}

/* project_place(folder, made, name, mode or nil, is_new) */
static int project_place(lua_State *L)
{
  struct cell_error error = {0};
  int mode = lua_isnoneornil(L, 4) ? -1 : (int)lcell_check_size(L, 4);

  return lcell_done(L,
                    cell_project_place(check_folder(L), luaL_checkstring(L, 2),
                                       luaL_checkstring(L, 3), mode,
                                       lua_toboolean(L, 5), &error),
                    &error);
}

static int project_directory(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(
    L, cell_project_directory(check_folder(L), luaL_checkstring(L, 2), &error),
    &error);
}

/* project_permit(folder, name, mode) */
static int project_permit(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L,
                    cell_project_permit(check_folder(L), luaL_checkstring(L, 2),
                                        (uint32_t)lcell_check_size(L, 3),
                                        &error),
                    &error);
}

/* project_remove(folder, name, is_directory) */
static int project_remove(lua_State *L)
{
  struct cell_error error = {0};

  return lcell_done(L,
                    cell_project_remove(check_folder(L), luaL_checkstring(L, 2),
                                        lua_toboolean(L, 3), &error),
                    &error);
}

static const luaL_Reg functions[] = {
  {"project_directory", project_directory},
  {"project_file", project_file},
  {"project_link", project_link},
  {"project_look", project_look},
  {"project_open", project_open},
  {"project_permit", project_permit},
  {"project_place", project_place},
  {"project_remove", project_remove},
  {NULL, NULL},
};

void lcell_open_project(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
