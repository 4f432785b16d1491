/* sandbox.c -- codecell.Sandbox: an anchor for what a sandbox owns.
**
** A local one holds its engine object; one of another backend holds nothing
** here.
*/
#include "../egress/egress.h"
#include "../sandbox/port.h"
#include "core.h"

#include <stdio.h>

struct sandbox {
  struct cell_sandbox *sandbox; /* NULL: of another backend, or collected */
  int connected;                /* another object made it: closing lets go */
  int closed;
};

static struct sandbox *check_object(lua_State *L, int index)
{
  return luaL_checkudata(L, index, LCELL_SANDBOX);
}

struct cell_sandbox *lcell_check_sandbox(lua_State *L, int index)
{
  struct sandbox *self = check_object(L, index);

  luaL_argcheck(L, !self->closed, index, "sandbox is closed");
  luaL_argcheck(L, self->sandbox != NULL, index, "not a local sandbox");
  return self->sandbox;
}

struct cell_sandbox *lcell_any_sandbox(lua_State *L, int index)
{
  return check_object(L, index)->sandbox;
}

int lcell_in_forked_copy(struct cell_sandbox *sandbox)
{
  return !cell_reactor_owned(cell_sandbox_reactor(sandbox));
}

int lcell_fail_forked(lua_State *L, const char *what)
{
  struct cell_error error = {0};

  cell_fail(&error, CELL_SANDBOX_GONE, 0,
            "the %s belongs to the process that made it, not to a forked copy",
            what);
  snprintf(error.hint, sizeof error.hint, "create a sandbox after the fork");
  return lcell_fail(L, &error);
}

/* ---- create ---- */

static void check_options(lua_State *L, struct cell_sandbox_options *options)
{
  size_t length;
  const char *id;

  luaL_checktype(L, 2, LUA_TTABLE);
  memset(options, 0, sizeof *options);
  lua_getfield(L, 2, "id");
  id = luaL_checklstring(L, -1, &length);
  luaL_argcheck(L, length == CELL_ID_SIZE - 1, 2, "id has a wrong length");
  memcpy(options->id, id, length + 1);
  lua_getfield(L, 2, "timeout");
  options->timeout_ms = lcell_check_ms(L, -1);
  lua_getfield(L, 2, "root_view");
  options->root_view = lua_toboolean(L, -1);
  lua_getfield(L, 2, "read_only");
  options->read_only = lua_toboolean(L, -1);
  lua_getfield(L, 2, "cpu");
  options->cpu_milli = (uint32_t)(luaL_optnumber(L, -1, 0) * 1000);
  options->memory = lcell_size_field(L, 2, "memory", 0);
  options->disk = lcell_size_field(L, 2, "disk", 0);
  options->processes = (uint32_t)lcell_size_field(L, 2, "processes", 0);
  options->files = (uint32_t)lcell_size_field(L, 2, "files", 0);
  lua_getfield(L, 2, "mounts"); /* as of lcell_mounts; stays in the table */
  options->mounts = (const unsigned char *)luaL_optlstring(
    L, -1, NULL, &options->mounts_length);
}

/* The network of the table's `policy`, resolved by its `names` (the table of
** resolver.h) and by `name_servers` ("": those of the system), with at most
** `connections` at a time and `traffic` bytes (0: any number). 0, or -1: NULL
** and no error for one without.
*/
static int make_network(lua_State *L, struct cell_reactor *reactor,
                        struct cell_egress **egress, struct cell_error *error)
{
  const struct cell_resolver_library *library;
  struct cell_egress_limits limits;
  struct cell_policy *policy;

  *egress = NULL;
  lua_getfield(L, 2, "policy");
  if (lua_isnil(L, -1))
    return 0;
  policy = lcell_check_policy(L, -1);
  lua_getfield(L, 2, "names");
  library = lua_touserdata(L, -1);
  lua_getfield(L, 2, "name_servers");
  if (library == NULL || library->version != CELL_RESOLVER_VERSION)
    return cell_fail(error, CELL_UNSUPPORTED, 0,
                     "codecell.names is of another version than codecell.core");
  limits.connections = (unsigned)lcell_size_field(L, 2, "connections", 0);
  limits.bytes = lcell_size_field(L, 2, "traffic", 0);
  *egress = cell_egress_new(reactor, policy, library, luaL_optstring(L, -1, ""),
                            &limits, error);
  lua_getfield(L, 2, "serves"); /* whether requests to the proxy are answered */
  if (*egress != NULL && lua_toboolean(L, -1))
    cell_egress_be_server(*egress);
  return *egress != NULL ? 0 : -1;
}

