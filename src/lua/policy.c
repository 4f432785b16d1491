/* policy.c -- codecell.Policy: what a sandbox may reach, and what of it was
** refused.
*/
#include "../egress/egress.h"
#include "core.h"

#include <stdlib.h>

struct policy {
  struct cell_policy *policy; /* kept; NULL: not complete */
};

struct cell_policy *lcell_check_policy(lua_State *L, int index)
{
  struct policy *self = luaL_checkudata(L, index, LCELL_POLICY);

  luaL_argcheck(L, self->policy != NULL, index, "not a complete policy");
  return self->policy;
}

/* Every string of the list at `index`. */
static int add_all(lua_State *L, int index, struct cell_policy *policy,
                   int (*add)(struct cell_policy *, const char *, size_t,
                              struct cell_error *),
                   struct cell_error *error)
{
  size_t i, count, length;
  const char *text;

  luaL_checktype(L, index, LUA_TTABLE);
  count = lua_rawlen(L, index);
  for (i = 1; i <= count; i++) {
    lua_rawgeti(L, index, (int)i);
    text = luaL_checklstring(L, -1, &length);
    if (add(policy, text, length, error) < 0)
      return -1;
    lua_pop(L, 1);
  }
  return 0;
}

/* policy(kind, allow, deny, hand): kind "none", "named" or "open"; or nil, err.
** The last may be left out.
*/
static int policy_new(lua_State *L)
{
  static const char *const kinds[] = {"none", "named", "open", NULL};
  int kind = luaL_checkoption(L, 1, NULL, kinds);
  struct cell_error error = {0};
  struct cell_gateway gateway;
  struct policy *self;

  lua_settop(L, 4);
  if (lua_isnil(L, 4)) {
    lua_newtable(L);
    lua_replace(L, 4);
  }
  self = lcell_new_object(L, LCELL_POLICY, sizeof *self);
  self->policy = cell_policy_new((enum cell_network)kind, &error);
  if (self->policy == NULL ||
      add_all(L, 2, self->policy, cell_policy_allow, &error) < 0 ||
      add_all(L, 3, self->policy, cell_policy_deny, &error) < 0 ||
      add_all(L, 4, self->policy, cell_policy_hand, &error) < 0 ||
      cell_policy_gateway(self->policy, &gateway, &error) < 0)
    return lcell_fail(L, &error);
  lua_settop(L, 5);
  return 1;
}

static int policy_collect(lua_State *L)
{
  struct policy *self = luaL_checkudata(L, 1, LCELL_POLICY);

  cell_policy_release(self->policy);
  self->policy = NULL;
  return 0;
}

/* ---- a sandbox and its network ---- */

static struct cell_egress *egress_of(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);

  return sandbox == NULL || lcell_in_forked_copy(sandbox)
           ? NULL
           : cell_egress_of(sandbox);
}

/* _hear(): what the warden has said already is known now: an answer of the code
** may be faster than what was said before it.
*/
int lcell_sandbox_hear(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);

  if (sandbox != NULL && !lcell_in_forked_copy(sandbox))
    cell_sandbox_hear(sandbox);
  return 0;
}

/* _refusals(): those since the last call, oldest first: a list of
** {why=, host=, port=, detail=, times=}; nil: there are none.
*/
int lcell_sandbox_refusals(lua_State *L)
{
  static const char *const names[] = {"not_allowed", "port",        "denied",
                                      "address",     "server_name", "protocol",
                                      "no_network",  "limit"};
  struct cell_sandbox *sandbox = lcell_any_sandbox(L, 1);
  struct cell_refusal refusal;
  int place = 0;

  if (sandbox == NULL || lcell_in_forked_copy(sandbox))
    return 0;
  while (cell_refusals_take(cell_sandbox_refusals(sandbox), &refusal)) {
    if (place == 0)
      lua_newtable(L);
    lua_createtable(L, 0, 5);
    lua_pushstring(L, names[refusal.why]);
    lua_setfield(L, -2, "why");
    lua_pushstring(L, refusal.host);
    lua_setfield(L, -2, "host");
    lua_pushinteger(L, refusal.port);
    lua_setfield(L, -2, "port");
    lua_pushstring(L, refusal.detail);
    lua_setfield(L, -2, "detail");
    lua_pushinteger(L, (lua_Integer)refusal.times);
    lua_setfield(L, -2, "times");
    lua_rawseti(L, -2, ++place);
  }
  return place > 0;
}

