/* server.c -- codecell.Server and codecell.Call: answering requests.
**
** What an answer may be is looked at by lua/codecell/server.lua.
*/
#include "../http/server.h"
#include "core.h"

#include "../egress/address.h"

#include <stddef.h>
#include <sys/un.h>

#define SERVER "codecell.Server"
#define CALL "codecell.Call"
#define FIELDS_MAX 256

struct server {
  struct cell_server *server; /* NULL once closed */
};

struct call {
  struct cell_call *call; /* NULL once released */
};

/* ---- a server ---- */

static struct cell_server *check_server(lua_State *L)
{
  struct server *self = luaL_checkudata(L, 1, SERVER);

  luaL_argcheck(L, self->server != NULL, 1, "server is closed");
  return self->server;
}

/* server(reactor, microhttpd, connections, idle, first, head, certificate or
 *nil,
 ** key)
 */
static int server_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  const struct cell_server_library *library = lua_touserdata(L, 2);
  struct cell_server_limits limits = {
    (unsigned)lcell_check_size(L, 3), (unsigned)lcell_check_size(L, 4),
    (unsigned)lcell_check_size(L, 5), (unsigned)lcell_check_size(L, 6)};
  struct cell_server_identity identity = {luaL_optstring(L, 7, NULL),
                                          luaL_optstring(L, 8, "")};
  struct server *self = lcell_new_object(L, SERVER, sizeof *self);
  struct cell_error error = {0};

  if (library == NULL || library->version != CELL_SERVER_VERSION)
    return lcell_failed(
      L, CELL_UNSUPPORTED, 0,
      "codecell.microhttpd is of another version than codecell.core");
  self->server =
    cell_server_new(reactor, library, &limits,
                    identity.certificate != NULL ? &identity : NULL, &error);
  if (self->server == NULL)
    return lcell_fail(L, &error);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int server_close(lua_State *L)
{
  struct server *self = luaL_checkudata(L, 1, SERVER);

  if (self->server == NULL)
    return 0;
  cell_server_close(self->server);
  cell_server_release(self->server);
  self->server = NULL;
  return 0;
}

static int server_closed(lua_State *L)
{
  struct server *self = luaL_checkudata(L, 1, SERVER);

  lua_pushboolean(L, self->server == NULL ||
                       !cell_reactor_owned(cell_server_reactor(self->server)));
  return 1;
}

static int server_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cell_server_token(check_server(L)));
  return 1;
}

/* _adopt(descriptor, about): takes the descriptor's; true, or nil, err. */
static int server_adopt(lua_State *L)
{
  struct cell_server *server = check_server(L);
  uint32_t about = (uint32_t)lcell_check_size(L, 3);
  int fd = lcell_take_descriptor(L, 2);
  struct cell_error error = {0};

  return lcell_done(L, cell_server_adopt(server, &fd, about, &error), &error);
}

static int listen_at(lua_State *L, struct sockaddr_storage *address,
                     socklen_t size)
{
  struct cell_server *server = check_server(L);
  struct cell_error error = {0};
  struct cell_address there;
  uint16_t port = 0;

  if (cell_server_listen(server, address, &size, &error) < 0)
    return lcell_fail(L, &error);
  cell_address_from_socket(&there, &port, address);
  lua_pushinteger(L, port);
  return 1;
}

/* _listen_at(address, port): the port; or nil, err. */
static int server_listen_at(lua_State *L)
{
  struct sockaddr_storage address;
  struct cell_address there;
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  uint64_t port = lcell_check_size(L, 3);

  if (cell_address_parse(&there, text, length) < 0)
    return lcell_failed(L, CELL_INVALID_ARGUMENT, 0,
                        "listen: %.80s is not an address", text);
  luaL_argcheck(L, port < 65536, 3, "not a port");
  return listen_at(L, &address,
                   cell_address_to_socket(&there, (uint16_t)port, &address));
}

/* _listen_below(path): 0; or nil, err. "@" and a name is an abstract socket,
 *which
 ** is no file.
 */