/* Field `stem`, or that of the reactor for the folder with programs `root`. */
static struct cell_stem *find_stem(lua_State *L, struct cell_error *error)
{
  lua_getfield(L, 2, "stem");
  if (!lua_isnil(L, -1))
    return lcell_check_stem(L, -1);
  lua_getfield(L, 2, "root");
  lua_getfield(L, 2, "gpu");
  return cell_stems_find(lcell_check_stems(L, 1), luaL_optstring(L, -2, ""),
                         lua_toboolean(L, -1), error);
}

static int sandbox_new(lua_State *L)
{
  struct cell_reactor *reactor;
  struct cell_egress *egress;
  struct cell_stem *stem = NULL;
  struct cell_sandbox_options options;
  struct cell_error error = {0};
  struct sandbox *self;

  lua_settop(L, 2);
  reactor = lcell_check_reactor(L, 1);
  if (!lua_isnil(L, 2)) {
    check_options(L, &options);
    stem = find_stem(L, &error);
    if (stem == NULL)
      return lcell_fail(L, &error);
    lua_settop(L, 2);
  }
  self = lcell_new_object(L, LCELL_SANDBOX, sizeof *self);
  lua_pushliteral(L, "_reactor"); /* lives as long as the sandbox */
  lua_pushvalue(L, 1);
  lua_settable(L, -3);
  if (lua_isnil(L, 2))
    return 1;
  lua_pushliteral(L, "_stem"); /* tells how the sandbox ended */
  lua_getfield(L, 2, "stem");
  lua_settable(L, -3);
  lua_pushvalue(L, -1);
  lua_insert(L, 1); /* the object, while fields are read above it */
  lua_remove(L, 2);
  if (make_network(L, reactor, &egress, &error) < 0)
    return lcell_fail(L, &error);
  if (egress != NULL)
    options.gateway = cell_egress_gateway(egress);
  self->sandbox = cell_sandbox_create(stem, &options, &error);
  if (self->sandbox == NULL)
    cell_egress_free(egress);
  else if (egress != NULL)
    cell_egress_join(egress, self->sandbox, &error);
  if (self->sandbox == NULL || error.kind != CELL_OK)
    return lcell_fail(L, &error);
  lua_settop(L, 1);
  return 1;
}

/* ---- state ---- */

static int sandbox_state(lua_State *L)
{
  static const char *const names[] = {"starting", "running", "ending", "gone"};
  struct sandbox *self = check_object(L, 1);
  const struct cell_error *error;

  if (self->sandbox == NULL) {
    lua_pushstring(L, self->closed ? "gone" : "running");
    return 1;
  }
  if (lcell_in_forked_copy(self->sandbox)) {
    lua_pushliteral(L, "gone");
    lcell_fail_forked(L, "sandbox");
    lua_remove(L, -2); /* the nil */
    return 2;
  }
  lua_pushstring(L, names[cell_sandbox_state(self->sandbox)]);
  error = cell_sandbox_error(self->sandbox);
  if (error->kind == CELL_OK)
    return 1;
  lcell_push_error(L, error);
  return 2;
}

static int sandbox_closed(lua_State *L)
{
  lua_pushboolean(L, check_object(L, 1)->closed);
  return 1;
}

static int sandbox_token(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (self->sandbox == NULL)
    return 0;
  lua_pushinteger(L, (lua_Integer)cell_sandbox_token(self->sandbox));
  return 1;
}

static void set_mechanism(lua_State *L, const char *limit, uint32_t mechanism)
{
  static const char *const names[] = {"none",   "cgroup2",  "cgroup1",
                                      "rlimit", "watchdog", "tmpfs"};

  lua_pushstring(L, mechanism < sizeof names / sizeof *names ? names[mechanism]
                                                             : "none");
  lua_setfield(L, -2, limit);
}

static int sandbox_hello(lua_State *L)
{
  const struct cell_hello *hello =
    cell_sandbox_hello(lcell_check_sandbox(L, 1));

  lua_createtable(L, 0, 7);
  set_mechanism(L, "memory", hello->memory_by);
  set_mechanism(L, "processes", hello->processes_by);
  set_mechanism(L, "cpu", hello->cpu_by);
  set_mechanism(L, "disk", hello->disk_by);
  set_mechanism(L, "files", hello->files_by);
  lua_pushinteger(L, (lua_Integer)hello->landlock_abi);
  lua_setfield(L, -2, "landlock_abi");
  lua_pushinteger(L, (lua_Integer)hello->groups_kept);
  lua_setfield(L, -2, "groups_kept");
  return 1;
}