/* _traffic(): {sent=, received=, connections=, refused=, open=}; nil: there is
** no network.
*/
int lcell_sandbox_traffic(lua_State *L)
{
  struct cell_egress *egress = egress_of(L);
  struct cell_traffic traffic;

  if (egress == NULL)
    return 0;
  cell_egress_traffic(egress, &traffic);
  lua_createtable(L, 0, 5);
  lcell_push_size(L, traffic.sent);
  lua_setfield(L, -2, "sent");
  lcell_push_size(L, traffic.received);
  lua_setfield(L, -2, "received");
  lcell_push_size(L, traffic.connections);
  lua_setfield(L, -2, "connections");
  lcell_push_size(L, traffic.refused);
  lua_setfield(L, -2, "refused");
  lcell_push_size(L, traffic.open);
  lua_setfield(L, -2, "open");
  return 1;
}

/* _allow(policy): decide by this one from now on; true; false: call again when
** the sandbox has news; or nil, err.
*/
int lcell_sandbox_allow(lua_State *L)
{
  struct cell_sandbox *sandbox = lcell_check_sandbox(L, 1);
  struct cell_policy *policy = lcell_check_policy(L, 2);
  struct cell_egress *egress = egress_of(L);
  struct cell_error error = {0};
  int done;

  if (lcell_in_forked_copy(sandbox))
    return lcell_fail_forked(L, "sandbox");
  if (egress == NULL)
    return lcell_failed(L, CELL_UNSUPPORTED, 0,
                        "a sandbox that was created without a network has "
                        "none: create it with network = {allow = {}}");
  done = cell_egress_update(egress, policy, &error);
  if (done < 0)
    return lcell_fail(L, &error);
  lua_pushboolean(L, done);
  return 1;
}

/* _handed(): descriptor, name and port of the oldest request that was handed
** over; without a name: for the proxy itself. nil: none.
*/
int lcell_sandbox_handed(lua_State *L)
{
  struct cell_egress *egress = egress_of(L);
  struct lcell_descriptor *descriptor = lcell_new_descriptor(L);
  struct cell_handed *handed =
    egress != NULL ? cell_egress_handed(egress) : NULL;
  struct cell_target target;

  if (handed == NULL)
    return 0;
  target = handed->target;
  descriptor->fd = handed->fd;
  free(handed);
  lua_pushstring(L, target.name);
  lua_pushinteger(L, target.port);
  return 3;
}

/* _allows(text): whether "name:port" may be reached by it. */
static int policy_allows(lua_State *L)
{
  struct cell_policy *policy = lcell_check_policy(L, 1);
  struct cell_target target;
  size_t length;
  const char *text = luaL_checklstring(L, 2, &length);
  enum cell_decision decision = CELL_NOT_ALLOWED;

  if (cell_target_read(&target, text, length, 0) == 0)
    decision = cell_policy_decide(policy, &target);
  lua_pushboolean(L, decision == CELL_ALLOWED || decision == CELL_NAMED);
  return 1;
}

static const luaL_Reg methods[] = {
  {"_allows", policy_allows},
  {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
  {"__gc", policy_collect},
  {NULL, NULL},
};

void lcell_open_policy(lua_State *L)
{
  lcell_new_type(L, LCELL_POLICY, methods, metamethods);
  lua_pop(L, 1);
  lua_pushcfunction(L, policy_new);
  lua_setfield(L, -2, "policy");
}
