/* lua_names.c -- require "codecell.names": the table of names.h, as a pointer
** for codecell.core.
*/
#include "../lua/compat.h"
#include "names.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_codecell_names(lua_State *L);

int luaopen_codecell_names(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&cell_names_library);
  return 1;
}
