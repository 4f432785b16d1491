/* compat.h -- one source for Lua 5.1, LuaJIT, 5.2, 5.3 and 5.4.
**
** The binding is written for 5.3; what an older Lua lacks, or a newer one
** renamed, is here, and nothing else looks at LUA_VERSION_NUM.
*/
#ifndef CELL_LUA_COMPAT_H
#define CELL_LUA_COMPAT_H

#include <lauxlib.h>
#include <lua.h>

#include <string.h>

#if LUA_VERSION_NUM < 502

/* LuaJIT declares some of these itself, hence the macros over other names. */
#define luaL_setmetatable lcell_compat_setmetatable
#define luaL_testudata lcell_compat_testudata
#define luaL_setfuncs lcell_compat_setfuncs
#define lua_rawlen lua_objlen

static inline void lcell_compat_setmetatable(lua_State *L, const char *name)
{
  luaL_getmetatable(L, name);
  lua_setmetatable(L, -2);
}

static inline void *lcell_compat_testudata(lua_State *L, int index,
                                           const char *name)
{
  void *object = lua_touserdata(L, index);

  if (object == NULL || !lua_getmetatable(L, index))
    return NULL;
  luaL_getmetatable(L, name);
  if (!lua_rawequal(L, -1, -2))
    object = NULL;
  lua_pop(L, 2);
  return object;
}

static inline void lcell_compat_setfuncs(lua_State *L,
                                         const luaL_Reg *functions, int count)
{
  int i;

  for (; functions->name != NULL; functions++) {
    for (i = 0; i < count; i++)
      lua_pushvalue(L, -count);
    lua_pushcclosure(L, functions->func, count);
    lua_setfield(L, -(count + 2), functions->name);
  }
  lua_pop(L, count);
}

/* The value that belongs to a userdata is its environment here: a table. */
static inline void lcell_setuservalue(lua_State *L, int index)
{
  lua_setfenv(L, index);
}

static inline void lcell_getuservalue(lua_State *L, int index)
{
  lua_getfenv(L, index);
}

#elif LUA_VERSION_NUM < 504

static inline void lcell_setuservalue(lua_State *L, int index)
{
  lua_setuservalue(L, index);
}

static inline void lcell_getuservalue(lua_State *L, int index)
{
  lua_getuservalue(L, index);
}

#else

static inline void lcell_setuservalue(lua_State *L, int index)
{
  lua_setiuservalue(L, index, 1);
}

static inline void lcell_getuservalue(lua_State *L, int index)
{
  lua_getiuservalue(L, index, 1);
}

#endif

#endif
