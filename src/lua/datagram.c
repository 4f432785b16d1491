/* datagram.c -- messages to sockets with a path. */
#include "../host/datagram.h"
#include "core.h"

/* host_datagram(path, bytes): true, or nil, err. */
static int host_datagram(lua_State *L)
{
  const char *path = luaL_checkstring(L, 1);
  struct cell_error error = {0};
  size_t size;
  const char *bytes = luaL_checklstring(L, 2, &size);

  return lcell_done(L, cell_datagram_send(path, bytes, size, &error), &error);
}

void lcell_open_datagram(lua_State *L)
{
  lua_pushcfunction(L, host_datagram);
  lua_setfield(L, -2, "host_datagram");
}
