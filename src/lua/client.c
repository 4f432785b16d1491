/* client.c -- codecell.Client and codecell.Exchange: requests by HTTP.
**
** What a URL, a field or a body may be is looked at by lua/codecell/http.lua.
*/
#include "../http/client.h"
#include "core.h"

#include <string.h>

#define CLIENT "codecell.Client"
#define EXCHANGE "codecell.Exchange"
#define HEADERS_MAX 256

struct client {
  struct cell_client *client; /* NULL once closed */
};

struct exchange {
  struct cell_exchange exchange; /* ended: its client is NULL */
};

/* ---- a client ---- */

static int check_versions(const struct cell_client_libraries *libraries,
                          struct cell_error *error)
{
  if (libraries->http == NULL ||
      libraries->http->version != CELL_CLIENT_VERSION)
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "codecell.curl is of another version than codecell.core");
  if (libraries->names == NULL ||
      libraries->names->version != CELL_RESOLVER_VERSION)
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "codecell.names is of another version than codecell.core");
  return 0;
}

/* client(reactor, curl, names, servers, policy or nil) */
static int client_new(lua_State *L)
{
  struct cell_reactor *reactor = lcell_check_reactor(L, 1);
  struct cell_client_libraries libraries = {lua_touserdata(L, 2),
                                            lua_touserdata(L, 3)};
  const char *servers = luaL_checkstring(L, 4);
  struct cell_policy *policy =
    lua_isnoneornil(L, 5) ? NULL : lcell_check_policy(L, 5);
  struct client *self = lcell_new_object(L, CLIENT, sizeof *self);
  struct cell_error error = {0};

  if (check_versions(&libraries, &error) == 0)
    self->client =
      cell_client_new(reactor, &libraries, servers, policy, &error);
  if (self->client == NULL)
    return lcell_fail(L, &error);
  return 1;
}

/* close, __close and __gc: may run twice, never raise. */
static int client_close(lua_State *L)
{
  struct client *self = luaL_checkudata(L, 1, CLIENT);

  if (self->client == NULL)
    return 0;
  cell_client_close(self->client);
  cell_client_release(self->client);
  self->client = NULL;
  return 0;
}

static int client_closed(lua_State *L)
{
  struct client *self = luaL_checkudata(L, 1, CLIENT);

  lua_pushboolean(L, self->client == NULL ||
                       !cell_reactor_owned(cell_client_reactor(self->client)));
  return 1;
}

static const char *text_of(lua_State *L, const char *name)
{
  lua_getfield(L, 2, name); /* stays, and keeps it alive */
  return luaL_optstring(L, -1, "");
}

static int is_set(lua_State *L, const char *name)
{
  int is;

  lua_getfield(L, 2, name);
  is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/* -1: one of the two is no host's name. */
static int read_page(lua_State *L, struct cell_page *page)
{
  const char *authority = text_of(L, "authority");
  const char *proxy = text_of(L, "proxy_authority");

  page->is_tls = is_set(L, "tls");
  page->path = text_of(L, "path");
  page->has_proxy = proxy[0] != '\0';
  if (page->has_proxy &&
      cell_target_read(&page->proxy, proxy, strlen(proxy), 0) < 0)
    return -1;
  return cell_target_read(&page->target, authority, strlen(authority),
                          page->is_tls ? 443 : 80);
}

static void read_request(lua_State *L, struct cell_client_request *request)
{
  size_t count;

  request->method = text_of(L, "method");
  request->ca_file = text_of(L, "ca_file");
  request->ca_path = text_of(L, "ca_path");
  request->socket = text_of(L, "socket");
  request->proxy = text_of(L, "proxy");
  request->may_share = is_set(L, "share");
  request->may_upgrade = is_set(L, "upgrade");
  lua_getfield(L, 2, "length");
  request->has_body = !lua_isnil(L, -1);
  request->length = (int64_t)luaL_optnumber(L, -1, -1);
  lua_getfield(L, 2, "headers");
  request->headers = lcell_top_strings(L, 2, HEADERS_MAX, &count);
}

/* _begin{tls=, authority=, path=, method=, headers={"name: value"}, length=,
** ca_file=, ca_path=, socket=, proxy=, proxy_authority=, share=, upgrade=}:
** `length` of the body, negative if it is not known, nil if there is none.
*/
static int client_begin(lua_State *L)
{
  struct client *self = luaL_checkudata(L, 1, CLIENT);
  struct cell_client_request request = {0};
  struct cell_page page = {0};
  struct cell_error error = {0};
  struct exchange *exchange;

  luaL_argcheck(L, self->client != NULL, 1, "client is closed");
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, 32, "a request");
  if (read_page(L, &page) < 0)
    return lcell_failed(L, CELL_INVALID_ARGUMENT, 0,
                        "not the name of a host in its usual form");
  read_request(L, &request);
  exchange = lcell_new_object(L, EXCHANGE, sizeof *exchange);
  lua_pushliteral(L, "_client"); /* outlives its exchanges */
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  if (cell_exchange_open(&exchange->exchange, self->client, &page, &request,
                         &error) < 0)
    return lcell_fail(L, &error);
  return 1;
}