/* _changed(): whether something may have changed below the home since it was
** looked at; nil: nobody knows.
*/
static int sandbox_changed(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);
  enum cell_home_state state =
    sandbox != NULL ? cell_sandbox_home_state(sandbox) : CELL_HOME_UNWATCHED;

  if (state == CELL_HOME_UNWATCHED)
    return 0;
  lua_pushboolean(L, state == CELL_HOME_CHANGED);
  return 1;
}

/* _deadline(seconds, pauses): what happens then: it is paused, or it ends. */
static int sandbox_deadline(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  enum cell_deadline then =
    lua_toboolean(L, 3) ? CELL_DEADLINE_PAUSES : CELL_DEADLINE_ENDS;
  struct cell_error error = {0};

  if (cell_sandbox_set_deadline(sandbox, lcell_check_ms(L, 2), then, &error) <
      0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

/* Whether its deadline has paused it. */
static int sandbox_paused(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);

  lua_pushboolean(L, sandbox != NULL && cell_sandbox_paused(sandbox));
  return 1;
}

/* _port(inside): the host's port for it, or nil, err. */
static int sandbox_port(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  uint64_t inside = lcell_check_size(L, 2);
  struct cell_error error = {0};
  uint16_t outside;

  luaL_argcheck(L, inside > 0 && inside < 65536, 2, "no port");
  if (lcell_in_forked_copy(sandbox))
    return lcell_fail_forked(L, "sandbox");
  outside = cell_port_open(sandbox, (uint16_t)inside, &error);
  if (outside == 0)
    return lcell_fail(L, &error);
  lua_pushinteger(L, outside);
  return 1;
}

/* close and __close: may run twice, never raise. */
static int sandbox_close(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (!self->closed && !self->connected && self->sandbox != NULL)
    cell_sandbox_close(self->sandbox);
  self->closed = 1;
  return 0;
}

/* Ends it, whoever made it; the object stays open to say so. */
static int sandbox_kill(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  if (self->sandbox != NULL)
    cell_sandbox_close(self->sandbox);
  return 0;
}

/* A second object for the same sandbox, which shares all that Lua keeps of it.
 */
static int sandbox_connect(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  struct sandbox *self = lcell_new_object(L, LCELL_SANDBOX, sizeof *self);

  lcell_getuservalue(L, 1);
  lcell_setuservalue(L, -2);
  self->sandbox = cell_sandbox_keep(sandbox);
  self->connected = 1;
  return 1;
}

static int sandbox_collect(lua_State *L)
{
  struct sandbox *self = check_object(L, 1);

  sandbox_close(L);
  if (self->sandbox != NULL)
    cell_sandbox_release(self->sandbox);
  self->sandbox = NULL;
  return 0;
}

static const luaL_Reg methods[] = {
  {"_allow", lcell_sandbox_allow},
  {"_answer", lcell_sandbox_answer},
  {"_ask", lcell_sandbox_ask},
  {"_changed", sandbox_changed},
  {"_closed", sandbox_closed},
  {"_connect", sandbox_connect},
  {"_deadline", sandbox_deadline},
  {"_forget", lcell_sandbox_forget},
  {"_handed", lcell_sandbox_handed},
  {"_hear", lcell_sandbox_hear},
  {"_hello", sandbox_hello},
  {"_kill", sandbox_kill},
  {"_paused", sandbox_paused},
  {"_port", sandbox_port},
  {"_refusals", lcell_sandbox_refusals},
  {"_spawn", lcell_process_spawn},
  {"_state", sandbox_state},
  {"_token", sandbox_token},
  {"_traffic", lcell_sandbox_traffic},
  {"_watch", lcell_sandbox_watch},
  {"close", sandbox_close},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__close", sandbox_close},
  {"__gc", sandbox_collect},
  {NULL, NULL},
};

void lcell_open_sandbox(lua_State *L)
{
  lcell_new_type(L, LCELL_SANDBOX, methods, metamethods);
  lua_setfield(L, -2, "Sandbox");
  lua_pushcfunction(L, sandbox_new);
  lua_setfield(L, -2, "sandbox");
}
