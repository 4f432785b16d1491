/* lua_curl.c -- require "codecell.curl": the table of client_library.h, as a
** pointer for codecell.core.
*/
#include "../lua/compat.h"
#include "exchange.h"

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_codecell_curl(lua_State *L);

int luaopen_codecell_curl(lua_State *L)
{
  lua_pushlightuserdata(L, (void *)&cell_curl_library);
  return 1;
}