/* ---- an exchange ---- */

static struct cell_exchange *check_open(lua_State *L)
{
  struct exchange *self = luaL_checkudata(L, 1, EXCHANGE);

  luaL_argcheck(L, self->exchange.client != NULL, 1, "exchange is closed");
  return &self->exchange;
}

static int exchange_close(lua_State *L)
{
  struct exchange *self = luaL_checkudata(L, 1, EXCHANGE);

  cell_exchange_close(&self->exchange);
  return 0;
}

static int exchange_closed(lua_State *L)
{
  struct exchange *self = luaL_checkudata(L, 1, EXCHANGE);

  lua_pushboolean(L, self->exchange.client == NULL);
  return 1;
}

static int exchange_token(lua_State *L)
{
  lua_pushinteger(L, (lua_Integer)check_open(L)->token);
  return 1;
}

/* _head(): status, fields; nil: not there yet. */
static int exchange_head(lua_State *L)
{
  struct cell_client_head head;

  if (!cell_exchange_head(check_open(L), &head))
    return 0;
  lua_pushinteger(L, head.status);
  lua_pushlstring(L, head.bytes, head.size);
  return 2;
}

/* _outcome(): true: all has come; false: not yet; nil, err: it has failed. */
static int exchange_outcome(lua_State *L)
{
  struct cell_error error = {0};
  int outcome = cell_exchange_outcome(check_open(L), &error);

  if (outcome < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, outcome);
  return 1;
}

/* try_read(): what there is; false: nothing yet; nil: the end; nil, err. */
static int exchange_try_read(lua_State *L)
{
  struct cell_exchange *exchange = check_open(L);
  size_t size = cell_exchange_readable(exchange);
  char *bytes;

  if (size == 0) {
    exchange_outcome(L);
    if (lua_isboolean(L, -1)) {
      if (lua_toboolean(L, -1))
        lua_pushnil(L);
      return 1;
    }
    return 2;
  }
  bytes = lua_newuserdata(L, size);
  lua_pushlstring(L, bytes, cell_exchange_read(exchange, bytes, size));
  return 1;
}

/* try_write(bytes, from): where to go on, bytes before it having been taken. */
static int exchange_try_write(lua_State *L)
{
  struct cell_exchange *exchange = check_open(L);
  size_t length;
  const char *bytes = luaL_checklstring(L, 2, &length);
  uint64_t from = lcell_check_size(L, 3);

  luaL_argcheck(L, from <= length, 3, "past the end");
  lcell_push_size(
    L, from + cell_exchange_write(exchange, bytes + from, length - from));
  return 1;
}

static int exchange_finish(lua_State *L)
{
  cell_exchange_finish(check_open(L));
  return 0;
}

static const luaL_Reg client_methods[] = {
  {"_begin", client_begin},
  {"_closed", client_closed},
  {"close", client_close},
  {NULL, NULL},
};

static const luaL_Reg client_metamethods[] = {
  {"__close", client_close},
  {"__gc", client_close},
  {NULL, NULL},
};

static const luaL_Reg exchange_methods[] = {
  {"_closed", exchange_closed},
  {"_head", exchange_head},
  {"_outcome", exchange_outcome},
  {"_token", exchange_token},
  {"close", exchange_close},
  {"finish", exchange_finish},
  {"try_read", exchange_try_read},
  {"try_write", exchange_try_write},
  {NULL, NULL},
};

static const luaL_Reg exchange_metamethods[] = {
  {"__close", exchange_close},
  {"__gc", exchange_close},
  {NULL, NULL},
};

void lcell_open_client(lua_State *L)
{
  lcell_new_type(L, CLIENT, client_methods, client_metamethods);
  lua_setfield(L, -2, "Client");
  lcell_new_type(L, EXCHANGE, exchange_methods, exchange_metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, client_new);
  lua_setfield(L, -2, "client");
}
