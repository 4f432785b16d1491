/* strings.c -- lists of strings, as the engine takes them. */
#include "core.h"

#define STRINGS_MAX 65536

const char **lcell_top_strings(lua_State *L, int argument, size_t most,
                               size_t *count)
{
  const char **strings;
  size_t i;

  luaL_checktype(L, -1, LUA_TTABLE);
  *count = lua_rawlen(L, -1);
  luaL_argcheck(L, *count <= most, argument, "too many strings");
  strings = lua_newuserdata(L, (*count + 1) * sizeof *strings);
  for (i = 0; i < *count; i++) {
    lua_rawgeti(L, -2, (int)i + 1);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, argument,
                  "strings expected");
    strings[i] = lua_tostring(L, -1); /* the list holds it */
    lua_pop(L, 1);
  }
  strings[*count] = NULL;
  return strings;
}

const char **lcell_check_strings(lua_State *L, int index, const char *name)
{
  size_t count;

  lua_getfield(L, index, name);
  return lcell_top_strings(L, index, STRINGS_MAX, &count);
}
