/* watcher.c -- codecell.Watcher: a watched directory of a local sandbox.
**
** It holds what must be given back: the watch, and the question for the next
** events that may be on its way.
*/
#include "core.h"

struct watcher {
  struct cell_sandbox *sandbox; /* kept; NULL: closed */
  uint64_t watch;               /* request of the WATCH */
  uint64_t next;                /* of the WATCH_NEXT; 0: none was asked */
};

static struct watcher *check_watcher(lua_State *L)
{
  return luaL_checkudata(L, 1, LCELL_WATCHER);
}

static struct watcher *check_open(lua_State *L)
{
  struct watcher *self = check_watcher(L);

  luaL_argcheck(L, self->sandbox != NULL, 1, "watcher is closed");
  return self;
}

/* _watch(path, recursive): a watcher, which is there once _answer has said so
** of its _number.
*/
int lcell_sandbox_watch(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  unsigned char bytes[CELL_PATH_MAX + 8];
  struct cell_packer payload;
  struct cell_error error = {0};
  struct watcher *self;
  size_t length;
  const char *path = luaL_checklstring(L, 2, &length);
  uint64_t request;

  if (lcell_in_forked_copy(sandbox))
    return lcell_fail_forked(L, "sandbox");
  cell_pack_start(&payload, bytes, sizeof bytes);
  cell_pack_bytes(&payload, path, length);
  cell_pack_u32(&payload, (uint32_t)lua_toboolean(L, 3));
  self = lcell_new_object(L, LCELL_WATCHER, sizeof *self);
  lua_pushliteral(L, "_sandbox"); /* outlives its watchers */
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  request = cell_sandbox_ask(sandbox, CELL_WATCH, &payload, NULL, 0, &error);
  if (request == 0)
    return lcell_fail(L, &error);
  self->watch = request;
  self->sandbox = cell_sandbox_keep(sandbox);
  return 1;
}

/* What has the number of the watch as its payload. */
static uint64_t ask(struct watcher *self, uint32_t type,
                    struct cell_error *error)
{
  unsigned char bytes[8];
  struct cell_packer payload;

  cell_pack_start(&payload, bytes, sizeof bytes);
  cell_pack_u64(&payload, self->watch);
  return cell_sandbox_ask(self->sandbox, type, &payload, NULL, 0, error);
}

/* close, __close and __gc: may run twice, never raise. */
static int watcher_close(lua_State *L)
{
  struct watcher *self = check_watcher(L);

  if (self->sandbox == NULL)
    return 0;
  if (cell_reactor_owned(cell_sandbox_reactor(self->sandbox))) {
    cell_sandbox_forget(self->sandbox, self->watch);
    cell_sandbox_forget(self->sandbox, self->next);
    cell_sandbox_forget(self->sandbox, ask(self, CELL_UNWATCH, NULL));
  }
  cell_sandbox_release(self->sandbox);
  self->sandbox = NULL;
  return 0;
}

static int watcher_closed(lua_State *L)
{
  lua_pushboolean(L, check_watcher(L)->sandbox == NULL);
  return 1;
}

static int watcher_token(lua_State *L)
{
  struct watcher *self = check_watcher(L);

  if (self->sandbox == NULL)
    return 0;
  lua_pushinteger(L, (lua_Integer)cell_sandbox_token(self->sandbox));
  return 1;
}

static int watcher_number(lua_State *L)
{
  lcell_push_size(L, check_open(L)->watch);
  return 1;
}

/* _next(): the number of the question for the next events, asked now unless it
** waits already.
*/
static int watcher_next(lua_State *L)
{
  struct watcher *self = check_open(L);
  struct cell_error error = {0};

  if (self->next == 0)
    self->next = ask(self, CELL_WATCH_NEXT, &error);
  if (self->next == 0)
    return lcell_fail(L, &error);
  lcell_push_size(L, self->next);
  return 1;
}

/* _taken(): the answer was. */
static int watcher_taken(lua_State *L)
{
  check_open(L)->next = 0;
  return 0;
}

static const luaL_Reg methods[] = {
  {"_closed", watcher_closed},
  {"_next", watcher_next},
  {"_number", watcher_number},
  {"_taken", watcher_taken},
  {"_token", watcher_token},
  {"close", watcher_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", watcher_close},
  {"__gc", watcher_close},
  {NULL, NULL},
};

void lcell_open_watcher(lua_State *L)
{
  lcell_new_type(L, LCELL_WATCHER, methods, metamethods);
  lua_setfield(L, -2, "Watcher");
}