static int server_listen_below(lua_State *L)
{
  struct sockaddr_storage address = {0};
  struct sockaddr_un *there = (struct sockaddr_un *)&address;
  size_t length;
  const char *path = luaL_checklstring(L, 2, &length);

  if (length == 0 || length >= sizeof there->sun_path)
    return lcell_failed(L, CELL_INVALID_ARGUMENT, 0,
                        "listen: the path of a socket has at most %u bytes: %s",
                        (unsigned)sizeof there->sun_path - 1, path);
  there->sun_family = AF_UNIX;
  memcpy(there->sun_path, path, length + 1);
  if (path[0] != '@')
    return listen_at(L, &address, sizeof *there);
  there->sun_path[0] = '\0';
  return listen_at(
    L, &address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
}

/* _listen_with(descriptor): takes the descriptor's, a socket that listens; its
** port; or nil, err.
*/
static int server_listen_with(lua_State *L)
{
  struct cell_server *server = check_server(L);
  struct sockaddr_storage address = {0};
  socklen_t size = sizeof address;
  struct cell_address there;
  struct cell_error error = {0};
  uint16_t port = 0;
  int fd = lcell_take_descriptor(L, 2);

  getsockname(fd, (struct sockaddr *)&address, &size);
  if (cell_server_listen_with(server, &fd, &error) < 0)
    return lcell_fail(L, &error);
  cell_address_from_socket(&there, &port, &address);
  lua_pushinteger(L, port);
  return 1;
}

/* _connections(): how many are open. */
static int server_connections(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cell_server_connections(check_server(L)));
  return 1;
}

static int server_stop_listening(lua_State *L)
{
  cell_server_stop_listening(check_server(L));
  return 0;
}

/* _next(): a call; nil: none waits. */
static int server_next(lua_State *L)
{
  struct cell_server *server = check_server(L);
  struct call *self = lcell_new_object(L, CALL, sizeof *self);

  self->call = cell_server_next(server);
  return self->call != NULL;
}

/* _left(): the number of a connection that was closed; nil: none. */
static int server_left(lua_State *L)
{
  uint32_t about = cell_server_left(check_server(L));

  if (about == 0)
    return 0;
  lua_pushinteger(L, (lua_Integer)about);
  return 1;
}

/* ---- a call ---- */

static struct cell_call *check_call(lua_State *L)
{
  struct call *self = luaL_checkudata(L, 1, CALL);

  luaL_argcheck(L, self->call != NULL, 1, "request has ended");
  return self->call;
}

static int call_release(lua_State *L)
{
  struct call *self = luaL_checkudata(L, 1, CALL);

  if (self->call != NULL)
    cell_call_release(self->call);
  self->call = NULL;
  return 0;
}

static int call_closed(lua_State *L)
{
  struct call *self = luaL_checkudata(L, 1, CALL);

  lua_pushboolean(L, self->call == NULL);
  return 1;
}

static int call_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)cell_call_token(check_call(L)));
  return 1;
}

/* _head(): method, target, fields, about */
static int call_head(lua_State *L)
{
  struct cell_server_head head;

  cell_call_head(check_call(L), &head);
  lua_pushstring(L, head.method);
  lua_pushstring(L, head.target);
  lua_pushlstring(L, head.fields, head.size);
  lua_pushinteger(L, (lua_Integer)head.about);
  return 4;
}

/* _state(): "open", "finished", "answered" or "broken". */
static int call_state(lua_State *L)
{
  static const char *const names[] = {"open", "finished", "answered", "broken"};
  struct cell_call *call = check_call(L);

  lua_pushstring(L, names[cell_call_state(call)]);
  return 1;
}

/* try_read(): what there is; false: nothing yet; nil: the end, or broken. */
static int call_try_read(lua_State *L)
{
  struct cell_call *call = check_call(L);
  size_t size = cell_call_readable(call);
  char *bytes;

  if (size > 0) {
    bytes = lua_newuserdata(L, size);
    lua_pushlstring(L, bytes, cell_call_read(call, bytes, size));
  } else if (cell_call_has_all(call) ||
             cell_call_state(call) != CELL_CALL_OPEN) {
    lua_pushnil(L);
  } else {
    lua_pushboolean(L, 0);
  }
  return 1;
}

