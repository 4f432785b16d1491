/* lua_microhttpd.c -- require "codecell.microhttpd": the table of
** server_library.h, as a pointer for codecell.core.
*/
#include "../lua/compat.h"
#include "call.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_codecell_microhttpd(lua_State *L);

int luaopen_codecell_microhttpd(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&cell_microhttpd_library);
  return 1;
}
