/* base64.c -- base64 of strings. */
#include "../bytes/base64.h"
#include "core.h"

/* base64_encode(bytes): with padding, without line ends. */
static int base64_encode(lua_State *L)
{
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  size_t length = cell_base64_length(size);
  char *text = lua_newuserdata(L, length + 1);

  cell_base64_encode(bytes, size, text);
  lua_pushlstring(L, text, length);
  return 1;
}

/* base64_decode(text): nil if it is none. */
static int base64_decode(lua_State *L)
{
  size_t length;
  const char *text = luaL_checklstring(L, 1, &length);
  char *bytes = lua_newuserdata(L, cell_base64_room(length));
  long count = cell_base64_decode(text, length, bytes);

  if (count < 0)
    return 0;
  lua_pushlstring(L, bytes, (size_t)count);
  return 1;
}

void lcell_open_base64(lua_State *L)
{
  lua_pushcfunction(L, base64_decode);
  lua_setfield(L, -2, "base64_decode");
  lua_pushcfunction(L, base64_encode);
  lua_setfield(L, -2, "base64_encode");
}