static int call_watch(lua_State *L)
{
  cell_call_watch(check_call(L));
  return 0;
}

static int call_has_all(lua_State *L)
{
  lua_pushboolean(L, cell_call_has_all(check_call(L)));
  return 1;
}

/* The lists of names and values from `index` on. */
static void read_fields(lua_State *L, int index,
                        struct cell_server_answer *answer)
{
  size_t count;

  lua_pushvalue(L, index);
  answer->names = lcell_top_strings(L, index, FIELDS_MAX, &answer->count);
  lua_pushvalue(L, index + 1);
  answer->values = lcell_top_strings(L, index + 1, FIELDS_MAX, &count);
  luaL_argcheck(L, count == answer->count, index + 1,
                "a value for each name expected");
}

/* _upgrade(names, values): true, or nil, err. */
static int call_upgrade(lua_State *L)
{
  struct cell_call *call = check_call(L);
  struct cell_server_answer answer = {101, NULL, NULL, 0, 0, NULL};
  struct cell_error error = {0};

  read_fields(L, 2, &answer);
  return lcell_done(L, cell_call_upgrade(call, &answer, &error), &error);
}

static int call_is_upgraded(lua_State *L)
{
  lua_pushboolean(L, cell_call_is_upgraded(check_call(L)));
  return 1;
}

/* _answer(status, names, values, length, body): negative if it is not known, or
** nil where the whole body is given; true, or nil, err.
*/
static int call_answer(lua_State *L)
{
  struct cell_call *call = check_call(L);
  struct cell_server_answer answer = {0};
  struct cell_error error = {0};
  size_t length;

  answer.status = (int)luaL_checkinteger(L, 2);
  if (lua_isnoneornil(L, 6)) {
    answer.length = (int64_t)luaL_checknumber(L, 5);
  } else {
    answer.body = luaL_checklstring(L, 6, &length);
    answer.length = (int64_t)length;
  }
  read_fields(L, 3, &answer);
  return lcell_done(L, cell_call_answer(call, &answer, &error), &error);
}

/* try_write(bytes, from): where to go on, bytes before it having been taken. */
static int call_try_write(lua_State *L)
{
  struct cell_call *call = check_call(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  uint64_t from = lcell_check_size(L, 3);

  luaL_argcheck(L, from <= length, 3, "past the end");
  lcell_push_size(L, from + cell_call_write(call, bytes + from, length - from));
  return 1;
}

static int call_finish(lua_State *L)
{
  cell_call_finish(check_call(L));
  return 0;
}

static int call_abort(lua_State *L)
{
  cell_call_abort(check_call(L));
  return 0;
}

static const luaL_Reg server_methods[] = {
  {"_adopt", server_adopt},
  {"_closed", server_closed},
  {"_connections", server_connections},
  {"_left", server_left},
  {"_listen_at", server_listen_at},
  {"_listen_below", server_listen_below},
  {"_listen_with", server_listen_with},
  {"_next", server_next},
  {"_stop_listening", server_stop_listening},
  {"_token", server_token},
  {"close", server_close},
  {NULL, NULL},
};

static const luaL_Reg server_metamethods[] = {
  {"__close", server_close},
  {"__gc", server_close},
  {NULL, NULL},
};

static const luaL_Reg call_methods[] = {
  {"_answer", call_answer},
  {"_closed", call_closed},
  {"_has_all", call_has_all},
  {"_head", call_head},
  {"_is_upgraded", call_is_upgraded},
  {"_state", call_state},
  {"_token", call_token},
  {"_upgrade", call_upgrade},
  {"_watch", call_watch},
  {"abort", call_abort},
  {"close", call_release},
  {"finish", call_finish},
  {"try_read", call_try_read},
  {"try_write", call_try_write},
  {NULL, NULL},
};

static const luaL_Reg call_metamethods[] = {
  {"__close", call_release},
  {"__gc", call_release},
  {NULL, NULL},
};

void lcell_open_server(lua_State *L)
{
  lcell_new_type(L, SERVER, server_methods, server_metamethods);
  lua_pop(L, 1);
  lcell_new_type(L, CALL, call_methods, call_metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, server_new);
  lua_setfield(L, -2, "server");
}
